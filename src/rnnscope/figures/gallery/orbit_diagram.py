"""The orbit diagram over training: where the output goes, epoch by epoch, with the loss underneath."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import require
from rnnscope.figures._data import by_step, choose_inputs, choose_output, loss_curve, value_label
from rnnscope.figures._orbit_layers import Diagram, Orbits, make_columns
from rnnscope.figures._style import Backend, check_backend

if TYPE_CHECKING:
    import pandas
    import xarray

MAX_POINTS = {"matplotlib": 100_000, "plotly": 20_000}  # an svg point costs a browser more than a pixel


def orbit_diagram(
    orbits: "xarray.Dataset",
    *,
    scalars: "pandas.DataFrame | None" = None,
    summary: "xarray.Dataset | None" = None,
    inputs: int | Sequence[int] | None = None,
    output: int | str = 0,
    value_range: tuple[float, float] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Value of the output along the kept orbit against epoch, with the loss on the same epoch axis.

    A fixed point reads as a thin line, a closed curve as a band, so its birth is where the line opens. Orbits
    that settled are drawn as one line per distinct value; the samples of the others as points, or above 10⁵
    of them as a density on a logarithmic colour scale. Where an orbit diverged, or leaves the value axis, its
    epoch is marked at the edge of the panel. An epoch that was not recorded looks like the nearest one that was;
    but further away than half the usual spacing of the epochs thereabouts there is a gap.

    Args:
        orbits: result of the probe ``orbits``, dims ``step, input, start, time, output`` (``step`` may be
            missing).
        scalars: index epoch, column ``loss``; without it the coordinate ``loss`` of the Dataset, if there is
            one.
        summary: result of ``summarise_orbits``; adds a strip with the kind of motion at every input, as
            ``kind_map`` draws it.
        inputs: index or indices along ``input``. Matplotlib stacks one panel for each (default: lowest,
            middle and highest); plotly offers them in a menu (default: all).
        output: index or label along ``output``.
        value_range: lowest and highest value of the axis; by default that of the orbits, unless a few huge
            ones would flatten all others.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, input or output; an empty value range.

    """
    check_backend(backend)
    orbits = by_step(orbits)
    chosen = choose_inputs(orbits, inputs, everything=backend == "plotly")
    at_output = choose_output(orbits, output)
    samples = Orbits.of(orbits, at_output)
    if value_range is None:
        value_range = samples.value_range(chosen)
    require(value_range[0] < value_range[1], "value_range", "a lowest value below the highest", value_range)
    columns = make_columns(orbits["epoch"].values)
    n_points = samples.count_moving(chosen)
    binned = columns if n_points > MAX_POINTS[backend] else None
    panels = [samples.layers(position, value_range, binned) for position in chosen]
    diagram = Diagram(
        panels=panels,
        columns=columns,
        value_range=value_range,
        value_label=value_label(orbits, at_output),
        loss=loss_curve(scalars, orbits),
        summary=None if summary is None else by_step(summary),
        n_samples=samples.values.shape[2] * samples.values.shape[3],
    )
    if backend == "matplotlib":
        from rnnscope.figures._orbit_matplotlib import draw
    else:
        from rnnscope.figures._orbit_plotly import draw
    return draw(diagram)
