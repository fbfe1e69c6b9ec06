"""Minimal gated unit: gate and candidate see the input only, so each coordinate is a scalar linear map.

    h[t] = (1 - z[t]) h[t-1] + z[t] g(W u[t] + b),   z[t] = σ(W_z u[t] + b_z),   g(x) = x + 1/2 for x >= 0, else σ(x)

Source: Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024 (arXiv 2410.01201).
"""

import torch
from torch import Tensor

from rnnscope.cells._cell import Cell, Params, Shapes, Sizes, Weights, each_row, only_hidden


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


def linearised(
    weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The step, and what it makes of differences in the state (..., k, H) and in the drive (..., k, 2H)."""
    gate, candidate = drive.chunk(2, dim=-1)
    new_rows = each_row(1 - gate) * rows
    if forcing is not None:
        by_gate, by_candidate = forcing.chunk(2, dim=-1)
        new_rows = new_rows + each_row(candidate - state) * by_gate + each_row(gate) * by_candidate
    return step(weights, state, drive), new_rows


def drive_linearised(weights: Weights, drive: Tensor, rows: Tensor) -> Tensor:
    """Through the sigmoid of the gate, and through g, whose values from 1/2 on are those of its linear piece."""
    gate, candidate = drive.chunk(2, dim=-1)
    slope = torch.where(candidate >= 0.5, torch.ones_like(candidate), candidate * (1 - candidate))
    return each_row(torch.cat([gate * (1 - gate), slope], dim=-1)) * (rows @ weights["input"].mT)


CELL = Cell(
    "mingru",
    param_shapes,
    materialise,
    drive,
    step,
    only_hidden,
    linearised=linearised,
    drive_linearised=drive_linearised,
)
