"""How many attractors a study's networks have while they hold a class in memory, against the number of classes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _study, theme
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Bars, Line, Mark, Panel, Points, Reference, Sheet, Text, key
from rnnscope.findings.kinds import LIMIT_KINDS, limit_words

if TYPE_CHECKING:
    import xarray

_INPUTS = {"distractors": "distractor inputs", "relevant": "relevant inputs", "all": "all inputs"}
_BETWEEN_MODELS = 0.8  # widths of a bar
_WIDE_FROM = 14  # bars in a row that need the width of a page
_FEWEST = 5  # a row is at least so many bars wide
_WIDE = 0.72  # of a bar and the space beside it
_NARROW = 0.22  # inches: between bars whose accuracies would run into each other
_WHISKER_WORDS = "quarters over inputs"


def attractor_counts(
    counts: "xarray.Dataset",
    *,
    inputs: Literal["distractors", "relevant", "all"] = "distractors",
    backend: Backend = "matplotlib",
) -> Any:
    """Number of attractors of each network by kind, a row of bars for each gap, with the number of classes.

    The height of a bar is the median over the inputs of how many attractors there are, of all kinds together; its parts
    are in proportion to how many of each kind there are over all these inputs. The thin line reaches from the quarter
    to the third quarter of the inputs, the dashed line is one attractor for each class. Above each bar stands the
    network's accuracy, below it its seed. A bar is missing where a network was not measured at any of the inputs, which
    is what a NaN in its counts says.

    Args:
        counts: dimensions run, input, kind. Variables ``n_attractors`` (run, input, kind) and the scalar ``n_classes``;
            coordinates ``kind`` (kind), named as the probe ``attractors`` names them, ``distractor`` (input),
            ``gap`` and ``accuracy`` (run), ``model`` and ``seed`` (run).
        inputs: ``"distractors"``, the ``"relevant"`` inputs, those that are none, or ``"all"``.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend or inputs, a variable that is missing, a kind that no attractor has, counts that are
            negative, or no such input.

    """
    shapes = {
        "n_attractors": ("run", "input", "kind"), "kind": ("kind",), "n_classes": (), "distractor": ("input",),
        "gap": ("run",), "accuracy": ("run",), **_study.RUN,
    }  # fmt: skip
    data = _study.checked(counts, "counts", shapes)
    strangers = [str(kind) for kind in data["kind"].values if str(kind) not in LIMIT_KINDS]
    require(not strangers, "counts", f"kinds among {', '.join(LIMIT_KINDS)}", ", ".join(strangers))
    found = data["n_attractors"].values.astype(float)
    require(not (found < 0).any(), "counts", "numbers of attractors of at least 0", found.min())
    shown = _study.chosen(data, "counts", "distractor", inputs, ("distractors", "relevant"))
    return render(_sheet(data.isel(input=shown), _INPUTS[inputs]), backend)


@dataclass(frozen=True, eq=False)
class _Bar:
    """A network: where its bar stands, its accuracy, quarters of the number of attractors, parts by kind."""

    across: float
    model: str
    seed: int
    accuracy: float
    low: float
    median: float
    high: float
    parts: dict[int, float]

    @property
    def accuracy_words(self) -> str:
        return f"{self.accuracy:.2f}" if np.isfinite(self.accuracy) else "–"

    @classmethod
    def of(cls, run: "xarray.Dataset", across: float) -> "_Bar":
        found = run["n_attractors"].values.astype(float)
        found = found[np.isfinite(found).all(-1)]
        low, median, high = (float(each) for each in _study.quarters(found.sum(-1)))
        of_kind = found.sum(0)
        total = of_kind.sum()
        parts = {
            LIMIT_KINDS.index(str(kind)): median * float(n) / total
            for kind, n in zip(run["kind"].values, of_kind, strict=True)
            if n > 0
        }
        named = str(run["model"].item()), int(run["seed"]), float(run["accuracy"])
        return cls(across, *named, low, median, high, dict(sorted(parts.items())))


def _sheet(data: "xarray.Dataset", inputs: str) -> Sheet:
    """A row of bars for each gap, on the same places and axes."""
    gaps, n_classes = data["gap"].values.astype(float), float(data["n_classes"])
    places, ticks, models = _places(data)
    rows = {
        float(gap): [_Bar.of(data.isel(run=run), places[run]) for run in np.flatnonzero(gaps == gap).tolist()]
        for gap in np.unique(gaps)
    }
    bars = [bar for row in rows.values() for bar in row]
    margin = max(0.7, (_FEWEST - max(ticks) + min(ticks)) / 2)
    limits = min(ticks) - margin, max(ticks) + margin
    top = 1.08 * max([1.0, n_classes, *(bar.high for bar in bars if np.isfinite(bar.high))])
    width = max(theme.PAGE_WIDTH, 0.15 * len(ticks)) if len(ticks) > _WIDE_FROM else theme.COLUMN_WIDTH
    upright = (width - 0.6) / (limits[1] - limits[0]) < _NARROW
    panels = []
    for at, (gap, row) in enumerate(rows.items()):
        lowest = at == len(rows) - 1
        classes = Reference(n_classes, name=f"one for each class ({n_classes:g})")
        marks = (*_bars(row), classes, *_accuracies(row, upright=upright), *(_under(models) if lowest else []))
        seeds = [(place, str(seed)) for place, seed in ticks.items()] if lowest else []
        x = Axis(range=limits, ticks=seeds, shared="bars")
        y = Axis(range=(0, top), whole=True, n_ticks=7, shared="counts")
        heading = f"gap {_study.plural(int(gap), 'step')}" + "\n" * (2 if upright else 1) + " "
        panels.append(Panel(marks, x, y, row=at, height=max(1.25, 1.8 / len(rows)), heading=heading))
    spread = any(bar.high > bar.low for bar in bars)
    legend = (key(_WHISKER_WORDS, "ink", sign=Points, shape="tick"),) if spread else ()
    return Sheet(tuple(panels), legend, width=width, y_label=f"number of attractors,\nmedian over {inputs}")


def _places(data: "xarray.Dataset") -> tuple[dict[int, float], dict[float, int], dict[str, float]]:
    """Where the bar of each run stands, the seed at each place, and the middle of each model's."""
    gaps, seeds = data["gap"].values.astype(float), data["seed"].values.astype(int)
    places, ticks, models, at = {}, {}, {}, 0.0
    for model in _study.models_of(data):
        runs = np.flatnonzero(_study.is_of(data, model))
        first = at
        for seed in np.unique(seeds[runs]):
            same = [runs[(seeds[runs] == seed) & (gaps[runs] == gap)] for gap in np.unique(gaps)]
            for nth in range(max(map(len, same))):
                places.update({int(each[nth]): at for each in same if nth < len(each)})
                ticks[at] = int(seed)
                at += 1
        models[model] = (first + at - 1) / 2
        at += _BETWEEN_MODELS
    return places, ticks, models


