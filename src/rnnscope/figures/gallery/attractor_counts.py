"""How many attractors a study's networks have while they hold a class in memory, against the number of classes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _study, _style
from rnnscope.figures._limit_kinds import LIMIT_COLOURS, LIMIT_SCREEN_COLOURS
from rnnscope.findings.kinds import LIMIT_KINDS, limit_words

if TYPE_CHECKING:
    import xarray

_INPUTS = {"distractors": "distractor inputs", "relevant": "relevant inputs", "all": "all inputs"}
_BETWEEN_MODELS = 0.8  # widths of a bar
_WIDE_FROM = 14  # bars in a row that need the width of a page
_FEWEST = 5  # a row is at least so many bars wide
_WHISKER_WORDS = "quarters over inputs"


def attractor_counts(
    counts: "xarray.Dataset",
    *,
    inputs: Literal["distractors", "relevant", "all"] = "distractors",
    backend: _style.Backend = "matplotlib",
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
    _style.check_backend(backend)
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
    content = _Content.of(data.isel(input=shown), _INPUTS[inputs])
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content)


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


def _draw_matplotlib(content: _Content) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    n_bars = len(content.ticks)
    with _style.matplotlib_style():
        width = max(_style.PAGE_WIDTH, 0.15 * n_bars) if n_bars > _WIDE_FROM else _style.COLUMN_WIDTH
        figure = _style.new_matplotlib_figure(0.9 + max(1.8, 1.25 * len(content.rows)), width)
        column = figure.subplots(len(content.rows), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        pitch = (width - 0.6) / (content.limits[1] - content.limits[0])
        upright = {"rotation": 90, "va": "bottom"} if pitch < 0.22 else {"va": "bottom"}
        dashed: dict[str, Any] = {"color": _style.INK, "linewidth": 0.7, "linestyle": _study.DASHES}
        for axes, (gap, bars) in zip(column, content.rows.items(), strict=True):
            above = axes.get_xaxis_transform()
            axes.tick_params(axis="x", length=0, pad=4)
            for bar in bars:
                base = 0.0
                for kind, height in bar.parts.items():
                    axes.bar(bar.across, height, 0.72, base, color=LIMIT_COLOURS[kind])
                    base += height
                if bar.high > bar.low:
                    axes.vlines(bar.across, bar.low, bar.high, color=_style.INK, linewidth=0.6)
                axes.text(bar.across, 1.02, bar.accuracy_words, transform=above, ha="center", fontsize=6, **upright)
            axes.axhline(content.n_classes, **dashed)
            axes.annotate(
                "accuracy", (0, 1.02), (-3, 0), xycoords="axes fraction", textcoords="offset points", ha="right",
                va="bottom", fontsize=6,
            )  # fmt: skip
            axes.set_title(content.heading(gap), loc="left", pad=24 if "rotation" in upright else 11)
        column[0].set_xlim(content.limits)
        column[0].set_ylim(0, content.top)
        column[0].yaxis.set_major_locator(MaxNLocator(7, integer=True))
        column[-1].set_xticks([*content.ticks], [str(seed) for seed in content.ticks.values()])
        column[-1].annotate(
            "seed", (0, 0), (-3, -4), xycoords="axes fraction", textcoords="offset points", ha="right", va="top"
        )
        for model, middle in content.models.items():
            column[-1].annotate(
                model, (middle, 0), (0, -13), xycoords=column[-1].get_xaxis_transform(), textcoords="offset points",
                ha="center", va="top", fontweight="bold",
            )  # fmt: skip
        figure.supylabel(content.value_label, fontsize=7.5)
        handles: list[Any] = [Patch(color=LIMIT_COLOURS[kind], label=limit_words(kind)) for kind in content.kinds]
        handles.append(Line2D([], [], label=content.classes_words, **dashed))
        if content.spread:
            look: dict[str, Any] = {"marker": "|", "markersize": 7, "markeredgewidth": 0.6, "color": _style.INK}
            handles.append(Line2D([], [], linestyle="none", label=_WHISKER_WORDS, **look))
        _style.legend_above(figure, handles)
    return figure


def _draw_plotly(content: _Content) -> Any:
    import plotly.graph_objects as go

    n_rows = len(content.rows)
    height = 190 * n_rows + 150
    figure = _study.plotly_panels(1, n_rows, vertical_spacing=min(60 / (height - 150), 0.9 / n_rows))
    for row, (gap, bars) in enumerate(content.rows.items(), start=1):
        for kind in content.kinds:
            having = [bar for bar in bars if kind in bar.parts]
            figure.add_trace(
                go.Bar(
                    x=[bar.across for bar in having], y=[bar.parts[kind] for bar in having], width=0.72,
                    marker={"color": LIMIT_SCREEN_COLOURS[kind], "line": {"width": 0}}, name=limit_words(kind),
                    showlegend=False,
                    customdata=[[bar.model, bar.seed, bar.median, bar.low, bar.high] for bar in having],
                    hovertemplate=(
                        "%{customdata[0]}, seed %{customdata[1]}<br>median %{customdata[2]:g} attractors "
                        "(%{customdata[3]:g} … %{customdata[4]:g}), of which %{y:.2g}<extra>%{fullData.name}</extra>"
                    ),
                ),
                row=row, col=1,
            )  # fmt: skip
        spread = [bar for bar in bars if bar.high > bar.low]
        ink: dict[str, Any] = {"color": _style.MIDDLE_GREY, "width": 2}
        if spread:
            figure.add_trace(
                go.Scatter(
                    x=[bar.across for bar in spread for _ in range(3)],
                    y=[end for bar in spread for end in (bar.low, bar.high, None)],
                    mode="lines", line=ink, name=_WHISKER_WORDS, showlegend=False, hoverinfo="skip",
                ),
                row=row, col=1,
            )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=content.limits, y=[content.n_classes] * 2, mode="lines", line={**ink, "width": 1.2, "dash": "dash"},
                name=content.classes_words, showlegend=row == 1, hoverinfo="skip",
            ),
            row=row, col=1,
        )  # fmt: skip
        small: dict[str, Any] = {"showarrow": False, "yref": "y domain", "y": 1, "yanchor": "bottom", "row": row}
        for bar in bars:
            figure.add_annotation(text=bar.accuracy_words, x=bar.across, font={"size": 11}, col=1, **small)
        figure.add_annotation(
            text="accuracy", x=0, xref="x domain", xanchor="right", xshift=-4, font={"size": 11}, col=1, **small
        )
        _study.plotly_heading(figure, content.heading(gap), row=row, shift=18)
    under: dict[str, Any] = {"showarrow": False, "yref": "y domain", "y": 0, "yanchor": "top", "row": n_rows, "col": 1}
    for model, middle in content.models.items():
        figure.add_annotation(text=f"<b>{model}</b>", x=middle, yshift=-22, font={"size": 13}, **under)
    figure.add_annotation(text="seed", x=0, xref="x domain", xanchor="right", xshift=-4, yshift=-3, **under)
    for kind in content.kinds:
        figure.add_trace(go.Scatter(**_style.legend_entry(limit_words(kind), LIMIT_SCREEN_COLOURS[kind])))
    if content.spread:
        bar_sign = _style.legend_entry(_WHISKER_WORDS, _style.MIDDLE_GREY, symbol="line-ns-open")
        figure.add_trace(go.Scatter(**bar_sign))
    _style.style_plotly(figure, height=height)
    figure.update_layout(
        barmode="stack", showlegend=True, margin={"t": 60, "l": 96, "b": 90}, legend={"traceorder": "normal"}
    )
    figure.update_xaxes(range=list(content.limits), showgrid=False, ticks="", tickvals=[*content.ticks])
    figure.update_xaxes(ticktext=[str(seed) for seed in content.ticks.values()], row=n_rows)
    figure.update_yaxes(range=[0, content.top], nticks=6, tickformat="d")
    figure.add_annotation(
        text=content.value_label.replace("\n", "<br>"), x=0, xref="paper", xanchor="right", xshift=-58,
        y=0.5, yref="paper", textangle=-90, showarrow=False, font={"size": 14},
    )  # fmt: skip
    return figure
