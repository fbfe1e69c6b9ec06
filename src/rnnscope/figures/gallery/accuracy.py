"""How accurate a study's networks are after gaps of growing length, on sequences as long as trained and longer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _study, _style

if TYPE_CHECKING:
    import xarray

_LANES = 0.07  # of the axis: how far the lanes of all models at one gap reach
_LOG_FROM = 8  # a span of gaps, largest over smallest, from which the axis is logarithmic
_LABELS_APART = 0.09  # of the axis
_MEDIAN_WORDS = "median over seeds"


def accuracy(accuracies: "xarray.Dataset", *, backend: _style.Backend = "matplotlib") -> Any:
    """Accuracy against the gap, a panel for each length of the tested sequences in lengths trained on.

    A point is a network, a line joins the medians of a model's networks at each gap. Models stand a little beside one
    another, and so do the networks of a model, so that equal accuracies do not hide one another. The axis of the gap is
    logarithmic where the largest is at least 8 times the smallest. The dashed line is chance. Accuracies that are NaN
    are left out, and their number is said.

    Args:
        accuracies: dimensions run, factor. Variables ``accuracy`` (run, factor) from 0 to 1 and the scalar ``chance``;
            coordinates ``gap`` and ``length`` (run), steps between cue and answer and steps of the sequences trained
            on, ``factor`` (factor), length tested divided by length trained on, ``model`` and ``seed`` (run).
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, a variable that is missing, accuracies outside 0 to 1, or none at all.

    """
    _style.check_backend(backend)
    shapes = {
        "accuracy": ("run", "factor"), "chance": (), "gap": ("run",), "length": ("run",), "factor": ("factor",),
        **_study.RUN,
    }  # fmt: skip
    data = _study.checked(accuracies, "accuracies", shapes)
    values = data["accuracy"].values.astype(float)
    known = ~np.isnan(values)
    require(known.any(), "accuracies", "at least one accuracy that is not NaN", "none")
    wrong = values[known & ~((values >= 0) & (values <= 1))]
    require(not wrong.size, "accuracies", "accuracies from 0 to 1", wrong[:3].tolist())
    content = _Content.of(data)
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content)


@dataclass(frozen=True, eq=False)
class _Series:
    """A model at one factor: a point for each network that has an accuracy, and the median at each gap."""

    model: str
    at: int
    across: np.ndarray
    values: np.ndarray
    words: list[str]
    median_across: np.ndarray
    medians: np.ndarray

    @property
    def colour(self) -> str:
        return _style.LINE_COLOURS[self.at % len(_style.LINE_COLOURS)]


@dataclass(frozen=True, eq=False)
class _Content:
    """Panels of series by heading; the gaps stand at ``ticks`` of the axis."""

    panels: dict[str, list[_Series]]
    ticks: np.ndarray
    gaps: np.ndarray
    limits: tuple[float, float]
    chance: float
    n_missing: int

    @classmethod
    def of(cls, data: "xarray.Dataset") -> "_Content":
        gaps = np.unique(data["gap"].values.astype(float))
        logarithmic = gaps[0] > 0 and gaps[-1] >= _LOG_FROM * gaps[0]
        scale = np.log10 if logarithmic else np.asarray
        ticks = scale(gaps)
        span = float(np.ptp(ticks)) or 1.0
        panels = {
            _heading(factor, data["length"].values): _series(data.isel(factor=at), scale, span)
            for at, factor in enumerate(data["factor"].values)
        }
        limits = float(ticks[0] - 0.12 * span), float(ticks[-1] + 0.12 * span)
        missing = int(np.isnan(data["accuracy"].values.astype(float)).sum())
        return cls(panels, ticks, gaps, limits, float(data["chance"]), missing)

    @property
    def tick_labels(self) -> list[str]:
        """The gaps as words, none where it would run into the one before."""
        apart, last, labels = _LABELS_APART * (self.limits[1] - self.limits[0]), -np.inf, []
        for tick, gap in zip(self.ticks, self.gaps, strict=True):
            labels.append(f"{gap:g}" if tick - last >= apart else "")
            last = tick if labels[-1] else last
        return labels

    @property
    def chance_words(self) -> str:
        return f"chance ({self.chance:.3g})"

    @property
    def remarks(self) -> list[str]:
        return [f"{self.n_missing} not measured"] if self.n_missing else []

    @property
    def models(self) -> list[_Series]:
        return next(iter(self.panels.values()))


def _heading(factor: float, lengths: np.ndarray) -> str:
    steps = np.unique(np.round(factor * lengths.astype(float)).astype(int))
    tested = _study.plural(int(steps[0]), "step") if steps.size == 1 else f"{steps[0]} … {steps[-1]} steps"
    words = "as long as trained" if np.isclose(factor, 1) else f"{factor:g} × as long"
    return f"{words} ({tested})"


def _series(data: "xarray.Dataset", scale: Any, span: float) -> list[_Series]:
    found, models = [], _study.models_of(data)
    lane = _LANES * span / max(len(models), 3)
    for at, model in enumerate(models):
        runs = data.isel(run=np.flatnonzero(_study.is_of(data, model)))
        values, gaps = runs["accuracy"].values.astype(float), runs["gap"].values.astype(float)
        middle = scale(gaps) + (at - (len(models) - 1) / 2) * lane
        across, known = middle.copy(), ~np.isnan(values)
        medians = []
        for gap in np.unique(gaps[known]):
            here = np.flatnonzero((gaps == gap) & known)
            across[here] += np.linspace(-0.3, 0.3, here.size) * lane if here.size > 1 else 0.0
            medians.append((middle[here[0]], np.median(values[here])))
        words = [
            f"{model}, seed {seed}, gap {gap:g} steps" for seed, gap in zip(runs["seed"].values, gaps, strict=True)
        ]
        shown = [word for word, there in zip(words, known, strict=True) if there]
        line = np.array(medians).reshape(-1, 2)
        found.append(_Series(model, at, across[known], values[known], shown, line[:, 0], line[:, 1]))
    return found


def _draw_matplotlib(content: _Content) -> Any:
    from matplotlib.lines import Line2D

    with _style.matplotlib_style():
        figure = _study.panels_figure(len(content.panels), 2.3)
        row = figure.subplots(1, len(content.panels), sharex=True, sharey=True, squeeze=False)[0]
        dashed: dict[str, Any] = {"color": _style.INK, "linewidth": 0.7, "linestyle": _study.DASHES}
        for axes, (heading, series) in zip(row, content.panels.items(), strict=True):
            axes.axhline(content.chance, zorder=1, **dashed)
            for each in series:
                marker = _study.MARKERS[each.at % len(_study.MARKERS)]
                axes.plot(each.median_across, each.medians, color=each.colour, linewidth=1)
                axes.plot(
                    each.across, each.values, linestyle="none", marker=marker, markersize=2.8, color=each.colour,
                    markeredgewidth=0, alpha=0.75,
                )  # fmt: skip
            _style.corner_label(axes, heading)
            axes.set_xlabel("gap (steps)")
        row[0].set_xticks(content.ticks, content.tick_labels)
        row[0].set_xlim(content.limits)
        row[0].set_ylim(-0.03, 1.04)
        row[0].set_ylabel("accuracy")
        handles = [
            Line2D(
                [], [], label=each.model, color=each.colour, linewidth=1, markersize=3,
                marker=_study.MARKERS[each.at % len(_study.MARKERS)],
            )
            for each in content.models
        ]  # fmt: skip
        handles.append(Line2D([], [], label=content.chance_words, **dashed))
        handles.append(Line2D([], [], label=_MEDIAN_WORDS, color=_study.LIGHT_GREY, linewidth=1))
        handles += [Line2D([], [], linestyle="none", label=words) for words in content.remarks]
        _style.legend_above(figure, handles)
    return figure


def _draw_plotly(content: _Content) -> Any:
    import plotly.graph_objects as go

    figure = _study.plotly_panels(len(content.panels))
    for col, (heading, series) in enumerate(content.panels.items(), start=1):
        dashes = {"color": _style.MIDDLE_GREY, "width": 1.2, "dash": "dash"}
        figure.add_trace(
            go.Scatter(
                x=content.limits, y=[content.chance] * 2, mode="lines", line=dashes, name=content.chance_words,
                showlegend=col == 1, hoverinfo="skip",
            ),
            row=1, col=col,
        )  # fmt: skip
        for each in series:
            figure.add_trace(
                go.Scatter(
                    x=each.median_across, y=each.medians, mode="lines", line={"color": each.colour, "width": 2},
                    hoverinfo="skip", showlegend=False, name=each.model,
                ),
                row=1, col=col,
            )  # fmt: skip
            symbol = _study.SYMBOLS[each.at % len(_study.SYMBOLS)]
            figure.add_trace(
                go.Scatter(
                    x=each.across, y=each.values, mode="markers", text=each.words, showlegend=False,
                    marker={"color": each.colour, "symbol": symbol, "size": 7, "opacity": 0.8},
                    hovertemplate="%{text}<br>accuracy %{y:.3g}<extra></extra>", name=each.model,
                ),
                row=1, col=col,
            )  # fmt: skip
            if col == 1:
                figure.add_trace(go.Scatter(**_style.legend_entry(each.model, each.colour, symbol=symbol)))
        _study.plotly_heading(figure, heading, col=col)
    figure.add_trace(go.Scatter(**_style.legend_entry(_MEDIAN_WORDS, _style.MIDDLE_GREY, line=True)))
    for words in content.remarks:
        figure.add_trace(go.Scatter(**_style.legend_entry(words, "rgba(0,0,0,0)")))
    _style.style_plotly(figure, height=400)
    figure.update_layout(margin={"t": 58}, showlegend=True)
    ticks = {"tickvals": content.ticks.tolist(), "ticktext": content.tick_labels}
    figure.update_xaxes(range=list(content.limits), showgrid=False, **ticks)
    _study.plotly_title_below(figure, "gap (steps)", len(content.panels))
    figure.update_yaxes(range=[-0.03, 1.04], dtick=0.2)
    figure.update_yaxes(title="accuracy", col=1)
    return figure
