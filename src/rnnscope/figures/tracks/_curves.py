"""A number of the cost over epochs: a line, a band around it, rings where it is doubtful, crosses where it is not."""

import numpy as np

from rnnscope.figures.sheet import Axis, Band, Edge, Line, Mark, Panel, Points, key

DOUBTFUL_WORDS = "residual above 0.01"
LOST_WORDS = "not positive, or not known"
_HUGE = 1e300


def curve_panel(
    label: str,
    epochs: np.ndarray,
    values: np.ndarray,
    *,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    doubtful: np.ndarray | None = None,
    height: float = 0.7,
) -> tuple[Panel, list[Mark]]:
    """A panel with a logarithmic axis, and what its legend has to explain."""
    shown = _positive(values)
    lost = ~np.isfinite(shown)
    told = f"epoch {{x}}\n{label} {{y:.4g}}"
    marks: list[Mark] = []
    ends = [shown]
    if low is not None and high is not None and (low < high).any():
        ends = [_positive(low), _positive(high)]
        marks.append(Band(epochs, *ends, role="moving"))
    marks.append(Line(epochs, shown, hover=told))
    if len(epochs) < 60:
        marks.append(Points(epochs[~lost], shown[~lost], shape="dot", hover=told))
    keys: list[Mark] = []
    if doubtful is not None and (doubtful & ~lost).any():
        ring = doubtful & ~lost
        marks.append(Points(epochs[ring], shown[ring], role="rests", filled=False, size=1.3))
        keys.append(key(DOUBTFUL_WORDS, "rests", sign=Points, filled=False))
    if lost.any():
        hover = f"epoch {{x}}: {LOST_WORDS}"
        marks.append(Edge(epochs[lost], top=False, shape="x", role="diverges", hover=hover))
        keys.append(key(LOST_WORDS, "diverges", sign=Points, shape="x"))
    y = Axis.over(label, *ends, scale="log")
    return Panel(tuple(marks), y=y, height=height), keys


def _positive(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where((values > 0) & (values < _HUGE), values, np.nan)
