"""Which files a pattern or folder of checkpoints stands for, and what each of them holds."""

import glob
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors

from rnnscope.base.errors import RunError
from rnnscope.runs._checkpoint_names import SUFFIXES, read_names, without_suffixes
from rnnscope.runs._torch_files import StandIns, open_torch
from rnnscope.runs.folder import is_run

# What transformers and accelerate write into a folder of its own for each checkpoint.
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_BESIDE = re.compile(
    r"(optimizer|optim|scheduler|scaler|rng_state|random_states|training_args|dataloader|sampler|custom_checkpoint)"
    r"[-_\d]*\.\w+|.+-\d{5}-of-\d{5}\.\w+|.+_optim_states\.\w+"
)
_OTHERS = {
    ".json", ".jsonl", ".txt", ".csv", ".tsv", ".log", ".yaml", ".yml", ".toml", ".md", ".png", ".pdf", ".svg", ".jpg",
    ".html", ".py", ".ipynb", ".npz", ".npy", ".h5", ".hdf5", ".zip", ".gz", ".xlsx", ".lock", ".tmp", ".part", ".onnx",
    ".msgpack", ".sh", ".cfg", ".ini",
}  # fmt: skip
_DEPTH = 4


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint: a file, or a folder with weights in it.

    ``name`` is its path as seen from the folder that holds all of them, ``parts`` that path from the end, without
    suffix.
    """

    path: Path
    name: str
    parts: tuple[str, ...]

    @property
    def weights(self) -> Path:
        """The file with the weights, or with the list of the files that have them."""
        return _weights_in(self.path) or self.path if self.path.is_dir() else self.path


@dataclass(frozen=True, eq=False)
class Content:
    """What a checkpoint holds, and facts beside it: text of safetensors, or transformers' trainer_state.json."""

    tree: Any
    facts: dict[str, Any] = field(default_factory=dict)


def find_checkpoints(patterns: str | Path | Sequence[str | Path]) -> tuple[list[Checkpoint], Path]:
    """The checkpoints that files, wildcards and folders stand for, and the folder that holds them all.

    Raises:
        RunError: there are none.

    """
    several = [patterns] if isinstance(patterns, str | Path) else list(patterns)
    told = ", ".join(map(str, several))
    found: list[Path] = []
    for pattern in several:
        found += _matching(Path(pattern).expanduser(), told)
    if not found:
        raise RunError(f"{told}: no checkpoints there; expected files such as 'ckpt/*.pt', or a folder of them")
    found = _without_links_among(dict.fromkeys(_whole(path) for path in found))
    found = [_weights_in(path) or path if _holds_others(path, found) else path for path in found]
    root = Path(os.path.commonpath([_absolute(path).parent for path in found]))
    checkpoints = []
    for path in found:
        *folders, last = _absolute(path).relative_to(root).parts
        if len(found) == 1 and read_names([[root.name]])[0].clear:
            folders = [root.name]
        own = last if path.is_dir() else without_suffixes(last)
        name = _absolute(path).relative_to(root).as_posix()
        checkpoints.append(Checkpoint(path, name, (own, *reversed(folders))))
    return sorted(checkpoints, key=lambda one: _natural(one.name)), root


def read_checkpoint(checkpoint: Checkpoint, stand_ins: StandIns) -> Content:
    """Open one checkpoint; RunError with the reason if it cannot be."""
    path = checkpoint.weights
    beside = checkpoint.path / "trainer_state.json" if checkpoint.path.is_dir() else None
    facts = _read_json(beside) if beside is not None and beside.exists() else {}
    if path.name.endswith(".index.json"):
        return Content(_read_shards(path, stand_ins), facts)
    tree, text = _read_file(path, stand_ins)
    return Content(tree, {**text, **facts})


def size_and_time(checkpoint: Checkpoint) -> list[int]:
    """What changes when a checkpoint is written again."""
    paths = [checkpoint.weights]
    if checkpoint.path.is_dir():
        paths += [path for path in sorted(checkpoint.path.iterdir()) if path.is_file()]
    try:
        stats = [path.stat() for path in paths]
    except FileNotFoundError as error:
        path = Path(error.filename)
        reason = f"a link to {path.readlink()}, which is not there" if path.is_symlink() else "no such file any more"
        raise RunError(f"{path}: {reason}") from None
    return [sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats)]


