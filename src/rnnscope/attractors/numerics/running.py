"""Running a map in bounded memory: states without outputs, which may be far wider, and outputs a piece at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from rnnscope.systems import System
from rnnscope.systems.system import Weights

MOST_NUMBERS = 2**27  # of states or outputs in memory at once: a gigabyte


def held_states(system: System, weights: Weights, state: Tensor, drive: Tensor, n_steps: int) -> Tensor:
    """x[1] … x[n] under a drive that is held, (time, row, state)."""
    states = state.new_empty(n_steps, *state.shape)
    for t in range(n_steps):
        state = states[t] = system.step(weights, state, drive)
    return states


def driven_states(system: System, inputs: Tensor) -> Tensor:
    """x[1] … x[n] along inputs (time, row, channel) from the state in which the network begins, (time, row, state)."""
    return torch.stack(list(_steps(system, inputs)))


def final_state(system: System, state: Tensor, input: Tensor, n_steps: int) -> Tensor:
    """x[n] under inputs (row, channel) that are held, without the outputs on the way."""
    at_once = max(1, MOST_NUMBERS // max(1, len(state) * system.output_size))
    for begin in range(0, n_steps, at_once):
        state = system.simulate(state, input, n_steps=min(at_once, n_steps - begin)).final
    return state


def picked_and_spread(system: System, inputs: Tensor, when: Tensor) -> tuple[Tensor, Tensor]:
    """States of the first rows at the times ``when``, (row, state), and the standard deviation of each coordinate over
    all states along inputs (time, row, channel); both in double precision."""
    time, count = len(inputs), len(inputs) * inputs.shape[1]
    if count * system.state_size <= MOST_NUMBERS:
        states = driven_states(system, inputs).to(device="cpu", dtype=torch.float64)
        return states[when, torch.arange(len(when))], states.flatten(0, 1).std(0)
    picked = torch.empty(len(when), system.state_size, dtype=torch.float64)
    total, squares, origin = 0.0, 0.0, None
    for t, state in enumerate(_steps(system, inputs)):
        state = state.to(device="cpu", dtype=torch.float64)
        origin = state.mean(0) if origin is None else origin
        total, squares = total + (state - origin).sum(0), squares + (state - origin).square().sum(0)
        now = (when == t).nonzero()[:, 0]
        picked[now] = state[now]
    variance = (torch.as_tensor(squares) - torch.as_tensor(total).square() / count) / max(count - 1, 1)
    assert time > 0
    return picked, variance.clamp(min=0).sqrt()


def _steps(system: System, inputs: Tensor) -> Iterator[Tensor]:
    with torch.no_grad():
        weights = system.weights
        state = system.initial_state(weights, inputs).to(inputs)
        for drive in system.drive(weights, inputs):
            state = system.step(weights, state, drive)
            yield state
