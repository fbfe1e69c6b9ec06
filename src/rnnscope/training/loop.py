"""The fit loop: Adam on the cost of a task, with clipping and a schedule, recorded as it goes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rnnscope.base.errors import RunError, TrainingDivergedError
from rnnscope.base.randomness import seeded
from rnnscope.base.threads import torch_threads
from rnnscope.runs.folder import is_run, read_toml, refuse_existing, without_none
from rnnscope.runs.run import Run
from rnnscope.training.config import Config, TrainingSettings
from rnnscope.training.recorder import Recorder


@dataclass(frozen=True)
class Epoch:
    """What is known of an epoch when it has ended; ``loss`` is the mean over it, as the weights changed."""

    epoch: int
    n_epochs: int
    loss: float
    gradient_norm: float
    learning_rate: float


OnEpoch = Callable[[Epoch], None]


def fit(
    config: Config,
    path: str | Path,
    *,
    on_epoch: OnEpoch | None = None,
    provenance: dict[str, Any] | None = None,
) -> Run:
    """Train a network from the beginning and record it.

    >>> import tempfile
    >>> config = Config.assemble("sine", changes=["n_epochs=2", "hidden_size=4", "task.length=10"])
    >>> fit(config, tempfile.mkdtemp() + "/run").epochs.tolist()
    [0, 1, 2]

    Args:
        config: all settings.
        path: a new folder. A finished run of the same settings there is returned as it is.
        on_epoch: called after each epoch.
        provenance: entries to add to provenance.json.

    Raises:
        TrainingDivergedError: the loss is not finite; the run up to then is kept, and says so.
        RunError: there is something else at ``path``; it is left as it is.

    """
    path = Path(path)
    finished = reusable(path, config)
    if finished is not None:
        return finished
    settings = config.training_settings()
    device = choose_device(config.device)
    with torch_threads(settings.n_threads), seeded(config.seed, "training", device):
        model = config.build_model().to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
        recorder = Recorder(
            path,
            model,
            optimizer=optimizer,
            every=config.recording.get("every"),
            config=config.tables(),
            provenance={**(provenance or {}), "seed": config.seed, "threads": torch.get_num_threads()},
        )
        try:
            _train(model, optimizer, config, recorder, on_epoch)
        except TrainingDivergedError as error:
            recorder.close("diverged", reason=str(error))
            raise
        except BaseException as error:
            _close_quietly(recorder, f"{type(error).__name__}: {error}")
            raise
        recorder.close("finished", recorder_seconds=recorder.seconds)
    return Run(path)


def reusable(path: Path, config: Config) -> Run | None:
    """The finished run of the same settings at ``path``; None if nothing is there; RunError if something else is."""
    if not is_run(path):
        refuse_existing(path)
        return None
    run = Run(path)
    if read_toml(path / "config.toml") != without_none(config.tables()):
        raise RunError(
            f"{path} is a run with other settings and is left as it is. Choose another folder with --run, or remove it"
        )
    if run.status != "finished":
        last = int(run.epochs[-1]) if len(run.steps) else 0
        raise RunError(
            f"{path} is a run of these settings that is {run.status} at epoch {last}, and is left as it is. "
            "Choose another folder with --run, or remove it"
        )
    return run


def choose_device(name: str) -> torch.device:
    """The torch device called ``name``; ValueError if it is not there."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} is not to be had: {reason} Expected 'cpu', or 'cuda' with a GPU") from None
    return device


def _train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: Config,
    recorder: Recorder,
    on_epoch: OnEpoch | None,
) -> None:
    settings, task = config.training_settings(), config.build_task()
    device = next(model.parameters()).device
    batches = [(inputs.to(device), targets.to(device)) for inputs, targets in task.batches()]
    n_values = sum(targets.numel() for _, targets in batches)
    scheduler = make_schedule(optimizer, settings)
    model.train()
    for epoch in range(1, settings.n_epochs + 1):
        total = torch.zeros((), device=device, dtype=torch.float64)
        largest = torch.zeros((), device=device)
        for inputs, targets in batches:
            optimizer.zero_grad(set_to_none=True)
            cost = task.cost(model(inputs), targets)
            cost.backward()
            limit = settings.max_gradient_norm
            norm = nn.utils.clip_grad_norm_(model.parameters(), math.inf if limit is None else limit)
            optimizer.step()
            total += cost.detach()
            largest = torch.maximum(largest, norm)
        rate = optimizer.param_groups[0]["lr"]
        scheduler.step()
        ended = Epoch(epoch, settings.n_epochs, task.reported(float(total), n_values), float(largest), rate)
        recorder.epoch(epoch, loss=ended.loss, gradient_norm=ended.gradient_norm, learning_rate=rate)
        if not math.isfinite(ended.loss):
            raise TrainingDivergedError(
                f"the loss is {ended.loss} at epoch {epoch}; the largest gradient norm in it was "
                f"{ended.gradient_norm:.3g}. "
                f"The run is kept in {recorder.path}. Try a smaller learning_rate or max_gradient_norm"
            )
        if on_epoch is not None:
            on_epoch(ended)


def make_schedule(optimizer: torch.optim.Optimizer, settings: TrainingSettings) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate over epochs, as a scheduler to be stepped after each."""
    if settings.schedule == "steps":
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, list(settings.milestones), gamma=settings.decay)
    if settings.schedule == "one-cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=settings.learning_rate,
            total_steps=settings.n_epochs + 1,
            pct_start=0.1,
            cycle_momentum=False,
        )
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _close_quietly(recorder: Recorder, reason: str) -> None:
    """Close after an error without hiding it: the disk may be what failed."""
    try:
        recorder.close("interrupted", reason=reason)
    except OSError:
        return
