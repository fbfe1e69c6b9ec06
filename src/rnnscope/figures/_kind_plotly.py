"""The strip of kinds over epochs and inputs in plotly."""

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import _style
from rnnscope.figures._kinds import N_STRIPES, NOT_LOOKED_AT, Strip, row_labels
from rnnscope.findings.kinds import KINDS, present_kinds
from rnnscope.findings.reading import epoch_label, input_axis_label

if TYPE_CHECKING:
    import xarray

COLOURS: dict[str, str] = dict(zip(KINDS, _style.SCREEN_COLOURS, strict=True))


def kind_traces(summary: "xarray.Dataset", strip: Strip) -> list[go.Heatmap]:
    """The commonest kinds, and on them the stripes of the others."""
    n = NOT_LOOKED_AT + 1
    colours = (*_style.SCREEN_COLOURS, "rgba(0,0,0,0)")
    look: dict[str, Any] = {
        "x0": strip.columns.first,
        "dx": strip.columns.width,
        "zmin": -0.5,
        "zmax": n - 0.5,
        "colorscale": [(at / n, colour) for k, colour in enumerate(colours) for at in (k, k + 1)],
        "showscale": False,
    }
    words = strip.words()
    main = go.Heatmap(
        z=strip.main,
        y=np.arange(len(strip.order), dtype=np.int16),
        customdata=words,
        hovertemplate=f"epoch %{{x:.0f}}<br>{input_axis_label(summary)} %{{y}}: %{{customdata}}<extra></extra>",
        **look,
    )
    if strip.stripes is None:
        return [main]
    height = 1 / N_STRIPES
    return [main, go.Heatmap(z=strip.stripes, y0=-0.5 + height / 2, dy=height, hoverinfo="skip", **look)]


def remarks(*, gaps: bool, stripes: bool) -> list[dict[str, Any]]:
    """Legend entries for what is not a kind."""
    entries = []
    if gaps:
        entries.append(_style.legend_entry(_style.GAP_WORDS, _style.MIDDLE_GREY, symbol="square-open"))
    if stripes:
        entries.append(_style.legend_entry(_style.STRIPE_WORDS, "rgba(0,0,0,0)"))
    return entries


def kind_axis(summary: "xarray.Dataset", order: list[int]) -> dict[str, Any]:
    """The settings of the axis of a strip: a row per input, labelled with its value."""
    labels = row_labels(summary, order)
    every = -(-len(order) // 16)
    return {
        "tickvals": list(range(0, len(order), every)),
        "ticktext": labels[::every],
        "range": [-0.5, len(order) - 0.5],
        "showgrid": False,
        "fixedrange": True,
        "title": {"text": input_axis_label(summary), "font": {"size": 12}},
    }


def draw(summary: "xarray.Dataset") -> go.Figure:
    strip = Strip.of(summary)
    figure = go.Figure(kind_traces(summary, strip))
    entries = [_style.legend_entry(kind, COLOURS[kind]) for kind in present_kinds(summary)]
    for entry in [*entries, *remarks(gaps=strip.columns.have_gaps, stripes=strip.stripes is not None)]:
        figure.add_trace(go.Scatter(**entry))
    _style.style_plotly(figure, height=_style.MARGINS_HEIGHT + 16 * min(summary.sizes["input"], 24))
    figure.update_yaxes(**kind_axis(summary, strip.order))
    figure.update_xaxes(title=epoch_label(summary), range=list(strip.columns.extent), showgrid=False)
    return figure
