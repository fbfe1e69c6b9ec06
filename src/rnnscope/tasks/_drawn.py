from abc import abstractmethod
from dataclasses import dataclass

from torch import Generator, Tensor

from rnnscope.base.errors import require_numbers
from rnnscope.base.randomness import make_generator
from rnnscope.base.settings import truth, whole
from rnnscope.tasks import _task
from rnnscope.tasks._task import Batches


@dataclass(frozen=True, kw_only=True)
class DrawnTask(_task.Task):
    """A task whose sequences are drawn at random: one set for all epochs, or one for each.

    Every set has a generator of its own, from the seed and the name of the set, so that the data of an epoch do not
    depend on what was drawn before, and a resumed training sees what an uninterrupted one would have seen.
    """

    n_sequences: int = 1000
    n_validation: int = 0
    batch_size: int = 100
    fresh: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        require_numbers(self)
        whole(self, n_sequences=1, batch_size=1, n_validation=0, seed=0)
        truth(self, "fresh")

    @abstractmethod
    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """So many sequences: inputs (n, time, input_size) and their targets."""

    def data(self) -> tuple[Tensor, Tensor]:
        """The training set; with ``fresh`` a set of that size that is not trained on."""
        return self.draw(self.n_sequences, make_generator(self.seed, self.name))

    def batches(self) -> Batches:
        """The data in portions of ``batch_size``, the last one smaller where it does not divide."""
        return self._portions(*self.data())

    def fresh_batches(self, epoch: int) -> Batches | None:
        """With ``fresh`` the batches of epoch 1, 2, …, a function of the seed and the epoch; else None."""
        if not self.fresh:
            return None
        return self._portions(*self.draw(self.n_sequences, make_generator(self.seed, f"{self.name}/epoch {epoch}")))

    def validation_batches(self) -> Batches:
        """``n_validation`` sequences that are never trained on, in portions of ``batch_size``."""
        if self.n_validation == 0:
            return []
        return self._portions(*self.draw(self.n_validation, make_generator(self.seed, f"{self.name}/validation")))

    def _portions(self, inputs: Tensor, targets: Tensor) -> Batches:
        return list(zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True))

    def input_bound(self) -> float:
        """The largest value of an input."""
        return 1.0
