"""rnnscope train TASK."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rnnscope import tasks
from rnnscope.cli import _options as o
from rnnscope.cli._several import plan, train_several
from rnnscope.cli._terminal import command_line, err, named_warnings, out, print_json, progress_bar
from rnnscope.cli._training import announce, course_of, default_path, facts_of

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
        train_several(plan(assemble, model, seed, seeds, run), workers, overwrite=overwrite, json=json)
        return
    if workers != 1:
        raise ValueError(f"--workers: expected with --seeds or several models, came {workers} for a single training")
    settings = assemble(model, seed)
    path = run or default_path(settings)
    with named_warnings():
        recorded = train_with_progress(settings, path, overwrite=overwrite)
    tell(recorded, json=json)


def tell(recorded: "Run", *, json: bool) -> None:
    """How a training went, and what to do next."""
    if json:
        print_json(facts_of(recorded))
        return
    out.print(f"{course_of(recorded)}, kept in {recorded.path}")
    out.print(f"next: rnnscope probe orbits {recorded.path}")


def train_with_progress(settings: "Config", path: Path, *, resume: bool = False, overwrite: bool = False) -> "Run":
    """Train with a progress bar; a finished run of the same settings is used again, and that is said."""
    from rnnscope.findings.words import metrics_words
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
