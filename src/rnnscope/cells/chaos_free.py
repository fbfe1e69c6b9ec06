"""Chaos-free network: at zero input its only attractor is 0, which makes it a negative control.

    h[t] = θ tanh(h[t-1]) + η tanh(W u[t]),   θ = σ(U_θ h[t-1] + V_θ u[t] + b_θ),  η = σ(U_η h[t-1] + V_η u[t] + b_η)

Source: Laurent & von Brecht, ICLR 2017.
"""

import torch
from torch import Tensor

from rnnscope.cells._cell import Cell, Params, Shapes, Sizes, Weights, each_row, only_hidden, recurrent_products


def param_shapes(sizes: Sizes) -> Shapes:
    """Stacked θ, η: V (2H, input), U (2H, H), b (2H); and W (H, input)."""
    h = sizes.hidden_size
    return {
        "weight_ih": (2 * h, sizes.input_size),
        "weight_hh": (2 * h, h),
        "bias": (2 * h,),
        "weight": (h, sizes.input_size),
    }


def materialise(params: Params) -> Weights:
    """Input weights of gates and candidate, one under the other."""
    bias = torch.cat([params["bias"], torch.zeros_like(params["weight"][..., 0])], dim=-1)
    input = torch.cat([params["weight_ih"], params["weight"]], dim=-2)
    return {"input": input, "state": params["weight_hh"], "bias": bias}


def drive(weights: Weights, input: Tensor) -> Tensor:
    """V u + b of both gates and tanh(W u), (..., 3H)."""
    product = input @ weights["input"].mT + weights["bias"]
    gates = product[..., : weights["state"].shape[-2]]
    return torch.cat([gates, torch.tanh(product[..., gates.shape[-1] :])], dim=-1)


def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
    """One step of the map h -> h, (..., H)."""
    h = state.shape[-1]
    forget, admit = torch.sigmoid(drive[..., : 2 * h] + state @ weights["state"].mT).chunk(2, dim=-1)
    return forget * torch.tanh(state) + admit * drive[..., 2 * h :]


def linearised(
    weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The step, and what it makes of differences in the state (..., k, H) and in the drive (..., k, 3H)."""
    h = state.shape[-1]
    gate_forcing = None if forcing is None else forcing[..., : 2 * h]
    product, pushed = recurrent_products(weights, state, rows, gate_forcing)
    gates = torch.sigmoid(drive[..., : 2 * h] + product)
    forget, admit = gates.chunk(2, dim=-1)
    recalled, candidate = torch.tanh(state), drive[..., 2 * h :]
    slopes = gates * (1 - gates) * torch.cat([recalled, candidate], dim=-1)
    by_forget, by_admit = (each_row(slopes) * pushed).chunk(2, dim=-1)
    new_rows = each_row(forget * (1 - recalled * recalled)) * rows + by_forget + by_admit
    if forcing is not None:
        new_rows = new_rows + each_row(admit) * forcing[..., 2 * h :]
    return forget * recalled + admit * candidate, new_rows


def drive_linearised(weights: Weights, drive: Tensor, rows: Tensor) -> Tensor:
    """Linear for the gates; through the tanh for the candidate."""
    pushed = rows @ weights["input"].mT
    gates = weights["state"].shape[-2]
    candidate = drive[..., gates:]
    return torch.cat([pushed[..., :gates], each_row(1 - candidate * candidate) * pushed[..., gates:]], dim=-1)


CELL = Cell(
    "chaos-free",
    param_shapes,
    materialise,
    drive,
    step,
    only_hidden,
    linearised=linearised,
    drive_linearised=drive_linearised,
)
