"""The demo's setting over seeds: how often does the network oscillate in the end? ``python -m benchmarks.seeds``

A run counts when, at each of its last 20 recorded epochs, it oscillates at 5 or more of the 10 inputs.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

LAST, ENOUGH_INPUTS, ENOUGH_RUNS = 20, 5, 9


def measure(seed: int, folder: str) -> tuple[int, list[int], float, float]:
    """Seed, oscillating inputs at each of the last epochs, last loss, largest relative error of a frequency."""
    from rnnscope.attractors import summarise_orbits
    from rnnscope.base.threads import torch_threads
    from rnnscope.training import Config, fit

    with torch_threads(1):
        run = fit(Config.assemble("sine", seed=seed), Path(folder) / str(seed))
        summary = summarise_orbits(run.probe("orbits", epochs=run.epochs[-LAST:].tolist()))
    counts = (summary["input_kind"] == 1).sum("input").values.tolist()
    error = abs(summary["frequency"] / summary["wanted_frequency"] - 1)
    return seed, counts, float(run.scalars["loss"].iloc[-1]), float(error.max())


def main() -> int:
    """Print a line for each seed; exit status 0 if enough of them count."""
    from rnnscope.execution import map_units, processes

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(f"{'seed':>4}  {'oscillating inputs':>18}  {'last loss':>9}  {'frequency off by':>16}", flush=True)
    counted = 0
    with tempfile.TemporaryDirectory() as folder, processes(arguments.workers) as executor:
        units = [(seed, folder) for seed in range(arguments.seeds)]
        for seed, counts, loss, error in map_units(measure, units, executor):
            counted += min(counts) >= ENOUGH_INPUTS
            spread = f"{min(counts)} – {max(counts)}"
            off = "" if np.isnan(error) else f"{100 * error:.2f} % at most"
            print(f"{seed:>4}  {spread:>18}  {loss:>9.2e}  {off:>16}", flush=True)
    enough = counted >= min(ENOUGH_RUNS, arguments.seeds)
    print(f"{counted} of {arguments.seeds} runs oscillate at {ENOUGH_INPUTS} or more of 10 inputs "
          f"throughout the last {LAST} recorded epochs")  # fmt: skip
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
