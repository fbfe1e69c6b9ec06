"""rnnscope figure NAME RUN... -o FILE."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out, parse_settings

if TYPE_CHECKING:
    import xarray

FIGURES = (
    "Figure: orbit-diagram, loss (of one run or several), tunnel, kind-map, transient, frequency; of the probe "
    "attractors: attractor-map, exponents (also of lyapunov), multipliers (also of fixedpoints), phase-portrait (with "
    "orbits --set keep_states=true); of probes of the cost: curvature, cost-plane, cost-surface, cost-line, growth; of "
    "the folder that reproduce wrote: claims, error-horizon, frequency-in-out, accuracy, attractor-counts."
)


def figure(
    name: Annotated[str, Parameter(help=FIGURES)],
    runs: o.Runs,
    *,
    output: o.Output,
    set: o.Changes = None,
    debug: o.Debug = False,
) -> None:
    """Draw one figure of a run, of several side by side, or of a study, into a file (png, svg, pdf or html)."""
    from rnnscope import figures
    from rnnscope.cli._figure_settings import figure_settings
    from rnnscope.runs import Run

    backend = figures.backend_for(output)
    settings = figure_settings(name, parse_settings(set), figures.settings_of(name, len(runs)))
    output.parent.mkdir(parents=True, exist_ok=True)
    with named_warnings():
        tables = _tables(runs)
        if tables is None:
            drawn = figures.draw(name, [Run(path) for path in runs], backend=backend, **settings)
        else:
            drawn = figures.draw_study(name, tables, backend=backend, **settings)
        figures.save(drawn, output)
    out.print(str(output))


def _tables(folders: list[Path]) -> "dict[str, xarray.Dataset] | None":
    """What a study has stored in the one folder that is given; None where there are several, or runs."""
    from rnnscope.experiments import stored
    from rnnscope.runs.folder import is_run

    findings = folders[0] / "findings"
    if len(folders) > 1 or is_run(folders[0]) or not any(findings.glob("*.nc")):
        return None
    return stored(findings)
