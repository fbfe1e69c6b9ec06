"""Lyapunov exponents of many orbits at once, by QR of tangent vectors, with their errors."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int8, Int64
from torch import Tensor

from rnnscope.attractors.numerics.forecast import need_vectors, seconds_of
from rnnscope.attractors.numerics.jacobians import WIDE
from rnnscope.attractors.numerics.running import final_state
from rnnscope.base.errors import require, require_derivatives
from rnnscope.base.flags import Flags
from rnnscope.base.randomness import make_generator
from rnnscope.base.settings import is_whole, require_whole
from rnnscope.base.threads import torch_threads
from rnnscope.systems import System, require_deterministic
from rnnscope.systems.system import Weights

STATUS = Flags(("not_converged", "converged", "diverged"))
NOT_CONVERGED, CONVERGED, DIVERGED = STATUS.codes
_SEGMENTS = 64  # of the time that is averaged over: samples of the history, and the smallest blocks of the error
_HEADROOM = 1e6  # of R_ii over rounding: ln|R_ii| is then right to 1e-6
_ROUNDING = 32  # times n eps: what is left of a direction that is lost, with a margin
_LEAST_SEGMENTS = 16
_LEAST_BLOCKS = 8
_STRETCH = 5  # steps between the orthonormalisations of ``log_stretches``
_NUMBERS_AT_ONCE = 2**18  # tangent vectors that fit the cache run fastest
_LARGE = 2**16  # numbers of a matrix that is worth more than a thread
_TREND = 6.0  # standard errors between the halves of the time: three of their difference


class Spectrum(NamedTuple):
    """Lyapunov exponents of a batch of states; what ``lyapunov_spectrum`` returns.

    Attributes:
        exponents: in descending order, nats per step; -inf where a direction is lost, NaN for a row that diverged.
        standard_error: of each; NaN for exponents that are not finite, or where there are too few steps to tell.
        history: the mean up to each time.
        times: steps after the transients at which the history stands.
        kaplan_yorke: the dimension of the attractor by the formula of Kaplan and Yorke; NaN where it takes more
            exponents than were asked for.
        status: ``NOT_CONVERGED`` 0, ``CONVERGED`` 1 or ``DIVERGED`` 2.
        final: the last state.
        interval: steps between two orthonormalisations in the end.

    """

    exponents: Float[Tensor, "batch exponent"]
    standard_error: Float[Tensor, "batch exponent"]
    history: Float[Tensor, "batch exponent time"]
    times: Int64[Tensor, " time"]
    kaplan_yorke: Float[Tensor, " batch"]
    status: Int8[Tensor, " batch"]
    final: Float[Tensor, "batch state"]
    interval: int


def lyapunov_spectrum(
    system: System,
    state: Float[Tensor, "batch state"],
    input: Float[Tensor, "..."] | None = None,
    *,
    n_exponents: int | None = None,
    n_transient: int = 0,
    n_transient_tangent: int = 200,
    n_steps: int = 2000,
    interval: int = 10,
    tolerance: float = 0.02,
    escape: float = 1e12,
    seed: int = 0,
    forecast: Callable[[float], None] | None = None,
) -> Spectrum:
    """Lyapunov exponents along the orbits of a batch of states, each under its own input.

        V[t] = ∂f/∂x(x[t-1], u[t]) Q[t-1],   V[t] = Q[t] R[t],   λ_i = 1/T Σ_t ln |R_ii[t]|

    on the full state. V is orthonormalised every ``interval`` steps; the interval is cut by a quarter, for good,
    wherever a diagonal element of R falls below 10⁶ eps (in float32 √eps) of its column, or a column leaves the range
    of numbers: rounding then shows in the sixth digit of ln|R_ii| (in float32 in the third). Exponents that lie more
    than ln(1 / (32 n eps)) below the largest, 30 in float64 for ten states, cannot be told from those of a direction
    that is lost altogether, and are given as -inf. Where the map has kinks or jumps (a rectifier, modReLU) the
    derivative is that of the piece the state is on.

    The error is that of the mean over 64, 32 and 16 blocks of time, of which the largest is taken: blocks as long as
    that are independent unless correlations last for a sixteenth of the time. A row has *converged* when each error is
    at most ``tolerance`` max(1, |λ|) and the two halves of the time agree within the larger of that and six errors.

    >>> from rnnscope.systems import textbook
    >>> found = lyapunov_spectrum(textbook.linear([[2.0, 1.0], [0.0, 0.5]]), torch.zeros(1, 2))
    >>> found.exponents.exp()
    tensor([[2.0000, 0.5000]], dtype=torch.float64)

    Args:
        system: the network as a map; its floating-point type is the one that is computed in.
        state: where to begin, (batch, state_size).
        input: held constant, (batch, input_size); or a sequence (time, batch, input_size), begun again at its end, for
            exponents conditional on it; None: zero.
        n_exponents: so many, the largest ones; None: all.
        n_transient: steps of the state alone that are dropped.
        n_transient_tangent: further steps that are dropped, of state and tangent vectors, which turn meanwhile.
        n_steps: steps that are averaged over.
        interval: steps between orthonormalisations, at most.
        tolerance: when an exponent has converged, nats per step.
        escape: a row diverges when a coordinate exceeds it.
        seed: of the first, random tangent vectors, the same for all rows.
        forecast: for wide states, called with the seconds that are still needed, as far as can be told.

    Raises:
        ValueError: shapes that do not fit, more exponents than states or than memory holds, odd numbers of steps.
        DerivativeError: the derivatives of the step are not those of the map.
        NonDeterministicError: the step draws random numbers.

    Source: Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15, 1980; Geist, Parlitz & Lauterborn, Progress of
    Theoretical Physics 83, 1990 (by QR). Kaplan & Yorke 1979. Flyvbjerg & Petersen, Journal of Chemical Physics 91,
    1989 (errors by blocks).

    """
    for name, value, least in (
        ("n_transient", n_transient, 0),
        ("n_transient_tangent", n_transient_tangent, 0),
        ("n_steps", n_steps, 1),
        ("interval", interval, 1),
    ):
        require_whole(name, value, least)
    size = system.state_size
    k = size if n_exponents is None else n_exponents
    require(is_whole(k, 1), "n_exponents", "a positive whole number, or None for all", n_exponents)
    require(k <= size, "n_exponents", f"at most {size}, the number of states", k)
    require_derivatives("lyapunov", system.derivative_problem)
    need_vectors(n_exponents, system)
    state, input = _checked(system, state, input)
    require_deterministic(system)
    generator = make_generator(seed, "lyapunov/frame")
    frame = torch.linalg.qr(torch.randn(size, k, dtype=torch.float64, generator=generator)).Q.to(state)
    rows = max(1, _NUMBERS_AT_ONCE // (size * k))
    n_segments = min(max(n_steps // interval, _LEAST_SEGMENTS), _SEGMENTS, n_steps)  # none shorter than need be
    lengths = (torch.arange(n_segments + 1) * n_steps // n_segments).diff()
    parts = []
    # one thread: where the machine is shared, QR of 128 × 128 on two threads took a hundred times as long as on one;
    # of 512 × 512 it takes six tenths, shared or not
    with torch.no_grad(), torch_threads(1 if size * k < _LARGE else None):
        for first in range(0, len(state), rows):
            here = slice(first, first + rows)
            flow = _Flow(system, state[here], input[..., here, :], frame, escape, interval)
            flow.settle(n_transient)
            if forecast is not None and size > WIDE:
                seconds = seconds_of(flow.try_interval) / flow.interval
                forecast(seconds * (n_transient_tangent + n_steps) * math.ceil((len(state) - first) / rows))
            flow.advance(n_transient_tangent)
            sums = torch.stack([flow.advance(length) for length in lengths.tolist()], dim=-1)
            parts.append((sums, flow.state, flow.gone, flow.interval))
    sums, final, gone = (torch.cat([part[index] for part in parts]) for index in range(3))
    return _summary(sums, lengths.to(sums.device), final, gone, tolerance, size, min(part[3] for part in parts))


def log_stretches(
    system: System, weights: Weights, state: Tensor, drive: Tensor, *, k: int, n_transient: int, n_steps: int
) -> np.ndarray:
    """Log stretches per step (row, interval, k) of k tangent vectors along the orbits of states (row, state).

    The vectors are made orthonormal again after every few steps; those of the transient are left out.
    """
    n_rows, n = state.shape
    frame = torch.randn(n, k, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(state)
    frame = torch.linalg.qr(frame).Q.expand(n_rows, n, k)
    stretches = []
    for t in range(1, n_transient + n_steps + 1):
        state, frame = system.step_and_tangent(weights, state, drive, frame)
        if t % _STRETCH == 0:
            frame, r = torch.linalg.qr(frame)
            if t > n_transient:
                stretches.append(r.diagonal(dim1=-2, dim2=-1).abs().log() / _STRETCH)
    return torch.stack(stretches, 1).cpu().numpy()


class _Flow:
    """States and tangent vectors of some rows on their way."""

    def __init__(self, system: System, state: Tensor, input: Tensor, frame: Tensor, escape: float, interval: int):
        self.system, self.weights, self.input = system, system.weights, input
        self.constant = system.drive(self.weights, input) if input.dim() == 2 else None
        self.start, self.first_frame = state, frame
        self.state, self.frame = state, frame.expand(len(state), -1, -1)
        self.gone = torch.zeros(len(state), dtype=torch.bool, device=state.device)
        self.escape, self.interval, self.time = escape, interval, 0
        eps = torch.finfo(state.dtype).eps
        self.least = min(_HEADROOM * eps, math.sqrt(eps))
        self.range = math.sqrt(torch.finfo(state.dtype).tiny)

    def settle(self, n_steps: int) -> None:
        """Run the states alone."""
        if n_steps == 0:
            return
        if self.constant is not None:
            self.state = final_state(self.system, self.state, self.input, n_steps)
        else:
            steps = torch.arange(n_steps, device=self.input.device) % len(self.input)
            self.state = self.system.simulate(self.state, self.input[steps]).final
        self.time += n_steps
        self._drop(self._beyond(self.state))

    def advance(self, n_steps: int) -> Tensor:
        """Run states and tangent vectors for some steps; returns the sums of ln|R_ii|, (row, exponent)."""
        sums = self.frame.new_zeros(len(self.state), self.frame.shape[-1])
        done = 0
        while done < n_steps:
            left = n_steps - done
            piece = math.ceil(left / math.ceil(left / self.interval))
            state, vectors = self.state, self.frame
            for step in range(piece):
                drive = self._drive(self.time + step)
                state, vectors = self.system.step_and_tangent(self.weights, state, drive, vectors)
            reflected, scales = torch.geqrf(vectors)
            diagonal = reflected.diagonal(dim1=-2, dim2=-1).abs()
            beyond = self._beyond(state)
            if piece > 1 and not self._is_accurate(vectors, diagonal, beyond):
                self.interval = max(1, self.interval * 3 // 4)
                continue
            self.state, self.frame = state, torch.linalg.householder_product(reflected, scales)
            sums += diagonal.log()
            done += piece
            self.time += piece
            self._drop(beyond)
        return sums

    def try_interval(self) -> None:
        """Do the work of one interval, and keep nothing of it."""
        state, vectors = self.state, self.frame
        for step in range(self.interval):
            drive = self._drive(self.time + step)
            state, vectors = self.system.step_and_tangent(self.weights, state, drive, vectors)
        torch.linalg.householder_product(*torch.geqrf(vectors))

    def _drive(self, time: int) -> Tensor:
        if self.constant is not None:
            return self.constant
        return self.system.drive(self.weights, self.input[time % len(self.input)])

    def _is_accurate(self, vectors: Tensor, diagonal: Tensor, beyond: Tensor) -> bool:
        """Whether no row has lost the smaller of its vectors to rounding, but for rows that diverge."""
        columns = torch.linalg.vector_norm(vectors, dim=-2)
        good = ((diagonal / columns >= self.least) & (columns > self.range)).all(-1)  # an overflow makes the ratio 0
        return bool((good | beyond).all())

    def _beyond(self, state: Tensor) -> Tensor:
        return ~(state.abs().amax(-1) <= self.escape)

    def _drop(self, beyond: Tensor) -> None:
        """Mark rows that diverged, and begin them again so that their numbers stay in range."""
        if beyond.any():
            self.gone |= beyond
            self.state = torch.where(beyond[:, None], self.start, self.state)
            self.frame = torch.where(beyond[:, None, None], self.first_frame, self.frame)


def kaplan_yorke(exponents: Tensor, *, complete: bool) -> Tensor:
    """Kaplan-Yorke dimension of spectra (..., exponent) in descending order.

    D = j + Σ_{i<=j} λ_i / |λ_{j+1}|, j the largest index with a non-negative partial sum; 0 where λ_1 < 0, all of the
    state where no partial sum of a ``complete`` spectrum is negative, NaN where the spectrum ends too early to say.

    >>> kaplan_yorke(torch.tensor([[0.5, -1.0], [-0.1, -0.2]]), complete=True)
    tensor([1.5000, 0.0000])
    """
    k = exponents.shape[-1]
    sums = exponents.cumsum(-1)
    ranks = torch.arange(1, k + 1, device=exponents.device)
    j = torch.where(sums >= 0, ranks, 0).amax(-1)
    last = sums.gather(-1, (j - 1).clamp(min=0)[..., None])[..., 0]
    following = exponents.gather(-1, j.clamp(max=k - 1)[..., None])[..., 0]
    dimension = torch.where(j == k, k if complete else torch.nan, j + last / following.abs())
    return torch.where(exponents.isnan().any(-1), torch.nan, torch.where(j == 0, 0.0, dimension))


def _summary(
    sums: Tensor, lengths: Tensor, final: Tensor, gone: Tensor, tolerance: float, size: int, interval: int
) -> Spectrum:
    times = lengths.cumsum(0)
    history = sums.cumsum(-1) / times
    order = history[..., -1].argsort(dim=-1, descending=True)[..., None].expand_as(sums)
    history, sums = history.gather(1, order), sums.gather(1, order)
    exponents = history[..., -1].clone()
    lost = exponents < exponents[:, :1] + math.log(_ROUNDING * size * torch.finfo(sums.dtype).eps)
    exponents[lost] = history[lost] = -torch.inf
    error = torch.where(exponents.isfinite(), _block_error(sums, lengths), torch.nan)
    early, late = _half_means(sums, lengths)
    allowed = tolerance * exponents.abs().clamp(min=1)
    steady = (error <= allowed) & ((early - late).abs() <= torch.maximum(allowed, _TREND * error))
    status = torch.where((steady | (exponents == -torch.inf)).all(-1), CONVERGED, NOT_CONVERGED)
    exponents[gone], error[gone], history[gone], final[gone] = (torch.nan,) * 4
    rounding = 64 * torch.finfo(sums.dtype).eps
    zero = exponents.abs() <= torch.maximum(3 * error, torch.full_like(error, rounding))
    dimension = kaplan_yorke(
        torch.where(zero, 0.0, exponents), complete=exponents.shape[-1] == size
    )  # a zero exponent that came out as -1e-6 must not turn a curve into a point
    status = torch.where(gone, DIVERGED, status).to(torch.int8)
    return Spectrum(exponents, error, history, times, dimension, status, final, interval)


def _block_error(sums: Tensor, lengths: Tensor) -> Tensor:
    """Standard error of the mean over all segments, from blocks of one, two and four of them; the largest."""
    found = [torch.full_like(sums[..., 0], torch.nan)]
    for width in (1, 2, 4):
        n_blocks = sums.shape[-1] // width
        if n_blocks >= _LEAST_BLOCKS:
            kept = slice(n_blocks * width)
            block_sums = sums[..., kept].unflatten(-1, (n_blocks, width)).sum(-1)
            means = block_sums / lengths[kept].unflatten(0, (n_blocks, width)).sum(-1)
            found.append(means.std(-1) / math.sqrt(n_blocks))
    return torch.stack(found[1:] or found).amax(0)


def _half_means(sums: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    half = (sums.shape[-1] + 1) // 2
    early = sums[..., :half].sum(-1) / lengths[:half].sum()
    late = sums[..., -half:].sum(-1) / lengths[-half:].sum()
    return early, late


def _checked(system: System, state: Tensor, input: Tensor | None) -> tuple[Tensor, Tensor]:
    state = torch.as_tensor(state, dtype=system.dtype, device=system.device)
    expected = f"shape (batch, {system.state_size}), at least one row"
    fits = state.dim() == 2 and len(state) > 0 and state.shape[1] == system.state_size
    require(fits, "state", expected, tuple(state.shape))
    if input is None:
        input = state.new_zeros(len(state), system.input_size)
    input = torch.as_tensor(input, dtype=system.dtype, device=system.device)
    width = f"({len(state)}, {system.input_size})"
    fits = input.dim() in (2, 3) and input.shape[-2:] == (len(state), system.input_size) and len(input) > 0
    require(fits, "input", f"shape {width} or (time, {width[1:]}", tuple(input.shape))
    for name, values in (("state", state), ("input", input)):
        require(bool(values.isfinite().all()), name, "finite numbers", "some that are not")
    return state, input
