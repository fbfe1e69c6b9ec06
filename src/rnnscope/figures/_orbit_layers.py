"""Orbits taken apart into what a diagram draws: lines at rest, samples in motion, marks at the edge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.reading import flags, input_words

if TYPE_CHECKING:
    import xarray

    from rnnscope.figures._companions import Companions

MAX_COLUMNS = 800  # no more than a figure has pixels: a column that gets none is not seen
MANY = 100
N_BINS = 96  # few enough that some hundred samples of an orbit fill a band without speckle


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

    @property
    def have_gaps(self) -> bool:
        return bool((self.source < 0).any())


@dataclass(frozen=True, eq=False)
class Layers:
    """One input's orbits, ready to draw.

    ``rest_epochs, rest_values``: one entry per epoch and distinct settled value. Samples in motion are either
    points (``motion_epochs, motion_values``) or a ``density`` (value bin, column), the mean count per epoch.
    ``above`` and ``below`` are the epochs at which an orbit leaves the value axis, ``diverged`` those at
    which one diverged.
    """

    position: int
    words: str
    short_words: str
    rest_epochs: np.ndarray
    rest_values: np.ndarray
    motion_epochs: np.ndarray
    motion_values: np.ndarray
    density: np.ndarray | None
    above: np.ndarray
    below: np.ndarray
    diverged: np.ndarray


@dataclass(frozen=True, eq=False)
class Orbits:
    """The samples of one output: ``values`` (step, input, start, time), ``status`` (step, input, start)."""

    data: "xarray.Dataset"
    values: np.ndarray
    status: np.ndarray
    settled: int
    diverged: int
    epochs: np.ndarray

    @classmethod
    def of(cls, data: "xarray.Dataset", output: int) -> "Orbits":
        values = data["orbit"].isel(output=output).transpose("step", "input", "start", "time").values
        status = data["status"].transpose("step", "input", "start").values
        meaning = flags(data["status"])
        return cls(data, values, status, meaning["settled"], meaning["diverged"], data["epoch"].values)

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
        reach = (2.5 if lows.size >= MANY else 100) * (inner_top - inner_bottom)
        if reach > 0:
            bottom = bottom if bottom >= inner_bottom - reach else inner_bottom
            top = top if top <= inner_top + reach else inner_top
        margin = 0.05 * (top - bottom) or 0.05 * max(abs(top), 1.0)
        return float(bottom - margin), float(top + margin)

    def layers(self, position: int, limits: tuple[float, float], columns: Columns | None) -> Layers:
        """What to draw for one input: a density over ``columns``, or points where that is None."""
        values, status = self.values[:, position], self.status[:, position]
        low, high = limits
        inside = status == self.settled
        moving = values[~inside]
        epochs = self.epochs[np.nonzero(~inside)[0]]
        rest_epochs, rest_values = self._rests(values, inside, resolution=(high - low) / 1000)
        visible = (rest_values >= low) & (rest_values <= high)
        usable = status != self.diverged
        with np.errstate(invalid="ignore"):
            above = ((np.fmax.reduce(values, axis=-1) > high) & usable).any(axis=-1)
            below = ((np.fmin.reduce(values, axis=-1) < low) & usable).any(axis=-1)
            shown = (moving >= low) & (moving <= high)
        density, motion_epochs, motion_values = (
            None,
            np.empty(0, self.epochs.dtype),
            np.empty(0, values.dtype),
        )
        if columns is None:
            motion_epochs = np.broadcast_to(epochs[:, None], moving.shape)[shown]
            motion_values = moving[shown]
        else:
            density = _density(moving, np.nonzero(~inside)[0], shown, limits, columns)
        return Layers(
            position=position,
            words=input_words(self.data, position),
            short_words=input_words(self.data, position, short=True),
            rest_epochs=rest_epochs[visible],
            rest_values=rest_values[visible],
            motion_epochs=motion_epochs,
            motion_values=motion_values,
            density=density,
            above=self.epochs[above],
            below=self.epochs[below],
            diverged=self.epochs[(~usable).any(axis=-1)],
        )

    def _rests(self, values: np.ndarray, settled: np.ndarray, resolution: float) -> tuple[np.ndarray, np.ndarray]:
        rows, starts = np.nonzero(settled)
        final = values[rows, starts, -1].astype(float)
        keep = np.isfinite(final)
        rows, final = rows[keep], final[keep]
        _, first = np.unique(np.stack([rows, np.round(final / resolution)]), axis=1, return_index=True)
        first.sort()
        return self.epochs[rows[first]], final[first]


@dataclass(frozen=True, eq=False)
class Diagram:
    """An orbit diagram as both backends draw it; ``loss`` is epochs and losses."""

    panels: list[Layers]
    columns: Columns
    value_range: tuple[float, float]
    value_label: str
    loss: tuple[np.ndarray, np.ndarray] | None
    summary: "xarray.Dataset | None"
    companions: "Companions | None"
    n_samples: int
    epoch_label: str

    @property
    def epoch_limits(self) -> tuple[float, float]:
        first, last = self.columns.extent
        if self.companions is not None:
            ends = self.companions.stacks.columns.extent
            first, last = min(first, ends[0]), max(last, ends[1])
        if self.loss is not None and len(self.loss[0]):
            first, last = min(first, float(self.loss[0].min())), max(last, float(self.loss[0].max()))
        return first, last

    @property
    def any_clipped(self) -> bool:
        return any(layers.above.size or layers.below.size for layers in self.panels)


def legend_words(panels: list[Layers], kinds: dict[str, str]) -> dict[str, str]:
    """What a legend says of each kind, nothing where it does not occur.

    A strip of kinds shares the colours; ``kinds`` are those that occur in it, with the words for them.
    """
    drawn = {
        "rests": ("settled", any(layers.rest_epochs.size for layers in panels)),
        "oscillates": (
            "moving",
            any(layers.motion_epochs.size for layers in panels)
            or any(layers.density is not None and layers.density.any() for layers in panels),
        ),
        "diverges": ("diverged", any(layers.diverged.size for layers in panels)),
        "undetermined": ("", False),
    }
    return {
        kind: " / ".join(filter(None, [word if present else "", kinds.get(kind, "")]))
        for kind, (word, present) in drawn.items()
    }


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


def _density(
    moving: np.ndarray, rows: np.ndarray, shown: np.ndarray, limits: tuple[float, float], columns: Columns
) -> np.ndarray:
    low, high = limits
    n_epochs, n_columns = len(columns.epochs), len(columns.source)
    bins = ((np.where(shown, moving, low) - low) * (N_BINS / (high - low))).astype(np.int64)
    np.clip(bins, 0, N_BINS - 1, out=bins)
    cells = (bins + rows[:, None] * N_BINS)[shown]
    counts = np.bincount(cells, minlength=n_epochs * N_BINS).reshape(n_epochs, N_BINS).astype(np.float32)
    total = np.zeros((n_columns, N_BINS), np.float32)
    np.add.at(total, columns.home, counts)
    members = np.bincount(columns.home, minlength=n_columns)
    borrowed = np.where(columns.source[:, None] >= 0, counts[columns.source], 0)
    return np.where(members[:, None] > 0, total / np.maximum(members, 1)[:, None], borrowed).T
