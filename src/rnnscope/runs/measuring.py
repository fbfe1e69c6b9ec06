"""Measuring a probe at many snapshots of a run, storing results as they come."""

import math
import shutil
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.base.errors import DamagedFileError
from rnnscope.base.probe import Given, Probe, Progress
from rnnscope.base.threads import torch_threads
from rnnscope.execution import map_units
from rnnscope.runs import results
from rnnscope.runs.folder import snapshot_path
from rnnscope.runs.tensors import load_tensors
from rnnscope.smoothness import Objective
from rnnscope.systems import Pair, System, TrainingPath

Group = tuple[int, ...]
"""Steps of snapshots that are measured together: one, two neighbours, or all of the path."""

_ONE_THREAD_BELOW = 100_000  # parameters: splitting products of such networks costs more than it saves

NOT_FINITE = "weights that are not finite: states diverge there, and nothing has a fixed point or a finite cost"
HALF = "weights in half precision: they are read as float32"
_told: set[tuple[Path, str]] = set()


def measure(
    probe: Probe,
    template: System,
    data: Tensor | Objective | None,
    groups: list[Group],
    folder: Path,
    executor: Executor | None,
    progress: Progress | None,
) -> list[str]:
    """Measure groups of a run's snapshots and store blocks in ``folder``; returns a line for each damaged snapshot.

    ``data`` are the sequences of the run or its objective, whichever the probe needs. Warns of snapshots with weights
    that are not finite or in half precision, once for each run; they are measured all the same. Interrupted, it stores
    what is measured; a probe of the whole path finds again what it left in its scratch folder.
    """
    run = folder.parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    given = Given(data)
    if probe.subject == "path":
        scratch = results.scratch_folder(folder)
        scratch.mkdir(exist_ok=True)
        given = Given(data, progress=progress if executor is None else None, scratch=scratch)
    per_unit = 1 if executor is None else min(16, math.ceil(len(groups) / 8))
    units = [(probe, template, given, run, groups[k : k + per_unit]) for k in range(0, len(groups), per_unit)]
    waiting: list[xr.Dataset] = []
    problems: list[str] = []
    remarks: dict[str, set[int]] = {}
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
            for unit in map_units(measure_groups, units, executor):
                problems += unit.problems
                for remark, steps in unit.remarks.items():
                    remarks.setdefault(remark, set()).update(steps)
                for part in unit.parts:
                    waiting.append(part)
                    if len(waiting) == results.BLOCK or time.monotonic() - flushed > results.FLUSH_SECONDS:
                        flush()
                done += unit.n_groups
                if progress is not None:
                    progress(done, len(groups))
        flush()
        if given.scratch is not None:
            shutil.rmtree(given.scratch, ignore_errors=True)
    finally:
        flush()
        for left in filter(None, (given.scratch, folder)):
            with suppress(OSError):  # nothing was measured: leave no empty folder behind
                left.rmdir()
    _tell(run, remarks, len({step for group in groups for step in group}))
    return list(dict.fromkeys(problems))


def _tell(run: Path, remarks: dict[str, set[int]], n_snapshots: int) -> None:
    for remark, found in remarks.items():
        if (run, remark) in _told:
            continue
        _told.add((run, remark))
        steps = sorted(found)
        shown = ", ".join(map(str, steps[:5])) + (", …" if len(steps) > 5 else "")
        which = f"{len(steps)} of {n_snapshots} snapshots (step{'s' if len(steps) > 1 else ''} {shown})"
        warnings.warn(f"{run}: {which} have {remark}", stacklevel=4)


class Measured(NamedTuple):
    """What came of a work unit: the probe's Datasets, a line for each damaged snapshot, and the steps of those with
    weights of which there is something to remark."""

    n_groups: int
    parts: list[xr.Dataset]
    problems: list[str]
    remarks: dict[str, set[int]]


def measure_groups(probe: Probe, template: System, given: Given, run: Path, groups: list[Group]) -> Measured:
    """Measure groups of snapshots: each gives a Dataset at the last of its steps.

    A path goes on without a damaged snapshot, a pair does not.
    """
    parts, problems = [], []
    remarks: dict[str, set[int]] = {}
    systems: dict[int, System] = {}
    for group in groups:
        systems = {step: systems[step] for step in group if step in systems}  # neighbouring pairs share one
        for step in group:
            if step in systems:
                continue
            path = snapshot_path(run, step)
            try:
                tensors = load_tensors(path)[0]
                systems[step] = template.at(tensors)
            except (DamagedFileError, FileNotFoundError) as error:
                problems.append(str(error))
                continue
            except ValueError as error:
                problems.append(f"{path}: does not fit the run's model: {error}")
                continue
            for remark in _remarks(tensors):
                remarks.setdefault(remark, set()).add(step)
        there = tuple(step for step in group if step in systems)
        if there and (there == group or probe.subject == "path"):
            found = probe.measure_given(_subject(probe, [systems[step] for step in there], there), given)
            parts.append(_at(found, there if probe.subject == "pair" else there[-1:]))
    return Measured(len(groups), parts, problems, remarks)


def _subject(probe: Probe, systems: list[System], steps: Group) -> System | Pair | TrainingPath:
    if probe.subject == "path":
        return TrainingPath(systems[-1], [system.params for system in systems], steps)
    if probe.subject == "pair":
        return Pair(systems[0], systems[1], (steps[0], steps[1]))
    return systems[0]


def _at(found: xr.Dataset, steps: Group) -> xr.Dataset:
    """A result at its step; that of a pair is at the later one, and knows the earlier."""
    placed = found.expand_dims(step=np.array(steps[-1:], dtype=np.int64))
    if len(steps) == 1:
        return placed
    attrs = {"long_name": "earlier optimiser step of the pair", "units": "1"}
    return placed.assign_coords(earlier_step=("step", np.array(steps[:1], dtype=np.int64), attrs))


def _remarks(tensors: dict[str, Tensor]) -> Iterator[str]:
    floats = [tensor for tensor in tensors.values() if tensor.is_floating_point()]
    if not all(bool(torch.isfinite(tensor).all()) for tensor in floats):
        yield NOT_FINITE
    if any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in floats):
        yield HALF
