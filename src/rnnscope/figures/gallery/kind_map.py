"""At which inputs, over training, the network rests, oscillates or diverges."""

from typing import TYPE_CHECKING, Any

from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.tracks import View, kinds, stack

if TYPE_CHECKING:
    import xarray


def kind_map(summary: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
    """Kind of motion over epoch and input: rests, oscillates, diverges or undetermined.

    One row per input, in ascending order and of equal height, labelled with its name or value. The kind of an
    input is that of at least half of its starts, ties going to oscillates (see ``summarise_orbits``). An epoch that was
    not looked at is drawn like the nearest one that was; further away than half the usual spacing of the epochs
    thereabouts there is a gap. Where there are more epochs than columns, a column shows the kind that is commonest
    among its epochs, and every other kind that occurs as a stripe at the foot of the row.

    Args:
        summary: result of ``summarise_orbits``; ``input_kind`` (step, input) is what is drawn.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend.

    """
    view = View(paper=backend == "matplotlib", settings={"alone": True})
    return render(stack({"": [kinds.track(summary, view)]}, view), backend)
