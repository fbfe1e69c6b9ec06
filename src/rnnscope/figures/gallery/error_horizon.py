"""How far beyond the trained length a study's networks keep to what was wanted, with and without a closed curve."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnscope.base.errors import require, unknown
from rnnscope.figures import _study
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Band, Line, Mark, Panel, Points, Reference, Shape, Sheet, key

if TYPE_CHECKING:
    import xarray

_QUANTITIES = {"phase_free_error": "mean squared error, best phase", "error": "mean squared error"}
_GROUPS: dict[bool, tuple[str, str, Shape]] = {
    True: ("curve or cycle", "oscillates", "circle"),
    False: ("neither", "rests", "square"),
}
_ZERO_OUTPUT = 0.5  # the mean square of a sine


def error_horizon(
    continuation: "xarray.Dataset",
    *,
    quantity: Literal["phase_free_error", "error"] = "phase_free_error",
    inputs: Literal["inside", "outside", "all"] = "inside",
    backend: Backend = "matplotlib",
) -> Any:
    """Error of networks that run on by themselves against the horizon, a panel for each model on equal axes.

    A line is the median over pairs of run and input, its band reaches from the quarter to the third quarter; those
    pairs where the network has a closed curve as an attractor are drawn apart from those where it has none. The number
    of pairs stands above each panel. The dashed line is the mean square of a sine: what a constant zero output has.
    Errors that are not finite are left out, and their number stands above the panel.

    Args:
        continuation: dimensions run, input, window. Variables ``error`` and ``phase_free_error`` (run, input, window),
            the mean squared error of a window as it is and after the best shift in phase; ``closed_curve``
            (run, input); coordinates ``lengths`` (window), the end of the window in training lengths, ``inside``
            (input), whether the input is within the trained range, ``model`` and ``seed`` (run).
        quantity: ``"phase_free_error"`` or ``"error"``.
        inputs: those ``"inside"`` the trained range, those ``"outside"``, or ``"all"``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, quantity or inputs; a variable that is missing; no such input; no positive finite
            error at all.

    """
    if quantity not in _QUANTITIES:
        raise unknown("quantity", quantity, _QUANTITIES)
    cells = ("run", "input")
    shapes = {
        quantity: (*cells, "window"), "closed_curve": cells, "lengths": ("window",), "inside": ("input",), **_study.RUN
    }  # fmt: skip
    data = _study.checked(continuation, "continuation", shapes)
    shown = _study.chosen(data, "continuation", "inside", inputs, ("inside", "outside"))
    return render(_sheet(data.isel(input=shown).sortby("lengths"), quantity), backend)


Groups = dict[bool, tuple[np.ndarray, int]]


def _errors(data: "xarray.Dataset", model: str, quantity: str) -> Groups:
    """With a closed curve, and without: quarter, median, third quarter (3, window), and over how many pairs."""
    runs = _study.is_of(data, model)
    values, closed = data[quantity].values[runs].astype(float), data["closed_curve"].values[runs].astype(bool)
    known = np.isfinite(values).any(-1)
    pairs = {meant: (closed == meant) & known for meant in _GROUPS}
    return {
        meant: (_study.quarters(values[chosen]), int(chosen.sum())) for meant, chosen in pairs.items() if chosen.any()
    }


def _sheet(data: "xarray.Dataset", quantity: str) -> Sheet:
    errors = {model: _errors(data, model, quantity) for model in _study.models_of(data)}
    finite = [each.ravel() for groups in errors.values() for each, _ in groups.values()]
    drawn = np.concatenate([np.empty(0), *finite])
    drawn = drawn[drawn > 0]
    require(drawn.size, "continuation", f"at least one positive finite {quantity}", "none")
    limits = min(drawn.min(), _ZERO_OUTPUT) / 1.6, max(drawn.max(), _ZERO_OUTPUT) * 1.6
    lengths = data["lengths"].values.astype(float)
    x = Axis.over("horizon (training lengths)", lengths, shared="horizon", whole=True)
    y = Axis(_QUANTITIES[quantity], "log", limits, shared="error")
    panels = []
    for at, (model, groups) in enumerate(errors.items()):
        marks: list[Mark] = [Reference(_ZERO_OUTPUT, role="ink", name="a constant zero output")]
        for closed, (quarters, n_pairs) in groups.items():
            marks += _group(lengths, np.maximum(quarters, limits[0]), closed, n_pairs)
        counts = [f"{_GROUPS[closed][0]}: {_study.plural(n, 'pair')}" for closed, (_, n) in groups.items()]
        own = data[quantity].values[_study.is_of(data, model)]
        n_left_out = int((~np.isfinite(own)).sum())
        remark = f"left out: {n_left_out} of {own.size} not finite" if n_left_out else ""
        panels.append(
            Panel(tuple(marks), x, y, column=at, height=1.7, title=model, heading="\n".join(counts), remark=remark)
        )
    return Sheet(tuple(panels), legend=(key("median and quarters over pairs of network and input", "ink", sign=Band),))


def _group(lengths: np.ndarray, quarters: np.ndarray, closed: bool, n_pairs: int) -> list[Mark]:
    low, median, high = quarters
    words, role, shape = _GROUPS[closed]
    hover = f"{words}, {_study.plural(n_pairs, 'pair')}\nhorizon {{x:g}}: {{y:.3g}} ({{low:.3g}} … {{high:.3g}})"
    said: dict[str, Any] = {"hover": hover, "facts": {"low": low, "high": high}}
    return [
        Band(lengths, low, high, role=role),
        Line(lengths, median, role=role),
        Points(lengths, median, role=role, shape=shape, name=words, **said),
    ]
