"""See the attractors of a recurrent network appear, move and die while it trains.

Four nouns carry everything: a **System** is a network seen as a map, a **Probe** asks what the map does, a **Run** is
the folder that a training left behind, and a **Figure** is a picture of what a probe found.

>>> import rnnscope as rs
>>> rs.Orbits(inputs=[[0.0], [1.0]]).n_keep
400

Importing the package loads neither torch nor matplotlib; each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rnnscope import experiments as experiments
    from rnnscope import figures as figures
    from rnnscope import models as models
    from rnnscope import smoothness as smoothness
    from rnnscope import systems as systems
    from rnnscope import tasks as tasks
    from rnnscope import testing as testing
    from rnnscope.attractors import Attractors as Attractors
    from rnnscope.attractors import Bifurcations as Bifurcations
    from rnnscope.attractors import FixedPoints as FixedPoints
    from rnnscope.attractors import Lyapunov as Lyapunov
    from rnnscope.attractors import Orbits as Orbits
    from rnnscope.attractors import kind_names as kind_names
    from rnnscope.attractors import summarise_orbits as summarise_orbits
    from rnnscope.base import errors as errors
    from rnnscope.report import write_report as write_report
    from rnnscope.runs import Run as Run
    from rnnscope.runs import list_runs as list_runs
    from rnnscope.smoothness import Growth as Growth
    from rnnscope.smoothness import Landscape as Landscape
    from rnnscope.smoothness import Objective as Objective
    from rnnscope.smoothness import Roughness as Roughness
    from rnnscope.smoothness import Smoothness as Smoothness
    from rnnscope.systems import System as System
    from rnnscope.systems import as_system as as_system
    from rnnscope.training import Recorder as Recorder
    from rnnscope.training import fit as fit

_HOMES = {
    "Attractors": "rnnscope.attractors",
    "Bifurcations": "rnnscope.attractors",
    "Growth": "rnnscope.smoothness",
    "Landscape": "rnnscope.smoothness",
    "FixedPoints": "rnnscope.attractors",
    "Lyapunov": "rnnscope.attractors",
    "Objective": "rnnscope.smoothness",
    "Orbits": "rnnscope.attractors",
    "Recorder": "rnnscope.training",
    "Roughness": "rnnscope.smoothness",
    "Run": "rnnscope.runs",
    "Smoothness": "rnnscope.smoothness",
    "System": "rnnscope.systems",
    "as_system": "rnnscope.systems",
    "fit": "rnnscope.training",
    "kind_names": "rnnscope.attractors",
    "list_runs": "rnnscope.runs",
    "summarise_orbits": "rnnscope.attractors",
    "write_report": "rnnscope.report",
}
_ROOMS = {
    "errors": "rnnscope.base.errors",
    **{
        room: f"rnnscope.{room}"
        for room in ("experiments", "figures", "models", "smoothness", "systems", "tasks", "testing")
    },
}
__all__ = sorted([*_HOMES, *_ROOMS])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    raise AttributeError(f"module 'rnnscope' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
