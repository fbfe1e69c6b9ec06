"""From where the starts led to what there is at one constant input: fixed points, cycles, slow points, continua."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.numerics.iterated_map import IteratedMap
from rnnscope.attractors.numerics.jacobians import pieces, smallest_singular_values
from rnnscope.attractors.numerics.newton import CONVERGED, STATIONARY, FixedPointSearch, least_periods
from rnnscope.attractors.points.continuum import find_continua, nearest_to_one
from rnnscope.attractors.points.distinct import distinct_points
from rnnscope.attractors.points.visited import Visited
from rnnscope.base.flags import Flags
from rnnscope.systems import System

STATUS = Flags(("none", "fixed_point", "cycle", "slow_point", "continuum"), first=-1)
_, FIXED_POINT, CYCLE, SLOW_POINT, CONTINUUM = STATUS.codes

_UNCERTAIN = 10  # a zero may be off by so many times ‖r‖ / σ_min(J): far, where J is all but singular
_MOST_UNCERTAIN = 1e-2  # of the scale


@dataclass
class Points:
    """What is known of each point, one row each; location and residual are of the same iterate."""

    location: np.ndarray  # (point, state)
    residual: np.ndarray
    period: np.ndarray
    status: np.ndarray
    n_found: np.ndarray
    reachable: np.ndarray
    n_members: np.ndarray
    extent: np.ndarray
    length: np.ndarray
    neutral_low: np.ndarray
    neutral_high: np.ndarray
    fastest: np.ndarray

    def __len__(self) -> int:
        return len(self.location)

    def rows(self, index: np.ndarray) -> Self:
        """Some of the points."""
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Points of several kinds one after another."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


@dataclass(frozen=True)
class Collecting:
    """The settings of ``FixedPoints`` that matter here; lengths are relative to the visited states' scale."""

    distinct: float
    margin: float
    slow: float
    neutral: float
    extent: float
    tolerance: float


def collect(
    system: System, input: Tensor, searches: dict[int, FixedPointSearch], visited: Visited, settings: Collecting
) -> Points:
    """Everything found at one input, each thing once."""
    scale = visited.scale
    zeros = [_zeros(system, input, period, found, settings) for period, found in searches.items()]
    by_period: dict[int, list[tuple[Tensor, Tensor]]] = {}
    for least, location, residual in zeros:
        for period in least.unique().tolist():
            by_period.setdefault(period, []).append((location[least == period], residual[least == period]))
    parts = [_nothing(system)]
    for period, found in sorted(by_period.items()):
        location, residual = (torch.cat(part) for part in zip(*found, strict=True))
        map_ = _map(system, input, period)
        row, count = _merged(map_, location, residual, settings.distinct * scale, scale)
        parts.append(_points(location[row], residual[row], count, FIXED_POINT if period == 1 else CYCLE, period))
    if 1 in searches:
        parts.append(_slow_points(searches[1], settings, scale))
    points = _reached(system, input, Points.joined(parts), visited, settings)
    points = _continua_joined(system, input, points, visited, settings)
    return points.rows(_order(points))


def _zeros(
    system: System, input: Tensor, period: int, found: FixedPointSearch, settings: Collecting
) -> tuple[Tensor, Tensor, Tensor]:
    zero = found.status == CONVERGED
    location, residual = found.location[zero], found.residual[zero]
    if period == 1 or not zero.any():
        return torch.full_like(residual, period, dtype=torch.int64), location, residual
    least, location, residual = least_periods(system, location, input, period=period, tolerance=settings.tolerance)
    return least, location, residual


def _merged(
    map_: IteratedMap, location: Tensor, residual: Tensor, radius: float, scale: float
) -> tuple[Tensor, np.ndarray]:
    """Rows of the distinct points and how many starts led to each; first those that are equal but for rounding, then
    those that an all but singular Jacobian leaves undecided."""
    with torch.no_grad():
        row, label = distinct_points(location, residual, radius, images=map_.held(len(location)).path(location))
        few = location[row]
        path = map_.held(len(few)).path(few)
        smallest = _smallest_slopes(map_, few)
        rounding = 4 * torch.finfo(few.dtype).eps * few.norm(dim=-1).clamp(min=1)
        unsure = (_UNCERTAIN * torch.maximum(residual[row], rounding) / smallest).clamp(max=_MOST_UNCERTAIN * scale)
        kept, again = distinct_points(few, residual[row], unsure.clamp(min=radius), images=path)
    count = torch.bincount(again[label], minlength=len(kept)).cpu().numpy()
    return row[kept], count


