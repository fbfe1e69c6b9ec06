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
    size = state.shape[-1]
    new, z, candidate, slopes = _opened(weights, state, drive)
    if forcing is None and rows.shape[-2] >= size:  # so many rows that scaling W is cheaper than scaling W times them
        return new, rows @ _dense(weights, z, slopes).mT
    by_r, by_z, by_n = (each_row(slopes) * (rows @ weights["state"].mT)).chunk(3, dim=-1)
    new_rows = each_row(z) * rows + by_r + by_z + by_n
    if forcing is not None:
        slopes = torch.cat([slopes[..., : 2 * size], candidate], dim=-1)
        by_r, by_z, by_n = (each_row(slopes) * forcing).chunk(3, dim=-1)
        new_rows = new_rows + by_r + by_z + by_n
    return new, new_rows


def jacobian(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
    """∂h[t]/∂h[t-1]: (..., H, H)."""
    _, z, _, slopes = _opened(weights, state, drive)
    return _dense(weights, z, slopes)


def _opened(weights: Weights, state: Tensor, drive: Tensor) -> tuple[Tensor, ...]:
    """New h, z, what h owes to the argument of n, and what it owes to each row of W h."""
    gates = 2 * state.shape[-1]
    product = state @ weights["state"].mT
    opened = torch.sigmoid(drive[..., :gates] + product[..., :gates])
    r, z = opened.chunk(2, dim=-1)
    recalled = product[..., gates:]
    if "reset_bias" in weights:
        recalled = recalled + weights["reset_bias"]
    n = torch.tanh(drive[..., gates:] + r * recalled)
    candidate = (1 - z) * (1 - n * n)
    slopes = torch.cat([candidate * recalled * r * (1 - r), (state - n) * z * (1 - z), candidate * r], dim=-1)
    return n + z * (state - n), z, candidate, slopes


def _dense(weights: Weights, z: Tensor, slopes: Tensor) -> Tensor:
    by_r, by_z, by_n = (slopes[..., None] * weights["state"]).chunk(3, dim=-2)
    return by_r + by_z + by_n + torch.diag_embed(z)


CELL = Cell(
    "gru", gate_shapes(3), materialise, linear_drive, step, only_hidden, linearised=linearised, jacobian=jacobian
)
