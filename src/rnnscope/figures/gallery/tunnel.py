"""The orbit diagram in three dimensions: the phase plane of the output, stacked epoch by epoch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures._epochs import epoch_colours
from rnnscope.figures._tunnel import Planes, Tunnel, make_tunnel
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Choice, Panel, Path3D, Points, Points3D, Sheet, strokes

if TYPE_CHECKING:
    import xarray


def tunnel(
    orbits: "xarray.Dataset",
    *,
    inputs: int | Sequence[int] | None = None,
    output: int | str = 0,
    flat: bool = False,
    max_epochs: int | None = None,
    value_range: tuple[float, float] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Kept orbits in the plane (y[t], y[t] - y[t-1]), stacked along the epochs.

    A fixed point reads as a thread, a closed curve as a tunnel, so its birth is where the thread opens. Samples of
    an orbit in motion are points; one that settled is a stroke at its value, as long as its epoch (flat: a large
    dot); one that diverged is left out. Where there are many, only some of the epochs and of the starts are drawn,
    evenly chosen with the first and the last, and of each orbit the last samples. The axis of the epochs and a line
    beside the panel say how many, and what was left out.

    Args:
        orbits: result of the probe ``orbits``, dims ``step, input, start, time, output`` (``step`` may be
            missing), of at least two consecutive time steps.
        inputs: index or indices along ``input``. Matplotlib stacks one panel for each, plotly offers them in a menu
            (default: the middle one; in the flat figure lowest, middle and highest).
        output: index or label along ``output``.
        flat: draw the epochs over each other in the plane, told apart by colour only.
        max_epochs: the most epochs that are drawn (default: 60, in the flat figure 5); 1 is the last.
        value_range: lowest and highest value of the axis; by default that of the orbits, unless a few huge
            ones would flatten all others.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, input or output; an empty value range; no epoch wanted; a single kept sample,
            which has no difference, or samples that do not follow each other.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 4 (orbit diagrams over epochs).

    """
    if max_epochs is None:
        max_epochs = 5 if flat else 60
    content = make_tunnel(
        orbits,
        inputs=inputs,
        output=output,
        flat=flat,
        max_epochs=max_epochs,
        value_range=value_range,
        max_points=48_000 if backend == "matplotlib" else 24_000,
    )
    return render(_sheet(content, flat=flat, paper=backend == "matplotlib"), backend)


def _sheet(tunnel: Tunnel, *, flat: bool, paper: bool) -> Sheet:
    n = len(tunnel.panels)
    panels = []
    for at, planes in enumerate(tunnel.panels):
        place: dict[str, Any] = {"row": at} if paper else {"option": at if n > 1 else None}
        words: dict[str, Any] = {"heading": planes.words, "remark": " · ".join(planes.remarks)}
        panel = _flat(planes, tunnel, labelled=not paper or at == n // 2) if flat else _deep(planes, tunnel)
        panels.append(replace(panel, **place, **words))
    menu = Choice([planes.words for planes in tunnel.panels], n // 2) if n > 1 and not paper else None
    return Sheet(tuple(panels), menu=menu, colours=epoch_colours(tunnel.epochs, tunnel.epoch_label if flat else ""))


def _deep(planes: Planes, tunnel: Tunnel) -> Panel:
    epochs = planes.motion_epochs
    said = "epoch {x}\nvalue {z:.4g}\nchange {y:.3g}"
    motion = Points3D(epochs, planes.motion_changes, planes.motion_values, values=epochs, hover=said)
    thread = strokes(*tunnel.strokes(planes), planes.rest_values)
    rest_epochs = np.repeat(planes.rest_epochs, 3)
    rests = Path3D(
        thread.x, np.zeros(thread.x.shape, np.float32), thread.y, values=rest_epochs,
        hover="epoch {epoch:.0f}\nsettled at {z:.4g}", facts={"epoch": rest_epochs},
    )  # fmt: skip
    return Panel(
        (motion, rests),
        x=Axis(tunnel.epoch_label, range=tunnel.columns.extent, n_ticks=5),
        y=Axis(tunnel.change_label.replace(" y", "\ny", 1), range=tunnel.change_range, n_ticks=3),
        z=Axis(tunnel.value_label, range=tunnel.value_range, n_ticks=4),
        height=2.2,
        view=(20.0, -118.0),
        aspect=(2.5, 1.0, 1.1),
        zoom=0.88,
    )


def _flat(planes: Planes, tunnel: Tunnel, *, labelled: bool) -> Panel:
    def told(epochs: np.ndarray, hover: str) -> dict[str, Any]:
        return {"values": epochs, "facts": {"epoch": epochs}, "hover": "epoch {epoch:.0f}\n" + hover}

    motion = told(planes.motion_epochs, "value {x:.4g}\nchange {y:.3g}")
    rests = told(planes.rest_epochs, "settled at {x:.4g}")
    marks = (
        Points(planes.motion_values, planes.motion_changes, shape="dot", size=0.9, **motion),
        Points(planes.rest_values, np.zeros(planes.rest_values.shape), size=1.3, **rests),
    )
    return Panel(
        marks,
        x=Axis(tunnel.value_label, range=tunnel.value_range, shared="value"),
        y=Axis(tunnel.change_label if labelled else "", range=tunnel.change_range, n_ticks=4, shared="change"),
        height=1.35,
    )
