"""The tunnel in matplotlib."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize

from rnnscope.figures import _style
from rnnscope.figures._tunnel import EPOCH_COLOURS, Planes, Tunnel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT, FLAT_HEIGHT, LINE_HEIGHT = 2.4, 1.35, 0.14  # inches
_COLOURS = LinearSegmentedColormap.from_list("epochs", EPOCH_COLOURS)


def draw(tunnel: Tunnel) -> "Figure":
    with _style.matplotlib_style():
        return _draw_flat(tunnel) if tunnel.flat else _draw_deep(tunnel)


def _heading(panel: Planes, at: int) -> str:
    lines = textwrap.wrap(" · ".join(panel.remarks), 64)
    return "\n".join([panel.short_words if at else panel.words, *lines])


def _draw_deep(tunnel: Tunnel) -> "Figure":
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    n = len(tunnel.panels)
    heights = [HEIGHT + LINE_HEIGHT * _heading(panel, at).count("\n") for at, panel in enumerate(tunnel.panels)]
    total, bottom = sum(heights), sum(heights)
    figure = Figure(figsize=(_style.COLUMN_WIDTH, total), dpi=_style.DOTS_PER_INCH)
    for at, (panel, height) in enumerate(zip(tunnel.panels, heights, strict=True)):
        figure.text(0.02, bottom / total - 0.02 / n, _heading(panel, at), va="top", linespacing=1.3)
        bottom -= height
        # A box is drawn in a square, and cut off at its sides; a square as wide as the figure loses nothing.
        centre = (bottom + HEIGHT / 2 - 0.02) / total
        side = _style.COLUMN_WIDTH / total
        axes: Any = figure.add_axes((0.035, centre - side / 2, 1.0, side), projection="3d", facecolor="none")
        axes.set_box_aspect((2.5, 1.0, 1.15), zoom=0.84)
        axes.view_init(elev=20, azim=-118)
        colour: dict[str, Any] = {"cmap": _COLOURS, "norm": Normalize(*tunnel.colour_range)}
        axes.scatter(
            panel.motion_epochs,
            panel.motion_changes,
            panel.motion_values,
            c=panel.motion_epochs,
            s=0.5,
            linewidths=0,
            depthshade=False,
            rasterized=True,
            **colour,
        )
        left, right = tunnel.strokes(panel)
        ends = [np.stack([side, np.zeros(len(side)), panel.rest_values], axis=1) for side in (left, right)]
        threads = Line3DCollection(np.stack(ends, axis=1), array=panel.rest_epochs, linewidths=1.3, **colour)
        axes.add_collection3d(threads, autolim=False)
        axes.set_xlim(tunnel.columns.extent)
        axes.set_ylim(tunnel.change_range)
        axes.set_zlim(tunnel.value_range)
        _label_deep(axes, tunnel)
    return figure


def _label_deep(axes: Any, tunnel: Tunnel) -> None:
    for axis, n_bins in ((axes.xaxis, 5), (axes.yaxis, 3), (axes.zaxis, 4)):
        axis.set_pane_color((1, 1, 1, 0))
        axis.line.set_linewidth(0.6)
        axis._axinfo["grid"].update(color="#dcdfe3", linewidth=0.4)  # there is no public way
        axis.set_major_locator(_few(n_bins))
    axes.tick_params(pad=-3, labelsize=6.5)
    axes.tick_params(axis="x", pad=-4)
    axes.set_xlabel(tunnel.epoch_label, labelpad=-3)
    axes.set_ylabel(tunnel.change_label.replace(" y", "\ny", 1), labelpad=-5, linespacing=1.0, fontsize=7)
    axes.set_zlabel(tunnel.value_label, labelpad=-7)


def _few(n_bins: int) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(n_bins)


def _draw_flat(tunnel: Tunnel) -> "Figure":
    from matplotlib.cm import ScalarMappable

    n = len(tunnel.panels)
    colour: dict[str, Any] = {"cmap": _COLOURS, "norm": Normalize(*tunnel.colour_range)}
    figure = _style.new_matplotlib_figure(FLAT_HEIGHT * n + 0.45)
    panels = list(figure.subplots(n, 1, sharex=True, sharey=True, squeeze=False)[:, 0])
    for at, (axes, panel) in enumerate(zip(panels, tunnel.panels, strict=True)):
        axes.scatter(
            panel.motion_values,
            panel.motion_changes,
            c=panel.motion_epochs,
            s=2.2,
            linewidths=0,
            rasterized=panel.motion_epochs.size > 3000,
            **colour,
        )
        zeros = np.zeros(panel.rest_values.shape)
        axes.scatter(
            panel.rest_values, zeros, c=panel.rest_epochs, s=16, linewidths=0.4, edgecolors="white", zorder=3, **colour
        )
        _style.corner_label(axes, _heading(panel, at))
    panels[0].set_xlim(tunnel.value_range)
    panels[0].set_ylim(tunnel.change_range)
    panels[0].yaxis.set_major_locator(_few(4))
    panels[-1].set_xlabel(tunnel.value_label)
    panels[n // 2].set_ylabel(tunnel.change_label)
    few = np.unique(tunnel.epochs) if len(tunnel.epochs) <= 8 else None
    bar = figure.colorbar(
        ScalarMappable(**colour),
        ax=panels,
        ticks=None if few is None else list(few),
        label=tunnel.epoch_label,
        aspect=16 * n,
    )
    bar.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]
    return figure
