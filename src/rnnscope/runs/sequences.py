"""Input sequences of a run's task, of which probes need some: to know which states the network visits."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnscope.base.errors import DamagedFileError, require
from rnnscope.runs.advice import command
from rnnscope.runs.tensors import load_tensors, save_tensors

FILE = "sequences.safetensors"
MOST = 64


def some_of(sequences: Tensor) -> Tensor:
    """At most 64 of the sequences, evenly chosen.

    >>> some_of(torch.arange(640.0)[:, None, None])[:3, 0, 0].tolist()
    [0.0, 10.0, 20.0]
    """
    n = len(sequences)
    return sequences if n <= MOST else sequences[torch.arange(MOST) * n // MOST]


def write_sequences(run: Path, sequences: Any, input_size: int | None) -> None:
    """Keep some of the sequences (sequence, time, channel), or tokens (sequence, time), in the run.

    Raises:
        ValueError: another shape, or values that are not finite.

    """
    tensor = checked_sequences(sequences, input_size)
    save_tensors(run / FILE, {"sequences": some_of(tensor)}, {})


def checked_sequences(sequences: Any, input_size: int | None) -> Tensor:
    """The sequences as a tensor, if they are what they should be."""
    width = "channel" if input_size is None else str(input_size)
    try:
        tensor = torch.as_tensor(sequences).detach()
    except (TypeError, ValueError, RuntimeError):
        expected = f"numbers of shape (sequence, time, {width})"
        raise ValueError(f"sequences: expected {expected}, came {sequences!r}") from None
    if tensor.dim() == 2 and not tensor.is_floating_point():
        tensor = tensor[..., None].double()  # tokens: whole numbers in one channel
    filled = tensor.dim() == 3 and min(tensor.shape[:2]) > 0 and (tensor.shape[2] > 0 or input_size == 0)
    fits = filled and input_size in (None, tensor.shape[-1])
    require(fits, "sequences", f"shape (sequence, time, {width})" + _remedy(tensor, input_size), tuple(tensor.shape))
    require(tensor.is_floating_point(), "sequences", "floats, such as sequences.float()", tensor.dtype)
    require(bool(torch.isfinite(tensor).all()), "sequences", "finite numbers", "NaN or infinity among them")
    return tensor


def _remedy(tensor: Tensor, input_size: int | None) -> str:
    if tensor.dim() == 1:
        return " (one sequence of numbers goes as sequences[None, :, None], of tokens as sequences[None])"
    if tensor.dim() == 2 and input_size == tensor.shape[-1] != 1:
        return " (one sequence goes as sequences[None])"
    if tensor.dim() == 2:
        return " (sequences of one channel go as sequences[..., None])"
    if tensor.dim() == 3 and input_size == 1 != tensor.shape[-1] and bool((tensor.sum(-1) == 1).all()):
        return " (one-hot tokens go as sequences.argmax(-1), where the network takes tokens)"
    return ""


def read_sequences(run: Path) -> Tensor | None:
    """The sequences kept in a run; None if there are none.

    Raises:
        DamagedFileError: the file was cut short or changed.

    """
    if not (run / FILE).exists():
        return None
    try:
        return load_tensors(run / FILE)[0]["sequences"]
    except DamagedFileError as error:
        raise DamagedFileError(
            f"{error}; put a copy back, or give others: {command('data', run, '--sequences', 'u.npy', '--overwrite')}"
        ) from None
