"""Whole models: the map of their recurrent cores, with whatever their forward does before and after as it is."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rnnscope.base.randomness import undisturbed
from rnnscope.systems import _lent
from rnnscope.systems._functional import attributes_put_back, call
from rnnscope.systems._layouts import InputLayout, Outputs
from rnnscope.systems._lent import Lent, NotOneStepError, Reached
from rnnscope.systems.foreign import ForeignSystem
from rnnscope.systems.recurrent import RecurrentSystem
from rnnscope.systems.system import Params, System, Trajectory, Weights


@dataclass(frozen=True)
class Plan:
    """How a model is read: which cores are lent, how sequences go in, where outputs come out."""

    cores: tuple[Lent, ...]
    layout: InputLayout
    outputs: Outputs
    begins_at_zero: bool


class ModelSystem(ForeignSystem):
    """A whole model as the map of its recurrent cores.

        x[t] = f(x[t-1], e(u[t])),   y[t] = g(x[t], u[t])

    f are the model's own cores (of torch or of ours), one step of each; e and g what its ``forward`` does before and
    after. They need not be taken apart: ``forward`` is called with sequences of one step, in which the cores begin at
    x[t-1]. Encoders, scalings, normalisation, skip connections, several heads and learned initial states are those of
    the model. It is accepted only if this, step by step, gives what ``forward`` gives on whole sequences, at the
    model's weights and at random ones (``read_model``).

    The input may be one token (``n_tokens``); the outputs of several heads are one after another
    (``output_sizes``). A state that is returned beside a head is no output.
    """

    def __init__(self, module: nn.Module, plan: Plan):
        super().__init__(module)
        self.plan = plan
        self.input_size, self.n_tokens = plan.layout.input_size, plan.layout.n_tokens
        self.state_size = sum(core.state_size for core in plan.cores)
        self.output_sizes = plan.outputs.widths if len(plan.outputs.widths) > 1 else ()
        single = len(plan.cores) == 1
        self.state_labels = tuple(
            label if single else f"{core.path}.{label}" for core in plan.cores for label in core.labels
        )
        with torch.no_grad(), undisturbed(self.device):
            zeros = torch.zeros(1, self.state_size, dtype=self.dtype, device=self.device)
            drive = self.drive(self.weights, zeros.new_zeros(1, self.input_size))
            self.output_size = self.advance(self.weights, zeros, drive)[1].shape[-1]
        self._examine()

    def signature(self) -> str:
        """That of the module, and how it is read."""
        return f"{super().signature()} {self.plan.layout} {self.plan.outputs}"

    def initial_state(
        self, weights: Weights, inputs: Float[Tensor, "time batch input"]
    ) -> Float[Tensor, "batch state"]:
        """The states with which the model calls its cores on these sequences."""
        if self.plan.begins_at_zero:
            return super().initial_state(weights, inputs)
        return initial_states(self._module, self._tensors(weights), self.plan.cores, self.plan.layout, inputs)

    def _tensors(self, weights: Weights) -> Params:
        """Parameters and buffers among the weights; buffers are copies, for a forward may write on them."""
        return {name: tensor.clone() if name in self.frozen else tensor for name, tensor in weights.items()}

    def _call(self, weights: Weights, state: Tensor, drive: Tensor) -> tuple[Tensor, Tensor]:
        tensors = self._tensors(weights)
        new, returned = one_step(self._module, tensors, self.plan.cores, self.plan.layout, state, drive)
        return new, self.plan.outputs.of_one_step(returned, len(state))


class FramedSystem(ModelSystem):
    """A model with one recurrent core whose step is known in plain operations: what comes before it is done once for
    each input, what comes after it only where outputs are wanted, and the core has its closed forms."""

    @property
    def core(self) -> RecurrentSystem:
        """The core alone, as a system on its own inputs."""
        rule = self.plan.cores[0].rule
        assert rule is not None
        return rule

    def materialise(self, params: Params) -> Weights:
        """The parameters and buffers, and the core's stacked gates and sums of biases."""
        tensors = super().materialise(params)
        return {"tensors": tensors, "core": self.core.materialise(tensors)}

    def _tensors(self, weights: Weights) -> Params:
        return super()._tensors(weights["tensors"])

    def drive(self, weights: Weights, input: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch drive"]:
        """The core's drive of what the model makes of the input, and behind it the input itself."""
        rows = input.reshape(-1, self.input_size)
        driven = self.core.drive(weights["core"], self.encoded(weights, rows))
        return torch.cat([driven.reshape(*input.shape[:-1], -1), input], dim=-1)

    def encoded(self, weights: Weights, rows: Float[Tensor, "rows input"]) -> Float[Tensor, "rows width"]:
        """What the model hands to its core of inputs."""
        told: dict[str, Tensor] = {}
        core = self.plan.cores[0]
        with _lent.lend(self._module, [core], [_lent.Telling(core, len(rows), told)]), suppress(Reached):
            forward_of(self._module, self._tensors(weights), self.plan.layout, self.plan.cores, rows[None])
        return told[core.path]

    def _driven(self, drive: Tensor) -> Tensor:
        return drive[..., : drive.shape[-1] - self.input_size]

    def step(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch state"]:
        """One step of the core."""
        return self.core.step(weights["core"], state, self._driven(drive))

    def readout(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch output"]:
        """What the model makes of the core's output, and where it looks at it of the input too."""
        batch = torch.broadcast_shapes(state.shape[:-1], drive.shape[:-1])
        rows = state.expand(*batch, -1).reshape(-1, self.state_size)
        inputs = drive[..., drive.shape[-1] - self.input_size :].expand(*batch, -1).reshape(len(rows), -1)
        core, new = self.plan.cores[0], {}
        answer = _lent.Stepping(core, self._module, rows, lambda _: rows, new)
        with _lent.lend(self._module, [core], [answer]):
            returned = forward_of(self._module, self._tensors(weights), self.plan.layout, self.plan.cores, inputs[None])
        return self.plan.outputs.of_one_step(returned, len(rows)).reshape(*batch, -1)

    def outputs_on(
        self, weights: Weights, states: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch output"]:
        """y[t] of x[t]."""
        return self.readout(weights, states, drive)

    def advance(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch output"]]:
        """``step``, then ``readout``."""
        return System.advance(self, weights, state, drive)

    def tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch drive"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> Float[Tensor, "*batch state k"]:
        """J V, of the core."""
        return self.core.tangent(weights["core"], state, self._driven(drive), vectors)

    def jacobian(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch state state"]:
        """∂f/∂x, of the core."""
        return self.core.jacobian(weights["core"], state, self._driven(drive))

    def step_and_tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch drive"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch state k"]]:
        """x[t] and J V, of the core."""
        return self.core.step_and_tangent(weights["core"], state, self._driven(drive), vectors)

    def fast_path(self, state: Tensor, inputs: Tensor, n_steps: int | None) -> Trajectory | None:
        """The states step by step, then all outputs in one call of the model."""
        weights = self.weights
        drives = self.drive(weights, inputs)
        drives = drives.expand(n_steps, *drives.shape) if n_steps is not None else drives
        states = []
        for drive in drives:
            state = self.step(weights, state, drive)
            states.append(state)
        if not states:
            return None
        return Trajectory(self.readout(weights, torch.stack(states), drives), state, None)

    def interpolate(self, a: Params, b: Params, s: float) -> dict[str, Tensor]:
        """Straight, but for cores that have a path of their own, such as a geodesic."""
        return super().interpolate(a, b, s) | self.core.interpolate(a, b, s)


def forward_of(
    module: nn.Module, tensors: Params, layout: InputLayout, cores: tuple[Lent, ...], sequence: Tensor
) -> Any:
    """What the forward returns for sequences (time, batch, input_size)."""
    given: tuple = (layout.put(sequence),)
    if layout.state_argument:
        zeros = [core.zeros(sequence, sequence.shape[1]) for core in cores]
        behind = zeros[0] if len(zeros) == 1 else zeros
        given = (*given, behind if layout.state_argument == "zeros" else None)
    with attributes_put_back(module):  # a state kept between calls is not to be carried from one trial to the next
        return call(module, tensors, given)


def one_step(
    module: nn.Module,
    tensors: Params,
    cores: tuple[Lent, ...],
    layout: InputLayout,
    state: Tensor,
    input: Tensor,
) -> tuple[Tensor, Any]:
    """New states of all cores, and what the forward returned, for one step from ``state`` (batch, state_size)."""
    new: dict[str, Tensor] = {}
    own = state.split([core.state_size for core in cores], dim=-1)
    answers = [
        _lent.Stepping(core, module, x, _rule(core, tensors, x), new) for core, x in zip(cores, own, strict=True)
    ]
    with _lent.lend(module, list(cores), answers):
        returned = forward_of(module, tensors, layout, cores, input[None])
    missing = [core.path for core in cores if core.path not in new]
    if missing:
        raise NotOneStepError(f"core {missing[0]} is not called in a step")
    return torch.cat([new[core.path] for core in cores], dim=-1), returned


def _rule(core: Lent, tensors: Params, state: Tensor) -> Callable[[Tensor], Tensor] | None:
    return None if core.rule is None else partial(_ruled, core.rule, tensors, state)


def _ruled(rule: RecurrentSystem, tensors: Params, state: Tensor, input: Tensor) -> Tensor:
    weights = rule.materialise(tensors)
    return rule.step(weights, state, rule.drive(weights, input))


def initial_states(
    module: nn.Module, tensors: Params, cores: tuple[Lent, ...], layout: InputLayout, inputs: Tensor
) -> Tensor:
    """The states (batch, state_size) with which the cores are first called on sequences (time, batch, input_size)."""
    seen: dict[str, Tensor | None] = {}
    batch = inputs.shape[1]
    answers = [_lent.Watching(core, module, seen, len(cores)) for core in cores]
    with _lent.lend(module, list(cores), answers), suppress(Reached):
        forward_of(module, tensors, layout, cores, inputs)
    parts = []
    for core in cores:
        given = seen.get(core.path)
        parts.append(inputs.new_zeros(batch, core.state_size) if given is None else given.expand(batch, -1))
    return torch.cat(parts, dim=-1)
