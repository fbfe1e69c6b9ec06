"""Batched Levenberg-Marquardt on F^k(x) - x with exact Jacobians; rows that are done leave the batch."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from jaxtyping import Float, Int8, Int64
from torch import Tensor

from rnnscope.attractors.numerics.chords import Chords, zero_below
from rnnscope.attractors.numerics.forecast import need_jacobians
from rnnscope.attractors.numerics.iterated_map import N_THREADS, IteratedMap, prepared
from rnnscope.attractors.numerics.jacobians import WIDE
from rnnscope.base.errors import require, require_derivatives
from rnnscope.base.flags import Flags
from rnnscope.base.settings import require_whole
from rnnscope.base.threads import torch_threads
from rnnscope.systems import System, require_deterministic

STATUS = Flags(("unfinished", "converged", "stationary", "stalled", "escaped"))
UNFINISHED, CONVERGED, STATIONARY, STALLED, ESCAPED = STATUS.codes

_MOST_NUMBERS = 2**24  # of a batch of Jacobians in memory at once,
_WIDE_NUMBERS = 2**21  # and of one of wide states: what is beyond the cache takes several times as long
_PILOTS = 8  # of wide states are searched first, then twice as many at each turn
_KNOWN_AFTER = 2.0  # seconds in which it shows how long searches take
_PERIOD = 1e-6  # a residual, relative to max(1, ‖x‖), below which a shorter period is tried
_COARSE = 1e3  # slopes so much larger are no slope where no step lowers q


@dataclass(frozen=True)
class FixedPointSearch:
    """Where each start led, one row for each, all from the same iterate.

    Attributes:
        location: x, (start, state).
        residual: ‖F^k(x) - x‖, (start,); NaN where the map is not finite.
        q: ½‖F^k(x) - x‖², (start,).
        status: (start,): 0 unfinished, more steps are needed than were allowed; 1 converged to a zero; 2 stationary, a
            minimum of q that is not a zero; 3 stalled, no step lowers q and yet its slope is not zero: a kink or a jump
            of the map; 4 escaped, out of bounds.
        n_iterations: steps taken, without those with the Jacobian of another zero, (start,).

    """

    location: Float[Tensor, "start state"]
    residual: Float[Tensor, " start"]
    q: Float[Tensor, " start"]
    status: Int8[Tensor, " start"]
    n_iterations: Int64[Tensor, " start"]

    def rows(self, index: Any) -> Self:
        """Some of the searches."""
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Several one after another."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @property
    def converged(self) -> Tensor:
        """Which starts led to a zero, (start,)."""
        return self.status == CONVERGED


def find_fixed_points(
    system: System,
    states: Float[Tensor, "start state"],
    inputs: Float[Tensor, "..."] | None = None,
    *,
    period: int = 1,
    tolerance: float = 1e-13,
    max_iterations: int = 300,
    stationary: float = 1e-4,
    scale: float = 1.0,
    escape: float = 1e12,
    forecast: Callable[[float], None] | None = None,
    chords: Chords | None = None,
) -> FixedPointSearch:
    """From each start, go down to a zero of F^k(x) - x, or to a minimum of its length.

        q(x) = ½‖F^k(x) - x‖²,  F(x) = f(x, ū);    (JᵀJ + μ‖r‖ I) δ = -Jᵀ r,   r = F^k(x) - x,  J = DF^k(x) - I

    A zero is accepted where ‖r‖ ≤ max(``tolerance``, 16 ε (2 + ‖J‖)) max(1, ‖x‖), ε the unit of rounding, and is then
    polished by two Newton steps as far as they lower ‖r‖. Damping proportional to ‖r‖ keeps convergence quadratic along
    lines of zeros too. Where the state has more than 100 coordinates, a search may end by Newton steps with the
    Jacobian of a zero that another has found, if each is at most half as long as the last. All is computed in the
    system's dtype: hand over ``system.to(torch.float64)`` for points worth their digits.

    >>> from rnnscope.systems import as_system
    >>> cell = torch.nn.RNN(1, 1).double()
    >>> for p in cell.parameters():
    ...     _ = torch.nn.init.constant_(p, 0.5)
    >>> found = find_fixed_points(as_system(cell), torch.tensor([[-3.0], [0.0]]))
    >>> [round(float(x), 6) for x in found.location]  # x = tanh(x/2 + 1)
    [0.895219, 0.895219]

    Args:
        system: the network as a map.
        states: where to begin, (start, state_size).
        inputs: the constant input ū, (input_size,), or one for each start, (start, input_size); None: zero.
        period: k; 1 for fixed points. A zero for k may have a period that divides k.
        tolerance: how small the residual of a zero is, relative to max(1, ‖x‖).
        max_iterations: steps at most.
        stationary: a minimum of q is reached where log q changes by less than this over a distance of ``scale`` in the
            direction of steepest descent.
        scale: a distance that is typical for states of this network.
        escape: a start whose coordinates exceed this has escaped.
        chords: for wide states, zeros of this map that earlier searches have found; those found now are added.
        forecast: for wide states, called with the seconds that the search still takes, as far as can be told.

    Returns:
        A row for each start. That nothing was found is said by ``status``, not by an exception.

    Raises:
        ValueError: no starts, shapes that do not fit, a period or tolerance that is not positive; a state too wide for
            Jacobians.
        DerivativeError: the derivatives of the step are not those of the map.
        NonDeterministicError: the same state and input gave two different answers.

    Source: Sussillo & Barak, Neural Computation 25, 2013 (slow points as minima of q); Fan & Yuan, Computing 74, 2005
    (the damping).

    """
    for name, value in (("period", period), ("max_iterations", max_iterations)):
        require_whole(name, value)
    for name, value in (("tolerance", tolerance), ("stationary", stationary), ("scale", scale), ("escape", escape)):
        require(isinstance(value, int | float) and value > 0, name, "a positive number", value)
    require_derivatives("find_fixed_points", system.derivative_problem)
    need_jacobians("find_fixed_points", system)
    require_deterministic(system)
    states, drive = prepared(system, states, inputs)
    settings = _Settings(tolerance, max_iterations, stationary / scale, escape)
    with torch.no_grad(), torch_threads(N_THREADS):
        map_ = IteratedMap(system, drive, period)
        if system.state_size > WIDE:
            known = Chords(tolerance) if chords is None else chords  # those that are given may be none yet
            found = _search_wide(map_, states, settings, forecast, known)
        else:
            rows = max(1, _MOST_NUMBERS // system.state_size**2)
            parts = [_search(map_.rows(piece), states[piece], settings) for piece in _slices(len(states), rows)]
            found = tuple(torch.cat(part) for part in zip(*parts, strict=True))
    location, residual, status, n_iterations = found
    return FixedPointSearch(location, residual, residual.square() / 2, status, n_iterations)


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


@dataclass(frozen=True)
class _Settings:
    tolerance: float
    max_iterations: int
    slope: float  # |∇ log q| at which q is stationary
    escape: float


def _search_wide(
    map_: IteratedMap,
    start: Tensor,
    settings: _Settings,
    forecast: Callable[[float], None] | None,
    chords: Chords,
) -> tuple[Tensor, ...]:
    """A few searches at first, then more at each turn, of those starts that no zero found by then accounts for."""
    location, residual, status, n_iterations = _blank(start)
    most = max(1, _WIDE_NUMBERS // start.shape[1] ** 2)
    # starts come in order of kind: each turn has some of all
    left = torch.randperm(len(start), generator=torch.Generator().manual_seed(0)).to(start.device)
    at_once, done, begun = min(_PILOTS, most), 0, time.perf_counter()
    if len(chords):
        ended, where, length = chords.finish(map_.rows(left), start[left])
        location[left[ended]], residual[left[ended]], status[left[ended]] = where, length, CONVERGED
        left = left[~torch.isin(torch.arange(len(left), device=left.device), ended)]
    while len(left):
        rows, left = left[:at_once], left[at_once:]
        known = len(chords)
        found = _search(map_.rows(rows), start[rows], settings, chords)
        location[rows], residual[rows], status[rows], n_iterations[rows] = found
        zero = rows[status[rows] == CONVERGED]
        chords.learn(map_.rows(zero), location[zero])
        ended, where, length = chords.finish(map_.rows(left), start[left], since=known)
        location[left[ended]], residual[left[ended]], status[left[ended]] = where, length, CONVERGED
        stay = torch.ones_like(left, dtype=torch.bool)
        stay[ended] = False
        left, at_once, done = left[stay], min(2 * at_once, most), done + len(rows)
        elapsed = time.perf_counter() - begun
        if forecast is not None and elapsed >= _KNOWN_AFTER:
            forecast(elapsed / done * len(left))
    return location, residual, status, n_iterations


def _blank(start: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    count, device = len(start), start.device
    status = torch.full((count,), UNFINISHED, dtype=torch.int8, device=device)
    n_iterations = torch.zeros(count, dtype=torch.int64, device=device)
    return start.clone(), start.new_full((count,), torch.nan), status, n_iterations


def _search(map_: IteratedMap, start: Tensor, settings: _Settings, chords: Chords | None = None) -> tuple[Tensor, ...]:
    location, residual, status, n_iterations = _blank(start)
    by_chord = torch.zeros_like(status, dtype=torch.bool)
    descent = _Descent(map_, start, settings)
    for iteration in range(settings.max_iterations + 1):
        verdict = descent.verdict()
        done = verdict != UNFINISHED
        if iteration == settings.max_iterations:
            done[:] = True
        elif chords is not None and iteration:
            ended = descent.end_by(chords, ~done)
            verdict[ended], done[ended] = CONVERGED, True
            by_chord[descent.index[ended]] = True
        if done.any():
            rows = descent.index[done]
            location[rows], residual[rows] = descent.x[done], descent.length[done]
            status[rows], n_iterations[rows] = verdict[done], iteration
            descent.keep(~done)
        if not len(descent.index):
            break
        descent.step()
    zero = (status == CONVERGED) & ~by_chord
    if zero.any():
        location[zero], residual[zero] = _polished(map_.rows(zero), location[zero], residual[zero])
    return location, residual, status, n_iterations


class _Descent:
    """The rows still under way: x, r, J of r, and each row's damping."""

    def __init__(self, map_: IteratedMap, start: Tensor, settings: _Settings):
        self.map, self.settings, self.x = map_, settings, start
        self.index = torch.arange(len(start), device=start.device)
        self.r = map_(start) - start
        self.length = self.r.norm(dim=-1)
        self.finite = torch.isfinite(self.length)
        self.normal = map_.normal(start, self.r)
        self.finite &= torch.isfinite(self.normal.size)
        self.length[~self.finite] = torch.nan
        self.damping = torch.full_like(self.length, 1e-2)
        self.moved = torch.zeros_like(self.finite)

    def verdict(self) -> Tensor:
        settings, epsilon = self.settings, torch.finfo(self.x.dtype).eps
        zero = self.length <= zero_below(self.x, self.normal.size.sqrt(), settings.tolerance)
        # ∇ log q = 2 ∇q / ‖r‖², for q = ½‖r‖²
        flat = 2 * self.normal.gradient.norm(dim=-1) <= settings.slope * self.length.square()
        stuck = self.damping > 1 / epsilon
        # close to a minimum that is not a zero, what q could still lose is less than its rounding
        flat |= stuck & (2 * self.normal.gradient.norm(dim=-1) <= _COARSE * settings.slope * self.length.square())
        out = ~self.finite | (self.x.abs().amax(-1) > settings.escape)
        verdict = torch.zeros_like(self.index, dtype=torch.int8)
        for condition, value in ((stuck, STALLED), (flat, STATIONARY), (zero, CONVERGED), (out, ESCAPED)):
            verdict[condition] = value
        return verdict

    def end_by(self, chords: Chords, rows: Tensor) -> Tensor:
        """Which of some rows are at the end by chord steps; they are put there."""
        tried = (rows & self.moved).nonzero()[:, 0]
        ended, where, length = chords.finish(self.map.rows(tried), self.x[tried])
        ended = tried[ended]
        self.x[ended], self.length[ended] = where, length
        return ended

    def keep(self, rows: Tensor) -> None:
        self.map = self.map.rows(rows)
        for name in ("index", "x", "r", "length", "finite", "damping"):
            setattr(self, name, getattr(self, name)[rows])
        self.normal = self.normal.rows(rows)

    def step(self) -> None:
        epsilon = torch.finfo(self.x.dtype).eps
        # below this, JᵀJ is rounding in its null directions
        floor = 8 * epsilon * self.normal.size
        damping = torch.maximum(self.damping * self.length, floor)
        shift, failed = self.normal.solve(damping, -self.normal.gradient)
        trial = self.x + shift
        r = self.map(trial) - trial
        length = r.norm(dim=-1)
        predicted = (shift * (damping[:, None] * shift - self.normal.gradient)).sum(-1)  # of ‖r‖², as are these
        gained = (self.length - length) * (self.length + length)
        ratio = gained / predicted
        better = (failed == 0) & torch.isfinite(length) & (gained > 0) & (ratio > 1e-4)
        grow = ~better | (ratio < 0.25)
        shrink = better & (ratio > 0.75)
        self.damping = torch.where(grow, 4 * self.damping, torch.where(shrink, self.damping / 8, self.damping))
        self.damping.clamp_(min=1e-10)
        self.moved = better
        if better.any():
            self._accept(better, trial, r, length)

    def _accept(self, better: Tensor, trial: Tensor, r: Tensor, length: Tensor) -> None:
        new = self.map.rows(better).normal(trial[better], r[better])
        finite = torch.isfinite(new.size)
        if not finite.all():
            better = better.clone()
            better[better.clone()] = finite
            new = new.rows(finite)
        column = better[:, None]
        self.x, self.r = torch.where(column, trial, self.x), torch.where(column, r, self.r)
        self.length = torch.where(better, length, self.length)
        self.normal.put(better, new)
        self.moved = better


def _polished(map_: IteratedMap, x: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    far = max(1e-6, 1e4 * torch.finfo(x.dtype).eps)
    for _ in range(2):
        matrix = map_.derivative(x) - _identity(x)
        shift, singular = torch.linalg.solve_ex(matrix, (x - map_(x))[..., None])
        trial = x + shift[..., 0]
        length = (map_(trial) - trial).norm(dim=-1)
        # where the matrix is all but singular, along a line of zeros, a Newton step goes astray
        near = shift[..., 0].norm(dim=-1) <= far * x.norm(dim=-1).clamp(min=1)
        better = (singular == 0) & near & (length < residual)
        x = torch.where(better[:, None], trial, x)
        residual = torch.where(better, length, residual)
    return x, residual


def _identity(states: Tensor) -> Tensor:
    return torch.eye(states.shape[-1], dtype=states.dtype, device=states.device)


def _slices(total: int, size: int) -> list[slice]:
    return [slice(at, at + size) for at in range(0, total, size)]
