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
    recurrent_products,
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
    hidden_size = drive.shape[-1] // 4
    product, pushed = recurrent_products(weights, state[..., :-hidden_size], rows[..., :-hidden_size], forcing)
    i, f, g, o = (drive + product).split(hidden_size, dim=-1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    before = state[..., -hidden_size:]
    c = f * before + i * g
    squashed = torch.tanh(c)
    slopes = torch.cat(
        [g * i * (1 - i), before * f * (1 - f), i * (1 - g * g), squashed * o * (1 - o)], dim=-1
    )  # fmt: skip
    by_i, by_f, by_g, by_o = (each_row(slopes) * pushed).split(hidden_size, dim=-1)
    dc = each_row(f) * rows[..., -hidden_size:] + by_i + by_f + by_g
    h, dh = o * squashed, each_row(o * (1 - squashed * squashed)) * dc + by_o
    if "projection" in weights:
        h, dh = h @ weights["projection"].mT, dh @ weights["projection"].mT
    return torch.cat([h, c], dim=-1), torch.cat([dh, dc], dim=-1)


def part_sizes(sizes: Sizes) -> dict[str, int]:
    """The output h (projected, where there is a projection) and the memory c."""
    return {"h": sizes.output_size, "c": sizes.hidden_size}


CELL = Cell("lstm", gate_shapes(4), materialise, linear_drive, step, part_sizes, linearised=linearised)
