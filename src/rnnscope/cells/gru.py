"""Gated recurrent unit, as ``torch.nn.GRU`` (gate order r, z, n; the reset gate after the product)."""

import torch
from torch import Tensor

from rnnscope.cells._cell import Cell, Params, Weights, each_row, gate_shapes, linear_drive, only_hidden


def materialise(params: Params) -> Weights:
    """Stacked gates; of the state's bias only the part of n stays apart, as the reset gate multiplies it."""
    weights = {"input": params["weight_ih"], "state": params["weight_hh"]}
    if "bias_ih" not in params:
        return weights
    r, z, n = params["bias_hh"].chunk(3, dim=-1)
    bias = params["bias_ih"] + torch.cat([r, z, torch.zeros_like(n)], dim=-1)
    return {**weights, "bias": bias, "reset_bias": n}


def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
    """One step of the map h -> h.

        r, z = σ(drive + W_hh h),  n = tanh(drive + r (W_hn h + b_hn)),  h <- (1 - z) n + z h

    Args:
        weights: from ``materialise``.
        state: (..., hidden_size).
        drive: (..., 3 hidden_size), W_ih u + b.

    Source: Cho et al. 2014, in the variant of cuDNN.

    """
    hidden_size = state.shape[-1]
    product = state @ weights["state"].mT
    r, z = torch.sigmoid(drive[..., : 2 * hidden_size] + product[..., : 2 * hidden_size]).chunk(2, dim=-1)
    recalled = product[..., 2 * hidden_size :]
    if "reset_bias" in weights:
        recalled = recalled + weights["reset_bias"]
    n = torch.tanh(drive[..., 2 * hidden_size :] + r * recalled)
    return n + z * (state - n)


def linearised(
    weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The step, and what it makes of differences in the state (..., k, H) and in the drive (..., k, 3H)."""
    gates = 2 * state.shape[-1]
    product, pushed = state @ weights["state"].mT, rows @ weights["state"].mT
    opened = torch.sigmoid(drive[..., :gates] + product[..., :gates])
    r, z = opened.chunk(2, dim=-1)
    recalled = product[..., gates:]
    if "reset_bias" in weights:
        recalled = recalled + weights["reset_bias"]
    n = torch.tanh(drive[..., gates:] + r * recalled)
    slope = (1 - z) * (1 - n * n)
    by_gates = pushed[..., :gates] if forcing is None else pushed[..., :gates] + forcing[..., :gates]
    slopes = opened * (1 - opened) * torch.cat([slope * recalled, state - n], dim=-1)
    by_r, by_z = (each_row(slopes) * by_gates).chunk(2, dim=-1)
    new_rows = each_row(z) * rows + each_row(slope * r) * pushed[..., gates:] + by_r + by_z
    if forcing is not None:
        new_rows = new_rows + each_row(slope) * forcing[..., gates:]
    return n + z * (state - n), new_rows


CELL = Cell("gru", gate_shapes(3), materialise, linear_drive, step, only_hidden, linearised=linearised)
