"""rnnscope runs [DIR]."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out, print_json


def runs(
    folder: Annotated[Path, Parameter(name="DIR", help="Folder with runs.", show_default=True)] = Path("runs"),
    /,
    *,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List the runs in a folder."""
    from rnnscope.runs import list_runs

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


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return " ".join(value) if isinstance(value, list) else str(value)
