"""Training a network and recording its path: the fit loop, and the Recorder that works in anyone's loop."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.training.config import Config as Config
    from rnnscope.training.loop import fit as fit
    from rnnscope.training.recorder import Recorder as Recorder

_HOMES = {"Config": "config", "Recorder": "recorder", "fit": "loop"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
