"""The eigenvalue of largest magnitude of many symmetric matrices at once, known by their products."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]


class Extremes(NamedTuple):
    """values: the eigenvalue of largest magnitude of each matrix (start,), NaN where products were not finite.

    residuals: ‖A v - λ v‖ / |λ| of each, (start,).
    """

    values: Tensor
    residuals: Tensor


def largest_in_magnitude(product: Product, start: Tensor, *, n_iterations: int, tolerance: float) -> Extremes:
    """Of many symmetric matrices at once, by Lanczos with full reorthogonalisation.

    ``product`` takes vectors (start, p), one for each matrix. A matrix whose Krylov space is exhausted has converged.
    """
    n, p = start.shape
    values, residuals = start.new_full((n,), torch.nan), start.new_full((n,), torch.nan)
    done = torch.zeros(n, dtype=torch.bool, device=start.device)
    size = _norm(start)
    basis = [torch.where(size[:, None] > 0, start / size[:, None], p**-0.5)]
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    for step in range(min(n_iterations, p)):
        new = product(basis[-1])
        diagonal.append((new * basis[-1]).sum(-1))
        for _ in range(2):
            for vector in basis:
                new = new - (new * vector).sum(-1, keepdim=True) * vector
        length = _norm(new)
        found, last = _ritz(diagonal, beside)
        finite = torch.isfinite(found) & torch.isfinite(length)
        residual = length * last / found.abs().clamp(min=torch.finfo(found.dtype).tiny)
        update = ~done & finite
        values, residuals = torch.where(update, found, values), torch.where(update, residual, residuals)
        exhausted = length <= 1e-12 * found.abs()
        # a first step may find a vector that the matrix hardly moves: never stop on one step alone
        done = done | ~finite | exhausted | ((residual < tolerance) & (step > 0))
        if bool(done.all()):
            break
        beside.append(length)
        basis.append(torch.where(done[:, None], 0.0, new / length[:, None]))
    return Extremes(values, residuals)


def _norm(vectors: Tensor) -> Tensor:
    """Euclidean norms of rows, without overflow of the squares."""
    largest = vectors.abs().amax(-1).clamp(min=torch.finfo(vectors.dtype).tiny)
    return largest * (vectors / largest[:, None]).square().sum(-1).sqrt()


def _ritz(diagonal: list[Tensor], beside: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The eigenvalue of largest magnitude of each tridiagonal matrix, and the last entry of its eigenvector."""
    main, off = torch.stack(diagonal, -1), torch.stack(beside, -1) if beside else None
    matrices = torch.diag_embed(main)
    if off is not None:
        matrices = matrices + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    fit = torch.isfinite(matrices).all((-1, -2))
    # LAPACK's own scaling fails beyond about 1e140, where chaos takes a cost's curvature within a thousand steps
    scale = matrices.abs().amax((-1, -2)).clamp(min=torch.finfo(main.dtype).tiny)
    scaled = torch.where(fit[:, None, None], matrices / scale[:, None, None], 0.0)
    eigenvalues, vectors = torch.linalg.eigh(scaled)
    chosen = eigenvalues.abs().argmax(-1, keepdim=True)
    value = eigenvalues.gather(-1, chosen)[:, 0] * scale
    last = vectors[:, -1].gather(-1, chosen)[:, 0].abs()
    return torch.where(fit, value, torch.nan), last
