"""How accurate a study's networks are after gaps of growing length, on sequences as long as trained and longer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _study
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Line, Mark, Panel, Points, Reference, Sheet, key

if TYPE_CHECKING:
    import xarray

_LANES = 0.07  # of the axis: how far the lanes of all models at one gap reach
_LOG_FROM = 8  # a span of gaps, largest over smallest, from which the axis is logarithmic
_LABELS_APART = 0.09  # of the axis


def accuracy(accuracies: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
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
    return render(_sheet(data), backend)


def _sheet(data: "xarray.Dataset") -> Sheet:
    gaps = np.unique(data["gap"].values.astype(float))
    logarithmic = gaps[0] > 0 and gaps[-1] >= _LOG_FROM * gaps[0]
    scale: Callable[..., np.ndarray] = np.log10 if logarithmic else np.asarray
    ticks = scale(gaps)
    span = float(np.ptp(ticks)) or 1.0
    limits = float(ticks[0] - 0.12 * span), float(ticks[-1] + 0.12 * span)
    x = Axis("gap (steps)", range=limits, ticks=_words(ticks, gaps, limits), shared="gap")
    y = Axis("accuracy", range=(-0.03, 1.04), shared="accuracy")
    chance = Reference(float(data["chance"]), role="ink", name=f"chance ({float(data['chance']):.3g})")
    lengths = data["length"].values
    panels = tuple(
        Panel((chance, *_models(data.isel(factor=at), scale, span)), x, y, column=at, height=1.7,
              heading=_heading(factor, lengths))
        for at, factor in enumerate(data["factor"].values)
    )  # fmt: skip
    keys = [key("median over seeds", "quiet", sign=Line)]
    n_missing = int(np.isnan(data["accuracy"].values.astype(float)).sum())
    keys += [key(f"{n_missing} not measured")] if n_missing else []
    return Sheet(panels, legend=tuple(keys))


def _words(ticks: np.ndarray, gaps: np.ndarray, limits: tuple[float, float]) -> list[tuple[float, str]]:
    """The gaps as words, none where it would run into the one before."""
    apart, last, found = _LABELS_APART * (limits[1] - limits[0]), -np.inf, []
    for tick, gap in zip(ticks.tolist(), gaps, strict=True):
        found.append((tick, f"{gap:g}" if tick - last >= apart else ""))
        last = tick if found[-1][1] else last
    return found


def _heading(factor: float, lengths: np.ndarray) -> str:
    steps = np.unique(np.round(factor * lengths.astype(float)).astype(int))
    tested = _study.plural(int(steps[0]), "step") if steps.size == 1 else f"{steps[0]} … {steps[-1]} steps"
    words = "as long as trained" if np.isclose(factor, 1) else f"{factor:g} × as long"
    return f"{words}\n({tested})"


def _models(data: "xarray.Dataset", scale: Callable[..., np.ndarray], span: float) -> list[Mark]:
    """For each model a point for each network that has an accuracy, and the line through the medians."""
    found: list[Mark] = []
    models = _study.models_of(data)
    lane = _LANES * span / max(len(models), 3)
    for at, model in enumerate(models):
        runs = data.isel(run=np.flatnonzero(_study.is_of(data, model)))
        values, gaps, seeds = (runs[name].values.astype(float) for name in ("accuracy", "gap", "seed"))
        middle = scale(gaps) + (at - (len(models) - 1) / 2) * lane
        across, known = middle.copy(), ~np.isnan(values)
        medians = []
        for gap in np.unique(gaps[known]):
            here = np.flatnonzero((gaps == gap) & known)
            across[here] += np.linspace(-0.3, 0.3, here.size) * lane if here.size > 1 else 0.0
            medians.append((middle[here[0]], np.median(values[here])))
        line, role = np.array(medians).reshape(-1, 2), f"series {at}"
        said: dict[str, Any] = {"facts": {"seed": seeds[known], "gap": gaps[known]}}
        said["hover"] = model + ", seed {seed:.0f}, gap {gap:g} steps\naccuracy {y:.3g}"
        found.append(Line(line[:, 0], line[:, 1], role=role))
        look = {"shape": _study.SHAPES[at % len(_study.SHAPES)], "opacity": 0.8}
        found.append(Points(across[known], values[known], role=role, name=model, **look, **said))
    return found
