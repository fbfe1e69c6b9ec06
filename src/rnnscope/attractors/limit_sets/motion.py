"""What kind of motion an orbit that comes to no fixed point or short cycle is: regularity, exponents, dimension."""

from dataclasses import dataclass

import numpy as np

from rnnscope.attractors.limit_sets.kinds import CHAOS, CLOSED_CURVE, CONTINUUM, TORUS, UNDETERMINED
from rnnscope.attractors.numerics.averages import local_dimension, weighted_mean
from rnnscope.attractors.numerics.zero_one import zero_one_test

_REGULAR = 3.0  # digits in which two halves of a regular orbit of 2000 steps agree at least, and more with each
_PER_DECADE = 1.0  # tenfold length: averages over smooth sets converge faster than any power of it
_STEADY = 1e-3  # largest difference of all averages over two halves of a regular orbit
_KNOWN, _WELL_KNOWN = 0.2, 5e-5  # error of λ1 of regular motion, of the resolution, or in nats per step
_IRREGULAR = 2.5, 3.5  # digits of chaos: below the first for certain, above the second not
_NO_TRANSIENT = 60.0  # nats: more than from one rounding error (e^-37) to the size of the whole set
_NEUTRAL = 1e-5  # of the resolution: exponents of a map that keeps lengths
_SIZE = 1e-5  # of an orbit, relative to 1 + |x|, below which it is at rest for all that can be told


@dataclass(frozen=True)
class Motion:
    """Which kind, the leading exponents with their errors, and the error of averages over the set, relative to it.

    ``keeps_lengths``: differences neither grow nor shrink at all, so that starts stay as far apart as they are.
    """

    kind: int
    exponents: np.ndarray
    exponent_errors: np.ndarray
    steadiness: float
    keeps_lengths: bool = False


def judge(states: np.ndarray, stretches: np.ndarray, *, agreement: float, steadiness: float) -> Motion:
    """The motion of one orbit (time, state) with log stretches (interval, k) along it.

    Regular motion is told from chaos by weighted averages over two halves: they agree in many digits, or in few. Of
    regular motion, as many exponents are zero as the set has dimensions, if it attracts; more, if it is one of many.
    If all are zero to far more digits than averages converge in, the map keeps lengths, as an orthogonal network with
    modReLU does piece by piece.
    """
    if np.ptp(states, axis=0).max() <= _SIZE * (1 + np.abs(states).max()):  # at rest, and yet not confirmed as a point
        unknown = np.full(stretches.shape[1], np.nan)
        return Motion(UNDETERMINED, unknown, unknown, steadiness)
    with np.errstate(invalid="ignore"):  # exponents of directions that are lost are -inf
        return _judge(states, stretches, agreement, steadiness)


def _judge(states: np.ndarray, stretches: np.ndarray, agreement: float, steadiness: float) -> Motion:
    middle, resolution = len(stretches) // 2, 1 / len(states)
    exponents, plain = weighted_mean(stretches, 0), stretches.mean(0)
    errors = np.abs(weighted_mean(stretches[:middle], 0) - weighted_mean(stretches[-middle:], 0))
    block_errors = _block_error(stretches)
    zero = np.abs(exponents) <= resolution + np.minimum(3 * errors, resolution)
    if len(exponents) > 1 and (np.abs(exponents) + errors <= _NEUTRAL * resolution).all():
        return Motion(CONTINUUM, exponents, errors, steadiness, keeps_lengths=True)
    digits = _REGULAR + _PER_DECADE * np.log10(len(states) / 2000)
    known = errors[0] <= max(_KNOWN * resolution, _WELL_KNOWN)
    regular = agreement >= digits and steadiness <= _STEADY and known
    # along a long cycle that looks like a curve λ1 is small, and yet not zero
    if regular and np.abs(exponents[0]) <= 5 * errors[0] + 0.1 * _KNOWN * resolution:
        return Motion(_regular_kind(states, exponents, zero, resolution), exponents, errors, steadiness)
    stretched = plain[0] > max(4 * block_errors[0], 2 * resolution)
    if stretched and (plain[0] * len(states) > _NO_TRANSIENT or _is_irregular(states, agreement)):
        size = np.ptp(states, axis=0).max()
        unsteady = max(steadiness, float(_block_error(states, 10).max() / size))
        return Motion(CHAOS, plain, block_errors, unsteady)
    return Motion(UNDETERMINED, exponents, np.maximum(errors, block_errors), steadiness)


def _regular_kind(states: np.ndarray, exponents: np.ndarray, zero: np.ndarray, resolution: float) -> int:
    n_zero, n = int(zero.cumprod().sum()), states.shape[1]
    if n == 1:
        return UNDETERMINED  # nothing but fixed points and cycles is regular on a line
    if n_zero == len(zero) > 1:
        return CONTINUUM  # or a torus of at least that many dimensions: whoever calls looks at other starts
    dimension = local_dimension(states)
    if n_zero > dimension:
        return CONTINUUM
    if n_zero < dimension or exponents[n_zero] > -2 * resolution:
        return UNDETERMINED
    return CLOSED_CURVE if dimension == 1 else TORUS


def _is_irregular(states: np.ndarray, agreement: float) -> bool:
    """Few digits are enough; in between the 0-1 test on the coordinate that moves most decides."""
    certain, possible = _IRREGULAR
    if not certain <= agreement <= possible:
        return agreement < certain
    series = states[:, np.ptp(states, axis=0).argmax()]
    return bool(zero_one_test(series) > 0.5)


def _block_error(series: np.ndarray, n_blocks: int = 20) -> np.ndarray:
    """Standard error of the mean of (time, k) from the means of blocks."""
    means = np.stack([block.mean(0) for block in np.array_split(series, n_blocks)])
    return means.std(0, ddof=1) / np.sqrt(n_blocks)
