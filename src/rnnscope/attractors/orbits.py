"""Orbits: where the state goes when the input is held constant."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rnnscope.attractors.map_probe import INPUT_VALUE, MapProbe, begin, completed, held_inputs, with_starts
from rnnscope.attractors.numerics.forecast import Forecast, seconds_of
from rnnscope.attractors.numerics.running import MOST_NUMBERS, held_states
from rnnscope.base.flags import Flags
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import positive, truth, whole
from rnnscope.systems import System

STATUS = Flags(("moving", "settled", "diverged"))
MOVING, SETTLED, DIVERGED = STATUS.codes
ORBITS = Schema(
    {
        "orbit": Variable("input start time output", "output"),
        "status": Variable("input start", "end of the orbit", flags=STATUS),
        "settled_at": Variable("input start", "step since which it rests", "step"),
        "diverged_at": Variable("input start", "first step beyond the escape", "step"),
        "drift": Variable("input start", "largest relative change of a coordinate in the last step", "1/step"),
        "state_orbit": Variable("input start time state", "state"),
    },
    {"input_value": INPUT_VALUE, "time": Variable("time", "step of the orbit", "step")},
)
_REMAINING = 1e-3  # what a start at rest may still be away from where it goes, relative to 1 + |x|


@dataclass(frozen=True, kw_only=True)
class Orbits(MapProbe[System | nn.Module]):
    """Hold inputs constant, begin at several states, drop a transient, keep what the output does then.

        x[t] = f(x[t-1], ū),  y[t] = g(x[t], ū),  t = 1 … n_transient + n_keep

    A start has *settled* when max|x[t] - x[t-1]| / (1 + |x[t-1]|) stays below ``tolerance`` for ``n_quiet`` steps in a
    row, no coordinate gets faster, and at the rate at which they slow down less than 0.001 (1 + |x|) is left to go.
    This is looked at in blocks of ``n_quiet`` steps, so it may rest before ``settled_at``; the rest of its samples is
    filled with its last output. It has *diverged* when a coordinate is not finite or exceeds ``escape``: samples from
    there on are NaN. Otherwise it is still *moving*; ``drift`` says how fast. A rest is no proof of stability: a start
    that is within rounding of a saddle rests there.

    >>> cell = torch.nn.RNN(1, 1)
    >>> for p in cell.parameters():
    ...     _ = torch.nn.init.constant_(p, 0.5)
    >>> from rnnscope.systems import as_system
    >>> orbits = Orbits(inputs=[[0.0]], n_starts=1).measure(as_system(cell))
    >>> orbits.orbit.dims
    ('input', 'start', 'time', 'output')
    >>> round(float(orbits.orbit[0, 0, -1, 0]), 4)  # x = tanh(x/2 + 1)
    0.8952

    Attributes:
        inputs: constant inputs (input, channel); None for the zero input (or, on a run, those of its task).
        starts: 'visited', states that the network passes through on input sequences of its task, plus noise of a tenth
            of the spread of each coordinate ('visited(0.5)': of half of it); 'normal(std)', each coordinate of x[0]
            independently; or states (start, state). None: 'visited' where sequences are known, else 'normal(1)'. Wide
            starts such as the paper's normal(100) saturate gates and may reach states that training never visits.
        n_starts: starts at each input, the same at every input and epoch; the number of states where they are given.
        n_transient: steps that are dropped (the paper's code calls them burnout).
        n_keep: steps that are kept.
        keep_states: whether to keep the states too, as ``state_orbit``.
        tolerance, n_quiet: when a start has settled.
        escape: when a start has diverged.
        dtype: 'float32' or 'float64'; None for the network's own.
        seed: for drawing starts.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 4 (orbit diagrams over epochs).

    """

    name: ClassVar[str] = "orbits"
    version: ClassVar[int] = 2

    n_starts: int = 4
    n_transient: int = 1200
    n_keep: int = 400
    keep_states: bool = False
    tolerance: float = 1e-6
    n_quiet: int = 50
    escape: float = 1e12
    dtype: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, n_transient=0, n_keep=1, n_quiet=2)
        positive(self, "tolerance", "escape")
        truth(self, "keep_states")

    def measure(self, system: System | nn.Module, sequences: Any = None) -> xr.Dataset:
        """Orbits of one system.

        Args:
            system: the network as a map, or anything that ``as_system`` reads as one.
            sequences: input sequences of its task (sequence, time, channel), for 'visited' starts.

        Returns:
            Dataset with ``orbit`` (input, start, time, output), on request ``state_orbit`` (…, state), and for each
            start ``status``, ``settled_at``, ``diverged_at`` (steps; -1 if not) and ``drift`` (relative speed at the
            end).

        Raises:
            UnsupportedModelError: not a network that can be read as a map.
            ValueError: inputs, starts or sequences of the wrong width; 'visited' starts without sequences.

        """
        if self.starts is None:
            return with_starts(self, sequences).measure(system, sequences)
        system, starts = begin(self, system, self.n_starts, sequences, derivatives=False)
        inputs, held = held_inputs(self.inputs, system)
        with torch.no_grad():
            self._forecast(system, held, starts)
            bundle = _Bundle(self, system, held.repeat_interleave(len(starts), 0), starts.repeat(len(inputs), 1))
            bundle.run()
        return completed(self, self._dataset(system, inputs, bundle), system)

    def _forecast(self, system: System, held: Tensor, starts: Tensor) -> None:
        forecast = Forecast(
            self.name, system, f"fewer steps (n_transient={self.n_transient}), starts, inputs or epochs"
        )
        if forecast.wide:
            weights = system.weights
            drive, states = system.drive(weights, held.repeat_interleave(len(starts), 0)), starts.repeat(len(held), 1)
            step = seconds_of(lambda: system.step(weights, states, drive))
            forecast.say(step * (self.n_transient + self.n_keep))

    def _dataset(self, system: System, inputs: np.ndarray, bundle: "_Bundle") -> xr.Dataset:
        rows = {
            "orbit": bundle.outputs,
            "status": bundle.status,
            "settled_at": bundle.settled_at,
            "diverged_at": bundle.diverged_at,
            "drift": bundle.drift,
            **({"state_orbit": bundle.states} if self.keep_states else {}),
        }
        return ORBITS.dataset(
            {name: values.unflatten(0, (len(inputs), self.n_starts)) for name, values in rows.items()},
            input=np.arange(len(inputs)),
            input_value=inputs,
            start=np.arange(self.n_starts),
            time=np.arange(self.n_transient + 1, self.n_transient + self.n_keep + 1),
            output=[f"y[{i}]" for i in range(system.output_size)],
            **({"state": list(system.state_labels)} if self.keep_states else {}),
        )


class _Bundle:
    """All starts at all inputs, run together; those that have settled or diverged leave the batch."""

    def __init__(self, probe: Orbits, system: System, inputs: Tensor, starts: Tensor):
        rows = len(starts)
        self.probe, self.system, self.inputs = probe, system, inputs
        self.weights = system.weights
        self.state = starts
        self.active = torch.arange(rows, device=starts.device)
        self.outputs = starts.new_full((rows, probe.n_keep, system.output_size), torch.nan)
        self.states = starts.new_full((rows, probe.n_keep, system.state_size) if probe.keep_states else (0,), torch.nan)
        self.status = starts.new_full((rows,), MOVING, dtype=torch.int8)
        self.settled_at = starts.new_full((rows,), -1, dtype=torch.int32)
        self.diverged_at = starts.new_full((rows,), -1, dtype=torch.int32)
        self.drift = starts.new_full((rows,), torch.nan)

    def run(self) -> None:
        total, quiet = self.probe.n_transient + self.probe.n_keep, self.probe.n_quiet
        time, n_steps = 0, min(quiet, total)
        while time < total and len(self.active):
            slowest = self._advance(time, n_steps)
            time += n_steps
            # far from rest, longer blocks save overhead; near it, blocks of n_quiet steps see when it begins
            n_steps = quiet if slowest < 1e3 * self.probe.tolerance else 4 * quiet
            left = total - time  # the last block is one that can see a rest
            n_steps = min(n_steps, left - quiet) if left > quiet else left

    def _advance(self, time: int, n_steps: int) -> float:
        """Run the active rows for a block of steps and retire those that are done; returns the smallest speed."""
        before, inputs = self.state, self.inputs[self.active]
        outputs, after, states = self.system.simulate(before, inputs, n_steps=n_steps, states=self.probe.keep_states)
        drive = self.system.drive(self.weights, inputs)
        speed = _relative_change(after, self.system.step(self.weights, after, drive))
        self.drift[self.active] = speed
        self._keep(self.outputs, outputs, time)
        if states is not None:
            self._keep(self.states, states, time)
        self.state = after

        escaped = _beyond(after, self.probe.escape)
        resting = torch.zeros_like(escaped)
        if n_steps == self.probe.n_quiet:
            resting = (speed < self.probe.tolerance) & ~escaped
        if escaped.any() or resting.any():
            self._retire(time, n_steps, before, inputs, escaped, resting)
        finite = speed[torch.isfinite(speed)]
        return float(finite.min()) if len(finite) else 0.0

    def _retire(
        self, time: int, n_steps: int, before: Tensor, inputs: Tensor, escaped: Tensor, resting: Tensor
    ) -> None:
        """Go through the block of the rows in question again, state by state, and decide."""
        stay = torch.ones_like(escaped)
        at_once = max(1, MOST_NUMBERS // (8 * n_steps * self.system.state_size))
        for chosen in (escaped | resting).nonzero()[:, 0].split(at_once):
            stay[chosen] = ~self._look_again(time, n_steps, before[chosen], inputs[chosen], self.active[chosen])
        self.active, self.state = self.active[stay], self.state[stay]

    def _look_again(self, time: int, n_steps: int, before: Tensor, inputs: Tensor, rows: Tensor) -> Tensor:
        """Which of these rows have diverged or settled."""
        states = held_states(self.system, self.weights, before, self.system.drive(self.weights, inputs), n_steps)
        beyond = _beyond(states, self.probe.escape)
        gone = beyond.any(0)
        first = beyond.int().argmax(0)[gone] + time + 1
        self.status[rows[gone]] = DIVERGED
        self.diverged_at[rows[gone]] = first.to(torch.int32)
        self.drift[rows[gone]] = torch.nan
        for row, step in zip(rows[gone].tolist(), first.tolist(), strict=True):
            self._blank(row, step)

        path = torch.cat([before[None], states])
        still = ~gone & _at_rest(path, self.probe.tolerance)
        settled = rows[still]
        self.status[settled] = SETTLED
        self.settled_at[settled] = time + 1
        self._fill(settled, time + n_steps)
        return gone | still

    def _keep(self, kept: Tensor, block: Tensor, time: int) -> None:
        """Store that part of a block (time, row, …) which lies after the transient."""
        first = max(self.probe.n_transient - time, 0)
        if first < len(block):
            at = time + first - self.probe.n_transient
            kept[self.active, at : at + len(block) - first] = block[first:].movedim(0, 1)

    def _fill(self, rows: Tensor, time: int) -> None:
        """Repeat the last output and state of rows at rest in all samples that come after ``time``."""
        at = max(time - self.probe.n_transient, 0)
        if at >= self.probe.n_keep or not len(rows):
            return
        where = torch.isin(self.active, rows)
        last = self.state[where]
        drive = self.system.drive(self.weights, self.inputs[rows])
        _, output = self.system.advance(self.weights, last, drive)
        self.outputs[rows, at:] = output[:, None]
        if self.probe.keep_states:
            self.states[rows, at:] = last[:, None]

    def _blank(self, row: int, step: int) -> None:
        at = max(step - 1 - self.probe.n_transient, 0)
        self.outputs[row, at:] = torch.nan
        if self.probe.keep_states:
            self.states[row, at:] = torch.nan


def _beyond(states: Tensor, escape: float) -> Tensor:
    """Whether each state has a coordinate that is not finite or larger than ``escape``."""
    largest = states.abs().amax(-1)
    return ~torch.isfinite(largest) | (largest > escape)


def _relative_change(before: Tensor, after: Tensor) -> Tensor:
    return ((after - before).abs() / (1 + before.abs())).amax(-1)


def _at_rest(path: Tensor, tolerance: float) -> Tensor:
    """Whether each row of a path (time, row, state) is at rest.

    Every coordinate moves by less than the tolerance at every step, and no faster in the second half than in the first;
    going on to slow down as it does, it has less than ``_REMAINING`` still to go. Movement within rounding is none.
    """
    size = 1 + path[:-1].abs()
    speeds = (path[1:] - path[:-1]).abs() / size
    half = len(speeds) // 2
    early, late = speeds[:half].amax(0), speeds[half:].amax(0)
    rounding = 4 * torch.finfo(path.dtype).eps * path[-1].abs().amax(-1, keepdim=True) / size[-1]
    slowing = torch.log(early / late).clamp(min=0) / half
    ends = late <= _REMAINING * slowing
    return (speeds.amax((0, 2)) < tolerance) & (ends | (late <= rounding)).all(-1)
