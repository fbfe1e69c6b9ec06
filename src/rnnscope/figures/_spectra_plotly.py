"""Multipliers in the complex plane in plotly: an epoch to slide through, a menu of inputs."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import _style
from rnnscope.figures._spectra import SYMBOLS, Spectra, Spectrum
from rnnscope.figures._tunnel import SCREEN_EPOCH_COLOURS

SIDE = 420  # pixels
_SHAPES = ("circle", "circle-open", "square", "square-open")


def draw(spectra: Spectra) -> go.Figure:
    panels, first = spectra.panels, len(spectra.panels) // 2
    shown = _first_row(panels[first], len(spectra.epochs))
    figure = go.Figure(_circle())
    owners: list[int | None] = [None]
    for at, panel in enumerate(panels):
        figure.add_trace(_trail(panel, spectra).update(visible=at == first))
        figure.add_trace(_now(panel, spectra, shown).update(visible=at == first))
        owners += [at, at]
    for code in spectra.present:
        figure.add_trace(go.Scatter(**_style.legend_entry(SYMBOLS[code], _style.MIDDLE_GREY, symbol=_SHAPES[code])))
        owners.append(None)
    moving = list(range(2, 2 * len(panels) + 1, 2))
    figure.frames = [
        go.Frame(name=str(row), data=[_at(panel, row) for panel in panels], traces=moving)
        for row in range(len(spectra.epochs))
    ]
    _style.style_plotly(figure, height=SIDE + 190)
    axis: dict[str, Any] = {"zeroline": True, "zerolinecolor": _style.GRID, "constrain": "domain", "showgrid": False}
    figure.update_xaxes(title="Re μ", range=spectra.view[0].tolist(), **axis)
    figure.update_yaxes(title="Im μ", range=spectra.view[1].tolist(), scaleanchor="x", scaleratio=1, **axis)
    low, high = spectra.colour_range
    steps = range(len(SCREEN_EPOCH_COLOURS))
    scale = [[at / (len(SCREEN_EPOCH_COLOURS) - 1), SCREEN_EPOCH_COLOURS[at]] for at in steps]
    bar = {"title": {"text": spectra.epoch_label, "side": "right"}, "thickness": 12, "len": 0.8, "outlinewidth": 0}
    figure.update_layout(
        coloraxis={"colorscale": scale, "cmin": low, "cmax": high, "colorbar": bar},
        margin={"b": 150},
        showlegend=True,
    )
    if len(spectra.epochs) == 1:
        figure.update_layout(margin={"b": 78}, height=SIDE + _style.MARGINS_HEIGHT)
        figure.update_layout(coloraxis_showscale=False)
    else:
        figure.update_layout(sliders=[_slider(spectra, shown)])
    words = [panel.words + _beyond(spectra, panel) for panel in panels]
    if len(panels) > 1:
        figure.update_layout(updatemenus=[_style.input_menu(words, owners, first)])
    else:
        heading = {"text": words[0], "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 13}}
        figure.update_layout(title=heading)
    return figure


def _first_row(panel: Spectrum, n_epochs: int) -> int:
    """The last epoch that has something to show."""
    return int(panel.row.max()) if panel.row.size else n_epochs - 1


def _beyond(spectra: Spectra, panel: Spectrum) -> str:
    n = spectra.beyond(panel)
    return f" – {n} of {panel.row.size} beyond the axis" if n else ""


def _circle() -> go.Scatter:
    angle = np.linspace(0, 2 * np.pi, 241)
    look = {"color": _style.MIDDLE_GREY, "width": 1}
    return go.Scatter(x=np.cos(angle), y=np.sin(angle), mode="lines", line=look, name="|μ| = 1", hoverinfo="skip")


def _trail(panel: Spectrum, spectra: Spectra) -> go.Scatter:
    """All epochs, faint, in the colour of the epoch."""
    epochs = spectra.epochs[panel.row]
    return go.Scatter(
        x=np.real(panel.multiplier),
        y=np.imag(panel.multiplier),
        mode="markers",
        marker={"size": 4, "color": epochs, "coloraxis": "coloraxis", "opacity": 0.45},
        customdata=epochs,
        hovertemplate="epoch %{customdata}<br>μ = %{x:.4g} + %{y:.4g} i<extra></extra>",
        showlegend=False,
    )


def _at(panel: Spectrum, row: int) -> dict[str, Any]:
    chosen = panel.row == row
    return {
        "type": "scatter",
        "x": np.real(panel.multiplier[chosen]),
        "y": np.imag(panel.multiplier[chosen]),
        "customdata": np.abs(panel.multiplier[chosen]),
        "marker": {"symbol": [_SHAPES[code] for code in panel.symbol[chosen]]},
    }


def _now(panel: Spectrum, spectra: Spectra, row: int) -> go.Scatter:
    """The epoch that was slid to."""
    look = {"size": 10, "color": _style.SCREEN_COLOURS[0], "line": {"width": 2, "color": _style.SCREEN_COLOURS[0]}}
    trace = go.Scatter(_at(panel, row), mode="markers", showlegend=False)
    trace.update(marker=look, hovertemplate="μ = %{x:.4g} + %{y:.4g} i<br>|μ| = %{customdata:.4g}<extra></extra>")
    return trace


def _slider(spectra: Spectra, shown: int) -> dict[str, Any]:
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    steps = [
        {"label": str(epoch), "method": "animate", "args": [[str(row)], at_once]}
        for row, epoch in enumerate(spectra.epochs)
    ]
    return {
        "steps": steps,
        "active": shown,
        "currentvalue": {"prefix": "epoch ", "xanchor": "left", "font": {"size": 13}},
        "pad": {"t": 48, "b": 4},
        "x": 0,
        "len": 1.0,
        "bordercolor": _style.GRID,
        "bgcolor": "rgba(128,128,128,0.2)",
        "tickcolor": _style.MIDDLE_GREY,
        "ticklen": 3,
        "minorticklen": 0,
        "font": {"size": 11},
    }
