"""An experiment carried out: networks trained, measured, and what was found put together; all of it resumable."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from rnnscope.base.errors import FolderTakenError, RnnscopeError, RunError, require, unknown
from rnnscope.base.threads import torch_threads
from rnnscope.execution import run_apart
from rnnscope.experiments._description import Claim, Measurement, Study, Tables, Trained
from rnnscope.experiments._verdicts import decide
from rnnscope.runs import Run
from rnnscope.runs.results import read_block, remove_block, write_dataset
from rnnscope.runs.sealed import read_sealed, write_sealed
from rnnscope.training import Config
from rnnscope.training.config import parse_change
from rnnscope.training.loop import choose_device
from rnnscope.training.several import Outcome, Standing, fit_several

OnMeasured = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is going to be trained and measured.

    Attributes:
        study: the description.
        preset: the name of one of its presets.
        seeds, models: which.
        trainings: the settings of each run folder.
        settings: the name of the settings of each run folder.
        claims: those that are decided.

    """

    study: Study
    preset: str
    seeds: tuple[int, ...]
    models: tuple[str, ...]
    trainings: Mapping[Path, Config]
    settings: Mapping[Path, str]
    claims: tuple[Claim, ...]

    def measurements(self, path: Path) -> Mapping[str, Measurement]:
        """What is measured at the network of a run folder."""
        return self.study.preset(self.preset).measurements(self.trainings[path])


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A training or a measurement that did not come to its end."""

    path: Path
    what: str
    reason: str

    @property
    def final(self) -> bool:
        """Whether trying again would do the same: a training that diverged."""
        return self.what == "training diverged"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What came out.

    Attributes:
        plan: what was trained and measured.
        networks: those that were trained and measured to the end.
        tables: what was found, by name; "claims" is one of them.
        failures: what is missing.

    """

    plan: Plan
    networks: Sequence[Trained]
    tables: Tables
    failures: Sequence[Failure] = field(default_factory=tuple)


def plan(
    study: Study,
    folder: Path,
    *,
    preset: str = "quick",
    seeds: Sequence[int] | None = None,
    models: Sequence[str] | None = None,
    claims: Sequence[str] | None = None,
    changes: Sequence[str] = (),
    device: str | None = None,
) -> Plan:
    """All settings, checked before any work: a run folder MODEL/SETTING/seed-SEED for each network.

    Raises:
        ValueError: no such preset, model, claim, setting or device; no seed, or one twice.

    """
    chosen = study.preset(preset)
    seeds = chosen.seeds if seeds is None else tuple(seeds)
    require(seeds and len(set(seeds)) == len(seeds), "seeds", "at least one, each once", list(seeds))
    require(all(type(seed) is int and seed >= 0 for seed in seeds), "seeds", "whole numbers of at least 0", list(seeds))
    models = study.models if models is None else tuple(models)
    require(models and len(set(models)) == len(models), "models", "at least one, each once", list(models))
    for model in models:
        if model not in study.models:
            raise unknown("model of this experiment", model, study.models)
    swept = {parse_change(change)[0] for own in chosen.settings.values() for change in own}
    for change in changes:
        key = parse_change(change)[0]
        clash = [name for name in swept if name == key or name.rpartition(".")[2] == key]
        if clash:
            raise ValueError(f"--set {change}: the experiment sets {clash[0]} itself, to several values; leave it out")
    trainings: dict[Path, Config] = {}
    names: dict[Path, str] = {}
    for model in models:
        for setting, own in chosen.settings.items():
            every = (*chosen.changes, *own, *changes)
            for seed in seeds:
                path = folder.joinpath(model, *[setting.replace(" ", "-")] * bool(setting), f"seed-{seed}")
                trainings[path] = Config.assemble(
                    study.task, model=model, preset=chosen.task_preset, changes=every, seed=seed, device=device
                )
                names[path] = setting
                chosen.measurements(trainings[path])
    choose_device(next(iter(trainings.values())).device)
    return Plan(
        study=study,
        preset=preset,
        seeds=seeds,
        models=models,
        trainings=trainings,
        settings=names,
        claims=study.chosen_claims(claims),
    )


