"""F^k of a map under inputs that are held, and its derivative, at many states at once."""

from typing import Any

import torch
from torch import Tensor

from rnnscope.attractors.numerics.normal_matrices import Dense, Halved, Normal
from rnnscope.base.errors import require
from rnnscope.systems import System

# Batches of small solves cost ten times as much on two threads, and MKL's batched LU of 200 × 200 matrices never ends.
N_THREADS = 1


def prepared(system: System, states: Tensor, inputs: Tensor | None) -> tuple[Tensor, Tensor]:
    """States in the system's dtype and a drive for each of them, after checking shapes."""
    states = torch.as_tensor(states)
    fits = states.dim() == 2 and states.shape[1] == system.state_size and len(states) > 0
    require(fits, "states", f"shape (start, {system.state_size}) with at least one start", tuple(states.shape))
    inputs = torch.zeros(system.input_size) if inputs is None else torch.as_tensor(inputs)
    fits = inputs.shape in ((system.input_size,), (len(states), system.input_size))
    expected = f"shape ({system.input_size},), or ({len(states)}, {system.input_size}) with one for each start"
    require(fits, "inputs", expected, tuple(inputs.shape))
    states, inputs = (t.detach().to(dtype=system.dtype, device=system.device) for t in (states, inputs))
    with torch.no_grad():
        return states, system.drive(system.weights, inputs.expand(len(states), -1))


class IteratedMap:
    """F^k and its derivative at many states, each with a drive of its own."""

    def __init__(self, system: System, drive: Tensor, period: int, weights: Any = None):
        self.system, self.drive, self.period = system, drive, period
        self.weights = system.weights if weights is None else weights

    def rows(self, index: Any) -> "IteratedMap":
        """The same for some of the rows."""
        return IteratedMap(self.system, self.drive[index], self.period, self.weights)

    def held(self, count: int) -> "IteratedMap":
        """The first row's drive for so many rows."""
        return IteratedMap(self.system, self.drive[:1].expand(count, -1), self.period, self.weights)

    def __call__(self, states: Tensor) -> Tensor:
        """F^k(x), (row, state)."""
        for _ in range(self.period):
            states = self.system.step(self.weights, states, self.drive)
        return states

    def path(self, states: Tensor) -> Tensor:
        """x, F(x), …, F^(k-1)(x), (k, row, state)."""
        kept = [states]
        for _ in range(self.period - 1):
            kept.append(self.system.step(self.weights, kept[-1], self.drive))
        return torch.stack(kept)

    def derivative(self, states: Tensor) -> Tensor:
        """DF^k by the chain rule, (row, state, state)."""
        product = None
        for state in self.path(states):
            jacobian = self.system.jacobian(self.weights, state, self.drive)
            product = jacobian if product is None else jacobian @ product
        assert product is not None
        return product

    def normal(self, states: Tensor, residual: Tensor) -> Normal:
        """JᵀJ and Jᵀr with J = DF^k - 1, without the half of the coordinates that can be eliminated."""
        halves = self.period == 1 and self.system.second_half_is_diagonal
        return (Halved if halves else Dense).of(self.derivative(states), residual)
