"""rnnscope import DIR --run OUT."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out, print_json


def import_(
    folder: Annotated[Path, Parameter(help="Result folder of the authors' code.")],
    *,
    run: o.NewRun = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Make a run of a result folder that the paper's authors' code wrote, and simulate its last orbits again."""
    from dataclasses import asdict

    from rnnscope.cli.train import command_line
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
