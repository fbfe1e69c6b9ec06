"""The learning rate over training, where the run has recorded it."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks._curves import curve_panel

if TYPE_CHECKING:
    import pandas

SOURCES = ("scalars",)


def track(scalars: "pandas.DataFrame", view: View) -> Track:
    """The column ``learning_rate`` of the scalars."""
    known = "learning_rate" in scalars and np.isfinite(scalars["learning_rate"].to_numpy(dtype=float)).any()
    require(known, "scalars", "a column 'learning_rate' with at least one finite value", list(scalars))
    epochs = scalars.index.to_numpy()
    panel, keys = curve_panel("learning rate", epochs, scalars["learning_rate"].to_numpy(dtype=float))
    return Track((panel,), (float(epochs.min()), float(epochs.max())), tuple(keys))
