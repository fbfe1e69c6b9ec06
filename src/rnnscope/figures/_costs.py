"""Costs as decadic logarithms, for axes and colours: of which range, and which network's."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray


def one_step(data: "xarray.Dataset") -> "xarray.Dataset":
    """A result for one network: of several epochs the last."""
    return data.isel(step=-1) if "step" in data.dims else data


def log_range(values: np.ndarray) -> tuple[float, float] | None:
    """Smallest and largest positive value, at most eight decades apart; None where nothing is positive."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return None
    high = float(positive.max())
    return max(float(positive.min()), 1e-8 * high), high


def logarithms(values: np.ndarray) -> np.ndarray:
    """Decadic logarithms for a colour scale: values at or below the range's foot are put there, others stay NaN."""
    limits = log_range(values)
    if limits is None:
        return np.full(values.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isfinite(values), np.log10(np.clip(values, *limits)), np.nan)
