"""The phase portrait in matplotlib."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures import _style
from rnnscope.figures._portrait import Portrait, Portraits

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ORBITS = "#9dbfe0"
DIRECTION = "#c1403d"
_MARKERS = {"fixed point": "o", "cycle": "s", "slow point": "D", "continuum": "P"}


def look_of(sort: str) -> dict[str, Any]:
    """Filled where it attracts, open where it does not."""
    marker = next(shape for name, shape in _MARKERS.items() if sort.endswith(name))
    fill = "white" if sort.startswith("unstable") else _style.UNDETERMINED if "slow" in sort else _style.RESTS
    return {"marker": marker, "markersize": 4.5, "markeredgewidth": 0.8, "color": _style.INK, "markerfacecolor": fill}


def draw(portraits: Portraits) -> "Figure":
    n = len(portraits.panels)
    (x0, x1), (y0, y1) = portraits.view
    height = float(np.clip(0.72 * _style.COLUMN_WIDTH * (y1 - y0) / (x1 - x0), 1.1, 2.9))
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(0.75 + (height + 0.2) * n)
        panels = list(figure.subplots(n, 1, sharex=True, sharey=True, squeeze=False)[:, 0])
        for at, (axes, panel) in enumerate(zip(panels, portraits.panels, strict=True)):
            _draw_panel(axes, panel)
            axes.set_xlim(x0, x1)
            axes.set_ylim(y0, y1)
            axes.set_aspect("equal")
            _style.corner_label(axes, "\n".join(textwrap.wrap(portraits.heading(panel, short=at > 0), 62)))
        panels[n // 2].set_ylabel(portraits.plane.label(1).replace(" (", "\n("))
        panels[-1].set_xlabel(portraits.plane.label(0))
        _style.legend_above(figure, _handles(portraits))
    return figure


def _draw_panel(axes: "Axes", panel: Portrait) -> None:
    from matplotlib.collections import LineCollection

    if panel.flows:
        axes.add_collection(LineCollection(list(panel.orbits), colors=ORBITS, linewidths=0.5, zorder=1), autolim=False)
    else:
        places = panel.orbits.reshape(-1, 2)
        many = len(places) > 3000
        axes.plot(*places.T, linestyle="none", marker=".", markersize=1.2, markeredgewidth=0, color=_style.OSCILLATES,
                  zorder=1, rasterized=many)  # fmt: skip
    if panel.orbits.shape[1]:
        axes.plot(
            *panel.orbits[:, -1].T, linestyle="none", marker=".", markersize=2.5, color=_style.OSCILLATES, zorder=2
        )
    axes.add_collection(
        LineCollection(list(panel.directions), colors=DIRECTION, linewidths=0.9, zorder=3), autolim=False
    )
    for marks in panel.marks:
        axes.plot(*marks.places.T, linestyle="none", zorder=4, **look_of(marks.sort))
        for place, index in zip(marks.places, marks.index, strict=True):
            if index > 0:
                axes.annotate(str(index), place, xytext=(3.5, 2.5), textcoords="offset points", fontsize=6.5, zorder=5)


def _handles(portraits: Portraits) -> "list[Artist]":
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    flows = [panel.flows for panel in portraits.panels if panel.orbits.size]
    if flows:
        look: dict[str, Any] = {"color": ORBITS if all(flows) else _style.OSCILLATES}
        look |= {"linewidth": 0.9} if all(flows) else {"linestyle": "none", "marker": ".", "markersize": 2.5}
        handles.append(Line2D([], [], label="orbit, with its end" if all(flows) else "orbit", **look))
    handles += [Line2D([], [], linestyle="none", label=sort, **look_of(sort)) for sort in portraits.sorts]
    if any(len(panel.directions) for panel in portraits.panels):
        handles.append(Line2D([], [], color=DIRECTION, linewidth=0.9, label="unstable direction"))
    if any((marks.index > 0).any() for panel in portraits.panels for marks in panel.marks):
        handles.append(Line2D([], [], linestyle="none", label="number: of unstable directions"))
    return handles
