"""The page: one self-contained HTML file of one or several runs."""

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.base.files import write_text
from rnnscope.figures.theme import PLOTLY_CONFIG
from rnnscope.findings.endings import ending
from rnnscope.findings.reading import stored
from rnnscope.findings.sentences import results_of
from rnnscope.findings.words import number
from rnnscope.report._cost import cost_figures
from rnnscope.report._view import View, view_of

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import xarray

    from rnnscope.runs import Run

TRANSIENT_STEPS = 120
BIBTEX = """\
@inproceedings{ribeiro2020beyond,
  title     = {Beyond exploding and vanishing gradients: analysing {RNN} training using attractors and smoothness},
  author    = {Ribeiro, Ant{\\^o}nio H. and Tiels, Koen and Aguirre, Luis A. and Sch{\\"o}n, Thomas B.},
  booktitle = {Proceedings of the 23rd International Conference on Artificial Intelligence and Statistics},
  series    = {PMLR},
  volume    = {108},
  pages     = {2370--2380},
  year      = {2020},
  note      = {arXiv:1906.08482}
}

@article{ribeiro2020smoothness,
  title   = {On the smoothness of nonlinear system identification},
  author  = {Ribeiro, Ant{\\^o}nio H. and Tiels, Koen and Umenberger, Jack and Sch{\\"o}n, Thomas B. and
             Aguirre, Luis A.},
  journal = {Automatica},
  volume  = {121},
  pages   = {109158},
  year    = {2020},
  note    = {arXiv:1905.00820}
}"""


