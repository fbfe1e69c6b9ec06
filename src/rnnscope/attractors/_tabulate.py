"""Limit sets by input as a labelled Dataset."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.attractors._kinds import DOUBT, KIND, KINDS
from rnnscope.attractors._limit import Limit
from rnnscope.attractors._map_probe import INPUT_VALUE
from rnnscope.base.schema import Schema, Variable
from rnnscope.systems import System

SETS = Schema(
    {
        "kind": Variable("input attractor", "kind of limit set", flags=KIND),
        "doubt": Variable("input attractor", "why it is undetermined", flags=DOUBT),
        "period": Variable("input attractor", "period of a cycle, 0 if it is none", "step"),
        "n_run": Variable("input attractor", "steps that were run until it was known", "step"),
        "reached": Variable("input start", "attractor that the start comes to"),
        "fraction": Variable("input attractor", "share of the starts that reach it"),
        "fraction_error": Variable(
            "input attractor", "standard error of that share (with one more start on either side)"
        ),
        "frequency": Variable(
            "input attractor", "frequency of the motion: strongest of the output, 2π/k on a cycle", "rad/step"
        ),
        "residual": Variable("input attractor", "largest coordinate of F^k(x) - x at a confirmed point"),
        "drift": Variable(
            "input attractor", "distance from a confirmed point, else change in the last step, relative to 1 + |x|"
        ),
        "lyapunov_exponent": Variable("input attractor exponent", "Lyapunov exponent", "nat/step"),
        "lyapunov_error": Variable("input attractor exponent", "standard error of the Lyapunov exponent", "nat/step"),
        "multiplier_real": Variable("input attractor multiplier", "multiplier, real part"),
        "multiplier_imag": Variable("input attractor multiplier", "multiplier, imaginary part"),
        "location": Variable("input attractor state", "state: a point of a cycle, else the mean over the set"),
        "output_mean": Variable("input attractor output", "mean output"),
        "output_low": Variable("input attractor output", "least output"),
        "output_high": Variable("input attractor output", "largest output"),
    },
    {"input_value": INPUT_VALUE},
)
_WHOLE = {"kind": np.int8, "doubt": np.int8, "period": np.int32, "n_run": np.int32}


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
    lengths = {
        "exponent": n_exponents, "multiplier": n_multipliers, "state": system.state_size, "output": system.output_size,
    }  # fmt: skip
    whole = {name: np.full(grid, -1, dtype) for name, dtype in _WHOLE.items()}
    reached = np.full((len(inputs), n_starts), -1, np.int32)
    values: dict[str, np.ndarray] = {}
    for name, variable in SETS.variables.items():
        if name not in (*whole, "reached"):
            shape = (*grid, *(lengths[dim] for dim in variable.dims.split()[2:]))
            values[name] = np.full(shape, np.nan)
    for at, (found, labels) in enumerate(groups):
        described = [_describe(system, held[at], limit, float((labels == k).mean()), n_starts)
                     for k, limit in enumerate(found)]  # fmt: skip
        order = sorted(range(len(found)), key=lambda k: (found[k].kind, *np.nan_to_num(described[k]["output_mean"])))
        reached[at] = np.argsort(order)[labels]
        for place, k in enumerate(order):
            whole["kind"][at, place], whole["period"][at, place] = found[k].kind, found[k].period
            whole["n_run"][at, place], whole["doubt"][at, place] = found[k].n_steps, found[k].doubt
            for name, value in described[k].items():
                if np.ndim(value):
                    kept = value[: values[name].shape[-1]]
                    values[name][at, place, : len(kept)] = kept
                else:
                    values[name][at, place] = value
    return SETS.dataset(
        {**whole, "reached": reached, **values},
        input=np.arange(len(inputs)),
        input_value=inputs,
        attractor=np.arange(grid[1]),
        exponent=np.arange(n_exponents),
        multiplier=np.arange(n_multipliers),
        start=np.arange(n_starts),
        state=list(system.state_labels),
        output=[f"y[{k}]" for k in range(system.output_size)],
    )


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
