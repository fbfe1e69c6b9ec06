"""The kinds of motion of a summary as both backends draw them."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._data import choose_inputs, column, flags
from rnnscope.figures._style import KINDS

if TYPE_CHECKING:
    import xarray


def kind_codes(summary: "xarray.Dataset") -> tuple[np.ndarray, list[int]]:
    """Positions in ``KINDS`` (step, input), inputs in ascending order, and that order."""
    order = choose_inputs(summary, None, everything=True)
    kinds = summary["input_kind"]
    values = kinds.transpose("step", "input").values[:, order]
    codes = np.full(values.shape, KINDS.index("undetermined"))
    for meaning, value in flags(kinds).items():
        codes[values == value] = KINDS.index(meaning)
    return codes, order


def row_labels(summary: "xarray.Dataset", order: list[int]) -> list[str]:
    """What stands beside each row of the strip: the value of the input, or its index where it is a vector."""
    values = column(summary, "input_value")[order]
    return [f"{value:.3g}" for value in values]


def present_kinds(summary: "xarray.Dataset") -> list[str]:
    """The kinds that occur, in the order of ``KINDS``."""
    return [KINDS[code] for code in np.unique(kind_codes(summary)[0])]
