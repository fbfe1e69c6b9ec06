"""Adding problem: of many numbers two are marked, and their sum is asked at the end.

    u[t] = (x[t], m[t]),  x[t] ~ U(0, 1),  m marks one step of either half,  y = Σ_t m[t] x[t]  at the last step

Source: Hochreiter & Schmidhuber, Neural Computation 9, 1735-1780, 1997, section 5.4, in the form of Arjovsky, Shah &
Bengio, ICML 2016, section 5.2. Answering 1, the mean, always gets a mean squared error of 1/6. What is to be held is a
number: a network that holds it for any length needs a line of fixed points.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from rnnscope.base.settings import whole
from rnnscope.tasks import _task
from rnnscope.tasks._drawn import DrawnTask

RIGHT_WITHIN = 0.08
"""Hochreiter & Schmidhuber count an answer as right within 0.04, of a target that is half this one."""

PRESETS = {
    "paper": {
        "task": {"n_sequences": 2000, "batch_size": 20, "n_validation": 1000},
        "model": {"hidden_size": 128},
        "training": {
            "n_epochs": 200,
            "learning_rate": 1e-3,
            "max_gradient_norm": 1.0,
        },
        "recording": {},
        "orbits": {"n_starts": 64, "starts": "visited", "n_transient": 1200, "n_keep": 400},
    },
    "quick": {
        "task": {"length": 30},
        "model": {"hidden_size": 32},
        "training": {
            "n_epochs": 150,
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
class Task(DrawnTask):
    """The adding problem.

    >>> inputs, targets = Task(length=4, n_sequences=1).data()
    >>> inputs[0, :, 1].tolist(), bool((inputs[0, :, 0] * inputs[0, :, 1]).sum() == targets[0, 0])
    ([1.0, 0.0, 1.0, 0.0], True)

    Attributes:
        length: steps of a sequence.
        n_sequences, n_validation: sequences of an epoch, and to judge by after it.
        batch_size: sequences in a batch, in order, never shuffled.
        fresh: whether every epoch has sequences of its own.
        seed: for drawing them.

    """

    name: ClassVar[str] = "adding"
    input_size: ClassVar[int] = 2
    output_size: ClassVar[int] = 1

    length: int = 100
    fresh: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, length=2)

    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Numbers and marks (n, length, 2), and sums (n, 1)."""
        half = self.length // 2
        numbers = torch.rand(n, self.length, generator=generator)
        first = torch.randint(half, (n, 1), generator=generator)
        second = torch.randint(half, self.length, (n, 1), generator=generator)
        marked = torch.cat([first, second], dim=1)
        marks = torch.zeros(n, self.length).scatter_(1, marked, 1.0)
        return torch.stack([numbers, marks], dim=2), numbers.gather(1, marked).sum(1, keepdim=True)

    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error at the last step, summed, over the number of sequences in a full batch."""
        return torch.nn.functional.mse_loss(outputs[:, -1], targets, reduction="sum") / self.batch_size

    def reported(self, cost: float, n_values: int) -> float:
        """Mean squared error at the last step."""
        return cost * self.batch_size / n_values

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``accuracy``: the share of sums that are right within 0.08, the criterion of Hochreiter & Schmidhuber."""
        return {"accuracy": ((outputs[:, -1] - targets).abs() < RIGHT_WITHIN).double().mean()}

    def constant_inputs(self) -> _task.ConstantInputs:
        """Numbers without a mark, 0, ½ and 1: inputs at which a sum is to be held."""
        values = np.array([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]])
        return _task.ConstantInputs(values, "number held, not marked", "1")
