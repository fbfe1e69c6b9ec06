"""Orbits in the plane of two coordinates of the state."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._cost_style import one_step

if TYPE_CHECKING:
    import xarray

SOURCES = {"orbits": (("orbits", {"keep_states": True}), "orbits")}
_MEASURE_STATES = "rnnscope probe orbits RUN --set keep_states=true, in Python Orbits(keep_states=True)"


def state_plane(
    orbits: "xarray.Dataset",
    *,
    x: int | str = 0,
    y: int | str = 1,
    input: int = 0,
    backend: _style.Backend = "matplotlib",
) -> Any:
    """One coordinate of the state against another, each sample of each orbit one point.

    Args:
        orbits: result of ``Orbits(keep_states=True)``; of several epochs the last is drawn. Without states the outputs.
        x: coordinate on the horizontal axis, an index or a label such as ``"h[0]"``.
        y: coordinate on the vertical axis.
        input: position along ``input``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, orbits of one coordinate only, or no such coordinate or input.

    """
    _style.check_backend(backend)
    data = one_step(orbits)
    name, dim = ("state_orbit", "state") if "state_orbit" in data else ("orbit", "output")
    labels = [str(label) for label in data[dim].values]
    remedy = "" if dim == "state" else f"; the states are kept by {_MEASURE_STATES}"
    if len(labels) < 2:
        raise ValueError(f"orbits: expected two coordinates to draw against each other, came one {dim} only{remedy}")
    require(0 <= input < data.sizes["input"], "input", f"an index from 0 to {data.sizes['input'] - 1}", input)
    chosen = []
    for axis, coordinate in (("x", x), ("y", y)):
        known = coordinate in labels if isinstance(coordinate, str) else 0 <= coordinate < len(labels)
        if not known:
            raise ValueError(f"{axis}: expected one of {', '.join(labels)}, came {coordinate!r}{remedy}")
        chosen.append(labels.index(coordinate) if isinstance(coordinate, str) else coordinate)
    values = data[name].isel(input=input).transpose("start", "time", dim).values.reshape(-1, len(labels))
    values = values[np.isfinite(values).all(1)]
    require(len(values), "orbits", "at least one finite sample", "none")
    points = (values[:, chosen[0]], values[:, chosen[1]], labels[chosen[0]], labels[chosen[1]])
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(*points)


def _draw_matplotlib(x: np.ndarray, y: np.ndarray, x_label: str, y_label: str) -> Any:
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(2.8)
        axes = figure.subplots()
        axes.plot(
            x, y, linestyle="none", marker=".", markersize=1.2, markeredgewidth=0, color=_style.OSCILLATES,
            rasterized=len(x) > 3000,
        )  # fmt: skip
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.locator_params(nbins=5)
    return figure


def _draw_plotly(x: np.ndarray, y: np.ndarray, x_label: str, y_label: str) -> Any:
    import plotly.graph_objects as go

    marker = {"size": 2, "color": _style.SCREEN_COLOURS[1]}
    figure = go.Figure(go.Scattergl(x=x, y=y, mode="markers", marker=marker, showlegend=False))
    _style.style_plotly(figure, height=440)
    figure.update_xaxes(title=x_label)
    figure.update_yaxes(title=y_label)
    return figure
