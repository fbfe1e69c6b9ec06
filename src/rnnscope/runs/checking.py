"""Verifying every file of a run against the digests that were written with it."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnnscope.base.errors import DamagedFileError, RunError
from rnnscope.runs import objectives
from rnnscope.runs.folder import SNAPSHOTS_AT, is_alive, read_owner, read_toml, snapshot_steps
from rnnscope.runs.results import describe_block, read_block
from rnnscope.runs.scalars import read_scalars
from rnnscope.runs.schedule import snapshot_due
from rnnscope.runs.sealed import altered, read_sealed
from rnnscope.runs.sequences import FILE
from rnnscope.runs.tensors import load_tensors

Progress = Callable[[int, int], None]

_REMEDIES = {
    "config.toml": "compare it with a copy; it is used as it is where it can be read",
    "model.toml": "put a copy back, or give the network: Run(path, model=…), --model package.module:make",
    "provenance.json": "versions and origin are in doubt, and config.toml and model.toml cannot be verified",
    "recording.json": "remove it: it only says which process resumed the run",
    "ended.json": "remove it if the status it gives is wrong",
    "scalars.jsonl": "what is lost is left out, the rest is read",
    "checkpoint.safetensors": "the training cannot be resumed from it; the snapshots do not need it",
    FILE: "put a copy back, or give others: rnnscope data RUN --sequences u.npy --overwrite",
    objectives.FILE: "put a copy back, or give another: rnnscope data RUN --inputs u.npy --targets y.npy --overwrite",
    "probe.json": "remove it: its results say the same",
}
_OF_A_SNAPSHOT = "this epoch is left out, the others are read"


@dataclass(frozen=True)
class Checked:
    """What came of verifying a run.

    Attributes:
        path: the run folder.
        n_files: how many files were looked at.
        damaged: a line for each damaged file: which, what is wrong, the remedy.
        notes: a line for each thing that is no damage: leftovers of killed writers, files without a digest.

    """

    path: Path
    n_files: int
    damaged: tuple[str, ...]
    notes: tuple[str, ...]


def check_run(run: Path, progress: Progress | None = None) -> Checked:
    """Verify every file of a run; files that rnnscope does not write are not looked at.

    Every bit counts in config.toml, model.toml, scalars.jsonl (once recording has ended) and results; in the other
    files everything that is read from them does: blanks between the entries of a JSON file may change.

    Args:
        run: the run folder.
        progress: called with (files looked at, files) as it goes on.

    Raises:
        RunError: no run there.

    """
    if not run.is_dir():
        raise RunError(f"{run}: no such folder; 'rnnscope runs DIR' lists the runs in a folder")
    files = list(_files(run))
    damaged = []
    for position, (path, find_problem, remedy) in enumerate(files, start=1):
        try:
            problem = find_problem(path)
        except RunError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{path}: cannot be read: {error.strerror}"
        if problem is not None:
            damaged.append(f"{problem}; {remedy}")
        if progress is not None:
            progress(position, len(files))
    return Checked(run, len(files), tuple(damaged), tuple(_notes(run)))


def _files(run: Path) -> Iterator[tuple[Path, Callable[[Path], str | None], str]]:
    """Each file to verify: its path, the function that says what is wrong with it, and the remedy."""
    for name, find_problem in (("config.toml", _toml), ("model.toml", _toml), ("provenance.json", _json)):
        yield run / name, find_problem, _REMEDIES[name]
    optional = {"recording.json": _json, "ended.json": _json}
    optional |= dict.fromkeys(("checkpoint.safetensors", FILE, objectives.FILE), _tensors)
    for name, find_problem in optional.items():
        if (run / name).exists():
            yield run / name, find_problem, _REMEDIES[name].replace("RUN", shlex.quote(str(run)))
    if (run / "scalars.jsonl").exists() or len(snapshot_steps(run)) > 1:
        yield run / "scalars.jsonl", _scalars, _REMEDIES["scalars.jsonl"]
    for step in snapshot_steps(run):
        yield run / "snapshots" / f"{step:010d}.safetensors", _snapshot, _OF_A_SNAPSHOT
    if lost := _lost_snapshots(run):
        yield run / "snapshots", lambda path: f"{path}: {lost}", "these epochs are left out, the others are read"
    for folder in sorted((run / "probes").glob("*-*")):
        if (folder / "probe.json").exists():
            yield folder / "probe.json", _description, _REMEDIES["probe.json"]
        measure = f"remove it and measure again: rnnscope probe {folder.name.rpartition('-')[0]} {run}"
        for path in sorted(folder.glob("*.nc")):
            yield path, _block, measure


def _toml(path: Path) -> str | None:
    problem = altered(path, "provenance.json")
    if problem is None:
        read_toml(path)
    return problem


def _json(path: Path) -> str | None:
    sealed = read_sealed(path)
    if sealed.problem or sealed.has_seal or not _seals(path.parent):
        return sealed.problem
    return f"{path}: has lost its SHA-256"


def _seals(run: Path) -> bool:
    """Whether the run was made by a version that gives each JSON file its own digest."""
    return any(read_sealed(run / name).has_seal for name in ("provenance.json", "recording.json", "ended.json"))


def _scalars(path: Path) -> str | None:
    if not path.exists():
        return f"{path}: missing"
    frame, problems = read_scalars(path)
    if problems:
        further = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return problems[0] + further
    if problem := altered(path, "ended.json"):
        return problem
    written = set(frame["step"].tolist())
    lost = [step for step in snapshot_steps(path.parent)[:-1] if step and step not in written]
    return f"{path}: no line for {len(lost)} epochs of which there are weights" if lost else None


def _lost_snapshots(run: Path) -> str:
    """Which weights are missing, where it is known at which calls they were kept and every line of scalars is there."""
    provenance, recording = (read_sealed(run / name) for name in ("provenance.json", "recording.json"))
    every = provenance.content.get(SNAPSHOTS_AT)
    resumed_alike = recording.content.get(SNAPSHOTS_AT, every) == every
    known = every == "log-spaced" or (type(every) is int and every > 0)
    if not (known and resumed_alike) or provenance.problem:
        return ""
    frame, problems = read_scalars(run / "scalars.jsonl")
    due = {0}
    if not problems:
        calls = enumerate(frame["step"].tolist(), start=1)
        due |= {step for call, step in calls if snapshot_due(call, None if every == "log-spaced" else every)}
    lost = sorted(due - {*snapshot_steps(run)})
    listed = ", ".join(map(str, lost[:5])) + (", …" if len(lost) > 5 else "")
    return f"{len(lost)} of {len(due)} files of weights are missing, of step {listed}" if lost else ""


def _tensors(path: Path) -> None:
    load_tensors(path)


def _snapshot(path: Path) -> str | None:
    step = load_tensors(path)[1].get("step")
    return None if step == str(int(path.stem)) else f"{path}: holds the weights of step {step}: was it renamed?"


def _description(path: Path) -> str | None:
    sealed = read_sealed(path)
    if sealed.problem or sealed.has_seal:
        return sealed.problem
    for block in sorted(path.parent.glob("*.nc")):
        try:
            same = describe_block(read_block(block)) == sealed.content
        except DamagedFileError:
            continue
        return None if same else f"{path}: differs from what its results say"
    return None


def _block(path: Path) -> None:
    read_block(path)


def _notes(run: Path) -> Iterator[str]:
    if not _seals(run):
        yield f"{run}: written by an older rnnscope, without digests of its text files: these were only read"
    at_work = not (run / "ended.json").exists() and is_alive(read_owner(run))
    for path in sorted(run.rglob(".*.part")):
        writer = re.search(r"\.(\d+)\.part$", path.name)
        if not (at_work and writer and int(writer[1]) == read_owner(run).get("process")):
            yield f"{path}: harmless: a writer was killed before it was done; remove it"
    for path in sorted((run / "probes").glob("*/scratch")):
        yield f"{path}: harmless: what an interrupted measurement goes on from; remove it to begin again"
    for path in sorted((run / "probes").glob("*/*.nc.sha256")):
        if not path.with_suffix("").exists():
            yield f"{path}: harmless: its results were not written, or were removed; the probe measures them again"
