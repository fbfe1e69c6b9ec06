"""rnnscope figure NAME RUN... -o FILE."""

from typing import Annotated

from cyclopts import Parameter

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out, parse_settings

FIGURES = (
    "Figure: orbit-diagram, loss (of one run or several), tunnel, kind-map, transient, frequency; of the probe "
    "attractors: attractor-map, exponents (also of lyapunov), multipliers (also of fixedpoints), phase-portrait (with "
    "orbits --set keep_states=true); of probes of the cost: curvature, cost-plane, cost-surface, cost-line, growth."
)


def figure(
    name: Annotated[str, Parameter(help=FIGURES)],
    runs: o.Runs,
    *,
    output: o.Output,
    set: o.Changes = None,
    debug: o.Debug = False,
) -> None:
    """Draw one figure of a run, or of several side by side, into a file (png, svg, pdf or html)."""
    from rnnscope import figures
    from rnnscope.cli._figure_settings import figure_settings
    from rnnscope.runs import Run

    backend = figures.backend_for(output)
    settings = figure_settings(name, parse_settings(set), figures.settings_of(name, len(runs)))
    output.parent.mkdir(parents=True, exist_ok=True)
    with named_warnings():
        drawn = figures.draw(name, [Run(path) for path in runs], backend=backend, **settings)
        figures.save(drawn, output)
    out.print(str(output))
