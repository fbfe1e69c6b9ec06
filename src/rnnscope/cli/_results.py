"""What the command line tells of a probe's results: a table to read, and the same as plain data."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    import xarray

    from rnnscope.runs import Run


def phases_data(run: "Run", name: str, dataset: "xarray.Dataset") -> list[dict[str, Any]]:
    """The phases of a training by what a probe found, as plain data."""
    from rnnscope.findings.sentences import telling

    return [asdict(phase) for phase in telling(name).phases(dataset, run.scalars)]


def found_table(run: "Run", name: str, dataset: "xarray.Dataset") -> Table | None:
    """What a probe found as a table, under which it says what was not looked at; None where it is told otherwise."""
    from rnnscope.findings.sentences import telling
    from rnnscope.findings.words import coverage_words

    tell = telling(name).table
    if tell is None:
        return None
    told = tell(dataset, run.scalars)
    table = plain_table(*told.columns)
    for row in told.rows:
        table.add_row(*row)
    table.caption = "; ".join(filter(None, [coverage_words(dataset), told.note])) or None
    table.caption_justify = "left"
    return table


def plain_table(*columns: str, **settings: Any) -> Table:
    """A table without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold", **settings)
    for name in columns:
        table.add_column(name)
    return table
