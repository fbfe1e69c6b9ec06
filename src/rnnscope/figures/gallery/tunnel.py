"""The orbit diagram in three dimensions: the phase plane of the output, stacked epoch by epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.figures._style import Backend, check_backend
from rnnscope.figures._tunnel import make_tunnel

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
    check_backend(backend)
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
    if backend == "matplotlib":
        from rnnscope.figures._tunnel_matplotlib import draw
    else:
        from rnnscope.figures._tunnel_plotly import draw
    return draw(content)
