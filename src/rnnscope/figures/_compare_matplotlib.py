"""Orbit diagrams side by side in matplotlib."""

from typing import TYPE_CHECKING

from rnnscope.figures import _style
from rnnscope.figures._compare import Comparison
from rnnscope.figures._kind_matplotlib import remarks
from rnnscope.figures._orbit_matplotlib import LOSS_HEIGHT, PANEL_HEIGHT, draw_panel, handles_of
from rnnscope.findings.reading import log_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(comparison: Comparison) -> "Figure":
    diagrams, first = comparison.diagrams, comparison.first
    n_rows, n_columns = len(first.panels), len(diagrams)
    heights = [PANEL_HEIGHT] * n_rows + [LOSS_HEIGHT] * bool(comparison.losses)
    with _style.matplotlib_style():
        width = max(_style.PAGE_WIDTH, 1.6 * n_columns) if n_columns > 1 else _style.COLUMN_WIDTH
        figure = _style.new_matplotlib_figure(sum(heights) + 0.25 * n_rows + 0.6, width)
        axes = figure.subplots(len(heights), n_columns, sharex=True, sharey=False, squeeze=False, height_ratios=heights)
        for at, row in enumerate(axes):
            if comparison.equal_axes or at == n_rows:
                for panel in row[1:]:
                    panel.sharey(row[0])
                    panel.tick_params(labelleft=False)
        for (name, diagram), places in zip(diagrams.items(), axes.T, strict=True):
            for panel, layers in zip(places, diagram.panels, strict=False):
                draw_panel(panel, layers, diagram)
            if diagram.loss is not None:
                places[-1].plot(*diagram.loss, color=_style.INK, linewidth=0.6)
            places[0].annotate(
                name, (0, 1), (0, 13), xycoords="axes fraction", textcoords="offset points", fontweight="bold"
            )
            places[-1].set_xlabel(diagram.epoch_label)
        for at, (row, layers) in enumerate(zip(axes, first.panels, strict=False)):
            _style.corner_label(row[0], layers.short_words if at else layers.words)
        axes[n_rows // 2, 0].set_ylabel(first.value_label)
        if comparison.losses:
            _style.label_loss(axes[-1, 0], logarithmic=log_scale(comparison.losses))
        axes[0, 0].set_xlim(comparison.epoch_limits)
        figure.align_ylabels(axes[:, 0])
        _style.legend_above(
            figure, [*handles_of(comparison.together, {}), *remarks(gaps=comparison.have_gaps, stripes=False)]
        )
    return figure
