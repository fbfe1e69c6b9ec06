"""Linear recurrent unit: a diagonal complex linear recurrence, its states kept as real pairs.

    x[t] = λ x[t-1] + γ B u[t],   λ = exp(-e^ν + i e^φ),   γ = sqrt(1 - |λ|²);   output Re(C x[t]) is the head's

The state is [Re x, Im x]. Source: Orvieto et al., ICML 2023.
"""

import math

import torch
from torch import Generator, Tensor

from rnnscope.cells._cell import Cell, Params, Shapes, Sizes, Weights


def param_shapes(sizes: Sizes) -> Shapes:
    """ν, φ (H) and the real and imaginary part of B, stacked (2H, input)."""
    h = sizes.hidden_size
    return {"nu": (h,), "phi": (h,), "weight_ih": (2 * h, sizes.input_size)}


def materialise(params: Params) -> Weights:
    """Re λ, Im λ, and γ B."""
    modulus = torch.exp(-torch.exp(params["nu"]))
    angle = torch.exp(params["phi"])
    scale = torch.sqrt(1 - modulus**2)
    return {
        "real": modulus * torch.cos(angle),
        "imaginary": modulus * torch.sin(angle),
        "input": torch.cat([scale, scale], dim=-1)[..., None] * params["weight_ih"],
    }


def drive(weights: Weights, input: Tensor) -> Tensor:
    """γ B u, real part and imaginary part."""
    return input @ weights["input"].mT


def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
    """One step of the map x -> λ x + γ B u, (..., 2H)."""
    x, y = state.chunk(2, dim=-1)
    real, imaginary = weights["real"], weights["imaginary"]
    return drive + torch.cat([real * x - imaginary * y, imaginary * x + real * y], dim=-1)


def linearised(
    weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The step, and what it makes of differences in the state and in the drive (..., k, 2H)."""
    turned = step(weights, rows, torch.zeros_like(rows))
    return step(weights, state, drive), turned if forcing is None else turned + forcing


def part_sizes(sizes: Sizes) -> dict[str, int]:
    """Real and imaginary parts; the layer's output is both, for a linear head forms Re(C x) of them."""
    return {"x": 2 * sizes.hidden_size}


def initialise(params: dict[str, Tensor], generator: Generator) -> None:
    """|λ|² uniform in [0.5, 0.99²], angles uniform in (0, π/4), B normal with variance 1/(2 input_size)."""
    h = params["nu"].shape[0]
    squared = 0.5 + (0.99**2 - 0.5) * torch.rand(h, generator=generator, dtype=torch.float64)
    params["nu"].copy_(torch.log(-0.5 * torch.log(squared)))
    angle = math.pi / 4 * torch.rand(h, generator=generator, dtype=torch.float64).clamp(min=1e-3)
    params["phi"].copy_(torch.log(angle))
    kernel = params["weight_ih"]
    kernel.copy_(torch.randn(kernel.shape, generator=generator) / math.sqrt(2 * kernel.shape[1]))


CELL = Cell("lru", param_shapes, materialise, drive, step, part_sizes, initialise=initialise, linearised=linearised)
