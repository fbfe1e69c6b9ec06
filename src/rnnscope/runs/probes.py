"""The probes that are known by name, as their rooms list them: for runs, the command line, figures and reports."""

from importlib import import_module
from typing import Literal

from rnnscope import attractors, smoothness
from rnnscope.base.errors import unknown
from rnnscope.base.probe import Probe

About = Literal["map", "cost"]
_ROOMS = {"map": attractors, "cost": smoothness}


def names(about: About | None = None) -> list[str]:
    """The probes of the map, those of the cost, or all of them, in the order of their rooms. Imports none of them.

    >>> names("map")
    ['orbits', 'attractors', 'fixedpoints', 'lyapunov']
    """
    return [name for of, room in _ROOMS.items() if about in (None, of) for name in room.PROBES]


def about(name: str) -> About | None:
    """Whether the probe called so is one of the map or of the cost; None if no room lists it.

    >>> about("landscape"), about("held-out")
    ('cost', None)
    """
    return "map" if name in attractors.PROBES else "cost" if name in smoothness.PROBES else None


def load(name: str) -> type[Probe]:
    """The class of the probe called ``name``.

    Raises:
        ValueError: no room lists it; names the nearest one and all of them.

    """
    for room in _ROOMS.values():
        if name in room.PROBES:
            module, cls = room.PROBES[name].rsplit(".", 1)
            return getattr(import_module(f"{room.__name__}.{module}"), cls)
    raise unknown("probe", name, names())
