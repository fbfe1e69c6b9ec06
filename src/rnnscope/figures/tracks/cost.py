"""The cost of the sequences that the probe was given, epoch by epoch."""

from typing import TYPE_CHECKING

from rnnscope.figures._columns import make_columns
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks._curves import curve_panel
from rnnscope.findings.reading import by_step

if TYPE_CHECKING:
    import xarray

SOURCES = ("smoothness",)


def track(smoothness: "xarray.Dataset", view: View) -> Track:
    """The cost of a result of ``Smoothness``."""
    data = by_step(smoothness)
    epochs = data["epoch"].values
    panel, keys = curve_panel("cost", epochs, data["cost"].values)
    return Track.of([panel], make_columns(epochs).extent, keys, data, "smoothness")
