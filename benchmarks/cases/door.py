"""Networks of one's own: what it costs to step a module as a map, and to search for fixed points in wide states."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness import Timing, compare

_UNITS, _ROWS = 16, 8


class Rate(nn.Module):
    """A leaky rate network, (input, state) -> (output, state)."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.input, self.out = nn.Linear(_UNITS, _UNITS), nn.Linear(2, _UNITS), nn.Linear(_UNITS, 3)

    def forward(self, u: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x + (torch.tanh(self.recurrent(x) + self.input(u)) - x) / 5
        return self.out(x), x


def step() -> list[Timing]:
    """200 steps of a module of one's own, with its parameters given; the reference calls the module itself."""
    from rnnscope.systems import as_system

    torch.manual_seed(0)
    module = Rate().double()
    system = as_system(module, input_size=2, state=torch.zeros(1, _UNITS))
    weights, u, x = system.weights, torch.randn(_ROWS, 2).double(), torch.randn(_ROWS, _UNITS).double()

    def run(one: Callable[[Tensor], Tensor]) -> Tensor:
        state = x
        with torch.no_grad():
            for _ in range(200):
                state = one(state)
        return state

    ours = partial(run, lambda state: system.step(weights, state, u))
    plain = partial(run, lambda state: module(u, state)[1])

    def check() -> None:
        torch.testing.assert_close(ours(), plain())

    return [compare("200 steps of a module, parameters given", ours, plain, at_most=2.5, equal=check)]


def wide() -> list[Timing]:
    """The probe fixedpoints with settings as they come on an LSTM of 128 units; the reference is the map alone, 30,000
    steps of nn.LSTM on one row, which is what one waits for a rest."""
    from rnnscope.attractors import FixedPoints
    from rnnscope.systems import as_system

    torch.manual_seed(0)
    module = nn.LSTM(1, 128).double()
    system = as_system(module)
    held = torch.full((30_000, 1, 1), 0.5, dtype=torch.float64)

    def ours() -> Any:
        return FixedPoints(inputs=[[0.5]]).measure(system)

    def reference() -> Tensor:
        with torch.no_grad():
            return torch.cat(module(held)[1], -1).flatten()

    def check() -> None:
        found = torch.tensor(ours()["location"].values[0, 0])
        torch.testing.assert_close(found, reference(), rtol=0, atol=1e-10)

    return [compare("probe fixedpoints, LSTM of 128 units", ours, reference, at_most=2.0, equal=check)]


CASES: dict[str, Callable[[], list[Timing]]] = {"door-step": step, "fixedpoints-wide": wide}
