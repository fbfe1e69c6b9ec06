"""Orbits of states and the points among them, projected on the plane of the leading principal components."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from rnnscope.base.errors import require
from rnnscope.findings.reading import by_step, choose_inputs, flags, input_words, same_input

if TYPE_CHECKING:
    import xarray

MAX_STARTS = 24
_ON_THE_CIRCLE = 1e-6
_SLOW, _CONTINUUM = 4, 5  # positions in SORTS


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane through ``centre`` along two orthonormal ``axes`` (2, state) with the ``share`` of variance of each."""

    centre: np.ndarray
    axes: np.ndarray
    share: np.ndarray

    def project(self, states: np.ndarray) -> np.ndarray:
        """States (…, state) -> (…, 2)."""
        return (states - self.centre) @ self.axes.T

    def label(self, component: int) -> str:
        share = self.share[component]
        known = f" ({100 * share:.0f} % of the variance)" if np.isfinite(share) else ""
        return f"principal component {component + 1}{known}"


@dataclass(frozen=True, eq=False)
class Marks:
    """Points of one sort: ``places`` (point, 2) with the ``words`` and the ``index`` of each, -1 where not known."""

    sort: str
    places: np.ndarray
    index: np.ndarray
    words: list[str]


@dataclass(frozen=True, eq=False)
class Portrait:
    """One input: ``orbits`` (start, time, 2), ``marks``, unstable ``directions`` and the ``line`` (…, 2 ends, 2).

    The line joins the states at which orbits came to rest on a continuum of fixed points.
    """

    words: str
    short_words: str
    orbits: np.ndarray
    marks: list[Marks]
    directions: np.ndarray
    line: np.ndarray
    flows: bool
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Portraits:
    """Portraits of several inputs in one plane; ``view`` (component, least or largest) is what is shown."""

    panels: list[Portrait]
    plane: Plane
    view: np.ndarray
    epoch: int | None

    def heading(self, panel: Portrait, *, short: bool = False) -> str:
        """What a panel shows, and what it does not."""
        epoch = "" if self.epoch is None else f", epoch {self.epoch}"
        return " · ".join([(panel.short_words if short else panel.words) + epoch, *panel.remarks])

    @property
    def sorts(self) -> list[str]:
        """The sorts of points that occur, in the order of ``SORTS``."""
        found = {marks.sort for panel in self.panels for marks in panel.marks if len(marks.places)}
        return [sort for sort in SORTS if sort in found]


SORTS = (
    "stable fixed point", "unstable fixed point", "stable cycle", "unstable cycle", "slow point", "continuum",
)  # fmt: skip


