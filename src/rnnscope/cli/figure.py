"""rnnscope figure NAME RUN... -o FILE."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import err, make_model, named_warnings, out, parse_settings

if TYPE_CHECKING:
    import xarray

    from rnnscope.runs import Run

FIGURES = (
    "Figure: timeline (see --tracks), orbit-diagram, loss (of one run or several), tunnel, kind-map, transient, "
    "frequency; of the probe attractors: attractor-map, exponents (also of lyapunov), multipliers (also of "
    "fixedpoints), phase-portrait, state-plane; of probes of the cost: curvature, cost-plane, cost-surface, cost-line, "
    "growth; of the folder that reproduce wrote: claims, error-horizon, frequency-in-out, accuracy, attractor-counts."
)

_OF_STATES = ("phase-portrait", "state-plane")
_FEW_STARTS = 24


def figure(
    name: Annotated[str, Parameter(help=FIGURES)],
    runs: o.Runs,
    *,
    output: o.Output,
    tracks: o.Tracks = None,
    set: o.Changes = None,
    model: o.Model = None,
    debug: o.Debug = False,
) -> None:
    """Draw one figure of a run, of several side by side, or of a study, into a file (png, svg, pdf or html)."""
    from rnnscope import figures
    from rnnscope.cli._figure_settings import figure_settings
    from rnnscope.runs import Run

    backend = figures.backend_for(output)
    given = parse_settings(set)
    if tracks is not None:
        given["tracks"] = [track.strip() for track in tracks.split(",")]
    settings = figure_settings(name, given, figures.settings_of(name, len(runs)))
    output.parent.mkdir(parents=True, exist_ok=True)
    with named_warnings():
        tables = _tables(runs)
        if tables is None:
            network = make_model(model)
            opened = [Run(path, model=network) for path in runs]
            if name in _OF_STATES and len(opened) == 1:
                _measure_states(opened[0], name, settings.get("epoch"))
            drawn = figures.draw(name, opened, backend=backend, **settings)
        else:
            drawn = figures.draw_study(name, tables, backend=backend, **settings)
        figures.save(drawn, output)
    out.print(str(output))


def _measure_states(run: "Run", name: str, epoch: int | None) -> None:
    """Measure the states along orbits at the one epoch that a figure shows where the run has none: that is quick."""
    from dataclasses import replace

    from rnnscope.attractors import Orbits
    from rnnscope.base.errors import UnsupportedModelError

    if run.has("orbits", keep_states=True):
        if epoch is None or epoch in run.dataset("orbits", keep_states=True)["epoch"].values:
            return
    elif epoch is None:
        points = next((probe for probe in ("fixedpoints", "attractors") if run.has(probe)), None)
        of_points = name == "phase-portrait" and points is not None
        epoch = int((run.dataset(points)["epoch"].values if of_points and points else run.epochs)[-1])
    probe = run.default_probe("orbits", keep_states=True)
    assert isinstance(probe, Orbits)
    if isinstance(probe.starts, str):
        probe = replace(probe, n_starts=min(probe.n_starts, _FEW_STARTS))
    try:
        run.probe(probe, epochs=[epoch])
    except UnsupportedModelError:
        if name == "state-plane" and run.has("orbits"):
            return  # which shows the outputs
        raise
    err.print(f"{run.path}: measured for this figure: states of {probe.n_starts} orbits at epoch {epoch}")


def _tables(folders: list[Path]) -> "dict[str, xarray.Dataset] | None":
    """What a study has stored in the one folder that is given; None where there are several, or runs."""
    from rnnscope.experiments import stored
    from rnnscope.runs.folder import is_run

    findings = folders[0] / "findings"
    if len(folders) > 1 or is_run(folders[0]) or not any(findings.glob("*.nc")):
        return None
    return stored(findings)
