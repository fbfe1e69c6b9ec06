"""Reading a run, and measuring what its network was at any recorded epoch."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import xarray as xr
from torch import Tensor, nn

from rnnscope.base.errors import DamagedFileError, RunError
from rnnscope.base.probe import Probe, Progress
from rnnscope.runs import folder as layout
from rnnscope.runs import planning, probes, recorded, results
from rnnscope.runs._checkpoint_numbers import Number
from rnnscope.runs._context import task_of, with_epochs, with_inputs
from rnnscope.runs._finite import with_finite_weights
from rnnscope.runs._loss_check import far_from_loss
from rnnscope.runs.advice import grouped, to_measure
from rnnscope.runs.checking import check_run
from rnnscope.runs.given import give
from rnnscope.runs.held import inputs_of
from rnnscope.runs.measuring import measure
from rnnscope.runs.objectives import objective_of_task, read_objective
from rnnscope.runs.recorded import Epochs
from rnnscope.runs.scalars import read_scalars
from rnnscope.runs.sealed import altered, read_sealed
from rnnscope.runs.sequences import read_sequences, some_of
from rnnscope.runs.tensors import load_tensors
from rnnscope.smoothness import Objective
from rnnscope.systems import System, as_system, locate, system_from_description
from rnnscope.tasks import ConstantInputs


class Run:
    """A recorded training, opened for reading and probing; what was recorded is never changed, results are only added.

    Args:
        path: the run folder.
        model: the network, or (core, head), where model.toml cannot rebuild it; only its structure matters.

    Raises:
        RunError: no run there, or its description is not readable.

    """

    def __init__(self, path: str | Path, *, model: nn.Module | tuple[nn.Module, nn.Module] | System | None = None):
        self.path = Path(path)
        if not layout.is_run(self.path):
            raise RunError(
                f"{self.path}: {layout.what_else(self.path)}; 'rnnscope runs DIR' lists the runs in a folder"
            )
        self._model = model
        self.damaged: list[str] = []

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}: {len(self.steps)} snapshots, {self.status})"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings it was trained with; empty where a Recorder in someone's own loop was given none."""
        problem = altered(self.path / "config.toml", "provenance.json")
        try:
            content = layout.read_toml(self.path / "config.toml")
        except RunError as error:
            content, problem = {}, str(error)
        self._report(problem, used=bool(content))
        return content

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Versions, machine, command and time."""
        return self._json("provenance.json")

    @property
    def ended(self) -> dict[str, Any]:
        """How recording ended: status and details; empty if it has not, or was killed."""
        return self._json("ended.json", optional=True)

    def _json(self, name: str, *, optional: bool = False) -> dict[str, Any]:
        sealed = read_sealed(self.path / name)
        if not (optional and not (self.path / name).exists()):
            self._report(sealed.problem, used=bool(sealed.content))
        return sealed.content

    @property
    def status(self) -> str:
        """'finished', 'interrupted', 'diverged', 'running', or 'recorded' (someone's own loop that said no end)."""
        if self.ended:
            return str(self.ended.get("status", "recorded"))
        if layout.is_alive(self._json("recording.json", optional=True) or self.provenance):
            return "running"
        return "interrupted" if "training" in self.config else "recorded"

    @cached_property
    def scalars(self) -> pd.DataFrame:
        """What was recorded at each epoch (the index): step, loss, …"""
        frame, problems = read_scalars(self.path / "scalars.jsonl")
        if not (self.path / "scalars.jsonl").exists() and len(self.steps) > 1:
            problems.append(f"{self.path / 'scalars.jsonl'}: missing")
        for problem in problems or [altered(self.path / "scalars.jsonl", "ended.json")]:
            self._report(problem)
        return frame

    @cached_property
    def steps(self) -> np.ndarray:
        """The optimiser steps of which there are weights, in order; 0 is before training."""
        return np.array(layout.snapshot_steps(self.path), dtype=np.int64)

    @cached_property
    def epochs(self) -> np.ndarray:
        """The epoch of each of ``steps``; that of the initial weights is one before the first recorded."""
        return recorded.epochs_of(self.path, self.steps.tolist(), self.scalars)

    def snapshot(self, *, step: int | None = None, epoch: int | None = None) -> dict[str, Tensor]:
        """The state dict after a step or epoch (the last by default).

        Raises:
            RunError: nothing was recorded there; names the nearest.
            DamagedFileError: the file was cut short or changed.

        """
        return load_tensors(layout.snapshot_path(self.path, self._step(step, epoch)))[0]

    def system(self, *, step: int | None = None, epoch: int | None = None) -> System:
        """The network as a map, as it was after a step or epoch (the last by default)."""
        return self.template.at(self.snapshot(step=step, epoch=epoch))

    @cached_property
    def template(self) -> System:
        """The network's map without its weights: ``template.at(snapshot)``."""
        if self._model is not None:
            return locate(as_system(self._model), self.snapshot())
        if problem := altered(self.path / "model.toml", "provenance.json"):
            raise DamagedFileError(f"{problem}. Put it back, or give the network: Run(path, model=…)")
        return system_from_description(layout.read_toml(self.path / "model.toml"))

    def check(self) -> list[str]:
        """Verify every file of the run; a line for each that is damaged, with the remedy."""
        return list(check_run(self.path).damaged)

    def _step(self, step: int | None, epoch: int | None) -> int:
        return recorded.step_of(self.path, self.steps, self.epochs, step=step, epoch=epoch)

    def default_probe(self, name: str, **settings: Any) -> Probe:
        """The probe called ``name`` with the settings that suit this run's task, changed by ``settings``."""
        cls = probes.load(name)
        return planning.completed(self, cls.from_settings({**self.config.get(name, {}), **settings}))

    @cached_property
    def held_inputs(self) -> ConstantInputs | None:
        """The inputs that probes hold by default: those of its task, or a handful that its sequences suggest (see
        ``rnnscope.runs.held``); None where there are neither: then the zero input alone is held."""
        return self._task.constant_inputs() if self._task is not None else inputs_of(self)

    @cached_property
    def sequences(self) -> Tensor | None:
        """Some input sequences of its task (sequence, time, channel), at most 64: those given to the Recorder or by
        ``give``, the task's own, or the inputs of the objective given; None where they are not known."""
        kept = read_sequences(self.path)
        if kept is None and self._task is not None:
            return some_of(self._task.data()[0])
        if kept is None and (given := read_objective(self.path)) is not None:
            return given.inputs
        return kept

    @cached_property
    def objective(self) -> Objective | None:
        """The cost of its task, of at most 64 sequences: the one given to the Recorder or by ``give``, or the task's
        own; None where it is not known."""
        kept = read_objective(self.path)
        return objective_of_task(self._task) if kept is None and self._task is not None else kept

    def give(self, *, sequences: Any = None, objective: Objective | None = None, overwrite: bool = False) -> None:
        """Keep data in the run that it was recorded without; nothing else in it changes.

        Probes then begin at states that the network visits on the sequences, and measure the cost of the objective.
        Results measured with other data are kept apart.

        Args:
            sequences: some input sequences of the task (sequence, time, channel), of which up to 64 are kept; without
                them the inputs of the objective count.
            objective: the cost of the task, with up to 64 of its sequences kept.
            overwrite: put them in the place of others that the run has.

        Raises:
            ValueError: neither is given, or they do not fit the network.
            RunError: the run has others already, and ``overwrite`` is False; nothing was changed.

        """
        give(self, sequences, objective, overwrite=overwrite)
        for name in ("sequences", "objective", "held_inputs"):
            self.__dict__.pop(name, None)

    def probe(
        self,
        probe: Probe | str,
        *,
        epochs: Epochs = None,
        objective: Objective | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
        **settings: Any,
    ) -> xr.Dataset:
        """Measure what is missing, store it in the run, and return the whole.

        Args:
            probe: a probe, or the name of one with the settings that suit the run's task, changed by ``settings``.
            epochs: None for every recorded epoch, a number k for every k-th of them (the first and the last always), a
                slice of epochs, or epochs.
            objective: another cost than that of the run's task, for probes of the cost; their results are kept apart.
            executor: see ``rnnscope.execution``; None for this process.
            progress: called with (measured, to measure) as it goes on.
            **settings: changes of settings, with a probe's name.

        Returns:
            The probe's Dataset with the dimension ``step`` in front and the coordinates ``epoch`` and ``loss``.

        Raises:
            RunError: an epoch that was not recorded, no snapshot that can be read, or no cost where one is needed.

        A damaged snapshot is left out with a warning and named in ``damaged``. Interrupted, it keeps what was measured.

        """
        plan = self._plan(probe, epochs, objective, settings)
        problems = []
        if plan.missing:
            self._tell_version(plan.probe)
            problems = measure(plan.probe, self.template, plan.data, plan.missing, plan.folder, executor, progress)
        blocks = self._read(plan.folder)
        if not blocks:
            self.damaged += problems
            raise RunError(f"{self.path}: no snapshot could be read: {'; '.join(grouped(self.damaged))}")
        self._leave_out(problems)
        whole = results.of_pairs(results.join_blocks(blocks), plan.wanted)
        wanted = None if plan.probe.subject == "path" else [group[-1] for group in plan.wanted]
        found = self._in_context(whole, wanted)
        if isinstance(plan.data, Objective) and objective is None and self._task is None:
            problem = far_from_loss(found, plan.data, self.template, lambda step: self.snapshot(step=step))
            if problem is not None:
                warnings.warn(f"{self.path}: {problem}", stacklevel=2)
        return found

    def missing(self, probe: Probe | str, *, epochs: Epochs = None, **settings: Any) -> list[int]:
        """The steps among ``epochs`` at which a probe has no stored result yet; arguments are those of ``probe``."""
        plan = self._plan(probe, epochs, None, settings)
        if plan.probe.subject == "path":
            return [step for group in plan.missing for step in group]
        return [group[-1] for group in plan.missing]

    def _plan(
        self, probe: Probe | str, epochs: Epochs, objective: Objective | None, settings: dict[str, Any]
    ) -> planning.Plan:
        if isinstance(probe, str):
            probe = self.default_probe(probe, **settings)
        elif settings:
            raise TypeError(f"settings {sorted(settings)} go with a probe's name, not with a probe")
        elif not isinstance(probe, Probe):
            raise TypeError(f"probe: expected a probe, such as Orbits(), or its name, came {probe!r}")
        found = planning.plan(self, probe, epochs, objective)
        self._leave_out(found.problems)
        return found

    def _tell_version(self, probe: Probe) -> None:
        """Say that results of another version of the probe are there, and measured anew."""
        if (other := planning.other_version(self.path, probe)) is not None:
            warnings.warn(
                f"{self.path}: results of version {other} of probe {probe.name} are kept; version {probe.version} is "
                "measured anew",
                stacklevel=3,
            )

    def has(self, name: str, **settings: Any) -> bool:
        """Whether results of the probe called ``name`` are stored, measured with these settings if any are given."""
        return any(any(folder.glob("*.nc")) for folder in results.folders_with(self.path, name, settings, self._report))

    def dataset(self, name: str, **settings: Any) -> xr.Dataset:
        """Stored results of the probe called ``name``; nothing is measured.

        Args:
            name: one word, such as "orbits".
            settings: take only results measured with these settings. Of several that remain, those of the run's default
                probe, else those at most epochs, of as many those measured last.

        Raises:
            RunError: there are none; says which there are.

        """
        folders = results.folders_with(self.path, name, settings, self._report)
        found = [(folder, blocks) for folder in folders if (blocks := self._read(folder))]
        if not found:
            stored = sorted({folder.name.rsplit("-", 1)[0] for folder in (self.path / "probes").glob("*-*")})
            with_settings = f" with {settings}" if settings else ""
            raise RunError(
                f"{self.path}: no readable results of probe {name!r}{with_settings}; "
                f"stored: {', '.join(stored) or 'none'}. "
                f"Measure them: {to_measure(self.path, name, settings, self.epochs.tolist())}"
            )
        blocks = results.preferred(found, planning.usual_folder(self, name))
        stored = results.describe_block(blocks[0])["version"]
        if probes.about(name) is not None and stored != (own := probes.load(name).version):
            remedy = f"; {to_measure(self.path, name, settings, self.epochs.tolist())}" if stored < own else ""
            warnings.warn(
                f"{self.path}: the results of {name} were measured by version {stored} of the probe, this rnnscope has "
                f"version {own}{remedy}",
                stacklevel=2,
            )
        return self._in_context(results.of_pairs(results.join_blocks(blocks)))

    @property
    def model_signature(self) -> str:
        """What tells results of a model that was given by hand from those of the recorded one, which have none."""
        return "" if self._model is None else self.template.signature()

    def _read(self, folder: Path) -> list[xr.Dataset]:
        blocks, problems = results.read_blocks(folder)
        self._leave_out(problems)
        return blocks

    def _in_context(self, dataset: xr.Dataset, steps: Iterable[int] | None = None) -> xr.Dataset:
        """Those of ``steps`` (None: all) that were measured, with epoch, loss and what the task knows of its inputs."""
        if steps is not None:
            dataset = dataset.sel(step=[step for step in steps if step in dataset.indexes["step"]])
        dataset = with_finite_weights(self.path, dataset)
        dataset = with_epochs(dataset, dict(zip(self.steps.tolist(), self.epochs.tolist(), strict=True)), self.scalars)
        held = None
        with suppress(DamagedFileError):  # only the names of inputs are missed
            held = self.held_inputs
        return dataset if held is None else with_inputs(dataset, held)

    @cached_property
    def _task(self) -> Any:
        try:
            return task_of(self.config)
        except (TypeError, ValueError) as error:
            self._report(f"{self.path / 'config.toml'}: task: {error}")
            return None

    def _report(self, problem: str | None, *, used: bool = False) -> None:
        if problem is not None and problem not in self.damaged:
            self.damaged.append(problem)
            warnings.warn(f"{'used all the same' if used else 'left out'}: {problem}", stacklevel=3)

    def _leave_out(self, problems: Iterable[str]) -> None:
        """Note damaged files, and say so in one line for each cause."""
        new = [problem for problem in problems if problem not in self.damaged]
        self.damaged += new
        for line in grouped(new):
            warnings.warn(f"left out: {line}", stacklevel=4)

    @classmethod
    def from_checkpoints(
        cls,
        pattern: str | Path | Sequence[str | Path],
        *,
        build: Callable[[], Any] | None = None,
        path: str | Path | None = None,
        key: str | None = None,
        number: Number | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Make a run of checkpoints that someone else's training wrote.

        ``build`` is a function that makes the network (its weights do not matter); all other arguments, and what is
        raised, are those of ``rnnscope.runs.checkpoints.import_checkpoints``.
        """
        from rnnscope.runs.checkpoints import import_checkpoints

        model = build() if build is not None else None
        made = import_checkpoints(pattern, model=model, path=path, key=key, number=number, overwrite=overwrite)
        return cls(made, model=model)
