"""How much a small change now, in the state or in a parameter, matters later."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.base.errors import require
from rnnscope.base.probe import REFERENCES
from rnnscope.smoothness._per_start import Trajectories, largest_singular_value
from rnnscope.systems import System

REMAINS, FORGOTTEN, LATCHED = 0, 1, 2
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
    require(type(n_steps) is int and n_steps > 0, "n_steps", "a positive whole number", n_steps)
    wrong = [n for n in lengths if not 0 < n <= n_steps]
    require(not wrong, "lengths", f"from 1 to {n_steps}, the number of steps", wrong)
    logs, separation = _along(system, state, given)
    fate = _fates(logs[-1], separation)
    variables: dict[str, Any] = {
        "log_state_sensitivity": (
            ("time", "start"),
            logs.cpu().numpy(),
            {"long_name": "logarithm of the norm of ∂x[t]/∂x[0]", "units": "1"},
        ),
        "separation": (
            ("time", "start"),
            separation.cpu().numpy(),
            {"long_name": "distance from the first trajectory", "units": "1"},
        ),
        "fate": (
            "start",
            fate,
            {
                "long_name": "what became of the difference in the start",
                "units": "1",
                "flag_values": np.array([REMAINS, FORGOTTEN, LATCHED], dtype=np.int8),
                "flag_meanings": "remains forgotten latched",
            },
        ),
    }
    coords: dict[str, Any] = {
        "time": ("time", np.arange(n_steps + 1), {"long_name": "step", "units": "step"}),
        "start": np.arange(len(state)),
    }
    if lengths:
        whole, blocks, names = _of_outputs(system, state, given, lengths)
        variables["output_sensitivity"] = (
            ("length", "start"), whole, {"long_name": "norm of ∂ŷ_N/∂θ", "units": "1"}
        )  # fmt: skip
        variables["block_sensitivity"] = (
            ("length", "start", "block"), blocks, {"long_name": "norm of ∂ŷ_N/∂θ, of one parameter", "units": "1"}
        )  # fmt: skip
        coords["length"] = ("length", np.array(lengths), {"long_name": "length N", "units": "step"})
        coords["block"] = list(names)
    return xr.Dataset(variables, coords, {"references": REFERENCES})


def log_state_sensitivity(system: System, starts: Tensor, inputs: Tensor) -> Tensor:
    """ln‖∂x[T]/∂x[0]‖ at the end of sequences (start, time, channel), (start,); ``starts`` (start, state_size)."""
    return _along(system, starts, inputs, only_last=True)[0][-1]


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
    for n in lengths:
        paths = Trajectories(system, starts, lambda t: inputs[:, t], n)
        names = paths.space.names
        jacobian = paths.jacobian()
        whole.append(largest_singular_value(jacobian))
        parts = jacobian.split(paths.space.sizes, dim=-1)
        blocks.append(torch.stack([largest_singular_value(part) for part in parts], dim=-1))
    return torch.stack(whole).cpu().numpy(), torch.stack(blocks).cpu().numpy(), names
