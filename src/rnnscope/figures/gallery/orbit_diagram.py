"""The orbit diagram over training: where the output goes, epoch by epoch, with the loss underneath."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.tracks import View, exponents, kinds, loss, multipliers, stack
from rnnscope.figures.tracks import orbits as orbits_track
from rnnscope.findings.reading import by_step, loss_curve

if TYPE_CHECKING:
    import pandas
    import xarray

SOURCES = {"orbits": ("orbits",)}


def orbit_diagram(
    orbits: "xarray.Dataset",
    *,
    scalars: "pandas.DataFrame | None" = None,
    summary: "xarray.Dataset | None" = None,
    attractors: "xarray.Dataset | None" = None,
    inputs: int | Sequence[int] | None = None,
    output: int | str = 0,
    value_range: tuple[float, float] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Value of the output along the kept orbit against epoch, with the loss on the same epoch axis.

    A fixed point reads as a thin line, a closed curve as a band, so its birth is where the line opens. Orbits
    that settled are drawn as one line per distinct value; the samples of the others as points, or above 20 000
    of them as a density on a logarithmic colour scale. Where an orbit diverged, or leaves the value axis, its
    epoch is marked at the edge of the panel. An epoch that was not looked at is drawn like the nearest one that was;
    but further away than half the usual spacing of the epochs thereabouts there is a gap.

    Args:
        orbits: result of the probe ``orbits``, dims ``step, input, start, time, output`` (``step`` may be
            missing).
        scalars: index epoch, column ``loss``; without it the coordinate ``loss`` of the Dataset, if there is
            one.
        summary: result of ``summarise_orbits``; adds a strip with the kind of motion at every input, as
            ``kind_map`` draws it.
        attractors: result of the probe ``attractors``, at any epochs; in place of the strip of kinds it adds on the
            same epoch axis what ``attractor_map`` draws and, at the input that is shown (matplotlib: the middle one of
            those chosen), the leading exponents with bands of one standard error and the largest |μ|.
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
    view = View.of(
        orbits, inputs, paper=backend == "matplotlib", output=output, value_range=value_range
    )  # fmt: skip
    tracks = [orbits_track.track(orbits, view)]
    if attractors is not None:
        tracks.append(kinds.track(attractors, view))
        rates = exponents.track(attractors, view), multipliers.track(attractors, view)
        tracks += [track for track in rates if track.known]
    elif summary is not None:
        tracks.append(kinds.track(summary, view))
    curve = loss_curve(scalars, by_step(orbits))
    if curve is not None:
        tracks.append(loss.of_curve(curve))
    return render(stack({"": tracks}, view), backend)
