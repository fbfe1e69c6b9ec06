"""Which rows of a window of states have come to a fixed point or a cycle, confirmed by Newton's method."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.numerics.iterated_map import IteratedMap, prepared
from rnnscope.attractors.numerics.jacobians import WIDE, left_vector
from rnnscope.attractors.numerics.multipliers import multipliers_at
from rnnscope.attractors.numerics.newton import find_fixed_points, least_periods
from rnnscope.systems import System

_SETTLED = 1e-7  # distance from a cycle, relative to 1 + |x|, at which nothing is left to see of the approach
_MARGIN = 1e-6  # how far from 1 a multiplier must be for the linear part to decide stability
_ROUNDING = 64  # units of rounding that no tolerance is below
_COORDINATES = 6
_EXACT_RETURN = 1e-9  # relative to 1 + |x|
_IMPROVES = 0.97  # from one half of the window to the next
_ITERATIONS = 40  # of Newton's method: it begins close, or not at all
_NEAR = 0.1  # distance from a cycle below which an approach can be linear, relative to 1 + |x|
_FAR = 30.0  # how far Newton's method may go from where the orbit is, relative to the spread of the window


def settled(dtype: torch.dtype) -> float:
    """The distance from a cycle, relative to 1 + |x|, at which nothing is left to see of the approach.

    >>> settled(torch.float64), settled(torch.float32) > 1e-6
    (1e-07, True)
    """
    return _at_least_rounding(_SETTLED, dtype)


def margin(dtype: torch.dtype) -> float:
    """How far from 1 a multiplier must be for the linear part to decide stability."""
    return _at_least_rounding(_MARGIN, dtype)


def _at_least_rounding(value: float, dtype: torch.dtype) -> float:
    return max(value, _ROUNDING * torch.finfo(dtype).eps)


@dataclass
class Cycles:
    """Fixed points and cycles by row; ``period`` 0 where there is none, and everything else is then NaN.

    ``points`` (row, state) are in phase with the last state of the window; ``multipliers`` (row, state), by modulus;
    ``distance`` from the last state, relative; ``attracts`` says that the row is on its way there for good;
    ``approaches`` that it seems to be, but is still far or does not yet come nearer at the rate that it should.
    """

    period: Tensor
    points: Tensor
    multipliers: Tensor
    residual: Tensor
    distance: Tensor
    attracts: Tensor
    approaches: Tensor


def find_cycles(system: System, window: Tensor, inputs: Tensor, max_period: int) -> Cycles:
    """What the rows of a window of states (time, row, state) under constant inputs (row, channel) have come to.

    The candidate period is the shortest of those after which the states return best; Newton's method on F^k(x) - x
    begins at the last state. A row is on its way for good if all multipliers are inside the unit circle and it is there
    already, or its distance shrinks at the rate of the largest multiplier.
    """
    n_rows, n_states = window.shape[1:]
    nan = torch.full((n_rows,), torch.nan, dtype=window.dtype, device=window.device)
    found = Cycles(
        torch.zeros(n_rows, dtype=torch.int64, device=window.device),
        nan[:, None].repeat(1, n_states),
        nan[:, None].repeat(1, n_states).to(torch.complex128),
        nan.clone(), nan.clone(), *torch.zeros(2, n_rows, dtype=torch.bool, device=window.device),
    )  # fmt: skip
    for candidates in _candidate_periods(window, max_period):
        for period in candidates.unique().tolist():
            rows = torch.nonzero((candidates == period) & ~found.attracts)[:, 0]
            if period and len(rows):
                _confirm(system, window[:, rows], inputs[rows], period, rows, found)
    return found


def _candidate_periods(window: Tensor, max_period: int) -> tuple[Tensor, Tensor]:
    """For each row the shortest period of nearly the best return, then 1 where that was not it; 0 for none.

    A return counts if it is exact, or gets better from the first half of the window to the second: on a closed curve
    there are near returns too, but they stay as they are.
    """
    longest = min(max_period, len(window) // 8)
    size = 1 + window[-1].abs().amax(-1)
    window = _in_few_coordinates(window)
    early, late = (_returns(half, longest) / size for half in (window[: len(window) // 2], window[len(window) // 2 :]))
    exact = _at_least_rounding(_EXACT_RETURN, window.dtype)
    eligible = (late <= exact) | (late <= _IMPROVES * early)
    best = torch.where(eligible, late, torch.inf).amin(0)
    spread = ((window.amax(0) - window.amin(0)).amax(-1) / size).clamp(min=settled(window.dtype))
    good = eligible & (late <= (3 * best).clamp(min=exact)) & (best <= 0.1 * spread)
    shortest = torch.where(good.any(0), good.int().argmax(0) + 1, 0)
    resting = torch.where((shortest != 1) & eligible[0] & (late[0] < 0.1), 1, 0)
    return shortest, resting


def _in_few_coordinates(window: Tensor) -> Tensor:
    """States seen along a few random directions: returns of all coordinates are returns of these, and cheaper."""
    n = window.shape[-1]
    if n <= _COORDINATES:
        return window
    directions = torch.randn(n, _COORDINATES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return window @ torch.linalg.qr(directions).Q.to(window)


def _returns(states: Tensor, longest: int) -> Tensor:
    """The largest |x[t] - x[t-k]| over the last steps of a stretch (time, row, state), for k = 1 … longest."""
    n = len(states)
    last = min(2 * longest, n - longest)
    return torch.stack(
        [(states[n - last :] - states[n - last - k : n - k]).abs().amax((0, 2)) for k in range(1, longest + 1)]
    )


def _confirm(system: System, window: Tensor, inputs: Tensor, period: int, rows: Tensor, found: Cycles) -> None:
    last = window[-1]
    which, back = _representatives(last, inputs)
    search = find_fixed_points(system, last[which], inputs[which], period=period, max_iterations=_ITERATIONS)
    size = 1 + last.abs().amax(-1)
    distance = (last - search.location[back]).abs().amax(-1) / size
    spread = (window.amax(0) - window.amin(0)).amax(-1) / size
    near = search.converged[back] & (distance <= (_FAR * spread).clamp(min=settled(window.dtype)))
    if not near.any():
        return
    kept, place = back[near].unique(return_inverse=True)  # the distinct points that rows have come near to
    held = inputs[which][kept]
    least, points, residuals = least_periods(system, search.location[kept], held, period=period)
    for shorter in least.unique().tolist():
        chosen = torch.nonzero(least == shorter)[:, 0]
        multipliers = multipliers_at(_in_double(system), points[chosen], held[chosen], period=shorter)
        values = torch.from_numpy(multipliers.values).to(found.multipliers)
        for at, point in enumerate(chosen.tolist()):
            own = torch.nonzero(near)[:, 0][place == point]
            attracts, approaches = _attracts(
                system, window[:, own], points[point], held[point], values[at], distance[own], shorter
            )
            better = attracts | (found.period[rows[own]] == 0)
            own = own[better]
            found.period[rows[own]] = shorter
            found.points[rows[own]] = points[point]
            found.multipliers[rows[own]] = values[at]
            found.residual[rows[own]] = residuals[point]
            found.distance[rows[own]] = distance[own]
            found.attracts[rows[own]] = attracts[better]
            found.approaches[rows[own]] = approaches[better]


def _left_vector(system: System, point: Tensor, inputs: Tensor, multipliers: Tensor, period: int) -> np.ndarray:
    if len(point) <= WIDE:
        left = multipliers_at(system, point[None], inputs, period=period, vectors=True).left
        assert left is not None
        return left[0, 0]
    state, drive = prepared(system, point[None], inputs)
    with torch.no_grad():
        derivative = IteratedMap(system, drive, period).derivative(state)[0].double().cpu().numpy()
    return left_vector(derivative, complex(multipliers[0]))


def _in_double(system: System) -> System:
    """Differences in single precision are too coarse to tell a bend of the map from a kink."""
    if system.dtype == torch.float64:
        return system
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what cannot be computed in double: it was told when it was asked for
        return system.to(torch.float64)


def _representatives(states: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that stand for all others with the same state and inputs within 1e-8, and for each row the one that does."""
    key = torch.cat([states, inputs], -1)
    rounded = torch.round(key / 1e-8) if key.abs().amax() < 1e6 else key
    _, back = torch.unique(rounded, dim=0, return_inverse=True)
    first = torch.full((int(back.max()) + 1,), len(back), device=back.device)
    first = first.scatter_reduce(0, back, torch.arange(len(back), device=back.device), "amin")
    return first, back


