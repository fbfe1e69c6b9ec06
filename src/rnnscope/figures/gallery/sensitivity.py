"""Why a gradient vanishes: because the network latches the difference, or because it forgets it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.findings.reading import flags

if TYPE_CHECKING:
    import xarray

_WORDS = {
    "remains": "gradient remains",
    "forgotten": "gradient vanishes, ends with the first: forgotten",
    "latched": "gradient vanishes, ends apart: latched",
}
_COLOURS = {"remains": "#2e8b6f", "forgotten": _style.RESTS, "latched": _style.OSCILLATES}


def sensitivity(sensitivity: "xarray.Dataset", *, backend: _style.Backend = "matplotlib") -> Any:
    """‖∂x[t]/∂x[0]‖ of each start above, its distance from the first trajectory below, against time.

    Both panels fall where the start is forgotten. Where the upper one falls and the lower one stays, the difference
    decided which attractor was reached: the gradient vanished because the network latched.

    Args:
        sensitivity: result of ``sensitivities``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or fewer than two starts.

    """
    _style.check_backend(backend)
    require(sensitivity.sizes["start"] > 1, "sensitivity", "at least two starts", sensitivity.sizes["start"])
    time = sensitivity["time"].values
    words = {value: word for word, value in flags(sensitivity["fate"]).items()}
    fates = [words[int(value)] for value in sensitivity["fate"].values]
    norms = sensitivity["log_state_sensitivity"].transpose("time", "start").values / np.log(10)
    apart = sensitivity["separation"].transpose("time", "start").values
    with np.errstate(divide="ignore"):
        apart = np.log10(np.where(apart > 0, apart, np.nan))
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(time, norms, apart, fates)


def _panels(norms: np.ndarray, apart: np.ndarray) -> tuple[tuple[str, np.ndarray, range], ...]:
    starts = range(norms.shape[1])
    return ("‖∂x[t]/∂x[0]‖", norms, starts), ("distance from the first", apart, starts[1:])


def _draw_matplotlib(time: np.ndarray, norms: np.ndarray, apart: np.ndarray, fates: list[str]) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(2.9)
        axes = figure.subplots(2, 1, sharex=True)
        for each, (label, values, starts) in zip(axes, _panels(norms, apart), strict=True):
            for start in starts:
                each.plot(time, values[:, start], color=_COLOURS[fates[start]], linewidth=0.7, alpha=0.8)
            _style.corner_label(each, label)
            each.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            each.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"$10^{{{value:g}}}$"))
            each.margins(x=0.01)
        axes[1].set_xlabel("time t (steps)")
        handles = [
            Line2D([], [], color=colour, linewidth=1.4, label=_WORDS[fate])
            for fate, colour in _COLOURS.items()
            if fate in fates
        ]
        _style.legend_above(figure, handles)
    return figure


def _draw_plotly(time: np.ndarray, norms: np.ndarray, apart: np.ndarray, fates: list[str]) -> Any:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.08)
    for row, (label, values, starts) in enumerate(_panels(norms, apart), start=1):
        for start in starts:
            figure.add_trace(
                go.Scatter(
                    x=time, y=values[:, start], mode="lines", showlegend=False,
                    line={"color": _COLOURS[fates[start]], "width": 1.3},
                    hovertemplate=f"start {start}, t = %{{x}}<br>10^%{{y:.2f}}<extra></extra>",
                ), row, 1,
            )  # fmt: skip
        figure.update_yaxes(title=label, tickprefix="10^", nticks=5, row=row, col=1)
    for fate, colour in _COLOURS.items():
        if fate in fates:
            figure.add_trace(go.Scatter(**_style.legend_entry(_WORDS[fate], colour, line=True)))
    _style.style_plotly(figure, height=440)
    figure.update_xaxes(title="time t (steps)", row=2, col=1)
    return figure
