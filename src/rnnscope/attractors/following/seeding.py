"""Where branches begin: zeros and cycles that searches and orbits find at one snapshot."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnscope.attractors.numerics.newton import find_fixed_points
from rnnscope.attractors.numerics.running import held_states
from rnnscope.systems import System

_ESCAPE = 1e12
_RETURNED = 1e-2  # distance after a period, relative to 1 + ‖x‖, from which Newton's method is tried
_MOST_ENDS = 16  # that searches begin at, for each input
_EVERY = 7  # steps of orbits, whose states are drawn from
_ROUND = 16  # searches of the first round
_ONE = 1e-6  # distance of zeros that are one, relative to 1 + ‖x‖
_TOGETHER = 1e-3  # distance of ends of orbits, relative to 1 + ‖x‖
_BEYOND = 1.0  # of the width of the box of states passed, to each side of it
_BESIDE = (0.0, 0.1, 0.5, 1.0)  # noise on starts, of the spread of each coordinate


@dataclass(frozen=True, eq=False)
class Seed:
    """A state that is, or is near, a fixed point or a point of a cycle at an input."""

    input: int
    period: int
    state: Tensor


def seeds_at(
    system: System,
    inputs: Tensor,
    begins: Tensor,
    *,
    n_steps: int,
    n_searches: int,
    longest_period: int,
    generator: torch.Generator,
) -> list[Seed]:
    """Seeds at all inputs (input, input_size) of one system.

    Orbits from ``begins`` (start, state) are run for ``n_steps`` at each input. Searches for zeros begin at their ends
    and at states passed, with noise; the end of an orbit that nearly comes back after k steps, k up to
    ``longest_period``, is a seed of a k-cycle.
    """
    n_inputs, n_starts = len(inputs), len(begins)
    weights = system.weights
    drive = system.drive(weights, inputs.repeat_interleave(n_starts, 0))
    orbits = held_states(system, weights, begins.repeat(n_inputs, 1), drive, n_steps)
    orbits = orbits.unflatten(1, (n_inputs, n_starts)).transpose(0, 1)  # input, time, start, state
    orbits = torch.where(orbits.abs() <= _ESCAPE, orbits, torch.nan)
    thinned = torch.cat([orbits[:, ::_EVERY], orbits[:, -1:]], 1)
    found = [Seed(at, 1, zero) for at, zero in _zeros(system, inputs, thinned, n_searches, generator)]
    for at, orbit in enumerate(orbits):
        found += [Seed(at, period, state) for period, state in _returning(orbit, longest_period)]
    return found


def _zeros(
    system: System, inputs: Tensor, orbits: Tensor, n_searches: int, generator: torch.Generator
) -> list[tuple[int, Tensor]]:
    """Different zeros at each input: searches from where orbits end, and then in rounds that double around them, at an
    input until a round finds none that is new."""
    starts = [_around(each, n_searches, generator) for each in orbits]
    batch = {at: _ends(orbit) for at, orbit in enumerate(orbits)}
    found: list[tuple[int, Tensor]] = []
    done, size = 0, _ROUND
    while True:
        owner = torch.tensor([at for at, states in batch.items() for _ in states], dtype=torch.int64)
        news: set[int] = set()
        zeros = _searched(system, torch.cat([*batch.values()]), inputs[owner]) if len(owner) else []
        for row, zero in zeros:
            at = int(owner[row])
            near = _ONE * (1 + float(zero.norm()))
            known = any(own == at and float((other - zero).norm()) <= near for own, other in found)
            if not known and bool(_near(orbits[at], zero[None])[0]):
                found.append((at, zero))
                news.add(at)
        left = [*range(len(orbits))] if not done else [at for at in batch if at in news]
        if done >= n_searches or not left:
            return found
        batch = {at: starts[at][done : done + size] for at in left}
        done, size = done + size, 2 * size


def _searched(system: System, starts: Tensor, inputs: Tensor) -> list[tuple[int, Tensor]]:
    """The zeros that searches lead to, with the row of the start."""
    search = find_fixed_points(system, starts, inputs, escape=_ESCAPE)
    return [(row, search.location[row]) for row in search.converged.nonzero()[:, 0].tolist()]


def _around(orbit: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Starts (count, state) for searches: states passed by orbits (time, start, state), with noise."""
    n = orbit.shape[-1]
    passed = orbit.flatten(0, 1)
    passed = passed[torch.isfinite(passed).all(-1)]
    which = torch.rand(count, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, n, generator=generator, dtype=torch.float64).to(orbit)
    if not len(passed):
        return noise
    level = torch.tensor(_BESIDE, dtype=orbit.dtype)[torch.arange(count) % len(_BESIDE)]
    spread = (passed - passed.mean(0)).square().mean(0).sqrt().clamp(min=1e-3)
    return passed[(which * len(passed)).long()] + level[:, None] * spread * noise


def _ends(orbit: Tensor) -> Tensor:
    """Where orbits (time, start, state) end, those that end together once, (end, state)."""
    last = orbit[-1][torch.isfinite(orbit[-1]).all(-1)]
    near = (torch.cdist(last, last) <= _TOGETHER * (1 + last.norm(dim=-1))).tril(-1)
    return last[~near.any(-1)][:_MOST_ENDS]


def _near(orbit: Tensor, states: Tensor) -> Tensor:
    """Whether states (row, state) lie in the box that orbits pass, three times as wide: beyond it units are saturated,
    and what looks like a zero may be rounding."""
    passed = orbit.flatten(0, 1)
    passed = passed[torch.isfinite(passed).all(-1)]
    if not len(passed):
        return torch.ones(len(states), dtype=torch.bool)
    low, high = passed.amin(0), passed.amax(0)
    slack = _BEYOND * (high - low) + 1e-3 * (1 + high.abs())
    return ((states >= low - slack) & (states <= high + slack)).all(-1)


def _returning(orbit: Tensor, longest: int) -> list[tuple[int, Tensor]]:
    """(k, state) for each start whose orbit (time, start, state) nearly comes back after k steps at its end, k > 1."""
    found = []
    last = orbit[-1]
    near = _RETURNED * (1 + last.norm(dim=-1))
    settled = (orbit[-2] - last).norm(dim=-1) <= near * _RETURNED
    for start in (torch.isfinite(last).all(-1) & ~settled).nonzero()[:, 0].tolist():
        for period in range(2, min(longest, len(orbit) - 1) + 1):
            if float((orbit[-1 - period, start] - last[start]).norm()) <= float(near[start]):
                found.append((period, last[start]))
                break
    return found
