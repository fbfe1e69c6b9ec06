"""How sure a number is that a few trainings gave: intervals that hold for any distribution."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rnnscope.base.errors import require


@dataclass(frozen=True)
class Interval:
    """An estimate, the interval around it, and in what share of repetitions such an interval holds the true value.

    NaN, with a coverage of 0, where there is nothing to estimate from; ``n`` is what it is estimated from.
    """

    value: float
    low: float
    high: float
    coverage: float
    n: int


def median_interval(values: Iterable[float], confidence: float = 0.95) -> Interval:
    """The median of independent values, between two of them that hold the median of their distribution.

    Of n sorted values the k-th smallest and the k-th largest have it between them with probability
    1 - 2 Σ_{i<k} C(n, i) / 2^n, or more where values repeat, whatever the distribution. k is the largest for which that
    is at least ``confidence``; below six values there is none at 0.95, and the interval is their whole range.

    >>> median_interval([3.0, 1.0, 2.0, 5.0, 4.0])
    Interval(value=3.0, low=1.0, high=5.0, coverage=0.9375, n=5)

    Args:
        values: finite numbers.
        confidence: between 0 and 1.

    Raises:
        ValueError: a value that is not finite, or a confidence out of range.

    Source: W. R. Thompson, Annals of Mathematical Statistics 7 (1936), 122-128.

    """
    _check(confidence)
    ordered = np.sort(np.array(list(values), dtype=float))
    require(np.isfinite(ordered).all(), "values", "finite numbers", ordered.tolist())
    n = len(ordered)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0.0, 0)
    k, outside = 1, 1.0
    while 2 * (k + 1) <= n + 1 and 2 * (outside + math.comb(n, k)) <= (1 - confidence) * 2.0**n:
        outside += math.comb(n, k)
        k += 1
    coverage = 1 - 2 * outside / 2.0**n
    return Interval(float(np.median(ordered)), float(ordered[k - 1]), float(ordered[n - k]), coverage, n)


def share_interval(count: int, n: int, confidence: float = 0.95) -> Interval:
    """The share of ``count`` in ``n`` independent trials, with the exact interval of Clopper and Pearson.

    From the α/2 quantile of Beta(count, n - count + 1) to the 1 - α/2 quantile of Beta(count + 1, n - count), with
    α = 1 - ``confidence``: it holds the true probability at least that often.

    >>> interval = share_interval(10, 10)
    >>> round(interval.low, 4), interval.high  # 0.025 ** (1 / 10)
    (0.6915, 1.0)

    Raises:
        ValueError: not 0 <= count <= n, or a confidence out of range.

    Source: C. J. Clopper & E. S. Pearson, Biometrika 26 (1934), 404-413.

    """
    from scipy.stats import beta

    _check(confidence)
    require(0 <= count <= n, "count", f"a whole number from 0 to {n}", count)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0.0, 0)
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, count, n - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, n - count)) if count < n else 1.0
    return Interval(count / n, low, high, confidence, n)


def _check(confidence: float) -> None:
    require(0 < confidence < 1, "confidence", "a number between 0 and 1", confidence)
