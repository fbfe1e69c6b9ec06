"""What a study claims, what was measured over its seeds, what was wanted, and whether it was seen: a table."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import unknown
from rnnscope.figures import _study, theme
from rnnscope.figures.renderers import Backend
from rnnscope.figures.theme import short

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

_DIRECTIONS = {"at least": "≥", "at most": "≤"}
_SIGNS = {"seen": "✓", "not seen": "✗", "undecided": "?"}
# Each sign is drawn as lines, from -1 to 1, since not every font has it.
_STROKES = {
    "seen": [[(-0.5, 0.0), (-0.12, -0.42), (0.52, 0.42)]],
    "not seen": [[(-0.4, -0.4), (0.4, 0.4)], [(-0.4, 0.4), (0.4, -0.4)]],
    "undecided": [
        [(-0.3, 0.3), (-0.12, 0.52), (0.15, 0.52), (0.32, 0.3), (0.02, -0.02), (0.0, -0.2)],
        [(0.0, -0.5), (0.0, -0.56)],
    ],
}
_CLAIM, _MEASURE, _WANTED, _VERDICT = "claim", "what is measured", "wanted", "verdict"
_SIZE = 7.5  # points
_LINE = 0.135  # inches
_COLUMNS = ((0.05, 3.85), (4.05, 1.5), (5.61, 0.5), (6.16, 0.79))  # inches: left edge and width
_DISC = 0.062  # inches
_CHARACTERS = (39, 24, 21)  # that a line of a column of the plotly table holds where the page is 800 pixels wide


def claims(claims: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
    """A table with a row for each claim: its statement, what was measured, what was wanted, and the verdict.

    What was measured is the median over seeds with the lowest and the highest value; seeds with a value that is not
    finite are left out, and how many are left is said. Verdicts differ by sign, word and colour.

    Args:
        claims: dimensions claim, seed. Variable ``value`` (claim, seed), NaN where it could not be measured;
            coordinates along claim: ``statement``, ``measure`` (what is measured, with its unit), ``threshold``,
            ``direction`` (``"at least"`` or ``"at most"``) and ``verdict`` (``"seen"``, ``"not seen"`` or
            ``"undecided"``).
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, a variable that is missing, or a direction or verdict that is none of these.

    """
    if backend not in _DRAW:
        raise unknown("backend", backend, _DRAW)
    one = ("claim",)
    shapes = {
        "value": ("claim", "seed"), "statement": one, "measure": one, "threshold": one, "direction": one,
        "verdict": one,
    }  # fmt: skip
    data = _study.checked(claims, "claims", shapes)
    for name, valid in (("direction", _DIRECTIONS), ("verdict", _SIGNS)):
        for word in map(str, data[name].values):
            if word not in valid:
                raise unknown(name, word, valid)
    rows = [_Row.of(data.isel(claim=at)) for at in range(data.sizes["claim"])]
    return _DRAW[backend](rows, data.sizes["seed"])


@dataclass(frozen=True, eq=False)
class _Row:
    statement: str
    measure: str
    measured: str
    remark: str
    wanted: str
    verdict: str

    @classmethod
    def of(cls, claim: "xarray.Dataset") -> "_Row":
        values = claim["value"].values.astype(float)
        known = np.sort(values[~np.isnan(values)])
        remark = f"{known.size} of {_study.plural(values.size, 'seed')}" if 0 < known.size < values.size else ""
        measured = "not measured"
        if known.size:
            middle = known[(known.size - 1) // 2 : known.size // 2 + 1].mean()
            measured = short(middle)
            if known.size > 1 and not short(known[0]) == short(known[-1]) == measured:
                measured += f" [{short(known[0])}, {short(known[-1])}]"
        threshold = float(claim["threshold"])
        sign = _DIRECTIONS[str(claim["direction"].item())]
        wanted = f"{sign}\u00a0{threshold:.3g}" if np.isfinite(threshold) else "–"
        statement, measure, verdict = (str(claim[name].item()) for name in ("statement", "measure", "verdict"))
        return cls(statement, measure, measured, remark, wanted, verdict)


def _measured_heading(n_seeds: int) -> str:
    return "measured" if n_seeds == 1 else f"median [lowest, highest] of {n_seeds} seeds"


def _wrapped(text: str, width: float, *, bold: bool = False) -> list[str]:
    """Lines of at most ``width`` inches; a word that is longer is broken."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=_SIZE, weight="bold" if bold else "normal")

    def fits(line: str) -> bool:
        return text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] <= 72 * width

    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if fits(longer):
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and not fits(lines[-1] + character):
                lines.append("")
            lines[-1] += character
    return lines


