"""What probes of the map have in common: inputs to hold, states to start from, and how a result is labelled."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rnnscope.attractors.starts import (
    check_starts,
    check_tokens,
    chosen_starts,
    draw_starts,
    need_sequences,
)
from rnnscope.base.errors import require, require_derivatives
from rnnscope.base.probe import Needs, Probe, S
from rnnscope.base.schema import Variable
from rnnscope.base.settings import Rows, floating_point, table, whole
from rnnscope.systems import System, as_system

INPUT_VALUE = Variable("input channel", "constant input")
P = TypeVar("P", bound="MapProbe")


@dataclass(frozen=True, kw_only=True)
class MapProbe(Probe[S, Any]):
    """A probe that holds inputs constant and begins at several states; each says in its docstring what they are."""

    counted: ClassVar[str] = "n_starts"
    """The setting that is the number of starts; it follows the states where these are given."""

    inputs: Rows | None = None
    starts: str | Rows | None = None
    dtype: str | None = "float64"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.inputs is not None:
            object.__setattr__(self, "inputs", table(self.inputs, "inputs", "(input, channel)"))
        if self.starts is not None and not isinstance(self.starts, str):
            object.__setattr__(self, "starts", table(self.starts, "starts", "(start, state)"))
            object.__setattr__(self, self.counted, len(self.starts))
        check_starts(self.starts)
        whole(self, **{self.counted: 1}, seed=0)
        floating_point(self)

    @property
    def needs(self) -> Needs | None:
        """Input sequences, where starts are drawn from the states that the network visits on them."""
        return "sequences" if need_sequences(self.starts) else None


def with_starts(probe: P, sequences: Any) -> P:
    """The probe with what starts=None stands for: that is part of what a result says it was measured with."""
    return replace(probe, starts=chosen_starts(None, sequences_known=sequences is not None))


def begin(
    probe: MapProbe, system: System | nn.Module, n_starts: int, sequences: Any, *, derivatives: bool
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


def completed(probe: MapProbe, dataset: xr.Dataset, system: System) -> xr.Dataset:
    """A result with what it was measured with: settings, floating-point type, and what its inputs are called."""
    dataset.attrs["dtype"] = str(system.dtype).removeprefix("torch.")
    return probe.label(_with_labels(dataset, probe.inputs, system) if "input_value" in dataset.coords else dataset)


def held_inputs(inputs: Rows | None, system: System) -> tuple[np.ndarray, Tensor]:
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


def _with_labels(dataset: xr.Dataset, inputs: Rows | None, system: System) -> xr.Dataset:
    """Names of inputs whose numbers do not say what they are: tokens, and what None stands for."""
    if system.n_tokens is not None:
        labels = [f"token {row[0]:.0f}" for row in (inputs or ((0.0,),))]
    elif inputs is None:
        labels = ["zero" if system.input_size else "no input"]
    else:
        return dataset
    return dataset.assign_coords(input_label=("input", labels, {"long_name": "constant input"}))
