"""Branches of fixed points and cycles, stable or not, followed through all snapshots in both directions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.following.arclength import Pursuit, pursue
from rnnscope.attractors.following.corrector import Branchlet, Corrected, Node, corrected, multipliers_of
from rnnscope.attractors.following.crossings import Crossing, LostError, crossings
from rnnscope.attractors.following.events import Event, event_of
from rnnscope.attractors.following.segment import Segment
from rnnscope.systems import System
from rnnscope.systems.system import Params

_LONGEST = 64  # period of a cycle that is followed where it is born
_DEGENERATE = 1e-9  # distance of a multiplier from 1 at which a zero may be one of a line of them, or rounding
_FAR = 0.03  # a step at once, relative to 1 + ‖x‖, that is checked against the slope of the branch,
_MISSED = 0.5  # and what it may miss of what that foretells, as a part of itself
_SAME = 1e-7  # distance of states that are one, relative to 1 + ‖x‖
_SWITCHES = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)  # first steps onto a crossing branch, relative to 1 + ‖x‖


@dataclass
class Branch:
    """A fixed point or cycle at one constant input, through the snapshots at which it is known."""

    id: int
    input: int
    period: int
    nodes: dict[int, Node] = field(default_factory=dict)


class Follower:
    """Follows all branches that are given or met, and keeps the events on them.

    Args:
        system: the rule; float64.
        snapshots: parameters, one after another.
        inputs: the constant inputs, (input, input_size).

    """

    def __init__(self, system: System, snapshots: Sequence[Params], inputs: Tensor):
        self.system, self.snapshots, self.inputs = system, snapshots, inputs
        self.branches: dict[int, Branch] = {}
        self.events: list[Event] = []
        self.joined: dict[int, int] = {}
        self._there: dict[int, set[int]] = defaultdict(set)  # branches by snapshot
        self._pending: dict[int, dict[int, set[int]]] = {+1: defaultdict(set), -1: defaultdict(set)}
        self.ended: set[tuple[int, int]] = set()  # (branch, segment) in which it ends
        self.n_made = 0

    # -- what is known

    def known(self, k: int, input: int, period: int, state: Tensor, without: int | None = None) -> int | None:
        """The branch that passes through a state at snapshot k."""
        near = _SAME * (1 + float(state.norm()))
        for id in self._there[k]:
            other = self.branches[id]
            if id == without or other.input != input or other.period != period:
                continue
            at = other.nodes[k].state
            if period == 1:
                if float((at - state).norm()) <= near:
                    return id
                continue
            segment, s = self._at(k)
            path = segment.map(s, self.inputs[input][None], period).path(state[None])[:, 0]
            if float((path - at).norm(dim=-1).min()) <= near:
                return id
        return None

    def add(self, k: int, input: int, period: int, state: Tensor) -> int | None:
        """Take up what was found at snapshot k; None where it is no zero, or its least period is shorter."""
        segment, s = self._at(k)
        node = Branchlet(segment, self.inputs[input][None], period).at(s, state)
        if (
            node is None
            or np.abs(node.multipliers - 1).min() < _DEGENERATE
            or _shorter(segment, s, self.inputs[input], period, node.state)
        ):
            return None
        return self._take(k, input, period, node)

    def _take(self, k: int, input: int, period: int, node: Node, directions: Iterable[int] = (+1, -1)) -> int:
        found = self.known(k, input, period, node.state)
        if found is not None:
            return found
        branch = Branch(self.n_made, input, period)
        self.n_made += 1
        self.branches[branch.id] = branch
        self.put(branch, k, node)
        for direction in directions:
            self._pending[direction][k].add(branch.id)
        return branch.id

    def put(self, branch: Branch, k: int, node: Node) -> None:
        """The node of a branch at snapshot k."""
        branch.nodes[k] = node.kept
        self._there[k].add(branch.id)

    def _at(self, k: int) -> tuple[Segment, float]:
        """A segment that has snapshot k at one of its ends, and where."""
        if len(self.snapshots) == 1:
            return Segment(self.system, self.snapshots[0], self.snapshots[0]), 0.0
        first = min(k, len(self.snapshots) - 2)
        return Segment(self.system, self.snapshots[first], self.snapshots[first + 1]), float(k - first)

    def wait(self, direction: int, k: int, id: int) -> None:
        """A branch is to be followed from snapshot k, forwards (1) or backwards (-1)."""
        self._pending[direction][k].add(id)

    def pending(self) -> list[tuple[int, int, int]]:
        """What is still to be followed: (direction, snapshot, branch)."""
        waiting = self._pending.items()
        return [(direction, k, id) for direction, by_k in waiting for k, ids in by_k.items() for id in sorted(ids)]

    def resolved(self, id: int) -> int:
        """The id of a branch that may have been joined to another."""
        while id in self.joined:
            id = self.joined[id]
        return id

    # -- following

    def run(self, done: Callable[[int, int], None] | None = None) -> None:
        """Follow everything that is pending, forwards and backwards, until nothing is left.

        ``done`` is called after each segment with how many of the first sweep are done, and how many there are. What
        this object holds is then whole; in between it is not.
        """
        last, first = len(self.snapshots) - 1, True
        while any(ids for by_k in self._pending.values() for ids in by_k.values()):
            for direction, segments in ((+1, range(last)), (-1, range(last - 1, -1, -1))):
                for k in segments:
                    self._cross(k, direction)
                    if done is not None:
                        done(k + 1 if first and direction > 0 else last, last)
            first = False
            for direction, end in ((+1, last), (-1, 0)):
                self._pending[direction].pop(end, None)

    def _cross(self, k: int, direction: int) -> None:
        """From snapshot k to k + 1, or back, with all that is pending there."""
        here, there = (k, k + 1) if direction > 0 else (k + 1, k)
        pending = {self.resolved(id) for id in self._pending[direction].pop(here, ())}
        rows = [
            self.branches[id]
            for id in sorted(pending)
            if there not in self.branches[id].nodes and (id, k) not in self.ended
        ]
        if not rows:
            return
        segment = Segment(self.system, self.snapshots[k], self.snapshots[k + 1])
        target = float(direction > 0)
        if segment.same():
            for branch in rows:
                self._arrive(branch, there, _moved(branch.nodes[here], target), direction)
            return
        for period in sorted({branch.period for branch in rows}):
            self._cross_together(segment, k, direction, [row for row in rows if row.period == period])

    def _cross_together(self, segment: Segment, k: int, direction: int, rows: list[Branch]) -> None:
        here, there = (k, k + 1) if direction > 0 else (k + 1, k)
        start, target = float(direction < 0), float(direction > 0)
        inputs = self.inputs[[row.input for row in rows]]
        states = torch.stack([row.nodes[here].state for row in rows])
        got = corrected(segment.map(target, inputs, rows[0].period), states)
        spectra = iter(multipliers_of(got.derivative[got.found])) if got.found.any() else iter(())
        new = [Node.of(target, got.states[at], next(spectra)) if got.found[at] else None for at in range(len(rows))]
        careful = [node is None for node in new]
        for at in self._leaps(segment, target, inputs, rows[0].period, states, got):
            careful[at] = True
        for a, b in self._doubles(rows, new):
            careful[a] = careful[b] = True
        for at, (row, node) in enumerate(zip(rows, new, strict=True)):
            if self.resolved(row.id) != row.id or (row.id, k) in self.ended or there in row.nodes:
                continue
            branchlet = Branchlet(segment, inputs[at][None], row.period)
            left = _moved(row.nodes[here], start)
            met: list[Crossing] = []
            if node is not None and not careful[at]:
                other = self.known(there, row.input, row.period, node.state, without=row.id)
                if other is not None and here in self.branches[other].nodes:
                    careful[at] = True  # it comes from elsewhere
            if not careful[at] and node is not None:
                try:
                    met = crossings(branchlet, left, node)
                except LostError:
                    careful[at] = True
            if careful[at] or node is None:
                self._pursue(branchlet, k, direction, row, left)
                continue
            self._tell(branchlet, k, row, met)
            self._arrive(row, there, node, direction)

    def _leaps(
        self, segment: Segment, target: float, inputs: Tensor, period: int, before: Tensor, got: Corrected
    ) -> list[int]:
        """Rows that have moved far, and not as the slope dx/ds of the branch where they arrived foretells: they may
        have leapt over folds."""
        moved = (got.states - before).norm(dim=-1)
        far = got.found & (moved > _FAR * (1 + before.norm(dim=-1)))
        rows = far.nonzero()[:, 0]
        if not len(rows):
            return []
        slope = segment.slope(target, inputs[rows], period, got.states[rows])
        one = torch.eye(before.shape[1], dtype=before.dtype)
        along = torch.linalg.solve_ex(one - got.derivative[rows], slope).result * (1 if target else -1)
        missed = (got.states[rows] - before[rows] - along).norm(dim=-1)
        return rows[~(missed <= _MISSED * moved[rows])].tolist()

    def _doubles(self, rows: list[Branch], nodes: list[Node | None]) -> list[tuple[int, int]]:
        """Pairs of rows that have come to the same place."""
        return [
            (a, b)
            for a in range(len(rows))
            for b in range(a)
            if rows[a].input == rows[b].input
            and (one := nodes[a]) is not None
            and (two := nodes[b]) is not None
            and float((one.state - two.state).norm()) <= _SAME * (1 + float(one.state.norm()))
        ]

    def _arrive(self, branch: Branch, k: int, node: Node, direction: int) -> None:
        other = self.known(k, branch.input, branch.period, node.state, without=branch.id)
        if other is None:
            self.put(branch, k, node)
            self._pending[direction][k].add(branch.id)
            return
        self._join(branch, self.branches[other])

    def _join(self, one: Branch, two: Branch) -> None:
        """Two branches that turned out to be one: the older keeps its id."""
        kept, gone = sorted((one, two), key=lambda branch: branch.id)
        for k, node in gone.nodes.items():
            kept.nodes.setdefault(k, node)
            self._there[k].discard(gone.id)
            self._there[k].add(kept.id)
        self.joined[gone.id] = kept.id
        self.ended |= {(kept.id, k) for id, k in self.ended if id == gone.id}
        for by_k in self._pending.values():
            for ids in by_k.values():
                if gone.id in ids:
                    ids.discard(gone.id)
                    ids.add(kept.id)
        del self.branches[gone.id]

    def _pursue(self, branchlet: Branchlet, k: int, direction: int, row: Branch, left: Node) -> None:
        """By arclength, where a step at once fails: through folds, or until it is lost."""
        along = torch.zeros_like(left.point)
        along[-1] = direction
        met = pursue(branchlet, left, along)
        partner: int | None = None
        turns = _turns(met)
        if met.end is not None and not turns:
            self._tell(branchlet, k, row, met.crossings)
            self._arrive(row, k + (met.end.s == 1), met.end, direction)
            return
        if met.end is not None:  # beyond a fold it is another branch, whichever way it leaves
            partner = self._take(k + (met.end.s == 1), row.input, row.period, met.end, (1 if met.end.s == 1 else -1,))
            self.ended.add((partner, k))
        self.ended.add((row.id, k))
        self._tell(branchlet, k, row, met.crossings, partner)
        if met.lost is not None:
            self.events.append(_lost(branchlet, k, row, met, direction))

    # -- what was found

    def by_snapshot(self) -> dict[int, set[int]]:
        """The ids of the branches at each snapshot."""
        return {k: ids for k, ids in self._there.items() if ids}

    def outputs(self, k: int, branches: list[Branch]) -> np.ndarray:
        """The output on each of some branches at snapshot k, (branch, output)."""
        segment, s = self._at(k)
        states = torch.stack([branch.nodes[k].state for branch in branches])
        drive = segment.map(s, self.inputs[[branch.input for branch in branches]], 1).drive
        return self.system.outputs_on(segment.weights(s), states, drive).numpy()

    def output_at(self, event: Event) -> Tensor:
        """The output at an event, (output,)."""
        segment, first = self._at(event.segment)
        s = first + event.s if len(self.snapshots) > 1 else 0.0
        drive = segment.map(s, self.inputs[event.input][None], 1).drive
        return self.system.outputs_on(segment.weights(s), event.state[None], drive)[0]

    # -- events

    def _tell(self, branchlet: Branchlet, k: int, row: Branch, met: list[Crossing], partner: int | None = None) -> None:
        for crossing in met:
            event = event_of(branchlet, crossing, k, row.input, (row.id,))
            if event.kind == "fold" and partner is not None:
                event = replace(event, branches=(row.id, partner))
            doubled = event.kind == "flip" and 2 * event.period <= _LONGEST
            if doubled or event.kind in ("pitchfork", "transcritical"):
                event = replace(event, branches=(row.id, *self._born(branchlet, k, row, event)))
            self.events.append(event)

    def _born(self, branchlet: Branchlet, k: int, row: Branch, event: Event) -> list[int]:
        """Take up the branches that cross this one at the event."""
        assert event.direction is not None
        period = event.period * (2 if event.kind == "flip" else 1)
        onto = Branchlet(branchlet.segment, branchlet.input, period)
        at = torch.cat([event.state, event.state.new_tensor([event.s])])
        along = torch.cat([event.direction, event.direction.new_zeros(1)])
        born: list[int] = []
        for sign in (1.0,) if event.kind == "flip" else (1.0, -1.0):
            for length in _SWITCHES:
                size = length * (1 + float(event.state.norm()))
                node = onto.on_plane(at + sign * size * along, along)
                if node is None or not 0 <= node.s <= 1:
                    continue
                met = pursue(onto, node, sign * along)
                if met.closed:  # at no snapshot is there anything of it
                    break
                if met.end is None:
                    continue
                forwards = met.end.s == 1
                id = self._take(k + forwards, row.input, period, met.end, (1 if forwards else -1,))
                self.ended.add((id, k))
                self._tell(onto, k, self.branches[id], met.crossings)
                born.append(id)
                break
        return born


def _shorter(segment: Segment, s: float, input: Tensor, period: int, state: Tensor) -> bool:
    """Whether a state of a cycle comes back earlier."""
    if period == 1:
        return False
    path = segment.map(s, input[None], period).path(state[None])[1:, 0]
    return bool(((path - state).norm(dim=-1) <= _SAME * (1 + state.norm())).any())


def _turns(met: Pursuit) -> bool:
    """Whether a branch turns back in s on its way."""
    steps = [after.s - before.s for before, after in pairwise(met.nodes)]
    return any(one * two < 0 for one, two in pairwise(steps))


def _moved(node: Node, s: float) -> Node:
    return Node(s, node.state, node.multipliers, node.index, node.odd)


def _lost(branchlet: Branchlet, k: int, row: Branch, met: Pursuit, direction: int) -> Event:
    """The branch could not be followed to the end of the segment."""
    assert met.lost is not None
    node = met.nodes[-1]
    low, high = (node.s, 1.0) if direction > 0 else (0.0, node.s)
    return Event(
        kind="lost",
        segment=k,
        input=row.input,
        period=row.period,
        branches=(row.id,),
        s=node.s,
        low=low,
        high=high,
        state=node.state,
        multiplier=complex(node.multipliers[0]),
        index_before=node.index,
    )
