"""The phase portrait in plotly: one plane with a menu of inputs."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import _style
from rnnscope.figures._portrait import Portrait, Portraits

HEIGHT = 460  # pixels
RESTS, OSCILLATES, DIRECTION, QUIET = _style.SCREEN_COLOURS
_SYMBOLS = {"fixed point": "circle", "cycle": "square", "slow point": "diamond", "continuum": "cross"}


def draw(portraits: Portraits) -> go.Figure:
    panels, first = portraits.panels, len(portraits.panels) // 2
    figure = go.Figure()
    owners: list[int | None] = []
    for at, panel in enumerate(panels):
        for trace in _traces(panel):
            figure.add_trace(trace.update(visible=at == first, showlegend=False))
            owners.append(at)
    for entry in _legend(portraits):
        figure.add_trace(go.Scatter(**entry))
        owners.append(None)
    _style.style_plotly(figure, height=HEIGHT + _style.MARGINS_HEIGHT)
    figure.update_xaxes(title=portraits.plane.label(0), range=portraits.view[0].tolist(), constrain="domain")
    figure.update_yaxes(
        title=portraits.plane.label(1),
        range=portraits.view[1].tolist(),
        scaleanchor="x",
        scaleratio=1,
        constrain="domain",
    )
    figure.update_layout(showlegend=True)
    words = [portraits.heading(panel) for panel in panels]
    if len(panels) > 1:
        figure.update_layout(updatemenus=[_style.input_menu(words, owners, first)])
    else:
        heading = {"text": words[0], "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 13}}
        figure.update_layout(title=heading)
    return figure


def look_of(sort: str) -> dict[str, Any]:
    """Filled where it attracts, open where it does not."""
    symbol = next(shape for name, shape in _SYMBOLS.items() if sort.endswith(name))
    colour = _style.MIDDLE_GREY if "slow" in sort else RESTS
    if sort.startswith("unstable"):
        return {"symbol": f"{symbol}-open", "size": 11, "color": colour, "line": {"width": 2, "color": colour}}
    return {"symbol": symbol, "size": 11, "color": colour}


def _traces(panel: Portrait) -> list[go.Scatter]:
    traces = []
    n_starts = len(panel.orbits)
    if panel.orbits.size:
        gap = np.full((n_starts, 1, 2), np.nan)
        x, y = np.concatenate([panel.orbits, gap], axis=1).astype(np.float32).reshape(-1, 2).T
        look: dict[str, Any] = (
            {"mode": "lines", "line": {"color": OSCILLATES, "width": 1}, "opacity": 0.45}
            if panel.flows
            else {"mode": "markers", "marker": {"color": OSCILLATES, "size": 2.5}}
        )
        traces.append(go.Scatter(x=x, y=y, hoverinfo="skip", **look))
        x, y = panel.orbits[:, -1].T
        end = {"color": OSCILLATES, "size": 5}
        words = f"end of the orbit, start %{{customdata}}<extra>{panel.short_words}</extra>"
        traces.append(
            go.Scatter(x=x, y=y, mode="markers", marker=end, customdata=np.arange(n_starts), hovertemplate=words)
        )
    if len(panel.directions):
        gap = np.full((len(panel.directions), 1, 2), np.nan)
        x, y = np.concatenate([panel.directions, gap], axis=1).reshape(-1, 2).T
        traces.append(go.Scatter(x=x, y=y, mode="lines", line={"color": DIRECTION, "width": 2}, hoverinfo="skip"))
    for marks in panel.marks:
        x, y = marks.places.T
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                mode="markers+text",
                marker=look_of(marks.sort),
                text=[str(index) if index > 0 else "" for index in marks.index],
                textposition="top right",
                customdata=marks.words,
                hovertemplate=f"%{{customdata}}<extra>{panel.short_words}</extra>",
            )
        )
    return traces


def _legend(portraits: Portraits) -> list[dict[str, Any]]:
    entries = []
    if any(panel.orbits.size for panel in portraits.panels):
        entries.append(_style.legend_entry("orbit", OSCILLATES, line=all(panel.flows for panel in portraits.panels)))
    for sort in portraits.sorts:
        entry = _style.legend_entry(sort, RESTS)
        entries.append({**entry, "marker": look_of(sort)})
    if any(len(panel.directions) for panel in portraits.panels):
        entries.append(_style.legend_entry("unstable direction", DIRECTION, line=True))
    if any((marks.index > 0).any() for panel in portraits.panels for marks in panel.marks):
        entries.append(_style.legend_entry("number: of unstable directions", "rgba(0,0,0,0)"))
    return entries
