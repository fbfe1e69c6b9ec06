"""Whether two orbits have come to the same limit set."""

import numpy as np
from scipy.spatial import KDTree

SAME_POINT = 1e-5  # between confirmed points of one cycle, relative to 1 + |x|
SAME_FEATURE = 1e-3  # between averages over one set, relative to its size, beyond their errors
_PLACES = 100  # samples of one orbit that are looked for in the other


def same_cycle(point: np.ndarray, cycle: np.ndarray) -> bool:
    """Whether a point (state) is one of a cycle (time, state)."""
    return bool((np.abs(cycle - point).max(-1) <= SAME_POINT * (1 + np.abs(point).max())).any())


def same_set(
    features: tuple[np.ndarray, np.ndarray],
    steadiness: tuple[float, float],
    size: tuple[float, float],
    samples: tuple[np.ndarray, np.ndarray],
) -> bool:
    """Whether two orbits fill the same set: averages over it agree within their errors, and the samples lie together.

    Each sample of the one must have a sample of the other near: within a tenth of the size, or as near as samples of
    the same orbit are to each other.
    """
    scale = max(size)
    tolerance = SAME_FEATURE + 5 * (steadiness[0] + steadiness[1])
    if np.abs(features[0] - features[1]).max() > tolerance * scale or min(size) < 0.8 * scale:
        return False
    first, own = samples[0][:: 1 + len(samples[0]) // _PLACES], KDTree(samples[1])
    usual = np.median(own.query(samples[1][:: 1 + len(samples[1]) // _PLACES], k=2)[0][:, 1])
    between = np.median(own.query(first)[0])
    return bool(between <= max(0.1 * scale, 5 * usual))
