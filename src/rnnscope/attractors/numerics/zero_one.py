"""The 0-1 test for chaos: is the walk that a series drives diffusive or bounded?"""

from typing import Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.base.randomness import spawn_seed
from rnnscope.base.settings import is_whole

_LEAST = 100  # samples: M(n) is wanted at ten lags or more
_NUMBERS_AT_ONCE = 2_000_000
_FLAT = 1e-12  # spread, relative to 1 + |mean|, of a series that does not move


def zero_one_test(series: Any, *, n_frequencies: int = 100, seed: int = 0) -> np.ndarray:
    """K of each series: near 1 for chaos, near 0 for regular motion; 0.5 is the usual threshold.

        p(n) + i q(n) = Σ_{j<=n} φ(j) exp(i j c)
        M(n) = mean_j |p(j+n) - p(j)|² + |q(j+n) - q(j)|²,  n = 1 … N/10
        D(n) = M(n) - (mean φ)² (1 - cos n c) / (1 - cos c)
        K    = median over c of the correlation of D(n) with n

    Angles c are drawn uniformly from [π/4, 17π/20], where resonances with the series' own frequencies are rare. The
    series must be sampled by a map: a flow that is sampled finely looks regular, however chaotic it is. Weak chaos and
    long transients need long series: with a thousand samples or fewer, look at the exponents too.

    >>> x = [0.3]
    >>> for _ in range(1999):
    ...     x.append(3.9 * x[-1] * (1 - x[-1]))
    >>> k = zero_one_test([x, np.sin(1.3 * np.arange(2000))])
    >>> bool(k[0] > 0.95), bool(abs(k[1]) < 0.1)
    (True, True)

    Args:
        series: φ, (..., time), at least 100 samples.
        n_frequencies: how many angles c are drawn.
        seed: for drawing them; they are the same for all series.

    Returns:
        K, (...), in [-1, 1]; 0 for a series that does not move, NaN for one that is not finite.

    Raises:
        ValueError: too few samples or angles.

    Source: Gottwald & Melbourne, SIAM Journal on Applied Dynamical Systems 8, 2009 (the modified mean square
    displacement and the correlation method).

    """
    phi = np.asarray(series, dtype=np.float64)
    came = phi.shape[-1] if phi.ndim else 0
    require(phi.ndim >= 1 and came >= _LEAST, "series", f"at least {_LEAST} samples, (..., time)", came)
    require(is_whole(n_frequencies, 1), "n_frequencies", "a positive number", n_frequencies)
    angles = np.random.default_rng(spawn_seed(seed, "zero-one")).uniform(np.pi / 4, 17 * np.pi / 20, n_frequencies)
    rows = phi.reshape(-1, came)
    result = np.full(len(rows), np.nan)
    for k, row in enumerate(rows):
        if np.isfinite(row).all():
            flat = np.ptp(row) <= _FLAT * (1 + abs(row.mean()))
            result[k] = 0.0 if flat else np.median(_correlations(row, angles))
    return result.reshape(phi.shape[:-1])


def _correlations(phi: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """The correlation of D(n) with n at each angle."""
    per_piece = max(1, _NUMBERS_AT_ONCE // (4 * len(phi)))
    pieces = [angles[k : k + per_piece, None] for k in range(0, len(angles), per_piece)]
    lags = np.arange(1, len(phi) // 10 + 1)
    found = []
    for c in pieces:
        walk = np.cumsum(phi * np.exp(1j * c * np.arange(1, len(phi) + 1)), axis=-1)
        oscillation = phi.mean() ** 2 * (1 - np.cos(lags * c)) / (1 - np.cos(c))
        found.append(_correlation(_displacement(walk, len(lags)) - oscillation, lags))
    return np.concatenate(found)


def _displacement(walk: np.ndarray, n_lags: int) -> np.ndarray:
    """Mean |w(j+n) - w(j)|² over all but the last ``n_lags`` j, for n = 1 … n_lags, by convolution: (..., lag)."""
    walk = walk - walk.mean(-1, keepdims=True)
    n = walk.shape[-1] - n_lags
    squares = np.cumsum(np.abs(walk) ** 2, axis=-1)
    ahead = squares[..., n : n + n_lags] - squares[..., :n_lags]
    length = 1 << (walk.shape[-1] + n_lags - 1).bit_length()
    spectrum = np.fft.fft(walk, length) * np.fft.fft(walk[..., :n], length).conj()
    products = np.fft.ifft(spectrum)[..., 1 : n_lags + 1].real
    return (ahead + squares[..., n - 1 : n] - 2 * products) / n


def _correlation(values: np.ndarray, lags: np.ndarray) -> np.ndarray:
    centred, ramp = values - values.mean(-1, keepdims=True), lags - lags.mean()
    size = np.sqrt((centred**2).sum(-1) * (ramp**2).sum())
    return np.divide(centred @ ramp, size, out=np.zeros_like(size), where=size > 0)
