"""Our own recurrent layers: a cell stepped along sequences."""

import math

import torch
from torch import Tensor, nn

from rnnscope import cells


class Recurrent(nn.Module):
    """Layers of any cell over whole sequences, batch first, in plain tensor operations.

    (batch, time, input_size) -> outputs (batch, time, output_size) and final state (batch, state_size), from the zero
    state. Parameters are called as the cell calls them, with the layer behind: ``weight_hh_l0``.
    """

    batch_first = True

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        options: dict[str, float | str] | None = None,
    ):
        super().__init__()
        self.cell, self.options = cell, dict(options or {})
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.rule = cells.load(cell, **self.options)
        parts = self.rule.part_sizes(cells.Sizes(input_size, hidden_size, hidden_size))
        self.output_size, self.state_size = next(iter(parts.values())), sum(parts.values())
        self.names = tuple(self.rule.param_shapes(cells.Sizes(input_size, hidden_size, hidden_size)))
        for layer in range(num_layers):
            width = input_size if layer == 0 else self.output_size
            shapes = self.rule.param_shapes(cells.Sizes(width, hidden_size, hidden_size))
            params = {name: torch.empty(shape) for name, shape in shapes.items()}
            self.initialise(params)
            for name, tensor in params.items():
                if name in self.rule.frozen:
                    self.register_buffer(f"{name}_l{layer}", tensor)
                else:
                    self.register_parameter(f"{name}_l{layer}", nn.Parameter(tensor))

    def initialise(self, params: dict[str, Tensor]) -> None:
        """Draw a layer's parameters: as the cell says, else uniform in ±1/sqrt(hidden_size)."""
        with torch.no_grad():
            if self.rule.initialise is not None:
                self.rule.initialise(params, torch.default_generator)
                return
            bound = 1 / math.sqrt(self.hidden_size)
            for tensor in params.values():
                tensor.uniform_(-bound, bound)

    def layer_params(self, layer: int) -> dict[str, Tensor]:
        """The parameters of a layer by the cell's names."""
        return {name: getattr(self, f"{name}_l{layer}") for name in self.names}

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        outputs, final = inputs, []
        for layer in range(self.num_layers):
            weights = self.materialise(self.layer_params(layer))
            states = self.run(weights, self.rule.drive(weights, outputs).movedim(1, 0))
            outputs = states[..., : self.output_size].movedim(0, 1)
            final.append(states[-1])
        return outputs, torch.cat(final, dim=-1)

    def materialise(self, params: dict[str, Tensor]) -> cells.Weights:
        return self.rule.materialise(params)

    def run(self, weights: cells.Weights, drives: Tensor) -> Tensor:
        """States (time, batch, state) from the zero state."""
        state = drives.new_zeros(drives.shape[1], self.state_size)
        states = []
        for drive in drives:
            state = self.rule.step(weights, state, drive)
            states.append(state)
        return torch.stack(states)

    def after_step(self) -> None:
        """Nothing to re-establish."""

    def extra_repr(self) -> str:
        return f"{self.cell}, {self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"
