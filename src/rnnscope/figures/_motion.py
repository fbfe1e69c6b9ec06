"""Kinds of motion over epochs and inputs as cells: the commonest of a column, and stripes for whatever else occurs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._columns import Columns
from rnnscope.figures.sheet import Cells
from rnnscope.findings.kinds import KINDS, kind_codes, rank_kinds

if TYPE_CHECKING:
    import xarray

NOT_LOOKED_AT = len(KINDS)
N_STRIPES = len(KINDS)  # parts of the height of a row: one for each further kind, and one at least for the commonest


def motion_cells(summary: "xarray.Dataset", order: Sequence[int], columns: Columns, hover: str) -> list[Cells]:
    """Cells over the columns and the inputs in this order, a row each; then the stripes, where a column has any."""
    ranked = _ranked_kinds(kind_codes(summary)[:, order], columns)
    main = ranked[..., 0].T
    others = np.moveaxis(ranked[..., 1:], 0, -1)
    cells = Cells(main, columns.grid(0, 1), KINDS, words=_words(main, others), hover=hover)
    if (others == NOT_LOOKED_AT).all():
        return [cells]
    # commonest lowest, and nothing for the rest of the height
    levels = np.concatenate([others, np.full_like(others[:, :1], NOT_LOOKED_AT)], axis=1)
    stripes = Cells(levels.reshape(-1, len(ranked)), columns.grid(-0.5 + 0.5 / N_STRIPES, 1 / N_STRIPES), KINDS)
    return [cells, stripes]


def _words(main: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What a cell (input, column) says when it is pointed at."""
    words = np.array([*KINDS, "not looked at"], dtype=object)[main]
    for at, col in np.argwhere(others[:, 0] != NOT_LOOKED_AT):
        also = [KINDS[code] for code in others[at, :, col] if code != NOT_LOOKED_AT]
        words[at, col] = f"mostly {words[at, col]}, also {', '.join(also)}"
    return words


def _ranked_kinds(codes: np.ndarray, columns: Columns) -> np.ndarray:
    """(step, input) -> (column, input, rank): the kinds in each column, commonest first, then NOT_LOOKED_AT."""
    counts = np.zeros((len(columns.source), codes.shape[1], len(KINDS)), np.int64)
    inputs = np.arange(codes.shape[1])
    np.add.at(counts, (columns.home[:, None], inputs, codes), 1)
    borrowed = np.flatnonzero((columns.source >= 0) & (counts.sum((1, 2)) == 0))
    counts[borrowed[:, None], inputs, codes[columns.source[borrowed]]] = 1
    order = rank_kinds(counts)
    return np.where(np.take_along_axis(counts, order, -1) > 0, order, NOT_LOOKED_AT).astype(np.uint8)
