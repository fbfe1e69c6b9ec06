"""The multipliers of fixed points and cycles in the complex plane, over training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.figures._spectra import make_spectra
from rnnscope.figures._style import Backend, check_backend

if TYPE_CHECKING:
    import xarray

SOURCES = {"found": ("attractors", "fixedpoints")}


def multipliers(
    found: "xarray.Dataset",
    *,
    inputs: int | Sequence[int] | None = None,
    epochs: Sequence[int] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Multipliers μ of fixed points and cycles in the complex plane, with the unit circle.

    A multiplier inside the circle belongs to a direction that dies out; one that leaves it does so at +1 in a fold or a
    pitchfork, at -1 in a flip, as a pair in a Neimark-Sacker bifurcation. In matplotlib all chosen epochs are drawn,
    told apart by colour; plotly slides through them, with all others faint behind. An open mark belongs to a point that
    is not stable; points out of reach are left out. The axes are equal and hold the multipliers and the circle next to
    them, but for the outermost fiftieth of many if these are beyond 2.5; what is not shown is counted beside the panel.

    Args:
        found: result of the probe ``attractors`` (leading multipliers of what attracts) or ``fixedpoints`` (all of
            them, unstable points too); ``step`` may be missing.
        inputs: index or indices along ``input``. Matplotlib has one plane for each (default: lowest, middle and
            highest); plotly offers them in a menu (default: all).
        epochs: some that were looked at; by default at most 60 of them, evenly chosen with the first and the last.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend or input; an epoch that was not looked at; a Dataset without multipliers.

    """
    check_backend(backend)
    spectra = make_spectra(found, inputs, epochs, everything=backend == "plotly")
    if backend == "matplotlib":
        from rnnscope.figures._spectra_matplotlib import draw
    else:
        from rnnscope.figures._spectra_plotly import draw
    return draw(spectra)
