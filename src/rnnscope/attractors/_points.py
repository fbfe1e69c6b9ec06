"""What is known of a point of a cycle: its multipliers, its least period, which points are the same."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Bool, Complex, Float, Int64
from torch import Tensor

from rnnscope.attractors._forecast import need_jacobians
from rnnscope.attractors._matrices import pieces
from rnnscope.attractors._search import N_THREADS, FixedPointSearch, IteratedMap, find_fixed_points, prepared
from rnnscope.base.errors import require, require_derivatives
from rnnscope.base.threads import torch_threads
from rnnscope.systems import System

_PERIOD = 1e-6  # a residual, relative to max(1, ‖x‖), below which a shorter period is tried
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
    require(type(period) is int and period >= 1, "period", "a whole number of at least 1", period)
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


def least_periods(
    system: System,
    states: Float[Tensor, "point state"],
    inputs: Float[Tensor, "..."] | None = None,
    *,
    period: int,
    tolerance: float = 1e-13,
) -> tuple[Int64[Tensor, " point"], Float[Tensor, "point state"], Float[Tensor, " point"]]:
    """The least period d of zeros of F^k(x) - x, the points located with it, and their residuals ‖F^d(x) - x‖.

    The smallest divisor d of k counts for which ‖F^d(x) - x‖ is small and a search with d from x ends in a zero no
    further away than rounding explains.

    >>> from rnnscope.systems import textbook
    >>> points = torch.tensor([[0.6875], [0.5130445095], [0.7994554905]]).double()  # of logistic(3.2)
    >>> least_periods(textbook.logistic(3.2), points, period=2)[0]
    tensor([1, 2, 2])
    """
    states, drive = prepared(system, states, inputs)
    inputs = torch.zeros(system.input_size) if inputs is None else torch.as_tensor(inputs)
    inputs = inputs.expand(len(states), -1)
    least = torch.full((len(states),), period, dtype=torch.int64, device=states.device)
    states = states.clone()
    with torch.no_grad():
        residual = (IteratedMap(system, drive, period)(states) - states).norm(dim=-1)
    for divisor in (d for d in range(1, period) if period % d == 0):
        with torch.no_grad():
            shorter = (IteratedMap(system, drive, divisor)(states) - states).norm(dim=-1)
        size = states.norm(dim=-1).clamp(min=1)
        tried = (least == period) & (shorter <= _PERIOD * size)
        if not tried.any():
            continue
        found = find_fixed_points(system, states[tried], inputs[tried], period=divisor, tolerance=tolerance)
        same = found.converged & ((found.location - states[tried]).norm(dim=-1) <= 10 * _PERIOD * size[tried])
        rows = tried.nonzero()[:, 0][same]
        least[rows], states[rows], residual[rows] = divisor, found.location[same], found.residual[same]
    return least, states, residual


def distinct_points(
    location: Float[Tensor, "point state"],
    residual: Float[Tensor, " point"],
    radius: float | Float[Tensor, " point"],
    *,
    images: Float[Tensor, "phase point state"] | None = None,
) -> tuple[Int64[Tensor, " distinct"], Int64[Tensor, " point"]]:
    """Which points are the same: the rows of the distinct ones, and for every point the number of its distinct one.

    Going through the points from the smallest residual on, each takes all those that are left within its radius plus
    theirs. For cycles, ``images`` holds x, F(x), … of every point: a point is the same as another if it is near any of
    them.

    >>> points = torch.tensor([[0.0], [1.0], [1e-9]])
    >>> distinct_points(points, torch.tensor([1e-15, 0.0, 1e-14]), 1e-6)
    (tensor([1, 0]), tensor([1, 0, 1]))
    """
    radii = torch.as_tensor(radius, dtype=location.dtype, device=location.device).expand(len(location))
    images = location[None] if images is None else images
    label = torch.full((len(location),), -1, dtype=torch.int64, device=location.device)
    chosen: list[int] = []
    with torch_threads(N_THREADS):
        for row in torch.argsort(residual, stable=True).tolist():
            if label[row] >= 0:
                continue
            free = (label < 0).nonzero()[:, 0]
            distance = (location[free][None] - images[:, row][:, None]).norm(dim=-1).amin(0)
            label[free[distance <= radii[free] + radii[row]]] = len(chosen)
            label[row] = len(chosen)
            chosen.append(row)
    return torch.tensor(chosen, dtype=torch.int64, device=location.device), label


def unseen_share(found: FixedPointSearch, radius: float) -> tuple[float, float]:
    """The share of searches that would lead to a zero which none of these has found, and its standard error.

        U = f1 / n ± (√(f1 (1 - f1 / n) + 2 f2) + 1) / n

    with f1 and f2 the zeros, the same within ``radius``, that one and two of the n searches have found.

    >>> places = torch.tensor([[0.0], [0.0], [0.0], [1.0]])
    >>> nothing = torch.zeros(4)
    >>> found = FixedPointSearch(places, nothing, nothing, torch.ones(4, dtype=torch.int8), nothing.long())
    >>> unseen_share(found, 1e-6)[0]
    0.25

    Source: Good, Biometrika 40, 1953.

    """
    n = len(found.status)
    zero = found.converged
    once = twice = 0
    if zero.any():
        _, label = distinct_points(found.location[zero], found.residual[zero], radius)
        counts = torch.bincount(label)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / n, float(np.sqrt(once * (1 - once / n) + 2 * twice) + 1) / n
