"""Which attractors there are at which inputs, over training."""

from typing import TYPE_CHECKING, Any

from rnnscope.figures._style import Backend, check_backend
from rnnscope.findings.reading import by_step

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
    check_backend(backend)
    attractors = by_step(attractors)
    if backend == "matplotlib":
        from rnnscope.figures._stacks_matplotlib import draw
    else:
        from rnnscope.figures._stacks_plotly import draw
    return draw(attractors)
