"""Orbits of the state and the points among them, in the plane in which the state moves most."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.figures._portrait import make_portraits
from rnnscope.figures._style import Backend, check_backend

if TYPE_CHECKING:
    import xarray

SOURCES = {"orbits": (("orbits", {"keep_states": True}),), "points": ("fixedpoints", "attractors")}


def phase_portrait(
    orbits: "xarray.Dataset",
    points: "xarray.Dataset | None" = None,
    *,
    epoch: int | None = None,
    inputs: int | Sequence[int] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Orbits of the whole state, projected on its two leading principal components, with fixed points and cycles.

    The components are those of the kept states of all orbits shown; where these stand still, of the points. Stable
    points are filled, unstable ones open, with the number of their unstable directions beside them; points out of
    reach are left out. Where the eigenvectors are known, ``FixedPoints(vectors=True)``, a short line goes along each
    unstable direction (two for a complex pair), the shorter the more it points out of the plane. An orbit that goes on
    in small steps is a line, any other is points. Kept transients, ``Orbits(n_transient=0, keep_states=True)``, show
    where the state comes from; the default Orbits show where it ends.

    Args:
        orbits: result of the probe ``orbits`` measured with ``keep_states=True`` (``step`` may be missing).
        points: result of the probe ``fixedpoints`` or ``attractors``, with the same epoch; points are drawn at the
            inputs that both have.
        epoch: one that was looked at; by default the last that all Datasets have.
        inputs: index or indices along ``input`` (default: the middle one). Matplotlib stacks one panel for each, plotly
            offers them in a menu; all are in the same plane.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend or input; orbits without states; an epoch that one of the two does not have.

    """
    check_backend(backend)
    portraits = make_portraits(orbits, points, epoch, inputs)
    if backend == "matplotlib":
        from rnnscope.figures._portrait_matplotlib import draw
    else:
        from rnnscope.figures._portrait_plotly import draw
    return draw(portraits)
