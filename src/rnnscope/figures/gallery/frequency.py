"""The frequency that the network learned against the one that was wanted."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Edge, Line, Mark, Panel, Points, Sheet
from rnnscope.findings.endings import WINDOW, ending
from rnnscope.findings.kinds import KINDS
from rnnscope.findings.reading import by_step, column, input_axis_label, input_words

if TYPE_CHECKING:
    import xarray


def frequency(summary: "xarray.Dataset", *, n_epochs: int = WINDOW, backend: Backend = "matplotlib") -> Any:
    """Frequency of the oscillation at each input over the last epochs, against the wanted frequency.

    Of the last ``n_epochs`` epochs looked at those count at which the input oscillates (half of its starts do).
    Where these are at least half of them, a point is the median over them and their oscillating starts, its bar the
    whole range; the line is equality. All other inputs are ticks on the horizontal axis, in the colour of what they
    most often do. Without a coordinate ``wanted_frequency`` the horizontal axis is the input itself, and there is no
    line.

    Args:
        summary: result of ``summarise_orbits``; ``frequency`` (step, input, start) in rad/step.
        n_epochs: how many of the last epochs looked at count.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or a number of epochs that is not positive.

    """
    require(n_epochs >= 1, "n_epochs", "at least 1", n_epochs)
    return render(_sheet(by_step(summary), n_epochs), backend)


def _sheet(summary: "xarray.Dataset", n_epochs: int) -> Sheet:
    wanted = "wanted_frequency" in summary.coords
    across = column(summary, "wanted_frequency" if wanted else "input_value").astype(float)
    end = ending(summary, n_epochs)
    words = np.array([input_words(summary, position, short=True) for position in range(len(across))], dtype=object)
    moving, ends = ~np.isnan(end.frequency), np.array([across.min(), across.max()])
    marks: list[Mark] = [Line(ends, ends, role="quiet", name="equal")] if wanted else []
    if moving.any():
        bars = {"low": end.lowest[moving], "high": end.highest[moving]}
        said: dict[str, Any] = {"facts": {"input": words[moving]}, "hover": "{input}\nlearned {y:.4g} rad/step"}
        name = f"learned, last {end.n_epochs} epochs looked at"
        marks.append(Points(across[moving], end.frequency[moving], role="oscillates", name=name, **bars, **said))
    for code, kind in enumerate(KINDS):
        at = across[~moving & (end.kinds == code)]
        if at.size:
            told = {"oscillates": "oscillates at under half", "undetermined": kind}.get(kind, f"mostly {kind}")
            marks.append(Edge(at, top=False, shape="tick", role=kind, name=told, hover="{x:.4g}: " + told))
    label = "wanted frequency (rad/step)" if wanted else input_axis_label(summary)
    x = Axis.over(label, across, n_ticks=5)
    y = Axis.over("learned frequency (rad/step)", end.lowest, end.highest, ends if wanted else ends[:0], n_ticks=5)
    return Sheet((Panel(tuple(marks), x, y, height=1.9),))
