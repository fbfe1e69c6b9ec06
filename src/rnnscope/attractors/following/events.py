"""What happens to a branch at one place: the type of a bifurcation, its coefficient, and how sure it is."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.following import normal_forms
from rnnscope.attractors.following.corrector import Branchlet, Node
from rnnscope.attractors.following.crossings import SMOOTH, Crossing
from rnnscope.attractors.following.normal_forms import Critical, Derivatives

NEAR_RESONANCE = 1e-2  # radians
_ACROSS = 1e-6  # |⟨p, ∂F/∂s⟩| relative to its factors, below which the branch goes on through μ = 1
_NO_SQUARE = 1e-6  # |a| below which a branch point is a pitchfork
_ASIDE = 0.1  # of the size of the state
_STEP = 1e-4  # in s, of the difference that gives d|μ|/ds


@dataclass(frozen=True, eq=False, kw_only=True)
class Event:
    """A bifurcation of a fixed point or cycle between snapshots ``segment`` and ``segment + 1``.

    Attributes:
        kind: 'fold', 'flip', 'neimark_sacker', 'pitchfork', 'transcritical', 'border_collision', or 'lost', where the
            branch could not be followed.
        segment: the snapshot before it.
        s: where on the way to the next, 0 to 1.
        low, high: the interval of s that holds it.
        input: position of the constant input.
        period: of the cycle; 1 for a fixed point.
        branches: ids; that on which it was found first, then its partner at a fold, those born at a flip or pitchfork.
        state: x*, (state,).
        multiplier: the critical one; of a pair the upper.
        coefficient: a, b, c or d of ``normal_forms``; NaN where there is none.
        rate: d|μ|/ds on the branch; NaN at a fold. At a fold ``exists`` is -1 where the two points are there before s*,
            +1 where they are there after it; 0 at others.
        index_before, index_after: multipliers outside of the unit circle, before and after s*; at a fold those of its
            two points.
        gap: |log|μ|| at s*.
        direction: q, real part, (state,).

    """

    kind: str
    segment: int
    input: int
    period: int
    branches: tuple[int, ...]
    s: float
    low: float
    high: float
    state: Tensor
    multiplier: complex
    coefficient: complex = complex(np.nan)
    rate: float = float("nan")
    exists: int = 0
    index_before: int = -1
    index_after: int = -1
    gap: float = float("nan")
    direction: Tensor | None = None

    @property
    def angle(self) -> float:
        """|arg μ|, rad/step."""
        return abs(float(np.angle(self.multiplier)))

    @property
    def supercritical(self) -> bool | None:
        """Whether what is born is stable on the branch's critical directions; None where that means nothing."""
        if self.kind == "neimark_sacker":
            return self.coefficient.real < 0
        if self.kind == "flip":
            return self.coefficient.real > 0
        if self.kind == "pitchfork":
            return self.coefficient.real < 0
        return None

    @property
    def resonance(self) -> int:
        """q, where the angle is within 1e-2 of a strong resonance 2π/q, q from 1 to 4, of a pair; else 0."""
        if self.kind != "neimark_sacker":
            return 0
        return next((q for q in (1, 2, 3, 4) if abs(self.angle - 2 * np.pi / q) % (2 * np.pi) < NEAR_RESONANCE), 0)


def event_of(branch: Branchlet, crossing: Crossing, segment: int, input: int, branches: tuple[int, ...]) -> Event:
    """The type and the normal form of a crossing of the unit circle."""
    node, multiplier = crossing.node, crossing.multiplier
    ends = sorted((crossing.before.s, crossing.after.s))
    common = {
        "segment": segment,
        "input": input,
        "period": branch.period,
        "branches": branches,
        "state": node.state,
        "s": node.s,
        "multiplier": multiplier,
        "gap": crossing.gap,
    }
    if crossing.gap > SMOOTH:
        before, after = crossing.before, crossing.after
        if before.s > after.s:
            before, after = after, before
        return Event(
            kind="border_collision",
            low=ends[0],
            high=ends[1],
            exists=0 if not crossing.turned else -1 if crossing.after.s < crossing.before.s else 1,
            index_before=before.index,
            index_after=after.index,
            **common,
        )
    map_ = branch.segment.map(node.s, branch.input, branch.period)
    critical = Critical.of(node.state, map_.derivative(node.state[None])[0], multiplier)
    derivatives = Derivatives(map_, node.state)
    common |= {"low": node.s, "high": node.s, "direction": _unit(critical.right.real)}
    lower, higher = crossing.which, crossing.which + 1 + (multiplier.imag != 0)
    if multiplier.imag == 0 and multiplier.real > 0:
        square = normal_forms.fold(critical, derivatives)
        slope = branch.segment.slope(node.s, branch.input, branch.period, node.state[None], exact=True)[0]
        left = critical.left.real
        push = float((left * slope).sum())
        if abs(push) > _ACROSS * float(left.norm()) * _usual_slope(branch, node, slope, critical.right.real):
            return Event(
                kind="fold",
                coefficient=complex(square),
                exists=-1 if push * square > 0 else 1,
                index_before=lower,
                index_after=higher,
                **common,
            )
        rate = _rate(branch, node, multiplier)
        pitchfork = abs(square) < _NO_SQUARE
        coefficient = normal_forms.branch_point(critical, derivatives) if pitchfork else square
        kind = "pitchfork" if pitchfork else "transcritical"
    elif multiplier.imag == 0:
        kind, coefficient = "flip", normal_forms.flip(critical, derivatives)
        rate = _rate(branch, node, multiplier)
    else:
        kind, coefficient = "neimark_sacker", normal_forms.neimark_sacker(critical, derivatives)
        rate = _rate(branch, node, multiplier)
    before, after = (lower, higher) if rate > 0 else (higher, lower)
    return Event(
        kind=kind, coefficient=complex(coefficient), rate=rate, index_before=before, index_after=after, **common
    )


def _usual_slope(branch: Branchlet, node: Node, slope: Tensor, direction: Tensor) -> float:
    """The length of ∂F^k/∂s around a point: at a branch point it may be zero, where there is one dimension only."""
    aside = _ASIDE * (1 + float(node.state.norm())) * direction
    around = [branch.slope(node.point + torch.cat([shift, shift.new_zeros(1)])) for shift in (aside, -aside)]
    return max(float(each.norm()) for each in (slope, *around))


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm().clamp(min=torch.finfo(vector.dtype).tiny)


def _rate(branch: Branchlet, node: Node, multiplier: complex) -> float:
    """d|μ|/ds of the critical multiplier along the branch."""
    ends = []
    for sign in (1, -1):
        near = branch.at(node.s + sign * _STEP, node.state)
        if near is None:
            return float("nan")
        ends.append(near.moduli[np.abs(near.multipliers - multiplier).argmin()])
    return float((ends[0] - ends[1]) / (2 * _STEP))
