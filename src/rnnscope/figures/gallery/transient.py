"""How the output moves in time at one epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._samples import Samples
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Line, Panel, Sheet
from rnnscope.findings.reading import by_step, choose_inputs, choose_output, input_words, value_label

if TYPE_CHECKING:
    import xarray

SOURCES = {"orbits": (("orbits", {"n_transient": 0}), "orbits")}


def transient(
    orbits: "xarray.Dataset",
    *,
    epoch: int | None = None,
    inputs: int | Sequence[int] | None = None,
    output: int | str = 0,
    backend: Backend = "matplotlib",
) -> Any:
    """Value of the output against time step at one epoch, a line per start and a panel per input.

    All panels have the same value axis; an orbit that diverges does not set it, and is said beside the panel.

    Args:
        orbits: result of the probe ``orbits``, dims ``step, input, start, time, output`` (``step`` may be
            missing).
        epoch: one that was looked at; by default the last.
        inputs: index or indices along ``input`` (default: lowest, middle and highest).
        output: index or label along ``output``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: an epoch that was not looked at, unknown backend, input or output.

    """
    orbits = by_step(orbits)
    epochs = [int(value) for value in orbits["epoch"].values]
    at_epoch = len(epochs) - 1 if epoch is None else _position(epochs, epoch)
    positions = choose_inputs(orbits, inputs, everything=False)
    return render(_sheet(orbits.isel(step=[at_epoch]), positions, choose_output(orbits, output)), backend)


def _position(epochs: list[int], epoch: int) -> int:
    nearest = min(epochs, key=lambda known: abs(known - epoch))
    require(epoch in epochs, "epoch", f"an epoch that was looked at (the nearest is {nearest})", epoch)
    return len(epochs) - 1 - epochs[::-1].index(epoch)


def _sheet(orbits: "xarray.Dataset", positions: list[int], output: int) -> Sheet:
    samples = Samples.of(orbits, output)
    time = orbits["time"].values if "time" in orbits.coords else np.arange(orbits.sizes["time"])
    x = Axis(f"time step (epoch {int(orbits['epoch'].values[0])}, one line per start)", shared="time")
    limits, panels = samples.value_range(positions), []
    for row, position in enumerate(positions):
        lines = tuple(
            Line(time, values, role=f"series {start}", hover=f"start {start}, step {{x}}\nvalue {{y:.4g}}")
            for start, values in enumerate(samples.values[0, position])
        )
        label = value_label(orbits, output) if row == len(positions) // 2 else ""
        words = input_words(orbits, position, short=row > 0) + _diverged(samples, position)
        panels.append(Panel(lines, x, Axis(label, range=limits, shared="value"), row=row, height=0.75, heading=words))
    return Sheet(tuple(panels))


def _diverged(samples: Samples, position: int) -> str:
    status = samples.status[0, position]
    n = int((status == samples.diverged).sum())
    return f" – {n} of {status.size} starts diverged" if n else ""
