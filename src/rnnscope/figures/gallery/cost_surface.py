"""The cost on a plane of parameter space as a surface, seen at an angle."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures import _style
from rnnscope.figures._cost_style import PATH_COLOUR, one_step, plotly_colour_bar, power_of_ten
from rnnscope.figures.gallery.cost_plane import Plane

if TYPE_CHECKING:
    import xarray


def cost_surface(landscape: "xarray.Dataset", *, backend: _style.Backend = "matplotlib") -> Any:
    """The cost on a plane as a surface, its height logarithmic; where it is not finite there is a hole.

    Args:
        landscape: result of ``Landscape`` or ``plane``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or no finite cost at all.

    """
    _style.check_backend(backend)
    content = Plane.of(one_step(landscape))
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content)


def _draw_matplotlib(content: Plane) -> Any:
    from matplotlib.ticker import FuncFormatter

    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(3.0)
        axes: Any = figure.add_subplot(projection="3d")
        first, second = np.meshgrid(content.s1, content.s2)
        axes.plot_surface(
            first, second, content.level, cmap="cividis", linewidth=0, antialiased=False, rcount=160, ccount=160,
            rasterized=True, vmin=np.nanmin(content.level), vmax=np.nanmax(content.level),
        )  # fmt: skip
        axes.view_init(elev=42, azim=-62)
        axes.set_box_aspect((1.25, 1, 0.6), zoom=0.82)
        axes.set_xlabel(content.labels[0], labelpad=-4)
        axes.set_ylabel(content.labels[1], labelpad=-4)
        axes.text2D(0.0, 0.97, "height and colour: cost", transform=axes.transAxes)
        axes.tick_params(pad=-2)
        axes.locator_params(nbins=5)
        if content.logarithmic:
            axes.zaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.pane.set_facecolor("white")
            axis._axinfo["grid"].update(color="#dddddd", linewidth=0.4)
    return figure


def _draw_plotly(content: Plane) -> Any:
    import plotly.graph_objects as go

    bar = plotly_colour_bar(content.level, "cost") if content.logarithmic else {"title": {"text": "cost"}}
    figure = go.Figure(
        go.Surface(
            x=content.s1, y=content.s2, z=content.level, customdata=content.cost, colorscale="Cividis", colorbar=bar,
            hovertemplate="%{x:.4g}, %{y:.4g}<br>cost %{customdata:.4g}<extra></extra>",
        )
    )  # fmt: skip
    if content.path is not None:
        x, y, epochs = content.path
        rows = np.abs(content.s2[:, None] - y).argmin(0), np.abs(content.s1[:, None] - x).argmin(0)
        figure.add_trace(
            go.Scatter3d(
                x=x, y=y, z=content.level[rows], text=epochs, mode="lines+markers", showlegend=False,
                line={"color": PATH_COLOUR, "width": 5}, marker={"size": 2, "color": PATH_COLOUR},
                hovertemplate="epoch %{text}<extra></extra>",
            )
        )  # fmt: skip
    _style.style_plotly(figure, height=560)
    height = {"title": {"text": "cost"}}
    if content.logarithmic:
        height |= {key: bar[key] for key in ("tickvals", "ticktext") if key in bar}
    titles = [{"title": {"text": label}} for label in content.labels]
    figure.update_layout(scene={"xaxis": titles[0], "yaxis": titles[1], "zaxis": height})
    return figure
