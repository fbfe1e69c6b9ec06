"""What a figure shows, without a colour or a call of a plotting library: a sheet of panels with axes and marks.

A figure is written once, as a function from Datasets to a ``Sheet``, and drawn by a renderer of ``renderers``:

>>> import numpy as np
>>> losses = Line(np.arange(3), np.array([0.5, 0.2, 0.1]), name="loss", hover="epoch {x}\\nloss {y:.4g}")
>>> panel = Panel((losses,), x=Axis("epoch"), y=Axis.over("loss", losses.y, scale="log"), heading="a run")
>>> sheet = Sheet((panel,))

A mark is arrays, a **role** (what it stands for, such as ``"rests"`` or ``"reference"``; ``theme`` gives the colour), a
``name`` if a legend is to explain it, and for a pointer ``hover``: a format string over its own arrays and the further
ones in ``facts``. Marks are drawn in their order, later ones on top. NaN in the arrays of a line or a band is a gap.

Panels stand at a ``row`` and a ``column``. Panels with an ``option`` share a place: one for each option of the sheet's
``menu``, of which a screen shows the one chosen and paper the first chosen. Axes of the same ``shared`` name are one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

_MOST = 1e280  # beyond, float64 has no room for the ends of an axis
Scale = Literal["linear", "log"]
Shape = Literal["circle", "square", "triangle-up", "triangle-down", "diamond", "cross", "x", "tick", "dot"]
Dash = Literal["solid", "dashed", "dotted"]
Weight = Literal["strong", "normal", "fine"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Mark:
    """What all marks have: a role, a name in the legend, and what is said where a pointer is."""

    role: str = "ink"
    name: str = ""
    hover: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    opacity: float = 1.0


@dataclass(frozen=True, eq=False)
class Line(Mark):
    """A line through points (x, y); a single point is drawn as a dot."""

    x: np.ndarray
    y: np.ndarray
    weight: Weight = "normal"
    dash: Dash = "solid"


@dataclass(frozen=True, eq=False)
class Band(Mark):
    """The area between ``low`` and ``high`` over x."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Points(Mark):
    """Signs at (x, y), ``size`` times as large as usual.

    Where there are, ``low`` and ``high`` are the ends of a bar through each, ``values`` its place on the sheet's colour
    scale in place of the role's colour, ``labels`` words beside it, and ``frame`` the position of the slider at which
    it is seen (paper shows all frames).
    """

    x: np.ndarray
    y: np.ndarray
    shape: Shape = "circle"
    filled: bool = True
    size: float | np.ndarray = 1.0
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    values: np.ndarray | None = None
    labels: Sequence[str] | None = None
    frame: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Edge(Mark):
    """Signs at the upper or lower edge of the panel, whatever its value axis: for what leaves it, or has no value."""

    x: np.ndarray
    top: bool = True
    shape: Shape = "triangle-up"
    filled: bool = True


@dataclass(frozen=True, eq=False)
class Bars(Mark):
    """Upright bars around x from ``base`` to ``base + height``."""

    x: np.ndarray
    height: np.ndarray
    base: np.ndarray
    width: float = 0.8


