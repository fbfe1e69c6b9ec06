"""How the derivatives of the cost grow with the length of the sequence, with the laws that were fitted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._costs import one_step
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Line, Mark, Panel, Points, Sheet
from rnnscope.findings.reading import flags

if TYPE_CHECKING:
    import xarray

_WORDS = {
    "output_sensitivity": "‖∂ŷ_N/∂θ‖",
    "gauss_newton": "Gauss-Newton eigenvalue",
    "gradient": "‖∇V_N‖",
    "hessian": "‖∇²V_N‖",
}
# Told apart by lightness and by shape too. The Hessian, which the Gauss-Newton matrix often equals, is drawn first, and
# large and hollow, so that neither hides the other.
_LOOKS: dict[str, dict[str, Any]] = {
    "hessian": {"role": "series 4", "shape": "diamond", "filled": False, "size": 1.7},
    "gauss_newton": {"role": "series 1", "shape": "square"},
    "output_sensitivity": {"role": "series 0", "shape": "circle"},
    "gradient": {"role": "ink", "shape": "triangle-up", "filled": False, "size": 1.4},
}


def growth(growth: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
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
    data = one_step(growth)
    curves = [curve for name in _LOOKS if (curve := _Curve.of(data, name)) is not None]
    require(curves, "growth", "at least one positive finite value", "none")
    exponential = flags(data["law"])["exponential"]
    linear = int(data["law"].sel(quantity="output_sensitivity")) == exponential
    return render(_sheet(curves, data, linear=linear), backend)


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


def _sheet(curves: list[_Curve], data: "xarray.Dataset", *, linear: bool) -> Sheet:
    remark, ratio = "", float(data["rate_ratio"])
    if np.isfinite(ratio):
        low, high = data["rate_ratio_interval"].values
        remark = f"Gauss-Newton rate / rate = {ratio:.2f} ({low:.2f} … {high:.2f})"
    marks: list[Mark] = []
    for curve in curves:
        look = _LOOKS[curve.name]
        dash = "dashed" if curve.name == "hessian" else "solid"
        marks.append(Line(curve.n, curve.fitted, role=look["role"], dash=dash))
        hover, bars = f"N = {{x}}\n{{y:.4g}}\n{_WORDS[curve.name]}", {"low": curve.low, "high": curve.high}
        marks.append(Points(curve.n, curve.median, name=curve.label, hover=hover, **bars, **look))
    lengths = np.concatenate([curve.n for curve in curves])
    x = Axis.over("length N (steps)", lengths, scale="linear" if linear else "log")
    ends = [end for curve in curves for end in (curve.low, curve.high)]
    y = Axis.over("median over starts", *ends, scale="log")
    heading = f"λ1 = {float(data['lyapunov_mean']):.3f}".replace("-0.000", "0.000")
    return Sheet((Panel(tuple(marks), x, y, height=2.4, heading=heading, remark=remark),))
