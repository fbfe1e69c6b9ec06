"""Writing a run folder: what a Recorder does to the disk."""

import json
import os
import platform
import re
import shutil
import socket
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import tomli_w
from torch import Tensor

from rnnscope.base.errors import FolderTakenError, RunError
from rnnscope.base.files import write_text
from rnnscope.base.probe import plain
from rnnscope.runs.results import last_step, remove_block
from rnnscope.runs.scalars import append_scalars, keep_scalars
from rnnscope.runs.sealed import read_sealed, write_sealed
from rnnscope.runs.tensors import save_tensors

SNAPSHOTS_AT = "snapshots_at_every"  # entry of provenance.json and recording.json
_PACKAGES = ("rnnscope", "torch", "numpy", "scipy", "xarray")
_WRITTEN = (
    "config.toml", "model.toml", "provenance.json", "recording.json", "ended.json", "scalars.jsonl", "snapshots",
    "probes", "checkpoint.safetensors", "sequences.safetensors", "objective.safetensors",
)  # fmt: skip


class RunFolder:
    """A run folder open for recording."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(
        cls, path: Path, config: Mapping[str, Any], model: Mapping[str, Any], provenance: Mapping[str, Any]
    ) -> Self:
        """A new run folder; RunError if anything else is at ``path`` already, which is left as it is."""
        refuse_existing(path, can_go_on=False)
        try:
            settings, description = tomli_w.dumps(without_none(config)), tomli_w.dumps(without_none(model))
            origin = json.loads(json.dumps({**describe_origin(), **without_none(provenance)}))
        except (TypeError, ValueError) as error:
            raise ValueError(f"config, provenance: expected plain numbers, text, lists and tables: {error}") from None
        (path / "snapshots").mkdir(parents=True)
        write_text(path / "config.toml", settings)
        write_text(path / "model.toml", description)
        write_sealed(path / "provenance.json", origin, beside=("config.toml", "model.toml"))
        return cls(path)

    @classmethod
    def reopen(cls, path: Path, **details: Any) -> Self:
        """A run folder to go on recording in, with ``details`` for recording.json; RunError if another process does."""
        _refuse_other_writer(path)
        (path / "ended.json").unlink(missing_ok=True)
        write_sealed(path / "recording.json", {"resumed": now(), **_process(), **details})
        return cls(path)

    def write_scalars(self, row: Mapping[str, float | int | str]) -> None:
        """Append the scalars of one epoch."""
        append_scalars(self.path / "scalars.jsonl", row)

    def write_snapshot(self, step: int, tensors: Mapping[str, Tensor], epoch: int | None) -> None:
        """Write the weights after ``step`` optimiser steps; ``epoch`` None: the initial weights."""
        metadata = {"step": str(step), "epoch": "" if epoch is None else str(epoch)}
        save_tensors(snapshot_path(self.path, step), tensors, metadata)

    def forget_after(self, step: int) -> None:
        """Remove scalars, weights and results of later steps: they are about to be recorded again."""
        keep_scalars(self.path / "scalars.jsonl", step)
        for path in (self.path / "snapshots").glob("*.safetensors"):
            if int(path.stem) > step:
                path.unlink()
        for path in (self.path / "probes").glob("*/*.nc"):
            if last_step(path) > step:
                remove_block(path)

    def end(self, status: str, **details: Any) -> None:
        """Say how recording ended."""
        content = {"status": status, "ended": now(), **details}
        write_sealed(self.path / "ended.json", content, beside=("scalars.jsonl",))


def snapshot_path(run: Path, step: int) -> Path:
    """Where the weights after ``step`` optimiser steps stand."""
    return run / "snapshots" / f"{step:010d}.safetensors"


def snapshot_steps(run: Path) -> list[int]:
    """The steps of which a run has weights, in order."""
    if not (run / "snapshots").is_dir():
        return []
    names = [path.name for path in (run / "snapshots").iterdir()]
    return sorted(int(name[:10]) for name in names if re.fullmatch(r"\d{10}\.safetensors", name))


def what_else(path: Path) -> str:
    """What stands at a path that is no run, in words."""
    if (path / "study.json").exists():
        return "an experiment over seeds (its page is report.html), no run; its runs are the folders seed-… in it"
    return "not a run folder (it has no provenance.json)" if path.exists() else "no such folder"


def is_run(path: Path) -> bool:
    """Whether there is a run folder at ``path``; a single lost file does not make it none."""
    marks = ("provenance.json", "config.toml", "model.toml")
    return sum((path / name).is_file() for name in marks) >= 2


def refuse_existing(path: Path, *, can_go_on: bool) -> None:
    """Raise FolderTakenError if recording at ``path`` could touch anything that is there.

    ``can_go_on``: whether the caller can be told to go on with a run that is there, or to replace it.
    """
    if is_run(path):
        raise FolderTakenError(path, "is a run already and is left as it is", can_go_on, can_go_on)
    if path.exists() and not path.is_dir():
        raise FolderTakenError(path, "is a file: expected a new folder for the run")
    if path.is_dir() and any(path.iterdir()):
        raise FolderTakenError(path, "is not empty and not a run: expected a new folder")


def refuse_to_replace(path: Path) -> None:
    """Raise RunError unless what is at ``path`` is nothing, or a run of rnnscope in which no other process records."""
    if not is_run(path):
        refuse_existing(path, can_go_on=False)
        return
    if "rnnscope" not in (read_sealed(path / "provenance.json").content.get("versions") or {}):
        raise FolderTakenError(path, "does not say in its provenance.json that rnnscope wrote it, and is not replaced")
    _refuse_other_writer(path)


def replace_run(new: Path, old: Path) -> None:
    """Put the run ``new`` in the place of the run ``old``, which is removed; files that rnnscope did not write stay."""
    old = old.resolve()
    aside = new.with_suffix(".old")
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    for entry in aside.iterdir():
        if entry.name not in _WRITTEN:
            entry.rename(old / entry.name)
    shutil.rmtree(aside)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as nested dicts; RunError with the place of the error if it is not valid."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None


def describe_origin() -> dict[str, Any]:
    """Versions, machine and time, for provenance."""
    return {
        "created": now(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        **_process(),
        "program": Path(sys.argv[0]).name if sys.argv else "",
    }


def without_none(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The same tables without the entries that are None, which TOML cannot hold, and with NumPy's numbers as plain."""
    return {
        key: without_none(value) if isinstance(value, Mapping) else plain(value)
        for key, value in tables.items()
        if value is not None
    }


def read_owner(run: Path) -> dict[str, Any]:
    """The process that records in a run or did so last: of recording.json, else of provenance.json."""
    return read_sealed(run / "recording.json").content or read_sealed(run / "provenance.json").content


def is_alive(owner: Mapping[str, Any]) -> bool:
    """Whether the process that a file of this machine names is still there."""
    process = owner.get("process")
    if owner.get("host") != socket.gethostname() or not isinstance(process, int) or process < 1:
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _refuse_other_writer(path: Path) -> None:
    owner = read_owner(path)
    if not (path / "ended.json").exists() and is_alive(owner) and owner.get("process") != os.getpid():
        raise RunError(f"{path}: process {owner.get('process')} is still recording in it; wait for it or stop it")


def _process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process": os.getpid()}


def now() -> str:
    """Date and time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
