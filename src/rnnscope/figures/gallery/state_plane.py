"""Orbits in the plane of two coordinates of the state."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._costs import one_step
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Panel, Points, Sheet

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
    backend: Backend = "matplotlib",
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
    places = [values[:, at] for at in chosen]
    dots = Points(*places, shape="dot", size=0.6, role="oscillates")
    across, up = (Axis.over(labels[at], place, n_ticks=5) for at, place in zip(chosen, places, strict=True))
    return render(Sheet((Panel((dots,), across, up, height=2.4),)), backend)