def _bars(bars: list[_Bar]) -> list[Mark]:
    """The parts of each bar, one on the other, and the line from quarter to quarter."""
    hover = "{model}, seed {seed}\nmedian {median:.3g} attractors ({low:.3g} … {high:.3g}), of which {part:.2g}\n"
    base = dict.fromkeys((bar.across for bar in bars), 0.0)
    found: list[Mark] = []
    for kind in sorted({kind for bar in bars for kind in bar.parts}):
        having = [bar for bar in bars if kind in bar.parts]
        facts = {
            name: np.array([getattr(bar, name) for bar in having])
            for name in ("model", "seed", "median", "low", "high")
        }
        height = np.array([bar.parts[kind] for bar in having])
        below = np.array([base[bar.across] for bar in having])
        base |= {bar.across: base[bar.across] + bar.parts[kind] for bar in having}
        across = np.array([bar.across for bar in having])
        said = {"hover": hover + limit_words(kind), "facts": {**facts, "part": height}}
        found.append(Bars(across, height, below, width=_WIDE, role=LIMIT_KINDS[kind], name=limit_words(kind), **said))
    spread = [bar for bar in bars if bar.high > bar.low]
    ends = np.array([[bar.low, bar.high, np.nan] for bar in spread]).ravel()
    return [*found, Line(np.repeat([bar.across for bar in spread], 3), ends, weight="fine")]


def _accuracies(bars: list[_Bar], *, upright: bool) -> list[Mark]:
    look: dict[str, Any] = {"y_of": "panel"}
    said = [Text(bar.across, 1, bar.accuracy_words, shift=(0, 2), upright=upright, **look) for bar in bars]
    return [*said, Text(0, 1, "accuracy", x_of="panel", align="right", shift=(-3, 2), **look)]


def _under(middles: dict[str, float]) -> list[Mark]:
    """What the seeds are, and the models."""
    look: dict[str, Any] = {"y_of": "panel", "valign": "top"}
    models = [Text(at, 0, model, shift=(0, -14), bold=True, **look) for model, at in middles.items()]
    return [*models, Text(0, 0, "seed", x_of="panel", align="right", shift=(-4, -4), **look)]
