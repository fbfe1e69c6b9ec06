"""Exponents and multipliers over epochs in matplotlib."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures import _style
from rnnscope.figures._kind_matplotlib import remarks
from rnnscope.figures._rates import BAND_WORDS, CLIPPED_WORDS, Rates, Strokes

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 1.05  # inches
WIDTHS, OPACITIES = (1.5, 0.9, 0.7), (1.0, 0.8, 0.6)  # of the largest, the second, and all others
CLIPPED: dict[str, Any] = {"marker": "v", "markersize": 2.6, "markeredgewidth": 0, "color": _style.INK}


def draw_rates(axes: "Axes", strokes: Strokes, rates: Rates) -> None:
    """One panel: bands of one standard error, strokes, and the line where stability ends."""
    from matplotlib.collections import LineCollection, PolyCollection

    axes.axhline(rates.mark, color="#8a8f96", linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    for order, sort, part in strokes.parts():
        look = min(order, len(WIDTHS) - 1)
        colour = rates.sorts[sort].colour
        low, high = part.value - part.error, part.value + part.error
        finite = np.isfinite(low)
        corners = [[part.left, low], [part.right, low], [part.right, high], [part.left, high]]
        boxes = np.moveaxis(np.array(corners), -1, 0)[finite]
        axes.add_collection(PolyCollection(list(boxes), facecolors=colour, alpha=0.25, linewidths=0), autolim=False)
        ends = np.moveaxis(np.array([[part.left, part.value], [part.right, part.value]]), -1, 0)[finite]
        lines = LineCollection(
            list(ends), colors=colour, linewidths=WIDTHS[look], alpha=OPACITIES[look], capstyle="butt", zorder=3
        )
        axes.add_collection(lines, autolim=False)
    for epochs, height, symbol in zip(rates.clipped(strokes), (0.04, 0.96), "v^", strict=True):
        if epochs.size:
            place = {"transform": axes.get_xaxis_transform(), "linestyle": "none", "zorder": 5}
            axes.plot(epochs, np.full(epochs.shape, height), **{**CLIPPED, "marker": symbol}, **place)
    axes.set_ylim(rates.value_range)


def rate_handles(*shown: Rates) -> "list[Artist]":
    """Legend entries for what is no kind."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = []
    if any(rates.has_bands for rates in shown):
        handles.append(Patch(facecolor=_style.INK, alpha=0.25, label=BAND_WORDS))
    if any(rates.any_clipped for rates in shown):
        handles.append(Line2D([], [], linestyle="none", label=CLIPPED_WORDS, **CLIPPED))
    return handles


def draw(rates: Rates) -> "Figure":
    from matplotlib.lines import Line2D

    n = len(rates.panels)
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(0.55 + (PANEL_HEIGHT + 0.12) * n)
        panels = list(figure.subplots(n, 1, sharex=True, sharey=True, squeeze=False)[:, 0])
        for at, (axes, strokes) in enumerate(zip(panels, rates.panels, strict=True)):
            draw_rates(axes, strokes, rates)
            words = strokes.short_words if at else strokes.words
            _style.corner_label(axes, words if strokes.value.size else f"{words}: nothing known")
        panels[n // 2].set_ylabel(rates.value_label)
        panels[-1].set_xlabel(rates.epoch_label)
        panels[-1].set_xlim(rates.columns.extent)
        sorts: list[Artist] = [
            Line2D([], [], color=sort.colour, linewidth=1.8, label=sort.words) for sort in rates.present
        ]
        others = remarks(gaps=rates.columns.have_gaps, stripes=False)
        _style.legend_above(figure, [*sorts, *rate_handles(rates), *others])
    return figure
