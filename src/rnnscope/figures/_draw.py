"""A figure of a run by name: what the command line and the report ask for."""

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import require, unknown
from rnnscope.figures._style import Backend

if TYPE_CHECKING:
    from rnnscope.runs import Run


_OF_SEVERAL = {"orbit-diagram": "compare-orbits", "compare-orbits": "compare-orbits", "loss": "loss"}


def draw(name: str, run: "Run | Sequence[Run]", *, backend: Backend = "matplotlib", **settings: Any) -> Any:
    """Draw a figure from what a run holds, or of several runs side by side; nothing is measured.

    The figure's arguments ``orbits``, ``summary`` and ``scalars`` are taken from the run unless they are
    given.

    Args:
        name: one of ``rnnscope.figures.names()``.
        run: a run whose probe ``orbits`` was measured, where the figure needs it; or several of them, for
            ``orbit-diagram`` (drawn as ``compare-orbits``) and ``loss``.
        backend: ``"matplotlib"`` or ``"plotly"``.
        **settings: further arguments of the figure, such as ``inputs`` or ``output``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: no such figure, one that shows a single run only, or a setting that it does not have.
        RunError: the probe that the figure shows was never measured in this run.

    """
    from rnnscope.attractors import summarise_orbits
    from rnnscope.figures import load

    runs = [run] if not isinstance(run, Sequence) else list(run)
    require(runs, "run", "at least one run", run)
    if len(runs) > 1 or name == "compare-orbits":
        return _draw_several(name, runs, backend, settings)
    (run,) = runs
    figure = load(name)
    parameters = inspect.signature(figure).parameters
    _check(name, parameters, settings)
    wanted = [key for key in ("orbits", "summary", "scalars") if key in parameters and key not in settings]
    if "orbits" in wanted:
        beginning = {"n_transient": 0} if name == "transient" and run.has("orbits", n_transient=0) else {}
        settings["orbits"] = run.dataset("orbits", **beginning)
    if "scalars" in wanted:
        settings["scalars"] = run.scalars
    if "summary" in wanted and parameters["summary"].default is inspect.Parameter.empty:
        settings["summary"] = summarise_orbits(run.dataset("orbits"))
    return figure(backend=backend, **settings)


def _draw_several(name: str, runs: "list[Run]", backend: Backend, settings: dict[str, Any]) -> Any:
    from rnnscope.figures import load, names

    if name in names() and name not in _OF_SEVERAL:
        listed = ", ".join(sorted(_OF_SEVERAL))
        raise ValueError(f"figure {name} shows a single run, came {len(runs)}; those that compare runs: {listed}")
    figure = load(_OF_SEVERAL.get(name, name))
    _check(name, inspect.signature(figure).parameters, settings)
    named = dict(zip(names_of(runs), runs, strict=True))
    settings.setdefault("scalars", {key: run.scalars for key, run in named.items()})
    if name != "loss":
        settings.setdefault("orbits", {key: run.dataset("orbits") for key, run in named.items()})
    return figure(backend=backend, **settings)


def names_of(runs: "list[Run]") -> list[str]:
    """A name for each run that tells it from the others: the network's, with the seed, or the folder's."""
    models = [run.config.get("model") for run in runs]
    networks = [str(model.get("name", "")) if isinstance(model, dict) else "" for model in models]
    seeded = [f"{network}, seed {run.config.get('seed')}" for network, run in zip(networks, runs, strict=True)]
    folders, paths = [run.name for run in runs], [str(run.path) for run in runs]
    for candidates in (networks, seeded, folders, paths) if all(networks) else (folders, paths):
        if len(set(candidates)) == len(runs):
            return candidates
    raise ValueError(f"run: expected different runs, came {', '.join(paths)}")


def _check(name: str, parameters: Iterable[str], settings: Iterable[str]) -> None:
    for setting in settings:
        if setting not in parameters:
            raise unknown(f"setting of figure {name}", setting, [key for key in parameters if key != "backend"])
