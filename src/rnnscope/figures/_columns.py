"""Equal columns over the epochs looked at, which need not be equally spaced: as wide as what they stand for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnscope.figures.sheet import Grid

MAX_COLUMNS = 800  # no more than a figure has pixels: a column that gets none is not seen


@dataclass(frozen=True, eq=False)
class Columns:
    """Equal columns over the epochs, as many as the closest two epochs ask for, up to ``MAX_COLUMNS``.

    ``home[epoch]`` is the column in which each epoch looked at lies, ``source[column]`` the position of the epoch
    nearest to each column, -1 where that is further than half the usual spacing of the epochs thereabouts: a gap.
    ``left`` and ``right`` bound the stretch that stands for each epoch, at least a column wide.
    """

    epochs: np.ndarray
    first: float
    width: float
    home: np.ndarray
    source: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def extent(self) -> tuple[float, float]:
        return self.first - self.width / 2, self.first + (len(self.source) - 0.5) * self.width

    def grid(self, y: float, dy: float) -> Grid:
        """The cells of these columns and of rows from ``y`` upwards."""
        return Grid(self.first, self.width, y, dy)

    @property
    def have_gaps(self) -> bool:
        return bool((self.source < 0).any())


def make_columns(epochs: "np.ndarray | Sequence[int]") -> Columns:
    """Columns for the epochs looked at, which need not be equally spaced."""
    epochs = np.asarray(epochs, dtype=float)
    distinct, position = np.unique(epochs, return_inverse=True)
    gaps = np.diff(distinct)
    closest = gaps.min() if gaps.size else 1.0
    span = distinct[-1] - distinct[0]
    n_columns = min(round(span / closest) + 1, MAX_COLUMNS)
    width = span / (n_columns - 1) if n_columns > 1 else 1.0
    home = np.round((epochs - distinct[0]) / width).astype(int).clip(0, n_columns - 1)
    before, after = (reach[position] for reach in _reaches(gaps, closest))

    centres = distinct[0] + width * np.arange(n_columns)
    nearest = np.searchsorted((epochs[1:] + epochs[:-1]) / 2, centres)
    away = centres - epochs[nearest]
    rounding = 1e-6 * width
    looked_at = (away >= -before[nearest] - rounding) & (away <= after[nearest] + rounding)
    looked_at[home] = True
    left, right = epochs - np.maximum(before, width / 2), epochs + np.maximum(after, width / 2)
    return Columns(epochs, float(distinct[0]), float(width), home, np.where(looked_at, nearest, -1), left, right)


def _reaches(gaps: np.ndarray, outside: float) -> tuple[np.ndarray, np.ndarray]:
    """How far before and after itself each epoch stands for what was not looked at: half the way to the next one.

    But half the usual spacing on its side where the gap is more than twice what is usual. That is the median of the
    five nearest gaps (the lower of two), so that the epochs may come closer here and further apart there.
    """
    usual = np.array([np.quantile(gaps[max(at - 2, 0) : at + 3], 0.5, method="lower") for at in range(len(gaps))])
    wide = gaps > 2 * usual
    before = np.where(wide, np.append(usual[1:], usual[-1:]), gaps)
    after = np.where(wide, np.append(usual[:1], usual[:-1]), gaps)
    return np.append(outside, before) / 2, np.append(after, outside) / 2
