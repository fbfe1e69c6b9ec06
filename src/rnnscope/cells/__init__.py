"""One step of each recurrence in plain tensor operations, nothing else.

No fused kernel is used here: that is what lets ``torch.func.vmap`` over weights, forward-mode differentiation, double
backward and float64 all work. One file is one recurrence and ends with a ``CELL``, or with ``make_cell(**options)``
where it has options; ``load("lstm")`` finds it.
"""

import inspect
from functools import cache

from rnnscope.base import catalogue
from rnnscope.base.errors import unknown
from rnnscope.cells._cell import Cell as Cell
from rnnscope.cells._cell import Sizes as Sizes
from rnnscope.cells._cell import Weights as Weights


def names() -> list[str]:
    """The recurrences there are.

    >>> names()
    ['antisymmetric', 'chaos-free', 'cornn', 'gru', 'lru', 'lstm', 'mingru', 'orthogonal', 'rnn-relu',
     'rnn-tanh']
    """
    return catalogue.names(__name__)


@cache
def load(name: str, **options: float | str) -> Cell:
    """The cell called ``name``, with its options where it has any.

    Raises:
        ValueError: no such cell or option (names the nearest), or an option out of range.

    """
    module = catalogue.load(__name__, name)
    if not hasattr(module, "make_cell"):
        if options:
            raise ValueError(f"cell {name} has no options, came {', '.join(options)}")
        return module.CELL
    valid = inspect.signature(module.make_cell).parameters
    for option in options:
        if option not in valid:
            raise unknown(f"option of cell {name}", option, valid)
    return module.make_cell(**options)
