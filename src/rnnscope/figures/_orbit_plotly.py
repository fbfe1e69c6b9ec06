"""The orbit diagram in plotly: one panel with a menu of inputs; kinds and loss under it on the same axis."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rnnscope.figures import _style
from rnnscope.figures._kind_plotly import kind_axis, kind_traces, remarks
from rnnscope.figures._kinds import Strip
from rnnscope.figures._orbit_layers import Columns, Diagram, Layers, legend_words
from rnnscope.figures._png import data_address, indexed_png
from rnnscope.figures._rates_plotly import mark_line, rate_entries, rate_traces
from rnnscope.figures._stacks_plotly import limit_entries, stack_remarks, stack_traces
from rnnscope.findings.kinds import present_kinds
from rnnscope.findings.reading import log_scale

RESTS, OSCILLATES, DIVERGES, _ = _style.SCREEN_COLOURS
PANEL_HEIGHT, STRIP_HEIGHT, LOSS_HEIGHT, RATES_HEIGHT = 300, 150, 140, 130  # pixels
N_LEVELS = 48


def draw(diagram: Diagram) -> go.Figure:
    panels, summary, loss = diagram.panels, diagram.summary, diagram.loss
    companions = diagram.companions
    rates = [] if companions is None else companions.rates
    has_strip = summary is not None or companions is not None
    heights = [PANEL_HEIGHT] + [STRIP_HEIGHT] * has_strip + [RATES_HEIGHT] * len(rates)
    heights += [LOSS_HEIGHT] * (loss is not None)
    n_rows = len(heights)
    figure = make_subplots(
        rows=n_rows, cols=1, shared_xaxes=True, row_heights=heights, vertical_spacing=16 / sum(heights)
    )
    first = len(panels) // 2
    owners: list[int | None] = []
    for at, layers in enumerate(panels):
        for trace in panel_traces(layers, diagram):
            figure.add_trace(trace.update(visible=at == first), row=1, col=1)
            owners.append(at)
        for row, rate in enumerate(rates, start=3):
            for trace in rate_traces(rate.panels[at], rate):
                figure.add_trace(trace.update(visible=at == first), row=row, col=1)
                owners.append(at)
    for entry in _entries(diagram):
        figure.add_trace(go.Scatter(**entry), row=1, col=1)
    for row, rate in enumerate(rates, start=3):
        figure.add_trace(mark_line(rate), row=row, col=1)
    if companions is not None:
        strip_traces = stack_traces(companions.attractors, companions.stacks)
        strip_axis = kind_axis(companions.attractors, companions.stacks.order)
    elif summary is not None:
        strip = Strip.of(summary)
        strip_traces, strip_axis = kind_traces(summary, strip), kind_axis(summary, strip.order)
    else:
        strip_traces, strip_axis = [], {}
    for trace in strip_traces:
        figure.add_trace(trace, row=2, col=1)
    if loss is not None:
        figure.add_trace(loss_trace(*loss), row=n_rows, col=1)
    owners += [None] * (len(list(figure.data)) - len(owners))

    _style.style_plotly(figure, height=sum(heights) + 16 * (n_rows - 1) + _style.MARGINS_HEIGHT)
    value_axis = {"range": list(diagram.value_range), "scaleanchor": False, "autorange": False}
    figure.update_yaxes(title=diagram.value_label, **value_axis, row=1, col=1)
    if has_strip:
        figure.update_yaxes(**strip_axis, row=2, col=1)
    for row, rate in enumerate(rates, start=3):
        title = {"text": rate.value_label.replace(" (", "<br>("), "font": {"size": 12}}
        figure.update_yaxes(title=title, range=list(rate.value_range), row=row, col=1)
    if loss is not None:
        figure.update_yaxes(**loss_axis([loss[1]]), row=n_rows, col=1)
    figure.update_xaxes(range=list(diagram.epoch_limits), constrain="range", showgrid=False)
    figure.update_xaxes(title=diagram.epoch_label, row=n_rows, col=1)
    if len(panels) > 1:
        figure.update_layout(updatemenus=[_style.input_menu([layers.words for layers in panels], owners, first)])
    else:
        figure.update_layout(
            title={"text": panels[0].words, "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 13}}
        )
    return figure


def _entries(diagram: Diagram) -> list[dict[str, Any]]:
    """Legend entries of the diagram and of what is under it."""
    gaps, companions = diagram.columns.have_gaps, diagram.companions
    if companions is not None:
        gaps = gaps or companions.stacks.columns.have_gaps
        others = [*stack_remarks(companions.stacks, gaps=gaps), *rate_entries(*companions.rates)]
        return [*legend_of(diagram, companions.shared_kinds), *limit_entries(companions.other_kinds), *others]
    if diagram.summary is None:
        return [*legend_of(diagram, {}), *remarks(gaps=gaps, stripes=False)]
    kinds = {kind: kind for kind in present_kinds(diagram.summary)}
    stripes = Strip.of(diagram.summary).stripes is not None
    return [*legend_of(diagram, kinds), *remarks(gaps=gaps, stripes=stripes)]


def loss_axis(losses: list[np.ndarray]) -> dict[str, Any]:
    """The settings of a loss axis; a logarithmic one is labelled with a few plain numbers."""
    axis: dict[str, Any] = {"title": "loss"}
    finite = np.concatenate([values[np.isfinite(values)] for values in losses])
    if finite.size and log_scale(losses):
        limits = [float(np.log10(finite.min() / 1.1)), float(np.log10(finite.max() * 1.1))]
        axis |= {"type": "log", "range": limits, **log_ticks(*limits)}
    return axis


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """The ticks of a logarithmic axis from 10^low to 10^high."""
    ticks = _style.loss_ticks(10**low, 10**high)
    return {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def loss_trace(epochs: np.ndarray, losses: np.ndarray) -> go.Scatter:
    return go.Scatter(
        x=epochs,
        y=losses,
        mode="lines" if len(epochs) > 1 else "markers",
        line={"color": _style.MIDDLE_GREY, "width": 1.5},
        showlegend=False,
        hovertemplate="epoch %{x}<br>loss %{y:.4g}<extra></extra>",
    )


def panel_traces(layers: Layers, diagram: Diagram) -> list[go.Image | go.Scatter]:
    columns, value_range = diagram.columns, diagram.value_range
    common: dict[str, Any] = {"showlegend": False, "name": layers.short_words}
    where = f"epoch %{{x:.0f}}<br>value %{{y:.4g}}<extra>{layers.short_words}</extra>"
    traces: list[go.Image | go.Scatter] = []
    if layers.density is not None and layers.density.any():
        height = (value_range[1] - value_range[0]) / len(layers.density)
        traces.append(
            go.Image(
                source=density_picture(layers.density, diagram.n_samples),
                x0=columns.first,
                dx=columns.width,
                y0=value_range[0] + height / 2,
                dy=height,
                name=layers.short_words,
                hovertemplate=where,
            )
        )
    if layers.motion_epochs.size:
        marker = {"color": OSCILLATES, "size": 2.5}
        traces.append(
            go.Scatter(
                x=layers.motion_epochs,
                y=layers.motion_values,
                mode="markers",
                marker=marker,
                hovertemplate=where,
                **common,
            )
        )
    if layers.rest_epochs.size:
        traces.append(_rest_trace(layers, columns, common))
    low, high = value_range
    for epochs, height, symbol, colour, words in (
        (layers.diverged, high - 0.02 * (high - low), "line-ns-open", DIVERGES, "diverged"),
        (layers.above, high - 0.04 * (high - low), "triangle-up", _style.MIDDLE_GREY, "above the axis"),
        (layers.below, low + 0.04 * (high - low), "triangle-down", _style.MIDDLE_GREY, "below the axis"),
    ):
        if epochs.size:
            marker = {"symbol": symbol, "color": colour, "size": 8, "line": {"width": 2, "color": colour}}
            traces.append(
                go.Scatter(
                    x=epochs,
                    y=np.full(epochs.shape, height, np.float32),
                    mode="markers",
                    marker=marker,
                    hovertemplate=f"epoch %{{x}}: {words}<extra>{layers.short_words}</extra>",
                    **common,
                )
            )
    return traces


def _rest_trace(layers: Layers, columns: Columns, common: dict[str, Any]) -> go.Scatter:
    """Level strokes as wide as their epoch, with a gap after each."""
    rows = np.searchsorted(columns.epochs, layers.rest_epochs)
    gap = np.full(len(rows), np.nan)
    x = np.stack([columns.left[rows], columns.right[rows], gap], axis=1).astype(np.float32)
    y = np.stack([layers.rest_values, layers.rest_values, gap], axis=1).astype(np.float32)
    return go.Scatter(
        x=x.ravel(),
        y=y.ravel(),
        customdata=np.repeat(layers.rest_epochs, 3),
        mode="lines",
        line={"color": RESTS, "width": 2},
        hovertemplate=f"epoch %{{customdata}}<br>settled at %{{y:.4g}}<extra>{layers.short_words}</extra>",
        **common,
    )


def density_picture(density: np.ndarray, n_samples: int) -> str:
    """The density (value bin, column), lowest value in the first row of pixels, as the address of a PNG.

    Opacity stands for the logarithm of the count, so the picture reads on light and on dark; no samples, no
    ink.
    """
    level = np.minimum(np.log1p(density) / np.log1p(n_samples) / 0.75, 1.0)
    levels = np.where(density > 0, 1 + np.round(level * (N_LEVELS - 2)), 0).astype(np.uint8)
    palette = np.zeros((N_LEVELS, 4))
    palette[:, :3] = [int(OSCILLATES[at : at + 2], 16) for at in (1, 3, 5)]
    palette[1:, 3] = np.linspace(0.3, 1.0, N_LEVELS - 1) * 255
    return data_address(indexed_png(levels, palette))


def legend_of(diagram: Diagram, kinds: dict[str, str]) -> list[dict[str, Any]]:
    """Entries for what occurs; a strip of kinds shares the colours and so the entries."""
    words = legend_words(diagram.panels, kinds)
    entries = [
        _style.legend_entry(label, colour, line=kind == "rests")
        for (kind, label), colour in zip(words.items(), _style.SCREEN_COLOURS, strict=True)
        if label
    ]
    if diagram.any_clipped:
        entries.append(_style.legend_entry("beyond the axis (clipped)", _style.MIDDLE_GREY, symbol="triangle-up"))
    return entries
