"""Multipliers: the eigenvalues of the derivative at a point of a cycle, largest first."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Bool, Complex, Float, Int64
from torch import Tensor

from rnnscope.attractors.numerics.forecast import need_jacobians
from rnnscope.attractors.numerics.iterated_map import N_THREADS, IteratedMap, prepared
from rnnscope.attractors.numerics.jacobians import pieces
from rnnscope.base.errors import require_derivatives
from rnnscope.base.settings import require_whole
from rnnscope.base.threads import torch_threads
from rnnscope.systems import System

_PROBED = 4  # directions in which differences are compared with the Jacobian


@dataclass(frozen=True)
class Multipliers:
    """The eigenvalues μ of DF^k at points of k-cycles, largest |μ| first.

    Attributes:
        values: μ, (point, eigenvalue), complex; NaN where the map is not differentiable or not finite.
        right: columns v with DF^k v = μ v of length 1, (point, state, eigenvalue); None if not asked for.
        left: rows w with w DF^k = μ w, (point, eigenvalue, state), scaled to w v = 1 (length 1 where w v = 0, as for a
            Jordan block); None if not asked for.
        smooth: whether differences of F^k around the point agree with its Jacobian: not at a kink or a jump, (point,).

    """

    values: Complex[np.ndarray, "point eigenvalue"]
    right: Complex[np.ndarray, "point state eigenvalue"] | None
    left: Complex[np.ndarray, "point eigenvalue state"] | None
    smooth: Bool[np.ndarray, " point"]

    def index(self, margin: float = 0.0) -> Int64[np.ndarray, " point"]:
        """The number of directions that grow, |μ| > 1 + ``margin``; -1 where the multipliers are not known."""
        known = np.isfinite(self.values).all(-1)
        return np.where(known, (np.abs(self.values) > 1 + margin).sum(-1), -1)


def multipliers_at(
    system: System,
    states: Float[Tensor, "point state"],
    inputs: Float[Tensor, "..."] | None = None,
    *,
    period: int = 1,
    vectors: bool = False,
) -> Multipliers:
    """The eigenvalues of DF^k at points of k-cycles, and on request their eigenvectors.

        DF^k(x) = ∂f/∂x(F^(k-1)(x)) ··· ∂f/∂x(x)

    >>> from rnnscope.systems import as_system
    >>> cell = torch.nn.RNN(1, 2).double()
    >>> for p in cell.parameters():
    ...     _ = torch.nn.init.zeros_(p)
    >>> with torch.no_grad():
    ...     _ = cell.weight_hh_l0.copy_(torch.tensor([[0.0, -2.0], [2.0, 0.0]]))
    >>> found = multipliers_at(as_system(cell), torch.zeros(1, 2))  # a rotation by 90° and a growth by 2
    >>> [round(float(mu.imag), 6) for mu in found.values[0]], found.index().tolist()
    ([2.0, -2.0], [2])

    Args:
        system: the network as a map.
        states: points, (point, state_size).
        inputs: the constant input, (input_size,), or one for each point; None: zero.
        period: k.
        vectors: whether to find eigenvectors too.

    Raises:
        ValueError: no points, shapes that do not fit, a period that is not positive; a state too wide for Jacobians.
        DerivativeError: the derivatives of the step are not those of the map.

    """
    require_whole("period", period)
    require_derivatives("multipliers_at", system.derivative_problem)
    need_jacobians("multipliers_at", system)
    states, drive = prepared(system, states, inputs)
    map_ = IteratedMap(system, drive, period)
    count, size = len(states), system.state_size
    values, smooth = np.full((count, size), np.nan + 0j), np.zeros(count, dtype=bool)
    right, left = (np.full((count, size, size) if vectors else (0, 0, 0), np.nan + 0j) for _ in range(2))
    for piece in pieces(count, size):
        with torch.no_grad(), torch_threads(N_THREADS):
            own = map_.rows(piece)
            derivative = own.derivative(states[piece])
            smooth[piece] = _smooth(own, states[piece], derivative).cpu().numpy()
        matrices = derivative.double().cpu().numpy()
        for k in piece.start + np.flatnonzero(smooth[piece]):
            matrix = matrices[k - piece.start]
            if vectors:
                values[k], right[k], left[k] = _eigen(matrix)
            else:
                found = np.linalg.eigvals(matrix)
                values[k] = found[_order(found)]
    return Multipliers(values, right if vectors else None, left if vectors else None, smooth)


def _eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    triple: Any = scipy.linalg.eig(matrix, left=True, right=True)
    found, left, right = triple
    order = _order(found)
    left, right = left[:, order].conj().T, right[:, order]
    product = (left * right.T).sum(-1)
    defective = np.abs(product) < 1e-12
    return found[order], right, left / np.where(defective, 1, product)[:, None]


def _order(values: Any) -> np.ndarray:
    """Largest |μ| first; of equal ones, as conjugate pairs are up to rounding, the positive imaginary part first."""
    return np.lexsort((-values.imag, -values.real, -np.round(np.abs(values), 12)))


def _smooth(map_: IteratedMap, states: Tensor, derivative: Tensor) -> Tensor:
    """Whether F^k(x ± h v) - F^k(x) = ± h DF^k v, to a hundredth, for some directions v."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(_PROBED, states.shape[-1], dtype=torch.float64, generator=generator)
    directions = (directions / directions.norm(dim=-1, keepdim=True)).to(states)
    # short, as F^k bends the more the longer the cycle; rounding disturbs the quotient by some 1e-5 all the same, in
    # single precision by 1e-4, so that it can be short there too
    units = 1e5 if states.dtype == torch.float64 else 1e4
    step = units * torch.finfo(states.dtype).eps * states.norm(dim=-1, keepdim=True).clamp(min=1)
    centre, bound = map_(states), 1e-2 * step[:, 0] * (1 + derivative.flatten(1).norm(dim=-1))
    smooth = torch.isfinite(derivative).all(-1).all(-1)
    for direction in (*directions, *-directions):
        moved = map_(states + step * direction) - centre
        smooth &= (moved - step * (derivative @ direction)).norm(dim=-1) <= bound
    return smooth
