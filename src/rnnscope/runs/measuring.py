"""Measuring a probe at many snapshots of a run, storing results as they come."""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
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

NOT_FINITE = "weights that are not finite: states diverge there, and nothing has a fixed point or a finite cost"
HALF = "weights in half precision: they are read as float32"
_told: set[tuple[Path, str]] = set()


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

    ``given`` are the sequences of the run or its objective, whichever the probe needs. Warns of snapshots with
    weights that are not finite or in half precision, once for each run; they are measured all the same. Interrupted, it
    stores what is measured.
    """
    folder.mkdir(parents=True, exist_ok=True)
    per_unit = 1 if executor is None else min(16, math.ceil(len(snapshots) / 8))
    per_unit = len(snapshots) if probe.needs_path else per_unit
    units = [(probe, template, given, snapshots[k : k + per_unit]) for k in range(0, len(snapshots), per_unit)]
    waiting: list[xr.Dataset] = []
    problems: list[str] = []
    remarks: dict[str, list[int]] = {}
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
            for parts, damaged, remarked in map_units(measure_snapshots, units, executor):
                problems += damaged
                for remark, steps in remarked.items():
                    remarks.setdefault(remark, []).extend(steps)
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
    run = folder.parent.parent
    for remark, steps in remarks.items():
        if (run, remark) in _told:
            continue
        _told.add((run, remark))
        shown = ", ".join(map(str, steps[:5])) + (", …" if len(steps) > 5 else "")
        which = f"{len(steps)} of {len(snapshots)} snapshots (step{'s' if len(steps) > 1 else ''} {shown})"
        warnings.warn(f"{run}: {which} have {remark}", stacklevel=3)
    return problems


def measure_snapshots(
    probe: Any, template: System, given: Tensor | Objective | None, snapshots: list[tuple[int, str]]
) -> tuple[list[xr.Dataset], list[str], dict[str, list[int]]]:
    """A work unit: the probe's Dataset for each snapshot (step, path), a line for each that is damaged, and the steps
    of those with weights of which there is something to remark.

    Of a probe of the whole path of training there is one Dataset, at the last step.
    """
    parts, problems = [], []
    remarks: dict[str, list[int]] = {}
    passed: list[tuple[int, System]] = []
    for step, path in snapshots:
        try:
            tensors = load_tensors(Path(path))[0]
            system = template.at(tensors)
        except (DamagedFileError, FileNotFoundError) as error:
            problems.append(str(error))
            continue
        except ValueError as error:
            problems.append(f"{path}: does not fit the run's model: {error}")
            continue
        for remark in _remarks(tensors):
            remarks.setdefault(remark, []).append(step)
        if probe.needs_path:
            passed.append((step, system))
        else:
            parts.append(probe.measure(system, given).expand_dims(step=np.array([step], dtype=np.int64)))
    if passed:
        steps, systems = zip(*passed, strict=True)
        way = TrainingPath(systems[-1], [system.params for system in systems], steps)
        parts.append(probe.measure(way, given).expand_dims(step=np.array(steps[-1:], dtype=np.int64)))
    return parts, problems, remarks


def _remarks(tensors: dict[str, Tensor]) -> Iterator[str]:
    floats = [tensor for tensor in tensors.values() if tensor.is_floating_point()]
    if not all(bool(torch.isfinite(tensor).all()) for tensor in floats):
        yield NOT_FINITE
    if any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in floats):
        yield HALF
