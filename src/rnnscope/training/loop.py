"""The fit loop: Adam on the cost of a task, with clipping and a schedule, recorded as it goes."""

import math
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rnnscope.base.errors import FolderTakenError, RunError, TrainingDivergedError, require
from rnnscope.base.randomness import seeded
from rnnscope.base.threads import torch_threads
from rnnscope.models import SequenceNetwork
from rnnscope.runs.folder import is_run, refuse_existing, without_none
from rnnscope.runs.run import Run
from rnnscope.tasks import Batches, Task
from rnnscope.training.checkpoint import NAME, Progress, load_checkpoint, save_checkpoint
from rnnscope.training.config import Config, TrainingSettings, flat
from rnnscope.training.recorder import Recorder


@dataclass(frozen=True)
class Epoch:
    """What is known of an epoch when it has ended.

    ``loss`` and the ``metrics`` of the task are means over it, as the weights changed; those called validation_… are of
    the weights at its end.
    """

    epoch: int
    n_epochs: int
    loss: float
    gradient_norm: float
    learning_rate: float
    metrics: Mapping[str, float] = field(default_factory=dict)


OnEpoch = Callable[[Epoch], None]
_CHECKPOINT_SHARE = 0.01  # of the time


def fit(
    config: Config,
    path: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    on_epoch: OnEpoch | None = None,
    provenance: dict[str, Any] | None = None,
) -> Run:
    """Train a network from the beginning, or from where it was interrupted, and record it.

    Resumed with the same torch, machine and number of threads, it gives the same weights, bit for bit, as a training
    that was never interrupted.

    >>> import tempfile
    >>> config = Config.assemble("sine", changes=["n_epochs=2", "hidden_size=4", "task.length=10"])
    >>> fit(config, tempfile.mkdtemp() + "/run").epochs.tolist()
    [0, 1, 2]

    Args:
        config: all settings.
        path: a new folder. A finished run of the same settings there is returned as it is.
        resume: go on with an unfinished run of the same settings at ``path``.
        overwrite: train in the place of a run at ``path`` that is not finished or has other settings: it is removed.
        on_epoch: called after each epoch.
        provenance: entries to add to provenance.json.

    Raises:
        TrainingDivergedError: the loss is not finite; the run up to then is kept, and says so.
        RunError: there is something else at ``path``, which is left as it is; or nothing to resume from.

    """
    path = Path(path)
    finished = reusable(path, config, resume=resume, overwrite=overwrite)
    if finished is not None:
        return finished
    settings = config.training_settings()
    device = choose_device(config.device)
    with torch_threads(settings.n_threads), seeded(config.seed, "training", device):
        model = config.build_model().to(device)
        optimizer = make_optimizer(model, settings.learning_rate)
        done = _resume_from(path, model, optimizer) if resume else Progress(0, 0, 0)
        recorder = Recorder(
            path,
            model,
            optimizer=optimizer,
            every=config.recording.get("every"),
            resume=resume,
            overwrite=overwrite,
            config=config.tables(),
            provenance={**(provenance or {}), "seed": config.seed, "threads": torch.get_num_threads()},
        )
        if resume:
            recorder.rewind(done.step, done.calls)
        try:
            _train(model, optimizer, config, recorder, done.epoch, on_epoch)
        except TrainingDivergedError as error:
            recorder.close("diverged", reason=str(error))
            raise
        except BaseException as error:
            _close_quietly(recorder, f"{type(error).__name__}: {error}".removesuffix(": "))
            raise
        recorder.close("finished", recorder_seconds=recorder.seconds)
    return Run(path)


