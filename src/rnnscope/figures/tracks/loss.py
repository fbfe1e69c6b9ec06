"""The loss over training."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures.sheet import Axis, Line, Panel
from rnnscope.figures.tracks import Track, View
from rnnscope.findings.reading import log_scale, loss_curve

if TYPE_CHECKING:
    import pandas

SOURCES = ("scalars",)
Curve = tuple[np.ndarray, np.ndarray]


def track(scalars: "pandas.DataFrame", view: View) -> Track:
    """The column ``loss`` of the scalars."""
    curve = loss_curve(scalars)
    require(curve is not None, "scalars", "a column 'loss' with at least one finite value", list(scalars))
    assert curve is not None
    return of_curve(curve)


def of_curve(curve: Curve, axis: Axis | None = None) -> Track:
    """Epochs and losses as a track, on an axis of their own if none is given."""
    epochs, _ = curve
    panel = Panel(lines({"": curve}), y=axis or loss_axis({"": curve}), height=0.7)
    return Track((panel,), (float(epochs.min()), float(epochs.max())))


def loss_axis(curves: Mapping[str, Curve]) -> Axis:
    """An axis for all losses, logarithmic where every one is positive."""
    losses = [losses for _, losses in curves.values()]
    return Axis.over("loss", *losses, scale="log" if log_scale(losses) else "linear", shared="loss")


def lines(curves: Mapping[str, Curve]) -> tuple[Line, ...]:
    """A line for each run, in ink if it is alone."""
    hover = "epoch {x}\nloss {y:.4g}"
    return tuple(
        Line(
            epochs,
            losses,
            role=f"series {at}" if len(curves) > 1 else "ink",
            name=name,
            hover=hover + ("\n" + name if name else ""),
        )
        for at, (name, (epochs, losses)) in enumerate(curves.items())
    )
