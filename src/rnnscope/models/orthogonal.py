"""Orthogonal recurrent layers and a linear head; the whole sequence is one step of automatic differentiation."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rnnscope import cells
from rnnscope.base.errors import require, unknown
from rnnscope.cells import orthogonal as cell
from rnnscope.models._network import NetworkSettings, SequenceNetwork
from rnnscope.models._recurrent import Recurrent

PARAMETRISATIONS = ("exprnn", "dtriv", "cayley")
INITIALISATIONS = ("henaff", "cayley")


@dataclass(frozen=True, kw_only=True)
class Settings(NetworkSettings):
    """Settings of the orthogonal network.

    Attributes:
        nonlinearity: "modrelu" or "tanh".
        parametrisation: "exprnn" (B = exp(A), A from the initial angles on), "dtriv" (B = B0 exp(A), where every
            ``rebase_every`` optimiser steps B0 becomes B and A becomes 0) or "cayley".
        rebase_every: K of "dtriv".
        initialisation: angles of the initial rotation, "henaff" or "cayley".
        skew_rate: the learning rate of P, as a factor of the others'. A tenth is recommended; the paper has 1.

    """

    nonlinearity: str = "modrelu"
    parametrisation: str = "exprnn"
    rebase_every: int = 100
    initialisation: str = "henaff"
    skew_rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, valid in (
            ("nonlinearity", cell.NONLINEARITIES),
            ("parametrisation", PARAMETRISATIONS),
            ("initialisation", INITIALISATIONS),
        ):
            if getattr(self, name) not in valid:
                raise unknown(f"{name} of the orthogonal network", getattr(self, name), valid)
        k = self.rebase_every
        require(type(k) is int and k > 0, "rebase_every", "a positive whole number of optimiser steps", k)
        require(self.skew_rate > 0, "skew_rate", "a positive factor", self.skew_rate)

    def build(self) -> SequenceNetwork:
        """The network, weights drawn from torch's global generator."""
        return OrthogonalNetwork(OrthogonalLayers(self), self.output_size, self.skew_rate)


class OrthogonalNetwork(SequenceNetwork):
    """A sequence network whose parameters P may have a learning rate of their own."""

    def __init__(self, core: Recurrent, output_size: int, skew_rate: float):
        super().__init__(core, output_size)
        self.skew_rate = skew_rate

    def learning_rate_factors(self) -> dict[str, float]:
        """The factor of each layer's P."""
        return {f"core.skew_l{k}": self.skew_rate for k in range(self.core.num_layers)} if self.skew_rate != 1 else {}


class OrthogonalLayers(Recurrent):
    """Layers of the orthogonal cell with a hand-written adjoint over the sequence."""

    steps: Tensor

    def __init__(self, settings: Settings):
        self.settings = settings
        map = "cayley" if settings.parametrisation == "cayley" else "exp"
        options: dict[str, float | str] = {"nonlinearity": settings.nonlinearity, "map": map}
        super().__init__(
            "orthogonal", settings.input_size, settings.hidden_size, num_layers=settings.num_layers, options=options
        )
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def initialise(self, params: dict[str, Tensor]) -> None:
        """As the cell does, with the chosen angles; "dtriv" keeps the initial rotation in B0."""
        super().initialise(params)
        n = len(params["bias"])
        if self.settings.initialisation == "cayley":
            with torch.no_grad():
                params["skew"].copy_(cell.block_diagonal(cell.cayley_angles(n, torch.default_generator), n))
        if self.settings.parametrisation == "dtriv":
            _rebase(params)

    def materialise(self, params: dict[str, Tensor]) -> cells.Weights:
        """The cell's weights; the exponential through the spectrum of A, which is normal."""
        if self.options["map"] != "exp":
            return self.rule.materialise(params)
        a = cell.skew_symmetric(params["skew"].double())
        rotation = params["base"].double() @ SkewExponential.apply(a)
        return {"input": params["input_kernel"], "state": rotation.to(params["skew"].dtype), "bias": params["bias"]}

    def run(self, weights: cells.Weights, drives: Tensor) -> Tensor:
        """States (time, batch, state) from the zero state."""
        function = _ModReLUSequence if self.options["nonlinearity"] == "modrelu" else _TanhSequence
        return function.apply(drives.contiguous(), weights["state"], weights["bias"])

    def after_step(self) -> None:
        """Count the optimiser step; with "dtriv", every K of them, B0 becomes B, re-projected, and A becomes 0."""
        self.steps += 1
        if self.settings.parametrisation == "dtriv" and int(self.steps) % self.settings.rebase_every == 0:
            for layer in range(self.num_layers):
                _rebase(self.layer_params(layer))


