"""Pictures of what probes found: functions from a Dataset to a matplotlib or plotly figure.

They compute no dynamics. Each figure is one module of ``gallery``, with a function of the same name;
``names`` lists them, ``load`` gives the function, ``draw`` takes the data from a run, ``draw_study`` from what a study
has stored, ``save`` writes a file.

A figure is described once and drawn by any backend. Its module turns Datasets into a ``Sheet`` of panels with axes and
marks (``sheet``), which are arrays and what they stand for; ``theme`` says what that looks like, and one of
``renderers`` draws it: ``render(sheet, backend)``. A module of the gallery is so

- a function ``_sheet(content) -> Sheet``, without a colour and without a plotting library;
- the public function, with ``backend``, that checks its arguments, reads the Datasets and ends with
  ``return render(_sheet(content), backend)``.

``backend="recording"`` draws nothing and returns what would be drawn, for tests. What stands on an axis of epochs is a
**track**, one file of ``tracks``, and ``timeline`` stacks any of them.

>>> names()
['accuracy', 'attractor-counts', 'attractor-map', 'branches', 'claims', 'compare-orbits', 'cost-line', ...]
>>> load("orbit-diagrm")
Traceback (most recent call last):
ValueError: unknown figure 'orbit-diagrm': did you mean 'orbit-diagram'? Valid: accuracy, attractor-counts, ...

Importing the room loads neither matplotlib nor plotly; a backend is loaded when it first draws.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rnnscope.base import catalogue
from rnnscope.base.errors import unknown

if TYPE_CHECKING:
    from rnnscope.figures._draw import draw as draw
    from rnnscope.figures._draw import draw_study as draw_study
    from rnnscope.figures._draw import settings_of as settings_of
    from rnnscope.figures._save import backend_for as backend_for
    from rnnscope.figures._save import save as save
    from rnnscope.figures.gallery.accuracy import accuracy as accuracy
    from rnnscope.figures.gallery.attractor_counts import attractor_counts as attractor_counts
    from rnnscope.figures.gallery.attractor_map import attractor_map as attractor_map
    from rnnscope.figures.gallery.branches import branches as branches
    from rnnscope.figures.gallery.claims import claims as claims
    from rnnscope.figures.gallery.compare_orbits import compare_orbits as compare_orbits
    from rnnscope.figures.gallery.cost_line import cost_line as cost_line
    from rnnscope.figures.gallery.cost_plane import cost_plane as cost_plane
    from rnnscope.figures.gallery.cost_surface import cost_surface as cost_surface
    from rnnscope.figures.gallery.curvature import curvature as curvature
    from rnnscope.figures.gallery.error_horizon import error_horizon as error_horizon
    from rnnscope.figures.gallery.exponents import exponents as exponents
    from rnnscope.figures.gallery.frequency import frequency as frequency
    from rnnscope.figures.gallery.frequency_in_out import frequency_in_out as frequency_in_out
    from rnnscope.figures.gallery.growth import growth as growth
    from rnnscope.figures.gallery.kind_map import kind_map as kind_map
    from rnnscope.figures.gallery.loss import loss as loss
    from rnnscope.figures.gallery.multipliers import multipliers as multipliers
    from rnnscope.figures.gallery.orbit_diagram import orbit_diagram as orbit_diagram
    from rnnscope.figures.gallery.phase_portrait import phase_portrait as phase_portrait
    from rnnscope.figures.gallery.sensitivity import sensitivity as sensitivity
    from rnnscope.figures.gallery.state_plane import state_plane as state_plane
    from rnnscope.figures.gallery.timeline import timeline as timeline
    from rnnscope.figures.gallery.timeline import timelines as timelines
    from rnnscope.figures.gallery.transient import transient as transient
    from rnnscope.figures.gallery.tunnel import tunnel as tunnel

_GALLERY = "rnnscope.figures.gallery"
_HELPERS = {
    "backend_for": "rnnscope.figures._save",
    "draw": "rnnscope.figures._draw",
    "draw_study": "rnnscope.figures._draw",
    "save": "rnnscope.figures._save",
    "settings_of": "rnnscope.figures._draw",
    "timelines": "rnnscope.figures.gallery.timeline",
}


def names() -> list[str]:
    """The figures by name, as the command line spells them. Loads none of them."""
    return catalogue.names(_GALLERY)


def load(name: str) -> Callable[..., Any]:
    """The function that draws the figure called ``name``.

    Raises:
        ValueError: no figure of that name; the message has the nearest and all of them.

    """
    if name not in names():
        raise unknown("figure", name, names())
    return getattr(catalogue.load(_GALLERY, name), name.replace("-", "_"))


def __getattr__(name: str) -> Any:
    if name in _HELPERS:
        return getattr(import_module(_HELPERS[name]), name)
    if name.replace("_", "-") in names():
        return load(name.replace("_", "-"))
    raise AttributeError(f"module 'rnnscope.figures' has no attribute {name!r}; it has {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return sorted([*_HELPERS, "load", "names", *(name.replace("-", "_") for name in names())])
