"""Lyapunov exponents over epochs as strokes: one for each limit set, or start, at each epoch looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.figures._limit_kinds import LIMIT_COLOURS, LIMIT_SCREEN_COLOURS
from rnnscope.figures._orbit_layers import Columns, make_columns
from rnnscope.findings.kinds import limit_codes, limit_words
from rnnscope.findings.reading import epoch_label, flags, input_words, with_unit

if TYPE_CHECKING:
    import xarray

MANY = 30
BAND_WORDS = "± standard error"
CLIPPED_WORDS = "beyond the axis (clipped)"


@dataclass(frozen=True)
class Sort:
    """What a stroke belongs to: words of the legend, colours on paper and on screen."""

    words: str
    colour: str
    screen_colour: str


LIMIT_SORTS = tuple(
    Sort(limit_words(code), *colours)
    for code, colours in enumerate(zip(LIMIT_COLOURS, LIMIT_SCREEN_COLOURS, strict=True))
)
_CONVERGED = Sort("converged", _style.OSCILLATES, _style.SCREEN_COLOURS[1])
_NOT_CONVERGED = Sort("not converged", _style.UNDETERMINED, _style.SCREEN_COLOURS[3])
_DIVERGED = Sort("diverged", _style.DIVERGES, _style.SCREEN_COLOURS[2])
STATUS_SORTS = (_CONVERGED, _NOT_CONVERGED, _DIVERGED)


@dataclass(frozen=True, eq=False)
class Strokes:
    """One input's values, an entry for each that is a number, with ``sort`` the position in the table of sorts.

    ``left`` and ``right`` bound the stretch that stands for its epoch, ``error`` is one standard error, ``order`` which
    exponent it is (0 the largest).
    """

    words: str
    short_words: str
    epoch: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    error: np.ndarray
    order: np.ndarray
    sort: np.ndarray

    def where(self, chosen: np.ndarray) -> "Strokes":
        """Those entries that are chosen."""
        names = ("epoch", "left", "right", "value", "error", "order", "sort")
        return Strokes(self.words, self.short_words, **{name: getattr(self, name)[chosen] for name in names})

    def parts(self) -> "list[tuple[int, int, Strokes]]":
        """The entries apart by order, the largest last, and sort."""
        pairs = sorted({(-int(order), int(sort)) for order, sort in zip(self.order, self.sort, strict=True)})
        return [(-order, sort, self.where((self.order == -order) & (self.sort == sort))) for order, sort in pairs]


_NONE, _NO_CODE = np.empty(0), np.empty(0, int)
NOTHING = Strokes("", "", _NONE, _NONE, _NONE, _NONE, _NONE, _NO_CODE, _NO_CODE)


@dataclass(frozen=True, eq=False)
class Rates:
    """Strokes of several inputs on the same axes, on which ``mark`` is where stability ends; ``names`` by order."""

    panels: list[Strokes]
    columns: Columns
    sorts: tuple[Sort, ...]
    value_range: tuple[float, float]
    words: str
    unit: str
    names: tuple[str, ...]
    mark: float
    epoch_label: str

    @property
    def value_label(self) -> str:
        """What an axis says that stands alone."""
        return with_unit(self.words, self.unit)

    @property
    def present(self) -> list[Sort]:
        """The sorts that occur, in their order."""
        found = {int(code) for strokes in self.panels for code in np.unique(strokes.sort)}
        return [sort for code, sort in enumerate(self.sorts) if code in found]

    @property
    def has_bands(self) -> bool:
        """Whether an error is wide enough to be seen."""
        low, high = self.value_range
        return any((strokes.error > 0.01 * (high - low)).any() for strokes in self.panels)

    @property
    def any_clipped(self) -> bool:
        return any(epochs.size for strokes in self.panels for epochs in self.clipped(strokes))

    def clipped(self, strokes: Strokes) -> tuple[np.ndarray, np.ndarray]:
        """Epochs at which a value is below, and above, the axis."""
        low, high = self.value_range
        return np.unique(strokes.epoch[strokes.value < low]), np.unique(strokes.epoch[strokes.value > high])


def exponent_rates(data: "xarray.Dataset", positions: Sequence[int | None], n_exponents: int) -> Rates:
    """The leading exponents of a result of ``Attractors`` (by attractor) or of ``Lyapunov`` (by start)."""
    of_sets = "kind" in data
    member = "attractor" if of_sets else "start"
    require(
        {"lyapunov_exponent", "lyapunov_error"} <= {*data.data_vars} and member in data["lyapunov_exponent"].dims,
        "exponents", "a result of the probe attractors or lyapunov", sorted(map(str, data.data_vars)),
    )  # fmt: skip
    dims = ("step", "input", member, "exponent")
    values = data["lyapunov_exponent"].transpose(*dims).values[..., :n_exponents]
    errors = data["lyapunov_error"].transpose(*dims).values[..., :n_exponents]
    sort = limit_codes(data) if of_sets else _by_status(data)
    panels, columns = strokes_of(data, values, errors, sort, positions)
    names = tuple(f"λ{k + 1}" for k in range(values.shape[-1]))
    return Rates(
        panels=panels,
        columns=columns,
        sorts=LIMIT_SORTS if of_sets else STATUS_SORTS,
        value_range=rate_range(panels, include=0.0),
        words=" ≥ ".join(names) if len(names) < 4 else f"λ1 … λ{len(names)}",
        unit="nat/step",
        names=names,
        mark=0.0,
        epoch_label=epoch_label(data),
    )


def multiplier_rates(attractors: "xarray.Dataset", positions: Sequence[int | None]) -> Rates:
    """The size of the largest multiplier of each fixed point and cycle."""
    dims = ("step", "input", "attractor", "multiplier")
    real, imag = (attractors[f"multiplier_{part}"].transpose(*dims).values for part in ("real", "imag"))
    size = np.hypot(real, imag)
    largest = np.where(np.isfinite(size), size, -np.inf).max(-1, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, np.nan)
    panels, columns = strokes_of(attractors, largest, np.zeros_like(largest), limit_codes(attractors), positions)
    return Rates(
        panels=panels,
        columns=columns,
        sorts=LIMIT_SORTS,
        value_range=rate_range(panels, include=1.0),
        words="largest |μ|",
        unit="1",
        names=("|μ|",),
        mark=1.0,
        epoch_label=epoch_label(attractors),
    )


def _by_status(data: "xarray.Dataset") -> np.ndarray:
    """Positions in ``STATUS_SORTS`` (step, input, start)."""
    status = data["status"].transpose("step", "input", "start").values
    meaning = flags(data["status"])
    sort = np.full(status.shape, STATUS_SORTS.index(_NOT_CONVERGED))
    sort[status == meaning["converged"]] = STATUS_SORTS.index(_CONVERGED)
    sort[status == meaning["diverged"]] = STATUS_SORTS.index(_DIVERGED)
    return sort


def strokes_of(
    data: "xarray.Dataset", values: np.ndarray, errors: np.ndarray, sort: np.ndarray, positions: Sequence[int | None]
) -> tuple[list[Strokes], Columns]:
    """Values and errors (step, input, set, order) of sets of a sort (step, input, set), for each input wanted.

    Where an input is None there is nothing.
    """
    columns = make_columns(data["epoch"].values)
    panels = []
    for position in positions:
        if position is None:
            panels.append(NOTHING)
            continue
        own = values[:, position]
        row, at, order = np.nonzero(~np.isnan(own) & (sort[:, position, :, None] >= 0))
        error = errors[row, position, at, order]
        panels.append(
            Strokes(
                words=input_words(data, position),
                short_words=input_words(data, position, short=True),
                epoch=data["epoch"].values[row],
                left=columns.left[row],
                right=columns.right[row],
                value=own[row, at, order].astype(float),
                error=np.where(np.isfinite(error), error, 0.0),
                order=order,
                sort=sort[row, position, at],
            )
        )
    return panels, columns


def rate_range(panels: Sequence[Strokes], *, include: float) -> tuple[float, float]:
    """A value axis with ``include`` on it that the lowest tenth of the values cannot flatten."""
    every = np.concatenate([strokes.value for strokes in panels] or [np.empty(0)])
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
