"""The marks in plotly: each as traces, shapes or notes, which is what it yields with what it is."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnscope.figures import sheet as s
from rnnscope.figures import theme
from rnnscope.figures._png import data_address, indexed_png

_SYMBOLS = {
    "circle": "circle", "square": "square", "triangle-up": "triangle-up", "triangle-down": "triangle-down",
    "diamond": "diamond", "cross": "cross", "x": "x-thin", "tick": "line-ns", "dot": "circle",
}  # fmt: skip
_SIZES = {"tick": 8.0, "x": 7.0, "dot": 2.6}
_DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot"}
_WIDTHS = {"strong": 3.0, "normal": 1.6, "fine": 1.1}
_N_LEVELS = 48  # of a density
_MANY = 10_000  # signs, of which a browser is slow to draw an element each
_HUGE = 1e30  # more is off every axis, and beyond the single precision that a page needs
Item = tuple[str, dict[str, Any]]  # "traces", "shapes" or "notes", and one of them


@dataclass
class Place:
    """Where a panel's traces go: the ids of its axes, or of its scene."""

    x: str
    y: str
    scene: str
    panel: s.Panel
    scale: s.ColourScale | None
    frame: int = 0

    @property
    def axes(self) -> dict[str, str]:
        return {"scene": self.scene} if self.scene else {"xaxis": self.x, "yaxis": self.y}


def palette(scale: s.ColourScale) -> list[list[Any]]:
    """The colours from 0 to 1."""
    if len(scale.steps) < 2:
        colours = theme.PALETTES[scale.palette][1]
        return [[at / (len(colours) - 1), colour] for at, colour in enumerate(colours)]
    places = (np.array(scale.steps) - scale.low) / (scale.high - scale.low)
    ends = [0.0, *((places[1:] + places[:-1]) / 2).tolist(), 1.0]
    colours = theme.palette(scale.palette, len(places), screen=True)
    return [[end, colour] for at, colour in enumerate(colours) for end in (ends[at], ends[at + 1])]


def lines_of(text: str) -> str:
    return text.replace("\n", "<br>")


def note(
    text: str,
    x: float,
    y: float,
    refs: dict[str, str],
    *,
    align: str,
    valign: str,
    shift: tuple[float, float],
    size: int,
    upright: bool = False,
) -> dict[str, Any]:
    """Words at a place."""
    place = {"xanchor": align, "yanchor": valign, "xshift": shift[0], "yshift": shift[1], "align": align}
    look = {"showarrow": False, "font": {"size": size}} | ({"textangle": -90} if upright else {})
    return {"text": text, "x": x, "y": y, **refs, **place, **look}  # fmt: skip


def line_look(mark: Any) -> dict[str, Any]:
    width = _WIDTHS[mark.weight] if isinstance(mark, s.Line) else 1.2
    return {"color": theme.colour(mark.role, screen=True), "width": width, "dash": _DASHES[mark.dash]}


def sign_look(mark: Any) -> dict[str, Any]:
    ink, thin = theme.colour(mark.role, screen=True), mark.shape in ("tick", "x")
    look = {"symbol": _SYMBOLS[mark.shape] + ("-open" if thin or not mark.filled else ""), "color": ink}
    look |= {"line": {"width": 2, "color": ink}} if thin or not mark.filled else {}
    return look | {"size": _SIZES.get(mark.shape, 7.0) * getattr(mark, "size", 1.0)}


def said(mark: s.Mark) -> dict[str, Any]:
    """What a trace says under the pointer."""
    if not mark.hover:
        return {"hoverinfo": "skip"}
    found: dict[str, Any] = {
        "hovertemplate": _template(mark.hover, {name: f"customdata[{at}]" for at, name in enumerate(mark.facts)})
    }
    if mark.facts:
        facts = [np.asarray(values) for values in mark.facts.values()]
        kinds = {values.dtype.kind for values in facts}
        kind = object if kinds - {*"fiub"} else np.float32 if "f" in kinds else None
        with np.errstate(over="ignore"):
            told = [values if kind is None else values.astype(kind) for values in facts]
        found["customdata"] = np.stack(told, axis=-1)
    return found


