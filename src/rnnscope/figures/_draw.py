"""A figure of a run by name: what the command line and the report ask for."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import require, unknown
from rnnscope.figures.renderers import Backend
from rnnscope.runs import probes

if TYPE_CHECKING:
    import xarray

    from rnnscope.runs import Run

Source = str | tuple[str, dict[str, Any]]
SOURCES: dict[str, tuple[Source, ...]] = {name: (name,) for name in probes.names()}
_TAKEN = ("scalars", "summary", "run")
_OF_SEVERAL = {"orbit-diagram": "compare-orbits", "compare-orbits": "compare-orbits", "loss": "loss"}
OF_STUDIES = {  # by figure, the table of a study that it shows
    "accuracy": "accuracies",
    "attractor-counts": "counts",
    "claims": "claims",
    "error-horizon": "continuation",
    "frequency-in-out": "frequencies",
}


def settings_of(name: str, n_runs: int = 1) -> dict[str, Any]:
    """The settings of a figure of so many runs with their types; data and ``backend`` are none.

    >>> list(settings_of("orbit-diagram"))
    ['inputs', 'output', 'value_range']

    Raises:
        ValueError: no such figure.

    """
    from rnnscope.figures import load

    figure = load(_OF_SEVERAL.get(name, name) if n_runs > 1 else name)
    data = {"backend", *_TAKEN, *SOURCES, *getattr(inspect.getmodule(figure), "SOURCES", ())}
    return {
        key: parameter.annotation
        for key, parameter in inspect.signature(figure).parameters.items()
        if parameter.default is not inspect.Parameter.empty and key not in data
    }


def draw(name: str, run: "Run | Sequence[Run]", *, backend: Backend = "matplotlib", **settings: Any) -> Any:
    """Draw a figure from what a run holds, or of several runs side by side; nothing is measured.

    Results of probes, what ``summarise_orbits`` says of them where the figure cannot do without, and ``scalars`` are
    taken from the run unless they are given. A figure's module says by ``SOURCES`` which results an argument is taken
    from: names of probes, or a name with settings, of which the first that the run has is drawn.

    Args:
        name: one of ``rnnscope.figures.names()``.
        run: a run in which the probe whose results the figure shows was measured; or several of them, for
            ``orbit-diagram`` (drawn as ``compare-orbits``) and ``loss``.
        backend: ``"matplotlib"`` or ``"plotly"``.
        **settings: further arguments of the figure, such as ``inputs`` or ``output``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: no such figure, one that shows a single run only or a study, or a setting that it does not have.
        RunError: the probe that the figure shows was never measured in this run.

    """
    from rnnscope.attractors import summarise_orbits
    from rnnscope.figures import load

    runs = [run] if not isinstance(run, Sequence) else list(run)
    require(runs, "run", "at least one run", run)
    if name in OF_STUDIES:
        raise _of_a_study(name)
    if len(runs) > 1 or name == "compare-orbits":
        return _draw_several(name, runs, backend, settings)
    (run,) = runs
    figure = load(name)
    parameters = inspect.signature(figure).parameters
    _check(name, parameters, settings)
    sources = getattr(inspect.getmodule(figure), "SOURCES", SOURCES)
    for key, parameter in parameters.items():
        needed = parameter.default is inspect.Parameter.empty
        if key in settings:
            continue
        if key == "run":
            settings[key] = run
        elif key == "scalars":
            settings[key] = run.scalars
        elif key == "summary" and needed:
            settings[key] = summarise_orbits(run.dataset("orbits"))
        elif key in sources and (needed or _has(run, sources[key])):
            settings[key] = _stored(run, sources[key])
    open_ones = [key for key, p in parameters.items() if p.default is inspect.Parameter.empty and key not in settings]
    if open_ones:
        listed = ", ".join(open_ones)
        raise ValueError(
            f"figure {name}: a run does not keep its {listed}; in Python: rnnscope.figures.{figure.__name__}"
        )
    return figure(backend=backend, **settings)


def _has(run: "Run", sources: tuple[Source, ...]) -> bool:
    return any(run.has(probe, **settings) for probe, settings in map(_with_settings, sources))


def _stored(run: "Run", sources: tuple[Source, ...]) -> Any:
    """The first of the results that the run has; if it has none, its own error about the last says what there is."""
    wanted = [_with_settings(source) for source in sources]
    probe, settings = next((each for each in wanted if run.has(each[0], **each[1])), wanted[-1])
    return run.dataset(probe, **settings)


def _with_settings(source: Source) -> tuple[str, dict[str, Any]]:
    return (source, {}) if isinstance(source, str) else source


def _of_a_study(name: str) -> ValueError:
    from rnnscope.figures import load

    figure = load(name)
    argument = next(iter(inspect.signature(figure).parameters))
    return ValueError(
        f"figure {name} shows a study, what several networks were measured to do, and a run keeps no such {argument}; "
        "the folder that rnnscope reproduce writes has it; "
        f"in Python: rnnscope.figures.{figure.__name__}({argument})"
    )


def draw_study(
    name: str, tables: "Mapping[str, xarray.Dataset]", *, backend: Backend = "matplotlib", **settings: Any
) -> Any:
    """Draw a figure of a study from the tables that ``rnnscope.experiments.stored`` gives.

    Args:
        name: one of those that show a study, such as ``"claims"``.
        tables: the study's tables by name.
        backend: ``"matplotlib"`` or ``"plotly"``.
        **settings: further arguments of the figure, such as ``inputs``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: no such figure, one that shows a run, a table that is not there, or a setting that the figure does
            not have.

    """
    from rnnscope.figures import load

    figure = load(name)
    there = ", ".join(key for key, table in OF_STUDIES.items() if table in tables) or "none"
    if name not in OF_STUDIES:
        raise ValueError(f"figure {name} shows a run, came a study; figures of this one: {there}")
    if OF_STUDIES[name] not in tables:
        came = ", ".join(sorted(tables)) or "none"
        raise ValueError(
            f"figure {name}: expected the table {OF_STUDIES[name]} of a study, came {came}; figures of these: {there}"
        )
    _check(name, inspect.signature(figure).parameters, settings)
    return figure(tables[OF_STUDIES[name]], backend=backend, **settings)


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
