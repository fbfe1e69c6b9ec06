"""Which bifurcations a training had: what a result of ``Bifurcations`` says, most important first."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.reading import flags, input_name
from rnnscope.findings.tables import Table
from rnnscope.findings.words import count_inputs

if TYPE_CHECKING:
    import xarray

_SUPER, _SUB = 1, 0
_NAMED = 3  # inputs that are named one by one


@dataclass(frozen=True)
class Meaning:
    """What an event does, in words, and how much that matters: 0 is an attractor, 1 are unstable points, 2 is a gap."""

    name: str
    does: str
    rank: int


@dataclass(frozen=True)
class Group:
    """Events that mean the same.

    Attributes:
        name: the bifurcation, with its criticality.
        does: what it does.
        rank: 0 where an attractor is concerned, 1 where all that it concerns is unstable, 2 where a branch was lost.
        count: how many there are.
        first_epoch, last_epoch: of them, as fractions between two snapshots.
        inputs: positions of the inputs at which they are.
        names: what these inputs are called.

    """

    name: str
    does: str
    rank: int
    count: int
    first_epoch: float
    last_epoch: float
    inputs: tuple[int, ...]
    names: tuple[str, ...]


def kinds_of_events(found: "xarray.Dataset") -> np.ndarray:
    """The type of each event as a word, (event,)."""
    words = {code: word for word, code in flags(found["event_kind"]).items()}
    return np.array([words[int(code)] for code in np.ravel(found["event_kind"].values)], dtype=object)


def meanings(found: "xarray.Dataset") -> list[Meaning]:
    """What each event of a result (without ``step``) does."""
    columns = ("index_before", "index_after", "event_period", "exists", "criticality")
    rows = zip(kinds_of_events(found), *(np.ravel(found[name].values).tolist() for name in columns), strict=True)
    return [meaning(*row) for row in rows]


def meaning(kind: str, before: int, after: int, period: int, exists: int, criticality: int) -> Meaning:
    """What an event does.

    >>> meaning("neimark_sacker", 0, 2, 1, 0, 1).does
    'a fixed point turns unstable, and a stable oscillation is born around it'
    >>> meaning("fold", 0, 1, 1, -1, -1).does
    'a stable fixed point ends in a saddle'
    >>> meaning("flip", 0, 1, 2, 0, 0).does
    'a 2-cycle turns unstable where an unstable 4-cycle ends in it'
    """
    point = "fixed point" if period == 1 else f"{period}-cycle"
    name = kind.replace("_", " ") if kind != "neimark_sacker" else "Neimark–Sacker"
    if kind == "lost":
        return Meaning("not located", f"a {point} could not be followed", 2)
    rank = int(min(before, after) > 0)
    kindred = "unstable " if rank else ""
    if kind == "fold":
        pair = f"an unstable {point} and another" if rank else f"a stable {point} and a saddle"
        if exists > 0:
            return Meaning(name, f"{pair} are born", rank)
        return Meaning(
            name, f"two unstable {point}s end in one another" if rank else f"a stable {point} ends in a saddle", rank
        )
    if criticality >= 0:
        name += ", supercritical" if criticality == _SUPER else ", subcritical"
    if rank or kind in ("transcritical", "border_collision"):
        turns = "less stable" if after > before else "less unstable"
        if not rank:
            turns = "unstable" if after > before else "stable"
        return Meaning(name, f"a{'n' * bool(kindred)} {kindred}{point} turns {turns}", rank)
    child, place = {
        "neimark_sacker": ("oscillation", "around it"),
        "flip": (f"{2 * period}-cycle", "beside it"),
        "pitchfork": (f"pair of {point}s", "beside it"),
    }[kind]
    if after > before:
        told = f"a {point} turns unstable"
        if criticality == _SUPER:
            return Meaning(name, f"{told}, and a stable {child} is born {place}", rank)
        return Meaning(name, f"{told} where an unstable {child} ends in it", rank)
    if criticality == _SUPER:
        return Meaning(name, f"a stable {child} ends in a {point}, which turns stable", rank)
    return Meaning(name, f"a {point} turns stable, and an unstable {child} is born {place}", rank)


def groups(found: "xarray.Dataset") -> list[Group]:
    """Events that mean the same together, those that concern attractors first, and then the most frequent."""
    data = found.isel(step=-1) if "step" in found.dims else found
    epochs = np.ravel(data["event_epoch" if "event_epoch" in data else "event_step"].values).astype(float)
    inputs = np.ravel(data["event_input"].values)
    told = meanings(data)
    result = []
    for each in dict.fromkeys(told):
        rows = np.array([row for row, own in enumerate(told) if own == each])
        concerned = tuple(int(at) for at in np.unique(inputs[rows]))
        names = tuple(input_name(data, at) for at in concerned)
        when = epochs[rows]
        ends = float(when.min()), float(when.max())
        result.append(Group(each.name, each.does, each.rank, len(rows), *ends, concerned, names))
    return sorted(result, key=lambda group: (group.rank, -group.count, group.first_epoch))


def table(found: "xarray.Dataset") -> Table:
    """A row for each sort of event."""
    n_inputs = found.sizes["input"]
    rows = []
    for group in groups(found):
        where = ", ".join(group.names) if n_inputs > 1 and len(group.names) <= _NAMED else ""
        first, last = (f"{epoch:.2f}" for epoch in (group.first_epoch, group.last_epoch))
        rows.append(
            (
                group.does,
                group.name,
                f"{group.count} ×",
                first if first == last else f"{first} – {last}",
                where or count_inputs(len(group.inputs), n_inputs),
            )
        )
    if not rows:
        rows.append(
            ("nothing: no fixed point or cycle that was followed is born, ends or changes its stability", *[""] * 4)
        )
    return Table(("what happens", "bifurcation", "times", "at epochs", "at"), tuple(rows), note=_note(found))


def _note(found: "xarray.Dataset") -> str:
    """How many branches were followed, over how many snapshots."""
    n, n_snapshots = found.sizes["branch"], found.sizes["snapshot"]
    return f"{n} branch{'es' * (n != 1)} followed through {n_snapshots} snapshot{'s' * (n_snapshots != 1)}"