def _attracts(
    system: System, window: Tensor, point: Tensor, inputs: Tensor, multipliers: Tensor, distance: Tensor, period: int
) -> tuple[Tensor, Tensor]:
    """Whether rows are there already, or come nearer at the rate of the leading multiplier, which is inside;
    and whether they come nearer at anything like it.

    The component along the leading left eigenvector shrinks by that multiplier at each round, without the beats that
    the distance of a rotating approach has.
    """
    leading = multipliers[0].abs()
    if not leading < 1 - margin(point.dtype):  # NaN at a kink or jump of the map
        nowhere = torch.zeros_like(distance, dtype=torch.bool)
        return nowhere, nowhere
    there = distance <= settled(point.dtype)
    in_phase = window.flip(0)[::period].flip(0)[:, ~there] - point
    n = len(in_phase)
    nearer = there.clone()
    if n < 8 or there.all():
        return there, nearer
    vector = torch.from_numpy(_left_vector(_in_double(system), point, inputs, multipliers, period)).to(multipliers)
    component = torch.log((in_phase.to(vector.dtype) @ vector).abs().clamp(min=1e-300))
    quarter, middle = n // 4, n // 2
    late, early = component[n - quarter :].mean(0), component[middle : middle + quarter].mean(0)
    rate = (late - early) / (n - quarter - middle)
    expected = torch.log(leading)
    slow = ~there
    nearer[slow] = (rate <= 0.3 * expected) & (rate >= 3 * expected)
    there[slow] = ((rate - expected).abs() <= 0.05 * expected.abs()) & (distance[slow] < _NEAR)
    return there, nearer
