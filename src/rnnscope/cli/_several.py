"""Training several networks: over seeds, or of several kinds."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import RunError
from rnnscope.cli._terminal import command_line, err, named_warnings, out, parse_seeds, print_json, progress_bar
from rnnscope.cli._training import announce, course_of, default_path, facts_of

if TYPE_CHECKING:
    from rnnscope.training import Config
    from rnnscope.training.several import Outcome, Standing


def plan(
    assemble: "Callable[[str | None, int | None], Config]",
    model: str | None,
    seed: int | None,
    seeds: str | None,
    folder: Path | None,
) -> "dict[Path, Config]":
    """The settings of each run folder: runs/TASK-MODEL-SEED, or FOLDER/MODEL/seed-SEED without what is the same."""
    if seed is not None and seeds is not None:
        raise ValueError(f"--seed {seed} --seeds {seeds}: expected one of them")
    models = [None] if model is None else [name.strip() for name in model.split(",") if name.strip()]
    if not models or len({*models}) < len(models):
        raise ValueError(f"--model: expected different names, such as lstm,orthogonal, came {model!r}")
    trainings = {}
    for name in models:
        for number in [seed] if seeds is None else parse_seeds(seeds):
            settings = assemble(name, number)
            parts = [settings.model["name"]] * (len(models) > 1) + [f"seed-{number}"] * (seeds is not None)
            trainings[folder.joinpath(*parts) if folder else default_path(settings)] = settings
    return trainings


def train_several(trainings: "dict[Path, Config]", workers: int, *, overwrite: bool, json: bool) -> None:
    """Train them with one progress bar over all epochs, and say what came of each; RunError if any did not finish."""
    from rnnscope.runs import Run
    from rnnscope.runs.folder import is_run
    from rnnscope.training import fit_several

    def say(outcome: "Outcome") -> None:
        for note in outcome.notes:
            err.print(f"warning: {outcome.path}: {note}", style="yellow")
        how = {"reused": ", used again", "resumed": ", resumed"}.get(outcome.begun, "")
        course = course_of(Run(outcome.path)) if outcome.status == "finished" else outcome.reason
        err.print(f"{outcome.path}: {outcome.status}{how}; {course}")

    with named_warnings(), progress_bar(f"training {len(trainings)} networks", "epochs") as report:

        def follow(standing: "Standing") -> None:
            report(standing.epochs, standing.n_epochs, f"{standing.ended} of {len(trainings)} ended")

        for line in _announcements(trainings):
            err.print(line)
        for path in trainings:
            if is_run(path) and (run := Run(path)).status == "interrupted":
                err.print(f"{path}: interrupted at epoch {run.scalars.index.max()}; goes on from there")
        outcomes = fit_several(
            trainings,
            n_workers=workers,
            on_end=say,
            on_progress=follow,
            overwrite=overwrite,
            provenance={"command": command_line()},
        )
    if json:
        print_json([_facts(outcome) for outcome in outcomes])
    _tell(outcomes, json=json)


def _announcements(trainings: "dict[Path, Config]") -> list[str]:
    by_model: dict[str, list[Config]] = {}
    for settings in trainings.values():
        by_model.setdefault(settings.model["name"], []).append(settings)
    lines = []
    for same in by_model.values():
        seeds = [str(settings.seed) for settings in same]
        each = f"each of the seeds {', '.join(seeds)}" if len(seeds) > 1 else ""
        lines.append(announce(same[0], each))
    return lines


def _facts(outcome: "Outcome") -> dict[str, Any]:
    from rnnscope.runs import Run
    from rnnscope.runs.folder import is_run

    recorded = facts_of(Run(outcome.path)) if is_run(outcome.path) else {}
    told = {key: value for key, value in asdict(outcome).items() if key != "path"}
    return {"run": str(outcome.path), **recorded, **told}


def _tell(outcomes: "list[Outcome]", *, json: bool) -> None:
    """What to do next; RunError if any did not finish."""
    finished = [outcome for outcome in outcomes if outcome.status == "finished"]
    if finished and not json:
        paths = " ".join(str(outcome.path) for outcome in finished)
        out.print(f"{len(finished)} of {len(outcomes)} finished")
        out.print(f"next: rnnscope probe orbits {paths}")
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    diverged = [outcome for outcome in outcomes if outcome.status == "diverged"]
    problems = [f"{len(diverged)} diverged ({_where(diverged)})"] * bool(diverged)
    problems += [f"{len(failed)} failed ({_where(failed)}): the same command goes on with them"] * bool(failed)
    if problems:
        raise RunError(f"of {len(outcomes)} trainings {'; '.join(problems)}. What was recorded is kept")


def _where(outcomes: "list[Outcome]") -> str:
    return ", ".join(str(outcome.path) for outcome in outcomes)
