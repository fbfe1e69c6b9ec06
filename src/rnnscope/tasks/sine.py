"""Sine generator: a constant input says at which frequency the network is to oscillate.

    u[t] = ω,  y[t] = sin(ω (t+1)),  t = 0 … length-1,  ω evenly spaced in [π/16, π/8]

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5; settings of ``paper`` from their companion code.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from rnnscope.base.errors import require, require_numbers
from rnnscope.base.settings import whole
from rnnscope.tasks import _task

PRESETS = {
    "paper": {
        "task": {},
        "model": {"hidden_size": 200},
        "training": {
            "n_epochs": 10_000,
            "learning_rate": 1e-3,
            "max_gradient_norm": 0.25,
            "schedule": "steps",
            "milestones": [500, 1000, 2000, 8000],
            "decay": 0.1,
        },
        "recording": {},
        "orbits": {"n_starts": 4, "starts": "normal(100)", "n_transient": 1200, "n_keep": 400},
    },
    "quick": {
        "task": {"length": 100, "batch_size": 20},
        "model": {"hidden_size": 32},
        "training": {
            "n_epochs": 1000,
            "learning_rate": 1e-2,
            "max_gradient_norm": 1.0,
            "schedule": "one-cycle",
            "n_threads": 1,
        },
        "recording": {},
        "orbits": {"n_starts": 4, "starts": "visited", "n_transient": 1200, "n_keep": 200},
    },
}


@dataclass(frozen=True, kw_only=True)
class Task(_task.Task):
    """The sine generator.

    >>> inputs, targets = Task(n_frequencies=2, length=3, batch_size=1).data()
    >>> inputs.shape, [round(float(y), 3) for y in targets[0, :, 0]]
    (torch.Size([2, 3, 1]), [0.195, 0.383, 0.556])

    Attributes:
        n_frequencies: number of sequences, one for each frequency.
        length: steps of a sequence.
        batch_size: sequences in a batch, in order of frequency, never shuffled.
        lowest, highest: the range of frequencies, rad/step.
        n_probed: number of constant inputs to probe, evenly spaced in the same range.

    """

    name: ClassVar[str] = "sine"
    input_size: ClassVar[int] = 1
    output_size: ClassVar[int] = 1

    n_frequencies: int = 100
    length: int = 400
    batch_size: int = 10
    lowest: float = math.pi / 16
    highest: float = math.pi / 8
    n_probed: int = 10

    def __post_init__(self) -> None:
        require_numbers(self)
        whole(self, n_frequencies=1, length=1, batch_size=1, n_probed=1)
        require(0 < self.lowest <= self.highest < math.pi, "lowest, highest", "0 < lowest <= highest < π",
                (self.lowest, self.highest))  # fmt: skip

    def data(self) -> tuple[Tensor, Tensor]:
        """Inputs ω and targets sin(ω (t+1)), each (n_frequencies, length, 1)."""
        frequencies = torch.linspace(self.lowest, self.highest, self.n_frequencies, dtype=torch.float64)
        phase = frequencies[:, None] * torch.arange(1, self.length + 1)
        inputs = frequencies[:, None].expand(-1, self.length)
        return inputs[..., None].float().contiguous(), torch.sin(phase)[..., None].float()

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """The data in portions of ``batch_size``, the last one smaller where it does not divide."""
        inputs, targets = self.data()
        return list(zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True))

    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error, summed over batch and time: clipping by norm sees the sum."""
        return torch.nn.functional.mse_loss(outputs, targets, reduction="sum")

    def reported(self, cost: float, n_values: int) -> float:
        """Mean squared error; 0.5 is what a constant zero output gets."""
        return cost / n_values

    def input_bound(self) -> float:
        """The highest frequency."""
        return self.highest

    def constant_inputs(self) -> _task.ConstantInputs:
        """Frequencies evenly spaced over the trained range, each wanted back as an oscillation."""
        values = np.linspace(self.lowest, self.highest, self.n_probed)
        return _task.ConstantInputs(values[:, None], "input frequency ω", "rad/step", wanted_frequency=values)
