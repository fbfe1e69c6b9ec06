"""A sheet in plotly: for screens, light or dark, with a menu of options, a slider and words under the pointer."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from rnnscope.figures import sheet as s
from rnnscope.figures import theme
from rnnscope.figures.renderers._plotly_marks import DRAW, Place, line_look, lines_of, note, palette, sign_look, signs

PIXELS = 200  # for each inch of a panel's height
_GREY = theme.colour("ink", screen=True)
_GRID = theme.colour("grid", screen=True)
# Transparent, in greys that are readable on a light and on a dark page.
PAGE_LOOK: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13, "color": _GREY},
    "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": _GREY, "activecolor": theme.colour("oscillates")},
    "hovermode": "closest",
    "hoverlabel": {"font": {"size": 12}},
}
_LINE, _GAP, _MENU = 17, 16, 34  # pixels: a line of words above a panel, between panels, above all


@dataclass
class _Drawn:
    """Traces, shapes and annotations, each with the option that owns it; ``frames`` are the marks that slide."""

    traces: list[tuple[dict[str, Any], int | None]] = field(default_factory=list)
    shapes: list[tuple[dict[str, Any], int | None]] = field(default_factory=list)
    notes: list[tuple[dict[str, Any], int | None]] = field(default_factory=list)
    frames: list[tuple[int, s.Points, Place]] = field(default_factory=list)


def draw(sheet: s.Sheet) -> go.Figure:
    """The sheet, with its menu and its slider."""
    rows = _Rows(sheet)
    places = {at: _place(number, panel, sheet) for number, (at, panel) in enumerate(sheet.places.items())}
    drawn = _Drawn()
    for panel in sheet.panels:
        own = places[panel.row, panel.column]
        for mark in panel.marks:
            for kind, item in DRAW[type(mark)](mark, replace(own, panel=panel)):
                if kind == "traces" and isinstance(mark, s.Points) and mark.frame is not None:
                    drawn.frames.append((len(drawn.traces), mark, own))
                getattr(drawn, kind).append((item, panel.option))
        drawn.notes += [(words, panel.option) for words in _headings(panel, own, sheet)]
    for mark in sheet.keys:
        flat = not any(place.scene for place in places.values())
        drawn.traces.append((_legend_entry(mark, flat=flat), None))
    layout = rows.layout() | {name: axis for at, place in places.items() for name, axis in rows.axes(at, place).items()}
    if sheet.y_label:
        paper = {"xref": "paper", "yref": "paper"}
        beside: dict[str, Any] = {"align": "center", "valign": "middle", "shift": (-62, 0), "size": 13}
        drawn.notes.append((note(lines_of(sheet.y_label), 0, 0.5, paper, upright=True, **beside), None))
        layout["margin"] |= {"l": 96}
    layout |= {"shapes": _visible(drawn.shapes, sheet.first), "annotations": _visible(drawn.notes, sheet.first)}
    layout |= _colour_axis(sheet.colours)
    if sheet.menu is not None and len(sheet.menu.words) > 1:
        layout["updatemenus"] = [_menu(sheet.menu, drawn, rows.up)]
    if sheet.slider is not None:
        layout["sliders"] = [_slider(sheet.slider)]
    traces = _visible(drawn.traces, sheet.first)
    return go.Figure(data=traces, layout=layout, frames=_frames(drawn, sheet.slider))


def _visible(owned: list[tuple[dict[str, Any], int | None]], first: int) -> list[dict[str, Any]]:
    return [item if owner in (None, first) else {**item, "visible": False} for item, owner in owned]


def _place(number: int, panel: s.Panel, sheet: s.Sheet) -> Place:
    suffix = str(number + 1) if number else ""
    scene = f"scene{suffix}" if panel.z else ""
    return Place(f"x{suffix}", f"y{suffix}", scene, panel, sheet.colours, sheet.slider.first if sheet.slider else 0)


class _Rows:
    """Rows and columns of panels in pixels, and the axes that follow from them."""

    def __init__(self, sheet: s.Sheet) -> None:
        self.sheet, self.first = sheet, {}
        places = sheet.places
        self.n_rows, self.n_columns = (max(at[k] for at in places) + 1 for k in (0, 1))
        in_row = [[panel for panel in sheet.panels if panel.row == row] for row in range(self.n_rows)]
        self.heights = [PIXELS * max([panel.height for panel in row] or [0.1]) for row in in_row]
        lines = [max([_n_lines(panel, sheet) for panel in row] or [0]) for row in in_row]
        apart = [any(panel.x.label and not panel.x.shared for panel in row) for row in in_row]
        self.gaps = [_LINE * lines[0]]
        self.gaps += [_GAP + _LINE * lines[row] + 42 * apart[row - 1] for row in range(1, self.n_rows)]
        texts = [(panel, mark) for panel in sheet.shown for mark in panel.marks if isinstance(mark, s.Text)]
        above = [mark.shift[1] + 14 for panel, mark in texts if panel.row == 0 and mark.y_of == "panel" and mark.y >= 1]
        under = [-mark.shift[1] for panel, mark in texts if mark.y_of == "panel" and mark.y <= 0]
        has_menu = sheet.menu is not None and len(sheet.menu.words) > 1
        self.up = self.gaps[0] + max([0.0, *above])
        self.top = self.up + (_MENU if has_menu else 12)
        signs = sum(8 * len(mark.name) + 44 for mark in sheet.keys)
        self.bottom = 50 + max([0.0, *under]) + 21 * -(-signs // 800) + 76 * (sheet.slider is not None)
        self.panels = sum(self.heights) + sum(self.gaps[1:])

    def layout(self) -> dict[str, Any]:
        """The look of a page, the size, margins and the legend; nothing moves but by zooming."""
        return {
            **PAGE_LOOK,
            "height": round(self.panels + self.top + self.bottom),
            "margin": {"l": 64, "r": 24, "t": round(self.top), "b": round(self.bottom)},
            "legend": {
                "orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom",
                "itemclick": False, "itemdoubleclick": False, "traceorder": "normal",
            },
            "showlegend": bool(self.sheet.keys),
            "barmode": "overlay",
        }  # fmt: skip

    def axes(self, at: tuple[int, int], place: Place) -> dict[str, Any]:
        """The layout of the axes of a place, by name."""
        row, column = at
        above = sum(self.heights[:row]) + sum(self.gaps[1 : row + 1])
        down = [1 - (above + self.heights[row]) / self.panels, 1 - above / self.panels]
        space = 0.08 / self.n_columns if self.n_columns > 1 else 0.0
        wide = (1 - space * (self.n_columns - 1)) / self.n_columns
        across = [column * (wide + space), column * (wide + space) + wide]
        panel = place.panel
        if panel.z is not None:
            return {place.scene: {"domain": {"x": across, "y": down}, **_scene(panel, panel.z)}}
        lowest = row == max(other for other, where in self.sheet.places if where == column)
        picture = any(isinstance(mark, s.Density) for mark in panel.marks)
        narrow = self.n_columns > 3 and panel.x.shared and column != self.n_columns // 2
        along = replace(panel.x, label="") if narrow else panel.x  # narrow panels name it once, in the middle
        x = self._axis("x", place, along, across, outer=lowest) | ({"constrain": "range"} if picture else {})
        y = self._axis("y", place, panel.y, down, outer=column == 0) | ({"scaleanchor": False} if picture else {})
        if panel.equal:
            x, y = x | {"constrain": "domain"}, y | {"constrain": "domain", "scaleanchor": place.x, "scaleratio": 1}
        return {f"xaxis{place.x[1:]}": x, f"yaxis{place.y[1:]}": y}

    def _axis(self, name: str, place: Place, axis: s.Axis, domain: list[float], *, outer: bool) -> dict[str, Any]:
        own = place.x if name == "x" else place.y
        found = {
            "domain": domain, "anchor": place.y if name == "x" else place.x, "zeroline": False, "automargin": True,
            "gridcolor": _GRID, "linecolor": _GREY, "tickcolor": _GREY, "ticks": "outside", "ticklen": 4,
            "showgrid": name == "y" and axis.ticks is None and not _is_picture(place.panel),
        }  # fmt: skip
        if axis.shared:
            first = self.first.setdefault((name, axis.shared), own)
            found |= {"matches": first} if first != own else {}
        if axis.hidden or (axis.shared and not outer):
            found |= {"showticklabels": False} | ({"ticks": "", "showline": False} if axis.hidden else {})
        if axis.label and (outer or not axis.shared):
            small = place.panel.height < 0.8 and name == "y"
            found["title"] = {"text": lines_of(axis.label), "font": {"size": 12 if small else 13}}
        return found | _numbers(axis)


def _is_picture(panel: s.Panel) -> bool:
    return any(isinstance(mark, s.Density | s.Cells | s.Surface) for mark in panel.marks)


def _numbers(axis: s.Axis) -> dict[str, Any]:
    """Scale, range and ticks."""
    found: dict[str, Any] = {"nticks": axis.n_ticks} if axis.n_ticks else {}
    ticks = axis.ticks
    if axis.scale == "log":
        found |= {"type": "log", "exponentformat": "power"}
    if axis.range is not None:
        ends = np.log10(axis.range) if axis.scale == "log" else axis.range
        found |= {"range": [float(end) for end in ends], "autorange": False}
        ticks = theme.log_ticks(*sorted(axis.range)) if ticks is None and axis.scale == "log" else ticks
    if ticks is not None:
        found |= {"tickvals": [at for at, _ in ticks], "ticktext": [words for _, words in ticks]}
    elif axis.whole and axis.range is not None:
        found |= {"tick0": 0, "dtick": max(1, math.ceil(abs(axis.range[1] - axis.range[0]) / (axis.n_ticks or 6)))}
    return found


def _scene(panel: s.Panel, depth: s.Axis) -> dict[str, Any]:
    elevation, azimuth = np.radians(panel.view)
    eye = 1.85 * np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    look = {"gridcolor": "#9a9fa6", "linecolor": _GREY, "zeroline": False, "showbackground": False, "showspikes": False}
    axes = {
        f"{name}axis": {"title": {"text": lines_of(axis.label)}, "tickfont": {"size": 11}, **look, **_numbers(axis)}
        for name, axis in (("x", panel.x), ("y", panel.y), ("z", depth))
    }
    camera = {"eye": dict(zip("xyz", eye.tolist(), strict=True)), "center": {"x": 0, "y": 0, "z": -0.1}}
    aspect = {name: panel.zoom * side for name, side in zip("xyz", panel.aspect, strict=True)}
    camera |= {"projection": {"type": "orthographic"}}
    return axes | {"camera": camera, "aspectmode": "manual", "aspectratio": aspect, "dragmode": "turntable"}


def _colour_axis(scale: s.ColourScale | None) -> dict[str, Any]:
    if scale is None:
        return {}
    bar: dict[str, Any] = {"title": {"text": scale.label, "side": "right"}, "thickness": 12, "len": 0.8}
    bar |= {"outlinewidth": 0, "y": 1, "yanchor": "top"}
    if scale.ticks is not None:
        bar |= {"tickvals": [at for at, _ in scale.ticks], "ticktext": [words for _, words in scale.ticks]}
    axis = {"colorscale": palette(scale), "cmin": scale.low, "cmax": scale.high, "colorbar": bar}
    return {"coloraxis": {**axis, "showscale": bool(scale.label)}}


def _n_lines(panel: s.Panel, sheet: s.Sheet) -> int:
    return len(_words_above(panel, sheet))


def _words_above(panel: s.Panel, sheet: s.Sheet) -> list[str]:
    told_by_menu = panel.option is not None and sheet.menu is not None and len(sheet.menu.words) > 1
    heading = [] if told_by_menu else panel.heading.splitlines()
    return [*filter(None, [panel.title and f"<b>{panel.title}</b>"]), *heading, *filter(None, [panel.remark])]


def _headings(panel: s.Panel, place: Place, sheet: s.Sheet) -> list[dict[str, Any]]:
    words = _words_above(panel, sheet)
    if not words:
        return []
    place_of = {"xref": "paper", "yref": "paper"} if place.scene else _domain(place)
    return [note("<br>".join(words), 0, 1, place_of, align="left", valign="bottom", shift=(0, 4), size=13)]


def _domain(place: Place) -> dict[str, str]:
    return {"xref": f"{place.x} domain", "yref": f"{place.y} domain"}


def _menu(menu: s.Choice, drawn: _Drawn, up: float) -> dict[str, Any]:
    """A menu above the left corner of the panels, that shows what the chosen option owns, and what none owns."""
    buttons = []
    for at, words in enumerate(menu.words):
        shown = {"visible": [owner is None or owner == at for _, owner in drawn.traces]}
        moved = {
            f"{name}[{k}].visible": owner == at
            for name, items in (("shapes", drawn.shapes), ("annotations", drawn.notes))
            for k, (_, owner) in enumerate(items)
            if owner is not None
        }
        buttons.append({"label": words, "method": "update", "args": [shown, moved]})
    look = {"direction": "down", "showactive": True, "bordercolor": _GRID, "bgcolor": "rgba(128,128,128,0.1)"}
    place = {"x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "pad": {"b": 4 + round(up), "t": 0}}
    return {"buttons": buttons, "active": menu.first, **look, **place}


def _slider(slider: s.Choice) -> dict[str, Any]:
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    steps = [
        {"label": words, "method": "animate", "args": [[str(at)], at_once]} for at, words in enumerate(slider.words)
    ]
    return {
        "steps": steps, "active": slider.first, "pad": {"t": 48, "b": 4}, "x": 0, "len": 1.0, "bordercolor": _GRID,
        "currentvalue": {"prefix": slider.prefix, "xanchor": "left", "font": {"size": 13}}, "font": {"size": 11},
        "bgcolor": "rgba(128,128,128,0.2)", "tickcolor": _GREY, "ticklen": 3, "minorticklen": 0,
    }  # fmt: skip


def _frames(drawn: _Drawn, slider: s.Choice | None) -> list[dict[str, Any]]:
    if slider is None:
        return []
    moving = [at for at, _, _ in drawn.frames]
    return [
        {"name": str(at), "traces": moving, "data": [_seen_at(mark, at, own) for _, mark, own in drawn.frames]}
        for at in range(len(slider.words))
    ]


def _seen_at(mark: s.Points, frame: int, place: Place) -> dict[str, Any]:
    whole = signs(mark, place)
    chosen = np.asarray(mark.frame) == frame
    moved = {name: np.asarray(whole[name])[chosen] for name in ("x", "y", "customdata") if name in whole}
    return {"type": "scatter", **moved}


def _legend_entry(mark: s.Mark, *, flat: bool) -> dict[str, Any]:
    """A trace with no data that stands for a mark in the legend."""
    ink = theme.colour(mark.role, screen=True)
    look: dict[str, Any] = {"mode": "markers", "marker": {"color": ink, "symbol": "square", "size": 10}}
    if mark.role == "gap":
        look["marker"]["symbol"] = "square-open"
    elif isinstance(mark, s.Line | s.Reference):
        look = {"mode": "lines", "line": line_look(mark)}
    elif isinstance(mark, s.Points | s.Edge):
        look = {"mode": "markers", "marker": sign_look(mark)}
    elif isinstance(mark, s.Band | s.Span):
        look["marker"] |= {"opacity": min(1.0, 1.5 * theme.TRANSLUCENT)}
    x, kind = np.array([None]), {"type": "scatter"} if flat else {"type": "scatter3d", "z": [None]}
    return {**kind, "x": x, "y": x, "name": mark.name, "showlegend": True, "hoverinfo": "skip", **look}
