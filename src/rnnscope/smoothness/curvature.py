"""Hessian and Gauss-Newton matrix of a cost as operators: products with vectors, never the matrix itself."""

import warnings
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from rnnscope.base.errors import require
from rnnscope.smoothness.directions import ParameterSpace
from rnnscope.smoothness.objective import Objective, examine, outputs_of
from rnnscope.systems import System

_DENSE_BELOW = 25  # parameters: products with all unit vectors take less than an iteration does


class CurvatureOperator(LinearOperator, ABC):
    """A symmetric matrix (p, p) over the parameters that training moves, known by its products; float64.

    ``operator @ v`` takes one vector (p,) or several (p, k) as NumPy arrays, ``products`` rows (k, p) of tensors; all
    vectors go through the network together. The order of the parameters is that of ``space``. Work and memory are those
    of a backward pass through the plain cell over all sequences, kept from the first product on.
    """

    def __init__(self, system: System, objective: Objective):
        self.system = system.to(torch.float64)
        self.objective = examine(self.system, objective)
        self.space = ParameterSpace.of(self.system)
        super().__init__(np.dtype(np.float64), (self.space.size, self.space.size))
        with torch.enable_grad():
            self._theta = self.space.flatten(self.system.params).requires_grad_()
            weights = self.system.materialise(self.space.at(self.system, self._theta))
            self._outputs = outputs_of(self.system, weights, self.objective)
            self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Build what all products share."""

    @abstractmethod
    def products(self, vectors: Tensor) -> Tensor:
        """The matrix times each row of (k, p)."""

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._matmat(np.asarray(x).reshape(-1, 1))[:, 0]

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        vectors = torch.as_tensor(np.asarray(X, dtype=np.float64).T.copy(), device=self._theta.device)
        return self.products(vectors).cpu().numpy().T

    def _adjoint(self) -> "CurvatureOperator":  # pyright: ignore[reportIncompatibleMethodOverride]
        return self


class HessianOperator(CurvatureOperator):
    """∇²V(θ), by differentiating the plain cells twice.

    >>> from rnnscope.systems import textbook
    >>> data = Objective(inputs=torch.zeros(1, 3, 1), targets=torch.zeros(1, 3, 1), state=[1.0])
    >>> hessian = HessianOperator(textbook.linear([[1.0]]), data)
    >>> round(float((hessian @ np.ones(1))[0]), 9)  # of θ² + θ⁴ + θ⁶, a third: (N + 1) (4 N - 1) / 3 at N = 3
    14.666666667

    Args:
        system: the network; it is read in float64.
        objective: data, loss and initial state.

    Attributes:
        value: V(θ).
        gradient: ∇V(θ), (p,).

    Raises:
        ValueError: data that do not fit, a loss that is no scalar or has no derivative.

    Source: Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6, 1994.

    """

    def _prepare(self) -> None:
        loss = self.objective.loss_of(self._outputs).reshape(())
        self._gradient = torch.autograd.grad(loss, self._theta, create_graph=True)[0]
        self.value, self.gradient = float(loss.detach()), self._gradient.detach()

    def products(self, vectors: Tensor) -> Tensor:
        """∇²V v for each row v of (k, p)."""
        return _pulled(self._gradient, self._theta, vectors)


class GaussNewtonOperator(CurvatureOperator):
    """G = Σ Jᵀ (∂²L/∂ŷ²) J with J = ∂ŷ/∂θ and L the cost as a function of all outputs ŷ.

    It is the Hessian without the part that the residual multiplies: positive semidefinite for a convex loss.

    >>> from rnnscope.systems import textbook
    >>> data = Objective(inputs=torch.zeros(1, 2, 1), targets=torch.zeros(1, 2, 1), state=[1.0])
    >>> float((GaussNewtonOperator(textbook.linear([[1.0]]), data) @ np.ones(1))[0])  # 2/N Σ t² θ^(2t-2) at N = 2
    5.0

    Args:
        system: the network; it is read in float64.
        objective: data, loss and initial state.

    Raises:
        ValueError: data that do not fit, a loss that is no scalar or has no derivative.

    Source: Schraudolph, Fast curvature matrix-vector products, Neural Computation 14, 2002.

    """

    def _prepare(self) -> None:
        self._weighting = torch.zeros_like(self._outputs).requires_grad_()
        (self._adjoint_product,) = torch.autograd.grad(self._outputs, self._theta, self._weighting, create_graph=True)
        self._detached = self._outputs.detach().requires_grad_()
        loss = self.objective.loss_of(self._detached).reshape(())
        (self._slope,) = torch.autograd.grad(loss, self._detached, create_graph=True)
        self.value = float(loss.detach())

    def products(self, vectors: Tensor) -> Tensor:
        """G v for each row v of (k, p): a tangent product, the loss's curvature, an adjoint product."""
        tangents = _pulled(self._adjoint_product, self._weighting, vectors)
        curved = _pulled(self._slope, self._detached, tangents)
        return _pulled(self._outputs, self._theta, curved)


