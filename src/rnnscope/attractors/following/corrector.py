"""Newton's method that stays on its branch: at a fixed s for many rows at once, and along a branch in (x, s)."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.following.segment import Segment
from rnnscope.attractors.numerics.chords import zero_below
from rnnscope.attractors.numerics.iterated_map import IteratedMap

TOLERANCE = 1e-13
_CONTRACTION = 0.3  # of one correction to the next: with more, the zero that is found may be that of another branch
_MOST_STEPS = 12
_LEADING = 8  # multipliers that are kept
_NEGLIGIBLE = 1e-9  # corrections, relative to the state, that are too short to tell by how much they contract


@dataclass(frozen=True)
class Corrected:
    """Where Newton's method led: states (row, state), which are zeros of their branch, and DF^k there."""

    states: Tensor
    found: Tensor
    derivative: Tensor


def corrected(map_: IteratedMap, states: Tensor, contraction: float = _CONTRACTION) -> Corrected:
    """Zeros of F^k(x) - x near ``states``, by Newton's method; a row fails as soon as a correction is not shorter than
    ``contraction`` times the last.

    Source of the test: Deuflhard, Newton Methods for Nonlinear Problems, 2004, ch. 5.
    """
    x = states.clone()
    n = x.shape[1]
    derivative = x.new_full((len(x), n, n), torch.nan)
    found = torch.zeros(len(x), dtype=torch.bool)
    active, last = torch.arange(len(x)), x.new_full((len(x),), torch.inf)
    one = torch.eye(n, dtype=x.dtype)
    for _ in range(_MOST_STEPS):
        rows = map_.rows(active)
        at = x[active]
        residual, slope = rows(at) - at, rows.derivative(at)
        finite = torch.isfinite(residual).all(-1) & torch.isfinite(slope).all(-1).all(-1)
        zero = finite & (residual.norm(dim=-1) <= zero_below(at, slope.flatten(1).norm(dim=-1), TOLERANCE))
        found[active[zero]], derivative[active[zero]] = True, slope[zero]
        go_on = finite & ~zero
        active, residual, slope, at, last = (part[go_on] for part in (active, residual, slope, at, last))
        if not len(active):
            break
        solved = torch.linalg.solve_ex(one - slope, residual)
        correction = solved.result
        length = correction.norm(dim=-1)
        small = length <= _NEGLIGIBLE * (1 + at.norm(dim=-1))
        good = (solved.info == 0) & torch.isfinite(length) & ((length <= contraction * last) | small)
        x[active[good]] = at[good] + correction[good]
        active, last = active[good], length[good]
        if not len(active):
            break
    return Corrected(x, found, derivative)


@dataclass(frozen=True, eq=False)
class Node:
    """A point of a branch: the state x at s, and its multipliers, those of greatest modulus first.

    ``index`` is how many multipliers lie outside of the unit circle, ``odd`` whether an odd number of real ones lies
    beyond +1, and beyond -1.
    """

    s: float
    state: Tensor  # (state,)
    multipliers: np.ndarray  # complex, descending modulus
    index: int
    odd: tuple[bool, bool]

    @classmethod
    def of(cls, s: float, state: Tensor, multipliers: np.ndarray) -> "Node":
        """From all multipliers."""
        real = np.real(multipliers)[np.imag(multipliers) == 0]
        odd = bool((real > 1).sum() % 2), bool((real < -1).sum() % 2)
        return cls(s, state, multipliers, int((np.abs(multipliers) > 1).sum()), odd)

    @property
    def kept(self) -> "Node":
        """The same with its leading multipliers only."""
        return replace(self, multipliers=self.multipliers[: max(_LEADING, self.index + 2)].copy())

    @cached_property
    def point(self) -> Tensor:
        """(x, s)."""
        return torch.cat([self.state, self.state.new_tensor([self.s])])

    @cached_property
    def moduli(self) -> np.ndarray:
        """|μ|, descending."""
        return np.abs(self.multipliers)