def reusable(path: Path, config: Config, *, resume: bool = False, overwrite: bool = False) -> Run | None:
    """The finished run of the same settings at ``path``; None if there is nothing, or a run to resume or overwrite.

    Raises:
        RunError: something else is there, or an unfinished run that is neither to be resumed nor overwritten.

    """
    require(not (resume and overwrite), "resume, overwrite", "one of them", "both")
    run = matching_run(path, config, resume=resume, overwrite=overwrite)
    if run is None:
        if resume:
            raise RunError(f"{path}: no run there to resume")
        return None
    if run.status == "finished":
        return run
    if overwrite:
        return None
    if run.status == "diverged":
        raise FolderTakenError(path, f"is a training that diverged ({run.ended.get('reason')})", False, True)
    if not resume:
        last = max(run.scalars.index.tolist(), default=0)
        is_there = f"is a run of these settings that is {run.status} at epoch {last}, and is left as it is"
        raise FolderTakenError(path, is_there, True, True)
    return None


def matching_run(path: Path, config: Config, *, resume: bool = False, overwrite: bool = False) -> Run | None:
    """The run of these settings at ``path``, finished or not; None if nothing is there, or a run to overwrite.

    Raises:
        RunError: something else is there.

    """
    if not is_run(path):
        refuse_existing(path, can_go_on=True)
        return None
    run = Run(path)
    theirs, ours = flat(run.config), flat(without_none(config.tables()))
    differing = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
    if differing and overwrite:
        return None
    if differing:
        told = ", ".join(f"{key} {theirs.get(key)} there, {ours.get(key)} here" for key in differing[:3])
        raise FolderTakenError(path, f"is a run with other settings ({told}) and is left as it is", False, not resume)
    return run


def choose_device(name: str) -> torch.device:
    """The torch device called ``name``, cpu, cuda or cuda:1 say; ValueError if it is not there."""
    require(re.fullmatch(r"cpu|cuda(:[0-9]+)?", name), "device", "cpu or cuda", name)
    device = torch.device(name)
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        there = f"{n_gpus} only, numbered from 0" if n_gpus else "none"
        raise ValueError(f"device: expected a GPU that PyTorch can use, for {name!r}; there is {there}. Use cpu")
    try:
        torch.empty(1, device=device)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device: expected one that is free, {name!r} is not: {reason}") from None
    return device


def make_optimizer(model: SequenceNetwork, learning_rate: float) -> torch.optim.Optimizer:
    """Adam over the model's parameters; those with a learning-rate factor of their own in a group each."""
    factors = model.learning_rate_factors()
    common = [p for name, p in model.named_parameters() if name not in factors]
    groups = [{"params": common, "factor": 1.0}]
    groups += [{"params": [model.get_parameter(name)], "factor": factor} for name, factor in factors.items()]
    return torch.optim.Adam(groups, lr=learning_rate)