def make_portraits(
    orbits: "xarray.Dataset",
    points: "xarray.Dataset | None",
    epoch: int | None,
    inputs: int | Sequence[int] | None,
) -> Portraits:
    """The portraits of the chosen inputs at one epoch."""
    require(
        "state_orbit" in orbits, "orbits", "a result of Orbits(keep_states=True), with state_orbit",
        sorted(map(str, orbits.data_vars)),
    )  # fmt: skip
    of_training = "step" in orbits.dims or "epoch" in orbits.coords
    orbits = by_step(orbits)
    if points is not None:
        require(
            "location" in points and ("kind" in points or "stable" in points),
            "points", "a result of the probe fixedpoints or attractors", sorted(map(str, points.data_vars)),
        )  # fmt: skip
        points = by_step(points)
        shared = np.intersect1d(orbits["epoch"].values, points["epoch"].values)
        epoch = int(shared[-1]) if epoch is None and shared.size else epoch
    orbits, at = _at_epoch(orbits, epoch, "orbits")
    points = None if points is None else _at_epoch(points, at, "points")[0]
    if inputs is None:
        order = choose_inputs(orbits, None, everything=True)
        positions = [order[len(order) // 2]]
    else:
        positions = choose_inputs(orbits, inputs, everything=False)
    states = orbits["state_orbit"].transpose("input", "start", "time", "state").values.astype(float)[positions]
    states = np.where(np.isfinite(states).all(-1, keepdims=True), states, np.nan)
    status, meaning = orbits["status"].transpose("input", "start").values[positions], flags(orbits["status"])
    states[status == meaning["diverged"]] = np.nan
    own = [None if points is None else _points_at(points, orbits, position) for position in positions]
    plane = _fit(states, [each["location"].values.astype(float) for each in own if each is not None])
    panels = [_portrait(orbits, position, plane, states[k], status[k], own[k]) for k, position in enumerate(positions)]
    drawn = [panel.orbits.reshape(-1, 2) for panel in panels] + [m.places for panel in panels for m in panel.marks]
    view = _view(np.concatenate(drawn))
    panels = [_with_directions(panel, plane, view, each) for panel, each in zip(panels, own, strict=True)]
    return Portraits(panels, plane, view, int(at) if of_training else None)


def _at_epoch(data: "xarray.Dataset", epoch: int | None, name: str) -> "tuple[xarray.Dataset, int]":
    epochs = data["epoch"].values.tolist()
    if epoch is None:
        return data.isel(step=-1), epochs[-1]
    nearest = min(epochs, key=lambda known: abs(known - epoch))
    require(epoch in epochs, "epoch", f"an epoch of {name} (the nearest is {nearest})", epoch)
    return data.isel(step=len(epochs) - 1 - epochs[::-1].index(epoch)), epoch


def _points_at(points: "xarray.Dataset", orbits: "xarray.Dataset", position: int) -> "xarray.Dataset | None":
    """The points at the same input as the orbits; None where they were looked for at others."""
    at = same_input(points, orbits, position)
    return None if at is None else points.isel(input=at)


def _fit(states: np.ndarray, locations: list[np.ndarray]) -> Plane:
    """The plane of largest variance of the orbits; where these stand still, of the points among them."""
    n = states.shape[-1]
    samples = states.reshape(-1, n)
    samples = samples[np.isfinite(samples).all(1)]
    places = np.concatenate([each.reshape(-1, n) for each in locations] or [np.empty((0, n))])
    places = places[np.isfinite(places).all(1)]
    everything = np.concatenate([samples, places])
    centre = samples.mean(0) if len(samples) else everything.mean(0) if len(everything) else np.zeros(n)
    spread = np.sqrt(((samples - centre) ** 2).mean()) if len(samples) else 0.0
    still = spread <= 1e-6 * (1 + np.abs(centre).max())
    directions, variance = _components((everything if still else samples) - centre)
    axes = np.zeros((2, n))
    axes[: min(2, n)] = directions[:2]
    axes *= np.where(np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1) < 0, -1.0, 1.0)
    total = variance.sum()
    share = np.append(variance, [0.0, 0.0])[:2] / total if total > 0 and not still else np.full(2, np.nan)
    return Plane(centre, axes, share)


def _components(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions (component, state), as many as there are states, and the variance along each of them."""
    n = centred.shape[1]
    variance, directions = np.linalg.eigh(centred.T @ centred / max(len(centred), 1))
    return directions.T[::-1].reshape(n, n), np.maximum(variance[::-1], 0.0)


def _portrait(
    orbits: "xarray.Dataset",
    position: int,
    plane: Plane,
    states: np.ndarray,
    status: np.ndarray,
    points: "xarray.Dataset | None",
) -> Portrait:
    meaning = flags(orbits["status"])
    diverged, settled = status == meaning["diverged"], status == meaning["settled"]
    kept = states[~diverged]
    some = kept[:: -(-len(kept) // MAX_STARTS)] if len(kept) else kept
    projected = plane.project(some)
    remarks = (
        f"{len(some)} of {len(states)} starts" if len(some) < len(kept) else "",
        f"{int(diverged.sum())} of {len(states)} starts diverged" if diverged.any() else "",
    )
    return Portrait(
        words=input_words(orbits, position),
        short_words=input_words(orbits, position, short=True),
        orbits=projected,
        marks=[] if points is None else _marks(points, plane),
        directions=np.empty((0, 2, 2)),
        line=_line(points, states[settled], plane),
        flows=_flows(projected),
        remarks=tuple(filter(None, remarks)),
    )


def _flows(orbits: np.ndarray) -> bool:
    """Whether an orbit goes on in steps so small, next to all it passes, that a line between them tells its course."""
    if orbits.shape[1] < 2 or not np.isfinite(orbits).any():
        return False
    flat = orbits.reshape(-1, 2)
    size = np.linalg.norm(np.nanmax(flat, axis=0) - np.nanmin(flat, axis=0))
    steps = np.linalg.norm(np.diff(orbits, axis=1), axis=-1)
    return bool(np.nanmean(steps) < 0.2 * size) if np.isfinite(steps).any() and size > 0 else False


def _sorts(points: "xarray.Dataset") -> np.ndarray:
    """Positions in ``SORTS`` of points at one input, -1 for those that are not drawn."""
    if "kind" in points and "attractor" in points.dims:
        meaning, value = flags(points["kind"]), points["kind"].values
        return np.select([value == meaning[name] for name in ("fixed_point", "cycle", "continuum")], [0, 2, 5], -1)
    value, meaning = points["status"].values, flags(points["status"])
    unstable = points["stable"].values != flags(points["stable"])["stable"]
    names = ("fixed_point", "cycle", "slow_point", "continuum")
    sort = np.select([value == meaning[name] for name in names], [0 + unstable, 2 + unstable, 4, 5], -1)
    return np.where(points["reachable"].values.astype(bool), sort, -1)


def _line(points: "xarray.Dataset | None", ends: np.ndarray, plane: Plane) -> np.ndarray:
    """The tree of least length that joins the states (orbit, time, state) at which orbits rest on a continuum."""
    nothing = np.empty((0, 2, 2))
    if points is None or not ends.size:
        return nothing
    sorts = _sorts(points)
    on_it, others = (points["location"].values.astype(float)[chosen] for chosen in (sorts == _CONTINUUM, sorts < _SLOW))
    ends = np.unique(ends[:, -1][np.isfinite(ends[:, -1]).all(1)], axis=0)
    if not len(on_it) or len(ends) < 2:
        return nothing
    apart = cdist(ends, ends)
    others = others[np.isfinite(others).all(1)]
    if len(others):
        ends = ends[cdist(ends, others).min(1) > 1e-3 * apart.max()]
    if "extent" in points:
        reach = float(np.nanmax(points["extent"].values[sorts == _CONTINUUM]))
        ends = ends[cdist(ends, on_it).min(1) <= reach]
    tree = minimum_spanning_tree(cdist(ends, ends)).tocoo() if len(ends) > 1 else None
    if tree is None or not tree.nnz:
        return nothing
    return plane.project(np.stack([ends[tree.row], ends[tree.col]], axis=1))


def _marks(points: "xarray.Dataset", plane: Plane) -> list[Marks]:
    """Every drawn point, a cycle at all its states where they are kept."""
    member = "attractor" if "attractor" in points.dims else "point"
    sorts, locations = _sorts(points), points["location"].transpose(member, "state").values.astype(float)
    known = np.isfinite(locations).all(1)
    index = points["index"].values if "index" in points else np.full(len(sorts), -1)
    periods = points["period"].values if "period" in points else np.zeros(len(sorts), int)
    cycles = points["cycle"].transpose(member, "phase", "state").values if "cycle" in points else None
    found = []
    for code in np.unique(sorts[known & (sorts >= 0)]):
        places, at, words = [], [], []
        for k in np.flatnonzero((sorts == code) & known):
            path = locations[k : k + 1] if cycles is None else cycles[k][np.isfinite(cycles[k]).all(1)]
            path = path if len(path) else locations[k : k + 1]
            places.append(path)
            at += [int(index[k])] + [-1] * (len(path) - 1)
            period = f"{periods[k]}-" if code in (2, 3) and periods[k] > 1 else ""
            said = f", {index[k]} unstable direction{'s' if index[k] > 1 else ''}" if index[k] > 0 else ""
            words += [SORTS[code].replace("cycle", f"{period}cycle") + said] * len(path)
        found.append(Marks(SORTS[code], plane.project(np.concatenate(places)), np.array(at), words))
    return found


def _view(drawn: np.ndarray) -> np.ndarray:
    drawn = drawn[np.isfinite(drawn).all(1)]
    if not len(drawn):
        return np.array([[-1.0, 1.0], [-1.0, 1.0]])
    low, high = drawn.min(0), drawn.max(0)
    widest = float((high - low).max()) or 1.0
    margin = np.maximum(0.08 * widest, (0.3 * widest - (high - low)) / 2)
    return np.stack([low - margin, high + margin], axis=1)


def _with_directions(portrait: Portrait, plane: Plane, view: np.ndarray, points: "xarray.Dataset | None") -> Portrait:
    """The portrait with lines along the right eigenvectors of multipliers beyond the circle, where they are kept."""
    if points is None or "right_real" not in points:
        return portrait
    length = 0.07 * float((view[:, 1] - view[:, 0]).max())
    sorts, locations = _sorts(points), points["location"].values.astype(float)
    size = np.hypot(points["multiplier_real"].values, points["multiplier_imag"].values)
    parts = [points[f"right_{part}"].transpose("point", "state", "eigenvalue").values for part in ("real", "imag")]
    ends = []
    for at, k in np.argwhere((size > 1 + _ON_THE_CIRCLE) & np.isin(sorts, (1, 3))[:, None]):
        for part in parts:
            vector = part[at, :, k]
            norm = np.linalg.norm(vector)
            if np.isfinite(norm) and norm > 1e-9:
                reach = length * vector / norm
                ends.append(plane.project(np.stack([locations[at] - reach, locations[at] + reach])))
    return replace(portrait, directions=np.array(ends).reshape(-1, 2, 2))
