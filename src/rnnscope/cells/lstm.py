"""Long short-term memory, as ``torch.nn.LSTM`` (gate order i, f, g, o; with or without projection)."""

import torch
from torch import Tensor

from rnnscope.cells._cell import (
    Cell,
    Params,
    Sizes,
    Weights,
    each_row,
    gate_shapes,
    linear_drive,
    total_bias,
)


def materialise(params: Params) -> Weights:
    """The stacked gates W_ih (4H, input), W_hh (4H, output), b_ih + b_hh, and W_hr (output, H) if there is one."""
    projection = {"projection": params["weight_hr"]} if "weight_hr" in params else {}
    return {"input": params["weight_ih"], "state": params["weight_hh"], **total_bias(params), **projection}


def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
    """One step of the map (h, c) -> (h, c).

        i, f, o = σ(drive + W_hh h),  g = tanh(drive + W_hh h),  c <- f c + i g,  h <- (W_hr) o tanh(c)

    Args:
        weights: from ``materialise``.
        state: (..., output_size + hidden_size), h and then c.
        drive: (..., 4 hidden_size), W_ih u + b.

    Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000 (forget gate).

    """
    hidden_size = drive.shape[-1] // 4
    h, c = state[..., :-hidden_size], state[..., -hidden_size:]
    i, f, g, o = (drive + h @ weights["state"].mT).split(hidden_size, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    if "projection" in weights:
        h = h @ weights["projection"].mT
    return torch.cat([h, c], dim=-1)


def linearised(
    weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The step, and what it makes of differences in the state (..., k, output + H) and in the drive (..., k, 4H)."""
    size = drive.shape[-1] // 4
    h, c, forget, onward, slopes = _opened(weights, state, drive)
    if forcing is None and rows.shape[-2] >= size:  # so many rows that scaling W is cheaper than scaling W times them
        by_memory, by_output = (rows[..., :-size] @ _folded(weights, slopes).mT).chunk(2, dim=-1)
    else:
        pushed = rows[..., :-size] @ weights["state"].mT
        by_i, by_f, by_g, by_output = (each_row(slopes) * (pushed if forcing is None else pushed + forcing)).chunk(
            4, -1
        )
        by_memory = by_i + by_f + by_g
    dc = torch.addcmul(by_memory, each_row(forget), rows[..., -size:])
    dh = torch.addcmul(by_output, each_row(onward), dc)
    if "projection" in weights:
        h, dh = h @ weights["projection"].mT, dh @ weights["projection"].mT
    return torch.cat([h, c], dim=-1), torch.cat([dh, dc], dim=-1)


def jacobian(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
    """Four blocks, ∂(h, c)[t] / ∂(h, c)[t-1]: (..., output + H, output + H)."""
    _, _, forget, onward, slopes = _opened(weights, state, drive)
    by_memory, by_output = _folded(weights, slopes).chunk(2, dim=-2)
    size = forget.shape[-1]
    output = torch.addcmul(by_output, onward[..., None], by_memory)
    if "projection" in weights:
        output = torch.cat([output, torch.diag_embed(onward * forget)], dim=-1)
        output = weights["projection"] @ output
        return torch.cat([output, torch.cat([by_memory, torch.diag_embed(forget)], dim=-1)], dim=-2)
    whole = state.new_zeros(*state.shape, 2 * size)
    whole[..., :size, :size], whole[..., size:, :size] = output, by_memory
    whole[..., :size, size:].diagonal(dim1=-2, dim2=-1).copy_(onward * forget)
    whole[..., size:, size:].diagonal(dim1=-2, dim2=-1).copy_(forget)
    return whole


def _opened(weights: Weights, state: Tensor, drive: Tensor) -> tuple[Tensor, ...]:
    """h before a projection, c, f, ∂h/∂c, and what c (i, f, g) and h at fixed c (o) owe to each gate's argument."""
    size = drive.shape[-1] // 4
    before = state[..., -size:]
    arguments = drive + state[..., :-size] @ weights["state"].mT
    gates = torch.sigmoid(arguments)
    i, f, _, o = gates.chunk(4, dim=-1)
    by_i, by_f, _, by_o = torch.addcmul(gates, gates, gates, value=-1).chunk(4, dim=-1)  # σ' = σ (1 - σ)
    g = torch.tanh(arguments[..., 2 * size : 3 * size])
    admitted = i * g
    c = torch.addcmul(admitted, f, before)
    squashed = torch.tanh(c)
    h = o * squashed
    by_g = torch.addcmul(i, admitted, g, value=-1)
    slopes = torch.cat([g * by_i, before * by_f, by_g, squashed * by_o], dim=-1)
    return h, c, f, torch.addcmul(o, h, squashed, value=-1), slopes


def _folded(weights: Weights, slopes: Tensor) -> Tensor:
    """∂c/∂h and, at fixed c, ∂h/∂h, one under the other: (..., 2H, output)."""
    i, f, g, o = (slopes[..., None] * weights["state"]).chunk(4, dim=-2)
    return torch.cat([i + f + g, o], dim=-2)


def part_sizes(sizes: Sizes) -> dict[str, int]:
    """The output h (projected, where there is a projection) and the memory c."""
    return {"h": sizes.output_size, "c": sizes.hidden_size}


CELL = Cell(
    "lstm",
    gate_shapes(4),
    materialise,
    linear_drive,
    step,
    part_sizes,
    linearised=linearised,
    jacobian=jacobian,
    second_part_is_diagonal=True,
)
