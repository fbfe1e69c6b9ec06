"""A table of what was found, as plain words: for pages and terminals."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows under ``columns``; what is the same as in the row above is empty.

    ``note`` is what is to be said under it; ``kinds``, where there are any, the kind of limit set or motion that each
    row tells of, which stands in the column ``kind_column``.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    kinds: tuple[str, ...] = ()
    kind_column: int = 0
