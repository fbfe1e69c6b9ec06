"""What is to be measured in a run: the probe with all its settings, its data, and what is not stored yet."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnscope import attractors
from rnnscope.base.errors import RunError
from rnnscope.base.probe import Probe
from rnnscope.runs import recorded, results
from rnnscope.runs._opened import OpenedRun
from rnnscope.runs.given import needed
from rnnscope.runs.measuring import Group
from rnnscope.runs.recorded import Epochs
from rnnscope.runs.tensors import tensor_digest
from rnnscope.smoothness import Objective


@dataclass(frozen=True, eq=False)
class Plan:
    """One call of ``Run.probe``.

    Attributes:
        probe: with all its settings.
        data: what it is given besides networks.
        folder: where its results stand.
        wanted: the groups of snapshots that are asked for.
        missing: those of them of which there is no result.
        problems: a line for each damaged file of results.

    """

    probe: Probe
    data: Tensor | Objective | None
    folder: Path
    wanted: list[Group]
    missing: list[Group]
    problems: list[str]


def plan(run: OpenedRun, probe: Probe, epochs: Epochs, objective: Objective | None) -> Plan:
    """What ``probe`` measures at ``epochs``; see ``Run.probe``."""
    probe = completed(run, probe)
    steps = recorded.steps_of(run.path, run.steps, run.epochs, epochs)
    data = needed(run, probe, objective)
    wanted = _groups(run.path, probe, steps)
    folder = results_folder(run, probe, data, wanted[0])
    have, problems = results.read_groups(folder)
    if probe.subject == "path":
        missing = [] if have else wanted
    else:
        missing = [group for group in wanted if group not in have]
    return Plan(probe, data, folder, wanted, missing, problems)


def completed(run: OpenedRun, probe: Probe) -> Probe:
    """The probe with what it leaves open: the constant inputs of the run's task, and where to begin."""
    changes: dict[str, Any] = {}
    if "inputs" in probe.left_open and run.held_inputs is not None:
        changes["inputs"] = run.held_inputs.values.tolist()
    if "starts" in probe.left_open:
        changes["starts"] = attractors.chosen_starts(None, sequences_known=run.sequences is not None)
    return replace(probe, **changes)


def _groups(run: Path, probe: Probe, steps: list[int]) -> list[Group]:
    if probe.subject == "snapshot":
        return [(step,) for step in steps]
    if probe.subject == "path":
        return [tuple(recorded.thinned(steps, probe.settings().get("n_snapshots", len(steps))))]
    if len(steps) < 2:
        raise RunError(f"{run}: probe {probe.name} compares neighbouring snapshots: expected at least two")
    return list(pairwise(steps))


def usual_folder(run: OpenedRun, name: str) -> Path | None:
    """Where results of the run's default probe would be, those of a whole path at all snapshots."""
    try:
        probe = run.default_probe(name)
        every = _groups(run.path, probe, run.steps.tolist())
        return results_folder(run, probe, needed(run, probe, None), every[0])
    except (ValueError, TypeError, RunError):
        return None


def results_folder(run: OpenedRun, probe: Probe, data: Tensor | Objective | None, path: Iterable[int]) -> Path:
    """Where results of a probe stand: apart for another model than the recorded one, for other sequences or another
    cost, and of a whole path for other steps."""
    signature = run.model_signature
    if isinstance(data, Objective):
        signature += data.digest
    elif data is not None:
        signature += tensor_digest(data)
    if probe.subject == "path":
        signature += ",".join(map(str, path))
    return results.results_folder(run.path, probe, signature)


def other_version(run: Path, probe: Probe) -> int | None:
    """The version of the probe with which results of these settings were stored, if it is another one; of several the
    highest."""
    found = set()
    for folder in results.folders_with(run, probe.name, {}, lambda _: None):
        described = results.read_description(folder)
        settings = probe.settings()
        if all(settings.get(name, value) == value for name, value in described["settings"].items()):
            found.add(described["version"])
    return max(found - {probe.version}, default=None)
