"""Lyapunov exponents: how fast small differences in the state grow or die out."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rnnscope.attractors.map_probe import INPUT_VALUE, MapProbe, begin, completed, held_inputs, with_starts
from rnnscope.attractors.numerics.exponents import STATUS, Spectrum, lyapunov_spectrum
from rnnscope.attractors.numerics.forecast import Forecast, need_vectors
from rnnscope.attractors.starts import check_tokens, checked_sequences
from rnnscope.base.errors import require
from rnnscope.base.probe import Needs, plain
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import is_whole, positive, whole
from rnnscope.systems import System, closed_loop

_ALL_OF, _OF_MORE = 64, 16  # states of which all exponents are measured, and how many of more
DRIVES = ("constant", "sequences", "closed")
EXPONENTS = Schema(
    {
        "lyapunov_exponent": Variable("input start exponent", "Lyapunov exponent", "nat/step"),
        "lyapunov_error": Variable("input start exponent", "standard error, by blocks of time", "nat/step"),
        "history": Variable("input start exponent time", "mean up to this time", "nat/step"),
        "kaplan_yorke": Variable("input start", "Kaplan-Yorke dimension"),
        "status": Variable("input start", "whether the exponents have converged", flags=STATUS),
        "final_state": Variable("input start state", "last state"),
        "interval": Variable("", "steps between orthonormalisations in the end", "step"),
    },
    {"input_value": INPUT_VALUE, "time": Variable("time", "steps averaged over", "step")},
)


@dataclass(frozen=True, kw_only=True)
class Lyapunov(MapProbe[System | nn.Module]):
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
    references: ClassVar[tuple[str, ...]] = (
        "Benettin, Galgani, Giorgilli & Strelcyn, Lyapunov characteristic exponents for smooth dynamical systems and "
        "for Hamiltonian systems, Meccanica 15, 1980.",
        "Vogt, Puelma Touzel, Shlizerman & Lajoie, On Lyapunov exponents for RNNs: understanding information "
        "propagation using dynamical systems tools, Frontiers in Applied Mathematics and Statistics 8, 2022.",
    )

    drive: Any = "constant"
    n_starts: int = 4
    n_exponents: int | str | None = None
    n_transient: int = 1000
    n_transient_tangent: int = 200
    n_steps: int = 2000
    interval: int = 10
    tolerance: float = 0.02
    escape: float = 1e12

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, n_transient=0, n_transient_tangent=0, n_steps=1, interval=1)
        positive(self, "tolerance", "escape")
        if isinstance(self.drive, str):
            require(self.drive in DRIVES, "drive", f"an array or one of {', '.join(DRIVES)}", self.drive)
        else:
            object.__setattr__(self, "drive", _sequences(self.drive))
        if self.drive not in ("constant", "closed"):
            require(self.inputs is None, "inputs", "None where sequences drive the network", self.inputs)
        given = self.n_exponents
        good = given in (None, "all") or is_whole(given, 1)
        require(good, "n_exponents", "a positive whole number, 'all', or None for all or 16", given)

    @property
    def needs(self) -> Needs | None:
        """Input sequences, where they drive the network or starts are drawn from the states visited on them."""
        return "sequences" if self.drive == "sequences" else super().needs

    @property
    def left_open(self) -> frozenset[str]:
        """Inputs are left open where they are held and nothing else: in closed loop none given are none added."""
        return super().left_open if self.drive == "constant" else super().left_open - {"inputs"}

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
        rows = {
            "lyapunov_exponent": found.exponents,
            "lyapunov_error": found.standard_error,
            "history": found.history,
            "kaplan_yorke": found.kaplan_yorke,
            "status": found.status,
            "final_state": found.final,
        }
        grid = (inputs.shape[-2], self.n_starts)
        dataset = EXPONENTS.dataset(
            {
                **{name: values.unflatten(0, grid) for name, values in rows.items()},
                "interval": np.int32(found.interval),
            },
            input=np.arange(grid[0]),
            start=np.arange(grid[1]),
            exponent=np.arange(found.exponents.shape[-1]),
            time=found.times,
            state=list(system.state_labels),
            **({"input_value": inputs} if inputs.dim() == 2 else {}),
        )
        if self.drive == "closed":
            dataset["input_value"].attrs["long_name"] = "constant input, added to what is fed back"
        return dataset


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
