"""``python -m benchmarks``: all cases, or those named on the command line."""

import sys

from benchmarks import cases, harness
from rnnscope.base.errors import unknown


def main() -> None:
    """Run cases and keep their timings."""
    known = cases.load()
    chosen = sys.argv[1:] or list(known)
    for name in chosen:
        if name not in known:
            sys.exit(f"error: {unknown('case', name, known)}")
    timings = []
    for name in chosen:
        print(f"{name} …", flush=True)
        timings += known[name]()
    print(f"kept in {harness.write(timings).relative_to(harness.RESULTS.parent.parent)}")


main()
