"""Maps whose attractors, bifurcations and exponents are known, as Systems: to learn on, and to test against.

Each function returns a System in float64 with named scalar parameters, an input of width 1 and the state as its output.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rnnscope.base.errors import require
from rnnscope.base.settings import require_whole
from rnnscope.systems.system import Params, System, Weights, detached, pick

Rule = Callable[[Params, Tensor, Tensor], Tensor]


class MapSystem(System):
    """A map given as a pure function, x[t] = f(θ, x[t-1], u[t]), with the state as output.

    >>> double = MapSystem("doubling", lambda theta, x, u: theta["a"] * x, {"a": torch.tensor(2.0)}, ("x",))
    >>> double.simulate(torch.tensor([[1.0]]), torch.zeros(1, 1), n_steps=5).final
    tensor([[32.]])

    Args:
        name: what tells this rule from another one; options of the rule that are not parameters belong into it.
        rule: f, of parameters, states (..., state_size) and inputs (..., input_size) in plain tensor operations. To be
            pickled it must be a function of a module, or a ``functools.partial`` of one.
        params: θ, tensors by name.
        state_labels: names of the coordinates, one each.
        jacobian: ∂f/∂x of the same arguments, (..., state_size, state_size) with x[t] in rows; None: by forward
            differentiation.
        input_size: width of the input.

    """

    def __init__(
        self,
        name: str,
        rule: Rule,
        params: Params,
        state_labels: tuple[str, ...],
        *,
        jacobian: Rule | None = None,
        input_size: int = 1,
    ):
        self.name, self.rule, self.closed_form = name, rule, jacobian
        self.params = detached(params)
        self.state_labels = state_labels
        self.input_size = input_size
        self.state_size = self.output_size = len(state_labels)

    def signature(self) -> str:
        """Name of the rule and of its parameters."""
        return f"{super().signature()} {self.name} {', '.join(self.params)}"

    def at(self, params: Params) -> "MapSystem":
        """The same rule at other parameters."""
        own = pick(params, self.params)
        return MapSystem(
            self.name, self.rule, own, self.state_labels, jacobian=self.closed_form, input_size=self.input_size
        )

    def materialise(self, params: Params) -> Weights:
        """The parameters themselves."""
        return dict(params)

    def drive(self, weights: Weights, input: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch input"]:
        """The input itself."""
        return input

    def step(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch state"]:
        """The rule."""
        return self.rule(weights, state, drive)

    def readout(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch state"]:
        """The state itself."""
        return state

    def tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch input"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> Float[Tensor, "*batch state k"]:
        """J V, from the closed form where there is one."""
        if self.closed_form is None:
            return super().tangent(weights, state, drive, vectors)
        return self.closed_form(weights, state, drive) @ vectors

    def jacobian(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch state state"]:
        """∂f/∂x, from the closed form where there is one."""
        if self.closed_form is None:
            return super().jacobian(weights, state, drive)
        return self.closed_form(weights, state, drive)


def logistic(r: float = 4.0) -> MapSystem:
    """x <- r x (1 - x), the input is ignored.

    Flips at r = 3 and 1 + √6, a period-3 fold at 1 + √8; exponent ln 2 at r = 4. From states outside [0, 1] it
    diverges.

    >>> logistic(3.0).simulate(torch.tensor([[0.5]]).double(), torch.zeros(1, 1).double(), n_steps=1).final
    tensor([[0.7500]], dtype=torch.float64)

    Source: May, Nature 261, 1976.
    """
    return MapSystem("logistic", _logistic, _numbers(r=r), ("x",), jacobian=_logistic_jacobian)


def henon(a: float = 1.4, b: float = 0.3) -> MapSystem:
    """(x, y) <- (1 - a x² + y, b x), the input is ignored; det J = -b everywhere.

    Fold at a = -(1-b)²/4, flip at 3(1-b)²/4; exponents 0.4193 and -1.6233 at a = 1.4, b = 0.3 (nats/step).

    Source: Hénon, Communications in Mathematical Physics 50, 1976.
    """
    return MapSystem("henon", _henon, _numbers(a=a, b=b), ("x", "y"), jacobian=_henon_jacobian)


def ikeda(u: float = 0.9) -> MapSystem:
    """z <- 1 + u z exp(i (0.4 - 6 / (1 + |z|²))) with z = x + i y, the input is ignored; det J = u² everywhere.

    Source: Hammel, Jones & Moloney, Journal of the Optical Society of America B 2, 1985.
    """
    return MapSystem("ikeda", _ikeda, _numbers(u=u), ("x", "y"), jacobian=_ikeda_jacobian)


def delayed_logistic(a: float = 2.1) -> MapSystem:
    """(x, y) <- (a x (1 - y), x), the input is ignored.

    Neimark-Sacker bifurcation at a = 2 with multipliers exp(±iπ/3); a closed curve at a = 2.1, exponents 0 and -0.127.

    Source: Maynard Smith 1968; Aronson, Chory, Hall & McGehee, Communications in Mathematical Physics 83, 1982.
    """
    rule, jacobian = _delayed_logistic, _delayed_logistic_jacobian
    return MapSystem("delayed-logistic", rule, _numbers(a=a), ("x", "y"), jacobian=jacobian)


def tanh_map(w: float = 2.0, b: float = 0.0) -> MapSystem:
    """h <- tanh(w h + b + u): the smallest recurrent network; the input is added inside.

    At b + u = 0 a pitchfork at w = 1 and a flip at w = -1; at w = 2 folds at b + u = ±0.532840.
    """
    return MapSystem("tanh-map", _tanh_map, _numbers(w=w, b=b), ("h",), jacobian=_tanh_map_jacobian)


def rotated_tanh(rho: float = 1.1, phi: float = 1.0) -> MapSystem:
    """h <- tanh(ρ R(φ) h + u), R a rotation of the plane; the input is added inside, to both coordinates.

    At u = 0 a Neimark-Sacker bifurcation of the rest at 0 at ρ = 1, with multipliers exp(±iφ).
    """
    rule, jacobian = _rotated_tanh, _rotated_tanh_jacobian
    return MapSystem("rotated-tanh", rule, _numbers(rho=rho, phi=phi), ("h[0]", "h[1]"), jacobian=jacobian)


def linear(matrix: Any) -> MapSystem:
    """x <- M x + u; the input is added to every coordinate. The exponents are ln|eig M|.

    Raises:
        ValueError: the matrix is not square.

    """
    m = torch.as_tensor(matrix, dtype=torch.float64)
    require(m.dim() == 2 and m.shape[0] == m.shape[1] > 0, "matrix", "a square matrix", tuple(m.shape))
    labels = tuple(f"x[{i}]" for i in range(len(m)))
    return MapSystem("linear", _linear, {"matrix": m}, labels, jacobian=_linear_jacobian)


def lorenz(
    sigma: float = 10.0, rho: float = 28.0, beta: float = 8 / 3, *, dt: float = 0.01, substeps: int = 1
) -> MapSystem:
    """The Lorenz flow sampled every ``dt``, integrated by ``substeps`` classical Runge-Kutta steps; input ignored.

        x' = σ (y - x),   y' = x (ρ - z) - y,   z' = x y - β z

    Exponents of this map are per step; divided by ``dt`` they are per unit time: 0.906, 0 and -14.572 at the classical
    parameters, with the sum -(σ + 1 + β) up to the integrator's error.

    Raises:
        ValueError: dt is not positive, or substeps not a positive whole number.

    Source: Lorenz, Journal of the Atmospheric Sciences 20, 1963.

    """
    require(dt > 0 and math.isfinite(dt), "dt", "a positive number", dt)
    require_whole("substeps", substeps)
    return MapSystem(
        f"lorenz(dt={dt!r}, substeps={substeps})",
        partial(_lorenz, dt=dt, substeps=substeps),
        _numbers(sigma=sigma, rho=rho, beta=beta),
        ("x", "y", "z"),
        jacobian=partial(_lorenz_jacobian, dt=dt, substeps=substeps),
    )


def chaotic_lstm() -> System:
    """An LSTM of two units that is chaotic at zero input, started from h = c = 0.5; its output is h.

    Exponents 0.169, -0.385, -1.674 and -4.62 (nats/step). Its input weights are zero: the input does nothing.

    >>> chaotic_lstm().state_labels
    ('h[0]', 'h[1]', 'c[0]', 'c[1]')

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, and the authors' companion code.
    """
    from rnnscope.systems.adapt import as_system

    with torch.random.fork_rng(devices=[]):
        core = nn.LSTM(1, 2, bias=False).double()
    core.load_state_dict({"weight_ih_l0": torch.zeros(8, 1), "weight_hh_l0": torch.tensor(_CHAOTIC)})
    return as_system(core)


_CHAOTIC = [[-1, -4], [-3, -2], [-2, 6], [0, -6], [-1, -6], [6, -9], [4, 1], [-9, -7]]  # rows i, i, f, f, g, g, o, o


def _numbers(**values: float) -> dict[str, Tensor]:
    for name, value in values.items():
        require(math.isfinite(value), name, "a finite number", value)
    return {name: torch.tensor(float(value), dtype=torch.float64) for name, value in values.items()}


def _matrix(*rows: tuple[Tensor, ...]) -> Tensor:
    """Entries (...) of a matrix (..., row, column)."""
    return torch.stack([torch.stack(torch.broadcast_tensors(*row), dim=-1) for row in rows], dim=-2)


def _logistic(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return params["r"] * state * (1 - state)


def _logistic_jacobian(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return (params["r"] * (1 - 2 * state))[..., None]


def _henon(params: Params, state: Tensor, input: Tensor) -> Tensor:
    x, y = state.unbind(-1)
    return torch.stack([1 - params["a"] * x**2 + y, params["b"] * x], dim=-1)


def _henon_jacobian(params: Params, state: Tensor, input: Tensor) -> Tensor:
    x = state[..., 0]
    return _matrix((-2 * params["a"] * x, torch.ones_like(x)), (params["b"] + 0 * x, 0 * x))


def _ikeda(params: Params, state: Tensor, input: Tensor) -> Tensor:
    x, y = state.unbind(-1)
    angle = 0.4 - 6 / (1 + x**2 + y**2)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([1 + params["u"] * (x * cos - y * sin), params["u"] * (x * sin + y * cos)], dim=-1)


def _ikeda_jacobian(params: Params, state: Tensor, input: Tensor) -> Tensor:
    x, y = state.unbind(-1)
    size = 1 + x**2 + y**2
    angle = 0.4 - 6 / size
    cos, sin = params["u"] * torch.cos(angle), params["u"] * torch.sin(angle)
    real, imaginary = x * cos - y * sin, x * sin + y * cos
    by_x, by_y = 12 * x / size**2, 12 * y / size**2
    return _matrix(
        (cos - imaginary * by_x, -sin - imaginary * by_y),
        (sin + real * by_x, cos + real * by_y),
    )


def _delayed_logistic(params: Params, state: Tensor, input: Tensor) -> Tensor:
    x, y = state.unbind(-1)
    return torch.stack([params["a"] * x * (1 - y), x], dim=-1)


def _delayed_logistic_jacobian(params: Params, state: Tensor, input: Tensor) -> Tensor:
    x, y = state.unbind(-1)
    return _matrix((params["a"] * (1 - y), -params["a"] * x), (torch.ones_like(x), torch.zeros_like(x)))


def _tanh_map(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return torch.tanh(params["w"] * state + params["b"] + input)


def _tanh_map_jacobian(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return (params["w"] * (1 - _tanh_map(params, state, input) ** 2))[..., None]


def _rotation(params: Params) -> Tensor:
    cos, sin = params["rho"] * torch.cos(params["phi"]), params["rho"] * torch.sin(params["phi"])
    return _matrix((cos, -sin), (sin, cos))


def _rotated_tanh(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return torch.tanh(state @ _rotation(params).mT + input)


def _rotated_tanh_jacobian(params: Params, state: Tensor, input: Tensor) -> Tensor:
    slope = 1 - _rotated_tanh(params, state, input) ** 2
    return slope[..., None] * _rotation(params)


def _linear(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return state @ params["matrix"].mT + input


def _linear_jacobian(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return params["matrix"].expand(*state.shape[:-1], -1, -1)


def _lorenz(params: Params, state: Tensor, input: Tensor, *, dt: float, substeps: int) -> Tensor:
    h = dt / substeps
    for _ in range(substeps):
        k1 = _lorenz_velocity(params, state)
        k2 = _lorenz_velocity(params, state + h / 2 * k1)
        k3 = _lorenz_velocity(params, state + h / 2 * k2)
        k4 = _lorenz_velocity(params, state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def _lorenz_jacobian(params: Params, state: Tensor, input: Tensor, *, dt: float, substeps: int) -> Tensor:
    """The derivative of the Runge-Kutta step itself: its stages, and the same stages of the linearised flow."""
    h = dt / substeps
    v = torch.eye(3, dtype=state.dtype, device=state.device).expand(*state.shape[:-1], 3, 3)
    for _ in range(substeps):
        k1, v1 = _lorenz_velocity(params, state), _lorenz_slope(params, state) @ v
        at = state + h / 2 * k1
        k2, v2 = _lorenz_velocity(params, at), _lorenz_slope(params, at) @ (v + h / 2 * v1)
        at = state + h / 2 * k2
        k3, v3 = _lorenz_velocity(params, at), _lorenz_slope(params, at) @ (v + h / 2 * v2)
        at = state + h * k3
        k4, v4 = _lorenz_velocity(params, at), _lorenz_slope(params, at) @ (v + h * v3)
        state, v = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), v + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
    return v


def _lorenz_velocity(params: Params, state: Tensor) -> Tensor:
    x, y, z = state.unbind(-1)
    return torch.stack(
        [params["sigma"] * (y - x), x * (params["rho"] - z) - y, x * y - params["beta"] * z], dim=-1
    )  # fmt: skip


def _lorenz_slope(params: Params, state: Tensor) -> Tensor:
    x, y, z = state.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return _matrix(
        (-params["sigma"] * one, params["sigma"] * one, zero),
        (params["rho"] - z, -one, -x),
        (y, x, -params["beta"] * one),
    )
