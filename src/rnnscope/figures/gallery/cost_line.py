"""The cost along a line of parameter space, its local minima, and the orbit diagram above it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._cost_style import log_axis, log_range, one_step

if TYPE_CHECKING:
    import xarray

_MOST_SAMPLES = {"matplotlib": 60_000, "plotly": 20_000}  # of the orbit diagram; an svg point costs more than a pixel


def cost_line(
    roughness: "xarray.Dataset", *, output: int = 0, length: int | None = None, backend: _style.Backend = "matplotlib"
) -> Any:
    """Cost against the place along a line, on a logarithmic axis; strict local minima are marked.

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
    _style.check_backend(backend)
    content = _Line.of(one_step(roughness), output, length)
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content)


@dataclass(frozen=True, eq=False)
class _Line:
    s: np.ndarray
    cost: np.ndarray
    minima: np.ndarray
    orbit_s: np.ndarray
    orbit: np.ndarray
    orbit_label: str
    coarse: bool
    logarithmic: bool

    @property
    def floor(self) -> float:
        """The foot of a logarithmic axis: a single point far below all others would flatten them."""
        positive = self.cost[np.isfinite(self.cost) & (self.cost > 0)]
        return max(float(positive.min()), 0.5 * float(np.quantile(positive, 0.002)))

    @classmethod
    def of(cls, data: "xarray.Dataset", output: int, length: int | None) -> "_Line":
        if "length" in data["cost"].dims:
            lengths = data["length"].values.tolist()
            require(length is None or length in lengths, "length", f"one of {lengths}", length)
            data = data.sel(length=lengths[-1] if length is None else length)
        s, cost = data["s"].values, data["cost"].values
        require(np.isfinite(cost).any(), "roughness", "at least one finite cost", "none")
        middle = cost[1:-1]
        with np.errstate(invalid="ignore"):
            minima = np.flatnonzero((middle < cost[:-2]) & (middle < cost[2:])) + 1
        orbit_s, orbit, label = np.empty(0), np.empty(0), ""
        if "orbit" in data:
            values = data["orbit"].values
            require(0 <= output < values.shape[2], "output", f"an index from 0 to {values.shape[2] - 1}", output)
            samples = values[:, :, output]
            orbit_s, orbit = np.repeat(s, samples.shape[1]), samples.ravel()
            label = str(data["output"].values[output]) if "output" in data.coords else f"output {output}"
        positive = cost[np.isfinite(cost)]
        return cls(
            s, cost, minima, orbit_s, orbit, label,
            bool(int(data["resolution"])) if "resolution" in data else False,
            log_range(cost) is not None and bool((positive >= 0).all()),
        )  # fmt: skip

    def samples(self, backend: _style.Backend) -> tuple[np.ndarray, np.ndarray]:
        """At most so many samples of the orbit diagram, evenly drawn."""
        n, most = len(self.orbit), _MOST_SAMPLES[backend]
        chosen = slice(None) if n <= most else np.random.default_rng(0).permutation(n)[:most]
        return self.orbit_s[chosen], self.orbit[chosen]

    @property
    def minima_words(self) -> str:
        words = f"{len(self.minima)} local minima"
        return words + (" (grid too coarse for all)" if self.coarse else "")


def _draw_matplotlib(content: _Line) -> Any:
    with _style.matplotlib_style():
        orbit = content.orbit.size > 0
        figure = _style.new_matplotlib_figure(3.1 if orbit else 1.9)
        heights = [1.2, 1.3] if orbit else [1]
        axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        if orbit:
            s, values = content.samples("matplotlib")
            axes[0].plot(
                s,
                values,
                linestyle="none",
                marker=",",
                markersize=1,
                color=_style.OSCILLATES,
                alpha=0.35,
                rasterized=True,
            )
            axes[0].set_ylabel(content.orbit_label)
            _style.corner_label(axes[0], "outputs along the orbit")
        panel = axes[-1]
        cost = content.cost
        if content.logarithmic:
            below = content.s[cost < content.floor]
            cost, high = np.clip(cost, content.floor, None), float(np.nanmax(cost))
            panel.set_ylim(content.floor, 1.2 * high)
            log_axis(panel, "y", content.floor, 1.2 * high)
            panel.plot(
                below, np.full(below.shape, 0.03), transform=panel.get_xaxis_transform(), linestyle="none", marker="v",
                markersize=3, markeredgewidth=0, color=_style.INK,
            )  # fmt: skip
        panel.plot(content.s, cost, color=_style.INK, linewidth=0.4, rasterized=len(cost) > 3000)
        panel.plot(
            content.s[content.minima], cost[content.minima], linestyle="none", marker="o", markersize=1.3,
            markeredgewidth=0, color=_style.RESTS, rasterized=len(content.minima) > 500,
        )  # fmt: skip
        panel.set_ylabel("cost")
        panel.set_xlabel("place along the line s")
        _style.corner_label(panel, content.minima_words)
        panel.margins(x=0)
        panel.locator_params(axis="x", nbins=6)
        figure.align_ylabels(axes)
    return figure


def _draw_plotly(content: _Line) -> Any:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    orbit = content.orbit.size > 0
    figure = make_subplots(2 if orbit else 1, 1, shared_xaxes=True, vertical_spacing=0.05)
    if orbit:
        s, values = content.samples("plotly")
        marker = {"size": 2, "color": _style.SCREEN_COLOURS[1], "opacity": 0.35}
        figure.add_trace(
            go.Scatter(x=s, y=values, mode="markers", marker=marker, name="outputs", hoverinfo="skip"), 1, 1
        )
        figure.update_yaxes(title=content.orbit_label, row=1, col=1)
    row = 2 if orbit else 1
    line = {"color": _style.MIDDLE_GREY, "width": 1}
    cost = np.where(content.cost > 0, content.cost, np.nan) if content.logarithmic else content.cost
    figure.add_trace(
        go.Scatter(
            x=content.s, y=cost, mode="lines", line=line, name="cost",
            hovertemplate="s = %{x:.5g}<br>cost %{y:.4g}<extra></extra>",
        ), row, 1,
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=content.s[content.minima], y=cost[content.minima], mode="markers", name=content.minima_words,
            marker={"size": 4, "color": _style.SCREEN_COLOURS[0]},
            hovertemplate="minimum at s = %{x:.6g}<br>cost %{y:.4g}<extra></extra>",
        ), row, 1,
    )  # fmt: skip
    _style.style_plotly(figure, height=480 if orbit else 320)
    figure.update_yaxes(title="cost", row=row, col=1)
    if content.logarithmic:
        limits = [float(np.log10(content.floor)), float(np.log10(1.2 * np.nanmax(cost)))]
        figure.update_yaxes(type="log", exponentformat="power", range=limits, row=row, col=1)
    figure.update_xaxes(title="place along the line s", row=row, col=1)
    return figure
