"""Loss, attractors and cost over training on one axis of epochs: both halves of the theory in one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import RunError, require
from rnnscope.figures import tracks as catalogue
from rnnscope.figures._samples import common_range
from rnnscope.figures.renderers import Backend, check_backend, render
from rnnscope.figures.sheet import Axis, Sheet
from rnnscope.figures.tracks import View, stack

if TYPE_CHECKING:
    from rnnscope.runs import Run

DEFAULT = ("loss", "orbits", "kinds", "events", "exponents", "curvature")


def timeline(
    run: "Run",
    *,
    tracks: Sequence[str] | None = None,
    inputs: int | Sequence[int] | None = None,
    output: int | str = 0,
    value_range: tuple[float, float] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Tracks of a run, one under the other on the same axis of epochs; nothing is measured.

    ``loss`` and ``learning_rate`` are recorded with the run. ``orbits`` is what ``orbit_diagram`` draws; ``kinds`` what
    ``attractor_map`` draws, or without results of the probe ``attractors`` what ``kind_map`` does; ``events`` are the
    bifurcations that the probe ``bifurcations`` found; ``exponents`` and
    ``multipliers`` (the largest |μ|) are those of the attractors. ``cost``, ``gradient`` (its norm), ``curvature`` (the
    largest eigenvalue of the Hessian) and ``sensitivity`` (∂x[T]/∂x[0]) are results of the probe ``smoothness``.

    Args:
        run: a run.
        tracks: their names, in the order in which they stand; by default loss, orbits, kinds, events,
            exponents and curvature, as far as they were measured.
        inputs: index or indices along ``input``. Plotly offers them in a menu (default: all), matplotlib has a panel of
            orbits for each (default: the middle one) and shows the exponents of the middle one.
        output: index or label along ``output``.
        value_range: lowest and highest value of the orbits.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: no such track, unknown backend, input or output, an empty value range; a run that has nothing.
        RunError: a track whose probe was never measured; says which command measures it.

    """
    check_backend(backend)
    settings = {"output": output, "value_range": value_range}
    return render(_sheet(run, tracks, inputs, {}, paper=backend == "matplotlib", settings=settings), backend)


def timelines(
    runs: "Sequence[Run]",
    *,
    results: Sequence[Mapping[str, Any]] | None = None,
    tracks: Sequence[str] | None = None,
    backend: Backend = "matplotlib",
) -> list[Any]:
    """The timelines of several runs on equal axes of epochs, values and loss; as for ``timeline``.

    Args:
        runs: some runs.
        results: for each run results that are at hand, by probe, and ``"summary"`` of the orbits; None: to be left out.
        tracks: names of tracks; None: those of each run that were measured.
        backend: ``"matplotlib"`` or ``"plotly"``.

    """
    check_backend(backend)
    given = [{}] * len(runs) if results is None else results
    orbits = [each["orbits"] for each in given if each.get("orbits") is not None]
    settings = {"value_range": common_range(orbits) if len(orbits) > 1 else None}
    sheets = [
        _sheet(run, tracks, None, own, paper=backend == "matplotlib", settings=settings)
        for run, own in zip(runs, given, strict=True)
    ]
    return [render(sheet, backend) for sheet in _on_equal_axes(sheets)]


def _sheet(
    run: "Run",
    names: Sequence[str] | None,
    inputs: int | Sequence[int] | None,
    results: Mapping[str, Any],
    *,
    paper: bool,
    settings: Mapping[str, Any],
) -> Sheet:
    require(names is None or (names and not isinstance(names, str)), "tracks", "names of tracks", names)
    modules = {name: catalogue.load(name) for name in names or DEFAULT}
    known = dict(results)
    found = {name: _data(run, module.SOURCES, known, wanted=names is not None) for name, module in modules.items()}
    found = {name: data for name, data in found.items() if data is not None}
    require(found, "run", "a run with a loss, or in which a probe was measured", str(getattr(run, "path", run)))
    like = next((found[name] for name in ("orbits", *found) if "input" in getattr(found.get(name), "dims", ())), None)
    view = View.of(like, inputs, paper=paper, **settings)
    if paper and inputs is None and view.like is not None:
        view = replace(view, positions=[view.positions[view.middle]])
    made = {name: modules[name].track(data, view) for name, data in found.items()}
    elsewhere = [name for name, track in made.items() if not track.panels and names is not None]
    require(not elsewhere, "tracks", "what was measured at the inputs shown", ", ".join(elsewhere))
    return stack({"": [track for track in made.values() if track.panels and (track.known or names is not None)]}, view)


def _data(run: "Run", sources: Sequence[str], known: dict[str, Any], *, wanted: bool) -> Any:
    """The first of the sources that the run has; None if it has none, or if that is an error, the run's own."""
    for source in sources:
        probe = "orbits" if source == "summary" else source
        if source in known:
            if known[source] is not None:
                return known[source]
            continue
        if source == "scalars":
            has_loss = "loss" in run.scalars and bool(run.scalars["loss"].notna().any())
            return run.scalars if has_loss or wanted else None
        if not run.has(probe):
            continue
        try:
            known[source] = _summarised(run) if source == "summary" else run.dataset(probe)
        except RunError:
            if wanted:
                raise
            continue
        return known[source]
    return run.dataset(sources[0]) if wanted else None


def _summarised(run: "Run") -> Any:
    from rnnscope.attractors import summarise_orbits

    return summarise_orbits(run.dataset("orbits"))


def _on_equal_axes(sheets: list[Sheet]) -> list[Sheet]:
    """The axes of epochs and of losses as wide as the widest of them, where these are of one scale."""
    for name, shared in (("x", "epoch"), ("y", "loss")):
        axes = [getattr(panel, name) for sheet in sheets for panel in sheet.panels]
        own = [axis for axis in axes if axis.shared == shared]
        if own and len({axis.scale for axis in own}) == 1:
            limits = min(axis.range[0] for axis in own), max(axis.range[1] for axis in own)
            sheets = [_widened(sheet, name, shared, limits) for sheet in sheets]
    return sheets


def _widened(sheet: Sheet, name: str, shared: str, limits: tuple[float, float]) -> Sheet:
    def wide(axis: Axis) -> Axis:
        return replace(axis, range=limits) if axis.shared == shared else axis

    return replace(sheet, panels=tuple(replace(panel, **{name: wide(getattr(panel, name))}) for panel in sheet.panels))
