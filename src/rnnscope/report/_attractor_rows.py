"""The phases of a result of ``Attractors`` in words, a row for each limit set: for tables on pages and in terminals."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnscope.findings.reading import are_scalar
from rnnscope.report.attractor_story import attractor_phases

if TYPE_CHECKING:
    import xarray

    from rnnscope.report.attractor_story import Group, LimitSet
    from rnnscope.report.point_story import PointGroup

COLUMNS = ("epochs", "inputs", "limit set", "starts", "λ1 (nat/step)", "|μ1|, frequency (rad/step)")


@dataclass(frozen=True)
class AttractorRow:
    """One row under ``COLUMNS``; ``epochs`` and ``inputs`` are empty where they are those of the row above."""

    epochs: str
    inputs: str
    limit: str
    starts: str
    exponent: str
    rest: str
    kind: str


def attractor_rows(attractors: "xarray.Dataset") -> list[AttractorRow]:
    """Epochs, inputs, and for each limit set there its kind, the starts that reach it, λ1, |μ1| or the frequency."""
    n_inputs, scalar = attractors.sizes["input"], are_scalar(attractors)
    rows = []
    for phase in attractor_phases(attractors):
        first, last = phase.first_epoch, phase.last_epoch
        epochs = f"{first} – {last}" if first != last else str(first)
        for group in phase.groups:
            inputs = inputs_words(group, n_inputs, scalar=scalar)
            for limit in group.sets:
                starts = f"{limit.fraction:.0%}"
                rows.append(
                    AttractorRow(epochs, inputs, limit.words(), starts, _exponent(limit), _rest(limit), limit.kind)
                )
                epochs = inputs = ""
    return rows


def inputs_words(group: "Group | PointGroup", n_inputs: int, *, scalar: bool) -> str:
    """Which inputs, and in what part of the epochs looked at what is said of them holds exactly.

    Neighbours are a range where inputs are ``scalar``, in the order of their values.
    """
    inputs, names, share = group.inputs, group.names, group.share
    if len(inputs) == n_inputs:
        words = "all" if n_inputs > 1 else names[0]
    elif scalar and inputs[-1] - inputs[0] == len(inputs) - 1 > 1:
        words = f"{names[0]} … {names[-1]}"
    elif len(inputs) <= 3:
        words = ", ".join(names)
    else:
        words = f"{len(inputs)} of {n_inputs}"
    return words if share > 0.995 else f"{words} ({share:.0%})"


def _exponent(limit: "LimitSet") -> str:
    """λ1 with its standard error; where epochs and inputs differ by more, from the least to the largest."""
    low, high = limit.exponent_range
    if limit.exponent != limit.exponent:
        return ""
    if high - low > max(4 * limit.exponent_error, 5e-5):
        return f"{_signed(low)} … {_signed(high)}"
    error = f" ± {limit.exponent_error:.1g}" if limit.exponent_error > 0 else ""
    return _signed(limit.exponent) + error


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("-", "−") if abs(value) >= 5e-5 else "0.0000"


def _rest(limit: "LimitSet") -> str:
    if limit.doubt:
        return limit.doubt
    if limit.frequency_range is not None and limit.kind != "cycle":
        low, high = (f"{value:.3g}" for value in limit.frequency_range)
        return low if low == high else f"{low} … {high}"
    if limit.multiplier_range is None:
        return ""
    low, high = (f"{value:.3f}" for value in limit.multiplier_range)
    return f"|μ1| = {low}" if low == high else f"|μ1| = {low} … {high}"
