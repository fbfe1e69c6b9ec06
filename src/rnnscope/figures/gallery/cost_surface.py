"""The cost on a plane of parameter space as a surface, seen at an angle."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures._costs import one_step
from rnnscope.figures.gallery.cost_plane import Plane
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Line, Mark, Panel, Path3D, Sheet, key

if TYPE_CHECKING:
    import xarray

_ABOVE = 0.02  # of the height of the surface: how far the path lies above it


def cost_surface(landscape: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
    """The cost on a plane as a surface, its height logarithmic; where it is not finite there is a hole.

    A path of training lies a little above the surface.

    Args:
        landscape: result of ``Landscape`` or ``plane``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or no finite cost at all.

    """
    return render(_sheet(Plane.of(one_step(landscape))), backend)


def _sheet(plane: Plane) -> Sheet:
    marks: list[Mark] = [plane.surface()]
    if plane.path is not None:
        x, y, epochs = plane.path
        below = np.abs(plane.s2[:, None] - y).argmin(0), np.abs(plane.s1[:, None] - x).argmin(0)
        above = plane.level[below] + _ABOVE * (plane.limits[1] - plane.limits[0])
        said: dict[str, Any] = {"facts": {"epoch": epochs}, "hover": "epoch {epoch:.0f}"}
        marks.append(Path3D(x, y, above, role="path", **said))
    x_axis, y_axis = (Axis(label, n_ticks=4) for label in plane.labels)
    z_axis = Axis("cost V(θ)", range=plane.limits, ticks=plane.ticks)
    panel = Panel(tuple(marks), x_axis, y_axis, z_axis, height=2.4, view=(42, -62), zoom=0.83, aspect=(1.7, 1.36, 0.82))
    keys = (key("path of training", "path", sign=Line),) if plane.path is not None else ()
    return Sheet((panel,), legend=keys, colours=plane.colours())
