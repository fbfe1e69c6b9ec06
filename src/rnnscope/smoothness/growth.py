"""How the cost's derivatives grow with the length N of the sequence: bounded, as a power of N, or exponentially."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rnnscope.base.errors import require, require_derivatives
from rnnscope.base.probe import Needs, Probe
from rnnscope.base.randomness import make_generator, spawn_seed
from rnnscope.base.references import ATTRACTORS_AND_SMOOTHNESS, SMOOTHNESS_OF_IDENTIFICATION
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import checked_lengths, fraction, is_whole, whole
from rnnscope.smoothness._lanczos import largest_in_magnitude
from rnnscope.smoothness._laws import EXPONENTIAL, LAW, fit_law, median_interval, slopes
from rnnscope.smoothness._linearised import Course, starts_with_jacobians
from rnnscope.smoothness._trajectories import Inputs, largest_singular_value
from rnnscope.smoothness.objective import LOSSES, Objective, examine
from rnnscope.systems import System, as_system

QUANTITIES = ("output_sensitivity", "gauss_newton", "gradient", "hessian")
_MEANS = {"output_sensitivity": 0, "gauss_newton": 1, "gradient": 1, "hessian": 1}  # factors 1/N in the quantity
_WORDS = {
    "output_sensitivity": "norm of the last output's derivative by the parameters",
    "gauss_newton": "largest eigenvalue of the Gauss-Newton matrix",
    "gradient": "norm of the cost's gradient",
    "hessian": "norm of the cost's Hessian",
}
ALONG = ("held", "data")
GROWTH = Schema(
    {
        **{name: Variable("length start", words) for name, words in _WORDS.items()},
        **{
            f"{name}_residual": Variable("length start", f"relative residual of the {_WORDS[name]}")
            for name in ("gauss_newton", "hessian")
        },
        "law": Variable("quantity", "how the median over starts grows with N", flags=LAW),
        "law_share": Variable("quantity", "share of the resamples that have the commonest law"),
        "power": Variable("quantity", "k of N^k"),
        "power_interval": Variable("quantity bound", "95 % interval of k"),
        "rate": Variable("quantity", "r of e^(rN)", "1/step"),
        "rate_interval": Variable("quantity bound", "95 % interval of r", "1/step"),
        "lyapunov": Variable("start", "largest Lyapunov exponent", "1/step"),
        "lyapunov_mean": Variable("", "mean over starts", "1/step"),
        "lyapunov_interval": Variable("bound", "95 % interval of the mean", "1/step"),
        "rate_ratio": Variable("", "rate of Gauss-Newton over that of the sensitivity"),
        "rate_ratio_interval": Variable("bound", "95 % interval"),
    },
    {"length": Variable("length", "length N", "step")},
)


@dataclass(frozen=True, kw_only=True)
class Growth(Probe[System | nn.Module, Objective | None]):
    """Derivatives of V_N for lengths N, over many starts on the attractor, and the law that they follow.

        V_N(θ) = (1/N) Σ_{t=1..N} l(ŷ[t], y[t]),  x[0] on the attractor

    ``output_sensitivity`` ‖∂ŷ_N/∂θ‖, ``gauss_newton`` the largest eigenvalue of V_N's Gauss-Newton matrix, ``gradient``
    ‖∇V_N‖ and ``hessian`` ‖∇²V_N‖, each for every start. Of their medians over starts: the law (bounded, polynomial N^k
    or exponential e^(rN)), with intervals from a bootstrap over starts. At a stable fixed point all are bounded. On a
    limit cycle the sensitivity is ∝ N and the Gauss-Newton eigenvalue ∝ N². In chaos the sensitivity grows at the rate
    of the largest Lyapunov exponent λ1, and the Gauss-Newton eigenvalue at twice that: clipping the gradient leaves a
    curvature that explodes twice as fast. Gradient and Hessian follow these while the residual does not vanish.

    >>> Growth(lengths=[10, 20, 50, 100]).lengths
    (10, 20, 50, 100)

    Attributes:
        lengths: lengths N, at least four; None: thirteen from 10 to 1000, evenly spaced in log N.
        n_starts: trajectories; with 'data' at most as many as there are sequences.
        along: 'held', a constant input; or 'data', the objective's own sequences, targets and initial state.
        input: with 'held', the constant input; None: the mean of the objective's inputs.
        target: with 'held', the constant target of the squared error, for every output. Not the network's own orbit, at
            which gradient and residual vanish.
        centre: with 'held', the state about which starts are drawn; None: the objective's initial state, else zero.
        spread: with 'held', the standard deviation of each coordinate of the starts.
        n_transient: with 'held', steps from there until the attractor is reached; each start goes on for a random part
            of as many steps again, so that all phases of a cycle occur.
        n_exponent: steps for λ1; 0: the greatest length.
        n_iterations: of Lanczos, at most.
        tolerance: relative residual at which an eigenvalue has converged.
        n_bootstrap: resamples of starts.
        starts_at_once: starts in memory together; None: as many as a rough estimate of 1 GB allows.
        seed: for starts, tangent vectors and bootstrap.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 3; Ribeiro et al., Automatica 121, 2020.

    """

    name: ClassVar[str] = "growth"
    one_epoch: ClassVar[bool] = True
    references: ClassVar[tuple[str, ...]] = (ATTRACTORS_AND_SMOOTHNESS, SMOOTHNESS_OF_IDENTIFICATION)

    lengths: Any = None
    n_starts: int = 64
    along: str = "held"
    input: Any = None
    target: float = 0.0
    centre: Any = None
    spread: float = 1.0
    n_transient: int = 1000
    n_exponent: int = 2000
    n_iterations: int = 12
    tolerance: float = 1e-3
    n_bootstrap: int = 1000
    starts_at_once: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        chosen = checked_lengths(self.lengths) or tuple(int(n) for n in np.round(np.geomspace(10, 1000, 13)))
        require(len(chosen) >= 4, "lengths", "at least four, to tell one law from another", self.lengths)
        object.__setattr__(self, "lengths", chosen)
        require(self.along in ALONG, "along", "'held' or 'data'", self.along)
        for name, dim in (("input", "channel"), ("centre", "state")):
            value = getattr(self, name)
            if value is not None:
                given = np.asarray(value, dtype=float)
                require(given.ndim == 1 and np.isfinite(given).all(), name, f"numbers ({dim},)", value)
                object.__setattr__(self, name, tuple(given.tolist()))
        require(np.isfinite(self.spread) and self.spread >= 0, "spread", "a number of at least 0", self.spread)
        whole(self, n_starts=2, n_transient=0, n_exponent=0, n_iterations=2, n_bootstrap=10, seed=0)
        at_once = self.starts_at_once
        require(at_once is None or is_whole(at_once, 1), "starts_at_once", "a positive whole number or None", at_once)
        fraction(self, "tolerance")
        require(np.isfinite(self.target), "target", "a finite number", self.target)

    @property
    def needs(self) -> Needs | None:
        """An objective, where data or the input to hold come from it; with a given input the target is ``target``."""
        return "objective" if self.along == "data" or self.input is None else None

    def measure(self, system: System | nn.Module, objective: Objective | None = None) -> xr.Dataset:
        """Growth for one network.

        Args:
            system: the network; it is read in float64.
            objective: data, loss and initial state; None with 'held': the input is 0 where ``input`` says no other.

        Returns:
            Dataset with ``output_sensitivity``, ``gauss_newton``, ``gradient``, ``hessian`` (length, start; NaN beyond
            the largest float64), ``gauss_newton_residual``, ``hessian_residual`` (length, start; relative);
            ``law`` (quantity), ``law_share``, ``power``, ``rate`` (quantity) with ``power_interval``, ``rate_interval``
            (quantity, bound); ``lyapunov`` (start), λ1 of the last n_exponent steps, ``lyapunov_mean`` and
            ``lyapunov_interval`` (bound); ``rate_ratio`` of Gauss-Newton to sensitivity, the median over starts, and
            ``rate_ratio_interval`` (bound). Intervals are those of 95 %.

        Raises:
            ValueError: with 'data', no objective, lengths beyond the data, or fewer than two sequences.
            DerivativeError: the derivatives of the step are not those of the map.

        """
        system = as_system(system)
        require_derivatives(self.name, system.derivative_problem)
        system = system.to(torch.float64)
        cases = self._cases(system, objective)
        found = _Collected(cases.n_starts, self.lengths)
        at_once = self.starts_at_once or _starts_that_fit(system, max(self.lengths))
        for first in range(0, cases.n_starts, at_once):
            rows = slice(first, first + at_once)
            course = Course(system, cases.starts[rows], cases.inputs_of(rows), max(self.lengths))
            for k, n in enumerate(self.lengths):
                found.put(k, rows, self._one_length(course, cases, rows, n))
        exponents = _largest_exponents(system, cases, self.n_exponent or max(self.lengths), self.seed)
        return self.label(self._dataset(found, exponents))

    def _cases(self, system: System, objective: Objective | None) -> "_Cases":
        if self.along == "data":
            if objective is None:
                raise ValueError("along: 'data' needs an objective: measure(system, objective), or use 'held'")
            data = examine(system, objective)
            data.first(max(self.lengths))
            n = min(self.n_starts, data.n_sequences)
            require(n >= 2, "along", "'held', or data of at least two sequences to draw from", self.along)
            rows = torch.arange(n) * data.n_sequences // n
            return _Cases(data.initial_state(system)[rows], data.inputs[rows], data.targets[rows], data)
        if self.input is not None:
            held = torch.tensor(self.input, dtype=system.dtype, device=system.device)
            require(len(held) == system.input_size, "input", f"{system.input_size} numbers", self.input)
        elif objective is not None:
            held = objective.on(system).inputs.mean((0, 1))
        else:
            held = torch.zeros(system.input_size, dtype=system.dtype, device=system.device)
        generator = make_generator(self.seed, f"{self.name}/starts")
        drawn = torch.randn(self.n_starts, system.state_size, dtype=torch.float64, generator=generator)
        drawn = self.spread * drawn + self._centre(system, objective).cpu()
        inputs = held.expand(self.n_starts, -1)
        starts = _settled(system, drawn.to(system.device), inputs, self.n_transient, generator)
        gone = ~torch.isfinite(starts).all(1)
        require(not bool(gone.any()), "centre, spread", "starts that stay finite on the way to the attractor",
                f"{int(gone.sum())} of {self.n_starts} that diverge at input {held.tolist()}")  # fmt: skip
        return _Cases(starts, held, self.target, None)

    def _centre(self, system: System, objective: Objective | None) -> Tensor:
        if self.centre is not None:
            given = torch.tensor(self.centre, dtype=system.dtype)
            require(len(given) == system.state_size, "centre", f"{system.state_size} numbers", self.centre)
            return given
        if objective is not None and objective.state is not None:
            return objective.initial_state(system).mean(0)
        return torch.zeros(system.state_size, dtype=system.dtype)

    def _one_length(self, course: Course, cases: "_Cases", rows: slice, n: int) -> dict[str, Tensor]:
        paths = course.first(n)
        outputs = paths.outputs.detach().requires_grad_()
        with torch.enable_grad():
            slope = torch.autograd.grad(cases.cost(outputs, rows).sum(), outputs, create_graph=True)[0]
        gradient, last = paths.adjoints(slope.detach()), paths.jacobian()
        begin = last.sum(1)

        def gauss_newton(vectors: Tensor) -> Tensor:
            tangents = paths.tangents(vectors)
            if not slope.requires_grad:
                return torch.zeros_like(vectors)
            return paths.adjoints(torch.autograd.grad(slope, outputs, tangents, retain_graph=True)[0])

        hessian = paths.hessian(lambda outputs: cases.cost(outputs, rows))
        limits = {"n_iterations": self.n_iterations, "tolerance": self.tolerance}
        curved, own = (largest_in_magnitude(product, begin, **limits) for product in (gauss_newton, hessian))
        return {
            "output_sensitivity": largest_singular_value(last),
            "gradient": largest_singular_value(gradient[:, None]),
            "gauss_newton": curved.values.abs(),
            "gauss_newton_residual": curved.residuals,
            "hessian": own.values.abs(),
            "hessian_residual": own.residuals,
        }

    def _dataset(self, found: "_Collected", exponents: np.ndarray) -> xr.Dataset:
        lengths = np.array(self.lengths)
        generator = np.random.default_rng(spawn_seed(self.seed, f"{self.name}/bootstrap"))
        laws = [
            fit_law(lengths, found.values[name], offset=_MEANS[name], n_bootstrap=self.n_bootstrap, generator=generator)
            for name in QUANTITIES
        ]
        late = lengths >= np.sqrt(lengths[0] * lengths[-1])
        late = late if late.sum() >= 3 else np.ones_like(late)
        rates = [
            slopes(lengths[late], found.values[name][late], offset=_MEANS[name])
            for name in ("gauss_newton", "output_sensitivity")
        ]
        ratio, ratio_interval = np.nan, np.full(2, np.nan)
        if all(law.law == EXPONENTIAL for law in laws[:2]):
            ratio, ratio_interval = median_interval(
                rates[0] / rates[1], n_bootstrap=self.n_bootstrap, generator=generator
            )
        drawn = exponents[generator.integers(len(exponents), size=(self.n_bootstrap, len(exponents)))]
        mean_known = np.isfinite(drawn).all()
        values = {
            **found.values,
            "law": np.array([law.law for law in laws], dtype=np.int8),
            "law_share": [law.share for law in laws],
            "power": [law.power for law in laws],
            "power_interval": [law.power_interval for law in laws],
            "rate": [law.rate for law in laws],
            "rate_interval": [law.rate_interval for law in laws],
            "lyapunov": exponents,
            "lyapunov_mean": float(np.mean(exponents)),
            "lyapunov_interval": np.quantile(drawn.mean(1), [0.025, 0.975]) if mean_known else np.full(2, np.nan),
            "rate_ratio": ratio,
            "rate_ratio_interval": ratio_interval,
        }
        return GROWTH.dataset(
            values,
            length=lengths,
            start=np.arange(found.n_starts),
            quantity=list(QUANTITIES),
            bound=["2.5 %", "97.5 %"],
        )


@dataclass
class _Cases:
    """Starts, and inputs and targets that are constant, or one sequence for each start."""

    starts: Tensor
    inputs: Tensor
    targets: Any
    data: Objective | None

    @property
    def n_starts(self) -> int:
        return len(self.starts)

    def inputs_of(self, rows: slice) -> Inputs:
        if self.data is None:
            return lambda t: self.inputs
        own = self.inputs[rows]
        return lambda t: own[:, t]

    def cost(self, outputs: Tensor, rows: slice) -> Tensor:
        """V_N of each start (start,), of outputs (start, N, output)."""
        if self.data is None:
            return (outputs - self.targets).square().mean((1, 2))
        n, skip = outputs.shape[1], self.data.n_transient
        targets = self.targets[rows, skip:n]
        if isinstance(self.data.loss, str):
            return LOSSES[self.data.loss].of(outputs[:, skip:], targets).mean(1)
        pairs = zip(outputs[:, None, skip:], targets[:, None], strict=True)
        return torch.stack([self.data.loss(output, target).reshape(()) for output, target in pairs])


class _Collected:
    def __init__(self, n_starts: int, lengths: tuple[int, ...]):
        self.n_starts = n_starts
        names = (*QUANTITIES, "gauss_newton_residual", "hessian_residual")
        self.values = {name: np.full((len(lengths), n_starts), np.nan) for name in names}

    def put(self, k: int, rows: slice, found: dict[str, Tensor]) -> None:
        for name, values in found.items():
            numbers = values.detach().cpu().numpy()
            self.values[name][k, rows] = np.where(np.isfinite(numbers), numbers, np.nan)


def _settled(system: System, states: Tensor, inputs: Tensor, n_steps: int, generator: torch.Generator) -> Tensor:
    """States after a transient, each at a random time of as many steps again."""
    if n_steps == 0:
        return states
    n = len(states)
    states = system.simulate(states, inputs, n_steps=n_steps, weights=system.weights).final
    when = torch.randint(n_steps, (n,), generator=generator).to(states.device)
    visited = system.simulate(states, inputs, n_steps=n_steps, states=True).states
    assert visited is not None
    return visited[when, torch.arange(n, device=states.device)]


def _starts_that_fit(system: System, n_steps: int) -> int:
    """A twice differentiated step keeps about sixty tensors of the state's size, besides its Jacobian if it can."""
    fit = (1 << 30) // (8 * 60 * n_steps * max(system.state_size, 16))
    return max(1, min(fit, starts_with_jacobians(system, n_steps) or fit))


def _largest_exponents(system: System, cases: _Cases, n_steps: int, seed: int) -> np.ndarray:
    """λ1 of each start (start,): the mean logarithmic growth of a tangent vector, after a tenth of the steps."""
    if cases.data is not None:
        n_steps = min(n_steps, cases.data.n_steps)
    weights, state = system.weights, cases.starts
    inputs = cases.inputs_of(slice(None))
    generator = make_generator(seed, "growth/tangents")
    vectors = torch.randn(*state.shape, 1, dtype=torch.float64, generator=generator).to(state)
    total, first = torch.zeros(len(state), dtype=state.dtype, device=state.device), n_steps // 10
    with torch.no_grad():
        for t in range(n_steps):
            drive = system.drive(weights, inputs(t).expand(len(state), -1))
            state, vectors = system.step_and_tangent(weights, state, drive, vectors)
            size = vectors.norm(dim=1, keepdim=True)
            vectors = vectors / size
            if t >= first:
                total += size[:, 0, 0].log()
    return (total / (n_steps - first)).cpu().numpy()
