"""What resuming a training needs, and nothing else: weights, optimiser state, random state, how far it got."""

import platform
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rnnscope.base.errors import DamagedFileError, RunError
from rnnscope.runs.tensors import load_tensors, save_tensors

NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Progress:
    """How far a training got: epochs done, optimiser steps taken, calls of the Recorder."""

    epoch: int
    step: int
    calls: int


def save_checkpoint(run: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Replace the run's checkpoint, atomically."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for position, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{position}.{name}": tensor for name, tensor in state.items()}
    tensors["random.cpu"] = torch.random.get_rng_state()
    device = next(model.parameters()).device
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    metadata = {name: str(value) for name, value in vars(progress).items()}
    save_tensors(run / NAME, tensors, {**metadata, **circumstances()})


def load_checkpoint(run: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Progress, list[str]]:
    """Put model, optimiser and global random state back; returns how far it got and what is different here from there.

    Raises:
        RunError: there is no checkpoint, or it is damaged.

    """
    try:
        tensors, metadata = load_tensors(run / NAME)
    except FileNotFoundError:
        raise RunError(f"{run}: it has no checkpoint to resume from; train again into another folder") from None
    except DamagedFileError as error:
        raise RunError(f"{error}; it cannot be resumed. Its snapshots can still be probed") from error
    model.load_state_dict(_under(tensors, "model."))
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under(tensors, "optimizer.").items():
        position, _, key = name.partition(".")
        states.setdefault(int(position), {})[key] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.random.set_rng_state(tensors["random.cpu"])
    device = next(model.parameters()).device
    if "random.cuda" in tensors and device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
    here = circumstances()
    differences = [
        f"{name}: {metadata.get(name)} then, {here[name]} now" for name in here if metadata.get(name) != here[name]
    ]
    return Progress(*(int(metadata[name]) for name in ("epoch", "step", "calls"))), differences


def circumstances() -> dict[str, str]:
    """What must be the same for the resumed training to equal an uninterrupted one bit for bit."""
    return {
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "machine": f"{platform.node()} {platform.machine()}",
    }


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
