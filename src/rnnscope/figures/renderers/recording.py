"""A sheet that is not drawn: what a figure would hold, checked as far as drawing would find out."""

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rnnscope.figures import sheet as s
from rnnscope.figures import theme

_Kind = TypeVar("_Kind", bound=s.Mark)


@dataclass(frozen=True, eq=False)
class Recording:
    """What would be drawn: the sheet, its marks by kind, and all its words."""

    sheet: s.Sheet

    def marks(
        self, kind: type[_Kind], role: str = "", *, row: int | None = None, option: int | None = None
    ) -> list[_Kind]:
        """The marks of a kind, of a role, of the panels of a row, of an option."""
        panels = [
            panel
            for panel in self.sheet.panels
            if row in (None, panel.row) and (option is None or panel.option in (None, option))
        ]
        found = [mark for panel in panels for mark in panel.marks if isinstance(mark, kind)]
        return [mark for mark in found if role in ("", mark.role)]

    @property
    def legend(self) -> list[str]:
        """The words of the legend."""
        return [mark.name for mark in self.sheet.keys]

    @property
    def words(self) -> list[str]:
        """Everything that is written on the figure."""
        sheet = self.sheet
        found = [*self.legend, sheet.y_label, *(sheet.menu.words if sheet.menu else ())]
        for panel in sheet.panels:
            found += [panel.title, panel.heading, panel.remark]
            for axis in filter(None, (panel.x, panel.y, panel.z)):
                found += [axis.label, *(words for _, words in axis.ticks or ())]
            found += [mark.text for mark in panel.marks if isinstance(mark, s.Text)]
        return [*filter(None, found), *([sheet.colours.label] if sheet.colours else [])]


def draw(sheet: s.Sheet) -> Recording:
    """The recording of a sheet.

    Raises:
        ValueError: what a renderer could not draw: arrays of different lengths, a role without a colour, an axis
            without room, an option that the menu does not have, a mark with values on a sheet without a colour scale.

    """
    for panel in sheet.panels:
        _require(panel.option is None or sheet.menu is not None, "an option, but no menu", panel)
        if sheet.menu is not None and panel.option is not None:
            _require(0 <= panel.option < len(sheet.menu.words), "an option that the menu does not have", panel)
        for axis in filter(None, (panel.x, panel.y, panel.z)):
            _check_axis(axis)
        for mark in panel.marks:
            DRAW[type(mark)](mark, sheet)
    for mark in sheet.keys:
        theme.colour(mark.role)
    return Recording(sheet)


def _require(condition: bool, words: str, what: Any) -> None:
    if not condition:
        raise ValueError(f"sheet: {words}: {what}")


def _check_axis(axis: s.Axis) -> None:
    if axis.range is not None:
        low, high = axis.range
        _require(bool(np.isfinite([low, high]).all()) and low != high, "an axis without room", axis)
        _require(axis.scale == "linear" or min(low, high) > 0, "a logarithmic axis that is not positive", axis)


def _check(mark: s.Mark, sheet: s.Sheet) -> None:
    """Arrays along one dimension are equally long, and the words under the pointer can be made."""
    theme.colour(mark.role)
    arrays = {entry.name: getattr(mark, entry.name) for entry in dataclasses.fields(mark)}
    arrays = {name: value for name, value in arrays.items() if isinstance(value, np.ndarray)} | dict(mark.facts)
    lengths = {name: len(value) for name, value in arrays.items()}
    _require(len(set(lengths.values())) <= 1, "arrays of different lengths", lengths)
    if mark.hover and min(lengths.values(), default=0):
        mark.hover.format(**{name: _plain(value[0]) for name, value in arrays.items()})
    if getattr(mark, "values", None) is not None:
        _require(sheet.colours is not None, "values, but no colour scale", mark)
    if getattr(mark, "frame", None) is not None:
        _require(sheet.slider is not None, "frames, but no slider", mark)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _check_grid(mark: Any, sheet: s.Sheet) -> None:
    cells = mark.counts if isinstance(mark, s.Density) else mark.codes
    _require(cells.ndim == 2 and mark.grid.dx > 0 and mark.grid.dy > 0, "no cells in rows and columns", mark)
    for role in (mark.role, *getattr(mark, "roles", ())):
        theme.colour(role)


def _check_surface(mark: s.Surface, sheet: s.Sheet) -> None:
    _require(mark.z.shape == (len(mark.y), len(mark.x)), "a surface of another shape than its axes", mark.z.shape)
    _require(sheet.colours is not None, "a surface, but no colour scale", mark)


_PLAIN = (s.Line, s.Band, s.Points, s.Edge, s.Bars, s.Reference, s.Span, s.Event, s.Text, s.Points3D, s.Path3D)
DRAW: dict[type, Any] = dict.fromkeys(_PLAIN, _check)
DRAW |= {s.Density: _check_grid, s.Cells: _check_grid, s.Surface: _check_surface}
