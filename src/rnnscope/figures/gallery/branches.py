"""A bifurcation diagram: fixed points and cycles over training, and what happens to them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Dash, Line, Mark, Panel, Points
from rnnscope.figures.tracks import Track, View, stack
from rnnscope.figures.tracks.events import SIGNS, event_epochs, snapshot_epochs
from rnnscope.findings.bifurcations import kinds_of_events, meanings
from rnnscope.findings.reading import choose_output, same_input, with_unit

if TYPE_CHECKING:
    import xarray

SOURCES = {"bifurcations": ("bifurcations",)}


def branches(
    bifurcations: "xarray.Dataset",
    *,
    inputs: int | Sequence[int] | None = None,
    output: int | str = 0,
    backend: Backend = "matplotlib",
) -> Any:
    """Output at every fixed point and cycle against the epoch: stable ones as solid lines, unstable ones dashed, with a
    sign at every bifurcation.

    A line begins and ends where the branch does: in a fold with another, or where nothing was followed any more. Of a
    cycle one point is drawn.

    Args:
        bifurcations: result of the probe ``bifurcations``.
        inputs: index or indices along ``input``. Matplotlib has a panel for each (default: lowest, middle and highest);
            plotly offers them in a menu (default: all).
        output: index or label along ``output``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, input or output; a Dataset without branches.

    """
    require(
        "branch" in bifurcations.dims, "bifurcations", "a result of the probe bifurcations", list(bifurcations.dims)
    )
    data = bifurcations.isel(step=-1) if "step" in bifurcations.dims else bifurcations
    paper = backend == "matplotlib"
    view = View.of(bifurcations, inputs, paper=paper)
    at = choose_output(data, output)
    positions = [same_input(data, bifurcations, position) for position in view.positions]
    epochs = snapshot_epochs(data)
    values = data["output_value"].values[..., at]
    name = str(data["output"].values[at]) if data.sizes["output"] > 1 else "output"
    axis = Axis.over(with_unit(name, ""), values, shared="value")
    panels = []
    for option, position in enumerate(positions):
        if position is None:
            continue
        marks = (*_lines(data, position, epochs, values), *_signs(data, position, at))
        where: dict[str, Any] = {"row": option} if paper else {"option": option}
        panels.append(Panel(marks, y=axis, height=1.1 if paper else 1.8, heading=view.words(option), **where))
    extent = (float(epochs.min()), float(epochs.max()))
    return render(stack({"": [Track(tuple(panels), extent)]}, view), backend)


def _lines(data: "xarray.Dataset", position: int, epochs: np.ndarray, values: np.ndarray) -> list[Mark]:
    """Stretches of branches, one mark for all stable ones and one for all others, with gaps between them."""
    rows = np.flatnonzero(data["branch_input"].values == position)
    index = data["index"].values[rows]
    marks: list[Mark] = []
    looks: tuple[tuple[bool, str, Dash, str], ...] = (
        (False, "undecided", "dashed", "unstable"),
        (True, "rests", "solid", "stable"),
    )
    for stable, role, dash, name in looks:
        own = (index == 0) if stable else (index > 0)
        # a stretch goes on to the snapshot after its last one where the branch does, so that no gap is left at a change
        there = index >= 0
        drawn = own.copy()
        drawn[:, 1:] |= own[:, :-1] & there[:, 1:]
        if not drawn.any():
            continue
        gap = np.full((len(rows), 1), np.nan)
        y = np.concatenate([np.where(drawn, values[rows], np.nan), gap], 1).ravel()
        x = np.broadcast_to(np.append(epochs, np.nan), (len(rows), len(epochs) + 1)).ravel()
        weight = "normal" if stable else "fine"
        marks.append(Line(x, y, role=role, dash=dash, name=name, weight=weight, hover="epoch {x}\n{y:.4g}, " + name))
    return marks


def _signs(data: "xarray.Dataset", position: int, output: int) -> list[Mark]:
    own = data["event_input"].values == position
    kinds, told = kinds_of_events(data), meanings(data)
    words = np.array([f"{each.name}: {each.does}" for each in told], dtype=object)
    minor = np.array([each.rank > 0 for each in told], dtype=bool)
    epochs, values = event_epochs(data), data["event_output"].values[:, output]
    marks: list[Mark] = []
    for kind, (role, shape, label) in SIGNS.items():
        for small in (True, False):
            rows = own & (kinds == kind) & (minor == small)
            if rows.any():
                look: dict[str, Any] = {"filled": not small, "size": 0.5 if small else 0.9, "name": label}
                said: dict[str, Any] = {"facts": {"words": words[rows]}, "hover": "epoch {x:.2f}\n{words}"}
                marks.append(Points(epochs[rows], values[rows], shape=shape, role=role, **look, **said))
    return marks