def _template(hover: str, places: dict[str, str]) -> str:
    """A format string in plotly's own format.

    >>> _template("epoch {x}: {loss:.3g}", {"loss": "customdata[0]"})
    'epoch %{x}: %{customdata[0]:.3g}<extra></extra>'
    """
    fields = re.compile(r"\{(\w+)(:[^}]*)?\}")
    return lines_of(fields.sub(lambda at: f"%{{{places.get(at[1], at[1])}{at[2] or ''}}}", hover)) + "<extra></extra>"


def _scatter(mark: Any, place: Place, **look: Any) -> list[Item]:
    kind = "scattergl" if "marker" in look and len(mark.x) > _MANY else "scatter"
    opacity = {"opacity": mark.opacity} if mark.opacity < 1 else {}
    trace = {"type": kind, "x": mark.x, "y": mark.y, "showlegend": False, "name": mark.name}
    return [("traces", {**trace, **opacity, **place.axes, **said(mark), **look})]


def _line(mark: s.Line, place: Place) -> list[Item]:
    alone = np.isfinite(mark.y).sum() == 1
    y = np.where(np.abs(mark.y) < _HUGE, mark.y, np.nan) if (np.abs(mark.y) > _HUGE).any() else mark.y
    look = {"mode": "markers" if alone else "lines", "line": line_look(mark), "y": y}
    return _scatter(mark, place, **look | ({"marker": {"color": look["line"]["color"], "size": 6}} if alone else {}))


def _band(mark: s.Band, place: Place) -> list[Item]:
    known = (np.abs(mark.low) < _HUGE) & (np.abs(mark.high) < _HUGE) & np.isfinite(mark.x)
    x, y = [], []
    for piece in np.split(np.arange(len(known)), np.flatnonzero(np.diff(known)) + 1):
        if piece.size and known[piece[0]]:
            back = piece[::-1]
            x += [mark.x[piece], mark.x[back], mark.x[piece[:1]], [np.nan]]
            y += [mark.low[piece], mark.high[back], mark.low[piece[:1]], [np.nan]]
    if not x:
        return []
    fill = theme.translucent(theme.colour(mark.role, screen=True), theme.TRANSLUCENT * mark.opacity)
    area = {"x": np.concatenate(x).astype(np.float32), "y": np.concatenate(y).astype(np.float32)}
    look = {"mode": "none", "fill": "toself", "fillcolor": fill, "hoverinfo": "skip", "showlegend": False}
    return [("traces", {"type": "scatter", **area, **look, **place.axes})]


def _points(mark: s.Points, place: Place) -> list[Item]:
    if not len(mark.x):
        return []
    trace = signs(mark, place)
    if mark.frame is not None:
        chosen = np.asarray(mark.frame) == place.frame
        trace |= {name: np.asarray(trace[name])[chosen] for name in ("x", "y", "customdata") if name in trace}
    return [("traces", trace)]


def signs(mark: s.Points, place: Place) -> dict[str, Any]:
    look: dict[str, Any] = {"mode": "markers", "marker": sign_look(mark)}
    if mark.values is not None:
        look["marker"] |= {"color": mark.values, "coloraxis": "coloraxis"}
    if mark.low is not None and mark.high is not None:
        bars = {"array": mark.high - mark.y, "arrayminus": mark.y - mark.low, "thickness": 1.2, "width": 3}
        look["error_y"] = {"type": "data", "symmetric": False, **bars}
    if mark.labels is not None:
        look |= {"mode": "markers+text", "text": list(mark.labels), "textposition": "top right"}
    return _scatter(mark, place, **look)[0][1]


