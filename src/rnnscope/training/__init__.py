"""Training a network and recording its path: the fit loop, and the Recorder that works in anyone's loop."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.training.config import Config as Config
    from rnnscope.training.loop import fit as fit
    from rnnscope.training.recorder import Recorder as Recorder
    from rnnscope.training.several import Outcome as Outcome
    from rnnscope.training.several import fit_seeds as fit_seeds
    from rnnscope.training.several import fit_several as fit_several

_HOMES = {
    "Config": "config",
    "Outcome": "several",
    "Recorder": "recorder",
    "fit": "loop",
    "fit_seeds": "several",
    "fit_several": "several",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
