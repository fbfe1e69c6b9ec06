"""Averages along orbits that tell regular motion from irregular, and how fast and how thick a regular one is."""

import numpy as np
from scipy.spatial import KDTree

_DRAWN = 2000  # points by which a dimension is told


def weights(n: int) -> np.ndarray:
    """The bump exp(-1 / (s (1 - s))) at n interior points of (0, 1), summing to one.

    Source: Das, Saiki, Sander & Yorke, Quantitative quasiperiodicity, Nonlinearity 30 (2017), 4111.
    """
    s = np.arange(1, n + 1) / (n + 1)
    bump = np.exp(-1 / (s * (1 - s)))
    return bump / bump.sum()


def weighted_mean(series: np.ndarray, axis: int) -> np.ndarray:
    """Weighted Birkhoff average Σ w_t x_t along an axis.

    Along a quasiperiodic orbit it converges faster than any power of its length; along a chaotic one like the plain
    mean, as 1 / sqrt(length).

    >>> angles = 1 + 2 * np.arange(1000)
    >>> bool(abs(weighted_mean(np.cos(angles), 0)) < 1e-12), bool(abs(np.cos(angles).mean()) > 1e-4)
    (True, True)
    """
    return np.tensordot(weights(series.shape[axis]), series, axes=(0, axis))


def digits(series: np.ndarray) -> np.ndarray:
    """How many digits two weighted averages agree in: those over the first and the second half of (row, time, feature).

    -log10 of the largest difference relative to the spread of the feature; about 1 to 2.5 for chaos, more the longer
    the series for regular motion. Features without spread do not count.

    Source: Sander & Meiss, Birkhoff averages and rotational invariant circles for area-preserving maps,
    Physica D 411 (2020), 132569.
    """
    half = series.shape[1] // 2
    first, second = weighted_mean(series[:, :half], 1), weighted_mean(series[:, -half:], 1)
    spread = np.ptp(series, axis=1)
    size = np.abs(series).max(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = np.where(spread > 1e-9 * (1 + size), np.abs(first - second) / spread, 0.0)
        return -np.log10(np.maximum(differences.max(-1), 1e-16))


def local_dimension(points: np.ndarray, *, neighbours: int = 12, places: int = 100) -> int:
    """The dimension of the smooth set that an orbit (time, state) fills: 1 for a curve, 2 for a torus.

    At each of some places the nearest points are compared with their mean: directions in which they spread by more than
    a fifth of the largest spread count; the median over the places. Of a long orbit 2000 points are drawn at random:
    along the whole of it, nearest points on a torus stand in rows, and what is thick only on a fine scale looks thin.

    >>> angles = 2.399963 * np.arange(1024)
    >>> local_dimension(np.stack([np.cos(angles), np.sin(angles)], 1))
    1
    >>> other = 1.2345 * np.arange(1024)
    >>> local_dimension(np.stack([np.cos(angles), np.sin(angles), np.cos(other), np.sin(other)], 1))
    2
    """
    if len(points) > _DRAWN:
        points = points[np.random.default_rng(0).choice(len(points), _DRAWN, replace=False)]
    chosen = points[np.linspace(0, len(points) - 1, min(places, len(points))).astype(int)]
    _, nearest = KDTree(points).query(chosen, k=neighbours + 1)
    near = points[nearest]
    spreads = np.linalg.svd(near - near.mean(1, keepdims=True), compute_uv=False)
    return int(np.median((spreads > 0.2 * spreads[:, :1]).sum(1)))


def dominant_frequency(signals: np.ndarray) -> np.ndarray:
    """The strongest frequency of each signal (row, time), rad/step in (0, π].

    The largest peak of the Hann-windowed spectrum, refined where |Σ w_t x_t e^{-iωt}| is largest; for a sum of a few
    sines the error goes as 1 / n⁴.

    >>> t = np.arange(500)
    >>> float(np.round(dominant_frequency(np.sin(0.3 * t + 1)[None] + 0.1), 7)[0])
    0.3

    Source: Laskar, Physica D 67 (1993), 257 (numerical analysis of fundamental frequencies).
    """
    n = signals.shape[1]
    window = np.hanning(n + 2)[1:-1]
    centred = signals - (signals * window).sum(1, keepdims=True) / window.sum()
    windowed = centred * window
    padded = 4 * n
    spectrum = np.abs(np.fft.rfft(windowed, padded, axis=1))
    spectrum[:, :4] = 0  # what is left of the mean
    peak = 2 * np.pi * spectrum.argmax(1) / padded
    width = 2 * np.pi / padded
    low, high = peak - width, np.minimum(peak + width, np.pi)
    times = np.arange(n)

    def amplitude(frequency: np.ndarray) -> np.ndarray:
        return np.abs((windowed * np.exp(-1j * frequency[:, None] * times)).sum(1))

    golden = (np.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = amplitude(left), amplitude(right)
    for _ in range(40):
        rising = at_left < at_right
        low, high = np.where(rising, left, low), np.where(rising, high, right)
        left_next = np.where(rising, right, high - golden * (high - low))
        right_next = np.where(rising, low + golden * (high - low), left)
        fresh = amplitude(np.where(rising, right_next, left_next))
        at_left, at_right = np.where(rising, at_right, fresh), np.where(rising, fresh, at_left)
        left, right = left_next, right_next
    return (low + high) / 2
