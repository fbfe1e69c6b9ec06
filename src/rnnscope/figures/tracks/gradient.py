"""How steep the cost is at the weights of each epoch: the norm of its gradient."""

from typing import TYPE_CHECKING

from rnnscope.figures._columns import make_columns
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks._curves import curve_panel
from rnnscope.findings.reading import by_step

if TYPE_CHECKING:
    import xarray

SOURCES = ("smoothness",)


def track(smoothness: "xarray.Dataset", view: View) -> Track:
    """The norm of the gradient of a result of ``Smoothness``."""
    data = by_step(smoothness)
    epochs = data["epoch"].values
    panel, keys = curve_panel("‖∇V‖", epochs, data["gradient_norm"].values)
    return Track.of([panel], make_columns(epochs).extent, keys, data, "smoothness")
