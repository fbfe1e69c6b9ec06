"""Which limit sets a training had when: phases of a result of ``Attractors`` over epochs, as plain data."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.reading import by_step, column, flags, input_name
from rnnscope.report.story import joined

if TYPE_CHECKING:
    import xarray

Sets = tuple[tuple[str, int], ...]  # (kind, period) of every limit set at an input, in order


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


@dataclass(frozen=True)
class AttractorPhase:
    """A stretch of epochs over which the inputs keep much the same limit sets."""

    first_epoch: int
    last_epoch: int
    groups: tuple[Group, ...]


def attractor_phases(attractors: "xarray.Dataset", *, max_phases: int = 8) -> list[AttractorPhase]:
    """The phases of a training by the kinds of limit sets at its inputs, in order.

    Epochs looked at with as many inputs of each sort are joined into phases as ``rnnscope.report.story.phases`` joins
    them. Within a phase each input has its commonest sets; inputs with the same ones are a group.

    Args:
        attractors: result of ``Attractors`` on a run, or on one network.
        max_phases: the most there may be.

    """
    data = by_step(attractors)
    epochs = data["epoch"].values
    sets = _sets(data)
    sorts = sorted({own for row in sets for own in row})
    counts = np.array([[row.count(sort) for sort in sorts] for row in sets])
    return [
        AttractorPhase(int(epochs[first]), int(epochs[last]), _groups(data, sets, first, last))
        for first, last in joined(counts, max_phases)
    ]


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


def _groups(data: "xarray.Dataset", sets: list[list[Sets]], first: int, last: int) -> tuple[Group, ...]:
    n_inputs, values = data.sizes["input"], column(data, "input_value")
    commonest = [Counter(row[at] for row in sets[first : last + 1]).most_common(1)[0][0] for at in range(n_inputs)]
    groups = []
    for sort in dict.fromkeys(commonest):
        inputs = tuple(at for at in range(n_inputs) if commonest[at] == sort)
        holds = [(step, at) for step in range(first, last + 1) for at in inputs if sets[step][at] == sort]
        groups.append(
            Group(
                inputs,
                tuple(float(values[at]) for at in inputs),
                tuple(input_name(data, at) for at in inputs),
                tuple(_limit_set(data, holds, place, *named) for place, named in enumerate(sort)),
                len(holds) / ((last - first + 1) * len(inputs)),
            )
        )
    return tuple(groups)


def _limit_set(data: "xarray.Dataset", holds: list[tuple[int, int]], place: int, kind: str, period: int) -> LimitSet:
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
