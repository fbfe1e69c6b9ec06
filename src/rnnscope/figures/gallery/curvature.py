"""Cost, gradient, curvature and sensitivity over the epochs of a training, one panel each on the same axis."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._cost_style import log_axis
from rnnscope.findings.reading import by_step, epoch_label

if TYPE_CHECKING:
    import xarray


class Panel(NamedTuple):
    """A quantity over epochs: ``low`` and ``high`` are a range around it, ``doubtful`` where it is not accurate."""

    label: str
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    doubtful: np.ndarray


RESIDUAL = 1e-2  # beyond, an eigenvalue is marked


def curvature(smoothness: "xarray.Dataset", *, backend: _style.Backend = "matplotlib") -> Any:
    """Cost, ‖∇V‖, the largest eigenvalue of ∇²V and ‖∂x[T]/∂x[0]‖ against the epoch, on logarithmic axes.

    An eigenvalue whose residual is above a hundredth is drawn as a ring, one that is not positive or has not converged
    as a cross at the foot of the panel. The sensitivity is the median over sequences, its band their whole range.

    Args:
        smoothness: result of ``Smoothness``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or no finite value at all.

    """
    _style.check_backend(backend)
    data = by_step(smoothness)
    epochs, panels = data["epoch"].values, panels_of(data)
    require(any(np.isfinite(panel.values).any() for panel in panels), "smoothness", "a finite value", "none")
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(epochs, panels, epoch_label(data))


def panels_of(data: "xarray.Dataset") -> list[Panel]:
    """The quantities that a result of ``Smoothness`` has over its steps."""
    sure = np.zeros(data.sizes["step"], dtype=bool)
    largest = data["hessian_eigenvalue"].transpose("step", "eigenvalue").values[:, 0]
    residual = data["hessian_residual"].transpose("step", "eigenvalue").values[:, 0]
    with np.errstate(over="ignore"):
        # what no float64 can hold has no place on the axis either
        sensitivities = 10 ** np.clip(data["log_state_sensitivity"].values / math.log(10), -300, 300)
    found = [
        Panel("cost", values := data["cost"].values, values, values, sure),
        Panel("‖∇V‖", values := data["gradient_norm"].values, values, values, sure),
        Panel("λmax(∇²V)", largest, largest, largest, ~(residual <= RESIDUAL)),
    ]
    ends = sensitivities.min(1), sensitivities.max(1)
    found.append(Panel("‖∂x[T]/∂x[0]‖", np.median(sensitivities, axis=1), *ends, sure))
    return found


def _positive(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(values > 0, values, np.nan)


def _draw_matplotlib(epochs: np.ndarray, panels: list[Panel], label: str) -> Any:
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(0.85 * len(panels) + 0.4)
        axes = figure.subplots(len(panels), 1, sharex=True)
        for each, panel in zip(axes, panels, strict=True):
            values = _positive(panel.values)
            marker = "." if len(epochs) < 60 else None
            each.plot(epochs, values, color=_style.INK, linewidth=0.7, marker=marker, markersize=2)
            if (panel.low < panel.high).any():
                each.fill_between(
                    epochs, _positive(panel.low), panel.high, color=_style.OSCILLATES, alpha=0.25, linewidth=0
                )
            ring = panel.doubtful & np.isfinite(values)
            each.plot(
                epochs[ring], values[ring], linestyle="none", marker="o", markersize=4, markerfacecolor="none",
                color=_style.RESTS,
            )  # fmt: skip
            gone = epochs[~np.isfinite(values)]
            each.plot(
                gone, np.full(gone.shape, 0.04), transform=each.get_xaxis_transform(), linestyle="none", marker="x",
                markersize=3, color=_style.DIVERGES,
            )  # fmt: skip
            ends = np.concatenate([_positive(panel.low), _positive(panel.high)])
            if np.isfinite(ends).any():
                low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
                each.set_ylim(low / 1.3, high * 1.3)
                log_axis(each, "y", low / 1.3, high * 1.3)
            _style.corner_label(each, panel.label)
            each.margins(x=0.01)
        axes[-1].set_xlabel(label)
        figure.align_ylabels(axes)
    return figure


def _draw_plotly(epochs: np.ndarray, panels: list[Panel], label: str) -> Any:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(len(panels), 1, shared_xaxes=True, vertical_spacing=0.05)
    for row, panel in enumerate(panels, start=1):
        for trace in panel_traces(epochs, panel, go):
            figure.add_trace(trace, row, 1)
        figure.update_yaxes(title=panel.label, type="log", exponentformat="power", nticks=4, row=row, col=1)
    _style.style_plotly(figure, height=130 * len(panels) + 110)
    figure.update_xaxes(title=label, row=len(panels), col=1)
    figure.update_layout(showlegend=False)
    return figure


def panel_traces(epochs: np.ndarray, panel: Panel, go: Any) -> list[Any]:
    """The plotly traces of a panel: range, line, and rings where it is not accurate."""
    values = _positive(panel.values)
    traces = []
    if (panel.low < panel.high).any():
        band = {"x": np.concatenate([epochs, epochs[::-1]]), "fill": "toself", "hoverinfo": "skip", "mode": "none"}
        ends = np.concatenate([_positive(panel.low), panel.high[::-1]])
        traces.append(go.Scatter(y=ends, fillcolor="rgba(47,127,208,0.25)", showlegend=False, **band))
    traces.append(
        go.Scatter(
            x=epochs, y=values, mode="lines" if len(epochs) > 60 else "lines+markers", showlegend=False,
            line={"color": _style.MIDDLE_GREY, "width": 1.5}, marker={"size": 4}, name=panel.label,
            hovertemplate="epoch %{x}<br>" + panel.label + " %{y:.4g}<extra></extra>",
        )
    )  # fmt: skip
    if (panel.doubtful & np.isfinite(values)).any():
        ring = panel.doubtful & np.isfinite(values)
        marker = {"symbol": "circle-open", "size": 9, "color": _style.SCREEN_COLOURS[0]}
        traces.append(
            go.Scatter(
                x=epochs[ring], y=values[ring], mode="markers", marker=marker, showlegend=False,
                hovertemplate="epoch %{x}: not accurate<extra></extra>",
            )
        )  # fmt: skip
    return traces
