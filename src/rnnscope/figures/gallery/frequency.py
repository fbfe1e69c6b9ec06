"""The frequency that the network learned against the one that was wanted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._data import by_step, column, input_axis_label, input_words

if TYPE_CHECKING:
    import xarray


def frequency(summary: "xarray.Dataset", *, n_epochs: int = 20, backend: _style.Backend = "matplotlib") -> Any:
    """Frequency of the oscillation at each input over the last epochs, against the wanted frequency.

    A point is the median over all starts that oscillate at the last ``n_epochs`` recorded epochs, its bar
    their whole range; the line is equality. Inputs at which nothing oscillates are ticks on the horizontal
    axis. Without a coordinate ``wanted_frequency`` the horizontal axis is the input itself, and there is no
    line.

    Args:
        summary: result of ``summarise_orbits``; ``frequency`` (step, input, start) in rad/step.
        n_epochs: how many of the last recorded epochs count.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or a number of epochs that is not positive.

    """
    _style.check_backend(backend)
    require(n_epochs >= 1, "n_epochs", "at least 1", n_epochs)
    content = _measured(by_step(summary), n_epochs)
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content)


@dataclass(frozen=True, eq=False)
class _Measured:
    """``middle, low, high`` (input) are NaN where nothing oscillates."""

    across: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    wanted: bool
    label: str
    words: list[str]
    n_epochs: int

    @property
    def value_label(self) -> str:
        return "learned frequency (rad/step)"

    @property
    def still(self) -> np.ndarray:
        return self.across[np.isnan(self.middle)]

    @property
    def identity(self) -> np.ndarray:
        return np.array([self.across.min(), self.across.max()])


def _measured(summary: "xarray.Dataset", n_epochs: int) -> _Measured:
    found = summary["frequency"].transpose("input", "step", "start").values[:, -n_epochs:].astype(float)
    per_input = [values[np.isfinite(values)] for values in found]
    wanted = "wanted_frequency" in summary.coords
    statistics = [
        [float(function(values)) if values.size else np.nan for values in per_input]
        for function in (np.median, np.min, np.max)
    ]
    middle, low, high = map(np.array, statistics)
    return _Measured(
        across=column(summary, "wanted_frequency" if wanted else "input_value").astype(float),
        middle=middle,
        low=low,
        high=high,
        wanted=wanted,
        label="wanted frequency (rad/step)" if wanted else input_axis_label(summary),
        words=[input_words(summary, position, short=True) for position in range(len(middle))],
        n_epochs=min(n_epochs, summary.sizes["step"]),
    )


def _draw_matplotlib(content: _Measured) -> Any:
    from matplotlib.lines import Line2D

    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(2.4)
        axes = figure.subplots()
        handles = []
        if content.wanted:
            axes.plot(content.identity, content.identity, color="#a0a4aa", linewidth=0.8, zorder=1)
            handles.append(Line2D([], [], color="#a0a4aa", linewidth=0.8, label="equal"))
        moving = ~np.isnan(content.middle)
        if moving.any():
            bars = np.stack([content.middle - content.low, content.high - content.middle])[:, moving]
            axes.errorbar(
                content.across[moving],
                content.middle[moving],
                bars,
                linestyle="none",
                marker="o",
                markersize=3,
                color=_style.OSCILLATES,
                elinewidth=0.8,
            )
            label = f"learned, last {content.n_epochs} epochs"
            handles.append(Line2D([], [], linestyle="none", marker="o", ms=3, color=_style.OSCILLATES, label=label))
        if content.still.size:
            axes.plot(
                content.still,
                np.zeros(content.still.shape),
                linestyle="none",
                marker="|",
                markersize=7,
                markeredgewidth=1.2,
                color=_style.RESTS,
                transform=axes.get_xaxis_transform(),
                clip_on=False,
            )
            handles.append(
                Line2D([], [], linestyle="none", marker="|", color=_style.RESTS, mew=1.2, label="no oscillation")
            )
        axes.locator_params(nbins=5)
        axes.set_xlabel(content.label)
        axes.set_ylabel(content.value_label)
        _style.legend_above(figure, handles)
    return figure


def _draw_plotly(content: _Measured) -> Any:
    import plotly.graph_objects as go

    rests, oscillates, *_ = _style.SCREEN_COLOURS
    figure = go.Figure()
    moving = ~np.isnan(content.middle)
    if content.wanted:
        line = {"color": _style.MIDDLE_GREY, "width": 1}
        figure.add_trace(go.Scatter(x=content.identity, y=content.identity, mode="lines", line=line, name="equal"))
    if moving.any():
        figure.add_trace(
            go.Scatter(
                x=content.across[moving],
                y=content.middle[moving],
                mode="markers",
                marker={"color": oscillates, "size": 8},
                error_y={
                    "type": "data",
                    "array": (content.high - content.middle)[moving],
                    "arrayminus": (content.middle - content.low)[moving],
                    "thickness": 1.2,
                    "width": 3,
                },
                text=[words for words, shown in zip(content.words, moving, strict=True) if shown],
                name=f"learned, last {content.n_epochs} epochs",
                hovertemplate="%{text}<br>learned %{y:.4g} rad/step<extra></extra>",
            )
        )
    if content.still.size:
        values = np.concatenate([content.low[moving], content.identity if content.wanted else []])
        floor = float(values.min()) if values.size else 0.0
        figure.add_trace(
            go.Scatter(
                x=content.still,
                y=np.full(content.still.shape, floor),
                mode="markers",
                marker={
                    "symbol": "line-ns-open",
                    "size": 12,
                    "color": rests,
                    "line": {"width": 2, "color": rests},
                },
                name="no oscillation",
                hovertemplate="no oscillation<extra></extra>",
            )
        )
    _style.style_plotly(figure, height=360)
    figure.update_xaxes(title=content.label)
    figure.update_yaxes(title=content.value_label)
    return figure
