"""The samples of kept orbits: the value axis on which they have room, and how densely they lie."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._columns import Columns
from rnnscope.findings.reading import flags

if TYPE_CHECKING:
    import xarray

N_BINS = 96  # few enough that some hundred samples of an orbit fill a band without speckle
_MANY = 100


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one output: ``values`` (step, input, start, time), ``status`` (step, input, start)."""

    values: np.ndarray
    status: np.ndarray
    settled: int
    diverged: int
    epochs: np.ndarray

    @classmethod
    def of(cls, data: "xarray.Dataset", output: int) -> "Samples":
        """Those of a result of ``Orbits`` that has a ``step`` dimension."""
        values = data["orbit"].isel(output=output).transpose("step", "input", "start", "time").values
        status = data["status"].transpose("step", "input", "start").values
        meaning = flags(data["status"])
        return cls(values, status, meaning["settled"], meaning["diverged"], data["epoch"].values)

    def count_moving(self, positions: list[int]) -> int:
        """How many samples would be drawn as points."""
        return int((self.status[:, positions] != self.settled).sum()) * self.values.shape[-1]

    def value_range(self, positions: list[int]) -> tuple[float, float]:
        """A value axis that a few huge orbits cannot flatten.

        The whole range of the orbits that did not diverge; but an end that lies further out than 2.5 times
        the range of all but the outer 3 % of the orbits (100 times, where there are few orbits) is drawn in
        to it.
        """
        low, high = [], []
        for position in positions:
            kept = np.where(np.isfinite(self.values[:, position]), self.values[:, position], np.nan)
            usable = self.status[:, position] != self.diverged
            low.append(np.fmin.reduce(kept, axis=-1)[usable])
            high.append(np.fmax.reduce(kept, axis=-1)[usable])
        lows, highs = (np.concatenate(ends).astype(float) for ends in (low, high))
        lows, highs = lows[np.isfinite(lows)], highs[np.isfinite(highs)]
        if not lows.size:
            return -1.0, 1.0
        bottom, top = lows.min(), highs.max()
        inner_bottom, inner_top = (
            np.percentile(lows, 3, method="higher"),
            np.percentile(highs, 97, method="lower"),
        )
        reach = (2.5 if lows.size >= _MANY else 100) * (inner_top - inner_bottom)
        if reach > 0:
            bottom = bottom if bottom >= inner_bottom - reach else inner_bottom
            top = top if top <= inner_top + reach else inner_top
        margin = 0.05 * (top - bottom) or 0.05 * max(abs(top), 1.0)
        return float(bottom - margin), float(top + margin)

    def beyond(self, position: int, limits: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The epochs at which an orbit goes below the limits, above them, and at which one diverged."""
        values, usable = self.values[:, position], self.status[:, position] != self.diverged
        with np.errstate(invalid="ignore"):
            below = ((np.fmin.reduce(values, axis=-1) < limits[0]) & usable).any(axis=-1)
            above = ((np.fmax.reduce(values, axis=-1) > limits[1]) & usable).any(axis=-1)
        return self.epochs[below], self.epochs[above], self.epochs[(~usable).any(axis=-1)]

    def rests(self, position: int, limits: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Position along ``step`` and value of each distinct rest within the limits."""
        rows, starts = np.nonzero(self.status[:, position] == self.settled)
        final = self.values[rows, position, starts, -1].astype(float)
        keep = (final >= limits[0]) & (final <= limits[1])
        rows, final = rows[keep], final[keep]
        rounded = np.round(final / ((limits[1] - limits[0]) / 1000))
        _, first = np.unique(np.stack([rows, rounded]), axis=1, return_index=True)
        first.sort()
        return rows[first], final[first]

    def motion(self, position: int, limits: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position along ``step``, of all that move, and which of their ``values`` (orbit, time) are within limits."""
        moving = self.status[:, position] != self.settled
        values = self.values[:, position][moving]
        with np.errstate(invalid="ignore"):
            return np.nonzero(moving)[0], values, (values >= limits[0]) & (values <= limits[1])

    def density(self, position: int, limits: tuple[float, float], columns: Columns, n_bins: int = N_BINS) -> np.ndarray:
        """How many samples in motion (value bin, column): the mean over the epochs of the column."""
        rows, moving, shown = self.motion(position, limits)
        low, high = limits
        n_epochs, n_columns = len(columns.epochs), len(columns.source)
        bins = ((np.where(shown, moving, low) - low) * (n_bins / (high - low))).astype(np.int64)
        np.clip(bins, 0, n_bins - 1, out=bins)
        cells = (bins + rows[:, None] * n_bins)[shown]
        counts = np.bincount(cells, minlength=n_epochs * n_bins).reshape(n_epochs, n_bins).astype(np.float32)
        total = np.zeros((n_columns, n_bins), np.float32)
        np.add.at(total, columns.home, counts)
        members = np.bincount(columns.home, minlength=n_columns)
        borrowed = np.where(columns.source[:, None] >= 0, counts[columns.source], 0)
        return np.where(members[:, None] > 0, total / np.maximum(members, 1)[:, None], borrowed).T


def common_range(results: "list[xarray.Dataset]") -> tuple[float, float]:
    """One value axis for several runs: all their values, unless a few epochs of one would flatten all the others.

    Then it is a third wider than what their outputs span at the median epoch of the second half of training.
    """
    spans = []
    for orbits in results:
        values = orbits["orbit"].transpose("step", ...).values.reshape(orbits.sizes["step"], -1)
        values = np.where(np.isfinite(values), values, np.nan)
        values = values[np.isfinite(values).any(1)]
        if len(values):
            spans.append(np.stack([np.nanmin(values, 1), np.nanmax(values, 1)], 1))
    if not spans:
        return -1.0, 1.0
    low, high = min(float(span[:, 0].min()) for span in spans), max(float(span[:, 1].max()) for span in spans)
    late = np.array([np.median(span[len(span) // 2 :], axis=0) for span in spans])
    usual_low, usual_high = float(late[:, 0].min()), float(late[:, 1].max())
    margin = (usual_high - usual_low) / 6
    if margin > 0 and high - low > 2.5 * (usual_high - usual_low):
        low, high = usual_low - margin, usual_high + margin
    space = 0.05 * (high - low) or 1.0
    return low - space, high + space
