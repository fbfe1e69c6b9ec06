"""The kinds of motion of a summary of orbits, and the kinds of limit sets: which there are where, and their words."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.attractors.limit_sets.kinds import KINDS as LIMIT_KINDS
from rnnscope.findings.reading import flags

if TYPE_CHECKING:
    import xarray

KINDS = ("rests", "oscillates", "diverges", "undetermined")
_PRECEDENCE = np.array([("undetermined", "diverges", "rests", "oscillates").index(kind) for kind in KINDS])


def kind_codes(summary: "xarray.Dataset") -> np.ndarray:
    """Positions in ``KINDS`` (step, input), as they stand in the summary."""
    kinds = summary["input_kind"]
    values = kinds.transpose("step", "input").values
    codes = np.full(values.shape, KINDS.index("undetermined"))
    for meaning, value in flags(kinds).items():
        codes[values == value] = KINDS.index(meaning)
    return codes


def rank_kinds(counts: np.ndarray) -> np.ndarray:
    """Positions along the last axis (kind), commonest first; of two as common, oscillates before rests before diverges.

    >>> rank_kinds(np.array([10, 10, 0, 3])).tolist()
    [1, 0, 3, 2]
    """
    return np.argsort(-(counts * len(KINDS) + _PRECEDENCE), axis=-1, kind="stable")


def present_kinds(summary: "xarray.Dataset") -> list[str]:
    """The kinds that occur, in the order of ``KINDS``."""
    return [KINDS[code] for code in np.unique(kind_codes(summary))]


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
