"""Orthogonal recurrence: the state is rotated, not shrunk, at every step.

    h[t] = φ(V u[t] + h[t-1] B),   B = B0 exp(A) or B0 (I + A)^-1 (I - A),   A = triu(P, 1) - triu(P, 1)ᵀ

with h a row vector and φ modReLU (sign(z) relu(|z| + b)) or tanh (of z + b).

Source: Lezcano-Casado & Martínez-Rubio, ICML 2019 (expRNN); Lezcano-Casado, NeurIPS 2019 (dynamic trivialisations);
Helfrich, Willmott & Ye, ICML 2018 (Cayley).
"""

import math

import torch
from torch import Generator, Tensor

from rnnscope.base.errors import unknown
from rnnscope.cells._cell import Cell, Params, Shapes, Sizes, Weights, each_row, only_hidden

NONLINEARITIES = ("modrelu", "tanh")
MAPS = ("exp", "cayley")


def param_shapes(sizes: Sizes) -> Shapes:
    """V, P (of which the strict upper triangle counts), B0, and b."""
    h = sizes.hidden_size
    return {"input_kernel": (h, sizes.input_size), "skew": (h, h), "base": (h, h), "bias": (h,)}


def skew_symmetric(skew: Tensor) -> Tensor:
    """A = triu(P, 1) - triu(P, 1)ᵀ."""
    upper = skew.triu(1)
    return upper - upper.mT


def orthogonal_matrix(params: Params, map: str = "exp") -> Tensor:
    """B, computed in float64 so that BᵀB = I to float32's rounding.

    >>> B = orthogonal_matrix({"skew": torch.tensor([[0.0, torch.pi / 2], [0.0, 0.0]]), "base": torch.eye(2)})
    >>> B.round().abs()
    tensor([[0., 1.],
            [1., 0.]])
    """
    a = skew_symmetric(params["skew"].double())
    if map == "exp":
        factor = torch.linalg.matrix_exp(a)
    else:
        identity = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
        factor = torch.linalg.solve(identity + a, identity - a)
    return (params["base"].double() @ factor).to(params["skew"].dtype)


def modrelu(z: Tensor, bias: Tensor) -> Tensor:
    """sign(z) relu(|z| + b): it keeps the sign, shrinks by |b| where b < 0, and jumps at 0 where b > 0."""
    return torch.sign(z) * torch.relu(z.abs() + bias)


def drive(weights: Weights, input: Tensor) -> Tensor:
    """V u."""
    return input @ weights["input"].mT


def step(weights: Weights, state: Tensor, drive: Tensor, nonlinearity: str = "modrelu") -> Tensor:
    """One step of the map h -> φ(drive + h B), (..., hidden_size)."""
    z = drive + state @ weights["state"]
    return modrelu(z, weights["bias"]) if nonlinearity == "modrelu" else torch.tanh(z + weights["bias"])


def linearised(
    weights: Weights,
    state: Tensor,
    drive: Tensor,
    rows: Tensor,
    forcing: Tensor | None,
    nonlinearity: str = "modrelu",
) -> tuple[Tensor, Tensor]:
    """The step, and what it makes of differences in the state and in the drive (..., k, hidden_size).

    modReLU has slope 1 where it lets through and 0 where it shrinks to 0; its jump where b > 0 is not seen.
    """
    z = drive + state @ weights["state"]
    if nonlinearity == "modrelu":
        new = modrelu(z, weights["bias"])
        slope = torch.sign(new).abs()
    else:
        new = torch.tanh(z + weights["bias"])
        slope = 1 - new * new
    pushed = rows @ weights["state"]
    return new, each_row(slope) * (pushed if forcing is None else pushed + forcing)


