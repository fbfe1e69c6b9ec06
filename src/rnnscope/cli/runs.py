"""rnnscope runs [DIR]."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.table import Table

from rnnscope.base.errors import RunError
from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out, print_json, progress_bar

if TYPE_CHECKING:
    from rnnscope.runs import Run


def runs(
    folder: Annotated[Path, Parameter(name="DIR", help="Folder with runs.", show_default=True)] = Path("runs"),
    /,
    *,
    check: Annotated[
        bool, Parameter(help="Verify every file of the runs and name what is damaged.", negative="", show_default=False)
    ] = False,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List the runs in a folder."""
    from rnnscope.runs import list_runs

    if check:
        _check(list_runs(folder), folder, json=json)
        return
    rows = []
    with named_warnings():
        for run in list_runs(folder):
            tables = (run.config.get(key) for key in ("task", "model"))
            task, model = (table if isinstance(table, dict) else {} for table in tables)
            seed = run.config.get("seed")
            losses = run.scalars.get("loss")
            rows.append(
                {
                    "run": str(run.path),
                    "status": run.status,
                    "task": task.get("name", ""),
                    "model": model.get("name", ""),
                    "seed": seed,
                    "epochs": len(run.scalars),
                    "snapshots": len(run.steps),
                    "loss": float(losses.iloc[-1]) if losses is not None and len(losses) else None,
                    "probes": sorted({path.name.rsplit("-", 1)[0] for path in (run.path / "probes").glob("*-*")}),
                }
            )
    if json:
        print_json(rows)
        return
    if not rows:
        out.print(f"no runs in {folder}")
        return
    table = Table(box=None, pad_edge=False)
    for column in rows[0]:
        table.add_column(column, justify="right" if column in ("seed", "epochs", "snapshots", "loss") else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    out.print(table)


def _check(found: "list[Run]", folder: Path, *, json: bool) -> None:
    """Print what is damaged in runs; RunError at the end if anything is."""
    from rnnscope.runs.checking import check_run

    with progress_bar("checking", "files") as progress:
        checked = [check_run(run.path, progress) for run in found]
    n_files = sum(one.n_files for one in checked)
    damaged = [line for one in checked for line in one.damaged]
    if json:
        print_json([asdict(one) for one in checked])
    else:
        for line in damaged:
            out.print(f"damaged: {line}")
        for line in (line for one in checked for line in one.notes):
            out.print(f"note: {line}")
    if damaged:
        raise RunError(f"{len(damaged)} of {n_files} files under {folder} are damaged")
    if not json:
        runs = f"{len(checked)} run{'s' if len(checked) != 1 else ''}"
        out.print(
            f"{n_files} files of {runs} verified: all as they were written" if checked else f"no runs in {folder}"
        )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return " ".join(value) if isinstance(value, list) else str(value)