def _draw_matplotlib(rows: list[_Row], n_seeds: int) -> Any:
    from matplotlib.figure import Figure

    (left, wide), (middle, narrow), (third, _), (last, _) = _COLUMNS
    heading = _wrapped(_measured_heading(n_seeds), narrow, bold=True)
    cells = []
    for row in rows:
        told = [(line, "ink") for line in _wrapped(row.statement, wide)]
        told += [(line, "reference") for line in _wrapped(row.measure, wide)]
        found = [(line, "ink") for line in _wrapped(row.measured, narrow)]
        cells.append((row, told, [*found, (row.remark, "reference")] if row.remark else found))
    heights = [len(heading), *(max(len(told), len(found)) for _, told, found in cells)]
    total = sum(_LINE * n + 0.1 for n in heights) + 0.06
    with theme.matplotlib_style():
        figure = Figure(figsize=(theme.PAGE_WIDTH, total), dpi=theme.DOTS_PER_INCH)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, theme.PAGE_WIDTH)
        axes.set_ylim(total, 0)
        _rule(axes, 0.03, 0.8)
        down = 0.03 + 0.05
        for x, words in ((left, f"{_CLAIM}, {_MEASURE}"), (third, _WANTED), (last, _VERDICT)):
            _write(axes, x, down, [(words, "ink")], bold=True)
        _write(axes, middle, down, [(line, "ink") for line in heading], bold=True)
        down += _LINE * heights[0] + 0.05
        for at, ((row, told, found), n_lines) in enumerate(zip(cells, heights[1:], strict=True)):
            _rule(axes, down, 0.3 if at else 0.6)
            _write(axes, left, down + 0.05, told)
            _write(axes, middle, down + 0.05, found)
            _write(axes, third, down + 0.05, [(row.wanted, "ink")])
            _sign(axes, last + _DISC, down + 0.05 + _LINE / 2, row.verdict)
            _write(axes, last + 2 * _DISC + 0.05, down + 0.05, [(row.verdict, row.verdict)])
            down += _LINE * n_lines + 0.1
        _rule(axes, down, 0.8)
    return figure


def _rule(axes: "Axes", y: float, width: float) -> None:
    axes.plot(
        [0.05, theme.PAGE_WIDTH - 0.05], [y, y], color=theme.colour("ink"), linewidth=width, solid_capstyle="butt"
    )


def _write(axes: "Axes", x: float, y: float, lines: list[tuple[str, str]], *, bold: bool = False) -> None:
    weight = "bold" if bold else "normal"
    for at, (line, role) in enumerate(lines):
        baseline = y + _LINE * (at + 0.76)
        axes.text(
            x, baseline, line, color=theme.colour(role), va="baseline", weight=weight, fontsize=_SIZE, parse_math=False
        )


def _sign(axes: "Axes", x: float, y: float, verdict: str) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), _DISC, facecolor=theme.colour(verdict), edgecolor="none"))
    for stroke in _STROKES[verdict]:
        points = np.array(stroke) * _DISC
        axes.plot(x + points[:, 0], y - points[:, 1], color="white", linewidth=0.9, solid_capstyle="round")


def _draw_plotly(rows: list[_Row], n_seeds: int) -> Any:
    import plotly.graph_objects as go

    from rnnscope.figures.renderers.plotly import PAGE_LOOK

    found = [f"{row.measured} ({row.remark})" if row.remark else row.measured for row in rows]
    columns = [[escape(row.statement) for row in rows], [escape(row.measure) for row in rows], found]
    columns += [[row.wanted for row in rows], [f"{_SIGNS[row.verdict]} {row.verdict}" for row in rows]]
    titles = [_CLAIM, _MEASURE, _measured_heading(n_seeds), _WANTED, _VERDICT]
    clear: dict[str, Any] = {
        "fill": {"color": "rgba(0,0,0,0)"},
        "align": "left",
        "line": {"color": theme.colour("grid", screen=True)},
    }
    grey = theme.colour("ink", screen=True)
    verdicts = [theme.colour(row.verdict, screen=True) for row in rows]
    table = go.Table(
        columnwidth=[35, 22, 20, 10, 13],
        header={"values": [f"<b>{title}</b>" for title in titles], "font": {"size": 13, "color": grey}, **clear},
        cells={
            "values": columns, "height": 24, "font": {"size": 13, "color": [grey, grey, grey, grey, verdicts]}, **clear
        },
    )  # fmt: skip
    told = zip(*columns[: len(_CHARACTERS)], strict=True)
    lines = [max(-(-len(text) // n) for text, n in zip(texts, _CHARACTERS, strict=True)) for texts in told]
    height, margin = 110 + sum(12 + 20 * n for n in lines), {"t": 40, "b": 10, "l": 10, "r": 10}
    return go.Figure(table, {"height": height, "margin": margin, **PAGE_LOOK})


_DRAW = {"matplotlib": _draw_matplotlib, "plotly": _draw_plotly}
