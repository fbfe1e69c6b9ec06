"""Coefficients of the normal forms of bifurcations of maps, from directional derivatives of DF^k.

    fold            a = ½⟨p, B(q, q)⟩
    branch point    c = ⅙⟨p, C(q, q, q) + 3 B(q, h)⟩,  (1 - A) h = B(q, q) on the complement of q     where a = 0
    flip            b = ⅙⟨p, C(q, q, q) + 3 B(q, (1 - A)⁻¹ B(q, q))⟩
    Neimark-Sacker  d = ½ e^{-iφ} ⟨p, C(q, q, q̄) + 2 B(q, (1 - A)⁻¹ B(q, q̄)) + B(q̄, (e^{2iφ} - A)⁻¹ B(q, q))⟩

with A = DF^k, A q = e^{iφ} q, |q| = 1, ⟨p, q⟩ = 1, B and C the second and third derivatives.

Source: Kuznetsov, Elements of Applied Bifurcation Theory, ch. 4, 5.4, 9.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnscope.attractors.numerics.iterated_map import IteratedMap

_SHIFT = 1e-9  # from the eigenvalue, for inverse iteration
_ITERATIONS = 3
_SLOPE_STEP, _BEND_STEP = 1e-3, 3e-3  # of differences, along a direction of length 1


@dataclass(frozen=True, eq=False)
class Critical:
    """The critical multiplier μ of DF^k at x with its vectors: A q = μ q, wᵀ A = μ wᵀ, |q| = 1, wᵀ q = 1."""

    state: Tensor
    derivative: Tensor
    multiplier: complex
    right: Tensor  # complex (state,)
    left: Tensor

    @classmethod
    def of(cls, state: Tensor, derivative: Tensor, multiplier: complex) -> "Critical":
        """By inverse iteration from a multiplier that is known."""
        q = _eigenvector(derivative, multiplier)
        w = _eigenvector(derivative.mT, multiplier)
        return cls(state, derivative, multiplier, q, w / (w * q).sum())


def _eigenvector(matrix: Tensor, value: complex) -> Tensor:
    shifted = matrix.to(torch.complex128)
    shifted = shifted - (value + _SHIFT * (1 + abs(value))) * torch.eye(len(matrix), dtype=shifted.dtype)
    factors = torch.linalg.lu_factor(shifted)
    vector = torch.linspace(1, 2, len(matrix), dtype=torch.float64).to(shifted.dtype)
    for _ in range(_ITERATIONS):
        vector = torch.linalg.lu_solve(*factors, vector[:, None])[:, 0]
        vector = vector / vector.norm()
    largest = vector[vector.abs().argmax()]
    return vector * (largest.abs() / largest)  # real where the multiplier is, and the same at every call


class Derivatives:
    """B and C of a map at x: differences of fourth order of the exact product DF^k(x) u, all shifts in one batch."""

    def __init__(self, map_: IteratedMap, state: Tensor):
        self.map, self.state = map_, state

    def second(self, u: Tensor, v: Tensor) -> Tensor:
        """B(u, v), bilinear, of complex directions."""
        a, b, c, d = u.real, u.imag, v.real, v.imag
        return torch.complex(self._slope(a, c) - self._slope(b, d), self._slope(a, d) + self._slope(b, c))

    def third(self, u: Tensor, v: Tensor, w: Tensor) -> Tensor:
        """C(u, v, w), trilinear, of complex directions."""
        total = torch.zeros_like(u)
        for i, a in enumerate((u.real, u.imag)):
            for j, b in enumerate((v.real, v.imag)):
                for k, c in enumerate((w.real, w.imag)):
                    # C(a, b, c) = ¼ (C(a, b + c, b + c) - C(a, b - c, b - c))
                    mixed = (self._bend(a, b + c) - self._bend(a, b - c)) / 4
                    total = total + 1j ** (i + j + k) * mixed
        return total

    def _slope(self, u: Tensor, v: Tensor) -> Tensor:
        """d/dh DF^k(x + h v) u at h = 0."""
        length = float(v.norm())
        if length == 0 or not bool(u.any()):
            return torch.zeros_like(u)
        products = self._products(u, v / length, _SLOPE_STEP)
        return length * (8 * (products[3] - products[1]) - (products[4] - products[0])) / (12 * _SLOPE_STEP)

    def _bend(self, u: Tensor, v: Tensor) -> Tensor:
        """d²/dh² DF^k(x + h v) u at h = 0."""
        length = float(v.norm())
        if length == 0 or not bool(u.any()):
            return torch.zeros_like(u)
        far, near, middle, near_too, far_too = self._products(u, v / length, _BEND_STEP)
        return length**2 * (16 * (near + near_too) - 30 * middle - far - far_too) / (12 * _BEND_STEP**2)

    def _products(self, u: Tensor, v: Tensor, step: float) -> Tensor:
        """DF^k(x + j h v) u for j from -2 to 2, (5, state)."""
        shifts = step * torch.arange(-2, 3, dtype=v.dtype)[:, None]
        return self.map.held(5).products(self.state + shifts * v, u.expand(5, -1)[..., None])[..., 0]


def fold(critical: Critical, derivatives: Derivatives) -> float:
    """a; its sign is that of the direction of q."""
    q, w = critical.right, critical.left
    return float((w * derivatives.second(q, q)).sum().real) / 2


def branch_point(critical: Critical, derivatives: Derivatives) -> float:
    """c, the cubic coefficient where a = 0."""
    q, w = critical.right, critical.left
    square = derivatives.second(q, q)
    # (1 - A) is singular along q: bordered with its null vectors
    n = len(q)
    matrix = torch.zeros(n + 1, n + 1, dtype=q.dtype)
    matrix[:n, :n] = torch.eye(n, dtype=q.dtype) - critical.derivative.to(q.dtype)
    matrix[:n, n], matrix[n, :n] = q, w
    right = torch.cat([square - (w * square).sum() * q, square.new_zeros(1)])
    h = torch.linalg.solve(matrix, right)[:n]
    cubic = derivatives.third(q, q, q) + 3 * derivatives.second(q, h)
    return float((w * cubic).sum().real) / 6


def flip(critical: Critical, derivatives: Derivatives) -> float:
    """b; positive: a stable cycle of twice the period is born, supercritical."""
    q, w = critical.right, critical.left
    h = _resolvent(critical, 1.0, derivatives.second(q, q))
    cubic = derivatives.third(q, q, q) + 3 * derivatives.second(q, h)
    return float((w * cubic).sum().real) / 6


def neimark_sacker(critical: Critical, derivatives: Derivatives) -> complex:
    """d; Re d negative: a stable closed curve is born, supercritical."""
    q, w = critical.right, critical.left
    turn = critical.multiplier / abs(critical.multiplier)
    still = _resolvent(critical, 1.0, derivatives.second(q, q.conj()))
    twice = _resolvent(critical, turn**2, derivatives.second(q, q))
    cubic = derivatives.third(q, q, q.conj())
    cubic = cubic + 2 * derivatives.second(q, still) + derivatives.second(q.conj(), twice)
    return complex((w * cubic).sum()) / turn / 2


def _resolvent(critical: Critical, at: complex, right: Tensor) -> Tensor:
    """(at - A)⁻¹ right."""
    matrix = at * torch.eye(len(right), dtype=right.dtype) - critical.derivative.to(right.dtype)
    return torch.linalg.solve(matrix, right)
