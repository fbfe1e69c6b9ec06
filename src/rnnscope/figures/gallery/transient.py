"""How the output moves in time at one epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._samples import Samples
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
    backend: _style.Backend = "matplotlib",
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
    _style.check_backend(backend)
    orbits = by_step(orbits)
    epochs = [int(value) for value in orbits["epoch"].values]
    at_epoch = len(epochs) - 1 if epoch is None else _position(epochs, epoch)
    positions = choose_inputs(orbits, inputs, everything=False)
    at_output = choose_output(orbits, output)
    samples = Samples.of(orbits.isel(step=[at_epoch]), at_output)
    courses = _Courses(
        time=orbits["time"].values if "time" in orbits.coords else np.arange(orbits.sizes["time"]),
        curves=[samples.values[0, position] for position in positions],
        words=[
            input_words(orbits, position, short=at > 0) + _diverged(samples, position)
            for at, position in enumerate(positions)
        ],
        value_range=samples.value_range(positions),
        value_label=value_label(orbits, at_output),
        time_label=f"time step (epoch {epochs[at_epoch]}, one line per start)",
    )
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(courses)


@dataclass(frozen=True, eq=False)
class _Courses:
    """For each panel its ``curves`` (start, time) and its ``words``."""

    time: np.ndarray
    curves: list[np.ndarray]
    words: list[str]
    value_range: tuple[float, float]
    value_label: str
    time_label: str


def _position(epochs: list[int], epoch: int) -> int:
    nearest = min(epochs, key=lambda known: abs(known - epoch))
    require(epoch in epochs, "epoch", f"an epoch that was looked at (the nearest is {nearest})", epoch)
    return len(epochs) - 1 - epochs[::-1].index(epoch)


def _diverged(samples: Samples, position: int) -> str:
    status = samples.status[0, position]
    n = int((status == samples.diverged).sum())
    return f" – {n} of {status.size} starts diverged" if n else ""


def _colours(n: int) -> list[str]:
    return [_style.LINE_COLOURS[k % len(_style.LINE_COLOURS)] for k in range(n)]


def _draw_matplotlib(shown: _Courses) -> Any:
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(0.5 + 0.95 * len(shown.curves))
        panels = figure.subplots(len(shown.curves), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for panel, lines, label in zip(panels, shown.curves, shown.words, strict=True):
            for line, colour in zip(lines, _colours(len(lines)), strict=True):
                panel.plot(shown.time, line, color=colour, marker="." if len(shown.time) == 1 else None)
            _style.corner_label(panel, label)
        panels[len(panels) // 2].set_ylabel(shown.value_label)
        panels[-1].set_xlabel(shown.time_label)
        panels[-1].margins(x=0)
        panels[-1].set_ylim(shown.value_range)
    return figure


def _draw_plotly(shown: _Courses) -> Any:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    n = len(shown.curves)
    height = 130 * n + 60
    figure = make_subplots(
        rows=n,
        cols=1,
        shared_xaxes=True,
        subplot_titles=shown.words,
        vertical_spacing=28 / height,
    )
    for row, lines in enumerate(shown.curves, start=1):
        for start, (line, colour) in enumerate(zip(lines, _colours(len(lines)), strict=True)):
            trace = go.Scatter(
                x=shown.time,
                y=line,
                mode="lines" if len(shown.time) > 1 else "markers",
                line={"color": colour, "width": 1.3},
                showlegend=False,
                hovertemplate=f"step %{{x}}<br>value %{{y:.4g}}<extra>start {start}</extra>",
            )
            figure.add_trace(trace, row=row, col=1)
    _style.style_plotly(figure, height=height + 30)
    figure.update_layout(margin={"t": 28, "b": 48})
    figure.update_annotations(x=0, xanchor="left", font={"size": 12})
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(range=list(shown.value_range))
    for row in range(2, n + 1):
        figure.update_yaxes(matches="y", row=row, col=1)
    figure.update_xaxes(title=shown.time_label, row=n, col=1)
    figure.update_yaxes(title=shown.value_label, row=n // 2 + 1, col=1)
    return figure
