"""The loss over training, of one run or of several on the same axes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import require
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Panel, Sheet
from rnnscope.figures.tracks.loss import lines, loss_axis
from rnnscope.findings.reading import loss_curve

if TYPE_CHECKING:
    import pandas


def loss(scalars: "pandas.DataFrame | Mapping[str, pandas.DataFrame]", *, backend: Backend = "matplotlib") -> Any:
    """Loss against epoch, on a logarithmic axis where every loss is positive.

    Args:
        scalars: index epoch, column ``loss``; or several of them, each under the name of its run.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or no finite loss at all.

    """
    named = dict(scalars) if isinstance(scalars, Mapping) else {"": scalars}
    curves = {name: curve for name, table in named.items() if (curve := loss_curve(table)) is not None}
    require(curves, "scalars", "a column 'loss' with at least one finite value", list(named.values()))
    ends = [end for epochs, _ in curves.values() for end in (float(epochs.min()), float(epochs.max()))]
    limits = (min(ends), max(ends)) if min(ends) < max(ends) else (min(ends) - 0.5, max(ends) + 0.5)
    panel = Panel(lines(curves), x=Axis("epoch", range=limits), y=loss_axis(curves), height=1.0)
    return render(Sheet((panel,)), backend)
