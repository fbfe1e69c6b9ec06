"""How the derivatives of the cost grow with the length of the sequence, with the laws that were fitted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._cost_style import log_axis, one_step
from rnnscope.findings.reading import flags

if TYPE_CHECKING:
    import xarray

_WORDS = {
    "output_sensitivity": "‖∂ŷ_N/∂θ‖",
    "gauss_newton": "Gauss-Newton eigenvalue",
    "gradient": "‖∇V_N‖",
    "hessian": "‖∇²V_N‖",
}
_MARKERS = {"output_sensitivity": "o", "gauss_newton": "s", "gradient": "^", "hessian": "D"}
_SYMBOLS = {"output_sensitivity": "circle", "gauss_newton": "square", "gradient": "triangle-up", "hessian": "diamond"}


def growth(growth: "xarray.Dataset", *, backend: _style.Backend = "matplotlib") -> Any:
    """Medians over starts against the length N, quarters of the starts as bars, and the fitted law as a line.

    Both axes are logarithmic, so that a power is a straight line; where the sensitivity grows exponentially the axis of
    the length is linear instead, so that an exponential is. The legend has each law with its 95 % interval over starts.

    Args:
        growth: result of ``Growth``; of several epochs the last.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or no positive finite value at all.

    """
    _style.check_backend(backend)
    data = one_step(growth)
    curves = [curve for name in _WORDS if (curve := _Curve.of(data, name)) is not None]
    require(curves, "growth", "at least one positive finite value", "none")
    exponential = flags(data["law"])["exponential"]
    linear = int(data["law"].sel(quantity="output_sensitivity")) == exponential
    remark = f"λ1 = {float(data['lyapunov_mean']):.3f}".replace("-0.000", "0.000")
    ratio = float(data["rate_ratio"])
    if np.isfinite(ratio):
        low, high = data["rate_ratio_interval"].values
        remark += f"; Gauss-Newton rate / rate = {ratio:.2f} ({low:.2f} … {high:.2f})"
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(curves, linear, remark)


@dataclass(frozen=True, eq=False)
class _Curve:
    name: str
    n: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fitted: np.ndarray
    label: str

    @classmethod
    def of(cls, data: "xarray.Dataset", name: str) -> "_Curve | None":
        n = data["length"].values.astype(float)
        values = data[name].transpose("length", "start").values
        values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        known = np.isfinite(values).any(1)
        if not known.any():
            return None
        n, values = n[known], values[known]
        low, median, high = np.exp(np.nanquantile(np.log(values), [0.25, 0.5, 0.75], axis=1))
        chosen = data.sel(quantity=name)
        meaning = {value: word for word, value in flags(data["law"]).items()}[int(chosen["law"])]
        label, fitted = f"{_WORDS[name]}: {meaning}", np.full(n.shape, np.nan)
        late = n >= np.sqrt(n[0] * n[-1])
        if meaning == "exponential":
            rate, (below, above) = float(chosen["rate"]), chosen["rate_interval"].values
            divided = 0 if name == "output_sensitivity" else 1
            shape = rate * n - divided * np.log(n)
            label = f"{_WORDS[name]} ∝ e^rN, r = {rate:.3f} ({below:.3f} … {above:.3f})"
        elif meaning == "polynomial":
            power, (below, above) = float(chosen["power"]), chosen["power_interval"].values
            shape = power * np.log(n)
            label = f"{_WORDS[name]} ∝ N^k, k = {power:.2f} ({below:.2f} … {above:.2f})"
        else:
            shape = np.zeros(n.shape)
        if meaning != "undetermined":
            with np.errstate(over="ignore"):
                fitted = np.exp(shape + np.mean(np.log(median[late]) - shape[late]))
        return cls(name, n, median, low, high, fitted, label)

    @property
    def colour(self) -> str:
        return _style.LINE_COLOURS[list(_WORDS).index(self.name)]


def _draw_matplotlib(curves: list[_Curve], linear: bool, remark: str) -> Any:
    from matplotlib.lines import Line2D

    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(3.3)
        axes = figure.subplots()
        handles = []
        for curve in curves:
            bars = np.stack([curve.median - curve.low, curve.high - curve.median])
            marker = _MARKERS[curve.name]
            axes.errorbar(
                curve.n, curve.median, bars, linestyle="none", marker=marker, markersize=2.5, color=curve.colour,
                elinewidth=0.6,
            )  # fmt: skip
            axes.plot(curve.n, curve.fitted, color=curve.colour, linewidth=0.7, alpha=0.8)
            look: dict[str, Any] = {"marker": marker, "markersize": 3, "linewidth": 0.7, "color": curve.colour}
            handles.append(Line2D([], [], label=curve.label, **look))
        low = min(float(curve.low.min()) for curve in curves)
        high = max(float(curve.high.max()) for curve in curves)
        log_axis(axes, "y", low / 2, high * 2)
        axes.set_ylim(low / 2, high * 2)
        if not linear:
            log_axis(axes, "x", float(curves[0].n[0]), float(curves[0].n[-1]))
        axes.set_xlabel("length N (steps)")
        axes.set_ylabel("median over starts")
        _style.corner_label(axes, remark)
        _style.legend_above(figure, handles)
    return figure


def _draw_plotly(curves: list[_Curve], linear: bool, remark: str) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for curve in curves:
        figure.add_trace(
            go.Scatter(
                x=curve.n, y=curve.median, mode="markers", name=curve.label, legendgroup=curve.name,
                marker={"color": curve.colour, "symbol": _SYMBOLS[curve.name], "size": 7},
                error_y={
                    "type": "data", "symmetric": False, "array": curve.high - curve.median,
                    "arrayminus": curve.median - curve.low, "thickness": 1, "width": 2,
                },
                hovertemplate="N = %{x}<br>%{y:.4g}<extra>" + _WORDS[curve.name] + "</extra>",
            )
        )  # fmt: skip
        line = {"color": curve.colour, "width": 1}
        figure.add_trace(
            go.Scatter(
                x=curve.n, y=curve.fitted, mode="lines", line=line, legendgroup=curve.name, showlegend=False,
                hoverinfo="skip",
            )
        )  # fmt: skip
    _style.style_plotly(figure, height=460)
    figure.update_layout(title={"text": remark, "font": {"size": 13}, "x": 0.08, "y": 0.98})
    figure.update_xaxes(title="length N (steps)", type="linear" if linear else "log")
    figure.update_yaxes(title="median over starts", type="log", exponentformat="power")
    return figure
