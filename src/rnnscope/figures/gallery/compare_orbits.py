"""Orbit diagrams of several runs side by side on equal axes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.figures._compare import make_comparison
from rnnscope.figures._diagram import MAX_POINTS
from rnnscope.figures._style import Backend, check_backend

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
    check_backend(backend)
    comparison = make_comparison(
        orbits,
        scalars or {},
        inputs=inputs,
        output=output,
        value_range=value_range,
        equal_axes=equal_axes,
        everything=backend == "plotly",
        max_points=MAX_POINTS[backend],
    )
    if backend == "matplotlib":
        from rnnscope.figures._compare_matplotlib import draw
    else:
        from rnnscope.figures._compare_plotly import draw
    return draw(comparison)
