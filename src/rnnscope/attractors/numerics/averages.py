"""Averages along orbits that tell regular motion from irregular, and how thick a regular one is."""

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
