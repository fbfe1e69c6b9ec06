"""Orbit diagrams side by side in plotly: a column for each run, one menu of inputs for all."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rnnscope.figures import _style
from rnnscope.figures._compare import Comparison
from rnnscope.figures._kind_plotly import remarks
from rnnscope.figures._orbit_plotly import (
    LOSS_HEIGHT,
    PANEL_HEIGHT,
    legend_of,
    loss_axis,
    loss_trace,
    panel_traces,
)


def draw(comparison: Comparison) -> go.Figure:
    diagrams, first = comparison.diagrams, comparison.first
    losses = comparison.losses
    heights = [PANEL_HEIGHT] + [LOSS_HEIGHT] * bool(losses)
    figure = make_subplots(
        rows=len(heights),
        cols=len(diagrams),
        shared_xaxes=True,
        shared_yaxes=comparison.equal_axes,
        row_heights=heights,
        column_titles=list(diagrams),
        vertical_spacing=16 / sum(heights),
        horizontal_spacing=0.08 / len(diagrams),
    )
    shown = len(first.panels) // 2
    owners: list[int | None] = []
    for place, diagram in enumerate(diagrams.values(), start=1):
        for at, layers in enumerate(diagram.panels):
            for trace in panel_traces(layers, diagram):
                figure.add_trace(trace.update(visible=at == shown), row=1, col=place)
                owners.append(at)
        if diagram.loss is not None:
            figure.add_trace(loss_trace(*diagram.loss), row=2, col=place)
            owners.append(None)
    for entry in [*legend_of(comparison.together, {}), *remarks(gaps=comparison.have_gaps, stripes=False)]:
        figure.add_trace(go.Scatter(**entry), row=1, col=1)
        owners.append(None)
    _style.style_plotly(figure, height=sum(heights) + 16 * (len(heights) - 1) + _style.MARGINS_HEIGHT + 26)
    for place, diagram in enumerate(diagrams.values(), start=1):
        figure.update_yaxes(range=list(diagram.value_range), scaleanchor=False, autorange=False, row=1, col=place)
    figure.update_yaxes(title=first.value_label, row=1, col=1)
    if losses:
        figure.update_yaxes(**{key: value for key, value in loss_axis(losses).items() if key != "title"}, row=2)
        figure.update_yaxes(title="loss", row=2, col=1)
    figure.update_xaxes(range=list(comparison.epoch_limits), constrain="range", showgrid=False, matches="x")
    for place, diagram in enumerate(diagrams.values(), start=1):
        figure.update_xaxes(title=diagram.epoch_label, row=len(heights), col=place)
    figure.update_annotations(font={"size": 13})
    if len(first.panels) > 1:
        menu = _style.input_menu([layers.words for layers in first.panels], owners, shown)
        figure.update_layout(updatemenus=[{**menu, "pad": {"b": 26, "t": 0}}], margin={"t": 66})
    return figure
