"""Why a gradient vanishes: because the network latches the difference, or because it forgets it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Line, Panel, Sheet, key
from rnnscope.figures.theme import level_ticks
from rnnscope.findings.reading import flags

if TYPE_CHECKING:
    import xarray

_FATES = {  # words and roles
    "remains": ("gradient remains", "series 2"),
    "forgotten": ("gradient vanishes, ends with the first: forgotten", "rests"),
    "latched": ("gradient vanishes, ends apart: latched", "oscillates"),
}


def sensitivity(sensitivity: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
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
    require(sensitivity.sizes["start"] > 1, "sensitivity", "at least two starts", sensitivity.sizes["start"])
    return render(_sheet(sensitivity), backend)


def _sheet(sensitivity: "xarray.Dataset") -> Sheet:
    time = sensitivity["time"].values
    words = {value: word for word, value in flags(sensitivity["fate"]).items()}
    fates = [words[int(value)] for value in sensitivity["fate"].values]
    norms = sensitivity["log_state_sensitivity"].transpose("time", "start").values / np.log(10)
    apart = sensitivity["separation"].transpose("time", "start").values
    apart = np.log10(np.where(apart > 0, apart, np.nan))
    panels = []
    for row, (heading, levels, first) in enumerate(
        (("‖∂x[t]/∂x[0]‖", norms, 0), ("distance from the first", apart, 1))
    ):
        lines = tuple(
            Line(time, levels[:, start], role=_FATES[fates[start]][1], hover=f"start {start}, t = {{x}}\n10^{{y:.2f}}")
            for start in range(first, len(fates))
        )
        y = Axis.over("", levels[:, first:])
        y = replace(y, ticks=level_ticks(*y.range)) if y.range else y
        panels.append(Panel(lines, Axis("time t (steps)", shared="time"), y, row=row, height=1.05, heading=heading))
    keys = [key(told, role, sign=Line) for fate, (told, role) in _FATES.items() if fate in fates]
    return Sheet(tuple(panels), legend=tuple(keys))
