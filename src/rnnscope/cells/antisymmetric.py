"""Antisymmetric network: an Euler step of a flow whose Jacobian has no real parts beyond -γ.

    h[t] = h[t-1] + ε tanh((W - Wᵀ - γ I) h[t-1] + V u[t] + b)

Source: Chang, Chen, Haber & Chi, ICLR 2019.
"""

import torch
from torch import Tensor

from rnnscope.base.errors import require
from rnnscope.cells._cell import (
    Cell,
    Params,
    Shapes,
    Sizes,
    Weights,
    each_row,
    linear_drive,
    only_hidden,
    recurrent_products,
)


def param_shapes(sizes: Sizes) -> Shapes:
    """V, W and b."""
    h = sizes.hidden_size
    return {"weight_ih": (h, sizes.input_size), "weight_hh": (h, h), "bias": (h,)}


def make_cell(step_size: float = 0.1, damping: float = 0.01) -> Cell:
    """The cell with ε = ``step_size`` > 0 and γ = ``damping`` >= 0."""
    require(step_size > 0, "step_size", "a positive number", step_size)
    require(damping >= 0, "damping", "a number of at least 0", damping)

    def materialise(params: Params) -> Weights:
        w = params["weight_hh"]
        identity = torch.eye(w.shape[-1], dtype=w.dtype, device=w.device)
        return {"input": params["weight_ih"], "state": w - w.mT - damping * identity, "bias": params["bias"]}

    def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
        return state + step_size * torch.tanh(drive + state @ weights["state"].mT)

    def linearised(
        weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        product, pushed = recurrent_products(weights, state, rows, forcing)
        force = torch.tanh(drive + product)
        return state + step_size * force, rows + each_row(step_size * (1 - force * force)) * pushed

    return Cell("antisymmetric", param_shapes, materialise, linear_drive, step, only_hidden, linearised=linearised)
