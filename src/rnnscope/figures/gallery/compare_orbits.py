"""Orbit diagrams of several runs side by side on equal axes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._samples import common_range
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.tracks import Track, View, loss, stack
from rnnscope.figures.tracks import orbits as orbits_track
from rnnscope.figures.tracks.loss import loss_axis
from rnnscope.findings.reading import by_step, choose_output, column, loss_curve

if TYPE_CHECKING:
    import pandas
    import xarray


def compare_orbits(
    orbits: "Mapping[str, xarray.Dataset]",
    *,
    scalars: "Mapping[str, pandas.DataFrame] | None" = None,
    inputs: int | Sequence[int] | None = None,
    output: int | str = 0,
    value_range: tuple[float, float] | None = None,
    equal_axes: bool = True,
    backend: Backend = "matplotlib",
) -> Any:
    """Orbit diagrams of several runs, a column each, with one axis of epochs, one of values and one of losses.

    Each is drawn as ``orbit_diagram`` draws it, a row for each input, the loss in the row below. The value axis holds
    all values of all runs, unless a few epochs of one would flatten all others: these are then marked at its edge.

    Args:
        orbits: results of the probe ``orbits`` by the name that stands above each column, all at the same inputs.
        scalars: by the same names: index epoch, column ``loss``; without it the coordinate ``loss`` of each Dataset.
        inputs: index or indices along ``input``. Matplotlib has a row for each (default: lowest, middle and highest);
            plotly offers them in a menu (default: all).
        output: index or label along ``output``.
        value_range: lowest and highest value of the axis.
        equal_axes: False for networks whose outputs are of different size: a value axis for each run.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: no run, runs at differing inputs, scalars of a run that is not there; unknown backend, input or
            output; an empty value range.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, figure 4.

    """
    results, view = _checked(orbits, inputs, paper=backend == "matplotlib", output=output, equal_axes=equal_axes)
    tables = dict(scalars or {})
    strangers = sorted({*tables} - {*results})
    require(not strangers, "scalars", f"those of {', '.join(results)}", strangers)
    if value_range is None and equal_axes:
        chosen = [
            data.isel(input=list(view.positions), output=[choose_output(data, output)]) for data in results.values()
        ]
        value_range = common_range(chosen)
    view = replace(view, settings={**view.settings, "value_range": value_range})
    curves = {name: loss_curve(tables.get(name), data) for name, data in results.items()}
    known = {name: curve for name, curve in curves.items() if curve is not None}
    axis = loss_axis(known) if known else None
    columns: dict[str, list[Track]] = {}
    for name, data in results.items():
        own = [_named_once(orbits_track.track(data, view), first=not columns)]
        own += [loss.of_curve(known[name], axis)] if name in known else []
        columns[name] = own
    return render(stack(columns, view), backend)


def _checked(
    orbits: "Mapping[str, xarray.Dataset]", inputs: int | Sequence[int] | None, *, paper: bool, **settings: Any
) -> "tuple[dict[str, xarray.Dataset], View]":
    require(orbits, "orbits", "results of at least one run", orbits)
    results = {name: by_step(data) for name, data in orbits.items()}
    first_name, first = next(iter(results.items()))
    for name, data in results.items():
        same = np.array_equal(column(data, "input_value"), column(first, "input_value"), equal_nan=True)
        require(
            same and data.sizes["input"] == first.sizes["input"],
            "orbits",
            f"the same constant inputs in all, those of {first_name}",
            f"others in {name}: measure one probe in all runs",
        )
    return results, View.of(first, inputs, paper=paper, **settings)


def _named_once(track: Track, *, first: bool) -> Track:
    """Only the first column says what its rows show."""
    if first:
        return track
    panels = [replace(panel, heading="", y=replace(panel.y, label="")) for panel in track.panels]
    return replace(track, panels=tuple(panels))
