"""Flip-flop memory: short pulses set bits, and each output is to hold the sign of its channel's last pulse.

    u[t, k] ∈ {-1, 0, 1},  y[t, k] = u[s, k],  s ≤ t the last step with u[s, k] ≠ 0

Source: Sussillo & Barak, Neural Computation 25, 626-649, 2013, section 4.1 (three bits). A network that has learned it
holds n bits in 2^n stable fixed points of zero input, with saddles between them.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from rnnscope.base.errors import require, require_numbers
from rnnscope.base.randomness import make_generator
from rnnscope.base.settings import whole
from rnnscope.tasks import _task

PRESETS = {
    "paper": {
        "task": {},
        "model": {"hidden_size": 100},
        "training": {
            "n_epochs": 500,
            "learning_rate": 3e-3,
            "max_gradient_norm": 1.0,
            "schedule": "one-cycle",
        },
        "recording": {},
        "orbits": {"n_starts": 64, "starts": "visited", "n_transient": 1200, "n_keep": 100},
    },
    "quick": {
        "task": {"length": 64, "n_sequences": 256, "batch_size": 64},
        "model": {"hidden_size": 16},
        "training": {
            "n_epochs": 250,
            "learning_rate": 1e-2,
            "max_gradient_norm": 1.0,
            "schedule": "one-cycle",
            "n_threads": 1,
        },
        "recording": {},
        "orbits": {"n_starts": 32, "starts": "visited", "n_transient": 1200, "n_keep": 100},
    },
}


@dataclass(frozen=True, kw_only=True)
class Task(_task.Task):
    """The flip-flop memory.

    >>> inputs, targets = Task(n_bits=1, length=6, n_sequences=1, pulse_probability=0.5).data()
    >>> inputs[0, :, 0].tolist(), targets[0, :, 0].tolist()
    ([1.0, -1.0, 1.0, 0.0, 1.0, 0.0], [1.0, -1.0, 1.0, 1.0, 1.0, 1.0])

    Attributes:
        n_bits: channels, each one input and one output.
        length: steps of a sequence.
        pulse_probability: chance of a pulse, at each step and in each channel independently; either sign is as likely.
            The first step has one in every channel, so that there always is a last pulse.
        n_sequences: sequences, the same ones at every epoch.
        batch_size: sequences in a batch, in order, never shuffled.
        seed: for drawing the pulses.

    """

    name: ClassVar[str] = "flipflop"

    n_bits: int = 3
    length: int = 100
    pulse_probability: float = 0.2
    n_sequences: int = 1000
    batch_size: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        require_numbers(self)
        whole(self, n_bits=1, length=1, n_sequences=1, batch_size=1, seed=0)
        p = self.pulse_probability
        require(0 < p <= 1, "pulse_probability", "a number in (0, 1]", p)

    @property
    def input_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One channel for each bit."""
        return self.n_bits

    @property
    def output_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One output for each bit."""
        return self.n_bits

    def data(self) -> tuple[Tensor, Tensor]:
        """Pulses and the bits they set, each (n_sequences, length, n_bits)."""
        generator = make_generator(self.seed, "flipflop")
        shape = (self.n_sequences, self.length, self.n_bits)
        chance, sign = torch.rand(2, *shape, generator=generator)
        chance[:, 0] = 0
        pulses = torch.where(chance < self.pulse_probability, torch.where(sign < 0.5, -1.0, 1.0), 0.0)
        times = torch.arange(self.length)[None, :, None].expand(shape)
        last = torch.where(pulses != 0, times, 0).cummax(dim=1).values
        return pulses, pulses.gather(1, last)

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """The data in portions of ``batch_size``, the last one smaller where it does not divide."""
        inputs, targets = self.data()
        return list(zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True))

    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error, summed, over the number of values in a full batch: near 1 at first."""
        return torch.nn.functional.mse_loss(outputs, targets, reduction="sum") / self._values_in_batch

    def reported(self, cost: float, n_values: int) -> float:
        """Mean squared error; 1 is what a constant zero output gets."""
        return cost * self._values_in_batch / n_values

    @property
    def _values_in_batch(self) -> int:
        return self.batch_size * self.length * self.n_bits

    def input_bound(self) -> float:
        """The height of a pulse."""
        return 1.0

    def constant_inputs(self) -> _task.ConstantInputs:
        """No pulse: the input at which bits are to be held."""
        return _task.ConstantInputs(np.zeros((1, self.n_bits)), "input between pulses", "1")
