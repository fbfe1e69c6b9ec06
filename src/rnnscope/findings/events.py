"""What changed between two epochs looked at: births and deaths of oscillation, and jumps of the loss."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from rnnscope.base.series import loss_jumps
from rnnscope.findings.kinds import KINDS
from rnnscope.findings.series import epochs_of, kinds_of, losses_of

if TYPE_CHECKING:
    import pandas
    import xarray

_RESTS, _OSCILLATES = KINDS.index("rests"), KINDS.index("oscillates")


@dataclass(frozen=True)
class Event:
    """The birth or the death of oscillation at some inputs, between the epochs looked at ``since`` and ``epoch``.

    Attributes:
        kind: birth or death.
        since: the last epoch at which all of the inputs are known to have done the other thing.
        epoch: the first at which they are seen to do this one.
        inputs: their positions along ``input``.
        place: where between the two it happens, from 0 to 1; None where nobody has located it.
        name: of the bifurcation that it is; empty where that is not known.

    """

    kind: Literal["birth", "death"]
    since: int
    epoch: int
    inputs: tuple[int, ...]
    place: float | None = None
    name: str = ""


@dataclass(frozen=True)
class LossJump:
    """A rise of the loss from ``before`` at the epoch ``since`` to ``after`` at the next recorded one, ``epoch``."""

    since: int
    epoch: int
    before: float
    after: float


def births_and_deaths(epochs: np.ndarray, kinds: np.ndarray) -> list[Event]:
    """Every change of an input between rest and oscillation, from one epoch looked at to the next.

    An input is passed over at epochs at which it is undetermined or diverges: what it does next is compared with what
    it did last. Inputs that change in the same sense at the same epoch are one event.

    >>> rests, oscillates, diverges, undetermined = range(4)
    >>> kinds = [[rests, oscillates], [oscillates, undetermined], [oscillates, rests]]
    >>> for event in births_and_deaths(np.array([10, 20, 30]), np.array(kinds)):
    ...     print(event.kind, event.since, event.epoch, event.inputs)
    birth 10 20 (0,)
    death 10 30 (1,)

    Args:
        epochs: those looked at, ascending.
        kinds: positions in ``KINDS`` (epoch, input).

    """
    found: dict[tuple[int, Literal["birth", "death"]], list[tuple[int, int]]] = {}
    for input in range(kinds.shape[1]):
        known = np.flatnonzero(np.isin(kinds[:, input], (_RESTS, _OSCILLATES)))
        for before, at in pairwise(known):
            if kinds[at, input] != kinds[before, input]:
                kind = "birth" if kinds[at, input] == _OSCILLATES else "death"
                found.setdefault((int(epochs[at]), kind), []).append((int(epochs[before]), input))
    return [
        Event(kind, min(since for since, _ in changes), epoch, tuple(input for _, input in changes))
        for (epoch, kind), changes in sorted(found.items())
    ]


def jumps(losses: tuple[np.ndarray, np.ndarray]) -> list[LossJump]:
    """Where a loss, given as epochs and values, jumps: from one epoch to the next by a factor of at least 1.25 that is
    also at least five times the median change of its logarithm."""
    epochs, values = losses
    usable = np.isfinite(values) & (values > 0)
    epochs, values = epochs[usable], values[usable]
    return [
        LossJump(int(epochs[at - 1]), int(epochs[at]), float(values[at - 1]), float(values[at]))
        for at in loss_jumps(values)
    ]


def events(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None) -> list[Event | LossJump]:
    """Births, deaths and jumps of the loss, in the order of the epochs.

    Args:
        summary: result of ``summarise_orbits``, with ``input_kind`` (step, input).
        scalars: index epoch, column ``loss``.

    """
    changes = births_and_deaths(epochs_of(summary), kinds_of(summary))
    return sorted([*changes, *jumps(losses_of(summary, scalars))], key=lambda event: event.epoch)
