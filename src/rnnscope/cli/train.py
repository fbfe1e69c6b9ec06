"""rnnscope train TASK."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from rnnscope import tasks
from rnnscope.cli import _options as o
from rnnscope.cli._terminal import err, named_warnings, out, print_json, progress_bar

if TYPE_CHECKING:
    from rnnscope.runs import Run
    from rnnscope.training import Config


def train(
    task: Annotated[str, Parameter(help=f"Task: {', '.join(tasks.names())}.")],
    *,
    model: Annotated[
        str | None,
        Parameter(
            help="Network: lstm (default), stable-lstm, orthogonal, gru, rnn, stable-rnn, antisymmetric, chaos-free, "
            "cornn, lru, mingru; several with commas between."
        ),
    ] = None,
    preset: o.Preset = None,
    config: o.Config = None,
    set: o.Changes = None,
    seed: o.Seed = None,
    seeds: o.Seeds = None,
    workers: o.Trainers = 1,
    device: o.Device = None,
    run: o.NewRun = None,
    overwrite: o.Overwrite = False,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Train a network on a task and record it."""
    from rnnscope.training import Config

    def assemble(model: str | None, seed: int | None) -> Config:
        return Config.assemble(
            task, model=model, preset=preset, file=config, changes=set or (), seed=seed, device=device
        )

    if seeds is not None or (model is not None and "," in model):
        from rnnscope.cli._several import plan, train_several

        train_several(plan(assemble, model, seed, seeds, run), workers, overwrite=overwrite, json=json)
        return
    if workers != 1:
        raise ValueError(f"--workers: expected with --seeds or several models, came {workers} for a single training")
    settings = assemble(model, seed)
    path = run or default_path(settings)
    with named_warnings():
        recorded = train_with_progress(settings, path, overwrite=overwrite)
    tell(recorded, json=json)


def default_path(settings: "Config") -> Path:
    """Where a run is kept if nobody says."""
    return Path("runs") / f"{settings.task['name']}-{settings.model['name']}-{settings.seed}"


def tell(recorded: "Run", *, json: bool) -> None:
    """How a training went, and what to do next."""
    if json:
        print_json(facts_of(recorded))
        return
    out.print(f"{course_of(recorded)}, kept in {recorded.path}")
    out.print(f"next: rnnscope probe orbits {recorded.path}")


def facts_of(recorded: "Run") -> dict[str, Any]:
    """A training in a few numbers."""
    from rnnscope.report._series import last_metrics

    losses = recorded.scalars["loss"].tolist() if "loss" in recorded.scalars else []
    first, last = (losses[0], losses[-1]) if losses else (None, None)
    return {
        "run": str(recorded.path),
        "status": recorded.status,
        "epochs": len(losses),
        "first_loss": first,
        "last_loss": last,
        "metrics": last_metrics(recorded.scalars),
    }


def course_of(recorded: "Run") -> str:
    """How the loss went."""
    from rnnscope.report._series import metrics_words

    facts = facts_of(recorded)
    if not facts["epochs"]:
        return "no epoch recorded"
    course = f"loss {facts['first_loss']:.3g} → {facts['last_loss']:.3g} over {facts['epochs']} epochs"
    return ", ".join([course] + [metrics_words(facts["metrics"])] * bool(facts["metrics"]))


def train_with_progress(settings: "Config", path: Path, *, resume: bool = False, overwrite: bool = False) -> "Run":
    """Train with a progress bar; a finished run of the same settings is used again, and that is said."""
    from rnnscope.report._series import metrics_words
    from rnnscope.training.loop import Epoch, choose_device, fit, reusable

    choose_device(settings.device)
    finished = reusable(path, settings, resume=resume, overwrite=overwrite)
    if finished is not None:
        err.print(f"{path}: finished before with the same settings; used again")
        return finished
    if resume:
        err.print(f"{path}: resumed; {settings.training['n_epochs']} epochs in all")
    else:
        err.print(announce(settings))
    with progress_bar("training", "epochs") as report:

        def on_epoch(epoch: Epoch) -> None:
            last_metric = dict([*epoch.metrics.items()][-1:])
            report(epoch.epoch, epoch.n_epochs, metrics_words({"loss": epoch.loss, **last_metric}))

        return fit(
            settings,
            path,
            resume=resume,
            overwrite=overwrite,
            on_epoch=on_epoch,
            provenance={"command": command_line()},
        )


def announce(settings: "Config", seeds: str = "") -> str:
    """What is going to be trained, and the disk it needs; for several seeds, each of them."""
    model = settings.build_model()
    n_parameters = sum(p.numel() for p in model.parameters())
    n_epochs, every = settings.training["n_epochs"], settings.recording.get("every")
    n_snapshots = snapshot_count(n_epochs, every, n_parameters)
    size = n_snapshots * (4 * n_parameters + 1000)
    return (
        f"{settings.model['name']} with {n_parameters:,} parameters on task {settings.task['name']}, preset "
        f"{settings.preset}, {seeds or f'seed {settings.seed}'}: {n_epochs} epochs, "
        f"{n_snapshots} snapshots, about {_bytes(size)} of disk"
    )


def snapshot_count(n_epochs: int, every: int | None, n_parameters: int) -> int:
    """How many snapshots a Recorder will keep, the initial one included."""
    from rnnscope.runs.folder import snapshot_due
    from rnnscope.training.recorder import EVERY_EPOCH_BELOW

    every = every or (1 if n_parameters < EVERY_EPOCH_BELOW else None)
    kept = {call for call in range(1, n_epochs + 1) if snapshot_due(call, every)}
    return len(kept | {n_epochs}) + 1


def command_line() -> str:
    """The command that was given, to give it again."""
    return shlex.join(["rnnscope", *sys.argv[1:]])


def _bytes(size: float) -> Any:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