def write_report(runs: "Run | Sequence[Run]", path: str | Path, *, title: str | None = None) -> Path:
    """Write a page on one run, or on several side by side, from what they hold; nothing is measured.

    The page is one HTML file that asks nothing of the network: what was trained, what happened in plain words, loss,
    orbits, kinds, exponents and curvature on one epoch axis, time courses, learned frequency, every input, settings,
    versions, the command that makes it anew; of runs with results of the probe ``attractors`` also the limit sets,
    their exponents and multipliers. A run whose orbits were never measured has its loss and settings only.

    Args:
        runs: one run or several.
        path: the file, ending in ``.html``; an existing one is replaced, missing folders are made.
        title: heading of the page; by default the names of the runs.

    Returns:
        The path.

    Raises:
        ValueError: no run, or a path that does not end in ``.html``.
        TypeError: something else than a run, such as its path.
        OSError: the file cannot be written; what stood there before still does.

    """
    from jinja2 import Environment, PackageLoader
    from plotly.offline import get_plotlyjs

    path = Path(path)
    chosen: list[Any] = [runs] if isinstance(runs, str) or not isinstance(runs, Sequence) else list(runs)
    for run in chosen:
        if not hasattr(run, "scalars"):
            raise TypeError(f"runs: expected a Run or several, such as Run('runs/demo'), came {run!r}")
    require(chosen, "runs", "at least one run", runs)
    require(path.suffix.lower() == ".html", "path", "a file name that ends in .html", str(path))
    views, figures, comparison = _gather(chosen)
    environment = Environment(
        loader=PackageLoader("rnnscope", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    own = files("rnnscope.report")
    page = environment.get_template("page.html.jinja").render(
        title=title or " · ".join(view.name for view in views),
        views=views,
        comparison=comparison,
        figures={name: script_safe(str(figure.to_json())) for name, figure in figures.items()},
        config=json.dumps(PLOTLY_CONFIG),
        bibtex=BIBTEX,
        number=number,
        plotlyjs=get_plotlyjs(),
        css=own.joinpath("page.css").read_text(encoding="utf-8"),
        javascript=own.joinpath("page.js").read_text(encoding="utf-8"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def _gather(runs: "list[Run]") -> "tuple[list[View], dict[str, go.Figure], list[tuple[str, str]]]":
    """What the page says of each run, all figures by name, and the (name, caption) of those that compare runs."""
    from rnnscope import figures as drawing
    from rnnscope.attractors import summarise_orbits

    told = [results_of(run) for run in runs]
    results = [found.get("orbits") for found in told]
    limits = [found.get("attractors") for found in told]
    summaries = [None if orbits is None else summarise_orbits(orbits) for orbits in results]
    views = [view_of(run, found, summary) for run, found, summary in zip(runs, told, summaries, strict=True)]
    figures: dict[str, Any] = {}
    alike = len(runs) > 1
    mains = _main_figures(runs, results, summaries, limits, alike=alike)
    for at, (run, view, orbits, summary) in enumerate(zip(runs, views, results, summaries, strict=True)):
        under_main = orbits is not None and not alike
        if orbits is not None and summary is not None:
            figures[f"main-{at}"] = mains[at]
            tracks = _KINDS if limits[at] is None or alike else _LIMIT_SETS
            if not alike:
                tracks += _EVENTS * ("bifurcations" in told[at]) + _CURVATURE * run.has("smoothness")
            view.figures.append((f"main-{at}", _MAIN_CAPTION.format(tracks)))
            _add_cost(run, at, view, figures)
            if orbits.sizes["time"] >= 2:
                figures[f"tunnel-{at}"] = drawing.tunnel(orbits, backend="plotly")
                view.figures.append((f"tunnel-{at}", _TUNNEL_CAPTION))
            beginnings = stored(run, "orbits", n_transient=0)
            if beginnings is not None:
                which, shown = "first", beginnings.isel(time=slice(TRANSIENT_STEPS))
            else:
                which, shown = "last", orbits.isel(time=slice(-TRANSIENT_STEPS, None))
            figures[f"transient-{at}"] = drawing.transient(shown, backend="plotly")
            view.figures.append((f"transient-{at}", _TRANSIENT_CAPTION.format(which)))
            if np.isfinite(ending(summary).frequency).any():
                figures[f"frequency-{at}"] = drawing.frequency(summary, backend="plotly")
                view.figures.append((f"frequency-{at}", _FREQUENCY_CAPTION))
        elif _has_loss(run):
            figures[f"loss-{at}"] = drawing.loss(run.scalars, backend="plotly")
            view.figures.append((f"loss-{at}", "Loss over training."))
            _add_cost(run, at, view, figures)
        if "bifurcations" in told[at]:
            figures[f"branches-{at}"] = drawing.branches(told[at]["bifurcations"], backend="plotly")
            view.figures.append((f"branches-{at}", _BRANCHES_CAPTION))
        for name, figure, caption in _limit_figures(limits[at], apart=not under_main):
            figures[f"{name}-{at}"] = figure
            view.figures.append((f"{name}-{at}", caption))
    comparison = []
    with_loss = {f"{at + 1}. {run.name}": run.scalars for at, run in enumerate(runs) if _has_loss(run)}
    if len(with_loss) > 1:
        figures["losses"] = drawing.loss(with_loss, backend="plotly")
        comparison.append(("losses", "Loss of all runs on the same axes."))
    return views, figures, comparison


def _add_cost(run: "Run", at: int, view: View, figures: dict[str, Any]) -> None:
    """Add the figures of the cost that the run has results for."""
    for name, figure, caption in cost_figures(run, figures.get(f"main-{at}")):
        figures[f"{name}-{at}"] = figure
        view.figures.append((f"{name}-{at}", caption))


def _limit_figures(attractors: "xarray.Dataset | None", *, apart: bool) -> "Iterator[tuple[str, go.Figure, str]]":
    """Name, figure and caption of what a result of ``Attractors`` shows; ``apart``: no other figure shows the rest."""
    from rnnscope import figures as drawing

    if attractors is None:
        return
    if apart:
        yield "attractors", drawing.attractor_map(attractors, backend="plotly"), _MAP_CAPTION
        yield "exponents", drawing.exponents(attractors, backend="plotly"), _EXPONENTS_CAPTION
    if np.isfinite(attractors["multiplier_real"].values).any():
        yield "multipliers", drawing.multipliers(attractors, backend="plotly"), _MULTIPLIERS_CAPTION


_MAIN_CAPTION = (
    "On one axis of epochs: the loss; the output along the kept orbit at the input chosen in the menu, where an orange "
    "line is a state that settled and a blue band one that keeps moving, stronger where it is more often; {}. An epoch "
    "between two that were looked at is drawn like the nearer of them; gaps are stretches in which nobody looked. Drag "
    "to enlarge, double-click to go back."
)
_KINDS = (
    "what at least half of the starts do at every input, ties going to oscillates (where several epochs share a column "
    "it has the colour of what is commonest among them, and a stripe at its foot for whatever else occurs)"
)
_LIMIT_SETS = (
    "the limit sets at every input, a cell divided by the share of the starts that come to each where there are "
    "several; at the input chosen, the leading Lyapunov exponents with bands of one standard error (small differences "
    "neither grow nor die out at the dashed line, 0)"
)
_EVENTS = (
    "; bifurcations of fixed points and cycles at every input, open and small where all that they concern is unstable"
)
_CURVATURE = "; the largest eigenvalue of the Hessian of the cost, a ring where its residual is above 0.01"
_MAP_CAPTION = (
    "Limit sets at every input, epoch by epoch. A cell is divided by the share of the starts that come to each of them "
    "where there are several."
)
_EXPONENTS_CAPTION = (
    "Leading Lyapunov exponents at the input chosen in the menu, in the colour of the kind of limit set, with bands of "
    "one standard error. At the dashed line, 0, small differences neither grow nor die out; above it they grow: chaos."
)
_MULTIPLIERS_CAPTION = (
    "Leading multipliers μ of fixed points and cycles in the complex plane, at the input chosen in the menu and the "
    "epoch of the slider; all other epochs faintly behind, coloured by epoch. Stability ends at the circle |μ| = 1."
)
_BRANCHES_CAPTION = (
    "Output at every fixed point and cycle that was followed, at the input chosen in the menu: solid where it is "
    "stable, dashed where it is not, with a sign at every bifurcation, open and small where all that it concerns is "
    "unstable. Of a cycle one point is drawn."
)
_TUNNEL_CAPTION = (
    "The same orbits at a middle input in the plane of the output and its change in one step, epoch behind epoch: a "
    "state that settled is a thread, a closed curve opens it into a tunnel. Colour is the epoch. Drag to turn."
)
_TRANSIENT_CAPTION = (
    "Output against time at the last epoch looked at, at the lowest, a middle and the highest input: the {} steps of "
    "each orbit, one line per start."
)
_FREQUENCY_CAPTION = (
    "Frequency of the oscillation at the inputs that oscillate at half or more of the last 20 epochs looked at: median "
    "over those epochs and the starts that oscillate, bars from the lowest to the highest. Ticks are all other inputs."
)


def _main_figures(
    runs: "list[Run]",
    results: "list[xarray.Dataset | None]",
    summaries: "list[xarray.Dataset | None]",
    limits: "list[xarray.Dataset | None]",
    *,
    alike: bool,
) -> list[Any]:
    """The timeline of each run, None without orbits; of the same tracks on equal axes where they stand side by side."""
    from rnnscope.figures import timelines

    measured = [at for at, orbits in enumerate(results) if orbits is not None]
    found: list[dict[str, Any]] = [
        {"orbits": results[at], "summary": summaries[at], "attractors": None if alike else limits[at]}
        for at in measured
    ]
    tracks = ("loss", "orbits", "kinds") if alike else None
    drawn = timelines([runs[at] for at in measured], results=found, tracks=tracks, backend="plotly")
    mains: list[Any] = [None] * len(runs)
    for at, figure in zip(measured, drawn, strict=True):
        mains[at] = figure
    return mains


def _has_loss(run: "Run") -> bool:
    return "loss" in run.scalars and bool(run.scalars["loss"].notna().any())


def script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--")
