"""The kinds of limit sets as figures draw them: which there are where, their colours, their words."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.attractors._kinds import KINDS as LIMIT_KINDS
from rnnscope.figures import _style
from rnnscope.figures._data import flags

if TYPE_CHECKING:
    import xarray

# What stands still, what goes round and what escapes have the colours of rests, oscillates and diverges. Any two are
# told apart under the common colour blindnesses; no eight colours are in grey.
LIMIT_COLOURS = (
    _style.RESTS, "#6b5f2e", _style.OSCILLATES, "#7db4ee", "#cc4a93", "#6fce6a", _style.DIVERGES, _style.UNDETERMINED,
)  # fmt: skip
_RESTS, _OSCILLATES, _DIVERGES, _UNDETERMINED = _style.SCREEN_COLOURS
LIMIT_SCREEN_COLOURS = (
    _RESTS, "#94873a", _OSCILLATES, "#6cbcf5", "#d67bbf", "#8fdc94", _DIVERGES, _UNDETERMINED,
)  # fmt: skip
ABSENT = -1


def limit_codes(attractors: "xarray.Dataset") -> np.ndarray:
    """Positions in ``LIMIT_KINDS`` (step, input, attractor), ``ABSENT`` where there is no attractor."""
    kinds = attractors["kind"]
    values = kinds.transpose("step", "input", "attractor").values
    codes = np.where(values < 0, ABSENT, LIMIT_KINDS.index("undetermined"))
    for meaning, value in flags(kinds).items():
        if meaning in LIMIT_KINDS:
            codes[values == value] = LIMIT_KINDS.index(meaning)
    return codes


def shares(attractors: "xarray.Dataset", codes: np.ndarray) -> np.ndarray:
    """The fraction of the starts (step, input, attractor) that come to each attractor, 0 where there is none."""
    found = attractors["fraction"].transpose("step", "input", "attractor").values
    return np.where((codes != ABSENT) & np.isfinite(found), np.maximum(found, 0.0), 0.0)


def limit_words(code: int) -> str:
    """A kind in words.

    >>> limit_words(2)
    'closed curve'
    """
    return LIMIT_KINDS[code].replace("_", " ")


def present_limits(codes: np.ndarray) -> list[int]:
    """The kinds that occur, in the order of ``LIMIT_KINDS``."""
    return [int(code) for code in np.unique(codes) if code != ABSENT]