def carry_out(
    plan: Plan,
    *,
    n_workers: int = 1,
    on_trained: Callable[[Outcome], None] | None = None,
    on_training: Callable[[Standing], None] | None = None,
    on_measured: OnMeasured | None = None,
    provenance: dict[str, Any] | None = None,
) -> Findings:
    """Train what is not trained yet, measure what is not measured yet, and put together what was found.

    What fails is named among the failures, and everything else goes on; the same call begins again where this one was
    interrupted.

    Args:
        plan: what is to be done.
        n_workers: processes; 1 does one thing after the other in this process.
        on_trained: called as each training has ended.
        on_training: called now and then while they train.
        on_measured: called with (measurements done, all of them, the last one).
        provenance: entries to add to each provenance.json.

    Raises:
        RunError: something else is in the way of a run folder, or nothing at all could be trained and measured.

    """
    outcomes = fit_several(
        plan.trainings, n_workers=n_workers, on_end=on_trained, on_progress=on_training, provenance=provenance
    )
    failures = [
        Failure(path=outcome.path, what=f"training {outcome.status}", reason=outcome.reason)
        for outcome in outcomes
        if outcome.status != "finished"
    ]
    failures += _measure_all(plan, [o.path for o in outcomes if o.status == "finished"], n_workers, on_measured)
    failed = {failure.path for failure in failures}
    networks = [
        Trained(run=Run(path), config=config, setting=plan.settings[path], measurements=plan.measurements(path))
        for path, config in plan.trainings.items()
        if path not in failed
    ]
    if not networks:
        raise RunError(
            f"none of {len(plan.trainings)} networks was trained and measured: "
            + "; ".join(f"{failure.path}: {failure.what}: {failure.reason}" for failure in failures[:3])
        )
    tables = {name: put_together(networks) for name, put_together in plan.study.tables.items()}
    planned = [(config.model["name"], plan.settings[path], config.seed) for path, config in plan.trainings.items()]
    claims = decide(plan.claims, tables, planned)
    return Findings(plan=plan, networks=networks, tables={**tables, "claims": claims}, failures=tuple(failures))


def _measure_all(plan: Plan, paths: Sequence[Path], n_workers: int, on_measured: OnMeasured | None) -> list[Failure]:
    """Measure whatever is not stored yet, each in a process of its own, one kind of measurement after the other."""
    failures: list[Failure] = []
    units: list[tuple[Path, str, Measurement]] = []
    n_all = 0
    for path in paths:
        run = Run(path)
        for name, measurement in plan.measurements(path).items():
            n_all += 1
            try:
                if measurement.missing(run):
                    units.append((path, name, measurement))
            except (RnnscopeError, ValueError, OSError) as error:
                failures.append(Failure(path=path, what=f"measuring {name}", reason=str(error)))
    order = list(dict.fromkeys(name for _, name, _ in units))
    units.sort(key=lambda unit: order.index(unit[1]))
    done = n_all - len(units)

    def ended(position: int, result: Any) -> None:
        nonlocal done
        path, name, _ = units[position]
        done += 1
        if isinstance(result, BaseException):
            expected = isinstance(result, RnnscopeError | ValueError | OSError)
            reason = str(result) if expected else f"{type(result).__name__}: {result}"
            failures.append(Failure(path=path, what=f"measuring {name}", reason=reason))
        if on_measured is not None:
            on_measured(done, n_all, name)

    work = [(path, measurement) for path, _, measurement in units]
    if n_workers > 1 and len(work) > 1:
        run_apart(_measure, work, min(n_workers, len(work)), ended=ended)
        return failures
    for position, unit in enumerate(work):
        try:
            _measure(*unit)
            ended(position, None)
        except Exception as error:
            ended(position, error)
    return failures


def _measure(path: Path, measurement: Measurement) -> None:
    """A work unit: what it finds is stored in the run."""
    with warnings.catch_warnings(), torch_threads(1):
        warnings.simplefilter("ignore", UserWarning)  # a run says of damaged files again when it is read
        measurement.of(Run(path))


def claim_folder(plan: Plan, folder: Path) -> None:
    """Say in ``folder`` which experiment it holds, which is written anew where it cannot be read.

    Raises:
        RunError: it holds another one, or another preset of this one.

    """
    own = {"experiment": plan.study.title, "preset": plan.preset}
    there = read_sealed(folder / "study.json")
    if there.has_seal and not there.problem and there.content != own:
        raise FolderTakenError(
            folder,
            f"holds the experiment {there.content.get('experiment')!r}, preset {there.content.get('preset')}, "
            "and is left as it is",
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_sealed(folder / "study.json", own)


def store(findings: Findings, folder: Path) -> list[Path]:
    """Write every table as netCDF, so that figures can be drawn again without anything else; other tables go."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.nc"):
        if old.stem not in findings.tables:
            remove_block(old)
    return [write_dataset(folder / f"{name}.nc", table) for name, table in findings.tables.items()]


def stored(folder: Path) -> dict[str, xr.Dataset]:
    """The tables that ``store`` wrote.

    Raises:
        RunError: there are none.
        DamagedFileError: one of them was changed since.

    """
    files = sorted(folder.glob("*.nc"))
    if not files:
        raise RunError(f"{folder}: no findings of an experiment there; rnnscope reproduce NAME makes them")
    return {file.stem: read_block(file) for file in files}
