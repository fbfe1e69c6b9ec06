"""Bifurcations of the demo's run; the reference is the time that they have to take at most."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Timing

_AT_MOST = 60.0  # seconds


def demo() -> list[Timing]:
    """All 1001 snapshots × 10 inputs of the run that ``make demo`` leaves; it is trained where it is not there."""
    from rnnscope.runs import Run
    from rnnscope.training import Config, fit

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo"
        if (known := Path("runs/demo")).exists():
            shutil.copytree(known, path, ignore=shutil.ignore_patterns("bifurcations-*"))
        else:
            fit(Config.assemble("sine", seed=0), path)
        run = Run(path)
        began = time.perf_counter()
        found = run.probe("bifurcations")
        seconds = time.perf_counter() - began
    note = f"{found.sizes['event']} events on {found.sizes['branch']} branches"
    name = f"bifurcations, {found.sizes['snapshot']} snapshots × {found.sizes['input']} inputs"
    return [Timing(name, seconds, _AT_MOST, seconds / _AT_MOST, "at most 1", seconds <= _AT_MOST, note)]


CASES: dict[str, Callable[[], list[Timing]]] = {"bifurcations": demo}
