"""The epochs of optimiser steps, and which steps a choice of epochs stands for."""

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rnnscope.base.errors import DamagedFileError, RunError
from rnnscope.runs.folder import snapshot_path
from rnnscope.runs.tensors import load_tensors

Epochs = None | int | slice | Sequence[int]


def epochs_of(run: Path, steps: list[int], scalars: pd.DataFrame) -> np.ndarray:
    """The epoch of each step of which there are weights, -1 where nothing says it; the initial weights are those of one
    epoch before the first."""
    known = dict(zip(scalars["step"].tolist(), scalars.index.tolist(), strict=True))
    known |= {step: epoch for step in steps if (epoch := _epoch_of(run, step, known)) is not None}
    known.setdefault(0, min(known.values(), default=1) - 1)
    return np.array([known.get(step, -1) for step in steps], dtype=np.int64)


def _epoch_of(run: Path, step: int, known: Mapping[int, int]) -> int | None:
    """The epoch of a snapshot: that in the scalars, or its own where that line is missing; None if it says none."""
    if step in known or step == 0:
        return known.get(step)
    try:
        return int(load_tensors(snapshot_path(run, step))[1]["epoch"])
    except (DamagedFileError, FileNotFoundError, KeyError, ValueError):
        return None


def step_of(run: Path, steps: np.ndarray, epochs: np.ndarray, *, step: int | None, epoch: int | None) -> int:
    """The recorded step that is ``step``, or has this ``epoch``; the last one if neither is given.

    Raises:
        RunError: nothing was recorded there; names the nearest.

    """
    if not len(steps):
        raise RunError(f"{run}: it has no snapshots")
    values, wanted, what = (epochs, epoch, "epoch") if epoch is not None else (steps, step, "step")
    if wanted is None:
        return int(steps[-1])
    if wanted not in values:
        nearest = values[np.abs(values - wanted).argmin()]
        raise RunError(f"{run}: no weights were recorded at {what} {wanted}; the nearest is {what} {nearest}")
    return int(steps[values == wanted][-1])


def steps_of(run: Path, steps: np.ndarray, epochs: np.ndarray, chosen: Epochs) -> list[int]:
    """The recorded steps that ``chosen`` stands for: None for all, a stride, a slice of epochs, or epochs.

    >>> steps_of(Path("run"), np.array([0, 5, 10, 15]), np.array([0, 1, 2, 3]), 2)
    [0, 10, 15]

    Raises:
        RunError: an epoch that was not recorded.
        ValueError: a choice that is none of these.

    """
    if not len(steps):
        raise RunError(f"{run}: it has no snapshots")
    if chosen is None:
        return steps.tolist()
    if isinstance(chosen, slice):
        if chosen.step is not None and chosen.step < 1:
            raise ValueError(f"epochs: expected a positive step, came {chosen.step}")
        low = -np.inf if chosen.start is None else chosen.start
        high = np.inf if chosen.stop is None else chosen.stop
        within = steps[(epochs >= low) & (epochs < high)][:: chosen.step]
        if not len(within):
            asked = ":".join("" if part is None else str(part) for part in (chosen.start, chosen.stop))
            before = "" if chosen.stop is None else f" (it ends before {chosen.stop})"
            raise RunError(f"{run}: no recorded epoch in {asked}{before}; there are {epochs[0]} … {epochs[-1]}")
        return within.tolist()
    if isinstance(chosen, int | np.integer):
        if chosen < 1:
            raise ValueError(f"epochs: expected a positive stride, came {chosen}")
        return sorted({*steps[::chosen].tolist(), int(steps[-1])})
    try:
        found = {step_of(run, steps, epochs, step=None, epoch=operator.index(epoch)) for epoch in chosen}
    except TypeError:
        raise ValueError(f"epochs: expected None, a stride, a slice or whole numbers, came {chosen!r}") from None
    if not found:
        raise ValueError("epochs: expected at least one, came none")
    return sorted(found)


def thinned(steps: list[int], most: int) -> list[int]:
    """At most so many of the steps, evenly chosen, the first and the last always.

    >>> thinned([0, 5, 10, 15, 20], 3)
    [0, 10, 20]
    """
    chosen = np.unique(np.round(np.linspace(0, len(steps) - 1, min(most, len(steps)))).astype(int))
    return [steps[k] for k in chosen]
