"""Which fixed points, cycles and slow points a training had when: phases of a result of ``FixedPoints`` over epochs."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.reading import by_step, column, flags, input_name
from rnnscope.report.story import joined

if TYPE_CHECKING:
    import xarray

Counts = tuple[tuple[str, int], ...]  # (what, how many), stable ones first


@dataclass(frozen=True)
class PointGroup:
    """Inputs with as many points of each sort over a phase, and at what share of its epochs × inputs exactly.

    ``slowest`` is the largest finite time constant -1 / ln|μ| of a stable point there, in steps: its median.
    """

    inputs: tuple[int, ...]
    values: tuple[float, ...]
    names: tuple[str, ...]
    counts: Counts
    share: float
    slowest: float

    def words(self) -> str:
        """What there is, in words.

        >>> PointGroup((0,), (0.0,), ("0",), (("stable fixed point", 8), ("saddle of index 1", 12)), 1.0, 5.0).words()
        '8 stable fixed points, 12 saddles of index 1'
        """
        return ", ".join(f"{n} {_plural(what) if n > 1 else what}" for what, n in self.counts) or "none"


@dataclass(frozen=True)
class PointPhase:
    """A stretch of epochs over which the inputs keep much the same points."""

    first_epoch: int
    last_epoch: int
    groups: tuple[PointGroup, ...]


def point_phases(points: "xarray.Dataset", *, max_phases: int = 8) -> list[PointPhase]:
    """The phases of a training by the numbers of its points of each sort, in order; unreachable ones do not count.

    Args:
        points: result of ``FixedPoints`` on a run, or on one network.
        max_phases: the most there may be; epochs are joined as ``rnnscope.report.story.phases`` joins them.

    """
    data = by_step(points)
    epochs, found = data["epoch"].values, _counts(data)
    sorts = sorted({own for row in found for own in row})
    table = np.array([[row.count(sort) for sort in sorts] for row in found])
    slowest = _slowest(data)
    return [
        PointPhase(int(epochs[first]), int(epochs[last]), _groups(data, found, slowest, first, last))
        for first, last in joined(table, max_phases)
    ]


def _counts(data: "xarray.Dataset") -> list[list[Counts]]:
    """What there is, by step and input."""
    names = {value: meaning.replace("_", " ") for meaning, value in flags(data["status"]).items()}
    dims = ("step", "input", "point")
    status, index, period = (data[name].transpose(*dims).values for name in ("status", "index", "period"))
    shown = (status >= 0) & (data["reachable"].transpose(*dims).values > 0)
    stable = data["stable"].transpose(*dims).values
    is_stable = flags(data["stable"])["stable"]

    def word(at: tuple[int, ...]) -> tuple[int, str]:
        kind = names[int(status[at])]
        if kind not in ("fixed point", "cycle"):
            return 100, kind
        name = kind if kind == "fixed point" else f"{int(period[at])}-cycle"
        if stable[at] == is_stable:
            return 0, f"stable {name}"
        if index[at] > 0:
            return int(index[at]), f"saddle of index {int(index[at])}" if name == "fixed point" else f"unstable {name}"
        return 99, f"marginal {name}"

    result = []
    for step in range(status.shape[0]):
        row = []
        for at in range(status.shape[1]):
            counted = Counter(word((step, at, int(k))) for k in np.flatnonzero(shown[step, at]))
            row.append(tuple((what, n) for (_, what), n in sorted(counted.items())))
        result.append(row)
    return result


def _slowest(data: "xarray.Dataset") -> np.ndarray:
    """The largest time constant of a stable point, by step and input; NaN where there is none."""
    real, imaginary = (
        data[f"multiplier_{part}"].transpose("step", "input", "point", "eigenvalue").values for part in ("real", "imag")
    )
    modulus = np.nan_to_num(np.hypot(real, imaginary), nan=np.inf).max(-1)
    inside = (modulus < 1) & (modulus > 0) & (data["reachable"].transpose("step", "input", "point").values > 0)
    constants = np.where(inside, -1 / np.log(np.where(inside, modulus, 0.5)), -np.inf).max(-1)
    return np.where(np.isfinite(constants), constants, np.nan)


def _groups(
    data: "xarray.Dataset", found: list[list[Counts]], slowest: np.ndarray, first: int, last: int
) -> tuple[PointGroup, ...]:
    n_inputs, values = data.sizes["input"], column(data, "input_value")
    commonest = [Counter(row[at] for row in found[first : last + 1]).most_common(1)[0][0] for at in range(n_inputs)]
    groups = []
    for sort in dict.fromkeys(commonest):
        inputs = tuple(at for at in range(n_inputs) if commonest[at] == sort)
        holds = [(step, at) for step in range(first, last + 1) for at in inputs if found[step][at] == sort]
        constants = np.array([slowest[where] for where in holds])
        known = constants[~np.isnan(constants)]
        groups.append(
            PointGroup(
                inputs,
                tuple(float(values[at]) for at in inputs),
                tuple(input_name(data, at) for at in inputs),
                sort,
                len(holds) / ((last - first + 1) * len(inputs)),
                float(np.median(known)) if known.size else float("nan"),
            )
        )
    return tuple(groups)


def _plural(what: str) -> str:
    first, *rest = what.split(" of ")
    first = first[:-2] + "a" if first.endswith("um") else first + "s"
    return " of ".join([first, *rest])
