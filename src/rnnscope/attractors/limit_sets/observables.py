"""What tells the motion on one set from that on another: averages of observables along orbits."""

from functools import cached_property

import numpy as np
import torch

from rnnscope.attractors.numerics.averages import digits, weighted_mean

SAME = 1e-3  # between averages over one set, relative to its size, beyond their errors
N_DIRECTIONS = 16  # in which orbits are seen, besides every coordinate
_ALIKE = 0.8  # widths of two orbits on one set, at least
_SMALL, _LARGE = 0.5, 1.5  # wave numbers, in inverse spreads


def waves(n_states: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions (state, direction), of length one, and wave numbers (direction,), the same for all orbits.

    Averages of exp(i k (v·x - mean) / spread) along them are values of the characteristic function of the motion: what
    means and spreads do not see, such as how the phases of two oscillations go together, is seen there.
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(n_states, N_DIRECTIONS, generator=generator, dtype=torch.float64)
    numbers = np.geomspace(_SMALL, _LARGE, N_DIRECTIONS)
    return (directions / directions.norm(dim=0)).numpy(), numbers


class Ensemble:
    """Orbits (row, time, state) and what tells one set from another.

    ``features`` (row, feature) are weighted averages: mean and spread of every coordinate, relative to ``size`` (row,),
    the width of the widest one, and values of the characteristic function. The largest difference between two halves is
    ``steadiness`` (row,) for means and spreads, and ``wander`` (row,) for all: near a resonance the characteristic
    function, which sees how phases go together, is slower by far.
    """

    def __init__(self, rows: np.ndarray):
        self.rows = rows
        half = rows.shape[1] // 2
        self.size = np.maximum(np.ptp(rows, axis=1).max(-1), max(1e-300, float(np.finfo(rows.dtype).tiny)))
        self.features = self._features(rows)
        first, second = self._features(rows[:, :half]), self._features(rows[:, -half:])
        differences = np.abs(first - second)
        self.steadiness = differences[:, : -2 * N_DIRECTIONS].max(-1)
        self.wander = differences.max(-1)

    def _features(self, rows: np.ndarray) -> np.ndarray:
        size = self.size[:, None]
        mean = weighted_mean(rows, 1)
        spread = np.sqrt(weighted_mean((rows - mean[:, None]) ** 2, 1))
        directions, numbers = waves(rows.shape[-1])
        seen = rows @ directions
        seen = seen - weighted_mean(seen, 1)[:, None]
        along = np.sqrt(weighted_mean(seen**2, 1))
        phases = numbers * seen / np.maximum(along, 1e-9 * size)[:, None]
        return np.concatenate(
            [mean / size, spread / size, weighted_mean(np.cos(phases), 1), weighted_mean(np.sin(phases), 1)], -1
        )

    @cached_property
    def agreement(self) -> np.ndarray:
        """Digits in which averages over two halves agree, by row."""
        return digits(self.rows)

    def families(self, inputs: np.ndarray) -> np.ndarray:
        """Rows under the same input that fill the same set have the same number, counted from 0; rows whose averages
        have not converged stand alone."""
        first: list[int] = []
        labels = np.empty(len(self.rows), dtype=int)
        for row in range(len(self.rows)):
            alike = (
                k for k, other in enumerate(first) if (inputs[other] == inputs[row]).all() and self._same(other, row)
            )
            labels[row] = next(alike, len(first))
            if labels[row] == len(first):
                first.append(row)
        return labels

    def _same(self, a: int, b: int) -> bool:
        pairs = ((each[a], each[b]) for each in (self.features, self.size, self.steadiness, self.wander))
        return max(self.steadiness[a], self.steadiness[b]) <= SAME and same_set(*pairs)


def apart(features: tuple[np.ndarray, np.ndarray], size: tuple[float, float]) -> tuple[float, float]:
    """The largest differences between two orbits in means and spreads, relative to the larger one's size, and in the
    characteristic function."""
    n = len(features[0]) - 2 * N_DIRECTIONS
    moments = [own[:n] * width / max(size) for own, width in zip(features, size, strict=True)]
    return float(np.abs(moments[0] - moments[1]).max()), float(np.abs(features[0][n:] - features[1][n:]).max())


def same_set(
    features: tuple[np.ndarray, np.ndarray],
    size: tuple[float, float],
    steadiness: tuple[float, float],
    wander: tuple[float, float],
) -> bool:
    """Whether two orbits fill the same set: averages over it agree within their errors."""
    moments, waves_apart = apart(features, size)
    alike = moments <= SAME + 5 * sum(steadiness) and waves_apart <= SAME + 5 * sum(wander)
    return alike and min(size) >= _ALIKE * max(size)
