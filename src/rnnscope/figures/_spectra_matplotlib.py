"""Multipliers in the complex plane in matplotlib: a plane for each input, colour for the epoch."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize

from rnnscope.figures import _style
from rnnscope.figures._spectra import SYMBOLS, Spectra, Spectrum
from rnnscope.figures._tunnel import EPOCH_COLOURS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PER_ROW = 3
_COLOURS = LinearSegmentedColormap.from_list("epochs", EPOCH_COLOURS)
_MARKERS = ("o", "o", "s", "s")


def draw(spectra: Spectra) -> "Figure":
    from matplotlib.cm import ScalarMappable

    n = len(spectra.panels)
    n_across = min(n, PER_ROW)
    n_down = -(-n // n_across)
    colour: dict[str, Any] = {"cmap": _COLOURS, "norm": Normalize(*spectra.colour_range)}
    side = min(_style.COLUMN_WIDTH / n_across, 2.4)
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(0.75 + side * n_down)
        grid = figure.subplots(n_down, n_across, sharex=True, sharey=True, squeeze=False)
        panels = list(grid.ravel())
        for spare in panels[n:]:
            spare.set_axis_off()
        for axes, panel in zip(panels, spectra.panels, strict=False):
            _draw_plane(axes, panel, spectra, colour)
            beyond = spectra.beyond(panel)
            lines = textwrap.wrap(panel.short_words, 16 if n_across == PER_ROW else 40)
            lines += ["none there"] * (not panel.row.size) + [f"{beyond} beyond the axis"] * bool(beyond)
            _style.corner_label(axes, "\n".join(lines))
        for axes in grid[-1]:
            axes.set_xlabel("Re μ")
        for axes in grid[:, 0]:
            axes.set_ylabel("Im μ")
        if len(spectra.epochs) > 1:
            few = list(spectra.epochs) if len(spectra.epochs) <= 8 else None
            bar = figure.colorbar(
                ScalarMappable(**colour), ax=panels, location="bottom", ticks=few, label=spectra.epoch_label, aspect=40
            )
            bar.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]
        _style.legend_above(figure, _handles(spectra))
    return figure


def _draw_plane(axes: "Axes", panel: Spectrum, spectra: Spectra, colour: dict[str, Any]) -> None:
    angle = np.linspace(0, 2 * np.pi, 241)
    axes.plot(np.cos(angle), np.sin(angle), color="#8a8f96", linewidth=0.7, zorder=1)
    for line in (axes.axhline, axes.axvline):
        line(0.0, color="#dcdfe3", linewidth=0.5, zorder=0)
    for code, marker in enumerate(_MARKERS):
        chosen = panel.symbol == code
        if not chosen.any():
            continue
        epochs = spectra.epochs[panel.row[chosen]]
        shape: dict[str, Any] = {"marker": marker, "s": 5, "zorder": 2 + code % 2, "linewidths": 0}
        if code % 2:
            rgba = _COLOURS(colour["norm"](epochs))
            shape |= {"facecolors": "none", "edgecolors": rgba, "linewidths": 0.6, "s": 7}
        else:
            shape |= {"c": epochs, **colour}
        axes.scatter(np.real(panel.multiplier[chosen]), np.imag(panel.multiplier[chosen]), **shape)
    axes.set_aspect("equal")
    axes.set_xlim(*spectra.view[0])
    axes.set_ylim(*spectra.view[1])
    axes.locator_params(nbins=3 if len(spectra.panels) >= PER_ROW else 5)


def _handles(spectra: Spectra) -> "list[Artist]":
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    for code in spectra.present:
        fill = "none" if code % 2 else _style.INK
        look: dict[str, Any] = {"marker": _MARKERS[code], "markersize": 3, "color": _style.INK, "markerfacecolor": fill}
        handles.append(Line2D([], [], linestyle="none", markeredgewidth=0.6, label=SYMBOLS[code], **look))
    return [*handles, Line2D([], [], color="#8a8f96", linewidth=0.7, label="|μ| = 1")]