@dataclass(frozen=True, eq=False)
class Grid:
    """Equal columns: the middle of the first, and how wide they are; rows alike."""

    x: float
    dx: float
    y: float
    dy: float

    def extent(self, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of cells (row, column)."""
        left, bottom = self.x - self.dx / 2, self.y - self.dy / 2
        return left, left + shape[1] * self.dx, bottom, bottom + shape[0] * self.dy


@dataclass(frozen=True, eq=False)
class Density(Mark):
    """How many samples lie in each cell (row, column), of ``n_samples`` in a column: logarithmic, none is no ink."""

    counts: np.ndarray
    grid: Grid
    n_samples: int


@dataclass(frozen=True, eq=False)
class Cells(Mark):
    """Cells (row, column) of several roles: ``codes`` are positions in ``roles``, and beyond them for empty.

    ``words`` (row, column) say what is under a pointer, and may be coarser than the codes.
    """

    codes: np.ndarray
    grid: Grid
    roles: tuple[str, ...]
    words: np.ndarray | None = None
    words_grid: Grid | None = None


@dataclass(frozen=True, eq=False)
class Surface(Mark):
    """Values z (y, x) by the sheet's colour scale, with so many ``contours``; in a panel with depth, as a surface."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    contours: int = 0


@dataclass(frozen=True, eq=False)
class Reference(Mark):
    """A straight line across the panel at a value of an axis."""

    at: float
    axis: Literal["x", "y"] = "y"
    dash: Dash = "dashed"


@dataclass(frozen=True, eq=False)
class Span(Mark):
    """The stretch of an axis between two values, shaded across the panel."""

    low: float
    high: float
    axis: Literal["x", "y"] = "x"


@dataclass(frozen=True, eq=False)
class Event(Mark):
    """Upright lines through the panel, with ``words`` above each."""

    x: np.ndarray
    words: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Text(Mark):
    """Words at (x, y), each in units of the data or as a part of the panel, moved right and up by ``shift`` points."""

    x: float
    y: float
    text: str
    x_of: Literal["data", "panel"] = "data"
    y_of: Literal["data", "panel"] = "data"
    align: Literal["left", "center", "right"] = "center"
    valign: Literal["top", "middle", "bottom"] = "bottom"
    shift: tuple[float, float] = (0.0, 0.0)
    bold: bool = False
    upright: bool = False


@dataclass(frozen=True, eq=False)
class Points3D(Mark):
    """Dots at (x, y, z), by the sheet's colour scale where they have ``values``."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    values: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Path3D(Mark):
    """A line through points (x, y, z), by the sheet's colour scale where they have ``values``."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    values: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis; a range whose first value is above the second runs backwards. ``ticks`` are places with their words."""

    label: str = ""
    scale: Scale = "linear"
    range: tuple[float, float] | None = None
    shared: str = ""
    ticks: Sequence[tuple[float, str]] | None = None
    n_ticks: int | None = None
    whole: bool = False
    hidden: bool = False

    @classmethod
    def over(cls, label: str, *values: np.ndarray, scale: Scale = "linear", **settings: Any) -> "Axis":
        """An axis on which all finite values have room; a logarithmic one holds the positive of them.

        >>> Axis.over("loss", np.array([0.1, np.nan, 1.0]), scale="log").range
        (0.0909..., 1.1)
        """
        known = np.concatenate([np.asarray(each, dtype=float).ravel() for each in values] or [np.empty(0)])
        known = known[np.isfinite(known) & ((known > 0) | (scale == "linear"))]
        if not known.size:
            return cls(label, scale, (0.1 if scale == "log" else 0.0, 1.0), **settings)
        low, high = np.clip([known.min(), known.max()], -_MOST, _MOST).tolist()
        if scale == "log":
            room = max(1.1, 10 ** (0.03 * float(np.log10(high) - np.log10(low))))
            return cls(label, "log", (low / room, high * room), **settings)
        room = 0.05 * (high - low) or 0.05 * max(abs(high), 1.0)
        return cls(label, range=(low - room, high + room), **settings)


@dataclass(frozen=True, eq=False)
class Panel:
    """Marks on two axes, or three: ``z`` makes a panel with depth.

    ``height`` is in inches on paper; a screen shows 200 pixels for each. ``title`` stands above the panel in bold,
    under it ``heading``, what it shows (left to the menu, of an option), and ``remark``, what it does not. A panel with
    depth is seen from ``view`` (elevation and azimuth in degrees) and has the proportions ``aspect``; a ``zoom``
    below 1 leaves more room for the words around it.

    Raises:
        ValueError: signs at the edge of a panel whose value axis has no range.

    """

    marks: tuple[Mark, ...]
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    z: Axis | None = None
    row: int = 0
    column: int = 0
    option: int | None = None
    height: float = 1.0
    title: str = ""
    heading: str = ""
    remark: str = ""
    equal: bool = False
    view: tuple[float, float] = (30.0, -60.0)
    aspect: tuple[float, float, float] = (1.25, 1.0, 0.6)
    zoom: float = 1.0

    def __post_init__(self) -> None:
        if self.y.range is None and any(isinstance(mark, Edge) for mark in self.marks):
            raise ValueError("y: expected an axis with a range, for signs at its edge, came none")

    @property
    def coloured(self) -> bool:
        """Whether it has marks by the sheet's colour scale."""
        return any(isinstance(mark, Surface) or getattr(mark, "values", None) is not None for mark in self.marks)


@dataclass(frozen=True, eq=False)
class Choice:
    """Words of what can be chosen, and which is to begin with."""

    words: Sequence[str]
    first: int = 0
    prefix: str = ""


@dataclass(frozen=True, eq=False)
class ColourScale:
    """Colours of a palette from ``low`` to ``high``, with a bar that says so where it has a label.

    ``steps``: the only values there are, one colour each.
    """

    low: float
    high: float
    label: str = ""
    palette: Literal["epochs", "cost"] = "epochs"
    ticks: Sequence[tuple[float, str]] | None = None
    steps: Sequence[float] = ()
    below: bool = False


@dataclass(frozen=True, eq=False)
class Sheet:
    """A figure. The legend has the names of its marks, and then ``legend``: marks without data stand for their look."""

    panels: tuple[Panel, ...]
    legend: tuple[Mark, ...] = ()
    menu: Choice | None = None
    slider: Choice | None = None
    colours: ColourScale | None = None
    width: float | None = None
    y_label: str = ""

    def __post_init__(self) -> None:
        if not self.panels:
            raise ValueError("panels: expected at least one panel, came none")

    @property
    def first(self) -> int:
        """The option that is shown to begin with."""
        return 0 if self.menu is None else self.menu.first

    @property
    def shown(self) -> list[Panel]:
        """The panels of the option that is chosen to begin with, and those that belong to none."""
        return [panel for panel in self.panels if panel.option in (None, self.first)]

    @property
    def places(self) -> dict[tuple[int, int], Panel]:
        """By row and column, in reading order, a panel that stands there: of those that are shown, if any is."""
        found = {(panel.row, panel.column): panel for panel in (*reversed(self.panels), *reversed(self.shown))}
        return {at: found[at] for at in sorted(found)}

    @property
    def keys(self) -> list[Mark]:
        """A mark for each entry of the legend."""
        named: dict[str, Mark] = {}
        for mark in (*self.marks(), *self.legend):
            named.setdefault(mark.name, mark)
        return [mark for name, mark in named.items() if name]

    def marks(self) -> Iterator[Mark]:
        """All marks of all panels."""
        for panel in self.panels:
            yield from panel.marks


_N_ARRAYS: dict[type[Mark], int] = {Line: 2, Points: 2, Edge: 1, Band: 3, Bars: 3}


def key(words: str, role: str = "clear", *, sign: type[Mark] = Bars, **look: Any) -> Mark:
    """An entry of the legend for what is not named elsewhere: the sign of a mark without data, none if ``clear``.

    >>> key("stripe: at some epochs").name, key("settled", "rests", sign=Line).role
    ('stripe: at some epochs', 'rests')
    """
    return sign(*[np.empty(0)] * _N_ARRAYS[sign], role=role, name=words, **look)


def strokes(left: np.ndarray, right: np.ndarray, y: np.ndarray, **look: Any) -> Line:
    """A level line from ``left`` to ``right`` at each y, with a gap after each; facts are given once for each."""
    facts = {name: np.repeat(np.asarray(values), 3) for name, values in look.pop("facts", {}).items()}
    return Line(_with_gaps(left, right), _with_gaps(y, y), facts=facts, **look)


def boxes(left: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray, **look: Any) -> Band:
    """A band from ``left`` to ``right`` between each ``low`` and ``high``, with a gap after each."""
    return Band(_with_gaps(left, right), _with_gaps(low, low), _with_gaps(high, high), **look)


def _with_gaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Both ends of each and NaN after them, in the precision of a page; what is beyond that is infinite."""
    with np.errstate(over="ignore"):
        return np.stack([first, second, np.full(np.shape(first), np.nan)], axis=-1).astype(np.float32).ravel()
