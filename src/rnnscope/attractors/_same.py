"""Whether a point belongs to a cycle."""

import numpy as np

SAME_POINT = 1e-5  # between confirmed points of one cycle, relative to 1 + |x|


def same_cycle(point: np.ndarray, cycle: np.ndarray) -> bool:
    """Whether a point (state) is one of a cycle (time, state)."""
    return bool((np.abs(cycle - point).max(-1) <= SAME_POINT * (1 + np.abs(point).max())).any())
