"""The way between two snapshots: θ(s) for s from 0 to 1, and the map there."""

from collections import OrderedDict

import torch
from torch import Tensor

from rnnscope.attractors.numerics.iterated_map import IteratedMap
from rnnscope.systems import System
from rnnscope.systems.system import Params, Weights

_KEPT = 64  # sets of weights
_STEP = 1e-3  # of differences in s


class Segment:
    """θ(s) = ``interpolate(θ_a, θ_b, s)``: the chord, or the geodesic where the weights are orthogonal.

    Weights at an s are made once and kept for a while: Newton's method and the bisections of several branches come to
    the same places.
    """

    def __init__(self, system: System, start: Params, end: Params):
        self.system, self.start, self.end = system, start, end
        self._weights: OrderedDict[float, Weights] = OrderedDict()

    def weights(self, s: float) -> Weights:
        """The weights at s."""
        if s not in self._weights:
            params = self.start if s == 0 else self.end if s == 1 else self.system.interpolate(self.start, self.end, s)
            self._weights[s] = self.system.materialise(params)
            if len(self._weights) > _KEPT:
                self._weights.popitem(last=False)
        self._weights.move_to_end(s)
        return self._weights[s]

    def map(self, s: float, inputs: Tensor, period: int) -> IteratedMap:
        """F^k at s, with a constant input (row, input_size) for each row."""
        weights = self.weights(s)
        return IteratedMap(self.system, self.system.drive(weights, inputs), period, weights)

    def slope(self, s: float, inputs: Tensor, period: int, states: Tensor, *, exact: bool = False) -> Tensor:
        """∂F^k/∂s at states (row, state), by a central difference; ``exact``: of fourth order."""
        near = self._difference(s, inputs, period, states, _STEP)
        if not exact:
            return near
        return (4 * near - self._difference(s, inputs, period, states, 2 * _STEP)) / 3

    def _difference(self, s: float, inputs: Tensor, period: int, states: Tensor, step: float) -> Tensor:
        ahead, behind = (self.map(s + h, inputs, period)(states) for h in (step, -step))
        return (ahead - behind) / (2 * step)

    def same(self) -> bool:
        """Whether nothing moves from one end to the other."""
        return all(torch.equal(self.start[name], self.end[name]) for name in self.system.params)
