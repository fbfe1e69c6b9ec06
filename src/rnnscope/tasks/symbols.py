"""Symbols in their order: two relevant ones among many distractors say, by their order, which class a sequence has.

    u[t] = one-hot symbol,  class = (first relevant symbol) · k + (second relevant symbol),  asked at the last step

One of k relevant symbols stands in each of two windows, everything else is a distractor. A network that solves it holds
what it has seen through distractors of any number: the question is in how many attractors.

Source: Hochreiter & Schmidhuber, Neural Computation 9, 1735-1780, 1997, section 5.6 (temporal order); windows and
settings of ``paper`` from Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, and their companion code.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from rnnscope.base.errors import require
from rnnscope.base.settings import is_whole, whole
from rnnscope.tasks import _task
from rnnscope.tasks._drawn import DrawnTask

PRESETS = {
    "paper": {
        "task": {"n_validation": 1000},
        "model": {"hidden_size": 50},
        "training": {
            "n_epochs": 10_000,
            "learning_rate": 1e-3,
            "max_gradient_norm": 0.25,
            "schedule": "steps",
            "milestones": [500, 1000, 2000],
            "decay": 0.25,
        },
        "recording": {},
        "orbits": {"n_starts": 10, "starts": "normal(100)", "n_transient": 400, "n_keep": 400},
    },
    "quick": {
        "task": {"length": 60, "fresh": True},
        "model": {"hidden_size": 50},
        "training": {
            "n_epochs": 100,
            "learning_rate": 1e-2,
            "max_gradient_norm": 0.25,
            "schedule": "one-cycle",
            "n_threads": 1,
        },
        "recording": {},
        "orbits": {"n_starts": 32, "starts": "visited", "n_transient": 1200, "n_keep": 100},
    },
}


@dataclass(frozen=True, kw_only=True)
class Task(DrawnTask):
    """The order of two relevant symbols.

    >>> task = Task(length=6, window_start=1, window_width=1, gap=1, n_sequences=1, seed=1)
    >>> inputs, targets = task.data()
    >>> inputs[0].argmax(-1).tolist(), targets.tolist()
    ([3, 1, 5, 0, 5, 3], [2])

    Attributes:
        length: steps of a sequence.
        window_start: first step of the first window, counted from 0.
        window_width: steps of a window, in one of which, uniformly, its relevant symbol stands.
        gap: steps between the end of the first window and the beginning of the second.
        n_classes: ordered pairs of relevant symbols: 4 with two of them, 9 with three, … Relevant symbols are the first
            channels, either of the pair is drawn uniformly and independently.
        n_distractors: the other symbols, drawn uniformly at every other step.
        n_sequences, n_validation: sequences of an epoch, and to judge by after it.
        batch_size: sequences in a batch, in order, never shuffled.
        fresh: whether every epoch has sequences of its own.
        seed: for drawing them.

    """

    name: ClassVar[str] = "symbols"
    loss: ClassVar[str] = "cross-entropy"

    length: int = 200
    window_start: int = 9
    window_width: int = 10
    gap: int = 20
    n_classes: int = 4
    n_distractors: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, length=1, window_width=1, n_distractors=1, window_start=0, gap=0)
        n = self.n_classes
        square = is_whole(n, 4) and math.isqrt(n) ** 2 == n
        require(square, "n_classes", "the number of ordered pairs of 2, 3, … symbols: 4, 9, …", n)
        room = self.length - self.window_start - 2 * self.window_width
        require(room >= 0, "length", f"at least {self.length - room} steps, the end of the second window", self.length)
        require(self.gap <= room, "gap", f"at most {room} steps, for windows in {self.length} steps", self.gap)

    @property
    def n_relevant(self) -> int:
        """Relevant symbols."""
        return math.isqrt(self.n_classes)

    @property
    def input_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One channel for each symbol."""
        return self.n_relevant + self.n_distractors

    @property
    def output_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One output for each class."""
        return self.n_classes

    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """One-hot symbols (n, length, input_size) and classes (n,), whole numbers."""
        symbols = torch.randint(self.n_relevant, self.input_size, (n, self.length), generator=generator)
        pairs = torch.randint(self.n_relevant, (n, 2), generator=generator)
        windows = torch.tensor([self.window_start, self.window_start + self.window_width + self.gap])
        symbols.scatter_(1, windows + torch.randint(self.window_width, (n, 2), generator=generator), pairs)
        inputs = torch.zeros(n, self.length, self.input_size).scatter_(2, symbols[..., None], 1.0)
        return inputs, pairs[:, 0] * self.n_relevant + pairs[:, 1]

    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy at the last step, summed over the batch: clipping by norm sees the sum."""
        return torch.nn.functional.cross_entropy(outputs[:, -1], targets, reduction="sum")

    def reported(self, cost: float, n_values: int) -> float:
        """Mean cross entropy, nat; log(n_classes) is what equal outputs get."""
        return cost / n_values

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``accuracy``: the share of sequences whose class has the largest output; 1/n_classes by chance."""
        return {"accuracy": (outputs[:, -1].argmax(-1) == targets).double().mean()}

    def constant_inputs(self) -> _task.ConstantInputs:
        """Each symbol held, the relevant ones first."""
        kinds = ["relevant symbol"] * self.n_relevant + ["distractor"] * self.n_distractors
        labels = tuple(f"{kind} {k}" for k, kind in enumerate(kinds))
        return _task.ConstantInputs(np.eye(self.input_size), "symbol held, one-hot", "1", labels=labels)
