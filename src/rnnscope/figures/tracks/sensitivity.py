"""How much the last state depends on the first along the data: the norm of the derivative."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._columns import make_columns
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks._curves import curve_panel
from rnnscope.findings.reading import by_step

if TYPE_CHECKING:
    import xarray

SOURCES = ("smoothness",)


def track(smoothness: "xarray.Dataset", view: View) -> Track:
    """The median over sequences of a result of ``Smoothness``, with their whole range as a band."""
    data = by_step(smoothness)
    epochs = data["epoch"].values
    # what no float64 can hold has no place on the axis either
    logarithms = np.clip(data["log_state_sensitivity"].transpose("step", ...).values / np.log(10), -300, 300)
    found = 10**logarithms
    low, median, high = found.min(1), np.median(found, axis=1), found.max(1)
    panel, keys = curve_panel("‖∂x[T]/∂x[0]‖", epochs, median, low=low, high=high)
    return Track.of([panel], make_columns(epochs).extent, keys, data, "smoothness")
