"""The papers' experiments: what is measured, on what, with which settings, and what it is expected to show.

One public file is one experiment. It has ``prepare(path)``, which gives a run, ``measure(run)``, which gives Datasets
by name, ``tell(results)``, lines of text, ``facts(results)``, the same as plain data, and ``FIGURES``: file name,
figure, and the name of the result that it shows.
"""

from types import ModuleType

from rnnscope.base import catalogue


def names() -> list[str]:
    """The experiments there are.

    >>> names()
    ['chaotic-lstm']
    """
    return catalogue.names(__name__)


def load(name: str) -> ModuleType:
    """The experiment called ``name``.

    Raises:
        ValueError: no such experiment; names the nearest one and all of them.

    """
    return catalogue.load(__name__, name)
