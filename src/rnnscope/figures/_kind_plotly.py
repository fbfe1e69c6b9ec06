"""The strip of kinds over epochs and inputs in plotly."""

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import _style
from rnnscope.figures._data import input_axis_label
from rnnscope.figures._kinds import kind_codes, present_kinds, row_labels
from rnnscope.figures._orbit_layers import make_columns

if TYPE_CHECKING:
    import xarray

COLOURS: dict[str, str] = dict(zip(_style.KINDS, _style.SCREEN_COLOURS, strict=True))


def kind_trace(summary: "xarray.Dataset") -> go.Heatmap:
    codes, order = kind_codes(summary)
    columns = make_columns(summary["epoch"].values)
    shown = codes[columns.source].T.astype(np.uint8)
    n = len(_style.KINDS)
    steps = [(at / n, colour) for k, colour in enumerate(_style.SCREEN_COLOURS) for at in (k, k + 1)]
    where = f"epoch %{{x:.0f}}<br>{input_axis_label(summary)} %{{y}}: %{{customdata}}<extra></extra>"
    return go.Heatmap(
        z=shown,
        x0=columns.first,
        dx=columns.width,
        y=np.arange(len(order), dtype=np.int16),
        zmin=-0.5,
        zmax=n - 0.5,
        colorscale=steps,
        showscale=False,
        customdata=np.array(_style.KINDS)[shown],
        hovertemplate=where,
    )


def kind_axis(summary: "xarray.Dataset") -> dict[str, Any]:
    """The settings of the axis of a strip: a row per input, labelled with its value."""
    order = kind_codes(summary)[1]
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
    figure = go.Figure(kind_trace(summary))
    for kind in present_kinds(summary):
        figure.add_trace(go.Scatter(**_style.legend_entry(kind, COLOURS[kind])))
    _style.style_plotly(figure, height=_style.MARGINS_HEIGHT + 16 * min(summary.sizes["input"], 24))
    figure.update_yaxes(**kind_axis(summary))
    figure.update_xaxes(title="epoch", range=list(make_columns(summary["epoch"].values).extent), showgrid=False)
    return figure
