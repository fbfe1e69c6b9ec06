"""Numbers of limit sets over epochs as strokes: one for each set, or start, at each epoch looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures._columns import Columns, make_columns
from rnnscope.figures.sheet import Axis, Band, Edge, Line, Mark, Panel, Points, Reference, boxes, key, strokes
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks.orbits import CLIPPED_WORDS, GAP_WORDS
from rnnscope.findings.kinds import LIMIT_KINDS, limit_words

if TYPE_CHECKING:
    import xarray

BAND_WORDS = "± standard error"
MANY = 30
# The largest, the second, and all others: told apart by width and strength, and named in the legend.
LOOKS: tuple[dict[str, Any], ...] = (
    {"weight": "strong"}, {"weight": "normal", "opacity": 0.75}, {"weight": "fine", "opacity": 0.5},
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Rates:
    """Values and errors (step, input, member, order) of members of a role (step, input, member).

    ``roles`` are the words of each role that may occur, ``names`` those of each order; stability ends at ``mark``.
    """

    data: "xarray.Dataset"
    values: np.ndarray
    errors: np.ndarray
    sorts: np.ndarray
    roles: dict[str, str]
    names: tuple[str, ...]
    mark: float
    label: str

    def at(self, position: int) -> np.ndarray:
        """Which values of an input there are."""
        return ~np.isnan(self.values[:, position]) & (self.sorts[:, position, :, None] >= 0)


LIMIT_ROLES = {kind: limit_words(code) for code, kind in enumerate(LIMIT_KINDS)}


def rates_track(rates: Rates, view: View, heading: Callable[[str], str], *, height: float = 0.7) -> Track:
    """A panel for each input chosen that was measured, all on the same axis; none where no number is known."""
    data, columns = rates.data, make_columns(rates.data["epoch"].values)
    chosen = view.each_input(data)
    known = [rates.values[:, position][rates.at(position)] for _, position in chosen]
    limits = rate_range(known, include=rates.mark)
    stacked, middle = view.paper and view.settings.get("alone"), len(chosen) // 2
    panels = []
    for at, (option, position) in enumerate(chosen):
        words = view.words(option, short=bool(at or not stacked)) or ""
        none = "" if known[at].size else ": nothing known"
        place: dict[str, Any] = {"row": at} if stacked else {"option": None if view.paper else option}
        label = rates.label if not stacked or at == middle else ""
        axis = Axis(label, range=limits, shared=f"rates{at}" if stacked else "", n_ticks=4)
        marks = tuple(_marks(rates, position, limits, columns))
        panels.append(Panel(marks, y=axis, heading=heading(words) + none, height=height, **place))
    source = "attractors" if "kind" in data else "lyapunov"
    found = Track.of(panels, columns.extent, _legend(rates, panels, columns, limits), data, source)
    return replace(found, known=any(np.isfinite(values).any() for values in known))


def _marks(rates: Rates, position: int, limits: tuple[float, float], columns: Columns) -> list[Mark]:
    """Bands of one standard error, strokes with the largest on top, and the line where stability ends."""
    low, high = limits
    found: list[Mark] = [Reference(rates.mark, role="reference")]
    step, member, order = np.nonzero(rates.at(position))
    value = rates.values[step, position, member, order].astype(float)
    error = rates.errors[step, position, member, order]
    error = np.where(np.isfinite(error), error, 0.0)
    sort = rates.sorts[step, position, member]
    left, right, epoch = columns.left[step], columns.right[step], columns.epochs[step]
    for at, code in sorted({(-int(at), int(code)) for at, code in zip(order, sort, strict=True)}):
        here = (order == -at) & (sort == code) & np.isfinite(value)
        role, words = list(rates.roles.items())[code]
        wide = here & (error > 0.002 * (high - low))
        ends = value[wide] - error[wide], value[wide] + error[wide]
        found.append(boxes(left[wide], right[wide], *ends, role=role))
        facts = {"epoch": epoch[here], "error": error[here]}
        told = " ± {error:.2g}" if (error[here] > 0).any() else ""
        hover = f"epoch {{epoch:.0f}}\n{rates.names[-at]} = {{y:.4g}}{told}\n{words}"
        look = LOOKS[min(-at, len(LOOKS) - 1)]
        found.append(strokes(left[here], right[here], value[here], role=role, facts=facts, hover=hover, **look))
    said = "epoch {x}: beyond the axis"
    found.append(Edge(np.unique(epoch[value < low]), top=False, shape="triangle-down", hover=said))
    return [*found, Edge(np.unique(epoch[value > high]), hover=said)]


def _legend(rates: Rates, panels: Sequence[Panel], columns: Columns, limits: tuple[float, float]) -> tuple[Mark, ...]:
    marks = [mark for panel in panels for mark in panel.marks]
    present = {mark.role for mark in marks if isinstance(mark, Line) and mark.x.size}
    found: list[Mark] = [
        key(words, role, sign=Line, weight="strong") for role, words in rates.roles.items() if role in present
    ]
    if len(rates.names) > 1 and present:
        found += [key(name, "ink", sign=Line, **LOOKS[min(at, 2)]) for at, name in enumerate(rates.names)]
    room = 0.02 * (limits[1] - limits[0])
    with np.errstate(invalid="ignore", over="ignore"):
        wide = any((mark.high - mark.low > room).any() for mark in marks if isinstance(mark, Band))
    if wide:
        found.append(key(BAND_WORDS, "ink", sign=Band))
    if any(mark.x.size for mark in marks if isinstance(mark, Edge)):
        found.append(key(CLIPPED_WORDS, "ink", sign=Points, shape="triangle-up"))
    return (*found, key(GAP_WORDS, "gap")) if columns.have_gaps else tuple(found)


def rate_range(known: Sequence[np.ndarray], *, include: float) -> tuple[float, float]:
    """A value axis with ``include`` on it that the lowest tenth of the values cannot flatten."""
    every = np.concatenate([values.astype(float) for values in known] or [np.empty(0)])
    every = every[np.isfinite(every)]
    if not every.size:
        return include - 1.0, include + 1.0
    reach = np.abs(every - include)
    low, high = min(float(every.min()), include), max(float(every.max()), include)
    if len(every) >= MANY:
        most = 2.0 * float(np.quantile(reach, 0.9))
        low, high = max(low, include - most), min(high, include + most)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin
