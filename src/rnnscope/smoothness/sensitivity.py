"""How much a small change now, in the state or in a parameter, matters later."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.base.errors import require
from rnnscope.base.flags import Flags
from rnnscope.base.randomness import make_generator
from rnnscope.base.references import ATTRACTORS_AND_SMOOTHNESS
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import require_whole
from rnnscope.smoothness._lanczos import largest_in_magnitude
from rnnscope.smoothness._linearised import Course
from rnnscope.smoothness._trajectories import largest_singular_value
from rnnscope.systems import System
from rnnscope.systems.system import Weights

FATE = Flags(("remains", "forgotten", "latched"))
REMAINS, FORGOTTEN, LATCHED = FATE.codes
SENSITIVITIES = Schema(
    {
        "log_state_sensitivity": Variable("time start", "logarithm of the norm of ∂x[t]/∂x[0]"),
        "separation": Variable("time start", "distance from the first trajectory"),
        "fate": Variable("start", "what became of the difference in the start", flags=FATE),
        "output_sensitivity": Variable("length start", "norm of ∂ŷ_N/∂θ"),
        "block_sensitivity": Variable("length start block", "norm of ∂ŷ_N/∂θ, of one parameter"),
    },
    {"time": Variable("time", "step", "step"), "length": Variable("length", "length N", "step")},
)
_PRODUCTS_FROM = 200  # numbers in a state, from which products with JᵀJ are quicker than J
_TOLERANCE = 1e-8  # relative, of σ²
_VANISHED = 1e-3  # what a sensitivity has come down to where it counts as vanished
_APART = 1e-2  # of the distance at the beginning: what separation is left where two trajectories did not meet


def sensitivities(
    system: System, starts: Any, inputs: Any, *, n_steps: int | None = None, lengths: Sequence[int] = ()
) -> xr.Dataset:
    """‖∂x[t]/∂x[0]‖ along trajectories, beside how far apart the trajectories are; and ‖∂ŷ_N/∂θ‖ by parameter block.

    Where ‖∂x[t]/∂x[0]‖ vanishes, a trajectory has been **latched** if it ends away from the first one: then the
    difference in their starts decides which attractor is reached, and is remembered although the gradient vanishes. It
    has **forgotten** its start if it ends where the first one does. The first start itself is latched if any other is.

    >>> from rnnscope.systems import textbook
    >>> found = sensitivities(textbook.tanh_map(2.0), [[0.5], [-0.5], [0.3]], [0.0], n_steps=60)
    >>> found.fate.attrs["flag_meanings"], found.fate.values
    ('remains forgotten latched', array([2, 2, 1], dtype=int8))

    Args:
        system: the network; it is read in float64.
        starts: x[0], (start, state).
        inputs: sequences (start, time, channel), or with ``n_steps`` a constant input (channel,).
        n_steps: steps, for a constant input.
        lengths: lengths N at which ‖∂ŷ_N/∂θ‖ is measured.

    Returns:
        Dataset with ``log_state_sensitivity`` (time, start; natural logarithm of the spectral norm, minus infinity
        where it is zero), ``separation`` (time, start; Euclidean distance from the first trajectory), ``fate`` (start),
        and with lengths ``output_sensitivity`` (length, start) and ``block_sensitivity`` (length, start, block).

    Raises:
        ValueError: shapes that do not fit, lengths beyond the sequences.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 4 (vanishing gradients and attractors).

    """
    system = system.to(torch.float64)
    state = torch.as_tensor(np.asarray(starts, dtype=float)).to(system.device)
    given = torch.as_tensor(np.asarray(inputs, dtype=float)).to(system.device)
    width, n_state = system.input_size, system.state_size
    fits = state.dim() == 2 and state.shape[1] == n_state and len(state) > 0
    require(fits, "starts", f"shape (start, {n_state})", tuple(state.shape))
    if n_steps is None:
        fits = given.dim() == 3 and given.shape[::2] == (len(state), width)
        require(fits, "inputs", f"sequences ({len(state)}, time, {width})", tuple(given.shape))
        n_steps = given.shape[1]
    else:
        require(given.shape == (width,), "inputs", f"with n_steps a constant input ({width},)", tuple(given.shape))
        given = given.expand(len(state), n_steps, width)
    require_whole("n_steps", n_steps)
    wrong = [n for n in lengths if not 0 < n <= n_steps]
    require(not wrong, "lengths", f"from 1 to {n_steps}, the number of steps", wrong)
    logs, separation = _along(system, state, given)
    values: dict[str, Any] = {
        "log_state_sensitivity": logs, "separation": separation, "fate": _fates(logs[-1], separation),
    }  # fmt: skip
    coords: dict[str, Any] = {"time": np.arange(n_steps + 1), "start": np.arange(len(state))}
    if lengths:
        values["output_sensitivity"], values["block_sensitivity"], names = _of_outputs(system, state, given, lengths)
        coords |= {"length": np.array(lengths), "block": list(names)}
    return SENSITIVITIES.dataset(values, **coords).assign_attrs(references=ATTRACTORS_AND_SMOOTHNESS)


class StateSensitivity(NamedTuple):
    """logs: ln‖∂x[T]/∂x[0]‖ (start,).   residuals: ‖JᵀJ v - σ² v‖ / σ² (start,), 0 where J was formed as a whole."""

    logs: Tensor
    residuals: Tensor


def log_state_sensitivity(
    system: System, starts: Tensor, inputs: Tensor, *, dense: bool | None = None, n_iterations: int = 60
) -> StateSensitivity:
    """ln‖J‖ at the end of sequences, J = ∂x[T]/∂x[0] the product of the Jacobians of all steps.

    Of a small state J is formed, at n tangents a step. Of a large one JᵀJ is only applied, by tangent products forwards
    and adjoint products backwards along the trajectory, and its largest eigenvalue comes from Lanczos: a few products,
    as the directions that grow or last are few. Where the iterations do not suffice, the residual says so.

    >>> from rnnscope.systems import textbook
    >>> shear = textbook.linear([[1.0, 1.0], [0.0, 1.0]])
    >>> start, inputs = torch.zeros(1, 2).double(), torch.zeros(1, 5, 1).double()
    >>> [round(float(log_state_sensitivity(shear, start, inputs, dense=d).logs), 9) for d in (True, False)]
    [1.647231146, 1.647231146]

    Args:
        system: the network, in float64.
        starts: x[0], (start, state_size).
        inputs: sequences (start, time, channel).
        dense: whether to form J; None: where that is quicker.
        n_iterations: of Lanczos, at most.

    """
    if dense is None:
        dense = starts.shape[1] < _PRODUCTS_FROM
    if dense:
        logs = _along(system, starts, inputs, only_last=True)[0][-1]
        return StateSensitivity(logs, torch.zeros_like(logs))
    return _by_products(system, starts, inputs, n_iterations)


def _by_products(system: System, starts: Tensor, inputs: Tensor, n_iterations: int) -> StateSensitivity:
    weights, states = system.weights, [starts]
    with torch.no_grad():
        drives = [system.drive(weights, input) for input in inputs.unbind(1)]
        for drive in drives[:-1]:
            states.append(system.step(weights, states[-1], drive))
    steps = list(zip(states, drives, strict=True))
    unit: Tensor | None = None

    def product(vectors: Tensor) -> Tensor:
        """JᵀJ v, in a unit that the first vector sets: J itself may be beyond the largest number."""
        nonlocal unit
        scale = vectors.new_zeros(len(vectors))
        for state, drive in steps:
            with torch.no_grad():
                vectors, scale = _scaled(system.tangent(weights, state, drive, vectors[..., None])[..., 0], scale)
        for state, drive in reversed(steps):
            vectors, scale = _scaled(_adjoint(system, weights, state, drive, vectors), scale)
        if unit is None:
            unit = scale
        return vectors * (scale - unit).exp()[:, None]

    generator = make_generator(0, "state sensitivity")
    begin = torch.randn(starts.shape, dtype=torch.float64, generator=generator).to(starts)
    found = largest_in_magnitude(product, begin, n_iterations=n_iterations, tolerance=_TOLERANCE)
    assert unit is not None
    return StateSensitivity((found.values.log() + unit) / 2, found.residuals)


def _adjoint(system: System, weights: Weights, state: Tensor, drive: Tensor, vectors: Tensor) -> Tensor:
    """Jᵀ λ of one step, for one λ of each start."""
    with torch.enable_grad():
        before = state.detach().requires_grad_()
        after = system.step(weights, before, drive)
        if not after.requires_grad:
            return torch.zeros_like(vectors)
        return torch.autograd.grad(after, before, vectors)[0]


def _scaled(vectors: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    largest = vectors.abs().amax(1).clamp(min=torch.finfo(vectors.dtype).tiny)
    return vectors / largest[:, None], scale + largest.log()


def _along(system: System, state: Tensor, inputs: Tensor, *, only_last: bool = False) -> tuple[Tensor, Tensor]:
    """Logarithms of norms and distances from the first, (time + 1, start) each."""
    weights = system.weights
    n = state.shape[1]
    product = torch.eye(n, dtype=state.dtype, device=state.device).expand(len(state), n, n)
    scale = state.new_zeros(len(state))
    logs, separation = [scale], [(state - state[0]).norm(dim=1)]
    with torch.no_grad():
        for t in range(inputs.shape[1]):
            drive = system.drive(weights, inputs[:, t])
            state, product = system.step_and_tangent(weights, state, drive, product)
            largest = product.abs().amax((1, 2)).clamp(min=torch.finfo(product.dtype).tiny)
            product, scale = product / largest[:, None, None], scale + largest.log()
            if not only_last or t == inputs.shape[1] - 1:
                logs.append(scale + largest_singular_value(product).log())
            separation.append((state - state[0]).norm(dim=1))
    return torch.stack(logs), torch.stack(separation)


def _fates(logs: Tensor, separation: Tensor) -> np.ndarray:
    apart = separation[-1] > _APART * separation[0].clamp(min=float(separation[0].max()))
    if bool(apart[1:].any()):
        apart[0] = True
    vanished = logs < np.log(_VANISHED)
    fate = torch.where(vanished, torch.where(apart, LATCHED, FORGOTTEN), REMAINS)
    return fate.cpu().numpy().astype(np.int8)


def _of_outputs(
    system: System, starts: Tensor, inputs: Tensor, lengths: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    whole, blocks, names = [], [], ()
    course = Course(system, starts, lambda t: inputs[:, t], max(lengths))
    for n in lengths:
        paths = course.first(n)
        names = paths.space.names
        jacobian = paths.jacobian()
        whole.append(largest_singular_value(jacobian))
        parts = jacobian.split(paths.space.sizes, dim=-1)
        blocks.append(torch.stack([largest_singular_value(part) for part in parts], dim=-1))
    return torch.stack(whole).cpu().numpy(), torch.stack(blocks).cpu().numpy(), names
