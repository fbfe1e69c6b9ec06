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
    return render(_sheet(_Content.of(data.isel(input=shown), _INPUTS[inputs])), backend)


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
    def measured(self) -> bool:
        return bool(np.isfinite(self.median))

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


@dataclass(frozen=True, eq=False)
class _Content:
    """A row of bars for each gap; seeds at ``ticks``, models at the middles of their seeds."""

    rows: dict[float, list[_Bar]]
    ticks: dict[float, int]
    models: dict[str, float]
    n_classes: float
    inputs: str

    @classmethod
    def of(cls, data: "xarray.Dataset", inputs: str) -> "_Content":
        gaps = data["gap"].values.astype(float)
        seeds = data["seed"].values.astype(int)
        places, ticks, models, at = {}, {}, {}, 0.0
        for model in _study.models_of(data):
            runs = np.flatnonzero(_study.is_of(data, model))
            first = at
            for seed in np.unique(seeds[runs]):
                same = {gap: runs[(seeds[runs] == seed) & (gaps[runs] == gap)] for gap in np.unique(gaps)}
                for nth in range(max(map(len, same.values()))):
                    places.update({int(each[nth]): at for each in same.values() if nth < len(each)})
                    ticks[at] = int(seed)
                    at += 1
            models[model] = (first + at - 1) / 2
            at += _BETWEEN_MODELS
        rows = {
            float(gap): [_Bar.of(data.isel(run=run), places[run]) for run in np.flatnonzero(gaps == gap).tolist()]
            for gap in np.unique(gaps)
        }
        return cls(rows, ticks, models, float(data["n_classes"]), inputs)

    @property
    def limits(self) -> tuple[float, float]:
        first, last = min(self.ticks), max(self.ticks)
        margin = max(0.7, _FEWEST / 2 - (last - first) / 2)
        return first - margin, last + margin

    @property
    def top(self) -> float:
        highest = [bar.high for bars in self.rows.values() for bar in bars if bar.measured]
        return 1.08 * max([1.0, self.n_classes, *highest])

    @property
    def kinds(self) -> list[int]:
        return sorted({kind for bars in self.rows.values() for bar in bars for kind in bar.parts})

    @property
    def spread(self) -> bool:
        return any(bar.high > bar.low for bars in self.rows.values() for bar in bars)

    @property
    def classes_words(self) -> str:
        return f"one for each class ({self.n_classes:g})"

    @property
    def value_label(self) -> str:
        return f"number of attractors,\nmedian over {self.inputs}"

    def heading(self, gap: float) -> str:
        return f"gap {_study.plural(int(gap), 'step')}"


def _sheet(content: _Content) -> Sheet:
    n_bars, n_rows = len(content.ticks), len(content.rows)
    width = max(theme.PAGE_WIDTH, 0.15 * n_bars) if n_bars > _WIDE_FROM else theme.COLUMN_WIDTH
    upright = (width - 0.6) / (content.limits[1] - content.limits[0]) < _NARROW
    panels = []
    for row, (gap, bars) in enumerate(content.rows.items()):
        seeds = [(at, str(seed)) for at, seed in content.ticks.items()] if row == n_rows - 1 else []
        marks = [
            *_bars(bars, content.kinds),
            Reference(content.n_classes, role="ink", name=content.classes_words),
            *_accuracies(bars, upright=upright),
        ]
        marks += _under(content) if row == n_rows - 1 else []
        panels.append(
            Panel(
                tuple(marks), row=row, height=max(1.25, 1.8 / n_rows),
                x=Axis(range=content.limits, ticks=seeds, shared="bars"),
                y=Axis(range=(0, content.top), whole=True, n_ticks=7, shared="counts"),
                heading=content.heading(gap) + "\n" * (2 if upright else 1) + " ",
            )
        )  # fmt: skip
    spread = (key(_WHISKER_WORDS, sign=Points, shape="tick", role="ink"),) if content.spread else ()
    return Sheet(tuple(panels), legend=spread, width=width, y_label=content.value_label)


def _bars(bars: list[_Bar], kinds: list[int]) -> list[Mark]:
    """The parts of each bar, one on the other, and the line from quarter to quarter."""
    hover = "{model}, seed {seed}\nmedian {median:.3g} attractors ({low:.3g} … {high:.3g}), of which {part:.2g}\n"
    base = dict.fromkeys((bar.across for bar in bars), 0.0)
    found: list[Mark] = []
    for kind in kinds:
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


def _under(content: _Content) -> list[Mark]:
    """What the seeds are, and the models."""
    look: dict[str, Any] = {"y_of": "panel", "valign": "top"}
    models = [Text(at, 0, model, shift=(0, -14), bold=True, **look) for model, at in content.models.items()]
    return [*models, Text(0, 0, "seed", x_of="panel", align="right", shift=(-4, -4), **look)]
