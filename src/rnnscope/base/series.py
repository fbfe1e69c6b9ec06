"""Series over epochs: where a loss jumps, and whether two kinds of moments coincide more often than chance."""

import math
from dataclasses import dataclass

import numpy as np

from rnnscope.base.errors import require

SMALLEST_JUMP = 1.25


def loss_jumps(losses: np.ndarray) -> np.ndarray:
    """Positions at which a loss has risen since the one before by a factor of at least 1.25 that is also at least five
    times the median change of its logarithm.

    >>> loss_jumps(np.array([1.0, 0.9, 0.8, 1.6, 0.8, 0.7])).tolist()
    [3]

    Args:
        losses: positive finite numbers, (epoch,).

    """
    change = np.diff(np.log(losses))
    if not change.size:
        return np.empty(0, dtype=np.int64)
    least = max(math.log(SMALLEST_JUMP), 5 * float(np.median(np.abs(change))))
    return np.flatnonzero(change >= least) + 1


@dataclass(frozen=True)
class Coincidence:
    """How often moments of one kind fall on moments of another.

    Attributes:
        n: moments of the first kind.
        observed: those of them that fall on the second.
        expected: their mean over the shifts.
        p: share of the shifts, none included, with at least as many; NaN if there are no moments.

    """

    n: int
    observed: int
    expected: float
    p: float


def coincidence(moments: np.ndarray, others: np.ndarray, *, reach: int | None = None) -> Coincidence:
    """The circular-shift test: ``moments`` are moved round by several numbers of places, ``others`` stay.

        p = #{k : Σ_t moments[t - k] others[t] ≥ Σ_t moments[t] others[t]} / #{k},  k = 0 … n-1, or |k| ≤ reach

    Both series keep what order they have in themselves, so that bursts are not taken for coincidence. It is exact where
    shifting is as good as not shifting: leave out stretches in which neither kind of moment can occur, and shift by no
    more than a ``reach`` over which both are as frequent as they were.

    >>> coincidence(np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]) > 0, np.array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0]) > 0)
    Coincidence(n=1, observed=1, expected=0.2, p=0.2)

    Args:
        moments: (time,) true where there is one of the first kind.
        others: (time,) the same of the second kind.
        reach: the largest shift to either side; None for all.

    Raises:
        ValueError: series of different lengths, or a reach below 1.

    Source: time-shifted surrogates, Lancaster et al., Physics Reports 748 (2018), 1-60.

    """
    first, second = np.asarray(moments, dtype=bool), np.asarray(others, dtype=bool)
    require(first.shape == second.shape and first.ndim == 1, "others", f"a series of shape {first.shape}", second.shape)
    require(reach is None or reach >= 1, "reach", "at least 1, or none", reach)
    n = int(first.sum())
    if not n or not second.any():
        return Coincidence(n, 0, 0.0, math.nan)
    spectrum = np.fft.rfft(second) * np.conj(np.fft.rfft(first))
    counts = np.rint(np.fft.irfft(spectrum, len(first))).astype(np.int64)
    observed = int(counts[0])
    if reach is not None and 2 * reach + 1 < len(counts):
        counts = np.concatenate([counts[: reach + 1], counts[-reach:]])
    return Coincidence(n, observed, float(counts.mean()), float((counts >= observed).mean()))
