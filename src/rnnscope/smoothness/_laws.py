"""How values grow with a length: bounded, as a power, or exponentially; with intervals from a bootstrap over starts."""

from typing import NamedTuple

import numpy as np

from rnnscope.base.flags import Flags

LAW = Flags(("bounded", "polynomial", "exponential", "undetermined"))
LAWS = LAW.words
BOUNDED, POLYNOMIAL, EXPONENTIAL, UNDETERMINED = LAW.codes
LEAST_POWER = 0.25  # less than that over the lengths there are is a transient, not a law
LEAST_FACTOR = 1.0  # in log: an exponential that has not even grown by e is none
_AGREE = 0.9  # of the resamples, for a law to be named


class Law(NamedTuple):
    """law: what at least 90 % of the resamples have, else undetermined; share: of those that have the commonest one.

    power, rate: of the medians over starts, value ∝ N^power and value·N^offset ∝ e^(rate N); each with the 2.5 and the
    97.5 % quantile of the bootstrap (2,).
    """

    law: int
    share: float
    power: float
    power_interval: np.ndarray
    rate: float
    rate_interval: np.ndarray


def fit_law(
    lengths: np.ndarray, values: np.ndarray, *, offset: int, n_bootstrap: int, generator: np.random.Generator
) -> Law:
    """The law of the median over starts of values (length, start).

    Lengths from the geometric mean of the shortest and the longest on count (at least four of them), since the first
    steps are a transient. A power is fitted to log V, an exponential to log V + offset log N: a mean over N steps of
    something that grows exponentially has its last steps divided by N. The law with the smaller squared residuals is
    taken; both are "bounded" if the growth is too little to be one. Only finite positive values count.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(np.isfinite(values) & (values > 0), np.log(values), np.nan)
    known = np.isfinite(logs).mean(1) >= 0.5
    usable = np.flatnonzero(known)
    if len(usable) < 4:
        nothing = np.full(2, np.nan)
        return Law(UNDETERMINED, 0.0, np.nan, nothing, np.nan, nothing)
    n = lengths[usable].astype(float)
    late = usable[n >= np.sqrt(n[0] * n[-1])]
    chosen = late if len(late) >= 4 else usable[-4:]
    n, logs = lengths[chosen].astype(float), logs[chosen]
    whole = _fitted(n, _medians(logs)[None], offset)
    resampled = generator.integers(logs.shape[1], size=(n_bootstrap, logs.shape[1]))
    laws, powers, rates = _fitted(n, _medians(logs[:, resampled]).T, offset)
    counts = np.bincount(laws, minlength=4)
    commonest = int(counts.argmax())
    share = float(counts[commonest] / n_bootstrap)
    return Law(
        commonest if share >= _AGREE else UNDETERMINED,
        share,
        float(whole[1][0]),
        np.nanquantile(powers, [0.025, 0.975]),
        float(whole[2][0]),
        np.nanquantile(rates, [0.025, 0.975]),
    )


def slopes(lengths: np.ndarray, values: np.ndarray, *, offset: int) -> np.ndarray:
    """Exponential rate of each start's own values (length, start), (start,): NaN where some are not finite."""
    n = lengths.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values) + offset * np.log(n)[:, None]
    centred = n - n.mean()
    return centred @ logs / (centred @ centred)


def median_interval(
    values: np.ndarray, *, n_bootstrap: int, generator: np.random.Generator
) -> tuple[float, np.ndarray]:
    """Median of what is finite, and the 2.5 and 97.5 % quantile of its bootstrap."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.nan, np.full(2, np.nan)
    drawn = known[generator.integers(len(known), size=(n_bootstrap, len(known)))]
    return float(np.median(known)), np.quantile(np.median(drawn, axis=1), [0.025, 0.975])


def _medians(logs: np.ndarray) -> np.ndarray:
    """(..., start) -> (...), of what is known."""
    return np.nanmedian(np.where(np.isfinite(logs).any(-1, keepdims=True), logs, 0.0), axis=-1)


def _fitted(n: np.ndarray, logs: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Law, power and rate of rows of logarithms (row, length)."""
    power, left_power = _line(np.log(n), logs)
    rate, left_rate = _line(n, logs + offset * np.log(n))
    exponential = (left_rate < left_power) & (rate * np.ptp(n) >= LEAST_FACTOR)
    polynomial = ~exponential & (power >= LEAST_POWER)
    return np.select([exponential, polynomial], [EXPONENTIAL, POLYNOMIAL], BOUNDED), power, rate


def _line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and sum of squared residuals of each row of y (row, x)."""
    centred = x - x.mean()
    deviation = y - y.mean(1, keepdims=True)
    slope = deviation @ centred / (centred @ centred)
    return slope, np.square(deviation - slope[:, None] * centred).sum(1)
