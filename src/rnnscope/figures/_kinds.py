"""The kinds of motion of a summary as figures draw them and pages tell of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._orbit_layers import Columns, make_columns
from rnnscope.findings.kinds import KINDS, kind_codes, rank_kinds
from rnnscope.findings.reading import are_scalar, choose_inputs, input_name

if TYPE_CHECKING:
    import xarray

NOT_LOOKED_AT = len(KINDS)
N_STRIPES = len(KINDS)  # parts of the height of a row: one for each further kind, and one at least for the commonest


@dataclass(frozen=True, eq=False)
class Strip:
    """Kinds over the columns of a diagram, inputs in ascending order.

    ``main`` (input, column) is the position in ``KINDS`` of the kind that is commonest among the epochs of the column
    that were looked at, or ``NOT_LOOKED_AT``. ``stripes`` (input × ``N_STRIPES``, column) has the other kinds that
    occur among them, commonest lowest, and ``NOT_LOOKED_AT`` for the rest of the height; None where no column holds
    more than one kind.
    """

    order: list[int]
    columns: Columns
    main: np.ndarray
    stripes: np.ndarray | None

    @classmethod
    def of(cls, summary: "xarray.Dataset") -> "Strip":
        order = choose_inputs(summary, None, everything=True)
        columns = make_columns(summary["epoch"].values)
        ranked = _ranked_kinds(kind_codes(summary)[:, order], columns)
        stripes = None
        if (ranked[..., 1] != NOT_LOOKED_AT).any():
            nothing = np.full_like(ranked[..., :1], NOT_LOOKED_AT)
            stripes = np.concatenate([ranked[..., 1:], nothing], axis=-1).reshape(len(ranked), -1).T
        return cls(order, columns, ranked[..., 0].T, stripes)

    def words(self) -> np.ndarray:
        """What a cell (input, column) says when it is pointed at."""
        words = np.array([*KINDS, "not looked at"], dtype=object)[self.main]
        if self.stripes is not None:
            others = self.stripes.reshape(*self.main.shape[:1], N_STRIPES, -1)
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


def row_labels(summary: "xarray.Dataset", order: list[int]) -> list[str]:
    """What stands beside each row of the strip: the name of the input, or its value, or its index."""
    if "input_label" in summary.coords or are_scalar(summary):
        return [input_name(summary, at, value=False) for at in order]
    return [str(at) for at in order]
