"""Where multipliers cross the unit circle between two nodes of a branch: found, located, typed."""

from dataclasses import dataclass

import numpy as np
import torch

from rnnscope.attractors.following.corrector import Branchlet, Node

SMOOTH = 1e-6  # |log |μ|| at a place where the modulus passes 1 continuously
_FINEST = 2**-12  # part of a chord within which several crossings are no longer told apart
_EXACT, _NARROW = 1e-13, 1e-15  # log|μ|, and part of a chord, at which a crossing is located
_MOST_TRIALS = 80


@dataclass(frozen=True, eq=False)
class Crossing:
    """A place at which |μ| = 1.

    ``node`` is the branch there, ``which`` the position of the critical multiplier by modulus, ``before`` and
    ``after`` are nodes on both sides of it in the sense in which the branch is followed. ``gap`` is |log|μ|| there: not
    zero where the multiplier jumps. ``turned``: the branch ends in another at a kink of the map, as at a fold.
    """

    node: Node
    which: int
    before: Node
    after: Node
    gap: float
    turned: bool = False

    @property
    def multiplier(self) -> complex:
        """The critical one; of a pair the upper."""
        value = complex(self.node.multipliers[self.which])
        return complex(value.real, abs(value.imag))


class LostError(Exception):
    """The branch could not be followed between two nodes of it, ``before`` and ``after``."""

    def __init__(self, before: Node, after: Node):
        super().__init__(f"no branch between s = {before.s} and {after.s}")
        self.before, self.after = before, after


def crossings(branch: Branchlet, left: Node, right: Node) -> list[Crossing]:
    """All places between two neighbouring nodes at which a multiplier crosses the unit circle, in order.

    The m-th largest modulus is a continuous function along the branch whatever the multipliers do: where the index goes
    from a to b, log|μ|_(m) has a root for every m from a to b - 1. Where it does not change and yet the parity of real
    multipliers beyond +1 or -1 does, one has come and another has gone: the chord is halved.

    Raises:
        LostError: the branch does not go on between the nodes.

    """
    found: list[Crossing] = []
    waiting = [(left, right, 1.0)]
    while waiting:
        a, b, width = waiting.pop()
        if (a.index, a.odd) == (b.index, b.odd):
            continue
        low, high = sorted((a.index, b.index))
        one_at_a_time = high - low == 1 or (high - low == 2 and a.odd == b.odd)
        if not one_at_a_time and width > _FINEST:
            middle = branch.between(a, b, 0.5)
            if middle is None:
                raise LostError(a, b)
            waiting += [(middle, b, width / 2), (a, middle, width / 2)]
            continue
        for which in range(low, high, 2 if high - low == 2 and one_at_a_time else 1):
            found.append(_located(branch, a, b, which))
    return found


def _located(branch: Branchlet, left: Node, right: Node, which: int) -> Crossing:
    """The root of log|μ|_(which) between two nodes, by the Illinois method with bisection where that is slow."""
    low, high = _Trial(0.0, left, which), _Trial(1.0, right, which)
    chord = right.point - left.point
    weights, best, last = [1.0, 1.0], min(low, high, key=abs), 0
    for turn in range(_MOST_TRIALS):
        width = high.part - low.part
        if abs(best) <= _EXACT or width <= _NARROW:
            break
        one, two = weights[0] * low.value, weights[1] * high.value
        share = 0.5 if turn % 6 == 5 else one / (one - two)
        part = low.part + min(max(share, 1e-3), 1 - 1e-3) * width if turn % 6 != 5 else low.part + 0.5 * width
        guess = torch.lerp(low.node.point, high.node.point, (part - low.part) / width)
        node = branch.between(left, right, part, guess) if bool(chord.any()) else None
        if node is None:
            raise LostError(low.node, high.node)
        trial = _Trial(part, node, which)
        best = min(best, trial, key=abs)
        if (trial.value > 0) == (low.value > 0):
            low, weights = trial, [1.0, weights[1] / 2 if last < 0 else 1.0]
            last = -1
        else:
            high, weights = trial, [weights[0] / 2 if last > 0 else 1.0, 1.0]
            last = 1
    return Crossing(best.node, which, left, right, abs(best))


@dataclass(frozen=True, eq=False)
class _Trial:
    """A node at a part of the chord, with log|μ|_(which) there."""

    part: float
    node: Node
    which: int

    @property
    def value(self) -> float:
        return float(np.log(np.maximum(self.node.moduli[self.which], 1e-300)))

    def __abs__(self) -> float:
        return abs(self.value)
