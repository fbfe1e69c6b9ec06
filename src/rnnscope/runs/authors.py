"""Result folders of the paper's authors' companion code, as ordinary runs.

    model.pth                     state dict, model_kwargs, config (argparse.Namespace), epoch, experiment_name,
    optimizer history.csv                   a line for each epoch, counted from 0
    train.pyconfig.json           all settings
    orbit_per_epoch_diagram.pth   frequency, trajectory (time, start, input, output, diagram)

The k-th diagram belongs to epoch (k+1)·frequency - 1, k = 0, 1, …; sine and words save the best weights, symbols the
last. Files are opened with an allow-list (tensors, plain values, argparse.Namespace): no pickle is executed. Supported
are LSTM, GRU and RNN of several layers and the orthogonal network (exprnn), on sine, symbols and words.

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, companion code (github.com/antonior92).
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from rnnscope import tasks
from rnnscope.attractors.orbits import DIVERGED, MOVING, SETTLED, STATUS, Orbits
from rnnscope.base.errors import FolderTakenError, RunError
from rnnscope.base.files import file_digest
from rnnscope.runs import results
from rnnscope.runs._authors_files import (
    HISTORY,
    MODEL,
    ORBITS,
    SETTINGS,
    WORD_OUTPUTS,
    AuthorsFolder,
    Diagrams,
    read_folder,
)
from rnnscope.runs._authors_replay import Replay as Replay
from rnnscope.runs._authors_replay import draw, replay_folder
from rnnscope.runs.folder import RunFolder, refuse_existing

ORIGIN = "authors' code"
_MODELS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn", "exprnn": "orthogonal"}
_UNVERIFIED = "ids unverified: they follow the order of the articles in the training text, which is not at hand"


def import_authors(folder: str | Path, path: str | Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Make an ordinary run of a result folder of the authors' code, which is not changed.

    The run has one snapshot (the saved weights), the scalars of every epoch (counted from 0, as theirs), the stored
    orbits as results of the probe "orbits", and their settings in config.toml under [authors]. Steps count their
    optimiser's.

    Args:
        folder: with model.pth, history.csv, train.pyconfig.json and, if orbits were stored, their diagram.
        path: the run folder to make; it appears whole or not at all.
        provenance: further entries for provenance.json.

    Returns:
        The run folder.

    Raises:
        RunError: a missing, unknown, broken or unsafe file, an unsupported network, files that do not belong together,
            or ``path`` is taken; nothing is written then.

    """
    source, target = Path(folder), Path(path).resolve()
    refuse_existing(target, can_go_on=False)
    if target.is_relative_to(source.resolve()):
        raise FolderTakenError(Path(path), "lies in the folder that is imported, which is not to be changed")
    content = read_folder(source)
    tables = _config(content)
    model = {"form": "recurrent", "class": f"{content.rnn_type} of the authors' code", **content.description.to_dict()}
    present = [name for name in (MODEL, HISTORY, SETTINGS, ORBITS) if (source / name).exists()]
    origin = {
        "folder": str(source.resolve()),
        "weights_epoch": content.epoch,
        "devices": list(content.devices),
        "sha256": {name: file_digest(source / name) for name in present},
        "left_aside": list(content.left_aside),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        run = RunFolder.create(part, tables, model, {**(provenance or {}), "authors": origin})
        run.write_snapshot(_step(content, content.epoch), content.weights, content.epoch)
        _write_scalars(run, content)
        if content.diagrams is not None:
            _write_orbits(part, content, content.diagrams)
        run.end("recorded", reason="imported from the authors' code")
        part.replace(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Path(path)


def replay(folder: str | Path) -> Replay:
    """Simulate the saved weights from the authors' random starts, drawn again, and compare with the stored orbits.

    The order in which their code takes random numbers (all from torch's CPU generator): ``manual_seed(seed)``; the
    network's construction, layer by layer, then its readout; for words the constant words and the projections; then
    the starts, std times normal, of shape (layer, start × input, unit), inputs varying fastest, for an LSTM first h,
    then c. The orbits of the weights' epoch then agree to rounding. Where the files come from a GPU, or no orbits of
    that epoch are stored, it is compared where orbits come to rest instead.

    Args:
        folder: a result folder of the authors' code.

    Returns:
        What was compared, the largest difference, and why if not the orbits themselves.

    Raises:
        RunError: as ``import_authors``.

    """
    return replay_folder(read_folder(Path(folder)))


def _step(content: AuthorsFolder, epoch: int) -> int:
    return (epoch + 1) * content.steps_per_epoch


def _config(content: AuthorsFolder) -> dict[str, Any]:
    """Tables for config.toml: ours where their settings map onto ours, and all of theirs."""
    settings, core = content.settings, content.description.core
    stable = content.rnn_type == "LSTM" and settings.get("stabilize") is True
    tables: dict[str, Any] = {
        "seed": settings.get("seed"),
        "device": "cuda" if content.on_cuda else "cpu",
        "model": {
            "name": "stable-lstm" if stable else _MODELS[content.rnn_type],
            **({"projection": "columns"} if stable else {}),
            "hidden_size": core.hidden_size,
            "num_layers": core.num_layers,
        },
        "authors": {"experiment": content.experiment, **settings},
    }
    task = _sine_task(content)
    if task is not None:
        tables["task"] = task
    if content.diagrams is not None:
        orbits = _probe_settings(content)
        inputs = content.constant_inputs
        if inputs is not None:
            orbits["inputs"] = inputs
        tables["orbits"] = orbits
    return tables


def _sine_task(content: AuthorsFolder) -> dict[str, Any] | None:
    """Our task table, where it is the sine generator and its settings are among those that ours takes."""
    if content.experiment != "sine":
        return None
    names = {
        "n_frequencies": "n_sequences",
        "length": "seq_len",
        "batch_size": "batch_size",
        "lowest": "min_freq",
        "highest": "max_freq",
    }
    try:
        task = tasks.build("sine", **{own: content.settings[theirs] for own, theirs in names.items()})
    except (KeyError, TypeError, ValueError):
        return None
    return {"name": "sine", **asdict(task)}


def _probe_settings(content: AuthorsFolder) -> dict[str, Any]:
    n_transient = content.setting("burnout_orbit")
    return {
        "starts": f"normal({content.start_deviation:g})",
        "n_starts": content.setting("n_sequences_orbit", 1),
        "n_transient": n_transient,
        "n_keep": content.setting("seq_len_orbit", 1) - n_transient,
    }


def _write_scalars(run: RunFolder, content: AuthorsFolder) -> None:
    """A line for each epoch of the history, and for one that has weights or orbits but was cut from it."""
    rows = {int(row["epoch"]): row for row in content.history}
    for epoch in [content.epoch, *(content.diagrams.epochs if content.diagrams else ())]:
        rows.setdefault(epoch, {"epoch": epoch})
    for epoch in sorted(rows):
        run.write_scalars({"step": _step(content, epoch), **rows[epoch]})


def _write_orbits(path: Path, content: AuthorsFolder, diagrams: Diagrams) -> None:
    """The stored orbits as blocks of results; their own key, as the starts are the authors'."""
    inputs = content.constant_inputs
    probe = _AuthorsOrbits(**_probe_settings(content), inputs=inputs, seed=content.settings.get("seed") or 0)
    folder = results.results_folder(path, probe)
    for first in range(0, len(diagrams.epochs), results.BLOCK):
        chosen = slice(first, first + results.BLOCK)
        values = diagrams.trajectory[..., chosen].permute(4, 2, 1, 0, 3).contiguous().numpy()
        block = _dataset(content, values, diagrams.epochs[chosen], probe)
        results.write_block(folder, probe.label(block))


class _AuthorsOrbits(Orbits):
    """Settings of stored orbits; with the origin among them, so that no orbits of ours are ever mixed in."""

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "origin": ORIGIN}


def _dataset(content: AuthorsFolder, values: np.ndarray, epochs: list[int], probe: Orbits) -> xr.Dataset:
    """Orbits (step, input, start, time, output) in the form of ``Orbits.measure``, judged by the outputs alone."""
    status, diverged_at, drift = _judge(values, probe)
    dims = ("step", "input", "start")
    by_output = "judged from the output: the states were not stored"
    settled_at = np.where(status == SETTLED, probe.n_transient + 1, -1).astype(np.int32)
    times = np.arange(probe.n_transient + 1, probe.n_transient + values.shape[3] + 1)
    dataset = xr.Dataset(
        {
            "orbit": ((*dims, "time", "output"), values, {"long_name": "output", "units": "1"}),
            "status": (dims, status, {
                "long_name": "end of the orbit", "units": "1", "comment": by_output,
                **STATUS.attrs,
            }),
            "settled_at": (dims, settled_at, {
                "long_name": "first stored step, where it rests", "units": "step", "comment": by_output,
            }),
            "diverged_at": (dims, diverged_at, {
                "long_name": "first stored step that is not finite", "units": "step", "comment": by_output,
            }),
            "drift": (dims, drift, {
                "long_name": "largest relative change of an output in the last step", "units": "1/step",
                "comment": by_output,
            }),
        },
        {
            "step": np.array([_step(content, epoch) for epoch in epochs], dtype=np.int64),
            "epoch": ("step", np.array(epochs, dtype=np.int64), {"long_name": "epoch, from 0", "units": "1"}),
            "input": np.arange(values.shape[1]),
            "input_value": _input_values(content, values.shape[1]),
            "start": np.arange(values.shape[2]),
            "time": ("time", times, {"long_name": "step of the orbit", "units": "step"}),
            "output": _output_labels(content, values.shape[4]),
        },
        {"origin": ORIGIN, "starts_note": "each input has starts of its own"},
    )  # fmt: skip
    if content.experiment == "words":
        dataset.attrs["words"] = _UNVERIFIED
    return dataset


def _judge(values: np.ndarray, probe: Orbits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Status, first step that is not finite, and drift of orbits (step, input, start, time, output)."""
    finite = np.isfinite(values).all(-1)
    diverged = ~finite.all(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        speeds = (np.abs(np.diff(values, axis=3)) / (1 + np.abs(values[..., :-1, :]))).max(-1)
    enough = speeds.shape[-1] >= probe.n_quiet
    resting = (speeds < probe.tolerance).all(-1) if enough else np.zeros_like(diverged)
    status = np.select([diverged, resting], [DIVERGED, SETTLED], MOVING).astype(np.int8)
    first = (~finite).argmax(-1) + probe.n_transient + 1
    drift = speeds[..., -1] if speeds.shape[-1] else np.full(diverged.shape, np.nan, values.dtype)
    return status, np.where(diverged, first, -1).astype(np.int32), np.where(diverged, np.nan, drift)


def _input_values(content: AuthorsFolder, n_inputs: int) -> tuple[tuple[str, str], np.ndarray, dict[str, str]]:
    dims = ("input", "channel")
    inputs = content.constant_inputs
    if content.experiment == "sine":
        return dims, np.array(inputs), {"long_name": "input frequency ω", "units": "rad/step"}
    if inputs is not None:
        return dims, np.array(inputs), {"long_name": "constant symbol, one-hot", "units": "1"}
    ids = None
    if not content.on_cuda:
        try:
            ids = draw(content).word_ids
        except (RuntimeError, RunError):
            ids = None
    if ids is not None:
        return dims, ids.double().numpy()[:, None], {"long_name": "id of the constant word", "units": "1"}
    return dims, torch.arange(n_inputs).double().numpy()[:, None], {"long_name": "constant word, unknown", "units": "1"}


def _output_labels(content: AuthorsFolder, n_outputs: int) -> list[str]:
    if content.experiment != "words":
        return [f"y[{i}]" for i in range(n_outputs)]
    loops = ["open loop", "closed loop"][: n_outputs // len(WORD_OUTPUTS)]
    return [f"{loop}: {name}" for loop in loops for name in WORD_OUTPUTS]
