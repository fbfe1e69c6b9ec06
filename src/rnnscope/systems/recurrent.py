"""Stacked recurrent layers with a linear head or without: torch's modules, our models, and (core, head) pairs."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rnnscope import cells
from rnnscope.systems.system import Params, System, Trajectory, Weights, detached, pick


@dataclass(frozen=True, kw_only=True)
class Core:
    """Recurrent layers: which cell, how large, and where their parameters stand in the model's state dict.

    ``suffixed`` says whether parameter names end in the layer (``weight_ih_l0``), as in torch.nn.LSTM, or not
    (``weight_ih``), as in torch.nn.LSTMCell. ``proj_size`` 0 means no projection; ``options`` are the cell's.
    """

    cell: str
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    proj_size: int = 0
    prefix: str = ""
    suffixed: bool = True
    options: dict[str, float | str] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def rule(self) -> cells.Cell:
        """The cell itself."""
        return cells.load(self.cell, **self.options)

    @cached_property
    def output_size(self) -> int:
        """Width of a layer's output."""
        width = self.proj_size or self.hidden_size
        return next(iter(self.rule.part_sizes(cells.Sizes(self.input_size, self.hidden_size, width)).values()))

    def sizes(self, layer: int) -> cells.Sizes:
        """Sizes of a layer: the first one takes the input, the others the output of the one below."""
        width = self.input_size if layer == 0 else self.output_size
        return cells.Sizes(width, self.hidden_size, self.proj_size or self.hidden_size, self.bias)

    def shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """Parameters of a layer by the names of the cell."""
        return self.rule.param_shapes(self.sizes(layer))

    def full_name(self, name: str, layer: int) -> str:
        """What the model's state dict calls a parameter of a layer."""
        return f"{self.prefix}{name}" + (f"_l{layer}" if self.suffixed else "")

    def params_of(self, params: Params, layer: int) -> dict[str, Tensor]:
        """The parameters of a layer by the names of the cell."""
        return {name: params[self.full_name(name, layer)] for name in self.shapes(layer)}


@dataclass(frozen=True, kw_only=True)
class Head:
    """A linear readout of the last layer's output."""

    output_size: int
    bias: bool = True
    prefix: str = "head."


@dataclass(frozen=True, kw_only=True)
class Description:
    """All that is needed to read a state dict as a recurrent system; plain values, kept in a run's model.toml."""

    core: Core
    head: Head | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain nested tables."""
        return {name: part for name, part in asdict(self).items() if part is not None}

    @classmethod
    def from_dict(cls, tables: dict[str, Any]) -> "Description":
        """The inverse of ``to_dict``."""
        return cls(core=Core(**tables["core"]), head=Head(**tables["head"]) if "head" in tables else None)

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all parameters, layer by layer, the head's last."""
        core, head = self.core, self.head
        shapes = {
            core.full_name(name, k): shape for k in range(core.num_layers) for name, shape in core.shapes(k).items()
        }
        if head:
            shapes[f"{head.prefix}weight"] = (head.output_size, core.output_size)
            if head.bias:
                shapes[f"{head.prefix}bias"] = (head.output_size,)
        return shapes


class _Layer(NamedTuple):
    start: int
    stop: int
    output_size: int


