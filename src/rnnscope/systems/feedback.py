"""A network that is fed its own output."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rnnscope.systems.recurrent import RecurrentSystem
from rnnscope.systems.system import Params, System, Weights

Feedback = Callable[[Tensor], Tensor]


def closed_loop(system: System, feedback: Feedback | None = None) -> System:
    """A system whose input is its own last output, φ(y[t-1]), plus whatever input is given.

        x[t] = f(x[t-1], u[t] + φ(y[t-1])),   y[t] = g(x[t], u[t] + φ(y[t-1]))

    The output that is fed back belongs to the state, which is [x, y]; its rank is that of x, so as many exponents as
    there are outputs are -∞. Begin with y = 0 (or with an output) as the part of the state that is fed back first.

    >>> from rnnscope.systems import as_system
    >>> system = closed_loop(as_system((torch.nn.GRU(1, 4), torch.nn.Linear(4, 1))))
    >>> system.state_labels
    ('h[0]', 'h[1]', 'h[2]', 'h[3]', 'y[0]')

    Args:
        system: the network.
        feedback: φ, from outputs (..., output_size) to inputs (..., input_size) in plain tensor operations, a function
            of a module if the system is to be pickled; None: the output itself. Where φ jumps (an arg max), tangents
            and exponents are conditional on the fed-back symbols: they do not see the jumps.

    Raises:
        ValueError: what is fed back is not as wide as the input.

    """
    zero = torch.zeros(1, system.output_size, dtype=system.dtype, device=system.device)
    width = (zero if feedback is None else feedback(zero)).shape[-1]
    if width != system.input_size:
        raise ValueError(
            f"closed_loop: expected feedback as wide as the input, {system.input_size}, came {width} numbers; "
            "give feedback=, a function from outputs to inputs"
        )
    return _ClosedLoop(system, feedback)


class _ClosedLoop(System):
    def __init__(self, inner: System, feedback: Feedback | None):
        self.inner, self.feedback = inner, feedback
        self.params, self.frozen = inner.params, inner.frozen
        self.stackable, self.has_forward_mode = inner.stackable, inner.has_forward_mode
        self.input_size, self.output_size = inner.input_size, inner.output_size
        self.state_size = inner.state_size + inner.output_size
        self.state_labels = (*inner.state_labels, *(f"y[{i}]" for i in range(inner.output_size)))

    def signature(self) -> str:
        name = "" if self.feedback is None else f" by {self.feedback.__module__}.{self.feedback.__qualname__}"
        return f"closed loop{name} of {self.inner.signature()}"

    def at(self, params: Params) -> "_ClosedLoop":
        return type(self)(self.inner.at(params), self.feedback)

    def materialise(self, params: Params) -> Weights:
        return self.inner.materialise(params)

    def interpolate(self, a: Params, b: Params, s: float) -> dict[str, Tensor]:
        return self.inner.interpolate(a, b, s)

    def drive(self, weights: Weights, input: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch input"]:
        return input

    def step(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch state"]:
        x, inner_drive = self._opened(weights, state, drive)
        return torch.cat(self.inner.advance(weights, x, inner_drive), dim=-1)

    def readout(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch output"]:
        return state[..., self.inner.state_size :]

    def tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch input"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> Float[Tensor, "*batch state k"]:
        if self._has_closed_form():
            return self.step_and_tangent(weights, state, drive, vectors)[1]
        return super().tangent(weights, state, drive, vectors)

    def step_and_tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch input"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch state k"]]:
        if not self._has_closed_form():
            return super().step_and_tangent(weights, state, drive, vectors)
        assert isinstance(self.inner, RecurrentSystem)
        n, rows = self.inner.state_size, vectors.mT
        x, inner_drive = self._opened(weights, state, drive)
        x, rows = self.inner.linearised(weights, x, inner_drive, rows[..., :n], rows[..., n:])
        y, outputs = self.inner.readout(weights, x, inner_drive), self.inner.readout_tangent(weights, rows)
        return torch.cat([x, y], dim=-1), torch.cat([rows, outputs], dim=-1).mT

    def _has_closed_form(self) -> bool:
        inner = self.inner
        return self.feedback is None and isinstance(inner, RecurrentSystem) and inner.cell.linearised is not None

    def _opened(self, weights: Weights, state: Tensor, input: Tensor) -> tuple[Tensor, Tensor]:
        """The network's own state, and the drive of what it is fed."""
        x, y = state[..., : self.inner.state_size], state[..., self.inner.state_size :]
        fed = y if self.feedback is None else self.feedback(y)
        return x, self.inner.drive(weights, input + fed)