def henaff_angles(n: int, generator: Generator) -> Tensor:
    """Angles of n/2 plane rotations, uniform in (-π, π)."""
    return (2 * torch.rand(n // 2, generator=generator, dtype=torch.float64) - 1) * math.pi


def cayley_angles(n: int, generator: Generator) -> Tensor:
    """-sqrt((1 - cos u) / (1 + cos u)) with u uniform in (0, π/2), for n/2 planes."""
    u = torch.rand(n // 2, generator=generator, dtype=torch.float64) * math.pi / 2
    return -torch.sqrt((1 - torch.cos(u)) / (1 + torch.cos(u)))


def block_diagonal(angles: Tensor, n: int) -> Tensor:
    """P (n, n) with the angles at places (0, 1), (2, 3), …: a skew matrix of plane rotations."""
    p = torch.zeros(n, n, dtype=angles.dtype)
    first = torch.arange(0, n - 1, 2)
    p[first, first + 1] = angles
    return p


def initialise(params: dict[str, Tensor], generator: Generator) -> None:
    """Henaff angles in P, B0 = I, V normal with variance 2/input_size (Kaiming), b uniform in ±0.01."""
    n = params["bias"].shape[0]
    params["skew"].copy_(block_diagonal(henaff_angles(n, generator), n))
    params["base"].copy_(torch.eye(n))
    kernel = params["input_kernel"]
    kernel.copy_(math.sqrt(2 / kernel.shape[1]) * torch.randn(kernel.shape, generator=generator))
    params["bias"].copy_(0.02 * torch.rand(n, generator=generator) - 0.01)


def rotation_logarithm(rotation: Tensor) -> Tensor:
    """The skew matrix L of smallest norm with exp(L) = Q, for Q orthogonal with determinant 1, float64.

    By the real Schur form: plane rotations by angles in (-π, π]; a pair of eigenvalues -1 is a rotation by π.
    """
    import scipy.linalg

    blocks, basis, *_ = scipy.linalg.schur(rotation.double().cpu().numpy(), output="real")
    n, k = len(blocks), 0
    log = torch.zeros(n, n, dtype=torch.float64)
    reflected = []
    while k < n:
        if k + 1 < n and abs(blocks[k + 1, k]) > 1e-9:
            angle = math.atan2(blocks[k, k + 1] - blocks[k + 1, k], blocks[k, k] + blocks[k + 1, k + 1])
            log[k, k + 1], log[k + 1, k] = angle, -angle
            k += 2
        else:
            if blocks[k, k] < 0:
                reflected.append(k)
            k += 1
    for i, j in zip(reflected[::2], reflected[1::2], strict=len(reflected) % 2 == 0):
        log[i, j], log[j, i] = math.pi, -math.pi
    basis = torch.from_numpy(basis)
    return (basis @ log @ basis.mT).to(rotation.device)


def geodesic(a: Params, b: Params, s: float, map: str = "exp") -> dict[str, Tensor]:
    """B_a exp(s log(B_aᵀ B_b)) on the rotation group, kept in B0 with P = 0; V and b go straight."""
    start, end = (orthogonal_matrix({k: p.double() for k, p in x.items()}, map) for x in (a, b))
    point = start @ torch.linalg.matrix_exp(s * rotation_logarithm(start.mT @ end))
    return {
        "input_kernel": torch.lerp(a["input_kernel"], b["input_kernel"], s),
        "skew": torch.zeros_like(a["skew"]),
        "base": point.to(a["base"]),
        "bias": torch.lerp(a["bias"], b["bias"], s),
    }


def make_cell(nonlinearity: str = "modrelu", map: str = "exp") -> Cell:
    """The cell with a nonlinearity ("modrelu", "tanh") and a map onto the rotations ("exp", "cayley")."""
    if nonlinearity not in NONLINEARITIES:
        raise unknown("nonlinearity of the orthogonal cell", nonlinearity, NONLINEARITIES)
    if map not in MAPS:
        raise unknown("map of the orthogonal cell", map, MAPS)

    def materialise(params: Params) -> Weights:
        return {
            "input": params["input_kernel"],
            "state": orthogonal_matrix(params, map),
            "bias": params["bias"],
        }

    return Cell(
        "orthogonal",
        param_shapes,
        materialise,
        drive,
        lambda weights, state, drive: step(weights, state, drive, nonlinearity),
        only_hidden,
        initialise=initialise,
        interpolate=lambda a, b, s: geodesic(a, b, s, map),
        linearised=lambda weights, state, drive, rows, forcing: linearised(
            weights, state, drive, rows, forcing, nonlinearity
        ),
        frozen=("base",),
    )
