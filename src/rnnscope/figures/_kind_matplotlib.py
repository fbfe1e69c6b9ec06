"""The strip of kinds over epochs and inputs in matplotlib."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures import _style
from rnnscope.figures._kinds import NOT_LOOKED_AT, Strip, row_labels
from rnnscope.findings.kinds import KINDS, present_kinds
from rnnscope.findings.reading import epoch_label, input_axis_label

if TYPE_CHECKING:
    import xarray
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED_ROW_HEIGHT, MOST_ROWS = 0.15, 12  # inches: a name beside each row


def draw_kinds(axes: "Axes", summary: "xarray.Dataset", strip: Strip, n_labels: int = 4) -> None:
    from matplotlib.colors import ListedColormap

    n_rows = len(strip.order)
    for codes in (strip.main, strip.stripes):
        if codes is not None:
            axes.imshow(
                np.ma.masked_equal(codes, NOT_LOOKED_AT),
                cmap=ListedColormap(_style.KIND_COLOURS),
                vmin=-0.5,
                vmax=len(KINDS) - 0.5,
                extent=(*strip.columns.extent, -0.5, n_rows - 0.5),
                origin="lower",
                aspect="auto",
                interpolation="nearest",
            )
    labels = row_labels(summary, strip.order)
    shown = sorted({round(at) for at in np.linspace(0, n_rows - 1, min(n_rows, n_labels))})
    axes.set_yticks(shown, [labels[at] for at in shown])
    axes.set_ylim(-0.5, n_rows - 0.5)
    _style.corner_label(axes, f"kind of motion over {input_axis_label(summary)}")


def remarks(*, gaps: bool, stripes: bool) -> "list[Artist]":
    """Legend entries for what is not a kind."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = []
    if gaps:
        handles.append(Patch(facecolor="none", edgecolor="#a0a4aa", linewidth=0.6, label=_style.GAP_WORDS))
    if stripes:
        handles.append(Line2D([], [], linestyle="none", label=_style.STRIPE_WORDS))
    return handles


def draw(summary: "xarray.Dataset") -> "Figure":
    from matplotlib.patches import Patch

    with _style.matplotlib_style():
        n_rows, named = min(summary.sizes["input"], MOST_ROWS), "input_label" in summary.coords
        figure = _style.new_matplotlib_figure(0.8 + (NAMED_ROW_HEIGHT if named else 0.1) * n_rows)
        axes = figure.subplots()
        strip = Strip.of(summary)
        draw_kinds(axes, summary, strip, n_rows if named else 4)
        axes.set_xlabel(epoch_label(summary))
        colours: dict[str, str] = dict(zip(KINDS, _style.KIND_COLOURS, strict=True))
        entries = [Patch(color=colours[kind], label=kind) for kind in present_kinds(summary)]
        others = remarks(gaps=strip.columns.have_gaps, stripes=strip.stripes is not None)
        _style.legend_above(figure, [*entries, *others])
    return figure
