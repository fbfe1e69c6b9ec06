"""Chaos-free network: at zero input its only attractor is 0, which makes it a negative control.

    h[t] = θ tanh(h[t-1]) + η tanh(W u[t]),   θ = σ(U_θ h[t-1] + V_θ u[t] + b_θ),  η = σ(U_η h[t-1] + V_η u[t] + b_η)

Source: Laurent & von Brecht, ICLR 2017.
"""

import torch
from torch import Tensor

from rnnscope.cells._cell import Cell, Params, Shapes, Sizes, Weights, only_hidden


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


CELL = Cell("chaos-free", param_shapes, materialise, drive, step, only_hidden)
