"""How probes of the map begin and end: settings put in order, inputs to hold, states to start from, labels."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rnnscope.attractors._starts import check_starts, check_tokens, chosen_starts, draw_starts
from rnnscope.base.errors import require, require_derivatives
from rnnscope.base.probe import Probe
from rnnscope.systems import System, as_system

P = TypeVar("P", bound=Probe)
Table = tuple[tuple[float, ...], ...]


def put_in_order(probe: Any, *, count: str, whole: Mapping[str, int], positive: Iterable[str]) -> None:
    """Check the settings that such probes share, and turn arrays into tuples and numbers into floats.

    ``count`` names the number of starts, which is that of the states where they are given; ``whole`` has the least
    value of each whole number.

    Raises:
        ValueError: names the setting, what was expected and what came.

    """
    for name, shape in (("inputs", "(input, channel)"), ("starts", "(start, state)")):
        value = getattr(probe, name)
        if value is not None and not (name == "starts" and isinstance(value, str)):
            object.__setattr__(probe, name, table(value, name, shape))
    if probe.starts is not None and not isinstance(probe.starts, str):
        object.__setattr__(probe, count, len(probe.starts))
    check_starts(probe.starts)
    for name, least in whole.items():
        value = getattr(probe, name)
        require(type(value) is int and value >= least, name, f"a whole number of at least {least}", value)
    for name in positive:
        value = getattr(probe, name)
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < np.inf
        require(good, name, "a positive number", value)
        object.__setattr__(probe, name, float(value))
    require(probe.dtype in (None, "float32", "float64"), "dtype", "'float32', 'float64' or None", probe.dtype)


def with_starts(probe: P, sequences: Any) -> P:
    """The probe with what starts=None stands for: that is part of what a result says it was measured with."""
    return replace(probe, starts=chosen_starts(None, sequences_known=sequences is not None))  # type: ignore[call-arg]


def begin(
    probe: Any, system: System | nn.Module, n_starts: int, sequences: Any, *, derivatives: bool
) -> tuple[System, Tensor]:
    """The system in the probe's floating-point type, and the states (start, state) to begin at.

    Half precision becomes single; a system that cannot be computed in double stays as it is.

    Raises:
        DerivativeError: the probe needs ``derivatives``, and those of the step are not those of its map.

    """
    system = as_system(system)
    if derivatives:
        require_derivatives(probe.name, system.derivative_problem)
    if probe.dtype is not None:
        system = system.to(getattr(torch, probe.dtype))
    elif system.dtype in (torch.float16, torch.bfloat16):
        system = system.to(torch.float32)
    return system, draw_starts(probe.starts, n_starts, system, probe.seed, probe.name, sequences)


def completed(probe: Any, dataset: xr.Dataset, system: System) -> xr.Dataset:
    """A result with what it was measured with: settings, floating-point type, and what its inputs are called."""
    dataset.attrs["dtype"] = str(system.dtype).removeprefix("torch.")
    return probe.label(_with_labels(dataset, probe.inputs, system) if "input_value" in dataset.coords else dataset)


def held_inputs(inputs: Table | None, system: System) -> tuple[np.ndarray, Tensor]:
    """Inputs (input, channel) to hold, the zero input for None, as they were given and as the system takes them.

    Raises:
        ValueError: they are not as wide as the system's input, or not tokens of its vocabulary.

    """
    given = np.array(inputs) if inputs is not None else np.zeros((1, system.input_size))
    width, came = system.input_size, given.shape[1]
    wanted = f"{width} numbers for each input" if width else "none (leave them out): this network takes no input"
    require(came == width, "inputs", wanted, f"{came} for each" if not width else came)
    check_tokens(given, system, "inputs")
    return given, torch.as_tensor(given, dtype=system.dtype, device=system.device)


def _with_labels(dataset: xr.Dataset, inputs: Table | None, system: System) -> xr.Dataset:
    """Names of inputs whose numbers do not say what they are: tokens, and what None stands for."""
    if system.n_tokens is not None:
        labels = [f"token {row[0]:.0f}" for row in (inputs or ((0.0,),))]
    elif inputs is None:
        labels = ["zero" if system.input_size else "no input"]
    else:
        return dataset
    return dataset.assign_coords(input_label=("input", labels, {"long_name": "constant input"}))


def table(values: Any, name: str, shape: str) -> Table:
    """Rows of plain numbers from anything array-like; ValueError unless it is two-dimensional and finite."""
    try:
        array = np.array(values.tolist() if hasattr(values, "tolist") else values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected numbers of shape {shape}, came {values!r}") from None
    require(array.ndim == 2 and array.size > 0, name, f"numbers of shape {shape}, such as [[0.0], [1.0]]", values)
    require(np.isfinite(array).all(), name, "finite numbers", values)
    return tuple(tuple(row) for row in array.tolist())
