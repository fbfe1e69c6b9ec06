"""Data given to a run: input sequences and the cost of its task, checked against its network, kept beside it."""

import shlex
import warnings
from typing import Any

import torch
from torch import Tensor

from rnnscope.base.errors import DamagedFileError, RnnscopeError, RunError
from rnnscope.base.probe import Probe
from rnnscope.runs import objectives, probes, results, sequences
from rnnscope.runs._opened import OpenedRun
from rnnscope.runs.advice import to_give_cost
from rnnscope.smoothness import Objective
from rnnscope.systems import System


def check_given(inputs: Any, objective: Objective | None, system: System | None) -> None:
    """Raise a ValueError or TypeError unless sequences and objective, where given, can be kept and fit the network.

    Args:
        inputs: sequences (sequence, time, channel).
        objective: the cost of a task.
        system: the network, of which only the sizes count; None where it cannot be read, and they are not known.

    """
    if objective is not None:
        objectives.check_objective(objective)
        if system is not None:
            objective.on(system)
    if inputs is not None:
        sequences.checked_sequences(inputs, None if system is None else system.input_size)


def needed(run: OpenedRun, probe: Probe, objective: Objective | None) -> Tensor | Objective | None:
    """What a probe needs besides the network: an objective (the one given, else the run's), sequences, or nothing.

    Raises:
        TypeError: an objective for a probe that measures no cost.
        RunError: a cost is needed and not known; says how to give it.

    """
    if probe.needs != "objective":
        if objective is not None:
            raise TypeError(f"objective: probe {probe.name} does not measure a cost")
        return run.sequences if probe.needs == "sequences" else None
    known = run.objective if objective is None else objective
    if known is None:
        raise RunError(f"{run.path}: its cost is not known; {to_give_cost(run.path, probe.name)}")
    return known


def give(run: OpenedRun, inputs: Any, objective: Objective | None, *, overwrite: bool) -> None:
    """Keep sequences, an objective, or both in a run; see ``Run.give``."""
    if inputs is None and objective is None:
        raise ValueError("sequences, objective: expected at least one of them, came neither")
    check_given(inputs, objective, _network(run))
    replaced = []
    if inputs is not None and _differs(run, "sequences", inputs, overwrite=overwrite):
        replaced.append("sequences")
    if objective is not None and _differs(run, "objective", objective, overwrite=overwrite):
        replaced.append("objective")
    if stale := _measured_with(run, replaced):
        warnings.warn(
            f"{run.path}: the results of {', '.join(stale)} in it belong to the data that were there before, and are "
            f"what is shown until they are measured again: rnnscope probe {stale[0]} {shlex.quote(str(run.path))}",
            stacklevel=3,
        )
    if inputs is not None:
        sequences.write_sequences(run.path, inputs, None)
    if objective is not None:
        objectives.write_objective(run.path, objective)


def _network(run: OpenedRun) -> System | None:
    try:
        return run.template
    except (RnnscopeError, OSError):
        return None


def _differs(run: OpenedRun, what: str, new: Any, *, overwrite: bool) -> bool:
    """Whether others are known; RunError if these are not to be replaced."""
    try:
        there = getattr(run, what)
        problem = f"has other {what} already" if what == "sequences" else "has another objective already"
    except DamagedFileError as error:
        there, problem = error, f"has {what} that cannot be read ({str(error).partition('; put')[0]})"
    if there is None or _same(there, new):
        return False
    if not overwrite:
        raise RunError(
            f"{run.path} {problem}; nothing was changed. Run({str(run.path)!r}).give(…, overwrite=True) puts the new "
            "ones in their place, on the command line rnnscope data … --overwrite"
        )
    return True


def _same(there: Any, new: Any) -> bool:
    if isinstance(new, Objective):
        return isinstance(there, Objective) and there.digest == objectives.kept_of(new).digest
    kept = sequences.some_of(sequences.checked_sequences(new, None)).cpu()
    return isinstance(there, Tensor) and there.dtype == kept.dtype and torch.equal(there, kept)


def _measured_with(run: OpenedRun, replaced: list[str]) -> list[str]:
    """The probes whose stored results depend on what is replaced."""
    names = set()
    for folder in sorted((run.path / "probes").glob("*-*")):
        name = folder.name.rpartition("-")[0]
        if probes.about(name) == "cost":
            depends = "objective" in replaced
        else:
            depends = "sequences" in replaced and _from_visited_states(folder)
        if depends and any(folder.glob("*.nc")):
            names.add(name)
    return sorted(names)


def _from_visited_states(folder: Any) -> bool:
    try:
        settings = results.read_description(folder)["settings"]
    except DamagedFileError:
        return False
    return str(settings.get("starts", "")).startswith("visited") or settings.get("drive") == "sequences"