def multipliers_of(derivative: Tensor) -> np.ndarray:
    """Eigenvalues of DF^k, (row, state, state) -> (row, state), by descending modulus, of a pair the upper first."""
    values = torch.linalg.eigvals(derivative).numpy()
    order = np.lexsort((-values.imag, -np.round(np.abs(values), 12)))
    return np.take_along_axis(values, order, -1)


@dataclass(frozen=True)
class Branchlet:
    """One row in one segment: what is followed there."""

    segment: Segment
    input: Tensor  # (1, input)
    period: int

    def at(self, s: float, state: Tensor, contraction: float = _CONTRACTION) -> Node | None:
        """The branch at s near a state; None where there is none."""
        got = corrected(self.segment.map(s, self.input, self.period), state[None], contraction)
        if not got.found[0]:
            return None
        return Node.of(s, got.states[0], multipliers_of(got.derivative)[0])

    def between(self, left: Node, right: Node, part: float, guess: Tensor | None = None) -> Node | None:
        """The branch in the plane across the chord from one node to another, at a part of its length."""
        chord = right.point - left.point
        start = left.point + part * chord
        normal = chord / chord.norm()
        if guess is not None:
            start = guess + (normal * (start - guess)).sum() * normal
        return self.on_plane(start, normal)

    def on_plane(self, start: Tensor, normal: Tensor, contraction: float = _CONTRACTION) -> Node | None:
        """The branch in the plane through ``start`` = (x, s) across ``normal``."""
        found = self.plane_zero(start, normal, contraction)
        return None if found is None else self.node(found)

    def node(self, point: Tensor) -> Node:
        """The node at (x, s)."""
        s = float(point[-1])
        derivative = self.segment.map(s, self.input, self.period).derivative(point[None, :-1])
        return Node.of(s, point[:-1], multipliers_of(derivative)[0])

    def plane_zero(self, start: Tensor, normal: Tensor, contraction: float = _CONTRACTION) -> Tensor | None:
        """(x, s) with F^k(x; s) = x in the plane through ``start`` across ``normal``."""
        point, last = start.clone(), np.inf
        slope = self.slope(start)
        for _ in range(_MOST_STEPS):
            map_ = self.segment.map(float(point[-1]), self.input, self.period)
            state = point[None, :-1]
            residual, jacobian = map_(state) - state, map_.derivative(state)
            if not bool(torch.isfinite(residual).all() and torch.isfinite(jacobian).all()):
                return None
            if float(residual.norm()) <= float(zero_below(state, jacobian.flatten(1).norm(dim=-1), TOLERANCE)):
                return point
            right = torch.cat([-residual[0], (normal * (start - point)).sum()[None]])
            solved = torch.linalg.solve_ex(_bordered(jacobian[0], slope, normal), right)
            length = float(solved.result.norm())
            small = length <= _NEGLIGIBLE * (1 + float(point.norm()))
            if int(solved.info) or not np.isfinite(length) or not (length <= contraction * last or small):
                return None
            point, last = point + solved.result, length
        return None

    def tangent(self, node: Node, along: Tensor) -> Tensor | None:
        """The unit tangent of the branch in (x, s), in the direction of ``along``."""
        right = torch.zeros_like(node.point)
        right[-1] = 1
        jacobian = self.segment.map(node.s, self.input, self.period).derivative(node.state[None])[0]
        solved = torch.linalg.solve_ex(_bordered(jacobian, self.slope(node.point), along), right)
        if int(solved.info) or not bool(torch.isfinite(solved.result).all()):
            return None
        return solved.result / solved.result.norm()

    def slope(self, point: Tensor) -> Tensor:
        """∂F^k/∂s at (x, s)."""
        return self.segment.slope(float(point[-1]), self.input, self.period, point[None, :-1])[0]


def _bordered(derivative: Tensor, slope: Tensor, normal: Tensor) -> Tensor:
    """[[DF^k - 1, ∂F^k/∂s], [normal]]."""
    n = len(slope)
    matrix = derivative.new_empty(n + 1, n + 1)
    matrix[:n, :n], matrix[:n, n], matrix[n] = derivative, slope, normal
    matrix.diagonal()[:n].sub_(1)
    return matrix
