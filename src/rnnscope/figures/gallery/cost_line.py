"""The cost along a line of parameter space, its local minima, and the orbit diagram above it."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._columns import make_columns
from rnnscope.figures._costs import log_range, one_step
from rnnscope.figures._samples import Samples
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Density, Edge, Line, Mark, Panel, Points, Reference, Sheet

if TYPE_CHECKING:
    import xarray

_FEW = 100  # minima, each of which is seen by itself
_N_BINS = 160  # of the outputs: the lines of a periodic orbit are fine
_DIRECTIONS = {
    "gradient": "along the gradient",
    "eigenvector": "along the leading eigenvector of ∇²V",
    "random": "along a random direction",
    "radial": "along θ itself",
}


def cost_line(
    roughness: "xarray.Dataset", *, output: int = 0, length: int | None = None, backend: Backend = "matplotlib"
) -> Any:
    """Cost against the place along a line, on a logarithmic axis; strict local minima are marked, and where θ is.

    A cost far below all others is a triangle at the foot of the axis, unless it is that of θ.

    Where the result has the outputs along the line (``orbit``), they are drawn above on the same axis: where the orbit
    diagram is a few lines the cost is smooth, where it is a cloud the cost has minima everywhere.

    Args:
        roughness: result of ``Roughness``, ``line_roughness`` or ``line``, with ``orbit`` (point, time, output) if it
            has one.
        output: which output the orbit diagram shows.
        length: which N, where there are several; None: the greatest.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, output or length, or no finite cost at all.

    """
    data = one_step(roughness)
    if "length" in data["cost"].dims:
        lengths = data["length"].values.tolist()
        require(length is None or length in lengths, "length", f"one of {lengths}", length)
        data = data.sel(length=lengths[-1] if length is None else length)
    require(np.isfinite(data["cost"].values).any(), "roughness", "at least one finite cost", "none")
    if "orbit" in data:
        n = data.sizes["output"]
        require(0 <= output < n, "output", f"an index from 0 to {n - 1}", output)
    return render(_sheet(data, output), backend)


def _sheet(data: "xarray.Dataset", output: int) -> Sheet:
    settings = json.loads(str(data.attrs.get("settings", "{}"))).get("settings", {})
    along = _DIRECTIONS.get(settings.get("direction"))
    s = data["s"].values
    label = f"place s {along}, in norms of θ" if along else "place along the line s"
    x = Axis(label, range=(s.min(), s.max()), shared="s", n_ticks=5)
    panels = [_orbit(data, output, x)] if "orbit" in data else []
    return Sheet((*panels, _cost(data, x, "θ" if along else "s = 0", row=len(panels))))


def _orbit(data: "xarray.Dataset", output: int, x: Axis) -> Panel:
    """How densely the outputs lie along the orbit, at each place."""
    values = data["orbit"].isel(output=output).transpose("point", "time").values[:, None, None]
    samples = Samples(values, np.zeros(values.shape[:3]), settled=1, diverged=2, epochs=data["s"].values)
    low, high = samples.value_range([0])
    columns, dy = make_columns(samples.epochs), (high - low) / _N_BINS
    counts = samples.density(0, (low, high), columns, _N_BINS)
    label = str(data["output"].values[output]) if "output" in data.coords else f"output {output}"
    dots = Density(counts, columns.grid(low + dy / 2, dy), values.shape[-1], role="moving")
    return Panel((dots,), x, Axis(label, range=(low, high), n_ticks=5), height=1.1, heading="outputs along the orbit")


def _cost(data: "xarray.Dataset", x: Axis, origin: str, *, row: int) -> Panel:
    s, cost = data["s"].values, data["cost"].values
    with np.errstate(invalid="ignore"):
        minima = np.flatnonzero((cost[1:-1] < cost[:-2]) & (cost[1:-1] < cost[2:])) + 1
    at = np.array([np.abs(s).argmin()] if s.min() <= 0 <= s.max() else [], dtype=int)
    y = _axis(cost, at)
    foot = y.range[0] if y.scale == "log" and y.range else -np.inf
    below = np.flatnonzero(cost < foot)
    shown = np.maximum(cost, foot)

    def told(chosen: np.ndarray, words: str) -> dict[str, Any]:
        return {"facts": {"cost": cost[chosen]}, "hover": words + "s = {x:.6g}\ncost {cost:.4g}"}

    marks: list[Mark] = [Reference(0.0, "x", "dotted", role="reference", name=origin)] if at.size else []
    marks.append(Line(s, shown, weight="fine", **told(np.arange(len(s)), "")))
    marks.append(
        Points(
            s[minima],
            shown[minima],
            role="rests",
            size=0.8 if minima.size < _FEW else 0.45,
            **told(minima, "minimum at "),
        )
    )
    at = np.setdiff1d(at, below)
    marks.append(Points(s[at], shown[at], role="direction", filled=False, size=1.5, **told(at, f"{origin}: ")))
    if below.size:
        marks.append(Edge(s[below], top=False, shape="triangle-down", name="below the axis", **told(below, "")))
    words = f"{len(minima)} local minima"
    words += " (grid too coarse for all)" if "resolution" in data and int(data["resolution"]) else ""
    return Panel(tuple(marks), x, y, row=row, height=1.2, heading=words)


def _axis(cost: np.ndarray, origin: np.ndarray) -> Axis:
    """Logarithmic where costs are positive; a single cost far below all others, but that of the origin, has no room."""
    known = cost[np.isfinite(cost)]
    whole = log_range(cost)
    if whole is None or whole[1] < 1e-290 or (known < 0).any():
        return Axis.over("cost", cost)
    usual = 0.5 * float(np.quantile(known[known > 0], 0.002))
    least = [float(each) for each in cost[origin] if each >= whole[0]]
    return Axis("cost", "log", (max(whole[0], min([usual, *least])) / 1.2, min(1.2 * whole[1], 1e308)))
