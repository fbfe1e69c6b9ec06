"""Tracks: what stands on one axis of epochs, one file each, found by file name; and the stack of any of them.

A track is a module with

- ``SOURCES``: what it can be drawn from, the best first: names of probes, ``"summary"`` (what ``summarise_orbits`` says
  of the orbits) or ``"scalars"``;
- ``track(data, view) -> Track``: its panels, from one of these and from what all tracks of a timeline share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rnnscope.base import catalogue
from rnnscope.base.errors import unknown
from rnnscope.figures import theme
from rnnscope.figures.sheet import Axis, Choice, Event, Mark, Panel, Sheet
from rnnscope.findings.reading import by_step, choose_inputs, epoch_label, input_words, looked_at, same_input

if TYPE_CHECKING:
    import xarray

_LAST = ("gap", "clear")  # in a legend, after what has a colour


def names() -> list[str]:
    """The tracks by name."""
    return catalogue.names(__name__)


def load(name: str) -> Any:
    """The module of a track.

    Raises:
        ValueError: no such track; the message has the nearest and all of them.

    """
    dashed = name.replace("_", "-")
    if dashed not in names():
        raise unknown("track", name, names())
    return catalogue.load(__name__, dashed)


@dataclass(frozen=True, eq=False)
class Track:
    """Panels with rows counted from 0, those that show one input each with its position as ``option``.

    ``extent`` is the first and the last epoch that it stands for. What was not measured at every epoch is told by
    ``source``, its probe, at how many it was ``looked_at`` and how many the run has, and the label of its axis alone.
    ``known`` is False where there is not a number to draw. ``events`` go through the panels of all tracks.
    """

    panels: tuple[Panel, ...]
    extent: tuple[float, float]
    legend: tuple[Mark, ...] = ()
    source: str = ""
    looked_at: tuple[int, int] = (0, 0)
    epoch_label: str = "epoch"
    known: bool = True
    events: tuple[Event, ...] = ()

    @classmethod
    def of(
        cls,
        panels: Sequence[Panel],
        extent: tuple[float, float],
        legend: Sequence[Mark],
        data: "xarray.Dataset",
        source: str,
    ) -> "Track":
        """The track of a result, of which ``by_step`` has made the order of the epochs."""
        return cls(tuple(panels), extent, tuple(legend), source, looked_at(data), epoch_label(data))


@dataclass(frozen=True, eq=False)
class View:
    """What tracks share: the inputs chosen, as positions in ``like``, and on paper no menu of them.

    ``settings`` are those of the figure: ``output`` and ``value_range`` of the orbits, ``equal_axes`` of columns,
    ``n_exponents``, and ``alone`` where the track is all that the figure shows.
    """

    like: "xarray.Dataset | None" = None
    positions: Sequence[int] = ()
    paper: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, data: "xarray.Dataset | None", inputs: int | Sequence[int] | None, *, paper: bool, **settings: Any
    ) -> "View":
        """The inputs of a Dataset; by default on paper the lowest, middle and highest, on screen all."""
        if data is None or "input" not in data.dims:
            return cls(None, (), paper, settings)
        like = by_step(data)
        return cls(like, choose_inputs(like, inputs, everything=not paper), paper, settings)

    @property
    def middle(self) -> int:
        """The option that is shown to begin with."""
        return len(self.positions) // 2

    def each_input(self, data: "xarray.Dataset") -> list[tuple[int, int]]:
        """The options and their positions in ``data``; on paper the first chosen only."""
        if self.like is None:
            return [(0, position) for position in range(min(data.sizes.get("input", 0), 1))]
        found = [(at, same_input(data, self.like, position)) for at, position in enumerate(self.positions)]
        known = [(at, position) for at, position in found if position is not None]
        return [
            (at, position)
            for at, position in known
            if at == self.middle or not self.paper or self.settings.get("alone")
        ]

    def words(self, option: int, *, short: bool = False) -> str:
        """What the input of an option is called."""
        return "" if self.like is None else input_words(self.like, self.positions[option], short=short)

    @property
    def menu(self) -> Choice | None:
        """The menu of the inputs, on a screen."""
        if self.paper or not self.positions:
            return None
        return Choice([self.words(at) for at in range(len(self.positions))], self.middle)


def stack(columns: Mapping[str, Sequence[Track]], view: View) -> Sheet:
    """Tracks one under the other on the same axis of epochs, a column for each title."""
    tracks = [track for column in columns.values() for track in column]
    low, high = min(track.extent[0] for track in tracks), max(track.extent[1] for track in tracks)
    low, high = (low, high) if low < high else (low - 0.5, high + 0.5)
    panels: list[Panel] = []
    for at, (title, column) in enumerate(columns.items()):
        label, row = _epoch_label(column), 0
        events = [event for track in column for event in track.events]
        for track in column:
            x = Axis(label, range=(low, high), shared="epoch")
            for panel in track.panels:
                first = row + panel.row == 0
                through = events if first else [replace(event, words=()) for event in events]
                own: dict[str, Any] = {"marks": (*panel.marks, *through)} | ({"title": title} if first else {})
                panels.append(replace(panel, x=x, row=row + panel.row, column=at, **own))
            row += 1 + max((panel.row for panel in track.panels), default=-1)
    keys = [mark for panel in panels for mark in panel.marks] + [mark for track in tracks for mark in track.legend]
    bare = tuple(replace(panel, marks=tuple(replace(mark, name="") for mark in panel.marks)) for panel in panels)
    return Sheet(bare, legend=_merged([mark for mark in keys if mark.name]), menu=view.menu)


def _epoch_label(tracks: Sequence[Track]) -> str:
    """It says where tracks were looked at less, or more, often than others."""
    measured = {track.source: track for track in tracks if track.source}
    if len({track.looked_at[0] for track in measured.values()}) < 2:
        return next((track.epoch_label for track in measured.values()), "epoch")
    at = ", ".join(f"{source} at {track.looked_at[0]}" for source, track in measured.items())
    return f"epoch (of {max(track.looked_at[1] for track in measured.values())} looked at: {at})"


def _merged(keys: list[Mark]) -> tuple[Mark, ...]:
    """One entry for each colour, with the words of all that have it; what has none comes last."""
    found: dict[str, Mark] = {}
    for mark in keys:
        name = mark.name if mark.role in _LAST or mark.role == "ink" else theme.colour(mark.role)
        if name not in found:
            found[name] = mark
        elif mark.name not in found[name].name.split(" / "):
            found[name] = replace(found[name], name=f"{found[name].name} / {mark.name}")
    return tuple(sorted(found.values(), key=lambda mark: mark.role in _LAST))
