"""Which attractors there are at which inputs, over training."""

from typing import TYPE_CHECKING, Any

from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.tracks import View, kinds, stack

if TYPE_CHECKING:
    import xarray


def attractor_map(attractors: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
    """Kinds of the attractors over epoch and input.

    One row per input, in ascending order. A cell is divided among the attractors that are there, in proportion to the
    starts that come to each of them, in the order of the kinds and then of the mean output; a gap divides two of the
    same kind. An attractor that any start comes to is seen, however small its share. An epoch that was not looked
    at is drawn like the nearest one that was; further away than half the usual spacing of the epochs thereabouts there
    is a gap. Where there are more epochs than columns, a column shows the mean shares over its epochs.

    Args:
        attractors: result of the probe ``attractors``; ``kind`` and ``fraction`` (step, input, attractor) are drawn
            (``step`` may be missing).
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend.

    """
    view = View(paper=backend == "matplotlib", settings={"alone": True})
    return render(stack({"": [kinds.track(attractors, view)]}, view), backend)
