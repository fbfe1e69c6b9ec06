"""The contract of a System: a network as pure functions of its weights, over a flat real state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp, vmap
from torch.utils import _pytree as pytree

Params = Mapping[str, Tensor]
Weights = Any  # a pytree of tensors, whatever materialise makes of the parameters


class Trajectory(NamedTuple):
    """What ``System.simulate`` returns.

    outputs: (time, batch, output_size), y[1] … y[n].   final: (batch, state_size), x[n].
    states: (time, batch, state_size), x[1] … x[n], or None if they were not asked for.
    """

    outputs: Tensor
    final: Tensor
    states: Tensor | None


class System(ABC):
    """A network seen as a map x[t] = f(x[t-1], u[t]; θ), y[t] = g(x[t], u[t]; θ).

    A System is a value: it holds a copy of the parameters θ (``params``) with which it was made, and never changes.
    ``at(params)`` is the same rule at another point of parameter space. All methods that compute are pure functions of
    ``weights``, which ``materialise`` makes of parameters once; leading dimensions of state and drive are batch
    dimensions and need not be there. The state is flat and real: (..., state_size); ``state_labels`` names its
    coordinates.

    To add a kind of System, subclass and fill the five abstract methods; ``rnnscope.testing.check_system`` tests it.
    """

    input_size: int
    state_size: int
    output_size: int
    state_labels: tuple[str, ...]
    params: dict[str, Tensor]
    frozen: frozenset[str] = frozenset()
    """Parameters that training does not move freely: buffers, such as the rotation B0 of an orthogonal network."""
    stackable: bool = True
    """Whether ``torch.func.vmap`` works over stacked parameters; modules with fused kernels inside cannot."""

    has_forward_mode: bool = True
    """Whether the step can be differentiated forwards; torch's fused kernels cannot."""

    second_half_is_diagonal: bool = False
    """Whether the second half of the coordinates, as the memory of an LSTM, enters the new state only unit by unit: the
    right half of ∂f/∂x is two diagonal blocks, one above the other."""

    n_tokens: int | None = None
    """Size of the vocabulary, where the input is one token: a channel that holds its whole number. None: a vector."""

    output_sizes: tuple[int, ...] = ()
    """Widths of the outputs of several heads, which stand one after another; empty: there is one output."""

    derivative_problem: str | None = None
    """Why derivatives of the step are not those of the map (surrogate gradients, detached steps); None: they are."""

    @abstractmethod
    def materialise(self, params: Params) -> Weights:
        """What the step needs, computed once for a θ: stacked gates, summed biases, evaluated parametrisations."""

    @abstractmethod
    def drive(self, weights: Weights, input: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch drive"]:
        """What the step needs of an input, computed once for each distinct one."""

    @abstractmethod
    def step(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch state"]:
        """x[t] from x[t-1] and the drive of u[t]."""

    @abstractmethod
    def readout(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch output"]:
        """y[t] from x[t] and the drive of u[t]."""

    def advance(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch output"]]:
        """x[t] and y[t] together: ``step``, then ``readout``."""
        state = self.step(weights, state, drive)
        return state, self.readout(weights, state, drive)

    def outputs_on(
        self, weights: Weights, states: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch output"]:
        """The outputs that go with states of an orbit under a held input: y[t] of x[t], by ``readout``.

        A system that gives its output only together with the next state has y[t+1]: on a limit set the same values.
        """
        return self.readout(weights, states, drive)

    def initial_state(
        self, weights: Weights, inputs: Float[Tensor, "time batch input"]
    ) -> Float[Tensor, "batch state"]:
        """x[0] with which the network begins on sequences of inputs: zero, unless it has learned another."""
        return inputs.new_zeros(inputs.shape[1], self.state_size)

    @abstractmethod
    def at(self, params: Params) -> "System":
        """The same rule at other parameters: those of this system's names are taken from ``params``."""

    def signature(self) -> str:
        """What tells this rule from another with parameters of the same names."""
        return f"{type(self).__name__} {self.input_size} {self.output_size} {self.state_labels}"

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters, and so of states and outputs."""
        return next((p.dtype for p in self.params.values() if p.is_floating_point()), torch.get_default_dtype())

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next((p.device for p in self.params.values()), torch.device("cpu"))

    @property
    def weights(self) -> Weights:
        """The weights at this system's own parameters."""
        return self.materialise(self.params)

    def to(self, target: torch.dtype | torch.device | str) -> "System":
        """This system in another floating-point type or on another device."""
        keep = isinstance(target, torch.dtype)
        return self.at({k: p if keep and not p.is_floating_point() else p.to(target) for k, p in self.params.items()})

    def tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch drive"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> Float[Tensor, "*batch state k"]:
        """J V, with J = ∂f/∂x at (state, drive) and the k columns of V: how small differences move in one step.

        By forward differentiation, or from the adjoint where the step has none.
        """
        if not self.has_forward_mode:
            return self._jacobian_by_rows(weights, state, drive) @ vectors

        return vmap(
            lambda vector: jvp(lambda x: self.step(weights, x, drive), (state,), (vector,))[1], in_dims=-1, out_dims=-1
        )(vectors)

    def _jacobian_by_rows(self, weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
        with torch.enable_grad():
            state = state.detach().requires_grad_()
            new = self.step(weights, state, drive)
            rows = [torch.autograd.grad(new[..., i].sum(), state, retain_graph=True)[0] for i in range(new.shape[-1])]
        return torch.stack(rows, dim=-2)

    def jacobian(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch state state"]:
        """∂f/∂x at (state, drive), rows for x[t] and columns for x[t-1]."""
        identity = torch.eye(self.state_size, dtype=state.dtype, device=state.device)
        return self.tangent(weights, state, drive, identity.expand(*state.shape[:-1], -1, -1))

    def step_and_tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch drive"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch state k"]]:
        """x[t] and J V together: ``step`` and ``tangent``, where possible in one pass."""
        return self.step(weights, state, drive), self.tangent(weights, state, drive, vectors)

    def interpolate(self, a: Params, b: Params, s: float) -> dict[str, Tensor]:
        """The point of the path from θ = a (s = 0) to θ = b (s = 1); here the straight line (1-s) a + s b.

        Whole numbers, such as counters among the buffers, are those of ``a`` until s = 1.
        """
        return {
            name: torch.lerp(a[name], b[name], s) if a[name].is_floating_point() else (a if s < 1 else b)[name]
            for name in self.params
        }

    def fast_path(self, state: Tensor, inputs: Tensor, n_steps: int | None) -> Trajectory | None:
        """A quicker way to outputs and final state at the own θ, where there is one; shapes were checked before."""
        return None

    def simulate(
        self,
        state: Float[Tensor, "batch state"],
        inputs: Float[Tensor, "..."],
        *,
        n_steps: int | None = None,
        states: bool = False,
        weights: Weights = None,
    ) -> Trajectory:
        """Run the map from ``state`` for some steps, without gradients.

        Args:
            state: x[0], (batch, state_size).
            inputs: a sequence u[1] … u[n], (time, batch, input_size); or, with ``n_steps``, inputs (batch, input_size)
                that are held constant.
            n_steps: the number of steps, for constant inputs only.
            states: whether to keep all states, besides the outputs.
            weights: from ``materialise``, to use another θ or to save making them again.

        Raises:
            ValueError: shapes that do not fit; says which were expected and which came.

        """
        _check_shapes(self, state, inputs, n_steps)
        with torch.no_grad():
            if not states and weights is None:
                found = self.fast_path(state, inputs, n_steps)
                if found is not None:
                    return found
            weights = self.weights if weights is None else weights
            if n_steps is not None:
                drive = self.drive(weights, inputs)
                drives = (drive for _ in range(n_steps))
            else:
                drives = iter(self.drive(weights, inputs))
            outputs, kept = [], []
            for drive in drives:
                state, output = self.advance(weights, state, drive)
                outputs.append(output)
                if states:
                    kept.append(state)
            empty = (0, len(state))
            return Trajectory(
                torch.stack(outputs) if outputs else state.new_empty(*empty, self.output_size),
                state,
                None if not states else torch.stack(kept) if kept else state.new_empty(*empty, self.state_size),
            )


def detached(params: Params) -> dict[str, Tensor]:
    """Copies of parameters that share neither memory nor history with the network they came from.

    Half precision becomes float32: dynamics are not to be told from its rounding.
    """
    return {name: _single(tensor.detach()).clone() for name, tensor in params.items()}


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor


def pick(params: Params, names: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of ``params`` that a system with parameters ``names`` has; ValueError if one is missing or misshapen.

    A leading batch dimension is let through, so that many parameter points can be one tensor under vmap.
    """
    missing = [name for name in names if name not in params]
    if missing:
        raise ValueError(f"parameters {missing} are missing: expected {list(names)}, came {list(params)}")
    for name, own in names.items():
        if params[name].shape[-own.dim() :] != own.shape and own.dim():
            raise ValueError(f"parameter {name}: expected shape {tuple(own.shape)}, came {tuple(params[name].shape)}")
    return {name: params[name] for name in names}


def stack_params(points: list[Params]) -> dict[str, Tensor]:
    """Parameters of several points as tensors with a leading dimension, for ``torch.func.vmap``."""
    return pytree.tree_map(lambda *tensors: torch.stack(tensors), *[dict(point) for point in points])


def _check_shapes(system: System, state: Tensor, inputs: Tensor, n_steps: int | None) -> None:
    expected = f"(batch, {system.state_size})"
    if state.dim() != 2 or state.shape[1] != system.state_size:
        raise ValueError(f"state: expected shape {expected}, came {tuple(state.shape)}")
    batch, constant = len(state), n_steps is not None
    expected = f"({batch}, {system.input_size})" if constant else f"(time, {batch}, {system.input_size})"
    if inputs.dim() != (2 if constant else 3) or inputs.shape[-2:] != (batch, system.input_size):
        what = "inputs held constant for n_steps" if constant else "a sequence of inputs"
        raise ValueError(f"{what}: expected shape {expected}, came {tuple(inputs.shape)}")
