"""The map of attractors over epochs and inputs in matplotlib."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures import _style
from rnnscope.figures._kind_matplotlib import MOST_ROWS, NAMED_ROW_HEIGHT, remarks
from rnnscope.figures._kinds import row_labels
from rnnscope.figures._limit_kinds import LIMIT_COLOURS
from rnnscope.figures._stacks import EMPTY, SPLIT_WORDS, Stacks
from rnnscope.findings.kinds import LIMIT_KINDS, limit_words
from rnnscope.findings.reading import epoch_label, input_axis_label

if TYPE_CHECKING:
    import xarray
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_HEIGHT, STACKED_ROW_HEIGHT = 0.1, 0.2  # inches


def draw_stacks(axes: "Axes", attractors: "xarray.Dataset", stacks: Stacks, n_labels: int = 4) -> None:
    from matplotlib.colors import ListedColormap

    n_rows = len(stacks.order)
    axes.imshow(
        np.ma.masked_equal(stacks.levels, EMPTY),
        cmap=ListedColormap(LIMIT_COLOURS),
        vmin=-0.5,
        vmax=len(LIMIT_KINDS) - 0.5,
        extent=(*stacks.columns.extent, -0.5, n_rows - 0.5),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    labels = row_labels(attractors, stacks.order)
    n_labels = n_rows if n_rows <= 6 and stacks.n_levels > 1 else min(n_rows, n_labels)
    shown = sorted({round(at) for at in np.linspace(0, n_rows - 1, n_labels)})
    axes.set_yticks(shown, [labels[at] for at in shown])
    axes.set_ylim(-0.5, n_rows - 0.5)
    _style.corner_label(axes, f"attractors over {input_axis_label(attractors)}")


def limit_patches(kinds: list[int]) -> "list[Artist]":
    """Legend entries of kinds of limit sets."""
    from matplotlib.patches import Patch

    return [Patch(color=LIMIT_COLOURS[code], label=limit_words(code)) for code in kinds]


def stack_remarks(stacks: Stacks, *, gaps: bool) -> "list[Artist]":
    """Legend entries for what is not a kind."""
    from matplotlib.lines import Line2D

    split = [Line2D([], [], linestyle="none", label=SPLIT_WORDS)] if stacks.n_levels > 1 else []
    return [*remarks(gaps=gaps, stripes=False), *split]


def draw(attractors: "xarray.Dataset") -> "Figure":
    with _style.matplotlib_style():
        stacks = Stacks.of(attractors)
        named = "input_label" in attractors.coords
        height = STACKED_ROW_HEIGHT if stacks.n_levels > 1 else NAMED_ROW_HEIGHT if named else ROW_HEIGHT
        figure = _style.new_matplotlib_figure(0.8 + height * min(max(len(stacks.order), 2), MOST_ROWS))
        axes = figure.subplots()
        draw_stacks(axes, attractors, stacks, MOST_ROWS if named else 4)
        axes.set_xlabel(epoch_label(attractors))
        _style.legend_above(
            figure, [*limit_patches(stacks.kinds), *stack_remarks(stacks, gaps=stacks.columns.have_gaps)]
        )
    return figure
