"""The papers' experiments: what is measured, on what, with which settings, and what it is expected to show.

One public file is one experiment, of one of two forms. A study over seeds is a description, ``STUDY``: task, models,
settings, measurements, claims with thresholds, figures by name; ``plan`` makes all settings of it, ``carry_out``
trains, measures and decides. An experiment on a network whose weights are given has ``prepare(path)``, which gives a
run, ``measure(run)``, which gives Datasets by name (with ``compile=True`` costs come from a compiled kernel),
``tell(results)``, lines of text, ``facts(results)``, the same as plain data, and ``FIGURES``: file name, figure, and
the name of the result that it shows.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rnnscope.base import catalogue

if TYPE_CHECKING:
    from rnnscope.experiments._description import Claim as Claim
    from rnnscope.experiments._description import Measurement as Measurement
    from rnnscope.experiments._description import Picture as Picture
    from rnnscope.experiments._description import Preset as Preset
    from rnnscope.experiments._description import Study as Study
    from rnnscope.experiments._description import Trained as Trained
    from rnnscope.experiments._sweep import Failure as Failure
    from rnnscope.experiments._sweep import Findings as Findings
    from rnnscope.experiments._sweep import Plan as Plan
    from rnnscope.experiments._sweep import carry_out as carry_out
    from rnnscope.experiments._sweep import claim_folder as claim_folder
    from rnnscope.experiments._sweep import plan as plan
    from rnnscope.experiments._sweep import store as store
    from rnnscope.experiments._sweep import stored as stored
    from rnnscope.experiments._verdicts import holds as holds

_HOMES = {
    **dict.fromkeys(("Claim", "Measurement", "Picture", "Preset", "Study", "Trained"), "_description"),
    **dict.fromkeys(("Failure", "Findings", "Plan", "carry_out", "claim_folder", "plan", "store", "stored"), "_sweep"),
    "holds": "_verdicts",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def names() -> list[str]:
    """The experiments there are.

    >>> names()
    ['chaotic-lstm', 'sine', 'symbols']
    """
    return catalogue.names(__name__)


def load(name: str) -> ModuleType:
    """The experiment called ``name``.

    Raises:
        ValueError: no such experiment; names the nearest one and all of them.

    """
    return catalogue.load(__name__, name)
