"""Limit sets by input as a labelled Dataset."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.attractors._kinds import DOUBTS, KINDS
from rnnscope.attractors._limit import Limit
from rnnscope.systems import System

_ATTRS: dict[str, tuple[str, str]] = {
    "fraction": ("share of the starts that reach it", "1"),
    "fraction_error": ("standard error of that share (with one more start on either side)", "1"),
    "frequency": ("frequency of the motion: strongest of the output, 2π/k on a cycle", "rad/step"),
    "residual": ("largest coordinate of F^k(x) - x at a confirmed point", "1"),
    "drift": ("distance from a confirmed point, else change in the last step, relative to 1 + |x|", "1"),
    "lyapunov_exponent": ("Lyapunov exponent", "nat/step"),
    "lyapunov_error": ("standard error of the Lyapunov exponent", "nat/step"),
    "multiplier_real": ("multiplier, real part", "1"),
    "multiplier_imag": ("multiplier, imaginary part", "1"),
    "location": ("state: a point of a cycle, else the mean over the set", "1"),
    "output_mean": ("mean output", "1"),
    "output_low": ("least output", "1"),
    "output_high": ("largest output", "1"),
}


def kind_names(kinds: Any) -> np.ndarray:
    """Kinds of a result of ``Attractors`` in words; '' where there is no attractor.

    >>> kind_names(np.array([0, 4, -1])).tolist()
    ['fixed_point', 'chaos', '']
    """
    return np.array([*KINDS, ""])[np.asarray(kinds)]


def tabulate(
    system: System,
    held: Tensor,
    inputs: np.ndarray,
    groups: list[tuple[list[Limit], np.ndarray]],
    n_exponents: int,
    n_multipliers: int,
) -> xr.Dataset:
    """Sets over (input, attractor), in the order of their kinds and then of their mean output."""
    grid, n_starts = (len(inputs), max(len(found) for found, _ in groups)), len(groups[0][1])
    widths = {
        "lyapunov_exponent": n_exponents, "lyapunov_error": n_exponents,
        "multiplier_real": n_multipliers, "multiplier_imag": n_multipliers, "location": system.state_size,
        "output_mean": system.output_size, "output_low": system.output_size, "output_high": system.output_size,
    }  # fmt: skip
    values = {name: np.full(grid, np.nan) for name in _ATTRS if name not in widths}
    values |= {name: np.full((*grid, width), np.nan) for name, width in widths.items()}
    whole = {name: np.full(grid, -1, dtype) for name, dtype in _WHOLE.items()}
    reached = np.full((len(inputs), n_starts), -1, np.int32)
    for at, (found, labels) in enumerate(groups):
        described = [_describe(system, held[at], limit, float((labels == k).mean()), n_starts)
                     for k, limit in enumerate(found)]  # fmt: skip
        order = sorted(range(len(found)), key=lambda k: (found[k].kind, *np.nan_to_num(described[k]["output_mean"])))
        reached[at] = np.argsort(order)[labels]
        for place, k in enumerate(order):
            whole["kind"][at, place], whole["period"][at, place] = found[k].kind, found[k].period
            whole["n_run"][at, place], whole["doubt"][at, place] = found[k].n_steps, found[k].doubt
            for name, value in described[k].items():
                if name in widths:
                    value = value[: widths[name]]
                    values[name][at, place, : len(value)] = value
                else:
                    values[name][at, place] = value
    return _dataset(system, inputs, values, whole, reached)


_WHOLE = {"kind": np.int8, "doubt": np.int8, "period": np.int32, "n_run": np.int32}


def _describe(system: System, held: Tensor, limit: Limit, share: float, n_starts: int) -> dict[str, Any]:
    mean, low, high = _outputs(system, held, limit.orbit)
    with_two_more = (n_starts * share + 1) / (n_starts + 2)
    return {
        "fraction": share,
        "fraction_error": np.sqrt(with_two_more * (1 - with_two_more) / (n_starts + 2)),
        "frequency": limit.frequency,
        "residual": limit.residual,
        "drift": limit.drift,
        "lyapunov_exponent": limit.exponents,
        "lyapunov_error": limit.exponent_errors,
        "multiplier_real": np.real(limit.multipliers),
        "multiplier_imag": np.imag(limit.multipliers),
        "location": limit.orbit[0] if limit.period else limit.orbit.mean(0) if limit.orbit.size else np.empty(0),
        "output_mean": mean,
        "output_low": low,
        "output_high": high,
    }


def _outputs(system: System, held: Tensor, orbit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, least and largest output along an orbit (time, state)."""
    if not orbit.size:
        nothing = np.full(system.output_size, np.nan)
        return nothing, nothing, nothing
    states = torch.as_tensor(orbit, dtype=system.dtype, device=system.device)
    weights = system.weights
    outputs = system.outputs_on(weights, states, system.drive(weights, held.expand(len(states), -1)))
    outputs = outputs.double().cpu().numpy()
    with np.errstate(over="ignore", invalid="ignore"):  # of a readout that leaves the range of numbers
        return outputs.mean(0), outputs.min(0), outputs.max(0)


def _dataset(
    system: System,
    inputs: np.ndarray,
    values: dict[str, np.ndarray],
    whole: dict[str, np.ndarray],
    reached: np.ndarray,
) -> xr.Dataset:
    pair = ("input", "attractor")

    def flags(words: tuple[str, ...]) -> dict[str, Any]:
        return {"flag_values": np.arange(len(words), dtype=np.int8), "flag_meanings": " ".join(words), "units": "1"}

    variables: dict[str, Any] = {
        "kind": (pair, whole["kind"], {"long_name": "kind of limit set", **flags(KINDS)}),
        "doubt": (pair, whole["doubt"], {"long_name": "why it is undetermined", **flags(DOUBTS)}),
        "period": (pair, whole["period"], {"long_name": "period of a cycle, 0 if it is none", "units": "step"}),
        "n_run": (pair, whole["n_run"], {"long_name": "steps that were run until it was known", "units": "step"}),
        "reached": (("input", "start"), reached, {"long_name": "attractor that the start comes to", "units": "1"}),
    }
    last = {"lyapunov": "exponent", "multiplier": "multiplier", "location": "state", "output": "output"}
    for name, array in values.items():
        dims = pair if array.ndim == 2 else (*pair, last[name.split("_")[0]])
        long_name, units = _ATTRS[name]
        variables[name] = (dims, array, {"long_name": long_name, "units": units})
    coords = {
        "input": np.arange(len(inputs)),
        "input_value": (("input", "channel"), inputs, {"long_name": "constant input", "units": "1"}),
        "attractor": np.arange(whole["kind"].shape[1]),
        "exponent": np.arange(values["lyapunov_exponent"].shape[-1]),
        "multiplier": np.arange(values["multiplier_real"].shape[-1]),
        "start": np.arange(reached.shape[1]),
        "state": list(system.state_labels),
        "output": [f"y[{k}]" for k in range(system.output_size)],
    }
    return xr.Dataset(variables, coords)
