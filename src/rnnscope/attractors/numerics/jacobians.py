"""What is needed of Jacobians: by LAPACK for narrow states, by solves with one factorisation for wide ones,
where a decomposition takes seconds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs
from torch import Tensor

WIDE = 100  # coordinates; states with more are wide
_AT_ONCE = 2**24  # numbers of a batch of Jacobians in memory,
_WIDE_AT_ONCE = 2**21  # and of one of wide states: what is beyond the cache takes several times as long
_SOLVES = 20
_KNOWN = 1e-10  # relative change of a singular value that is known well enough


def pieces(count: int, n: int) -> Iterator[slice]:
    """Slices of so many rows whose Jacobians of n coordinates are in memory together."""
    size = max(1, (_WIDE_AT_ONCE if n > WIDE else _AT_ONCE) // n**2)
    return (slice(at, at + size) for at in range(0, count, size))


def smallest_singular_values(matrices: Tensor) -> Tensor:
    """σ_min of each of some finite matrices (row, n, n); of wide ones by inverse iteration, from above.

    >>> round(float(smallest_singular_values(torch.diag(torch.arange(1.0, 151.0).double())[None])[0]), 6)
    1.0
    """
    if matrices.shape[-1] <= WIDE:
        return torch.linalg.svdvals(matrices)[:, -1]
    return torch.stack([_smallest_singular_value(matrix) for matrix in matrices])


def _smallest_singular_value(matrix: Tensor) -> Tensor:
    factors, pivots, _ = torch.linalg.lu_factor_ex(matrix)
    vector = _begin(len(matrix)).to(matrix)[:, None]
    value = matrix.new_tensor(torch.inf)
    for _ in range(_SOLVES):
        solved = torch.linalg.lu_solve(factors, pivots, torch.linalg.lu_solve(factors, pivots, vector, adjoint=True))
        length = solved.norm()
        if not torch.isfinite(length):  # an exact zero among the pivots
            return torch.zeros_like(value)
        before, value, vector = value, length.rsqrt(), solved / length
        if (before - value).abs() <= _KNOWN * value:
            break
    return value


def nearest_eigenvalue(matrix: np.ndarray, target: float) -> complex:
    """The eigenvalue of a finite matrix (n, n) nearest ``target``; of a wide one by Arnoldi's method on the inverse.

    >>> print(f"{nearest_eigenvalue(np.diag(np.arange(150.0)), 3.2):.6f}")
    3.000000+0.000000j
    """
    if len(matrix) > WIDE:
        inverse = _shifted_inverse(matrix, target)
        if inverse is None:
            return complex(target)
        try:
            found: Any = eigs(inverse, k=1, v0=_begin(len(matrix)).numpy(), return_eigenvectors=False)
            return complex(target + 1 / found[0])
        except ArpackError:  # it has not converged
            pass
    values = np.linalg.eigvals(matrix)
    return complex(values[np.abs(values - target).argmin()])


def _shifted_inverse(matrix: np.ndarray, target: float) -> LinearOperator | None:
    """v -> (matrix - target)⁻¹ v; None if that is singular."""
    shifted = torch.from_numpy(matrix - target * np.eye(len(matrix)))
    factors, pivots, _ = torch.linalg.lu_factor_ex(shifted)
    if (factors.diagonal() == 0).any():
        return None

    def solve(vector: np.ndarray) -> np.ndarray:
        return torch.linalg.lu_solve(factors, pivots, torch.from_numpy(vector.reshape(-1, 1))).numpy()

    return LinearOperator(matrix.shape, matvec=solve, dtype=matrix.dtype)  # type: ignore[call-arg]


def left_vector(matrix: np.ndarray, eigenvalue: complex) -> np.ndarray:
    """w with w A = μ w, of length 1, by two steps of inverse iteration; μ is one of A's eigenvalues up to rounding.

    >>> np.abs(left_vector(np.diag([2.0, 0.5]), 2.0)).round(9).tolist()
    [1.0, 0.0]
    """
    off = np.abs(matrix).max() * 1e-12
    shifted = matrix.T.astype(complex) - (eigenvalue + off) * np.eye(len(matrix))
    vector = np.asarray(_begin(len(matrix)).numpy(), complex)
    for _ in range(2):
        vector = np.linalg.solve(shifted, vector)
        vector /= np.linalg.norm(vector)
    return vector


def _begin(n: int) -> Tensor:
    """The same random vector for every matrix of a size."""
    vector = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return vector / vector.norm()
