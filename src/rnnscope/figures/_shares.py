"""Limit sets over epochs and inputs as cells, each stacked from those that are there by the share of the starts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._columns import Columns
from rnnscope.figures.sheet import Cells
from rnnscope.findings.kinds import LIMIT_KINDS, limit_codes, limit_words, shares

if TYPE_CHECKING:
    import xarray

EMPTY = len(LIMIT_KINDS)
LEVELS = 24  # parts of the height of a row, of which the last three stay empty
_USABLE = LEVELS - 3


def share_cells(attractors: "xarray.Dataset", order: Sequence[int], columns: Columns, hover: str) -> Cells:
    """Cells over the columns and the inputs in this order, a row each, from its bottom upwards.

    There is nothing between two attractors and where nobody looked; a row is a single cell high where no cell holds
    more than one attractor.
    """
    codes = limit_codes(attractors)
    cells = _by_column(_by_kind_and_rank(codes, shares(attractors, codes))[:, order], columns)
    n_levels = LEVELS if ((cells > 0).sum((-1, -2)) > 1).any() else 1
    known: dict[bytes, tuple[list[int], str]] = {}
    levels = np.full((len(order), n_levels, len(cells)), EMPTY, np.uint8)
    words = np.full((len(order), len(cells)), "", dtype=object)
    for at, cell in np.ndindex(words.shape):
        key = cells[cell, at].tobytes()
        if key not in known:
            known[key] = _stack(cells[cell, at], n_levels), _words(cells[cell, at])
        levels[at, :, cell], words[at, cell] = known[key]
    return Cells(
        levels.reshape(-1, len(cells)), columns.grid(-0.5 + 0.5 / n_levels, 1 / n_levels), LIMIT_KINDS, words=words,
        words_grid=columns.grid(0, 1), hover=hover,
    )  # fmt: skip


def _by_kind_and_rank(codes: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Fractions (step, input, attractor) -> (step, input, kind, rank): the first, second, … attractor of each kind."""
    of_kind = codes[..., None, :] == np.arange(len(LIMIT_KINDS))[:, None]
    rank = np.where(of_kind, np.cumsum(of_kind, axis=-1) - 1, 0)
    ranked = np.zeros((*of_kind.shape[:-1], max(int(rank.max(initial=0)) + 1, 1)))
    where = np.nonzero(of_kind)
    ranked[(*where[:3], rank[where])] = fractions[where[0], where[1], where[3]]
    return ranked


def _by_column(ranked: np.ndarray, columns: Columns) -> np.ndarray:
    """(step, input, kind, rank) -> (column, …): the mean over the epochs of each column, which adds up to 1."""
    cells = np.zeros((len(columns.source), *ranked.shape[1:]))
    np.add.at(cells, columns.home, ranked)
    members = np.bincount(columns.home, minlength=len(cells))
    borrowed = np.flatnonzero((columns.source >= 0) & (members == 0))
    cells[borrowed] = ranked[columns.source[borrowed]]
    total = cells.sum((-1, -2), keepdims=True)
    return np.divide(cells, total, out=np.zeros_like(cells), where=total > 0)


def _stack(cell: np.ndarray, n_levels: int) -> list[int]:
    """The levels of a cell with shares (kind, rank); attractors of one kind are one where there are too many."""
    parts = [(kind, share) for kind, row in enumerate(cell) for share in row if share > 0]
    if not parts or n_levels == 1:
        return [parts[0][0] if parts else EMPTY] * n_levels
    if 2 * len(parts) - 1 > _USABLE:
        merged = [(kind, float(row.sum())) for kind, row in enumerate(cell) if row.sum() > 0]
        return _fill(merged, gaps=False)
    return _fill(parts, gaps=True)


def _fill(parts: Sequence[tuple[int, float]], *, gaps: bool) -> list[int]:
    heights = apportion([share for _, share in parts], _USABLE - (len(parts) - 1) * gaps)
    filled: list[int] = []
    for (kind, _), height in zip(parts, heights, strict=True):
        filled += [EMPTY] * (gaps and bool(filled)) + [kind] * height
    return filled + [EMPTY] * (LEVELS - _USABLE)


def apportion(parts: Sequence[float], n: int) -> list[int]:
    """Whole numbers in proportion to ``parts``, at least 1 each, that add up to n.

    >>> apportion([0.5, 0.5], 21), apportion([0.01, 0.99], 10)
    ([11, 10], [1, 9])
    """
    wanted = np.asarray(parts, dtype=float) * n / np.sum(parts)
    given = np.maximum(np.floor(wanted), 1).astype(int)
    while given.sum() < n:
        given[np.argmax(wanted - given)] += 1
    while given.sum() > n:
        given[np.argmax(np.where(given > 1, given - wanted, -np.inf))] -= 1
    return given.tolist()


def _words(cell: np.ndarray) -> str:
    parts = [(kind, share) for kind, row in enumerate(cell) for share in row if share > 0]
    if not parts:
        return "not looked at"
    if len(parts) == 1:
        return limit_words(parts[0][0])
    return ", ".join(f"{limit_words(kind)} {100 * share:.0f} %" for kind, share in parts)