@torch.no_grad()
def _rebase(params: dict[str, Tensor]) -> None:
    u, _, vh = torch.linalg.svd(cell.orthogonal_matrix({k: p.double() for k, p in params.items()}))
    params["base"].copy_(u @ vh)
    params["skew"].zero_()


class SkewExponential(torch.autograd.Function):
    """exp(A) of a real skew A and its adjoint, by the Hermitian spectrum of -iA.

        A = U iΛ U*,  exp(A) = U e^{iΛ} U*,  dL/dA = U ((U* G U) ∘ conj Φ) U*,
        Φ_jk = e^{i(λ_j + λ_k)/2} sinc((λ_j - λ_k)/2)

    Source: Daleckii & Krein; for normal A it has no cancellation, however close the eigenvalues.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        """exp(A), (n, n) float64; NaN where A is not finite, so that a diverged training is seen in its loss."""
        if not torch.isfinite(a).all():
            ctx.save_for_backward(torch.full_like(a[0], torch.nan), torch.full_like(a, torch.nan).to(torch.complex128))
            return torch.full_like(a, torch.nan)
        angles, basis = torch.linalg.eigh(-1j * a)
        ctx.save_for_backward(angles, basis)
        return _real_product(basis * torch.exp(1j * angles), basis.mH)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """dL/dA from dL/d exp(A)."""
        angles, basis = ctx.saved_tensors
        half = angles / 2
        mean, difference = half[:, None] + half, half[:, None] - half
        phi = torch.exp(1j * mean) * torch.sinc(difference / torch.pi)
        gradient = gradients[0].to(angles.dtype)
        inner = basis.mH @ torch.complex(gradient @ basis.real, gradient @ basis.imag)
        return _real_product(basis, (inner * phi.conj()) @ basis.mH)


def _real_product(a: Tensor, b: Tensor) -> Tensor:
    """The real part of a product of complex matrices, at half its cost."""
    return a.real @ b.real - a.imag @ b.imag


class _ModReLUSequence(torch.autograd.Function):
    """All states of h[t] = modReLU(d[t] + h[t-1] B) from h[0] = 0: drives (time, batch, n) -> (time, batch, n)."""

    @staticmethod
    def forward(ctx: Any, drives: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        states = torch.empty_like(drives)
        h, z, size = torch.zeros_like(drives[0]), torch.empty_like(drives[0]), torch.empty_like(drives[0])
        for d, state in zip(drives.unbind(), states.unbind(), strict=True):
            torch.addmm(d, h, matrix, out=z)
            torch.abs(z, out=size).add_(bias).relu_()
            h = torch.sign(z, out=state).mul_(size)
        ctx.save_for_backward(matrix, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        matrix, states = ctx.saved_tensors
        sign = torch.sign(states)  # that of z where the slope is 1, and 0 where it is 0
        inner = _sweep(gradients[0], sign.abs(), matrix)
        return inner, _matrix_gradient(states, inner), (inner * sign).sum((0, 1))


class _TanhSequence(torch.autograd.Function):
    """All states of h[t] = tanh(d[t] + b + h[t-1] B) from h[0] = 0."""

    @staticmethod
    def forward(ctx: Any, drives: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        shifted, states = drives + bias, torch.empty_like(drives)
        h = torch.zeros_like(drives[0])
        for d, state in zip(shifted, states, strict=True):
            torch.addmm(d, h, matrix, out=state)
            h = state.tanh_()
        ctx.save_for_backward(matrix, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        matrix, states = ctx.saved_tensors
        inner = _sweep(gradients[0], 1 - states**2, matrix)
        return inner, _matrix_gradient(states, inner), inner.sum((0, 1))


def _sweep(gradient: Tensor, slope: Tensor, matrix: Tensor) -> Tensor:
    """dL/dz[t] = slope[t] (dL/dh[t] + dL/dz[t+1] Bᵀ), backwards in time."""
    inner, transposed = torch.empty_like(slope), matrix.t().contiguous()
    later = None
    for g, s, z in zip(gradient.unbind()[::-1], slope.unbind()[::-1], inner.unbind()[::-1], strict=True):
        total = g if later is None else torch.addmm(g, later, transposed)
        later = torch.mul(total, s, out=z)
    return inner


def _matrix_gradient(states: Tensor, inner: Tensor) -> Tensor:
    """dL/dB = Σ_t h[t-1]ᵀ dL/dz[t]; h[0] = 0."""
    return states[:-1].flatten(0, 1).t() @ inner[1:].flatten(0, 1)
