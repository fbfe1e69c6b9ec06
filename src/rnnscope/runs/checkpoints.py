"""A run made of checkpoints that someone else's training wrote."""

import hashlib
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rnnscope.base.errors import FolderTakenError, RunError
from rnnscope.runs._checkpoint_files import Checkpoint, find_checkpoints, read_checkpoint, size_and_time
from rnnscope.runs._checkpoint_numbers import Named, Number, Place, Told, choose_by_name, place, read_told
from rnnscope.runs._checkpoint_weights import Wanted, weights_of
from rnnscope.runs._torch_files import StandIns
from rnnscope.runs.folder import RunFolder, is_run, refuse_existing, refuse_to_replace, replace_run
from rnnscope.runs.sealed import read_sealed
from rnnscope.systems import System, describe_model

Model = nn.Module | System | tuple[nn.Module, nn.Module]


def import_checkpoints(
    pattern: str | Path | Sequence[str | Path],
    *,
    model: Model | None = None,
    path: str | Path | None = None,
    key: str | None = None,
    number: Number | None = None,
    overwrite: bool = False,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Copy the weights of checkpoints into a new run folder; the files are not changed.

    A checkpoint is a file of ``torch.save`` or safetensors with a state dict, at the top or under any key, or a folder
    with such a file, as transformers, accelerate and Lightning write them. No pickle is executed: what is neither a
    tensor nor a plain value is not loaded.

    Its epoch is the number after "epoch", "ep" or "e" in its name, else its entry "epoch", else the only number of its
    name. Where all have a step (after "step" or "iter", of the entry "global_step", or "checkpoint-13"), the snapshots
    are of these steps; where there is none, or no epoch, the one stands for the other. Losses and other numbers beside
    the weights become scalars; the training loss is called ``loss``.

    Args:
        pattern: files by wildcard, such as "ckpt/*.pt"; a folder; or several of them.
        model: a network of the same structure, or (core, head), or a System; the weights are kept under its names,
            whatever one prefix the file puts before them. Without it, epochs can be probed only with ``Run(path,
            model=…)``.
        path: the run folder to make; "runs/<name of the checkpoints' folder>" by default. A run made before of the same
            files is used again.
        key: which network, where a file has several: the key of its state dict, with dots ("generator.model"), or the
            beginning of its names.
        number: the epoch of a checkpoint where its name does not say it clearly: a function of the file's name, a
            regular expression with the number in brackets, or a dict by name of those that their own names do not say.
            It is an epoch, (epoch, step), or None for a file to leave out. The name of a checkpoint deeper down is its
            path below the folder that holds all of them.
        overwrite: put the run in the place of another one at ``path``.
        provenance: further entries for provenance.json.

    Raises:
        RunError: no checkpoint, one that cannot be read or does not fit the model, an epoch that is not clear, two of
            one epoch, or the folder is taken; nothing is written then.

    """
    found, root = find_checkpoints(pattern)
    named, left_out = choose_by_name(found, number)
    chosen = [own.checkpoint for own in named]
    importer = _Importer(_wanted_by(model), key, {})
    sizes = [size_and_time(one) for one in chosen]
    looked_at = [importer.look_at(one) for one in chosen]
    places = _places(named, [told for told, _ in looked_at])
    rows = [
        [one.name, *size, at.step, at.epoch, digest]
        for one, size, at, (_, digest) in zip(chosen, sizes, places, looked_at, strict=True)
    ]
    if left_out:
        warnings.warn(
            f"left out, as nothing in their names tells an epoch of their own: {_few([one.name for one in left_out])}. "
            f"number={{{left_out[0].name!r}: epoch, …}} takes them in (--number {left_out[0].name}=EPOCH)",
            stacklevel=3,
        )
    target = Path(path) if path is not None else Path("runs") / (root.resolve().name or "checkpoints")
    if is_run(target) and read_sealed(target / "provenance.json").content.get("checkpoints") == rows:
        return target
    _refuse_taken(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    own = target.resolve()
    part = own.with_name(f".{own.name}.{os.getpid()}.part")
    description = describe_model(model) if model is not None else {"form": "unknown", "reason": "no model was given"}
    origin = {"checkpoints": rows, "checkpoints_from": str(root.resolve()), "not_loaded": sorted(importer.stand_ins)}
    try:
        folder = RunFolder.create(part, {}, description, {**(provenance or {}), **origin})
        for k in sorted(range(len(chosen)), key=lambda k: places[k].step):
            if size_and_time(chosen[k]) != sizes[k]:
                raise RunError(
                    f"{chosen[k].path}: was written again meanwhile; wait until the training is done with it"
                )
            folder.write_snapshot(places[k].step, importer.weights(chosen[k]), places[k].epoch)
            folder.write_scalars(_scalars(places[k], looked_at[k][0]))
        folder.end("recorded", reason="imported from checkpoints")
        if own.exists() and is_run(own):
            replace_run(part, own)
        else:
            part.replace(own)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


@dataclass(frozen=True, eq=False)
class _Importer:
    """Reads checkpoints one after the other, none of which is kept in memory."""

    wanted: Mapping[str, Wanted] | None
    key: str | None
    stand_ins: StandIns

    def look_at(self, checkpoint: Checkpoint) -> tuple[Told, str]:
        """What its content tells beside the weights, and a digest of the names of these."""
        content = read_checkpoint(checkpoint, self.stand_ins)
        weights = weights_of(content.tree, checkpoint, key=self.key, wanted=self.wanted)
        text = "\n".join([self.key or "", *sorted(weights)])
        return read_told(content, checkpoint), hashlib.sha256(text.encode()).hexdigest()[:16]

    def weights(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        content = read_checkpoint(checkpoint, self.stand_ins)
        return weights_of(content.tree, checkpoint, key=self.key, wanted=self.wanted)


def _wanted_by(model: Model | None) -> dict[str, Wanted] | None:
    """What the network takes; of (core, head) what each of them takes."""
    if model is None:
        return None
    if isinstance(model, tuple):
        parts = dict(zip(("core", "head"), model, strict=True))
        return {name: Wanted.of(part) for name, part in parts.items() if isinstance(part, nn.Module)}
    if not isinstance(model, nn.Module | System):
        raise TypeError(f"build: expected a function that makes an nn.Module, came one that makes {model!r:.80}")
    return {"": Wanted.of(model)}


def _places(named: Sequence[Named], told: Sequence[Told]) -> list[Place]:
    alone = len(named) == 1 and not named[0].numbers.any and told[0].epoch is None and told[0].step is None
    if not alone:
        return place(named, told)
    checkpoint = named[0].checkpoint
    warnings.warn(
        f"{checkpoint.path}: neither its name nor its content says an epoch; it stands as epoch 0. "
        f"number={{{checkpoint.name!r}: epoch}} says another (--number {checkpoint.name}=EPOCH)",
        stacklevel=4,
    )
    return [Place(0, 0, 0.0)]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _scalars(at: Place, told: Told) -> dict[str, float | int]:
    exact = {} if at.exact_epoch == at.epoch else {"exact_epoch": at.exact_epoch}
    return {**told.scalars, "step": at.step, "epoch": at.epoch, **exact}


def _refuse_taken(target: Path, *, overwrite: bool) -> None:
    if overwrite:
        refuse_to_replace(target)
    elif is_run(target):
        of = read_sealed(target / "provenance.json").content.get("checkpoints")
        what = "is a run of other checkpoints, or of these as they were before or read otherwise"
        raise FolderTakenError(target, what if of else "is a run already and is left as it is", replaceable=True)
    else:
        refuse_existing(target, can_go_on=False)
