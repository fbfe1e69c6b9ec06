"""Exponents and multipliers over epochs in plotly: one panel with a menu of inputs."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import _style
from rnnscope.figures._kind_plotly import remarks
from rnnscope.figures._rates import BAND_WORDS, CLIPPED_WORDS, Rates, Strokes

HEIGHT = 280  # pixels
_HUGE = 1e30  # more is off every axis, and beyond the single precision that a page needs
WIDTHS, OPACITIES = (3, 2, 1.5), (1.0, 0.8, 0.6)  # of the largest, the second, and all others


def rate_traces(strokes: Strokes, rates: Rates) -> list[go.Scatter]:
    """Bands, strokes and marks of one input."""
    traces = []
    low, high = rates.value_range
    for order, sort, part in strokes.parts():
        part = part.where(np.abs(part.value) < _HUGE)
        if not part.value.size:
            continue
        look, kind = min(order, len(WIDTHS) - 1), rates.sorts[sort]
        banded = part.where((part.error > 0.002 * (high - low)) & (part.error < _HUGE))
        if banded.value.size:
            below, above = banded.value - banded.error, banded.value + banded.error
            gap = np.full(below.shape, np.nan)
            x = np.stack([banded.left, banded.right, banded.right, banded.left, banded.left, gap], axis=1)
            y = np.stack([below, below, above, above, below, gap], axis=1)
            traces.append(
                go.Scatter(
                    x=x.astype(np.float32).ravel(),
                    y=y.astype(np.float32).ravel(),
                    mode="none",
                    fill="toself",
                    fillcolor=_translucent(kind.screen_colour, 0.3),
                    hoverinfo="skip",
                    showlegend=False,
                )
            )
        gap = np.full(part.value.shape, np.nan)
        x = np.stack([part.left, part.right, gap], axis=1)
        y = np.stack([part.value, part.value, gap], axis=1)
        said = np.repeat(np.stack([part.epoch, np.minimum(part.error, _HUGE)], axis=1).astype(np.float32), 3, axis=0)
        name = rates.names[order]
        error = " ± %{customdata[1]:.2g}" if (part.error > 0).any() else ""
        traces.append(
            go.Scatter(
                x=x.astype(np.float32).ravel(),
                y=y.astype(np.float32).ravel(),
                customdata=said,
                mode="lines",
                line={"color": kind.screen_colour, "width": WIDTHS[look]},
                opacity=OPACITIES[look],
                hovertemplate=f"epoch %{{customdata[0]:.0f}}<br>{name} = %{{y:.4g}}{error}<extra>{kind.words}</extra>",
                showlegend=False,
            )
        )
    heights = (low + 0.04 * (high - low), high - 0.04 * (high - low))
    for epochs, height, symbol in zip(rates.clipped(strokes), heights, ("triangle-down", "triangle-up"), strict=True):
        if epochs.size:
            traces.append(
                go.Scatter(
                    x=epochs,
                    y=np.full(epochs.shape, height),
                    mode="markers",
                    marker={"symbol": symbol, "color": _style.MIDDLE_GREY, "size": 7},
                    hovertemplate="epoch %{x}: beyond the axis<extra></extra>",
                    showlegend=False,
                )
            )
    return traces


def _translucent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def mark_line(rates: Rates) -> go.Scatter:
    """The line where stability ends."""
    first, last = rates.columns.extent
    return go.Scatter(
        x=[first, last],
        y=[rates.mark, rates.mark],
        mode="lines",
        line={"color": _style.MIDDLE_GREY, "width": 1, "dash": "dash"},
        hoverinfo="skip",
        showlegend=False,
    )


def rate_entries(*shown: Rates) -> list[dict[str, Any]]:
    """Legend entries for what is no kind."""
    entries = []
    if any(rates.has_bands for rates in shown):
        entries.append(_style.legend_entry(BAND_WORDS, _translucent(_style.MIDDLE_GREY, 0.4)))
    if any(rates.any_clipped for rates in shown):
        entries.append(_style.legend_entry(CLIPPED_WORDS, _style.MIDDLE_GREY, symbol="triangle-down"))
    return entries


def draw(rates: Rates) -> go.Figure:
    figure = go.Figure(mark_line(rates))
    owners: list[int | None] = [None]
    first = len(rates.panels) // 2
    for at, strokes in enumerate(rates.panels):
        for trace in rate_traces(strokes, rates):
            figure.add_trace(trace.update(visible=at == first))
            owners.append(at)
    sorts = [_style.legend_entry(sort.words, sort.screen_colour, line=True) for sort in rates.present]
    for entry in [*sorts, *rate_entries(rates), *remarks(gaps=rates.columns.have_gaps, stripes=False)]:
        figure.add_trace(go.Scatter(**entry))
        owners.append(None)
    _style.style_plotly(figure, height=HEIGHT + _style.MARGINS_HEIGHT)
    figure.update_xaxes(title=rates.epoch_label, range=list(rates.columns.extent), showgrid=False)
    figure.update_yaxes(title=rates.value_label, range=list(rates.value_range))
    figure.update_layout(showlegend=True)
    words = [strokes.words for strokes in rates.panels]
    if len(words) > 1:
        figure.update_layout(updatemenus=[_style.input_menu(words, owners, first)])
    else:
        heading = {"text": words[0], "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 13}}
        figure.update_layout(title=heading)
    return figure
