"""Which limit sets a training had when, told from a result of ``Attractors``."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.phases import MAX_PHASES, Phase, Same, inputs_words, phases_of
from rnnscope.findings.reading import by_step, flags
from rnnscope.findings.tables import Table
from rnnscope.findings.words import epoch_range, signed

if TYPE_CHECKING:
    import xarray

Sets = tuple[tuple[str, int], ...]  # (kind, period) of every limit set at an input, in order
_COLUMNS = ("epochs", "inputs", "limit set", "starts", "λ1 (nat/step)", "|μ1|, frequency (rad/step)")


@dataclass(frozen=True)
class LimitSet:
    """One of the limit sets that some inputs have over a phase: medians and ranges over its epochs and these inputs.

    ``exponent`` is the median of λ1 in nat/step with that of its standard error, ``exponent_range`` the least and the
    largest; ``multiplier_range`` are the least and the largest of the largest |μ| (None unless it is a fixed point or a
    cycle); ``frequency_range`` in rad/step are those of the medians of the inputs, None where nothing goes round;
    ``doubt`` is why it is undetermined, in words, mostly.
    """

    kind: str
    period: int
    fraction: float
    exponent: float
    exponent_error: float
    exponent_range: tuple[float, float]
    multiplier_range: tuple[float, float] | None
    frequency_range: tuple[float, float] | None
    doubt: str = ""

    def words(self) -> str:
        """The kind, in words.

        >>> LimitSet("cycle", 3, 1.0, -0.1, 0.0, (-0.1, -0.1), (0.7, 0.7), None).words()
        '3-cycle'
        """
        return f"{self.period}-cycle" if self.kind == "cycle" else self.kind.replace("_", " ")


@dataclass(frozen=True)
class Group:
    """Inputs that have the same kinds of limit sets over a phase, and at what share of its epochs × inputs exactly."""

    inputs: tuple[int, ...]
    values: tuple[float, ...]
    names: tuple[str, ...]
    sets: tuple[LimitSet, ...]
    share: float


def phases(attractors: "xarray.Dataset", *, max_phases: int = MAX_PHASES) -> list[Phase[Group]]:
    """The phases of a training by the kinds of limit sets at its inputs, in order.

    Args:
        attractors: result of ``Attractors`` on a run, or on one network.
        max_phases: the most there may be.

    """
    data = by_step(attractors)

    def group(same: Same[Sets]) -> Group:
        sets = tuple(_limit_set(data, same.holds, place, *named) for place, named in enumerate(same.found))
        return Group(same.inputs, same.values, same.names, sets, same.share)

    return phases_of(data, _sets(data), group, max_phases)


def _sets(data: "xarray.Dataset") -> list[list[Sets]]:
    """The (kind, period) of all limit sets, by step and input."""
    names = {value: meaning for meaning, value in flags(data["kind"]).items()}
    kinds = data["kind"].transpose("step", "input", "attractor").values
    periods = data["period"].transpose("step", "input", "attractor").values
    return [
        [
            tuple((names[int(k)], int(p)) for k, p in zip(at_input, period, strict=True) if int(k) in names)
            for at_input, period in zip(at_step, periods_at, strict=True)
        ]
        for at_step, periods_at in zip(kinds, periods, strict=True)
    ]


def _limit_set(
    data: "xarray.Dataset", holds: tuple[tuple[int, int], ...], place: int, kind: str, period: int
) -> LimitSet:
    steps, inputs = (np.array(part) for part in zip(*holds, strict=True))

    def at(name: str) -> np.ndarray:
        last = [dim for dim in data[name].dims if dim not in ("step", "input", "attractor")]
        return data[name].transpose("step", "input", "attractor", *last).values[steps, inputs, place]

    exponents, errors = at("lyapunov_exponent")[:, 0], at("lyapunov_error")[:, 0]
    moduli = np.hypot(at("multiplier_real")[:, 0], at("multiplier_imag")[:, 0])
    frequencies = [_median(at("frequency")[inputs == one]) for one in np.unique(inputs)]
    return LimitSet(
        kind,
        period,
        _median(at("fraction")),
        _median(exponents),
        _median(errors),
        _ends(exponents) or (float("nan"), float("nan")),
        _ends(moduli),
        _ends(np.array(frequencies)),
        _doubt(data, at("doubt")) if "doubt" in data else "",
    )


def _doubt(data: "xarray.Dataset", codes: np.ndarray) -> str:
    names = {value: meaning for meaning, value in flags(data["doubt"]).items()}
    commonest = Counter(names.get(int(code), "none") for code in codes).most_common(1)[0][0]
    return "" if commonest == "none" else commonest.replace("_", " ")


def _ends(values: np.ndarray) -> tuple[float, float] | None:
    """The least and the largest of what is known."""
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if known.size else None


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")


def table(attractors: "xarray.Dataset") -> Table:
    """Epochs, inputs, and for each limit set there its kind, the starts that reach it, λ1, |μ1| or the frequency."""
    rows, kinds = [], []
    for phase in phases(attractors):
        epochs = epoch_range(phase.first_epoch, phase.last_epoch)
        for group in phase.groups:
            inputs = inputs_words(attractors, group.inputs, group.share)
            for limit in group.sets:
                starts = f"{limit.fraction:.0%}"
                rows.append((epochs, inputs, limit.words(), starts, _exponent(limit), _rest(limit)))
                kinds.append(limit.kind)
                epochs = inputs = ""
    return Table(_COLUMNS, tuple(rows), _undetermined(attractors), tuple(kinds), _COLUMNS.index("limit set"))


def _undetermined(attractors: "xarray.Dataset") -> str:
    """How to run on what is undetermined."""
    if not (attractors["kind"].values == flags(attractors["kind"])["undetermined"]).any():
        return ""
    settings = json.loads(attractors.attrs["settings"])["settings"] if "settings" in attractors.attrs else {}
    more = settings.get("n_extensions", 2) + 1
    return f"what is undetermined is run on, four times as long, with --set n_extensions={more}"


def _exponent(limit: LimitSet) -> str:
    """λ1 with its standard error; where epochs and inputs differ by more, from the least to the largest."""
    low, high = limit.exponent_range
    if limit.exponent != limit.exponent:
        return ""
    if high - low > max(4 * limit.exponent_error, 5e-5):
        return f"{signed(low)} … {signed(high)}"
    error = f" ± {limit.exponent_error:.1g}" if limit.exponent_error > 0 else ""
    return signed(limit.exponent) + error


def _rest(limit: LimitSet) -> str:
    if limit.doubt:
        return limit.doubt
    if limit.frequency_range is not None and limit.kind != "cycle":
        low, high = (f"{value:.3g}" for value in limit.frequency_range)
        return low if low == high else f"{low} … {high}"
    if limit.multiplier_range is None:
        return ""
    low, high = (f"{value:.3f}" for value in limit.multiplier_range)
    return f"|μ1| = {low}" if low == high else f"|μ1| = {low} … {high}"