def _resume_from(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put model and optimiser back; a run that ended before its first checkpoint begins again."""
    if not (path / NAME).exists() and len(Run(path).scalars) <= 1:
        return Progress(0, 0, 0)
    done, differences = load_checkpoint(path, model, optimizer)
    if differences:
        warnings.warn(
            f"resumed where something is different ({'; '.join(differences)}): the weights will not equal, "
            "bit for bit, those of an uninterrupted training",
            stacklevel=3,
        )
    return done


def _train(
    model: SequenceNetwork,
    optimizer: torch.optim.Optimizer,
    config: Config,
    recorder: Recorder,
    epochs_done: int,
    on_epoch: OnEpoch | None,
) -> None:
    settings, task = config.training_settings(), config.build_task()
    device = next(model.parameters()).device
    of_all_epochs, to_validate = (_moved(batches, device) for batches in (task.batches(), task.validation_batches()))
    limit = math.inf if settings.max_gradient_norm is None else settings.max_gradient_norm
    last_finite = torch.zeros((), device=device)
    next_checkpoint = 0.0
    model.train()
    for epoch in range(epochs_done + 1, settings.n_epochs + 1):
        rate = learning_rate(settings, epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        fresh = task.fresh_batches(epoch)
        tally = _Tally(task, device)
        largest = torch.zeros((), device=device)
        for inputs, targets in of_all_epochs if fresh is None else _moved(fresh, device):
            optimizer.zero_grad(set_to_none=True)
            outputs = model(inputs)
            cost = task.cost(outputs, targets)
            cost.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), limit)
            optimizer.step()
            model.after_step()
            tally.add(cost.detach(), outputs.detach(), targets)
            largest = torch.maximum(largest, norm)
            last_finite = torch.where(torch.isfinite(norm), norm, last_finite)
        metrics = {**tally.metrics(), **_validated(model, task, to_validate)}
        ended = Epoch(epoch, settings.n_epochs, tally.loss(), float(largest), rate, metrics)
        recorder.epoch(epoch, loss=ended.loss, gradient_norm=ended.gradient_norm, learning_rate=rate, **metrics)
        if not math.isfinite(ended.loss):
            raise TrainingDivergedError(
                f"the loss is {ended.loss} at epoch {epoch}; the last finite gradient norm was "
                f"{float(last_finite):.3g}. The run is kept in {recorder.path}. "
                "Try a smaller learning_rate or max_gradient_norm"
            )
        began = time.perf_counter()
        if began >= next_checkpoint:
            save_checkpoint(recorder.path, model, optimizer, Progress(epoch, *recorder.counted))
            ended_at = time.perf_counter()
            next_checkpoint = ended_at + (ended_at - began) / _CHECKPOINT_SHARE
        if on_epoch is not None:
            on_epoch(ended)


class _Tally:
    """Loss and metrics of a task over several batches, summed where they are."""

    def __init__(self, task: Task, device: torch.device):
        self.task, self.n_values, self.n_sequences = task, 0, 0
        self.cost = torch.zeros((), device=device, dtype=torch.float64)
        self.sums: dict[str, Tensor] = {}

    def add(self, cost: Tensor, outputs: Tensor, targets: Tensor) -> None:
        self.cost += cost
        self.n_values += targets.numel()
        self.n_sequences += len(targets)
        for name, mean in self.task.metrics(outputs, targets).items():
            self.sums[name] = self.sums.get(name, 0) + mean * len(targets)

    def loss(self) -> float:
        return self.task.reported(float(self.cost), self.n_values)

    def metrics(self) -> dict[str, float]:
        return {name: float(total) / self.n_sequences for name, total in self.sums.items()}


def _validated(model: SequenceNetwork, task: Task, batches: Batches) -> dict[str, float]:
    """Loss and metrics on data that are not trained on, with nothing random in the network."""
    if not batches:
        return {}
    tally = _Tally(task, batches[0][0].device)
    model.eval()
    with torch.no_grad():
        for inputs, targets in batches:
            outputs = model(inputs)
            tally.add(task.cost(outputs, targets), outputs, targets)
    model.train()
    return {f"validation_{name}": value for name, value in {"loss": tally.loss(), **tally.metrics()}.items()}


def _moved(batches: Batches, device: torch.device) -> Batches:
    return [(inputs.to(device), targets.to(device)) for inputs, targets in batches]


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """The learning rate of epoch 1, 2, …

    "one-cycle" (Smith & Topin 2019) goes by half a cosine from a 25th of the peak to the peak over the first tenth of
    the epochs, then by another down to a 250,000th of it.

    >>> settings = TrainingSettings(n_epochs=10, learning_rate=1.0, schedule="steps", milestones=(2, 4))
    >>> [round(learning_rate(settings, epoch), 6) for epoch in range(1, 7)]
    [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    """
    peak = settings.learning_rate
    if settings.schedule == "steps":
        return peak * settings.decay ** sum(epoch > milestone for milestone in settings.milestones)
    if settings.schedule == "one-cycle":
        rise = max(0.1 * settings.n_epochs, 1.0)
        if epoch <= rise:
            return _half_cosine(peak / 25, peak, epoch / rise)
        return _half_cosine(peak, peak / 250_000, (epoch - rise) / max(settings.n_epochs - rise, 1.0))
    return peak


def _half_cosine(first: float, last: float, part: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2


def _close_quietly(recorder: Recorder, reason: str) -> None:
    """Close after an error without hiding it: the disk may be what failed."""
    try:
        recorder.close("interrupted", reason=reason)
    except OSError:
        return