def _edge(mark: s.Edge, place: Place) -> list[Item]:
    if not len(mark.x) or place.panel.y.range is None:
        return []
    ends = np.log10(place.panel.y.range) if place.panel.y.scale == "log" else np.array(place.panel.y.range)
    height = ends[1] - 0.03 * (ends[1] - ends[0]) if mark.top else ends[0] + 0.03 * (ends[1] - ends[0])
    height = 10**height if place.panel.y.scale == "log" else height
    look = {"mode": "markers", "marker": sign_look(mark), "y": np.full(np.shape(mark.x), height)}
    return [("traces", {"type": "scatter", "x": mark.x, "showlegend": False, **place.axes, **said(mark), **look})]


def _bars(mark: s.Bars, place: Place) -> list[Item]:
    look = {"y": mark.height, "base": mark.base, "width": mark.width, "opacity": mark.opacity}
    look |= {"marker": {"color": theme.colour(mark.role, screen=True), "line": {"width": 0}}}
    return [
        (
            "traces",
            {"type": "bar", "x": mark.x, "showlegend": False, "name": mark.name, **look, **place.axes, **said(mark)},
        )
    ]


def _density(mark: s.Density, place: Place) -> list[Item]:
    if not mark.counts.any():
        return []
    grid = mark.grid
    place_of = {"x0": grid.x, "dx": grid.dx, "y0": grid.y, "dy": grid.dy}
    source = density_picture(mark.counts, mark.n_samples, mark.role)
    return [("traces", {"type": "image", "source": source, **place_of, **place.axes, **said(mark)})]


def density_picture(counts: np.ndarray, n_samples: int, role: str = "moving") -> str:
    """The density (row, column), lowest value in the first row of pixels, as the address of a PNG.

    Opacity stands for the logarithm of the count, so the picture reads on light and on dark; no samples, no ink.
    """
    level = np.minimum(np.log1p(counts) / np.log1p(n_samples) / 0.75, 1.0)
    levels = np.where(counts > 0, 1 + np.round(level * (_N_LEVELS - 2)), 0).astype(np.uint8)
    palette = np.zeros((_N_LEVELS, 4))
    ink = theme.colour(role, screen=True)
    palette[:, :3] = [int(ink[at : at + 2], 16) for at in (1, 3, 5)]
    palette[1:, 3] = np.linspace(0.3, 1.0, _N_LEVELS - 1) * 255
    return data_address(indexed_png(levels, palette))


def _cells(mark: s.Cells, place: Place) -> list[Item]:
    n = len(mark.roles) + 1
    colours = [*(theme.colour(role, screen=True) for role in mark.roles), "rgba(0,0,0,0)"]
    cells = {
        "type": "heatmap", "z": np.where((mark.codes >= 0) & (mark.codes < n), mark.codes, n - 1).astype(np.uint8),
        "zmin": -0.5, "zmax": n - 0.5, "colorscale": [(at / n, c) for k, c in enumerate(colours) for at in (k, k + 1)],
        "hoverinfo": "skip",
    }  # fmt: skip
    traces = [(cells, mark.grid)]
    if mark.words is not None:
        told = {"customdata": mark.words, "hovertemplate": _template(mark.hover, {"words": "customdata"})}
        if mark.words_grid is None:
            cells |= {**told, "hoverinfo": None}
        else:
            clear = [(0, "rgba(0,0,0,0)"), (1, "rgba(0,0,0,0)")]
            pointed_at = {"type": "heatmap", "z": np.zeros(mark.words.shape, np.uint8), "colorscale": clear}
            traces.append((pointed_at | told, mark.words_grid))
    return [
        (
            "traces",
            {**trace, "x0": grid.x, "dx": grid.dx, "y0": grid.y, "dy": grid.dy, "showscale": False, **place.axes},
        )
        for trace, grid in traces
    ]


def _surface(mark: s.Surface, place: Place) -> list[Item]:
    trace = {"x": mark.x, "y": mark.y, "z": mark.z, "coloraxis": "coloraxis", **place.axes, **said(mark)}
    if place.scene:
        return [("traces", {"type": "surface", **trace})]
    known = mark.z[np.isfinite(mark.z)]
    if not mark.contours or not known.size or np.ptp(known) == 0:
        return [("traces", {"type": "heatmap", **trace})]
    levels = {"start": float(known.min()), "end": float(known.max()), "size": float(np.ptp(known)) / mark.contours}
    line = {"width": 0.4, "color": "rgba(255,255,255,0.5)"}
    return [("traces", {"type": "contour", "contours": levels, "line": line, **trace})]


