"""Where a network goes: states along sequences and orbits, the set they reach, and starts drawn around them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnscope.attractors.numerics.jacobians import WIDE
from rnnscope.attractors.numerics.running import MOST_NUMBERS, driven_states, final_state, held_states
from rnnscope.attractors.points.distinct import distinct_points
from rnnscope.systems import System

LATER = 10  # times as long as the orbits that are kept
_SEQUENCES = 32  # at most
_STATES = 2048  # of those along sequences, kept to draw from
_MOMENTS = 16  # of an orbit, ever further apart, kept to draw from
_PIECES = 20  # of a long run of wide states, after each of which it is seen
_MET = 1e-9  # which are nearer to each other than this, relative to 1 + ‖x‖, or have moved by no more


@dataclass(frozen=True)
class Visited:
    """States (count, state) to draw from, the ends of orbits (orbit, state), and the box of all states passed."""

    states: Tensor
    ends: Tensor
    low: Tensor
    high: Tensor

    @property
    def scale(self) -> float:
        """Root mean square distance of states from their mean; a thousandth of max(1, ‖mean‖) at least."""
        mean = self.states.mean(0)
        spread = (self.states - mean).square().sum(-1).mean().sqrt()
        return max(float(spread), 1e-3 * max(1.0, float(mean.norm())))

    @property
    def diameter(self) -> float:
        """Twice the distance of the state furthest from the mean; twice ``scale`` at least."""
        return 2 * max(float((self.states - self.states.mean(0)).norm(dim=-1).max()), self.scale)

    def reached(self, states: Tensor, margin: float) -> Tensor:
        """Whether states lie in the box, widened by this share of its width on every side and a share of ``scale``."""
        slack = margin * (self.high - self.low) + 1e-3 * self.scale
        return ((states >= self.low - slack) & (states <= self.high + slack)).all(-1)


def states_along(system: System, sequences: Tensor) -> Tensor:
    """States (time, sequence, state) from where the network begins along input sequences (sequence, time, channel)."""
    fit = max(1, MOST_NUMBERS // (sequences.shape[1] * system.state_size))
    chosen = torch.linspace(0, len(sequences) - 1, min(len(sequences), _SEQUENCES, fit)).long()
    return driven_states(system, sequences[chosen].movedim(1, 0).to(dtype=system.dtype, device=system.device))


def visited_states(
    system: System, begins: Tensor, input: Tensor, n_steps: int, along: Tensor | None, escape: float
) -> Visited:
    """Orbits at a constant input from ``begins`` and states ``along`` sequences, without what escapes; if nothing is
    left, ``begins``."""
    weights = system.weights
    drive = system.drive(weights, input.expand(len(begins), -1))
    orbits = held_states(system, weights, begins, drive, n_steps)
    bounded = (orbits.abs().amax((0, 2)) <= escape).nonzero()[:, 0]  # NaN is not
    orbits = orbits[:, bounded]
    moments = torch.logspace(0, 1, _MOMENTS, base=n_steps).round().long().unique() - 1
    pool, passed = [orbits[moments].flatten(0, 1)], [orbits.flatten(0, 1)]
    flat = begins[:0] if along is None else along.flatten(0, 1)
    flat = flat[flat.abs().amax(-1) <= escape] if len(flat) else flat
    if len(flat):
        pool.append(flat[torch.linspace(0, len(flat) - 1, min(len(flat), _STATES)).long()])
        passed.append(flat)
    elif not len(bounded):
        pool, passed = [begins], [begins]
    ends, later = _run_on(system, orbits[-1], input, LATER * n_steps, escape)
    boxes = [(part.amin(0), part.amax(0)) for part in (*passed, *later) if len(part)]
    low, high = (torch.stack(side) for side in zip(*boxes, strict=True))
    return Visited(torch.cat(pool), ends, low.amin(0), high.amax(0))


def _run_on(system: System, ends: Tensor, input: Tensor, n_steps: int, escape: float) -> tuple[Tensor, list[Tensor]]:
    """Where orbits end much later, and that as states passed: slow ones leave the box of their first steps."""
    if not len(ends):
        return ends, []
    final = (_ends_of_few if ends.shape[1] > WIDE else _ends)(system, ends, input, n_steps)
    kept = final[final.abs().amax(-1) <= escape]
    return (kept, [kept]) if len(kept) else (ends, [])


def _ends(system: System, begins: Tensor, input: Tensor, n_steps: int) -> Tensor:
    return final_state(system, begins, input.expand(len(begins), -1), n_steps)


def _ends_of_few(system: System, begins: Tensor, input: Tensor, n_steps: int) -> Tensor:
    """The same, where steps are dear: orbits that have met go on as one, and those that rest go no further."""
    state, which = begins, torch.arange(len(begins), device=begins.device)
    piece = -(-n_steps // _PIECES)
    for begin in range(0, n_steps, piece):
        near = _MET * (1 + state.norm(dim=-1))
        kept, label = distinct_points(state, torch.zeros_like(near), near / 2)
        state, which = state[kept], label[which]
        before = state
        state = _ends(system, state, input, min(piece, n_steps - begin))
        if ((state - before).abs().amax(-1) <= _MET * (1 + state.abs().amax(-1))).all():
            break
    return state[which]


def starts_around(visited: Visited, n_starts: int, noise: tuple[float, ...], generator: torch.Generator) -> Tensor:
    """Starts (start, state): ends of orbits, then visited states and points between two of them, with noise.

    The ends, a quarter of the starts at most, are taken as they are. Noise is normal, its standard deviation for each
    coordinate the spread of visited states times one of the levels, which take turns. The numbers drawn do not depend
    on the system.
    """
    states = visited.states
    place = torch.rand(2, n_starts, dtype=torch.float64, generator=generator)
    share = torch.rand(n_starts, 1, dtype=torch.float64, generator=generator)
    normal = torch.randn(n_starts, states.shape[1], dtype=torch.float64, generator=generator)
    first, second = (place * len(states)).long().clamp(max=len(states) - 1)
    turn = torch.arange(n_starts)
    share[turn % 2 == 0] = 0
    level = torch.tensor(noise, dtype=torch.float64)[turn // 2 % len(noise)]
    spread = (states - states.mean(0)).square().mean(0).sqrt().clamp(min=1e-3 * visited.scale)
    share, level, normal = (t.to(states) for t in (share, level, normal))
    starts = states[first] + share * (states[second] - states[first]) + level[:, None] * spread * normal
    ends = visited.ends[: n_starts // 4]
    starts[: len(ends)] = ends
    return starts
