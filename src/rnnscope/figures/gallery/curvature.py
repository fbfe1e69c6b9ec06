"""Cost, gradient, curvature and sensitivity over the epochs of a training, one panel each on the same axis."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.tracks import View, load, stack

if TYPE_CHECKING:
    import xarray

_VARIABLES = ("cost", "gradient_norm", "hessian_eigenvalue", "log_state_sensitivity")
_TRACKS = ("cost", "gradient", "curvature", "sensitivity")


def curvature(smoothness: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
    """Cost, ‖∇V‖, the largest eigenvalue of ∇²V and ‖∂x[T]/∂x[0]‖ against the epoch, on logarithmic axes.

    An eigenvalue whose residual is above a hundredth is drawn as a ring, one that is not positive or has not converged
    as a cross at the foot of the panel. The sensitivity is the median over sequences, its band their whole range.

    Args:
        smoothness: result of ``Smoothness``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or no finite value at all.

    """
    known = any(np.isfinite(smoothness[name].values).any() for name in _VARIABLES)
    require(known, "smoothness", "a finite value", "none")
    view = View()
    return render(stack({"": [load(name).track(smoothness, view) for name in _TRACKS]}, view), backend)
