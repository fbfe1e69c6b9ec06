"""Bifurcations of fixed points and cycles, where they are on the way from one snapshot to the next."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures.sheet import Axis, Panel, Points, Shape
from rnnscope.figures.tracks import Track, View
from rnnscope.findings.bifurcations import kinds_of_events, meanings
from rnnscope.findings.reading import are_scalar, choose_inputs, input_axis_label, input_name

if TYPE_CHECKING:
    import xarray

SOURCES = ("bifurcations",)
_NAMED = 4  # rows with a label
SIGNS: dict[str, tuple[str, Shape, str]] = {  # role, shape, words
    "neimark_sacker": ("series 2", "circle", "Neimark–Sacker"),
    "fold": ("series 3", "triangle-up", "fold"),
    "flip": ("series 4", "square", "flip"),
    "pitchfork": ("direction", "diamond", "pitchfork"),
    "transcritical": ("torus", "x", "transcritical"),
    "border_collision": ("chaos", "cross", "border collision"),
    "lost": ("undecided", "tick", "not located"),
}


def track(found: "xarray.Dataset", view: View) -> Track:
    """A row for each input in ascending order, a sign for each event that concerns an attractor, filled where what is
    born or ends is stable; what concerns unstable points alone is small."""
    data = found.isel(step=-1) if "step" in found.dims else found
    order = choose_inputs(data, None, everything=True)
    row = np.argsort(order)[data["event_input"].values]
    epochs = event_epochs(data)
    kinds, told = kinds_of_events(data), meanings(data)
    rank = np.array([each.rank for each in told], dtype=int)
    words = np.array([f"{each.name}: {each.does}" for each in told], dtype=object)
    names = np.array([input_name(data, int(at)) for at in data["event_input"].values], dtype=object)
    marks = []
    for kind, (role, shape, label) in SIGNS.items():
        for minor in (1, 0):
            own = (kinds == kind) & ((rank > 0) == bool(minor))
            if own.any():
                marks.append(
                    Points(
                        epochs[own],
                        row[own].astype(float),
                        shape=shape,
                        filled=not minor,
                        size=0.45 if minor else 0.8,
                        role=role,
                        name=label,
                        facts={"words": words[own], "input": names[own]},
                        hover="epoch {x:.2f}, input {input}\n{words}",
                    )
                )
    snapshots = snapshot_epochs(data)
    shown = sorted({round(at) for at in np.linspace(0, len(order) - 1, min(len(order), _NAMED))})
    named = "input_label" in data.coords or are_scalar(data)
    ticks = [(float(at), input_name(data, order[at], value=False) if named else str(order[at])) for at in shown]
    heading = f"bifurcations over {input_axis_label(data)}" if view.paper else ""
    panel = Panel(
        tuple(marks),
        y=Axis("" if view.paper else "bifurcations", range=(-0.6, len(order) - 0.4), ticks=ticks),
        height=0.75,
        heading=heading,
    )
    n = len(snapshots)
    extent = (float(snapshots.min()), float(snapshots.max()))
    return Track((panel,), extent, source="bifurcations", looked_at=(n, n), known=bool(marks))


def event_epochs(data: "xarray.Dataset") -> np.ndarray:
    """The epoch of each event, as a fraction; the step where epochs are not known."""
    return data["event_epoch" if "event_epoch" in data else "event_step"].values.astype(float)


def snapshot_epochs(data: "xarray.Dataset") -> np.ndarray:
    """The epoch of each snapshot; the step where epochs are not known."""
    return data["snapshot_epoch" if "snapshot_epoch" in data else "snapshot_step"].values.astype(float)
