"""A run made of checkpoints that someone else's training wrote."""

import glob
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rnnscope.base.errors import RunError, UnsupportedModelError
from rnnscope.runs.folder import RunFolder, is_run
from rnnscope.systems import as_system, describe_model

_STATE_KEYS = ("model", "state_dict", "model_state_dict", "model_state", "net", "weights")


def import_checkpoints(pattern: str | Path, *, model: nn.Module | None = None, path: str | Path | None = None) -> Path:
    """Copy the weights of checkpoint files into a new run folder; the files are not changed.

    A checkpoint is a state dict, or a dict that holds one (under "model", "state_dict", …), by ``torch.save`` or
    safetensors. Its epoch is the entry "epoch", else the last number in the file's name, else its place in order.
    Numbers beside the weights (loss, …) become scalars. Files are opened with ``weights_only=True``: no pickle is
    executed.

    Args:
        pattern: files by wildcard, such as "ckpt/*.pt".
        model: a network of the same structure; without it, epochs can be probed only with ``Run(path, model=…)``.
        path: the run folder to make; "runs/<name of the checkpoints' folder>" by default. A run made before of the same
            files is used again.

    Raises:
        RunError: no file, a file that is not a checkpoint, two files of one epoch, or the folder is taken.

    """
    files = [Path(name) for name in sorted(glob.glob(str(pattern)), key=_natural)]  # noqa: PTH207
    if not files:
        raise RunError(f"{pattern}: no such files; expected checkpoints, such as 'ckpt/*.pt'")
    target = Path(path) if path is not None else Path("runs") / files[0].resolve().parent.name
    sources = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    if is_run(target):
        from rnnscope.runs.run import Run

        if Run(target).provenance.get("checkpoints") == sources:
            return target
    loaded = [_load(file) for file in files]
    epochs = [_epoch(file, rest, k) for k, (file, (_, rest)) in enumerate(zip(files, loaded, strict=True))]
    twice = sorted({epoch for epoch in epochs if epochs.count(epoch) > 1})
    if twice:
        raise RunError(f"{pattern}: several files stand for epoch {twice[0]}; expected one for each")
    if model is not None:
        for file, (weights, _) in zip(files, loaded, strict=True):
            _check(model, weights, file)
    description = describe_model(model) if model is not None else {"form": "unknown", "reason": "no model was given"}
    folder = RunFolder.create(target, {}, description, {"checkpoints": sources})
    for epoch, (weights, rest) in sorted(zip(epochs, loaded, strict=True), key=lambda pair: pair[0]):
        folder.write_snapshot(epoch, weights, epoch)
        numbers = {key: number for key, v in rest.items() if (number := _number(v)) is not None}
        numbers = {key: number for key, number in numbers.items() if key not in ("epoch", "step", "crc")}
        folder.write_scalars({"step": epoch, "epoch": epoch, **numbers})
    folder.end("recorded")
    return target


def _load(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State dict and the other entries of a checkpoint file."""
    try:
        if file.suffix == ".safetensors":
            import safetensors.torch

            content: Any = safetensors.torch.load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{file}: cannot be opened as a checkpoint without executing a pickle: {reason}") from error
    if not isinstance(content, dict):
        raise RunError(f"{file}: expected a state dict or a dict that holds one, came {type(content).__name__}")
    rest = content
    if not _is_state_dict(content):
        content = next((content[key] for key in _STATE_KEYS if _is_state_dict(content.get(key))), None)
        if content is None:
            raise RunError(f"{file}: no state dict in it; expected one at the top or under {', '.join(_STATE_KEYS)}")
        return _without_wrapper(content), {key: value for key, value in rest.items() if key not in _STATE_KEYS}
    return _without_wrapper(content), {}


def _number(value: object) -> float | None:
    """A number, also from a tensor of one element; None for anything else."""
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        value = value.item()
    return float(value) if isinstance(value, int | float) else None


def _without_wrapper(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names that the wrapped network has, where all begin with the ``module.`` of a data-parallel wrapper."""
    wrapped = all(name.startswith("module.") for name in weights)
    return {name.removeprefix("module.") if wrapped else name: tensor for name, tensor in weights.items()}


def _is_state_dict(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(tensor, Tensor) for tensor in value.values())


def _epoch(file: Path, rest: dict[str, Any], position: int) -> int:
    given = _number(rest.get("epoch"))
    if given is not None:
        if given < 0 or given != int(given):
            raise RunError(f"{file}: expected an epoch of 0 or more, came {rest['epoch']!r}")
        return int(given)
    numbers = re.findall(r"\d+", file.stem)
    return int(numbers[-1]) if numbers else position


def _check(model: nn.Module, weights: dict[str, Tensor], file: Path) -> None:
    try:
        as_system(model).at(weights)
    except ValueError as error:
        raise RunError(f"{file}: does not fit the model that build() made: {error}") from error
    except UnsupportedModelError:
        return


def _natural(name: str) -> list[tuple[float, str]]:
    return [(float(part), "") if part.isdigit() else (math.inf, part) for part in re.split(r"(\d+)", name)]