class RecurrentSystem(System):
    """A stack of recurrent layers and a linear head as one map.

    The state packs the parts of each layer one after another: [h, c] of layer 0, then of layer 1, … for an LSTM. With
    several layers one step of the map passes through all of them: layer l sees the new output of layer l-1.
    """

    def __init__(self, description: Description, params: Params):
        core, head = description.core, description.head
        self.description = description
        self.params = detached(params)
        self.cell = core.rule
        sizes = self.cell.part_sizes(core.sizes(0))
        layer_size = sum(sizes.values())
        self.layers = [_Layer(k * layer_size, (k + 1) * layer_size, core.output_size) for k in range(core.num_layers)]
        self.frozen = frozenset(core.full_name(name, k) for name in core.rule.frozen for k in range(core.num_layers))
        self.input_size = core.input_size
        self.state_size = layer_size * core.num_layers
        self.output_size = head.output_size if head else core.output_size
        whole = list(sizes.values()) == [core.hidden_size] * 2 and core.num_layers == 1
        self.second_half_is_diagonal = whole and self.cell.second_part_is_diagonal
        self.state_labels = tuple(
            (f"layer{k}." if core.num_layers > 1 else "") + f"{part}[{i}]"
            for k in range(core.num_layers)
            for part, size in sizes.items()
            for i in range(size)
        )

    def signature(self) -> str:
        """The description: cell, sizes, options, names."""
        return repr(self.description)

    def __reduce__(self) -> tuple:
        return type(self), (self.description, self.params)

    def at(self, params: Params) -> "RecurrentSystem":
        """The same layers and head at other parameters, for example a snapshot of the same model."""
        return type(self)(self.description, pick(params, self.params))

    def materialise(self, params: Params) -> Weights:
        """Per layer what the cell makes of its parameters, then the head's weight and bias."""
        core, head = self.description.core, self.description.head
        weights = {f"layer{k}": self.cell.materialise(core.params_of(params, k)) for k in range(core.num_layers)}
        if head:
            names = ["weight", "bias"] if head.bias else ["weight"]
            weights["head"] = {name: params[head.prefix + name] for name in names}
        return weights

    def drive(self, weights: Weights, input: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch drive"]:
        """The input's product with the first layer's weights, biases added."""
        return self.cell.drive(weights["layer0"], input)

    def step(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch state"]:
        """One step through all layers."""
        new = []
        for k, layer in enumerate(self.layers):
            own = weights[f"layer{k}"]
            if k > 0:
                drive = self.cell.drive(own, new[-1][..., : layer.output_size])
            new.append(self.cell.step(own, state[..., layer.start : layer.stop], drive))
        return torch.cat(new, dim=-1) if len(new) > 1 else new[0]

    def tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch drive"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> Float[Tensor, "*batch state k"]:
        """J V, from the closed form of the cell where it has one."""
        if self.cell.linearised is None:
            return super().tangent(weights, state, drive, vectors)
        return self.linearised(weights, state, drive, vectors.mT)[1].mT

    def jacobian(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch state state"]:
        """∂f/∂x, from the closed form of the cell where it has one."""
        if self.cell.linearised is None:
            return super().jacobian(weights, state, drive)
        if self.cell.jacobian is not None and len(self.layers) == 1:
            return self.cell.jacobian(weights["layer0"], state, drive)
        identity = torch.eye(self.state_size, dtype=state.dtype, device=state.device)
        columns = self.linearised(weights, state, drive, identity)[1]
        return columns.expand(*state.shape[:-1], -1, -1).mT

    def step_and_tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch drive"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch state k"]]:
        """x[t] and J V in one pass through the layers."""
        if self.cell.linearised is None:
            return super().step_and_tangent(weights, state, drive, vectors)
        state, rows = self.linearised(weights, state, drive, vectors.mT)
        return state, rows.mT

    def linearised(
        self, weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, input_rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """x[t], and what becomes of small differences in the state and in the input, by the closed form of the cell.

        Args:
            weights: from ``materialise``.
            state: (..., state_size).
            drive: (..., drive_size).
            rows: differences of x[t-1], (..., k, state_size); leading dimensions may be missing.
            input_rows: differences of u[t], (..., k, input_size); None: none.

        Raises:
            ValueError: the cell has no closed form; ``tangent`` works without.

        """
        if self.cell.linearised is None:
            raise ValueError(f"cell {self.cell.name} has no closed form of its tangent: use tangent, which needs none")
        states, pushed, forcing = [], [], None
        if input_rows is not None:
            forcing = self.cell.drive_linearised(weights["layer0"], drive, input_rows)
        if len(self.layers) == 1:
            return self.cell.linearised(weights["layer0"], state, drive, rows, forcing)
        for k, layer in enumerate(self.layers):
            own = weights[f"layer{k}"]
            if k > 0:
                drive = self.cell.drive(own, states[-1][..., : layer.output_size])
                forcing = self.cell.drive_linearised(own, drive, pushed[-1][..., : layer.output_size])
            here = slice(layer.start, layer.stop)
            new = self.cell.linearised(own, state[..., here], drive, rows[..., here], forcing)
            states.append(new[0])
            pushed.append(new[1])
        return torch.cat(states, dim=-1), torch.cat(torch.broadcast_tensors(*pushed), dim=-1)

    def readout(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch output"]:
        """The head's product with the last layer's output, or that output itself where there is no head."""
        last = self.layers[-1]
        return self._head(weights, state[..., last.start : last.start + last.output_size])

    def readout_tangent(self, weights: Weights, rows: Tensor) -> Tensor:
        """∂y/∂x times each row of ``rows`` (..., k, state_size)."""
        last = self.layers[-1]
        output = rows[..., last.start : last.start + last.output_size]
        return output @ weights["head"]["weight"].mT if "head" in weights else output

    def _head(self, weights: Weights, output: Tensor) -> Tensor:
        if "head" not in weights:
            return output
        output = output @ weights["head"]["weight"].mT
        return output + weights["head"]["bias"] if "bias" in weights["head"] else output

    def interpolate(self, a: Params, b: Params, s: float) -> dict[str, Tensor]:
        """Straight between two parameter points, but for cells that have a path of their own, such as a geodesic."""
        point = super().interpolate(a, b, s)
        core = self.description.core
        if self.cell.interpolate is not None:
            for k in range(core.num_layers):
                own = self.cell.interpolate(core.params_of(a, k), core.params_of(b, k), s)
                point |= {core.full_name(name, k): tensor for name, tensor in own.items()}
        return point

    def fast_path(self, state: Tensor, inputs: Tensor, n_steps: int | None) -> Trajectory | None:
        """Through torch's fused kernel, for the recurrences that have one."""
        kernel = _KERNELS.get(self.description.core.cell)
        if kernel is None:
            return None
        sequence = inputs if n_steps is None else inputs.expand(n_steps, *inputs.shape)
        outputs, final = self._run_fused(kernel, sequence, state)
        return Trajectory(self._head(self.materialise_head(), outputs), final, None)

    def materialise_head(self) -> Weights:
        """The head's weights alone."""
        head = self.description.head
        if head is None:
            return {}
        return {"head": {n: self.params[head.prefix + n] for n in (["weight", "bias"] if head.bias else ["weight"])}}

    def _run_fused(self, kernel: Callable[..., Any], sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        core = self.description.core
        flat = [p for k in range(core.num_layers) for p in core.params_of(self.params, k).values()]
        sizes = list(self.cell.part_sizes(core.sizes(0)).values())
        by_layer = state.unflatten(-1, (core.num_layers, -1)).movedim(1, 0)
        parts = [part.contiguous() for part in by_layer.split(sizes, dim=-1)]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
            # input, initial state, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first
            outputs, *parts = kernel(
                sequence.contiguous(), parts if len(parts) > 1 else parts[0], flat, core.bias, core.num_layers,
                0.0, False, False, False,
            )  # fmt: skip
        return outputs, torch.cat(parts, dim=-1).movedim(0, 1).flatten(1)


_KERNELS: dict[str, Callable[..., Any]] = {
    "lstm": torch.lstm,
    "gru": torch.gru,
    "rnn-tanh": torch.rnn_tanh,
    "rnn-relu": torch.rnn_relu,
}
