"""Coupled oscillatory network: damped, forced, coupled oscillators.

    z[t] = z[t-1] + Δ (tanh(W y[t-1] + 𝒲 z[t-1] + V u[t] + b) - γ y[t-1] - ε z[t-1])
    y[t] = y[t-1] + Δ z[t]

Source: Rusch & Mishra, ICLR 2021 (explicit form).
"""

import torch
from torch import Tensor

from rnnscope.base.errors import require
from rnnscope.cells._cell import Cell, Params, Shapes, Sizes, Weights, each_row, linear_drive, recurrent_products


def param_shapes(sizes: Sizes) -> Shapes:
    """V, [W 𝒲] (H, 2H) and b."""
    h = sizes.hidden_size
    return {"weight_ih": (h, sizes.input_size), "weight_hh": (h, 2 * h), "bias": (h,)}


def materialise(params: Params) -> Weights:
    """The parameters themselves."""
    return {"input": params["weight_ih"], "state": params["weight_hh"], "bias": params["bias"]}


def part_sizes(sizes: Sizes) -> dict[str, int]:
    """Positions y, the layer's output, and velocities z."""
    return {"y": sizes.hidden_size, "z": sizes.hidden_size}


def make_cell(step_size: float = 0.1, stiffness: float = 1.0, damping: float = 1.0) -> Cell:
    """The cell with Δ = ``step_size``, γ = ``stiffness`` and ε = ``damping``, all positive."""
    for name, value in (("step_size", step_size), ("stiffness", stiffness), ("damping", damping)):
        require(value > 0, name, "a positive number", value)

    def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
        y, z = state.chunk(2, dim=-1)
        force = torch.tanh(drive + state @ weights["state"].mT)
        z = z + step_size * (force - stiffness * y - damping * z)
        return torch.cat([y + step_size * z, z], dim=-1)

    def linearised(
        weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        product, pushed = recurrent_products(weights, state, rows, forcing)
        force = torch.tanh(drive + product)
        y, z = state.chunk(2, dim=-1)
        z = z + step_size * (force - stiffness * y - damping * z)
        dy, dz = rows.chunk(2, dim=-1)
        dz = dz + step_size * (each_row(1 - force * force) * pushed - stiffness * dy - damping * dz)
        return torch.cat([y + step_size * z, z], dim=-1), torch.cat([dy + step_size * dz, dz], dim=-1)

    return Cell("cornn", param_shapes, materialise, linear_drive, step, part_sizes, linearised=linearised)
