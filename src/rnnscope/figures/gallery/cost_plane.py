"""The cost on a plane of parameter space, with the path of training on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._costs import log_range, logarithms, one_step
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, ColourScale, Line, Mark, Panel, Points, Sheet, Surface, key
from rnnscope.figures.theme import level_ticks

if TYPE_CHECKING:
    import xarray


def cost_plane(landscape: "xarray.Dataset", *, contours: int = 8, backend: Backend = "matplotlib") -> Any:
    """The cost on a plane in colour, logarithmic, with contours; it is left empty where it is not finite.

    For a path of training the snapshots are drawn on the plane, the last one ringed, and above it the cost along the
    path against the epoch.

    Args:
        landscape: result of ``Landscape`` or ``plane``.
        contours: how many contour lines; 0: none.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, a negative number of contours, or no finite cost at all.

    """
    require(contours >= 0, "contours", "at least 0", contours)
    return render(_sheet(Plane.of(one_step(landscape)), contours), backend)


@dataclass(frozen=True, eq=False)
class Plane:
    """The content of a landscape, ready to draw: decadic logarithms of the cost where all of it is positive."""

    s1: np.ndarray
    s2: np.ndarray
    level: np.ndarray
    cost: np.ndarray
    labels: tuple[str, str]
    logarithmic: bool
    path: "tuple[np.ndarray, np.ndarray, np.ndarray] | None"
    way: "tuple[np.ndarray, np.ndarray] | None"
    remark: str

    @classmethod
    def of(cls, data: "xarray.Dataset") -> "Plane":
        """Of a result of ``Landscape`` or ``plane`` for one network or path."""
        cost = data["cost"].transpose("s2", "s1").values
        known = cost[np.isfinite(cost)]
        require(known.size, "landscape", "at least one finite cost", "none")
        logarithmic = bool((known >= 0).all() and (known > 0).any())
        path = way = None
        labels, remark = ("s1", "s2"), ""
        if "snapshot_s1" in data:
            epochs = data["snapshot_epoch" if "snapshot_epoch" in data else "snapshot_step"].values
            path = (data["snapshot_s1"].values, data["snapshot_s2"].values, epochs)
            way = (data["path_epoch" if "path_epoch" in data else "path_step"].values, data["path_cost"].values)
            share = data["explained_variance"].values
            labels = (f"axis 1 ({share[0]:.0%})", f"axis 2 ({share[1]:.0%})")
            remark = f"out of plane by up to {float(data['out_of_plane'].max()):.2g}"
        level = logarithms(cost) if logarithmic else cost
        return cls(data["s1"].values, data["s2"].values, level, cost, labels, logarithmic, path, way, remark)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest level, which differ."""
        low, high = float(np.nanmin(self.level)), float(np.nanmax(self.level))
        return (low, high) if low < high else (low - 0.5, high + 0.5)

    @property
    def ticks(self) -> list[tuple[float, str]] | None:
        """Levels that have round costs."""
        return level_ticks(*self.limits) if self.logarithmic else None

    def surface(self, contours: int = 0) -> Surface:
        """The levels; a pointer is told the cost itself."""
        hover = "{x:.4g}, {y:.4g}\ncost {cost:.4g}"
        return Surface(self.s1, self.s2, self.level, contours, hover=hover, facts={"cost": self.cost})

    def colours(self, label: str = "") -> ColourScale:
        """The colours of the levels."""
        return ColourScale(*self.limits, label, "cost", self.ticks)


def _sheet(plane: Plane, contours: int) -> Sheet:
    marks: list[Mark] = [plane.surface(contours)]
    panels, row = [], 0
    if plane.path is not None and plane.way is not None:
        x, y, epochs = plane.path
        said: dict[str, Any] = {"role": "path", "facts": {"epoch": epochs}, "hover": "epoch {epoch:.0f}"}
        marks.append(Line(x, y, name="path of training", **said))
        marks.append(Points(x, y, size=0.6, **said))
        marks.append(Points(x[-1:], y[-1:], role="path", filled=False, size=1.7, name="its end"))
        panels, row = [_way(*plane.way)], 1
    axes = (Axis(label) for label in plane.labels)
    panels.append(Panel(tuple(marks), *axes, row=row, height=2.2, heading=plane.remark))
    keys = (key("cost not finite", "gap"),) if np.isnan(plane.level).any() else ()
    return Sheet(tuple(panels), legend=keys, colours=plane.colours("cost"))


def _way(epochs: np.ndarray, costs: np.ndarray) -> Panel:
    positive = log_range(costs) is not None and bool((costs[np.isfinite(costs)] > 0).all())
    line = Line(epochs, costs, hover="epoch {x:.1f}\ncost {y:.4g}")
    y = Axis.over("cost", costs, scale="log" if positive else "linear")
    return Panel((line,), Axis("epoch, with points between snapshots"), y, height=0.7)
