"""Which fixed points, cycles and slow points a training had when, told from a result of ``FixedPoints``."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.phases import MAX_PHASES, Phase, Same, inputs_words, phases_of
from rnnscope.findings.reading import by_step, flags
from rnnscope.findings.tables import Table
from rnnscope.findings.words import epoch_range

if TYPE_CHECKING:
    import xarray

Counts = tuple[tuple[str, int], ...]  # (what, how many), stable ones first
_MANY_UNSEEN = 0.01  # of the searches


@dataclass(frozen=True)
class Group:
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

        >>> Group((0,), (0.0,), ("0",), (("stable fixed point", 8), ("saddle of index 1", 12)), 1.0, 5.0).words()
        '8 stable fixed points, 12 saddles of index 1'
        """
        return ", ".join(f"{n} {_plural(what) if n > 1 else what}" for what, n in self.counts) or "none"


def phases(points: "xarray.Dataset", *, max_phases: int = MAX_PHASES) -> list[Phase[Group]]:
    """The phases of a training by the numbers of its points of each sort, in order; unreachable ones do not count.

    Args:
        points: result of ``FixedPoints`` on a run, or on one network.
        max_phases: the most there may be.

    """
    data = by_step(points)
    slowest = _slowest(data)

    def group(same: Same[Counts]) -> Group:
        constants = np.array([slowest[where] for where in same.holds])
        known = constants[~np.isnan(constants)]
        median = float(np.median(known)) if known.size else float("nan")
        return Group(same.inputs, same.values, same.names, same.found, same.share, median)

    return phases_of(data, _counts(data), group, max_phases)


def table(points: "xarray.Dataset") -> Table:
    """Epochs, inputs, what there is, and the slowest time constant of a stable point."""
    rows = []
    for phase in phases(points):
        epochs = epoch_range(phase.first_epoch, phase.last_epoch)
        for group in phase.groups:
            slowest = "" if group.slowest != group.slowest else f"{group.slowest:.3g}"
            rows.append((epochs, inputs_words(points, group.inputs, group.share), group.words(), slowest))
            epochs = ""
    return Table(("epochs", "inputs", "in reach", "slowest (steps)"), tuple(rows), _unseen(points))


def _unseen(points: "xarray.Dataset") -> str:
    """Where many searches would lead to points that none has found."""
    if "unseen_share" not in points:
        return ""
    share, error = (points[f"unseen_{name}"].values.ravel() for name in ("share", "error"))
    worst = int(share.argmax())
    if share[worst] - 2 * error[worst] < _MANY_UNSEEN:
        return ""
    return (
        f"not all were found: up to {share[worst]:.0%} ± {error[worst]:.0%} of searches would lead to another point; "
        "--set unseen=0 --set n_starts=… searches on"
    )


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


def _plural(what: str) -> str:
    first, *rest = what.split(" of ")
    first = first[:-2] + "a" if first.endswith("um") else first + "s"
    return " of ".join([first, *rest])