def _across(mark: Any, place: Place, low: float, high: float) -> dict[str, Any]:
    along = {"x0": low, "x1": high, "xref": place.x, "y0": 0, "y1": 1, "yref": f"{place.y} domain"}
    if mark.axis == "y":
        along = {"y0": low, "y1": high, "yref": place.y, "x0": 0, "x1": 1, "xref": f"{place.x} domain"}
    return {**along, "layer": "below"}


def _reference(mark: s.Reference, place: Place) -> list[Item]:
    return [("shapes", {"type": "line", "line": line_look(mark), **_across(mark, place, mark.at, mark.at)})]


def _span(mark: s.Span, place: Place) -> list[Item]:
    fill = theme.translucent(theme.colour(mark.role, screen=True), theme.TRANSLUCENT * mark.opacity)
    shape = {"type": "rect", "fillcolor": fill, "line": {"width": 0}}
    return [("shapes", {**shape, **_across(mark, place, mark.low, mark.high)})]


def _event(mark: s.Event, place: Place) -> list[Item]:
    found = []
    for at, x in enumerate(np.asarray(mark.x, dtype=float).tolist()):
        found += _reference(s.Reference(x, axis="x", dash="dotted", role=mark.role), place)
        if at < len(mark.words):
            refs = {"xref": place.x, "yref": f"{place.y} domain"}
            words = note(mark.words[at], x, 1, refs, align="center", valign="bottom", shift=(0, 0), size=11)
            found.append(("notes", words))
    return found


def _text(mark: s.Text, place: Place) -> list[Item]:
    refs = {f"{name}ref": own if of == "data" else f"{own} domain" for name, own, of in
            (("x", place.x, mark.x_of), ("y", place.y, mark.y_of))}  # fmt: skip
    words = f"<b>{lines_of(mark.text)}</b>" if mark.bold else lines_of(mark.text)
    shift, size = (1.6 * mark.shift[0], 1.6 * mark.shift[1]), 13 if mark.bold else 11
    return [
        (
            "notes",
            note(
                words,
                mark.x,
                mark.y,
                refs,
                align=mark.align,
                valign=mark.valign,
                shift=shift,
                size=size,
                upright=mark.upright,
            ),
        )
    ]


def _points_3d(mark: s.Points3D, place: Place) -> list[Item]:
    sign: dict[str, Any] = {"size": 1.6, "line": {"width": 0}, "color": theme.colour(mark.role, screen=True)}
    if mark.values is not None:
        sign |= {"color": mark.values, "coloraxis": "coloraxis"}
    return [("traces", _in_space(mark, place, mode="markers", marker=sign))]


def _path_3d(mark: s.Path3D, place: Place) -> list[Item]:
    line: dict[str, Any] = {"width": 5, "color": theme.colour(mark.role, screen=True)}
    if mark.values is not None and place.scale is not None:
        scale = place.scale
        line |= {"color": mark.values, "colorscale": palette(scale), "cmin": scale.low, "cmax": scale.high}
    return [("traces", _in_space(mark, place, mode="lines", line=line))]


def _in_space(mark: Any, place: Place, **look: Any) -> dict[str, Any]:
    trace = {"type": "scatter3d", "x": mark.x, "y": mark.y, "z": mark.z, "showlegend": False}
    return {**trace, **place.axes, **said(mark), **look}


DRAW: dict[type, Any] = {
    s.Line: _line,
    s.Band: _band,
    s.Points: _points,
    s.Edge: _edge,
    s.Bars: _bars,
    s.Density: _density,
    s.Cells: _cells,
    s.Surface: _surface,
    s.Reference: _reference,
    s.Span: _span,
    s.Event: _event,
    s.Text: _text,
    s.Points3D: _points_3d,
    s.Path3D: _path_3d,
}
