"""Normal matrices JᵀJ of a batch of searches, and solves with them: dense, or with the diagonal part eliminated."""

from typing import Protocol, Self

import torch
from torch import Tensor


class Normal(Protocol):
    """JᵀJ of some rows, each with J (row, n, n); the Jacobians themselves are not kept."""

    size: Tensor  # ‖J‖² of Frobenius, (row,); not finite where J is not
    gradient: Tensor  # Jᵀr, (row, n)

    @classmethod
    def of(cls, derivative: Tensor, residual: Tensor) -> Self:
        """From DF^k (row, n, n), where J = DF^k - 1, and r (row, n)."""
        ...

    def rows(self, index: Tensor) -> Self:
        """The same of some of the rows."""
        ...

    def put(self, index: Tensor, other: Self) -> None:
        """Put others in the place of some rows."""
        ...

    def solve(self, damping: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """(JᵀJ + damping 1)⁻¹ right, and where that failed, both by row."""
        ...


class Dense:
    """JᵀJ as it is: n³ for the product, n³/3 for a solve."""

    def __init__(self, matrix: Tensor, size: Tensor, gradient: Tensor):
        self.matrix, self.size, self.gradient = matrix, size, gradient

    @classmethod
    def of(cls, derivative: Tensor, residual: Tensor) -> Self:
        """Those of J = DF^k - 1, of a derivative (row, state, state), and a residual (row, state)."""
        jacobian = derivative.clone()
        jacobian.diagonal(dim1=-2, dim2=-1).sub_(1)
        matrix = jacobian.mT @ jacobian
        gradient = (jacobian.mT @ residual[..., None])[..., 0]
        return cls(matrix, matrix.diagonal(dim1=-2, dim2=-1).sum(-1), gradient)

    def rows(self, index: Tensor) -> Self:
        """Some of the rows."""
        return type(self)(self.matrix[index], self.size[index], self.gradient[index])

    def put(self, index: Tensor, other: Self) -> None:
        """Put others in the place of some of the rows."""
        self.matrix[index], self.size[index], self.gradient[index] = other.matrix, other.size, other.gradient

    def solve(self, damping: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """(JᵀJ + damping) δ = right by row, and a code that is not 0 where that failed."""
        matrix = self.matrix.clone()
        matrix.diagonal(dim1=-2, dim2=-1).add_(damping[:, None])
        return _cholesky(matrix, right)


class Halved:
    """JᵀJ where the second half of the coordinates enters the new ones only unit by unit, as the memory c of an LSTM.

        J = [[P, D], [A, E]], D and E diagonal;   s = D² + E²,  W = (E P - D A) / √s,  Z = (D P + E A) / √s

    With the second half eliminated what is left is WᵀW + Zᵀ μ/(s + μ) Z + μ, exactly that of the whole problem at the
    damping μ: half as wide, and a fifth of the arithmetic.
    """

    def __init__(self, gram: Tensor, across: Tensor, own: Tensor, size: Tensor, gradient: Tensor):
        self.gram, self.across, self.own, self.size, self.gradient = gram, across, own, size, gradient

    @classmethod
    def of(cls, derivative: Tensor, residual: Tensor) -> Self:
        """Those of J = DF^k - 1, of a derivative (row, state, state), and a residual (row, state)."""
        n = derivative.shape[-1] // 2
        top, bottom = derivative[:, :n, :n].clone(), derivative[:, n:, :n]
        top.diagonal(dim1=-2, dim2=-1).sub_(1)
        d, e = (derivative[:, part, n:].diagonal(dim1=-2, dim2=-1) for part in (slice(n), slice(n, None)))
        e = e - 1
        own = d.square() + e.square()
        length = own.sqrt().clamp(min=torch.finfo(own.dtype).tiny)
        d, e = d / length, torch.where(own > 0, e / length, 1.0)
        free = torch.addcmul(e[..., None] * top, d[..., None], bottom, value=-1)
        across = torch.addcmul(d[..., None] * top, e[..., None], bottom)
        gram = free.mT @ free
        first, second = residual[:, :n], residual[:, n:]
        along, beside = d * first + e * second, e * first - d * second
        gradient = free.mT @ beside[..., None] + across.mT @ along[..., None]
        size = gram.diagonal(dim1=-2, dim2=-1).sum(-1) + across.square().sum((-1, -2)) + own.sum(-1)
        return cls(gram, across, own, size, torch.cat([gradient[..., 0], length * along], -1))

    def rows(self, index: Tensor) -> Self:
        """Some of the rows."""
        return type(self)(*(part[index] for part in self._parts))

    def put(self, index: Tensor, other: Self) -> None:
        """Put others in the place of some of the rows."""
        for own, new in zip(self._parts, other._parts, strict=True):
            own[index] = new

    @property
    def _parts(self) -> tuple[Tensor, ...]:
        return self.gram, self.across, self.own, self.size, self.gradient

    def solve(self, damping: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """(JᵀJ + damping) δ = right by row, and a code that is not 0 where that failed."""
        n = self.gram.shape[-1]
        damping, length = damping[:, None], self.own.sqrt()
        whole = self.own + damping
        matrix = torch.baddbmm(self.gram, self.across.mT, (damping / whole)[..., None] * self.across)
        matrix.diagonal(dim1=-2, dim2=-1).add_(damping)
        above = right[:, :n] - (self.across.mT @ (length * right[:, n:] / whole)[..., None])[..., 0]
        first, failed = _cholesky(matrix, above)
        second = (right[:, n:] - length * (self.across @ first[..., None])[..., 0]) / whole
        return torch.cat([first, second], -1), failed


def _cholesky(matrix: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return torch.cholesky_solve(right[..., None], factor)[..., 0], failed