def _smallest_slopes(map_: IteratedMap, points: Tensor) -> Tensor:
    """σ_min of DF^k - 1 at each point; 0 where that is not finite."""
    found = [points[:0, 0]]
    for piece in pieces(len(points), points.shape[1]):
        matrix = map_.held(len(points[piece])).derivative(points[piece]) - torch.eye(points.shape[1]).to(points)
        finite = torch.isfinite(matrix).all(-1).all(-1)
        values = points.new_zeros(len(matrix))
        values[finite] = smallest_singular_values(matrix[finite])
        found.append(values)
    return torch.cat(found)


def _slow_points(found: FixedPointSearch, settings: Collecting, scale: float) -> Points:
    slow = (found.status == STATIONARY) & (found.residual <= settings.slow * scale)
    location, residual = found.location[slow], found.residual[slow]
    # a minimum of q is known far less well than a zero
    row, label = distinct_points(location, residual, _MOST_UNCERTAIN * scale)
    count = torch.bincount(label, minlength=len(row)).cpu().numpy()
    return _points(location[row], residual[row], count, SLOW_POINT, 1)


def _continua_joined(system: System, input: Tensor, points: Points, visited: Visited, settings: Collecting) -> Points:
    """Points with the members of a continuum replaced by the continuum."""
    drop = np.zeros(len(points), dtype=bool)
    for period in np.unique(points.period).tolist():
        own = np.flatnonzero(points.period == period)
        map_ = _map(system, input, period)
        location = torch.as_tensor(points.location[own]).to(dtype=system.dtype, device=system.device)
        near = nearest_to_one(map_, location)
        points.neutral_low[own] = points.neutral_high[own] = np.where(np.isfinite(near), np.real(near), np.nan)
        found = find_continua(
            map_,
            location,
            near,
            points.reachable[own],
            neutral=settings.neutral,
            speed=settings.slow * visited.scale,
            extent=settings.extent * visited.diameter,
        )
        for each in found:
            members, middle = own[each.members], own[each.middle]
            drop[members] = True
            drop[middle] = False
            points.status[middle], points.n_members[middle] = CONTINUUM, len(members)
            points.n_found[middle] = points.n_found[members].sum()
            points.extent[middle], points.length[middle], points.fastest[middle] = (
                each.extent,
                each.length,
                each.fastest,
            )
            points.neutral_low[middle], points.neutral_high[middle] = each.neutral
    return points.rows(~drop)


def _reached(system: System, input: Tensor, points: Points, visited: Visited, settings: Collecting) -> Points:
    for period in np.unique(points.period).tolist():
        rows = points.period == period
        location = torch.as_tensor(points.location[rows]).to(dtype=system.dtype, device=system.device)
        with torch.no_grad():
            path = _map(system, input, period).held(len(location)).path(location)
        points.reachable[rows] = visited.reached(path, settings.margin).all(0).cpu().numpy()
    return points


def _map(system: System, input: Tensor, period: int) -> IteratedMap:
    with torch.no_grad():
        return IteratedMap(system, system.drive(system.weights, input[None]), period)


def _points(location: Tensor, residual: Tensor, count: np.ndarray, status: int, period: int) -> Points:
    n, nan = len(location), np.full(len(location), np.nan)
    return Points(
        location=location.double().cpu().numpy(),
        residual=residual.double().cpu().numpy(),
        period=np.full(n, period, dtype=np.int32),
        status=np.full(n, status, dtype=np.int8),
        n_found=count.astype(np.int32),
        reachable=np.zeros(n, dtype=bool),
        n_members=np.ones(n, dtype=np.int32),
        extent=np.zeros(n),
        length=np.zeros(n),
        neutral_low=nan.copy(),
        neutral_high=nan.copy(),
        fastest=residual.double().cpu().numpy().copy(),
    )


def _nothing(system: System) -> Points:
    return _points(torch.zeros(0, system.state_size), torch.zeros(0), np.zeros(0), FIXED_POINT, 1)


def _order(points: Points) -> np.ndarray:
    """Reachable ones first, then by status and period; of equal ones by coordinates, rounded so that order repeats."""
    coordinates = np.round(points.location.T[::-1], 6)
    return np.lexsort((*coordinates, points.period, points.status, ~points.reachable))
