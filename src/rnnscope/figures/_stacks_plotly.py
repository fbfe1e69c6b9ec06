"""The map of attractors over epochs and inputs in plotly."""

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import _style
from rnnscope.figures._kind_plotly import kind_axis, remarks
from rnnscope.figures._limit_kinds import LIMIT_SCREEN_COLOURS
from rnnscope.figures._stacks import EMPTY, SPLIT_WORDS, Stacks
from rnnscope.findings.kinds import limit_words
from rnnscope.findings.reading import epoch_label, input_axis_label

if TYPE_CHECKING:
    import xarray

ROW_HEIGHT, STACKED_ROW_HEIGHT = 16, 24  # pixels


def stack_traces(attractors: "xarray.Dataset", stacks: Stacks) -> list[go.Heatmap]:
    """The cells, and a layer without colour that says what is under the pointer."""
    n = EMPTY + 1
    colours = (*LIMIT_SCREEN_COLOURS, "rgba(0,0,0,0)")
    across: dict[str, Any] = {"x0": stacks.columns.first, "dx": stacks.columns.width, "showscale": False}
    cells = go.Heatmap(
        z=stacks.levels,
        y0=-0.5 + 0.5 / stacks.n_levels,
        dy=1 / stacks.n_levels,
        zmin=-0.5,
        zmax=n - 0.5,
        colorscale=[(at / n, colour) for k, colour in enumerate(colours) for at in (k, k + 1)],
        hoverinfo="skip",
        **across,
    )
    pointed_at = go.Heatmap(
        z=np.zeros(stacks.words.shape, np.uint8),
        y=np.arange(len(stacks.order), dtype=np.int16),
        customdata=stacks.words,
        colorscale=[(0, "rgba(0,0,0,0)"), (1, "rgba(0,0,0,0)")],
        hovertemplate=f"epoch %{{x:.0f}}<br>{input_axis_label(attractors)} %{{y}}: %{{customdata}}<extra></extra>",
        **across,
    )
    return [cells, pointed_at]


def limit_entries(kinds: list[int]) -> list[dict[str, Any]]:
    """Legend entries of kinds of limit sets."""
    return [_style.legend_entry(limit_words(code), LIMIT_SCREEN_COLOURS[code]) for code in kinds]


def stack_remarks(stacks: Stacks, *, gaps: bool) -> list[dict[str, Any]]:
    """Legend entries for what is not a kind."""
    split = [_style.legend_entry(SPLIT_WORDS, "rgba(0,0,0,0)")] if stacks.n_levels > 1 else []
    return [*remarks(gaps=gaps, stripes=False), *split]


def draw(attractors: "xarray.Dataset") -> go.Figure:
    stacks = Stacks.of(attractors)
    figure = go.Figure(stack_traces(attractors, stacks))
    for entry in [*limit_entries(stacks.kinds), *stack_remarks(stacks, gaps=stacks.columns.have_gaps)]:
        figure.add_trace(go.Scatter(**entry))
    height = STACKED_ROW_HEIGHT if stacks.n_levels > 1 else ROW_HEIGHT
    _style.style_plotly(figure, height=_style.MARGINS_HEIGHT + height * min(max(len(stacks.order), 2), 24))
    figure.update_yaxes(**kind_axis(attractors, stacks.order))
    figure.update_xaxes(title=epoch_label(attractors), range=list(stacks.columns.extent), showgrid=False)
    figure.update_layout(showlegend=True)
    return figure
