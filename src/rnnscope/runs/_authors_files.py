"""Reading the authors' result folders: every file is checked before anything is made of it."""

import argparse
import csv
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnscope.base.errors import RunError
from rnnscope.runs._authors_load import load_torch
from rnnscope.systems.recurrent import Core, Description, Head

MODEL, ORBITS, HISTORY, SETTINGS = (
    "model.pth",
    "orbit_per_epoch_diagram.pth",
    "history.csv",
    "train.pyconfig.json",
)
EXPERIMENTS = {"sine-generator": "sine", "temporal-order": "symbols", "word-language-model": "words"}
WORD_OUTPUTS = (
    "mean", "random 1", "random 2",
    "<eos>", "of", "the", ",", ".", "to", "is", "by", "secret", "Japan", "Valkyria", "<unk>",
)  # fmt: skip
_CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn-tanh", "exprnn": "orthogonal"}
_PICTURES = {".png", ".pdf", ".svg", ".jpg"}
_RECURRENT = re.compile(r"rnn\.rnn\.((?:weight|bias)_[ih]h_l\d+)")
_ORTHOGONAL = {
    "rnn.rnn.rnn_cell.input_kernel.weight": "core.input_kernel_l0",
    "rnn.rnn.rnn_cell.recurrent_kernel._A": "core.skew_l0",
    "rnn.rnn.rnn_cell.recurrent_kernel.base": "core.base_l0",
    "rnn.rnn.rnn_cell.nonlinearity.b": "core.bias_l0",
}
_DERIVED = {"rnn.rnn.rnn_cell.recurrent_kernel._B"}
_HEADS = {"linear.weight": "head.weight", "linear.bias": "head.bias"}
_WORD_HEADS = {"decoder.weight": "head.weight", "decoder.bias": "head.bias", "encoder.weight": "encoder.weight"}
_COLUMNS = {
    "loss": "loss", "train loss": "loss", "train acc.": "accuracy",
    "valid. loss": "validation_loss", "valid loss": "validation_loss", "valid. acc.": "validation_accuracy",
    "valid ppl": "validation_perplexity", "learning rate": "learning_rate",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Diagrams:
    """Stored orbits (time, start, input, output, diagram); the k-th belongs to epoch (k+1)·frequency - 1."""

    frequency: int
    trajectory: Tensor

    @property
    def epochs(self) -> list[int]:
        return [(k + 1) * self.frequency - 1 for k in range(self.trajectory.shape[-1])]


@dataclass(frozen=True, eq=False)
class AuthorsFolder:
    """What a result folder holds, under our names; ``epoch`` is that of the weights, counted from 0."""

    path: Path
    experiment: str
    settings: dict[str, Any]
    rnn_type: str
    description: Description
    weights: dict[str, Tensor]
    epoch: int
    steps_per_epoch: int
    history: list[dict[str, float | int]]
    diagrams: Diagrams | None
    devices: tuple[str, ...] = ("cpu",)
    left_aside: tuple[str, ...] = field(default=())

    @property
    def on_cuda(self) -> bool:
        return any(device.startswith("cuda") for device in self.devices)

    @property
    def constant_inputs(self) -> list[list[float]] | None:
        """The inputs that their code holds constant, whatever was trained on; None for words, which are ids."""
        if self.experiment == "sine":
            return np.linspace(np.pi / 16, np.pi / 8, 10)[:, None].tolist()
        width = self.description.core.input_size
        return torch.eye(width).tolist() if self.experiment == "symbols" else None

    def setting(self, name: str, least: int = 0) -> int:
        """A whole number among the settings; RunError unless it is at least ``least``."""
        value = self.settings.get(name)
        if type(value) is not int or value < least:
            raise RunError(
                f"{self.path / SETTINGS}: {name}: expected a whole number of at least {least}, came {value!r}"
            )
        return value

    @property
    def start_deviation(self) -> float:
        """The standard deviation of the starts."""
        value = self.settings.get("std_orbit")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise RunError(f"{self.path / SETTINGS}: std_orbit: expected a positive number, came {value!r}")
        return float(value)


def read_folder(path: Path) -> AuthorsFolder:
    """A result folder, each file checked against the others; RunError with the reason if one does not fit."""
    left_aside = _check_names(path)
    settings = _read_settings(path / SETTINGS)
    content, devices = load_torch(path / MODEL)
    experiment = EXPERIMENTS.get(str(content.get("experiment_name")))
    if experiment is None:
        raise RunError(
            f"{path / MODEL}: unknown experiment {content.get('experiment_name')!r}: expected {', '.join(EXPERIMENTS)}"
        )
    _compare_settings(path, settings, content)
    rnn_type, description, weights = _read_weights(path / MODEL, experiment, settings, content)
    epoch = content.get("epoch")
    if type(epoch) is not int or epoch < 0:
        raise RunError(f"{path / MODEL}: epoch: expected a whole number counted from 0, came {epoch!r}")
    history = _read_history(path / HISTORY)
    _check_epoch(path / MODEL, f"weights of epoch {epoch}", epoch, history)
    folder = AuthorsFolder(
        path=path,
        experiment=experiment,
        settings=settings,
        rnn_type=rnn_type,
        description=description,
        weights=weights,
        epoch=epoch,
        steps_per_epoch=_steps_per_epoch(content.get("optimizer"), epoch),
        history=history,
        diagrams=None,
        devices=tuple(sorted(devices)) or ("cpu",),
        left_aside=left_aside,
    )
    return _with_diagrams(folder)


def _check_names(path: Path) -> tuple[str, ...]:
    """The names of pictures that were left aside; RunError for a missing or unknown file."""
    expected = f"a folder with {MODEL}, {HISTORY}, {SETTINGS} and {ORBITS}, as the authors' code writes it"
    if not path.is_dir():
        raise RunError(f"{path}: {'a file' if path.exists() else 'no such folder'}; expected {expected}")
    names = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    missing = [name for name in (MODEL, HISTORY, SETTINGS) if name not in names]
    if missing:
        raise RunError(f"{path}: {', '.join(missing)} is missing; expected {expected}")
    known = {MODEL, ORBITS, HISTORY, SETTINGS}
    others = [name for name in names if name not in known]
    strange = [name for name in others if Path(name).suffix.lower() not in _PICTURES]
    if strange:
        raise RunError(
            f"{path}: {', '.join(strange[:3])} is not of the authors' code; expected {expected}. "
            "Move what is yours elsewhere"
        )
    for name in known & set(names):
        if not (path / name).is_file():
            raise RunError(f"{path / name}: expected a file, came a folder")
    return tuple(others)


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: not valid JSON: {str(error).splitlines()[0]}") from None
    if not isinstance(settings, dict) or not settings:
        raise RunError(f"{path}: expected settings by name, came {type(settings).__name__ if settings else 'nothing'}")
    for name, value in settings.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None and not isinstance(item, bool | int | float | str):
                raise RunError(f"{path}: {name}: expected a number, a text or a list of them, came {item!r:.60}")
    return settings


def _compare_settings(path: Path, settings: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    config = content.get("config")
    if config is None:
        return
    if not isinstance(config, argparse.Namespace):
        raise RunError(f"{path / MODEL}: config: expected argparse.Namespace, came {type(config).__name__}")
    try:
        kept = json.loads(json.dumps(vars(config)))
    except (TypeError, ValueError, RecursionError):
        raise RunError(f"{path / MODEL}: config: expected plain settings, came other objects") from None
    different = [name for name in {**kept, **settings} if kept.get(name) != settings.get(name)]
    if different:
        name = different[0]
        raise RunError(
            f"{path}: {name} is {settings.get(name)!r} in {SETTINGS} but {kept.get(name)!r} in {MODEL}: "
            "files of two trainings"
        )


def _read_weights(
    path: Path, experiment: str, settings: Mapping[str, Any], content: Mapping[str, Any]
) -> tuple[str, Description, dict[str, Tensor]]:
    """The type of recurrence, and the weights under our names with their description."""
    kwargs = content.get("model_kwargs")
    kwargs = {**settings, **(kwargs if isinstance(kwargs, dict) else {})}
    rnn_type = kwargs.get("rnn_type")
    if not isinstance(rnn_type, str) or rnn_type not in _CELLS:
        raise RunError(f"{path}: unknown rnn_type {rnn_type!r}: supported are {', '.join(_CELLS)}")
    state = content.get("model")
    if not isinstance(state, dict) or not state:
        raise RunError(f"{path}: model: expected a state dict, came {type(state).__name__}")
    weights: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in _DERIVED:
            continue
        own = _own_name(str(name), experiment, rnn_type)
        if own is None:
            raise RunError(f"{path}: model: unknown parameter {str(name)!r:.80} in a {rnn_type} of {experiment}")
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise RunError(f"{path}: model: {name}: expected a dense tensor, came {type(tensor).__name__}")
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise RunError(f"{path}: model: {name}: expected finite floating-point numbers")
        weights[own] = tensor.detach()
    description = _describe(path, experiment, rnn_type, kwargs, weights)
    shapes: dict[str, tuple[int, ...]] = dict(description.param_shapes())
    if experiment == "words":
        assert description.head is not None
        shapes["encoder.weight"] = (description.head.output_size, description.core.input_size)
    for name, shape in shapes.items():
        if name not in weights:
            raise RunError(f"{path}: model: {name} ({rnn_type}, in our names) is missing")
        if tuple(weights[name].shape) != shape:
            raise RunError(
                f"{path}: model: {name} (in our names): expected shape {shape}, came {tuple(weights[name].shape)}"
            )
    strange = [name for name in weights if name not in shapes]
    if strange:
        raise RunError(f"{path}: model: {strange[0]} (in our names): no such parameter in the network described")
    if len({tensor.dtype for tensor in weights.values()}) > 1:
        raise RunError(f"{path}: model: expected parameters of one dtype")
    return rnn_type, description, {name: weights[name] for name in shapes}


def _own_name(name: str, experiment: str, rnn_type: str) -> str | None:
    head = (_WORD_HEADS if experiment == "words" else _HEADS).get(name)
    if head is not None:
        return head
    if rnn_type == "exprnn":
        return _ORTHOGONAL.get(name)
    match = _RECURRENT.fullmatch(name)
    return f"core.{match.group(1)}" if match else None


def _describe(
    path: Path, experiment: str, rnn_type: str, kwargs: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> Description:
    head = weights.get("head.weight")
    if head is None or head.dim() != 2:
        raise RunError(f"{path}: model: expected a linear readout (output, hidden), came none")
    sizes = {
        "sine": (1, 1),
        "symbols": (kwargs.get("input_size"), kwargs.get("n_classes")),
        "words": (kwargs.get("embed_size"), kwargs.get("n_words")),
    }[experiment]
    hidden = kwargs.get("hidden_size", head.shape[1])
    layers = 1 if rnn_type == "exprnn" else kwargs.get("num_layers", 1)
    for name, value in zip(("input", "output", "hidden", "layers"), (*sizes, hidden, layers), strict=True):
        if type(value) is not int or not 0 < value < 1_000_000:
            raise RunError(f"{path}: size of {name}: expected a positive whole number, came {value!r}")
    core = Core(
        cell=_CELLS[rnn_type],
        input_size=int(sizes[0] or 0),
        hidden_size=hidden,
        num_layers=layers,
        prefix="core.",
    )
    return Description(core=core, head=Head(output_size=int(sizes[1] or 0)))


def _steps_per_epoch(optimizer: Any, epoch: int) -> int:
    """Optimiser steps in an epoch, from the optimiser's own count; 1 where it does not say."""
    state = optimizer.get("state") if isinstance(optimizer, dict) else None
    for entry in state.values() if isinstance(state, dict) else ():
        step = entry.get("step") if isinstance(entry, dict) else None
        if isinstance(step, Tensor) and step.numel() == 1:
            step = step.item()
        if isinstance(step, int | float) and step > 0 and step % (epoch + 1) == 0:
            return int(step) // (epoch + 1)
    return 1


def _read_history(path: Path) -> list[dict[str, float | int]]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path}: not a table of comma-separated values: {error}") from None
    if len(rows) < 2:
        raise RunError(f"{path}: expected a line for each epoch, came {'only a heading' if rows else 'nothing'}")
    heading = [name.strip().lower() for name in rows[0]]
    unknown = [name for name in heading if name not in ("", "epoch", *_COLUMNS)]
    if unknown or "epoch" not in heading or not {"loss", "train loss"} & set(heading):
        raise RunError(f"{path}: expected the columns epoch and loss or train loss, came {', '.join(heading):.120}")
    history: list[dict[str, float | int]] = []
    for number, values in enumerate(rows[1:], start=2):
        if len(values) != len(heading):
            raise RunError(f"{path}: line {number}: expected {len(heading)} values, came {len(values)}: cut short?")
        row: dict[str, float | int] = {}
        for name, text in zip(heading, values, strict=True):
            if not name:
                continue
            try:
                value = float(text)
            except ValueError:
                raise RunError(f"{path}: line {number}: {name}: expected a number, came {text!r:.40}") from None
            if not math.isfinite(value):
                raise RunError(f"{path}: line {number}: {name} is {text}: the training broke down there")
            row["epoch" if name == "epoch" else _COLUMNS[name]] = int(value) if name == "epoch" else value
        if row["epoch"] != len(history):
            raise RunError(f"{path}: line {number}: expected epoch {len(history)}, came {row['epoch']}")
        history.append(row)
    return history


def _check_epoch(file: Path, what: str, epoch: int, history: list[dict[str, float | int]]) -> None:
    if epoch > len(history):
        raise RunError(
            f"{file}: {what}, but {HISTORY} ends at epoch {len(history) - 1}: files of two trainings, or cut short"
        )


def _with_diagrams(folder: AuthorsFolder) -> AuthorsFolder:
    file = folder.path / ORBITS
    interval = folder.settings.get("interval_orbit", -1)
    if not file.exists():
        if isinstance(interval, int) and 1 <= interval <= len(folder.history):
            raise RunError(f"{file}: missing; {SETTINGS} says that orbits were stored every {interval} epochs")
        return folder
    content, devices = load_torch(file)
    frequency, trajectory = content.get("frequency"), content.get("trajectory")
    if type(frequency) is not int or frequency < 1:
        raise RunError(f"{file}: frequency: expected a positive whole number, came {frequency!r:.60}")
    if frequency != interval:
        raise RunError(f"{file}: frequency {frequency}, but interval_orbit is {interval!r} in {SETTINGS}")
    if (
        not isinstance(trajectory, Tensor)
        or not trajectory.is_floating_point()
        or trajectory.layout != torch.strided
        or trajectory.device.type != "cpu"
    ):
        raise RunError(f"{file}: trajectory: expected a dense tensor of floating-point numbers")
    head = folder.description.head
    assert head is not None
    loops = 2 if folder.settings.get("orbit_use_feedback") else 1
    inputs = folder.constant_inputs
    expected = (
        folder.setting("seq_len_orbit", 1) - folder.setting("burnout_orbit"),
        folder.setting("n_sequences_orbit", 1),
        len(inputs) if inputs is not None else 2,
        len(WORD_OUTPUTS) * loops if folder.experiment == "words" else head.output_size,
    )
    if trajectory.dim() != 5 or tuple(trajectory.shape[:4]) != expected or not trajectory.shape[4]:
        raise RunError(
            f"{file}: trajectory: expected (time, start, input, output, epoch) = {(*expected, '≥ 1')}, "
            f"came {tuple(trajectory.shape)}"
        )
    _ = folder.start_deviation
    diagrams = Diagrams(frequency, trajectory.detach())
    _check_epoch(file, f"orbits of epoch {diagrams.epochs[-1]}", diagrams.epochs[-1], folder.history)
    return AuthorsFolder(
        **{
            **vars(folder),
            "diagrams": diagrams,
            "devices": tuple(sorted({*folder.devices, *devices})),
        }
    )
