"""Lyapunov exponents: how fast small differences in the state grow or die out."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rnnscope.attractors._forecast import Forecast, need_vectors
from rnnscope.attractors._opening import begin, completed, held_inputs, put_in_order, with_starts
from rnnscope.attractors._spectrum import CONVERGED, DIVERGED, NOT_CONVERGED, Spectrum, lyapunov_spectrum
from rnnscope.attractors._starts import check_tokens, checked_sequences, need_sequences
from rnnscope.base.errors import require
from rnnscope.base.probe import Probe, plain
from rnnscope.systems import System, closed_loop

_ALL_OF, _OF_MORE = 64, 16  # states of which all exponents are measured, and how many of more
DRIVES = ("constant", "sequences", "closed")


@dataclass(frozen=True, kw_only=True)
class Lyapunov(Probe):
    """Lyapunov exponents of the full state, from several starts at each input.

        λ_i = lim 1/T Σ_t ln |R_ii[t]|,   Q[t] R[t] = ∂f/∂x(x[t-1], u[t]) Q[t-1]

    in nats per step (of a sampled flow: divide by the sampling time), by repeated orthonormalisation of tangent
    vectors; ``rnnscope.attractors.lyapunov_spectrum`` says how, and what its errors and its status mean. λ_1 < 0: the
    state forgets where it came from; λ_1 = 0: a closed curve or a torus; λ_1 > 0: chaos.

    >>> from rnnscope.systems import textbook
    >>> found = Lyapunov(starts=[[0.3]]).measure(textbook.logistic(2.5))
    >>> round(float(found.lyapunov_exponent[0, 0, 0]), 6)  # ln|2 - r|
    -0.693147

    Attributes:
        inputs: constant inputs (input, channel); None for the zero input (or, on a run, those of its task). In closed
            loop they are added to what is fed back.
        drive: 'constant'; 'sequences': the task's input sequences one after another, the state carried over, begun
            again at their end; an array (time, channel) or (sequence, time, channel): each sequence, begun again at its
            end, is one input; 'closed': the network is fed its own output, which becomes part of the state. Exponents
            along a sequence are conditional on it.
        starts: as for ``Orbits``. In closed loop, states without the output; the first output fed back is 0.
        n_starts: starts at each input; the number of states where they are given.
        n_exponents: so many, the largest; 'all'; None: all of up to 64 states, else 16, which end in seconds.
        n_transient: steps of the state that are dropped.
        n_transient_tangent: further steps that are dropped, of the state and the tangent vectors.
        n_steps: steps that are averaged over.
        interval: steps between orthonormalisations, at most.
        tolerance: when an exponent has converged, relative to max(1, |λ|), nats per step.
        escape: a start has diverged when a coordinate exceeds it.
        dtype: 'float32' or 'float64'; None for the network's own.
        seed: for drawing starts and the first tangent vectors.

    Source: Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15, 1980; on trained recurrent networks: Vogt, Puelma
    Touzel, Shlizerman & Lajoie, Frontiers in Applied Mathematics and Statistics 8, 2022.

    """

    name: ClassVar[str] = "lyapunov"
    version: ClassVar[int] = 3

    inputs: Any = None
    drive: Any = "constant"
    starts: Any = None
    n_starts: int = 4
    n_exponents: int | str | None = None
    n_transient: int = 1000
    n_transient_tangent: int = 200
    n_steps: int = 2000
    interval: int = 10
    tolerance: float = 0.02
    escape: float = 1e12
    dtype: str | None = "float64"
    seed: int = 0

    def __post_init__(self) -> None:
        whole = {"n_starts": 1, "n_transient": 0, "n_transient_tangent": 0, "n_steps": 1, "interval": 1, "seed": 0}
        put_in_order(self, count="n_starts", whole=whole, positive=["tolerance", "escape"])
        if isinstance(self.drive, str):
            require(self.drive in DRIVES, "drive", f"an array or one of {', '.join(DRIVES)}", self.drive)
        else:
            object.__setattr__(self, "drive", _sequences(self.drive))
        if self.drive not in ("constant", "closed"):
            require(self.inputs is None, "inputs", "None where sequences drive the network", self.inputs)
        given = self.n_exponents
        good = given in (None, "all") or (type(given) is int and given >= 1)
        require(good, "n_exponents", "a positive whole number, 'all', or None for all or 16", given)

    @property
    def needs_sequences(self) -> bool:
        """Whether input sequences decide what is measured."""
        return self.drive == "sequences" or need_sequences(self.starts)

    @property
    def holds_inputs(self) -> bool:
        """Only with inputs that are held and nothing else: in closed loop none given are none added."""
        return self.inputs is None and self.drive == "constant"

    def measure(self, system: System | nn.Module, sequences: Any = None) -> xr.Dataset:
        """Exponents of one system.

        Args:
            system: the network as a map, or anything that ``as_system`` reads as one.
            sequences: input sequences of its task (sequence, time, channel), for 'visited' starts and for
                drive='sequences'.

        Returns:
            Dataset with ``lyapunov_exponent`` and ``lyapunov_error``, its standard error (input, start, exponent; nats
            per step), ``history``, the running mean (…, time), and for each start ``kaplan_yorke``, ``status``
            (not_converged, converged, diverged: then all is NaN) and ``final_state`` (…, state); ``interval``, the
            steps between orthonormalisations in the end. -inf: a direction that is lost altogether.

        Raises:
            UnsupportedModelError: not a network that can be read as a map.
            DerivativeError: the derivatives of its step are not those of the map.
            ValueError: more exponents than states; inputs, starts or sequences of the wrong width, or not there; a
                closed loop where the output is not as wide as the input.
            NonDeterministicError: the step draws random numbers.

        """
        if self.starts is None:
            return with_starts(self, sequences).measure(system, sequences)
        system, starts = begin(self, system, self.n_starts, sequences, derivatives=True)
        if self.drive == "closed":
            system = _fed_its_output(system)
            starts = torch.cat([starts, starts.new_zeros(len(starts), system.output_size)], dim=-1)
        n_exponents = self._number(system)
        need_vectors(n_exponents, system)
        inputs = self._inputs(system, sequences)
        n_inputs = inputs.shape[-2]
        rows = inputs[..., None, :].expand(*inputs.shape[:-1], len(starts), -1).flatten(-3, -2)
        found = lyapunov_spectrum(
            system,
            starts.repeat(n_inputs, 1),
            rows,
            n_exponents=n_exponents,
            n_transient=self.n_transient,
            n_transient_tangent=self.n_transient_tangent,
            n_steps=self.n_steps,
            interval=self.interval,
            tolerance=self.tolerance,
            escape=self.escape,
            seed=self.seed,
            forecast=Forecast(
                self.name, system, "fewer exponents (n_exponents=3), starts, steps, inputs or epochs"
            ).say,
        )
        return completed(self, self._dataset(system, inputs, found), system)

    def _number(self, system: System) -> int:
        """How many exponents, of those that the system has."""
        size = system.state_size
        if isinstance(self.n_exponents, int):
            return self.n_exponents
        return size if self.n_exponents == "all" or size <= _ALL_OF else _OF_MORE

    def _inputs(self, system: System, sequences: Any) -> Tensor:
        """Inputs (input, channel) that are held, or sequences (time, input, channel)."""
        if self.drive == "sequences":
            checked = checked_sequences(sequences, system, "drive='sequences'", "drive='constant'")
            inputs = checked.flatten(0, 1)[:, None]
        elif isinstance(self.drive, str):
            inputs = held_inputs(self.inputs, system)[1]
        else:
            inputs = torch.tensor(self.drive, dtype=torch.float64).movedim(0, 1)
            check_tokens(inputs, system, "drive")
        name = "inputs" if isinstance(self.drive, str) else "drive"
        came = inputs.shape[-1]
        require(came == system.input_size, name, f"{system.input_size} numbers for each input", came)
        return inputs.to(dtype=system.dtype, device=system.device)

    def _dataset(self, system: System, inputs: Tensor, found: Spectrum) -> xr.Dataset:
        grid = (inputs.shape[-2], self.n_starts)

        def variable(values: Tensor, dims: tuple[str, ...], **attrs: Any) -> tuple:
            array = values.cpu().numpy()
            return ("input", "start", *dims), array.reshape(*grid, *array.shape[1:]), attrs

        rate = {"units": "nat/step"}
        variables = {
            "lyapunov_exponent": variable(found.exponents, ("exponent",), long_name="Lyapunov exponent", **rate),
            "lyapunov_error": variable(
                found.standard_error, ("exponent",), long_name="standard error, by blocks of time", **rate
            ),
            "history": variable(found.history, ("exponent", "time"), long_name="mean up to this time", **rate),
            "kaplan_yorke": variable(found.kaplan_yorke, (), long_name="Kaplan-Yorke dimension", units="1"),
            "status": variable(
                found.status, (), long_name="whether the exponents have converged", units="1",
                flag_values=np.array([NOT_CONVERGED, CONVERGED, DIVERGED], dtype=np.int8),
                flag_meanings="not_converged converged diverged",
            ),
            "final_state": variable(found.final, ("state",), long_name="last state", units="1"),
            "interval": ((), np.int32(found.interval), {
                "long_name": "steps between orthonormalisations in the end", "units": "step",
            }),
        }  # fmt: skip
        coords = {
            "input": np.arange(grid[0]),
            "start": np.arange(grid[1]),
            "exponent": np.arange(found.exponents.shape[-1]),
            "time": ("time", found.times.cpu().numpy(), {"long_name": "steps averaged over", "units": "step"}),
            "state": list(system.state_labels),
        }
        if inputs.dim() == 2:
            what = "constant input" if self.drive == "constant" else "constant input, added to what is fed back"
            coords["input_value"] = (("input", "channel"), inputs.cpu().numpy(), {"long_name": what, "units": "1"})
        return xr.Dataset(variables, coords)


def _fed_its_output(system: System) -> System:
    if system.output_size != system.input_size:
        raise ValueError(
            "drive: 'closed' feeds the outputs back as the inputs, expected as many of the ones as of the others, came "
            f"{system.output_size} outputs and {system.input_size} inputs. Close the loop by a function φ from outputs "
            "to inputs instead, without drive: Lyapunov().measure(closed_loop(as_system(model), φ)); of a run "
            "Run(path, model=closed_loop(as_system(model), φ)).probe('lyapunov'), or --model package.module:make with "
            "a function make that returns this (from rnnscope.systems import as_system, closed_loop)"
        )
    return closed_loop(system)


def _sequences(values: Any) -> tuple:
    """Nested tuples (sequence, time, channel) from anything array-like of two or three dimensions."""
    expected = f"an array (time, channel) or (sequence, time, channel), or one of {', '.join(DRIVES)}"
    try:
        array = np.array(values.tolist() if hasattr(values, "tolist") else values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"drive: expected {expected}, came {values!r}") from None
    require(array.ndim in (2, 3) and array.size > 0, "drive", expected, values)
    require(np.isfinite(array).all(), "drive", "finite numbers", values)
    return _nested(plain(array if array.ndim == 3 else array[None]))


def _nested(values: Any) -> Any:
    return tuple(_nested(value) for value in values) if isinstance(values, list) else values
