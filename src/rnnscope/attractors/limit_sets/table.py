"""Limit sets by input as a labelled Dataset."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.attractors.limit_sets.kinds import DOUBT, KIND, KINDS
from rnnscope.attractors.limit_sets.limit import Limit
from rnnscope.attractors.limit_sets.observables import N_DIRECTIONS
from rnnscope.attractors.map_probe import INPUT_VALUE
from rnnscope.base.errors import require
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
        "state_sample": Variable(
            "input attractor sample state", "states of the set, evenly spaced in time; of a cycle one after another"
        ),
        "average": Variable(
            "input attractor feature",
            "averages over the set: mean and spread of each coordinate, in widths of the set, then its characteristic "
            "function; of chaos mean and variance of each coordinate",
        ),
        "average_error": Variable("input attractor feature", "standard error of these averages, of chaos"),
        "size": Variable("input attractor", "width of the set, along its widest coordinate"),
        "steadiness": Variable("input attractor", "largest change of means and spreads over half of the orbit"),
        "wander": Variable("input attractor", "largest change of all averages over half of the orbit"),
    },
    {"input_value": INPUT_VALUE},
)
_SINGLE = ("state_sample", "average", "average_error")  # in single precision
_SAMPLES = 100
_SAMPLED_NUMBERS = 2**14  # of the samples of a set: 64 kB, before they are compressed
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
        "sample": n_samples(system.state_size), "feature": 2 * system.state_size + 2 * N_DIRECTIONS,
    }  # fmt: skip
    whole = {name: np.full(grid, -1, dtype) for name, dtype in _WHOLE.items()}
    reached = np.full((len(inputs), n_starts), -1, np.int32)
    values: dict[str, np.ndarray] = {}
    for name, variable in SETS.variables.items():
        if name not in (*whole, "reached"):
            shape = (*grid, *(lengths[dim] for dim in variable.dims.split()[2:]))
            values[name] = np.full(shape, np.nan, np.float32 if name in _SINGLE else np.float64)
    for at, (found, labels) in enumerate(groups):
        described = [_describe(system, held[at], limit, float((labels == k).mean()), n_starts)
                     for k, limit in enumerate(found)]  # fmt: skip
        order = sorted(range(len(found)), key=lambda k: (found[k].kind, *np.nan_to_num(described[k]["output_mean"])))
        reached[at] = np.argsort(order)[labels]
        for place, k in enumerate(order):
            whole["kind"][at, place], whole["period"][at, place] = found[k].kind, found[k].period
            whole["n_run"][at, place], whole["doubt"][at, place] = found[k].n_steps, found[k].doubt
            for name, value in described[k].items():
                with np.errstate(over="ignore"):  # what is bounded in double precision need not be so in single
                    if np.ndim(value):
                        kept = value[: values[name].shape[2]]
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
        sample=np.arange(lengths["sample"]),
        feature=np.arange(lengths["feature"]),
        state=list(system.state_labels),
        output=[f"y[{k}]" for k in range(system.output_size)],
    )


def _describe(system: System, held: Tensor, limit: Limit, share: float, n_starts: int) -> dict[str, Any]:
    mean, low, high = _outputs(system, held, limit.orbit)
    known = limit.features.size > 0
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
        "state_sample": _sampled(limit.orbit, system.state_size),
        "average": limit.features,
        "average_error": limit.errors,
        "size": limit.size if known else np.nan,
        "steadiness": limit.steadiness if known else np.nan,
        "wander": limit.wander if known else np.nan,
    }


def n_samples(state_size: int) -> int:
    """How many states of a set are stored: 100, or as many as 64 kB hold.

    >>> n_samples(64), n_samples(400)
    (100, 40)
    """
    return max(1, min(_SAMPLES, _SAMPLED_NUMBERS // state_size))


def _sampled(orbit: np.ndarray, state_size: int) -> np.ndarray:
    """Some states of an orbit (time, state), evenly spaced, in order."""
    n, wanted = len(orbit), n_samples(state_size)
    chosen = np.arange(min(n, wanted)) * n // max(1, min(n, wanted))
    return orbit[chosen].reshape(-1, state_size)


def stored_limit(row: xr.Dataset) -> Limit:
    """A set of a stored result, one input and attractor of it, as far as ``same_limit_set`` looks at it.

    Of a cycle of more than ``n_samples`` points only some are known.

    Args:
        row: a result of ``Attractors``, such as ``found.isel(step=-1, input=0, attractor=0)``.

    Raises:
        ValueError: a result of version 2 or before, which stored no samples, or no single set.

    """
    require("state_sample" in row and row["kind"].ndim == 0, "row", "one set of a result with samples", dict(row.sizes))
    orbit = row["state_sample"].values.astype(np.float64)
    orbit = orbit[~np.isnan(orbit).any(1)]
    period = int(row["period"])
    if period:
        orbit[0] = row["location"].values  # in double precision
    features, errors = (row[name].values.astype(np.float64) for name in ("average", "average_error"))
    return Limit(
        kind=int(row["kind"]),
        period=period,
        orbit=orbit,
        features=features[~np.isnan(features)],
        errors=errors[~np.isnan(errors)],
        steadiness=float(row["steadiness"]),
        wander=float(row["wander"]),
        size=float(row["size"]),
    )


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
