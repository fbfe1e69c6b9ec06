"""Measuring a probe at many snapshots of a run, storing results as they come."""

import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from rnnscope.base.errors import DamagedFileError
from rnnscope.base.probe import Probe
from rnnscope.base.threads import torch_threads
from rnnscope.execution import map_units
from rnnscope.runs import results
from rnnscope.runs.tensors import load_tensors
from rnnscope.smoothness import Objective, TrainingPath
from rnnscope.systems import System

Progress = Callable[[int, int], None]
_ONE_THREAD_BELOW = 100_000  # parameters: splitting products of such networks costs more than it saves


def measure(
    probe: Probe,
    template: System,
    given: Tensor | Objective | None,
    snapshots: list[tuple[int, str]],
    folder: Path,
    executor: Executor | None,
    progress: Progress | None,
) -> list[str]:
    """Measure at snapshots (step, path) and store blocks in ``folder``; returns a line for each that is damaged.

    ``given`` are the sequences of the run or its objective, whichever the probe needs.
    Interrupted, it stores what is measured.
    """
    folder.mkdir(parents=True, exist_ok=True)
    per_unit = 1 if executor is None else min(16, math.ceil(len(snapshots) / 8))
    per_unit = len(snapshots) if probe.needs_path else per_unit
    units = [(probe, template, given, snapshots[k : k + per_unit]) for k in range(0, len(snapshots), per_unit)]
    waiting: list[xr.Dataset] = []
    problems: list[str] = []
    done, flushed = 0, time.monotonic()

    def flush() -> None:
        nonlocal flushed
        flushed = time.monotonic()
        if waiting:
            results.write_block(folder, results.join_blocks(sorted(waiting, key=lambda part: int(part["step"][0]))))
            waiting.clear()

    small = sum(p.numel() for p in template.params.values()) < _ONE_THREAD_BELOW
    try:
        with torch_threads(1 if small else None):
            for parts, damaged in map_units(measure_snapshots, units, executor):
                problems += damaged
                for part in parts:
                    waiting.append(part)
                    if len(waiting) == results.BLOCK or time.monotonic() - flushed > results.FLUSH_SECONDS:
                        flush()
                done += len(parts) + len(damaged)
                if progress is not None:
                    progress(done, len(snapshots))
    finally:
        flush()
        with suppress(OSError):  # nothing was measured: leave no empty folder behind
            folder.rmdir()
    return problems


def measure_snapshots(
    probe: Any, template: System, given: Tensor | Objective | None, snapshots: list[tuple[int, str]]
) -> tuple[list[xr.Dataset], list[str]]:
    """A work unit: the probe's Dataset for each snapshot (step, path), and a line for each that is damaged.

    Of a probe of the whole path of training there is one Dataset, at the last step.
    """
    parts, problems = [], []
    passed: list[tuple[int, System]] = []
    for step, path in snapshots:
        try:
            system = template.at(load_tensors(Path(path))[0])
        except (DamagedFileError, FileNotFoundError) as error:
            problems.append(str(error))
            continue
        except ValueError as error:
            problems.append(f"{path}: does not fit the run's model: {error}")
            continue
        if probe.needs_path:
            passed.append((step, system))
        else:
            parts.append(probe.measure(system, given).expand_dims(step=np.array([step], dtype=np.int64)))
    if passed:
        steps, systems = zip(*passed, strict=True)
        way = TrainingPath(systems[-1], [system.params for system in systems], steps)
        parts.append(probe.measure(way, given).expand_dims(step=np.array(steps[-1:], dtype=np.int64)))
    return parts, problems
