"""Minimal gated unit: gate and candidate see the input only, so each coordinate is a scalar linear map.

    h[t] = (1 - z[t]) h[t-1] + z[t] g(W u[t] + b),   z[t] = σ(W_z u[t] + b_z),   g(x) = x + 1/2 for x >= 0, else σ(x)

Source: Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024 (arXiv 2410.01201).
"""

import torch
from torch import Tensor

from rnnscope.cells._cell import Cell, Params, Shapes, Sizes, Weights, only_hidden


def param_shapes(sizes: Sizes) -> Shapes:
    """Stacked z and candidate: (2H, input) and (2H)."""
    return {"weight_ih": (2 * sizes.hidden_size, sizes.input_size), "bias": (2 * sizes.hidden_size,)}


def materialise(params: Params) -> Weights:
    """The parameters themselves."""
    return {"input": params["weight_ih"], "bias": params["bias"]}


def drive(weights: Weights, input: Tensor) -> Tensor:
    """The gate z and the candidate g, (..., 2H): all there is to compute from the input."""
    gate, candidate = (input @ weights["input"].mT + weights["bias"]).chunk(2, dim=-1)
    positive = torch.where(candidate >= 0, candidate + 0.5, torch.sigmoid(candidate))
    return torch.cat([torch.sigmoid(gate), positive], dim=-1)


def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
    """One step of the map h -> (1 - z) h + z g, (..., H)."""
    gate, candidate = drive.chunk(2, dim=-1)
    return state + gate * (candidate - state)


CELL = Cell("mingru", param_shapes, materialise, drive, step, only_hidden)
