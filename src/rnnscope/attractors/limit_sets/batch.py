"""Orbits on their way: where each row of a batch is, which rows are still looked at, what is known of the others."""

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.limit_sets.cycles import settled
from rnnscope.attractors.limit_sets.kinds import DIVERGENCE
from rnnscope.attractors.limit_sets.limit import Effort, Limit
from rnnscope.attractors.numerics.forecast import Forecast, seconds_of
from rnnscope.attractors.numerics.running import final_state, held_states
from rnnscope.systems import System

FOLLOWED = 2  # rows of a set whose tangents are followed
_BLOCK = 500  # steps at once, after which rows that have escaped are left out


class Batch:
    """Rows of states (row, state), each under a constant input of its own.

    Attributes:
        state: where each row is, (row, state).
        active: the rows that are still looked at, in order.
        limits: what is known of each row.
        elapsed: steps that the active rows have been run.
        group: a number for each row, the same where inputs are the same, (row,).
        partitions: rows on irregular sets, by group, and which set each was on when that was last looked at.

    """

    def __init__(self, system: System, inputs: Tensor, starts: Tensor, effort: Effort, forecast: Forecast | None):
        self.system, self.inputs, self.effort, self.forecast = system, inputs, effort, forecast
        self.weights = system.weights
        self.drive = system.drive(self.weights, inputs)
        self.state = starts.clone()
        self.active = torch.arange(len(starts), device=starts.device)
        self.limits = [Limit() for _ in starts]
        self.elapsed = 0
        self.group = _numbered(inputs)
        self.generator = torch.Generator().manual_seed(0)
        self.partitions: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def advance(self, n_steps: int) -> None:
        """Run the active rows, without those that escape."""
        for begin in range(0, n_steps, _BLOCK):
            rows = self.active
            if not len(rows):
                return
            steps = min(_BLOCK, n_steps - begin)
            self.state[rows] = final_state(self.system, self.state[rows], self.inputs[rows], steps)
            self.elapsed += steps
            self.retire_escaped()

    def states(self, rows: Tensor, n_steps: int) -> Tensor:
        """Run some rows and give all their states on the way, (time, row, state)."""
        states = held_states(self.system, self.weights, self.state[rows], self.drive[rows], n_steps)
        self.state[rows] = states[-1]
        return states

    def retire_escaped(self) -> None:
        """Rows that have left every bound have diverged, and are not active any more."""
        largest = self.state[self.active].abs().amax(-1)
        gone = ~torch.isfinite(largest) | (largest > self.effort.escape)
        for row in self.active[gone].tolist():
            self.limits[row] = Limit(DIVERGENCE, n_steps=self.elapsed)
        self.active = self.active[~gone]

    def nudge(self, rows: Tensor) -> None:
        """Off saddles and invariant subspaces, which orbits would leave only by rounding."""
        noise = torch.randn(len(rows), self.state.shape[1], generator=self.generator, dtype=torch.float64)
        size = 1 + self.state[rows].abs().amax(-1, keepdim=True)
        self.state[rows] += settled(self.state.dtype) * size * noise.to(self.state)

    def tell(self, n_steps: int, n_vectors: int = 0) -> None:
        """Say how long it takes to run what is active for so many steps, with so many tangent vectors of some rows."""
        if self.forecast is None or not self.forecast.wide:
            return
        state, drive = self.state[self.active], self.drive[self.active]
        seconds = seconds_of(lambda: self.system.step(self.weights, state, drive))
        if n_vectors:
            few = slice(FOLLOWED * len(np.unique(self.group[self.active.cpu().numpy()])))
            vectors = state[few, :, None].expand(-1, -1, n_vectors).contiguous()
            seconds += seconds_of(lambda: self.system.step_and_tangent(self.weights, state[few], drive[few], vectors))
        self.forecast.say(n_steps * seconds)


def _numbered(inputs: Tensor) -> np.ndarray:
    """A number for each row of inputs (row, channel), the same for equal rows."""
    if not inputs.shape[1]:
        return np.zeros(len(inputs), dtype=int)
    return inputs.unique(dim=0, return_inverse=True)[1].cpu().numpy()
