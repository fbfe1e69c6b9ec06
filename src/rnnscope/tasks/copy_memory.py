"""Copy memory: symbols are shown, a delay passes, and at a signal they are to be said again, in their order.

    u = s[1] … s[m], blank × (delay - 1), signal, blank × m
    y = blank × (delay + m), s[1] … s[m]

Source: Hochreiter & Schmidhuber, Neural Computation 9, 1735-1780, 1997, in the form of Arjovsky, Shah & Bengio, ICML
2016, section 5.1 (eight symbols, ten of them to copy). Outputs that ignore the symbols get a loss of m log(k)/length.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from rnnscope.base.settings import whole
from rnnscope.tasks import _task
from rnnscope.tasks._drawn import DrawnTask

PRESETS = {
    "paper": {
        "task": {"n_sequences": 2000, "batch_size": 20, "n_validation": 1000},
        "model": {"hidden_size": 40},
        "training": {
            "n_epochs": 200,
            "learning_rate": 1e-3,
            "max_gradient_norm": 1.0,
        },
        "recording": {},
        "orbits": {"n_starts": 64, "starts": "visited", "n_transient": 1200, "n_keep": 400},
    },
    "quick": {
        "task": {"n_symbols": 4, "n_copied": 3, "delay": 10, "batch_size": 50},
        "model": {"hidden_size": 32},
        "training": {
            "n_epochs": 300,
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
    """The copy memory.

    >>> inputs, targets = Task(n_symbols=3, n_copied=2, delay=3, n_sequences=1).data()
    >>> inputs[0].argmax(-1).tolist(), targets[0].tolist()
    ([0, 2, 3, 3, 4, 3, 3], [3, 3, 3, 3, 3, 0, 2])

    Attributes:
        n_symbols: symbols that can be shown; the next two channels are the blank and the signal.
        n_copied: symbols to copy, drawn uniformly and independently.
        delay: steps from the last symbol to the signal.
        n_sequences, n_validation: sequences of an epoch, and to judge by after it.
        batch_size: sequences in a batch, in order, never shuffled.
        fresh: whether every epoch has sequences of its own.
        seed: for drawing them.

    """

    name: ClassVar[str] = "copy-memory"
    loss: ClassVar[str] = "cross-entropy"

    n_symbols: int = 8
    n_copied: int = 10
    delay: int = 100
    fresh: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, n_symbols=2, n_copied=1, delay=1)

    @property
    def length(self) -> int:
        """Steps of a sequence."""
        return self.delay + 2 * self.n_copied

    @property
    def input_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The symbols, the blank and the signal."""
        return self.n_symbols + 2

    @property
    def output_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The symbols and the blank."""
        return self.n_symbols + 1

    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """One-hot inputs (n, length, input_size) and the symbol wanted at each step (n, length), whole numbers."""
        symbols = torch.randint(self.n_symbols, (n, self.n_copied), generator=generator)
        shown = torch.full((n, self.length), self.n_symbols)
        wanted = shown.clone()
        shown[:, : self.n_copied] = symbols
        shown[:, -self.n_copied - 1] = self.n_symbols + 1
        wanted[:, -self.n_copied :] = symbols
        return one_hot(shown, self.input_size).float(), wanted

    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy, summed, over the number of values in a full batch."""
        total = torch.nn.functional.cross_entropy(outputs.transpose(1, 2), targets, reduction="sum")
        return total / self._values_in_batch

    def reported(self, cost: float, n_values: int) -> float:
        """Mean cross entropy over all steps, nat."""
        return cost * self._values_in_batch / n_values

    @property
    def _values_in_batch(self) -> int:
        return self.batch_size * self.length

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``accuracy``: the share of the symbols to copy that have the largest output; 1/n_symbols by chance."""
        last = slice(-self.n_copied, None)
        return {"accuracy": (outputs[:, last].argmax(-1) == targets[:, last]).double().mean()}

    def constant_inputs(self) -> _task.ConstantInputs:
        """The blank: the input during which symbols are to be held."""
        blank = np.eye(self.input_size)[[self.n_symbols]]
        return _task.ConstantInputs(blank, "blank held, one-hot", "1")
