"""The strip of kinds over epochs and inputs in matplotlib."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures import _style
from rnnscope.figures._data import input_axis_label
from rnnscope.figures._kinds import kind_codes, present_kinds, row_labels
from rnnscope.figures._orbit_layers import make_columns

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_kinds(axes: "Axes", summary: "xarray.Dataset") -> None:
    from matplotlib.colors import ListedColormap

    codes, order = kind_codes(summary)
    columns = make_columns(summary["epoch"].values)
    axes.imshow(
        codes[columns.source].T,
        cmap=ListedColormap(_style.KIND_COLOURS),
        vmin=-0.5,
        vmax=len(_style.KINDS) - 0.5,
        extent=(*columns.extent, -0.5, len(order) - 0.5),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    labels = row_labels(summary, order)
    shown = sorted({round(at) for at in np.linspace(0, len(order) - 1, min(len(order), 4))})
    axes.set_yticks(shown, [labels[at] for at in shown])
    axes.set_ylim(-0.5, len(order) - 0.5)
    _style.corner_label(axes, f"kind of motion over {input_axis_label(summary)}")


def draw(summary: "xarray.Dataset") -> "Figure":
    from matplotlib.patches import Patch

    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(0.8 + 0.1 * min(summary.sizes["input"], 12))
        axes = figure.subplots()
        draw_kinds(axes, summary)
        axes.set_xlabel("epoch")
        colours: dict[str, str] = dict(zip(_style.KINDS, _style.KIND_COLOURS, strict=True))
        _style.legend_above(figure, [Patch(color=colours[kind], label=kind) for kind in present_kinds(summary)])
    return figure
