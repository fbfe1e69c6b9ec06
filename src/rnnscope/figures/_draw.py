"""A figure of a run by name: what the command line and the report ask for."""

import inspect
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import unknown
from rnnscope.figures._style import Backend

if TYPE_CHECKING:
    from rnnscope.runs import Run


def draw(name: str, run: "Run", *, backend: Backend = "matplotlib", **settings: Any) -> Any:
    """Draw a figure from what a run holds; nothing is measured.

    The figure's arguments ``orbits``, ``summary`` and ``scalars`` are taken from the run unless they are
    given.

    Args:
        name: one of ``rnnscope.figures.names()``.
        run: a run whose probe ``orbits`` was measured, where the figure needs it.
        backend: ``"matplotlib"`` or ``"plotly"``.
        **settings: further arguments of the figure, such as ``inputs`` or ``output``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: no such figure, or a setting that it does not have.
        RunError: the probe that the figure shows was never measured in this run.

    """
    from rnnscope.attractors import summarise_orbits
    from rnnscope.figures import load

    figure = load(name)
    parameters = inspect.signature(figure).parameters
    for setting in settings:
        if setting not in parameters:
            raise unknown(f"setting of figure {name}", setting, [key for key in parameters if key != "backend"])
    wanted = [key for key in ("orbits", "summary", "scalars") if key in parameters and key not in settings]
    if "orbits" in wanted:
        beginning = {"n_transient": 0} if name == "transient" and run.has("orbits", n_transient=0) else {}
        settings["orbits"] = run.dataset("orbits", **beginning)
    if "scalars" in wanted:
        settings["scalars"] = run.scalars
    if "summary" in wanted and parameters["summary"].default is inspect.Parameter.empty:
        settings["summary"] = summarise_orbits(run.dataset("orbits"))
    return figure(backend=backend, **settings)
