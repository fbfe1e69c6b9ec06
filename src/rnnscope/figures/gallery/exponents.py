"""The leading Lyapunov exponents over training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import require
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.tracks import View, stack
from rnnscope.figures.tracks import exponents as track

if TYPE_CHECKING:
    import xarray

SOURCES = {"exponents": ("attractors", "lyapunov")}


def exponents(
    exponents: "xarray.Dataset",
    *,
    inputs: int | Sequence[int] | None = None,
    n_exponents: int = 3,
    backend: Backend = "matplotlib",
) -> Any:
    """Largest Lyapunov exponents against epoch, each with a band of one standard error on either side.

    One stroke for each attractor, in the colour of its kind, as long as the stretch that stands for its epoch; of a
    result of ``Lyapunov`` one for each start, in the colour of its status. The largest exponent is the
    strongest, the legend names the others. At the
    dashed line, 0, small differences neither grow nor die out. All panels have the same axis; a value far below those
    of nine tenths of the strokes is not shown, its epoch is marked at the edge of the panel.

    Args:
        exponents: result of the probe ``attractors`` or ``lyapunov`` (``step`` may be missing).
        inputs: index or indices along ``input``. Matplotlib stacks one panel for each (default: lowest, middle and
            highest); plotly offers them in a menu (default: all).
        n_exponents: how many, at most.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend or input; no exponent wanted; a Dataset that has none.

    """
    require(n_exponents >= 1, "n_exponents", "at least 1", n_exponents)
    view = View.of(exponents, inputs, paper=backend == "matplotlib", alone=True, n_exponents=n_exponents)
    return render(stack({"": [track.track(exponents, view)]}, view), backend)
