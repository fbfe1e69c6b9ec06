"""The tunnel in plotly: one scene to turn, or one plane, with a menu of inputs."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import _style
from rnnscope.figures._tunnel import SCREEN_EPOCH_COLOURS, Planes, Tunnel

HEIGHT, FLAT_HEIGHT = 480, 380  # pixels
GRID = "#9a9fa6"  # opaque: a scene does not draw translucent lines as fine as these


def draw(tunnel: Tunnel) -> go.Figure:
    panels, first = tunnel.panels, len(tunnel.panels) // 2
    figure = go.Figure()
    owners: list[int] = []
    for at, panel in enumerate(panels):
        for trace in _flat_traces(panel, tunnel) if tunnel.flat else _deep_traces(panel, tunnel):
            figure.add_trace(trace.update(visible=at == first))
            owners.append(at)
    if tunnel.flat:
        _style.style_plotly(figure, height=FLAT_HEIGHT)
        figure.update_xaxes(title=tunnel.value_label, range=list(tunnel.value_range))
        figure.update_yaxes(title=tunnel.change_label, range=list(tunnel.change_range))
    else:
        _style.style_plotly(figure, height=HEIGHT)
        figure.update_layout(scene=_scene(tunnel), margin={"l": 0, "r": 0, "t": 40, "b": 30})
    few = np.unique(tunnel.epochs)
    bar = {"title": {"text": tunnel.epoch_label, "side": "right"}, "thickness": 12, "len": 0.8, "outlinewidth": 0}
    if len(few) <= 8:
        bar |= {"tickvals": few.tolist()}
    low, high = tunnel.colour_range
    axis = {"colorscale": _scale(), "cmin": low, "cmax": high, "colorbar": bar, "showscale": tunnel.flat}
    figure.update_layout(
        coloraxis=axis, showlegend=False, annotations=[_remarks(panels[first], -54 if tunnel.flat else -4)]
    )
    if len(panels) > 1:
        figure.update_layout(updatemenus=[_menu(panels, owners, first)])
    else:
        heading = {"text": panels[0].words, "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 13}}
        figure.update_layout(title=heading)
    return figure


def _scale() -> list[list[Any]]:
    return [[at / (len(SCREEN_EPOCH_COLOURS) - 1), colour] for at, colour in enumerate(SCREEN_EPOCH_COLOURS)]


def _deep_traces(panel: Planes, tunnel: Tunnel) -> list[go.Scatter3d]:
    left, right = tunnel.strokes(panel)
    gap = np.full(len(left), np.nan)
    x = np.stack([left, right, gap], axis=1).astype(np.float32).ravel()
    z = np.repeat(panel.rest_values, 3).astype(np.float32)
    rest_epochs = np.repeat(panel.rest_epochs, 3)
    low, high = tunnel.colour_range
    return [
        go.Scatter3d(
            x=panel.motion_epochs,
            y=panel.motion_changes,
            z=panel.motion_values,
            mode="markers",
            marker={"size": 1.6, "color": panel.motion_epochs, "coloraxis": "coloraxis", "line": {"width": 0}},
            hovertemplate=f"epoch %{{x}}<br>value %{{z:.4g}}<br>change %{{y:.3g}}<extra>{panel.short_words}</extra>",
        ),
        go.Scatter3d(
            x=x,
            y=np.zeros(x.shape, np.float32),
            z=z,
            customdata=rest_epochs,
            mode="lines",
            line={"width": 5, "color": rest_epochs, "colorscale": _scale(), "cmin": low, "cmax": high},
            hovertemplate=f"epoch %{{customdata}}<br>settled at %{{z:.4g}}<extra>{panel.short_words}</extra>",
        ),
    ]


def _flat_traces(panel: Planes, tunnel: Tunnel) -> list[go.Scattergl]:
    words = f"<extra>{panel.short_words}</extra>"
    return [
        go.Scattergl(
            x=panel.motion_values,
            y=panel.motion_changes,
            mode="markers",
            marker={"size": 3, "color": panel.motion_epochs, "coloraxis": "coloraxis"},
            hovertemplate=f"epoch %{{marker.color}}<br>value %{{x:.4g}}<br>change %{{y:.3g}}{words}",
        ),
        go.Scattergl(
            x=panel.rest_values,
            y=np.zeros(panel.rest_values.shape),
            mode="markers",
            marker={"size": 9, "color": panel.rest_epochs, "coloraxis": "coloraxis"},
            hovertemplate=f"epoch %{{marker.color}}<br>settled at %{{x:.4g}}{words}",
        ),
    ]


def _scene(tunnel: Tunnel) -> dict[str, Any]:
    def axis(label: str, limits: tuple[float, float], n_ticks: int) -> dict[str, Any]:
        return {
            "title": {"text": label, "font": {"size": 13}},
            "range": list(limits),
            "nticks": n_ticks,
            "tickfont": {"size": 11},
            "gridcolor": GRID,
            "linecolor": _style.MIDDLE_GREY,
            "zeroline": False,
            "showbackground": False,
            "showspikes": False,
        }

    return {
        "xaxis": axis(tunnel.epoch_label, tunnel.columns.extent, 7),
        "yaxis": axis(tunnel.change_label, tunnel.change_range, 5),
        "zaxis": axis(tunnel.value_label, tunnel.value_range, 5),
        "aspectmode": "manual",
        "aspectratio": {"x": 2.5, "y": 1.0, "z": 1.1},
        "camera": {
            "eye": {"x": -0.75, "y": -1.55, "z": 0.65},
            "center": {"x": 0.0, "y": 0.0, "z": -0.1},
            "projection": {"type": "orthographic"},
        },
        "dragmode": "turntable",
    }


def _remarks(panel: Planes, below: int) -> dict[str, Any]:
    return {
        "text": " · ".join(panel.remarks),
        "showarrow": False,
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 0,
        "yref": "paper",
        "yanchor": "top",
        "yshift": below,
        "font": {"size": 11},
    }


def _menu(panels: list[Planes], owners: list[int], first: int) -> dict[str, Any]:
    buttons = [
        {
            "label": panel.words,
            "method": "update",
            "args": [
                {"visible": [owner == at for owner in owners]},
                {"annotations[0].text": " · ".join(panel.remarks)},
            ],
        }
        for at, panel in enumerate(panels)
    ]
    return _style.plotly_menu(buttons, first)
