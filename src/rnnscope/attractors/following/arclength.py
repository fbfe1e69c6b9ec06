"""Following a branch in (x, s) by its arclength, through folds, until it leaves the segment."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.following.corrector import Branchlet, Node
from rnnscope.attractors.following.crossings import Crossing, LostError, crossings

_FIRST, _LONGEST, _SHORTEST = 0.1, 0.1, 1e-7  # steps, in the norm of (x, s); the longest for each √coordinate
_MOST_STEPS = 600
_STRAIGHT = 0.95  # cosine between the tangents at both ends of a step
_GROWTH = 2.0
_OVER = (1e-6, 1e-5, 1e-4, 1e-3)  # in s, how far beyond a kink the branch is looked for
_OVERSHOOT = 3.0  # of the way along the tangent, from where it is looked for
_NEAR_KINK, _KINK = 0.02, 1e-2  # distance, relative to 1 + ‖x‖, and jump of log|μ|, at a kink
_MOST_KINKS = 50
_ROUND = 6  # nodes of a closed branch, at least


@dataclass
class Pursuit:
    """What was met on the way: the nodes, the crossings, and the end at s = 0 or 1; None where it was lost, or came
    back to where it began: a closed branch, all of it between two snapshots."""

    nodes: list[Node]
    crossings: list[Crossing] = field(default_factory=list)
    end: Node | None = None
    lost: tuple[Node, Node] | None = None
    closed: bool = False
    n_kinks: int = 0


def pursue(branch: Branchlet, node: Node, along: Tensor) -> Pursuit:
    """From a node in the direction of ``along`` (state + 1,), until the branch leaves 0 ≤ s ≤ 1.

    Steps are halved where the corrector does not contract or the branch turns by more than 18°, and grow where it is
    easy. Between neighbouring nodes all crossings of the unit circle are located.
    """
    pursuit, step, longest = Pursuit([node]), _FIRST, _LONGEST * len(node.state) ** 0.5
    tangent = branch.tangent(node, along)
    for _ in range(_MOST_STEPS):
        here = pursuit.nodes[-1]
        if tangent is None or step < _SHORTEST:
            beyond = None if tangent is None else _beyond_kink(branch, here, tangent)
            if beyond is None or tangent is None or pursuit.n_kinks == _MOST_KINKS:
                pursuit.lost = here, here
                return pursuit
            turns = (beyond.s - here.s) * float(tangent[-1]) < 0
            if beyond.index != here.index or turns:
                pursuit.crossings.append(Crossing(here, 0, here, beyond, _jump(here, beyond), turns))
            pursuit.n_kinks += 1
            pursuit.nodes.append(beyond)
            tangent, step = branch.tangent(beyond, beyond.point - here.point), _FIRST / 100
            continue
        found = branch.plane_zero(here.point + step * tangent, tangent)
        end = None
        if found is not None and not 0 <= float(found[-1]) <= 1:
            end = _landed(branch, here, found)
            found = None if end is None else end.point
        if found is None:
            step /= 2
            continue
        new = branch.node(found) if end is None else end
        turned = branch.tangent(new, tangent)
        if turned is None or (float((turned * tangent).sum()) < _STRAIGHT and step > _SHORTEST * 4):
            step /= 2
            continue
        try:
            pursuit.crossings += crossings(branch, here, new)
        except LostError:
            step /= 4
            continue
        pursuit.nodes.append(new)
        if len(pursuit.nodes) > _ROUND and _back(pursuit, turned):
            pursuit.closed = True
            return pursuit
        if end is not None:
            pursuit.end = end
            return pursuit
        tangent, step = turned, min(step * _GROWTH, longest)
    pursuit.lost = pursuit.nodes[-1], pursuit.nodes[-1]
    return pursuit


def _beyond_kink(branch: Branchlet, here: Node, tangent: Tensor) -> Node | None:
    """The branch on the other side of a kink of the map that no step comes over: further on in s, or back from it where
    two branches end in one another there."""
    forwards = 1.0 if float(tangent[-1]) > 0 else -1.0
    for sign in (forwards, -forwards):
        for far in _OVER:
            s = here.s + sign * far
            if not 0 <= s <= 1:
                continue
            ahead = _OVERSHOOT * far * tangent[:-1] / max(abs(float(tangent[-1])), 0.1)
            node = branch.at(s, here.state + ahead, contraction=10.0)
            if node is None or float((node.state - here.state).norm()) > _NEAR_KINK * (1 + float(here.state.norm())):
                continue
            if abs(_jump(here, node)) > _KINK:
                return node
    return None


def _jump(one: Node, two: Node) -> float:
    """How much log|μ| of a multiplier jumps between two nodes, at most."""
    count = min(len(one.moduli), len(two.moduli))
    jumps = np.log(np.maximum(two.moduli[:count], 1e-9)) - np.log(np.maximum(one.moduli[:count], 1e-9))
    return float(np.abs(jumps).max())


def _back(pursuit: Pursuit, tangent: Tensor) -> bool:
    """Whether the last step passed the first node, in the direction in which it was left."""
    first, second, before, here = (pursuit.nodes[at].point for at in (0, 1, -2, -1))
    length = float((here - before).norm())
    near = min(float((here - first).norm()), float((before - first).norm()))
    return near <= length and float(((second - first) * tangent).sum()) > 0


def _landed(branch: Branchlet, here: Node, beyond: Tensor) -> Node | None:
    """The branch at the end of the segment that it passes between a node and a point beyond."""
    end = 1.0 if float(beyond[-1]) > 1 else 0.0
    span = float(beyond[-1]) - here.s
    if here.s == end or span == 0:
        return None
    part = (end - here.s) / span
    return branch.at(end, torch.lerp(here.state, beyond[:-1], part))
