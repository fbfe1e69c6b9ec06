"""What the figures of a cost have in common: masks, logarithmic colours, line colours by length."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures import _style

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

MASK_COLOUR = "#e9e4da"
PATH_COLOUR = "#d3541b"
MASK_WORDS = "cost not finite"


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


def power_of_ten(exponent: float) -> str:
    """10^x as a plain number where that is short.

    >>> power_of_ten(-2.0), power_of_ten(0.5), power_of_ten(-7.0)
    ('0.01', '3.2', '1e-07')
    """
    value = 10.0**exponent
    return f"{value:.2g}"


def log_axis(axes: "Axes", name: str, low: float, high: float) -> None:
    """A logarithmic axis ('x' or 'y') with a few plain numbers, or powers of ten where it spans many decades."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

    getattr(axes, f"set_{name}scale")("log")
    axis = getattr(axes, f"{name}axis")
    axis.set_minor_formatter(NullFormatter())
    if high / low > 1e5:
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_locator(NullLocator())
        return
    axis.set_major_locator(FixedLocator(_style.loss_ticks(low, high)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def plotly_colour_bar(values: np.ndarray, title: str) -> dict[str, Any]:
    """A colour bar of decadic logarithms, labelled with the numbers themselves."""
    known = values[np.isfinite(values)]
    if not known.size:
        return {"title": title}
    ticks = np.linspace(known.min(), known.max(), 5)
    return {
        "title": {"text": title, "side": "right"},
        "tickvals": ticks.tolist(),
        "ticktext": [power_of_ten(tick) for tick in ticks],
        "outlinewidth": 0,
        "thickness": 14,
    }
