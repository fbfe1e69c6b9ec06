"""The cost on a plane of parameter space, with the path of training on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._cost_style import (
    MASK_COLOUR,
    MASK_WORDS,
    PATH_COLOUR,
    log_axis,
    log_range,
    logarithms,
    one_step,
    plotly_colour_bar,
    power_of_ten,
)

if TYPE_CHECKING:
    import xarray


def cost_plane(landscape: "xarray.Dataset", *, contours: int = 8, backend: _style.Backend = "matplotlib") -> Any:
    """The cost on a plane in colour, logarithmic, with contours; points where it is not finite are masked.

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
    _style.check_backend(backend)
    require(contours >= 0, "contours", "at least 0", contours)
    content = Plane.of(one_step(landscape))
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content, contours)


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
    def masked(self) -> bool:
        """Whether some points have no finite cost."""
        return bool(np.isnan(self.level).any())


def _draw_matplotlib(content: Plane, contours: int) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter

    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(2.6 if content.way is None else 3.6)
        heights = [2.3] if content.way is None else [0.9, 2.3]
        axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        if content.way is not None:
            _draw_way(axes[0], *content.way)
        panel = axes[-1]
        panel.set_facecolor(MASK_COLOUR)
        mesh = panel.pcolormesh(
            content.s1,
            content.s2,
            np.ma.masked_invalid(content.level),
            cmap="cividis",
            shading="nearest",
            rasterized=True,
        )
        if contours and np.ptp(content.level[np.isfinite(content.level)]) > 0:
            panel.contour(
                content.s1, content.s2, np.ma.masked_invalid(content.level), contours,
                colors="white", linewidths=0.25, alpha=0.4, linestyles="solid",
            )  # fmt: skip
        bar = figure.colorbar(mesh, ax=panel, pad=0.02, aspect=25)
        bar.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]
        bar.set_label("cost")
        if content.logarithmic:
            bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
        handles = []
        if content.path is not None:
            x, y, _ = content.path
            panel.plot(x, y, color=PATH_COLOUR, linewidth=0.9, marker=".", markersize=2)
            panel.plot(x[-1:], y[-1:], marker="o", markersize=5, markerfacecolor="none", color=PATH_COLOUR)
            handles.append(Line2D([], [], color=PATH_COLOUR, marker=".", markersize=3, label="path of training"))
            _style.corner_label(panel, content.remark)
        if content.masked:
            handles.append(Patch(color=MASK_COLOUR, label=MASK_WORDS))
        panel.set_xlabel(content.labels[0])
        panel.set_ylabel(content.labels[1])
        _style.legend_above(figure, handles)
    return figure


def _draw_way(axes: Any, epochs: np.ndarray, costs: np.ndarray) -> None:
    limits = log_range(costs)
    axes.plot(epochs, costs, color=_style.INK, linewidth=0.7)
    if limits is not None and bool((costs[np.isfinite(costs)] > 0).all()):
        log_axis(axes, "y", *limits)
    axes.set_ylabel("cost")
    axes.set_xlabel("epoch, with points between snapshots")
    axes.margins(x=0.01)


def _draw_plotly(content: Plane, contours: int) -> Any:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    rows = 1 if content.way is None else 2
    figure = make_subplots(rows, 1, row_heights=[1] if rows == 1 else [0.25, 0.75], vertical_spacing=0.12)
    if content.way is not None:
        line = {"color": _style.MIDDLE_GREY, "width": 1.5}
        figure.add_trace(
            go.Scatter(
                x=content.way[0], y=content.way[1], mode="lines", line=line, name="cost along the path",
                hovertemplate="epoch %{x:.1f}<br>cost %{y:.4g}<extra></extra>", showlegend=False,
            ), 1, 1,
        )  # fmt: skip
    known = content.level[np.isfinite(content.level)]
    spread = float(np.ptp(known)) or 1.0
    shown = {"start": float(known.min()), "end": float(known.max()), "size": spread / max(contours, 1)}
    bar = plotly_colour_bar(content.level, "cost") if content.logarithmic else {"title": {"text": "cost"}}
    figure.add_trace(
        go.Contour(
            x=content.s1, y=content.s2, z=content.level, customdata=content.cost, colorscale="Cividis", contours=shown,
            line={"width": 0.4, "color": "rgba(255,255,255,0.5)"}, colorbar={**bar, "len": 0.7, "y": 0.4},
            hovertemplate="%{x:.4g}, %{y:.4g}<br>cost %{customdata:.4g}<extra></extra>", name="cost",
        ), rows, 1,
    )  # fmt: skip
    if content.path is not None:
        x, y, epochs = content.path
        figure.add_trace(
            go.Scatter(
                x=x, y=y, text=epochs, mode="lines+markers", name="path of training",
                line={"color": PATH_COLOUR, "width": 1.5}, marker={"size": 4},
                hovertemplate="epoch %{text}<extra></extra>",
            ), rows, 1,
        )  # fmt: skip
    _style.style_plotly(figure, height=420 if rows == 1 else 620)
    figure.update_xaxes(title=content.labels[0], showgrid=False, row=rows, col=1)
    figure.update_yaxes(title=content.labels[1], showgrid=False, row=rows, col=1)
    if content.way is not None:
        figure.update_xaxes(title="epoch, with points between snapshots", row=1, col=1)
        limits = log_range(content.way[1])
        figure.update_yaxes(title="cost", row=1, col=1, type="log" if limits is not None else "linear")
    return figure
