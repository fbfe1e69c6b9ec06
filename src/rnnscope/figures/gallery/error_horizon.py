"""How far beyond the trained length a study's networks keep to what was wanted, with and without a closed curve."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnscope.base.errors import require, unknown
from rnnscope.figures import _study, _style
from rnnscope.figures._cost_style import log_axis

if TYPE_CHECKING:
    import xarray

_QUANTITIES = {"phase_free_error": "mean squared error, best phase", "error": "mean squared error"}
_CLOSED = {True: ("curve or cycle", _style.OSCILLATES), False: ("neither", _style.RESTS)}
_SCREEN = {True: "#2f7fd0", False: "#dd9420"}
_ZERO_OUTPUT = 0.5  # the mean square of a sine
_ZERO_WORDS = "a constant zero output"
_BAND_WORDS = "median and quarters over pairs of network and input"
_TIME = "horizon (training lengths)"


def error_horizon(
    continuation: "xarray.Dataset",
    *,
    quantity: Literal["phase_free_error", "error"] = "phase_free_error",
    inputs: Literal["inside", "outside", "all"] = "inside",
    backend: _style.Backend = "matplotlib",
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
    _style.check_backend(backend)
    if quantity not in _QUANTITIES:
        raise unknown("quantity", quantity, _QUANTITIES)
    cells = ("run", "input")
    shapes = {
        quantity: (*cells, "window"), "closed_curve": cells, "lengths": ("window",), "inside": ("input",), **_study.RUN
    }  # fmt: skip
    data = _study.checked(continuation, "continuation", shapes)
    shown = _study.chosen(data, "continuation", "inside", inputs, ("inside", "outside"))
    panels = [_Panel.of(data.isel(input=shown), model, quantity) for model in _study.models_of(data)]
    drawn = np.concatenate([group.positive for panel in panels for group in panel.groups] or [[]])
    require(drawn.size, "continuation", f"at least one positive finite {quantity}", "none")
    limits = min(drawn.min(), _ZERO_OUTPUT) / 1.6, max(drawn.max(), _ZERO_OUTPUT) * 1.6
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(panels, limits, _QUANTITIES[quantity])


@dataclass(frozen=True, eq=False)
class _Group:
    """The pairs with or without a closed curve: how many have an error, and quarter, median, third quarter (window)."""

    closed: bool
    n_pairs: int
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray

    @property
    def positive(self) -> np.ndarray:
        values = np.concatenate([self.low, self.median, self.high])
        return values[values > 0]

    @property
    def words(self) -> str:
        return f"{_CLOSED[self.closed][0]}: {_study.plural(self.n_pairs, 'pair')}"


@dataclass(frozen=True, eq=False)
class _Panel:
    model: str
    lengths: np.ndarray
    groups: list[_Group]
    n_left_out: int
    n_errors: int

    @classmethod
    def of(cls, data: "xarray.Dataset", model: str, quantity: str) -> "_Panel":
        runs = _study.is_of(data, model)
        errors, closed = data[quantity].values[runs].astype(float), data["closed_curve"].values[runs].astype(bool)
        order = np.argsort(data["lengths"].values, kind="stable")
        lengths, errors = data["lengths"].values[order].astype(float), errors[..., order]
        known = np.isfinite(errors)
        groups = []
        for meant in _CLOSED:
            pairs = (closed == meant) & known.any(-1)
            if pairs.any():
                groups.append(_Group(meant, int(pairs.sum()), *_study.quarters(errors[pairs])))
        return cls(model, lengths, groups, int((~known).sum()), known.size)

    @property
    def n_lines(self) -> int:
        return len(self.groups) + bool(self.remark)

    @property
    def remark(self) -> str:
        return f"left out: {self.n_left_out} of {self.n_errors} not finite" if self.n_left_out else ""


def _draw_matplotlib(panels: list[_Panel], limits: tuple[float, float], label: str) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    with _style.matplotlib_style():
        figure = _study.panels_figure(len(panels), 2.7)
        row = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        n_lines = max(panel.n_lines for panel in panels)
        zero: dict[str, Any] = {"color": _style.INK, "linewidth": 0.7, "linestyle": _study.DASHES}
        for axes, panel in zip(row, panels, strict=True):
            axes.axhline(_ZERO_OUTPUT, zorder=1, **zero)
            handles = []
            for group in panel.groups:
                look: dict[str, Any] = {"color": _CLOSED[group.closed][1], "linewidth": 1.2}
                marker = "o" if group.closed else "s"
                low, median, high = np.maximum([group.low, group.median, group.high], limits[0])
                axes.fill_between(panel.lengths, low, high, color=look["color"], alpha=0.22, linewidth=0)
                axes.plot(panel.lengths, median, marker=marker, markersize=2.6, **look)
                handles.append(Line2D([], [], label=group.words, marker=marker, markersize=2.6, **look))
            blanks = [panel.remark, *[" "] * n_lines][not panel.remark :]
            handles += [Line2D([], [], linestyle="none", label=text) for text in blanks[: n_lines - len(handles)]]
            axes.legend(
                handles=handles, title=panel.model, title_fontproperties={"weight": "bold", "size": 7.5},
                loc="lower left", bbox_to_anchor=(0, 1), alignment="left", frameon=False, handlelength=1.2,
                labelspacing=0.2, borderpad=0.1, borderaxespad=0.2,
            )  # fmt: skip
            axes.set_xlabel(_TIME)
        log_axis(row[0], "y", *limits)
        row[0].set_ylim(*limits)
        row[0].set_ylabel(label)
        row[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
        band = Patch(color=_study.LIGHT_GREY, alpha=0.5, label=_BAND_WORDS)
        _style.legend_above(figure, [Line2D([], [], label=_ZERO_WORDS, **zero), band])
    return figure


def _draw_plotly(panels: list[_Panel], limits: tuple[float, float], label: str) -> Any:
    import plotly.graph_objects as go

    figure = _study.plotly_panels(len(panels))
    n_lines = max(panel.n_lines for panel in panels)
    for col, panel in enumerate(panels, start=1):
        lines = [f"<b>{panel.model}</b>"]
        for group in panel.groups:
            colour, words = _SCREEN[group.closed], _CLOSED[group.closed][0]
            lines.append(f'<span style="color:{colour}">{"●" if group.closed else "■"}</span> {group.words}')
            low, median, high = np.maximum([group.low, group.median, group.high], limits[0])
            known = np.isfinite(median)
            place: dict[str, Any] = {"row": 1, "col": col}
            quiet: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
            figure.add_trace(go.Scatter(x=panel.lengths[known], y=low[known], **quiet), **place)
            shade = f"rgba({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))}, 0.22)"
            figure.add_trace(
                go.Scatter(x=panel.lengths[known], y=high[known], fill="tonexty", fillcolor=shade, **quiet), **place
            )
            figure.add_trace(
                go.Scatter(
                    x=panel.lengths, y=median, mode="lines+markers", name=words, showlegend=False,
                    line={"color": colour, "width": 2},
                    marker={"size": 6, "symbol": "circle" if group.closed else "square"},
                    customdata=np.stack([group.low, group.high], -1),
                    hovertemplate=(
                        f"{words}, {_study.plural(group.n_pairs, 'pair')}<br>horizon %{{x:g}}: %{{y:.3g}}"
                        f" (%{{customdata[0]:.3g}} … %{{customdata[1]:.3g}})<extra>{panel.model}</extra>"
                    ),
                ),
                **place,
            )  # fmt: skip
        lines += [panel.remark] * bool(panel.remark)
        _study.plotly_heading(figure, "<br>".join(lines + ["&nbsp;"] * (1 + n_lines - len(lines))), col=col)
        ends = [panel.lengths[0], panel.lengths[-1]]
        dashes = {"color": _style.MIDDLE_GREY, "width": 1.2, "dash": "dash"}
        figure.add_trace(
            go.Scatter(
                x=ends, y=[_ZERO_OUTPUT] * 2, mode="lines", line=dashes, name=_ZERO_WORDS, showlegend=col == 1,
                hoverinfo="skip",
            ),
            row=1, col=col,
        )  # fmt: skip
    figure.add_trace(go.Scatter(**_style.legend_entry(_BAND_WORDS, "rgba(128,128,128,0.4)")))
    _style.style_plotly(figure, height=440)
    figure.update_layout(margin={"t": 40 + 18 * n_lines}, showlegend=True)
    _study.plotly_title_below(figure, _TIME, len(panels))
    figure.update_yaxes(**_study.plotly_log_axis(*limits))
    figure.update_yaxes(title=label, col=1)
    return figure
