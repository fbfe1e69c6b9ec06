"""A sheet in matplotlib: for paper, one column wide unless the sheet says more."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from rnnscope.figures import sheet as s
from rnnscope.figures import theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_SHAPES = {
    "circle": "o", "square": "s", "triangle-up": "^", "triangle-down": "v", "diamond": "D", "cross": "P", "x": "x",
    "tick": "|", "dot": ".",
}  # fmt: skip
_DASHES: dict[str, Any] = {"solid": "-", "dashed": (0, (4, 2)), "dotted": (0, (1, 1.4))}
_WIDTHS = {"strong": 1.5, "normal": 0.8, "fine": 0.6}
_MANY = 3000  # signs, of which a vector file would be large
_LINE = 0.135  # inches: a line of a heading


def draw(sheet: s.Sheet) -> Figure:
    """The sheet, of options the first."""
    with theme.matplotlib_style():
        figure, axes = _places(sheet)
        for panel in sheet.shown:
            own = axes[panel.row, panel.column]
            for at, mark in enumerate(panel.marks):
                DRAW[type(mark)](own, mark, {"zorder": 2 + 0.01 * at, "scale": sheet.colours})
        bottom = {column: max(row for row, other in axes if other == column) for _, column in axes}
        for place in axes:
            _dress(axes[place], sheet.places[place], bottom[place[1]], 1 + max(bottom))
        figure.align_ylabels([own for own in axes.values() if own.name != "3d"])
        if sheet.y_label:
            figure.supylabel(sheet.y_label, fontsize=7.5)
        coloured = [axes[at] for at, panel in sheet.places.items() if panel.coloured]
        _colour_bar(figure, coloured or list(axes.values()), sheet.colours)
        legend_above(figure, [_handle(mark) for mark in sheet.keys])
    return figure


def _places(sheet: s.Sheet) -> "tuple[Figure, dict[tuple[int, int], Axes]]":
    places = {at: panel for at, panel in sheet.places.items() if panel in sheet.shown}
    n_rows, n_columns = (max(place[at] for place in places) + 1 for at in (0, 1))
    heights = [max([p.height for at, p in places.items() if at[0] == row] or [0.1]) for row in range(n_rows)]
    headings = [max([_n_lines(p) for at, p in places.items() if at[0] == row] or [0]) for row in range(n_rows)]
    width = sheet.width or (theme.COLUMN_WIDTH if n_columns == 1 else max(theme.PAGE_WIDTH, 1.6 * n_columns))
    below = 0.75 if sheet.colours and sheet.colours.label and sheet.colours.below else 0.4
    named = [str(mark.name) for mark in sheet.keys]
    legend = 0.15 * -(-len(named) // max(_columns_of_legend(named, width), 1))
    height = sum(heights) + _LINE * sum(headings) + 0.06 * n_rows + below + legend
    figure = Figure(figsize=(width, height), dpi=theme.DOTS_PER_INCH, layout="constrained")
    grid = figure.add_gridspec(n_rows, n_columns, height_ratios=heights)
    axes: dict[tuple[int, int], Axes] = {}
    shared: dict[tuple[str, str], Axes] = {}
    for (row, column), panel in places.items():
        like = {f"share{name}": shared.get((name, axis.shared)) for name, axis in (("x", panel.x), ("y", panel.y))}
        depth: dict[str, Any] = {"projection": "3d", "computed_zorder": False} if panel.z is not None else like
        own = figure.add_subplot(grid[row, column], **depth)
        axes[row, column] = own
        for name, axis in (("x", panel.x), ("y", panel.y)):
            if axis.shared:
                shared.setdefault((name, axis.shared), own)
    return figure, axes


def _n_lines(panel: s.Panel) -> int:
    return bool(panel.title) + (len(_heading(panel).splitlines()) if _heading(panel) else 0)


def _heading(panel: s.Panel) -> str:
    return "\n".join([*filter(None, [panel.heading]), *textwrap.wrap(panel.remark, 64)])


def _dress(axes: Any, panel: s.Panel, bottom: int, n_columns: int) -> None:
    """Axes with their words; those of an axis that is shared stand at the outer panels only."""
    parts = [("x", panel.x, panel.row == bottom), ("y", panel.y, panel.column == 0)] + (
        [("z", panel.z, True)] if panel.z else []
    )
    for name, axis, outer in parts:
        own = getattr(axes, f"{name}axis")
        if axis.scale == "log":
            getattr(axes, f"set_{name}scale")("log")
        if axis.range is not None:
            getattr(axes, f"set_{name}lim")(*axis.range)
        elif name == "x" and axis.scale == "linear":
            axes.margins(x=0.01)
        _tick(own, axis)
        if axis.label and (outer or not axis.shared):
            room = int(17 * axes.figure.get_figwidth() / n_columns)
            words = "\n".join(line for part in axis.label.splitlines() for line in textwrap.wrap(part, room))
            getattr(axes, f"set_{name}label")(words if name == "x" else axis.label)
        if axis.shared and not outer:
            axes.tick_params(axis=name, **{"labelbottom" if name == "x" else "labelleft": False})
        if axis.hidden:
            axes.tick_params(axis=name, length=0, labelbottom=name != "x", labelleft=name != "y")
            axes.spines["bottom" if name == "x" else "left"].set_visible(False)
    if panel.equal:
        axes.set_aspect("equal")
    if panel.z is not None:
        _turn(axes, panel)
    heading = _heading(panel)
    if heading:
        axes.set_title(heading, loc="left", pad=2.5)
    if panel.title:
        up = 2.5 + 9.5 * len(heading.splitlines())
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "fontweight": "bold"}
        axes.annotate(panel.title, (0, 1), (0, up), **place)


def _turn(axes: Any, panel: s.Panel) -> None:
    """A box in thin lines, seen from where the panel says."""
    axes.set_box_aspect(panel.aspect, zoom=1.06 * panel.zoom)
    axes.view_init(elev=panel.view[0], azim=panel.view[1])
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
        axis.line.set_linewidth(0.6)
        axis._axinfo["grid"].update(color=theme.colour("grid"), linewidth=0.4)  # there is no public way
    axes.tick_params(pad=-3, labelsize=6.5)
    axes.tick_params(axis="z", pad=0)
    for axis, near in ((axes.xaxis, -3), (axes.yaxis, -5), (axes.zaxis, -3)):
        axis.labelpad = near


def _tick(own: Any, axis: s.Axis) -> None:
    ticks = axis.ticks
    if ticks is None and axis.scale == "log":
        ticks = theme.log_ticks(*sorted(own.get_view_interval()))
        own.set_minor_formatter(NullFormatter())
        if np.ptp(np.log10(own.get_view_interval())) > 5:
            own.set_minor_locator(NullLocator())
    if ticks is not None:
        words = {float(at): word for at, word in ticks}
        own.set_major_locator(FixedLocator(list(words)))
        own.set_major_formatter(FuncFormatter(lambda value, _: words.get(float(value), "")))
    elif axis.n_ticks or axis.whole:
        own.set_major_locator(MaxNLocator(axis.n_ticks or 6, integer=axis.whole, steps=[1, 2, 2.5, 5, 10]))


def _colour_bar(figure: Figure, axes: "list[Axes]", scale: s.ColourScale | None) -> None:
    if scale is None or not scale.label or not axes:
        return
    from matplotlib.cm import ScalarMappable

    mapped = ScalarMappable(**_colours(scale))
    side: dict[str, Any] = {"location": "bottom", "aspect": 40} if scale.below else {"aspect": 25, "pad": 0.02}
    bar = figure.colorbar(mapped, ax=axes, label=scale.label, **side)
    bar.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]
    if scale.ticks is not None:
        bar.set_ticks([at for at, _ in scale.ticks], labels=[words for _, words in scale.ticks])


def _colours(scale: s.ColourScale | None) -> dict[str, Any]:
    if scale is None:
        raise ValueError("colours: expected a sheet with a colour scale for marks that have values, came none")
    if len(scale.steps) > 1:
        middles = (np.array(scale.steps[1:]) + np.array(scale.steps[:-1])) / 2
        ends = [2 * scale.steps[0] - middles[0], *middles, 2 * scale.steps[-1] - middles[-1]]
        own = ListedColormap(theme.palette(scale.palette, len(scale.steps)))
        return {"cmap": own, "norm": BoundaryNorm(ends, len(scale.steps))}
    colours = LinearSegmentedColormap.from_list(scale.palette, theme.PALETTES[scale.palette][0])
    return {"cmap": colours, "norm": Normalize(scale.low, scale.high)}


def _columns_of_legend(words: Sequence[str], width: float) -> int:
    """As many columns as the longest entries leave room for."""
    sizes = [len(word) + 6 for word in words]
    for n in range(len(words), 1, -1):
        if sum(max(sizes[at::n]) for at in range(n)) <= 20 * width:
            return n
    return 1


def legend_above(figure: Figure, handles: "Sequence[Artist]") -> None:
    """One legend above all panels, where it covers no data; entries are read along the rows."""
    if not handles:
        return
    n = _columns_of_legend([str(handle.get_label()) for handle in handles], figure.get_figwidth())
    n_rows = -(-len(handles) // n)
    along = [
        handles[row * n + column] for column in range(n) for row in range(n_rows) if row * n + column < len(handles)
    ]
    look = {"frameon": False, "handlelength": 1.3, "columnspacing": 1.2, "labelspacing": 0.25, "borderaxespad": 0.2}
    figure.legend(handles=along, loc="outside upper left", ncols=n, **look)


def _handle(mark: s.Mark) -> "Artist":
    """The entry of a mark in the legend."""
    ink = theme.colour(mark.role)
    if mark.role == "clear":
        return Line2D([], [], linestyle="none", label=mark.name)
    if isinstance(mark, s.Line | s.Reference):
        return Line2D([], [], label=mark.name, **_line_look(mark))
    if isinstance(mark, s.Points | s.Edge):
        return Line2D([], [], label=mark.name, **_sign_look(mark))
    if mark.role == "gap":
        return Patch(facecolor="none", edgecolor=ink, linewidth=0.6, label=mark.name)
    alpha = theme.TRANSLUCENT * mark.opacity if isinstance(mark, s.Band | s.Span) else mark.opacity
    return Patch(facecolor=ink, alpha=alpha, linewidth=0, label=mark.name)


def _line_look(mark: Any) -> dict[str, Any]:
    width = _WIDTHS[mark.weight] if isinstance(mark, s.Line) else 0.7
    look = {"color": theme.colour(mark.role), "linewidth": width, "linestyle": _DASHES[mark.dash]}
    return {**look, "alpha": mark.opacity}


def _sign_look(mark: Any) -> dict[str, Any]:
    ink = theme.colour(mark.role)
    size = 3.0 * np.max(getattr(mark, "size", 1.0))
    face = ink if mark.filled else "white"
    edge = 1.1 if mark.shape in ("tick", "x") else 0.0 if mark.filled else 0.7
    look: dict[str, Any] = {"marker": _SHAPES[mark.shape], "markersize": size * (1.6 if mark.shape == "tick" else 1)}
    return look | {"linestyle": "none", "color": ink, "markerfacecolor": face, "markeredgewidth": edge,
                   "alpha": mark.opacity}  # fmt: skip


def _line(axes: "Axes", mark: s.Line, how: dict[str, Any]) -> None:
    alone: dict[str, Any] = {"marker": "."} if np.isfinite(mark.y).sum() == 1 else {}
    cap: dict[str, Any] = {"solid_capstyle": "butt", "dash_capstyle": "butt"}
    axes.plot(mark.x, mark.y, zorder=how["zorder"], rasterized=len(mark.x) > _MANY, **_line_look(mark), **cap, **alone)


def _band(axes: "Axes", mark: s.Band, how: dict[str, Any]) -> None:
    look = {"color": theme.colour(mark.role), "alpha": theme.TRANSLUCENT * mark.opacity, "linewidth": 0}
    axes.fill_between(mark.x, mark.low, mark.high, zorder=how["zorder"], **look)


def _points(axes: "Axes", mark: s.Points, how: dict[str, Any]) -> None:
    look = _sign_look(mark) | {"zorder": how["zorder"], "rasterized": len(mark.x) > _MANY}
    if mark.values is not None:
        scale = _colours(how["scale"])
        inks = scale["cmap"](scale["norm"](np.asarray(mark.values, dtype=float)))
        paint = {"facecolors": inks, "linewidths": 0} if mark.filled else {"facecolors": "none", "edgecolors": inks}
        kept = {name: look[name] for name in ("marker", "zorder", "rasterized", "alpha")}
        axes.scatter(
            mark.x,
            mark.y,
            s=(look["markersize"] * mark.size / np.max(mark.size)) ** 2,
            **{"linewidths": 0.6} | paint,
            **kept,
        )
    elif mark.low is not None and mark.high is not None:
        axes.errorbar(mark.x, mark.y, np.stack([mark.y - mark.low, mark.high - mark.y]), elinewidth=0.6, **look)
    else:
        axes.plot(mark.x, mark.y, **look)
    for x, y, words in zip(mark.x, mark.y, mark.labels or [], strict=False):
        axes.annotate(words, (x, y), (3.5, 2.5), textcoords="offset points", fontsize=6.5, zorder=how["zorder"])


def _edge(axes: "Axes", mark: s.Edge, how: dict[str, Any]) -> None:
    if len(mark.x):
        height = np.full(np.shape(mark.x), 0.97 if mark.top else 0.03)
        look = _sign_look(mark) | {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(mark.x, height, **look, zorder=how["zorder"])


def _bars(axes: "Axes", mark: s.Bars, how: dict[str, Any]) -> None:
    look = {"color": theme.colour(mark.role), "alpha": mark.opacity, "linewidth": 0}
    axes.bar(mark.x, mark.height, mark.width, mark.base, zorder=how["zorder"], **look)


def _density(axes: "Axes", mark: s.Density, how: dict[str, Any]) -> None:
    level = np.log1p(mark.counts) / np.log1p(mark.n_samples)
    colours = LinearSegmentedColormap.from_list("density", theme.DENSITY)
    _picture(axes, np.ma.masked_where(mark.counts == 0, level), mark.grid, how, cmap=colours, vmin=0, vmax=0.75)


def _cells(axes: "Axes", mark: s.Cells, how: dict[str, Any]) -> None:
    n = len(mark.roles)
    colours = ListedColormap([theme.colour(role) for role in mark.roles])
    _picture(axes, np.ma.masked_outside(mark.codes, 0, n - 1), mark.grid, how, cmap=colours, vmin=-0.5, vmax=n - 0.5)


def _picture(axes: "Axes", values: np.ndarray, grid: s.Grid, how: dict[str, Any], **look: Any) -> None:
    place: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
    axes.imshow(values, extent=grid.extent(values.shape), zorder=how["zorder"], **place, **look)


def _surface(axes: Any, mark: s.Surface, how: dict[str, Any]) -> None:
    scale = _colours(how["scale"])
    if axes.name == "3d":
        x, y = np.meshgrid(mark.x, mark.y)
        axes.plot_surface(
            x,
            y,
            mark.z,
            linewidth=0,
            antialiased=False,
            rcount=160,
            ccount=160,
            rasterized=True,
            zorder=how["zorder"],
            **scale,
        )
        return
    known = np.ma.masked_invalid(mark.z)
    axes.pcolormesh(mark.x, mark.y, known, shading="nearest", rasterized=True, zorder=how["zorder"], **scale)
    if mark.contours and known.count() and np.ptp(known.compressed()) > 0:
        look: dict[str, Any] = {"colors": "white", "linewidths": 0.25, "alpha": 0.4, "linestyles": "solid"}
        axes.contour(mark.x, mark.y, known, mark.contours, zorder=how["zorder"], **look)


def _reference(axes: "Axes", mark: s.Reference, how: dict[str, Any]) -> None:
    draw_across = axes.axhline if mark.axis == "y" else axes.axvline
    draw_across(mark.at, zorder=how["zorder"], **_line_look(mark))


def _span(axes: "Axes", mark: s.Span, how: dict[str, Any]) -> None:
    shade = axes.axvspan if mark.axis == "x" else axes.axhspan
    look = {"color": theme.colour(mark.role), "alpha": theme.TRANSLUCENT * mark.opacity, "linewidth": 0}
    shade(mark.low, mark.high, zorder=how["zorder"], **look)


def _event(axes: "Axes", mark: s.Event, how: dict[str, Any]) -> None:
    for at, x in enumerate(mark.x):
        axes.axvline(
            float(x), color=theme.colour(mark.role), linewidth=0.6, linestyle=_DASHES["dotted"], zorder=how["zorder"]
        )
        if at < len(mark.words):
            place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "fontsize": 6, "rotation": 90}
            axes.text(float(x), 1.01, mark.words[at], ha="center", va="bottom", **place)


def _text(axes: "Axes", mark: s.Text, how: dict[str, Any]) -> None:
    units: Any = tuple("data" if of == "data" else "axes fraction" for of in (mark.x_of, mark.y_of))
    valign = "center" if mark.valign == "middle" else mark.valign
    axes.annotate(
        mark.text, (mark.x, mark.y), mark.shift, xycoords=units, textcoords="offset points", ha=mark.align, va=valign,
        color=theme.colour(mark.role), fontweight="bold" if mark.bold else "normal", fontsize=7.5 if mark.bold else 6.5,
        rotation=90 if mark.upright else 0, zorder=how["zorder"], annotation_clip=False, parse_math=False,
    )  # fmt: skip


def _points_3d(axes: Any, mark: s.Points3D, how: dict[str, Any]) -> None:
    paint = {"color": theme.colour(mark.role)} if mark.values is None else {"c": mark.values, **_colours(how["scale"])}
    axes.scatter(
        mark.x, mark.y, mark.z, s=0.5, linewidths=0, depthshade=False, rasterized=True, zorder=how["zorder"], **paint
    )


def _path_3d(axes: Any, mark: s.Path3D, how: dict[str, Any]) -> None:
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    points = np.stack([mark.x, mark.y, mark.z], axis=1).astype(float)
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    known = np.isfinite(pieces).all((1, 2))
    paint: dict[str, Any] = {"colors": theme.colour(mark.role)}
    if mark.values is not None:
        paint = {"array": np.asarray(mark.values, dtype=float)[:-1][known], **_colours(how["scale"])}
    lines = Line3DCollection(list(pieces[known]), linewidths=1.3, zorder=how["zorder"], **paint)
    axes.add_collection3d(lines, autolim=False)


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
