"""rnnscope import SOURCE... --run OUT."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import command_line, make_model, named_warnings, out, print_json

if TYPE_CHECKING:
    from rnnscope.runs import Run

_AUTHORS = ("history.csv", "train.pyconfig.json")  # files that only the authors' code writes


def import_(
    sources: Annotated[
        list[Path], o.option("Checkpoint files, a pattern, or a folder of them; or a folder of the authors' code.")
    ],
    *,
    run: o.NewRun = None,
    model: Annotated[
        str | None, o.option("package.module:make, a function that builds the network of the checkpoints.")
    ] = None,
    key: Annotated[str | None, o.option("Which network, where a file has several: encoder_state_dict.")] = None,
    number: Annotated[
        list[str] | None,
        o.option(
            "Where names do not say the epoch: a regular expression with it in brackets, or NAME=EPOCH (or "
            "NAME=EPOCH,STEP) for single files; repeatable.",
            metavar="PATTERN",
        ),
    ] = None,
    overwrite: Annotated[bool, o.option("Replace the run in that folder.")] = False,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Make a run of checkpoints that exist already, or of a result folder that the paper's authors' code wrote."""
    if len(sources) == 1 and any((sources[0] / name).is_file() for name in _AUTHORS):
        given = {"--model": model, "--key": key, "--number": number, "--overwrite": overwrite}
        if strange := [name for name, value in given.items() if value]:
            raise ValueError(f"{', '.join(strange)}: for checkpoints; {sources[0]} is a folder of the authors' code")
        _import_authors(sources[0], run, json=json)
        return
    _import_checkpoints(sources, run, model, key, number, overwrite=overwrite, json=json)


def _import_checkpoints(
    sources: Sequence[Path],
    target: Path | None,
    model: str | None,
    key: str | None,
    number: list[str] | None,
    *,
    overwrite: bool,
    json: bool,
) -> None:
    from rnnscope.runs import Run
    from rnnscope.runs.checkpoints import import_checkpoints
    from rnnscope.runs.folder import read_toml

    network = make_model(model)
    with named_warnings():
        path = import_checkpoints(
            sources,
            model=network,
            path=target,
            key=key,
            number=_numbers(number),
            overwrite=overwrite,
            provenance={"command": command_line()},
        )
        made = Run(path)
        known = list(made.scalars.columns.drop("step"))
        if json:
            print_json({"run": str(path), "steps": made.steps, "epochs": made.epochs, "scalars": known})
            return
        out.print(f"{path}: {_described(made)}")
    out.print(f"beside the weights: {', '.join(known) or 'no numbers'}")
    needs_code = read_toml(path / "model.toml").get("form") != "recurrent"
    given = f" --model {shlex.quote(model or 'package.module:make')}" if needs_code else ""
    out.print(f"next: rnnscope probe attractors {shlex.quote(str(path))}{given}")


def _numbers(given: list[str] | None) -> str | dict[str, tuple[int, int | None]] | None:
    """A pattern, or epochs (and steps) by file name."""
    if not given:
        return None
    named = [re.fullmatch(r"(.+)=(\d+)(?:,(\d+))?", text) for text in given]
    if len(given) == 1 and named[0] is None:
        return given[0]
    if None in named:
        raise ValueError(f"--number: expected one pattern, or NAME=EPOCH for each file, came {' '.join(given)}")
    return {each[1]: (int(each[2]), int(each[3]) if each[3] else None) for each in named if each}


def _described(run: "Run") -> str:
    steps, epochs = run.steps.tolist(), run.epochs.tolist()
    words = f"{len(steps)} snapshot{'s' if len(steps) != 1 else ''}, {_between('epoch', epochs)}"
    return words if steps == epochs else f"{words}, {_between('step', steps)}"


def _between(what: str, values: list[int]) -> str:
    return f"{what}s {values[0]} – {values[-1]}" if values[0] != values[-1] else f"{what} {values[0]}"


def _import_authors(folder: Path, run: Path | None, *, json: bool) -> None:
    from dataclasses import asdict

    from rnnscope.runs import Run
    from rnnscope.runs.authors import import_authors, replay

    with named_warnings():
        path = import_authors(
            folder, run or Path("runs") / folder.resolve().name, provenance={"command": command_line()}
        )
        recorded = Run(path)
        compared = replay(folder)
        n_diagrams = recorded.dataset("orbits").sizes["step"] if recorded.has("orbits") else 0
    epoch = recorded.provenance["authors"]["weights_epoch"]
    if json:
        facts = {"epochs": len(recorded.scalars), "weights_epoch": epoch, "orbit_epochs": n_diagrams}
        print_json({"run": str(path), **facts, "replay": {**asdict(compared), "agrees": compared.agrees}})
        return
    out.print(f"{path}: {len(recorded.scalars)} epochs, weights of epoch {epoch}, orbits of {n_diagrams} epochs")
    out.print(compared.words())
