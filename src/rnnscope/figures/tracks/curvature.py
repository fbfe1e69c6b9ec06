"""How curved the cost is at the weights of each epoch: the largest eigenvalue of its Hessian."""

from typing import TYPE_CHECKING

from rnnscope.figures._columns import make_columns
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks._curves import curve_panel
from rnnscope.findings.reading import by_step

if TYPE_CHECKING:
    import xarray

SOURCES = ("smoothness",)
RESIDUAL = 1e-2  # beyond, an eigenvalue is marked


def track(smoothness: "xarray.Dataset", view: View) -> Track:
    """The largest eigenvalue of a result of ``Smoothness``; a ring where it has not converged well."""
    data = by_step(smoothness)
    epochs = data["epoch"].values
    largest = data["hessian_eigenvalue"].transpose("step", "eigenvalue").values[:, 0]
    residual = data["hessian_residual"].transpose("step", "eigenvalue").values[:, 0]
    panel, keys = curve_panel("λmax(∇²V)", epochs, largest, doubtful=~(residual <= RESIDUAL))
    return Track.of([panel], make_columns(epochs).extent, keys, data, "smoothness")
