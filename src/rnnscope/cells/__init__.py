"""One step of each recurrence in plain tensor operations, nothing else.

No fused kernel is used here: that is what lets ``torch.func.vmap`` over weights, forward-mode differentiation, double
backward and float64 all work. One file is one recurrence and ends with a ``CELL``; ``load("lstm")`` finds it.
"""

from functools import cache

from rnnscope.base import catalogue
from rnnscope.cells._cell import Cell as Cell
from rnnscope.cells._cell import Sizes as Sizes


def names() -> list[str]:
    """The recurrences there are.

    >>> names()
    ['gru', 'lstm', 'rnn-relu', 'rnn-tanh']
    """
    return catalogue.names(__name__)


@cache
def load(name: str) -> Cell:
    """The cell called ``name``; ValueError with the nearest name if there is none."""
    return catalogue.load(__name__, name).CELL
