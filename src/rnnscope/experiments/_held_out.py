"""Held out: how well a network does on fresh sequences, as long as those it was trained on and longer."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from rnnscope import tasks
from rnnscope.base.errors import require
from rnnscope.base.probe import Probe
from rnnscope.base.randomness import make_generator
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import whole
from rnnscope.systems import System
from rnnscope.tasks import DrawnTask


@dataclass(frozen=True, kw_only=True)
class HeldOut(Probe[System, Any]):
    """Loss and metrics of a task on sequences that nobody trained on, of its own length and of multiples of it.

    Of a task of classes also the accuracy under the best renaming of the answers,

        matched_accuracy = max_π mean_n [π(answer_n) = class_n],   π a permutation of the classes

    which is high where the network still tells the classes apart, whatever it calls them.

    Attributes:
        task: the name of a task whose sequences are drawn at random and have a ``length``.
        task_settings: its settings, pairs of name and value.
        factors: lengths of the sequences, in the length of the settings; everything else stays as it is.
        n_sequences: how many of each length.
        seed: for drawing them.

    """

    name: ClassVar[str] = "held-out"

    task: str
    task_settings: tuple[tuple[str, Any], ...]
    factors: tuple[float, ...] = (1, 2, 5)
    n_sequences: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("task_settings", "factors"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        require(
            self.factors and all(factor >= 1 for factor in self.factors),
            "factors",
            "numbers of at least 1",
            self.factors,
        )
        whole(self, n_sequences=1)
        drawn = isinstance(self._built(), DrawnTask) and hasattr(self._built(), "length")
        require(drawn, "task", "one whose sequences are drawn and have a length", self.task)

    def _built(self) -> Any:
        return tasks.build(self.task, **dict(self.task_settings))

    def measure(self, system: System, sequences: Any = None) -> xr.Dataset:
        """Dataset over ``factor`` with ``loss`` and the task's metrics, such as ``accuracy``, means over sequences."""
        built, rows = self._built(), []
        for factor in self.factors:
            task = replace(built, length=round(factor * built.length))
            inputs, targets = task.draw(self.n_sequences, make_generator(self.seed, f"{self.name}/{factor:g}"))
            start = torch.zeros(len(inputs), system.state_size, dtype=system.dtype, device=system.device)
            moved = inputs.movedim(1, 0).to(dtype=system.dtype, device=system.device)
            outputs = system.simulate(start, moved).outputs.movedim(1, 0).cpu()
            loss = task.reported(float(task.cost(outputs, targets)), targets.numel())
            metrics = {name: float(value) for name, value in task.metrics(outputs, targets).items()}
            if task.loss == "cross-entropy" and targets.dim() == 1:
                metrics["matched_accuracy"] = _matched(outputs[:, -1].argmax(-1), targets, outputs.shape[-1])
            rows.append({"loss": loss, **metrics})
        schema = Schema(
            {
                **{name: Variable("factor", f"{name} on fresh sequences") for name in rows[0]},
                "loss": Variable("factor", "loss on fresh sequences", "nat" if built.loss == "cross-entropy" else "1"),
                "matched_accuracy": Variable("factor", "accuracy under the best renaming of the answers"),
            },
            {"factor": Variable("factor", "length tested / length trained on")},
        )
        values = {name: [row[name] for row in rows] for name in rows[0]}
        return self.label(schema.dataset(values, factor=np.array(self.factors, float)))


def _matched(answers: Tensor, classes: Tensor, n_classes: int) -> float:
    """The accuracy under the best permutation of the answers."""
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (answers.numpy(), classes.numpy()), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(classes))
