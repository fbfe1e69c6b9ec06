"""The loss over training, of one run or of several on the same axes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.findings.reading import log_scale, loss_curve

if TYPE_CHECKING:
    import pandas


def loss(
    scalars: "pandas.DataFrame | Mapping[str, pandas.DataFrame]", *, backend: _style.Backend = "matplotlib"
) -> Any:
    """Loss against epoch, on a logarithmic axis where every loss is positive.

    Args:
        scalars: index epoch, column ``loss``; or several of them, each under the name of its run.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or no finite loss at all.

    """
    _style.check_backend(backend)
    named = dict(scalars) if isinstance(scalars, Mapping) else {"": scalars}
    curves = {name: curve for name, table in named.items() if (curve := loss_curve(table)) is not None}
    require(curves, "scalars", "a column 'loss' with at least one finite value", list(named.values()))
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(curves)


def _draw_matplotlib(curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(1.5)
        axes = figure.subplots()
        colours = _style.LINE_COLOURS if len(curves) > 1 else (_style.INK,)
        for at, (name, (epochs, losses)) in enumerate(curves.items()):
            colour = colours[at % len(colours)]
            axes.plot(epochs, losses, color=colour, label=name, marker="." if len(epochs) == 1 else None)
        _style.label_loss(axes, logarithmic=log_scale([losses for _, losses in curves.values()]))
        axes.set_xlabel("epoch")
        axes.margins(x=0.01)
        if len(curves) > 1:
            _style.legend_above(figure, axes.get_lines())
    return figure


def _draw_plotly(curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    import plotly.graph_objects as go

    from rnnscope.figures._orbit_plotly import loss_axis

    figure = go.Figure()
    for at, (name, (epochs, losses)) in enumerate(curves.items()):
        colour = _style.LINE_COLOURS[at % len(_style.LINE_COLOURS)] if len(curves) > 1 else _style.MIDDLE_GREY
        figure.add_trace(
            go.Scatter(
                x=epochs,
                y=losses,
                mode="lines" if len(epochs) > 1 else "markers",
                name=name,
                line={"color": colour, "width": 1.5},
                hovertemplate="epoch %{x}<br>loss %{y:.4g}<extra>" + name + "</extra>",
            )
        )
    _style.style_plotly(figure, height=260)
    figure.update_xaxes(title="epoch", showgrid=False)
    figure.update_yaxes(**loss_axis([losses for _, losses in curves.values()]))
    figure.update_layout(showlegend=len(curves) > 1)
    return figure