def _matching(pattern: Path, told: str) -> list[Path]:
    """The checkpoints that one pattern stands for."""
    if pattern.is_dir():
        if is_run(pattern):
            raise RunError(f"{pattern}: is a run of rnnscope, no folder of checkpoints: Run({str(pattern)!r}) reads it")
        return _in_folder(pattern, _DEPTH)
    if os.path.lexists(pattern):
        return [pattern]
    named = sorted(glob.glob(str(pattern), recursive=True), key=_natural)  # noqa: PTH207
    if not named:
        raise RunError(f"{told}: no such files; expected checkpoints, such as 'ckpt/*.pt', or a folder of them")
    found: list[Path] = []
    for path in map(Path, named):
        if path.is_dir():
            found += _in_folder(path, _DEPTH - 1)
        elif path.name in _WEIGHTS or (path.suffix.lower() not in _OTHERS and not _BESIDE.fullmatch(path.name)):
            found.append(path)
    return found


def _in_folder(folder: Path, depth: int) -> list[Path]:
    """The checkpoints in a folder: the folder itself, files in it, or those in its subfolders."""
    if is_run(folder):
        return []
    try:
        entries = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: _natural(p.name))
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror}") from None
    found = [path for path in entries if not path.is_dir() and _looks_like_weights(path)]
    whole = _weights_in(folder)
    if whole is not None:
        found = [path for path in found if path.name not in _WEIGHTS] + [folder]
    for path in entries:
        if path.is_dir() and depth > 0:
            found += _in_folder(path, depth - 1)
    return found


def _whole(path: Path) -> Path:
    """The folder of a file that stands for all of its folder."""
    return path.parent if path.name in _WEIGHTS and path.exists() else path


def _holds_others(folder: Path, paths: Iterable[Path]) -> bool:
    return any(_absolute(folder) in _absolute(path).parents for path in paths)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (links stay as they are)


def _weights_in(folder: Path) -> Path | None:
    return next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)


def _looks_like_weights(path: Path) -> bool:
    if _BESIDE.fullmatch(path.name):
        return False
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return suffix not in _OTHERS and file.read(4) in (b"PK\x03\x04", b"\x80\x02\x8a\x0a")
    except OSError:
        return False


def _without_links_among(paths: Iterable[Path]) -> list[Path]:
    """Without links to others of the files, as "latest.pt" often is."""
    paths = list(paths)
    own = {path.resolve() for path in paths if not path.is_symlink()}
    return [path for path in paths if not path.is_symlink() or path.resolve() not in own]


def _read_file(path: Path, stand_ins: StandIns) -> tuple[Any, dict[str, Any]]:
    try:
        if path.stat().st_size == 0:
            raise RunError(f"{path}: the file is empty; remove it, or leave it out of the pattern")
        with path.open("rb"):
            pass
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    if path.suffix != ".safetensors":
        return open_torch(path, stand_ins), {}
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except Exception as error:
        raise RunError(f"{path}: cut short, damaged or not a safetensors file ({error!s:.100})") from None


def _read_shards(index: Path, stand_ins: StandIns) -> dict[str, Any]:
    """The tensors of a checkpoint in several files, which ``index`` lists."""
    places = _read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise RunError(f"{index}: expected a weight_map from names to files, came {type(places).__name__}")
    tensors: dict[str, Any] = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name:
            raise RunError(f"{index}: expected files beside it, came {name!r}")
        content = _read_file(index.parent / name, stand_ins)[0]
        if not isinstance(content, dict):
            raise RunError(f"{index.parent / name}: expected tensors by name, came {type(content).__name__}")
        tensors |= content
    missing = [name for name in places if name not in tensors]
    if missing:
        raise RunError(f"{index}: {missing[0]} is not in {places[missing[0]]}: files of two checkpoints?")
    return tensors


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a JSON object, came {type(content).__name__}")
    return content


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]
