"""Probes of the map: what the state settles to when the input is held."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.attractors._starts import chosen_starts as chosen_starts
    from rnnscope.attractors.orbits import Orbits as Orbits
    from rnnscope.attractors.summary import summarise_orbits as summarise_orbits

_HOMES = {"Orbits": "orbits", "chosen_starts": "_starts", "summarise_orbits": "summary"}
PROBES = {"orbits": "Orbits"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
