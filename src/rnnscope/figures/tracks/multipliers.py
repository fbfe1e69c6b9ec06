"""The size of the largest multiplier of each fixed point and cycle at the input chosen: beyond 1 it is not stable."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks._rates import LIMIT_ROLES, Rates, rates_track
from rnnscope.findings.kinds import limit_codes
from rnnscope.findings.reading import by_step

if TYPE_CHECKING:
    import xarray

SOURCES = ("attractors",)


def track(attractors: "xarray.Dataset", view: View) -> Track:
    """The largest |μ| of a result of ``Attractors``."""
    data = by_step(attractors)
    dims = ("step", "input", "attractor", "multiplier")
    real, imag = (data[f"multiplier_{part}"].transpose(*dims).values for part in ("real", "imag"))
    size = np.hypot(real, imag)
    largest = np.where(np.isfinite(size), size, -np.inf).max(-1, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, np.nan)
    label = "|μ|" if view.paper else "largest |μ|"
    rates = Rates(data, largest, np.zeros_like(largest), limit_codes(data), LIMIT_ROLES, ("|μ|",), 1.0, label)
    return rates_track(rates, view, lambda input_words: f"largest |μ| at {input_words}")