def _pulled(of: Tensor, by: Tensor, vectors: Tensor) -> Tensor:
    """Σ_i vector_i ∂of_i/∂by for each of the vectors (k, *of.shape), (k, *by.shape)."""
    if not of.requires_grad:
        return vectors.new_zeros(len(vectors), *by.shape)
    if len(vectors) == 1:
        (found,) = torch.autograd.grad(of, by, vectors[0], retain_graph=True, allow_unused=True)
        return vectors.new_zeros(1, *by.shape) if found is None else found[None]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop because we have not yet impl")
        (found,) = torch.autograd.grad(of, by, vectors, retain_graph=True, allow_unused=True, is_grads_batched=True)
    return vectors.new_zeros(len(vectors), *by.shape) if found is None else found


class Eigenpairs(NamedTuple):
    """Eigenvalues of a symmetric operator, the largest first.

    values: (k,).   vectors: (k, p), orthonormal rows.   residuals: ‖A v - λ v‖ / max|λ| of each, (k,).
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray


def top_eigenpairs(
    operator: LinearOperator, k: int = 1, *, tolerance: float = 1e-4, max_products: int = 300, seed: int = 0
) -> Eigenpairs:
    """The k algebraically largest eigenvalues, by implicitly restarted Lanczos (ARPACK).

    Those that have not converged within ``max_products`` products are NaN with the residual NaN: a failure is data.

    >>> diagonal = LinearOperator((40, 40), matvec=lambda v: np.arange(40.0) * v.ravel(), dtype=np.float64)
    >>> top_eigenpairs(diagonal, 2, tolerance=1e-10).values.round(6)
    array([39., 38.])

    Args:
        operator: symmetric, (p, p).
        k: how many, at most p.
        tolerance: relative accuracy of the eigenvalues.
        max_products: products with vectors that may be spent, about.
        seed: of the vector to begin with.

    Raises:
        ValueError: k is not between 1 and p.

    Source: Lehoucq, Sorensen & Yang, ARPACK users' guide, 1998.

    """
    p = operator.shape[0]
    require(type(k) is int and 1 <= k <= p, "k", f"a whole number from 1 to {p}, the number of parameters", k)
    if p < _DENSE_BELOW or k >= p - 1:
        matrix = np.asarray(operator @ np.eye(p))
        if not np.isfinite(matrix).all():
            return Eigenpairs(np.full(k, np.nan), np.full((k, p), np.nan), np.full(k, np.nan))
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    else:
        width = min(p, max(2 * k + 1, 20))
        start = np.random.default_rng(seed).standard_normal(p)
        if not np.isfinite(operator @ start).all():  # ARPACK would print a complaint of its own
            return Eigenpairs(np.full(k, np.nan), np.full((k, p), np.nan), np.full(k, np.nan))
        try:
            values, vectors = eigsh(
                operator,
                k,
                which="LA",
                v0=start,
                ncv=width,
                tol=tolerance,  # pyright: ignore[reportArgumentType]
                maxiter=max(max_products // width, 1),
            )
        except ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
        except (ArpackError, ValueError):  # products that are not finite, or a start that spans too little
            values, vectors = np.empty(0), np.empty((p, 0))
        order = np.argsort(values)[::-1]
        values, vectors = values[order], vectors[:, order]
    found = len(values)
    residuals = np.full(k, np.nan)
    if found:
        left = np.asarray(operator @ vectors) - values * vectors
        residuals[:found] = np.linalg.norm(left, axis=0) / max(np.abs(values).max(), np.finfo(float).tiny)
    lacking: Any = k - found
    return Eigenpairs(
        np.concatenate([values, np.full(lacking, np.nan)]),
        np.concatenate([vectors.T, np.full((lacking, p), np.nan)]),
        residuals,
    )
