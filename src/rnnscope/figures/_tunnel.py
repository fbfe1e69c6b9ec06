"""Orbits taken apart into what a tunnel draws: points of the phase plane in motion, strokes at rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._columns import Columns, make_columns
from rnnscope.figures._epochs import evenly
from rnnscope.figures._samples import Samples
from rnnscope.findings.reading import (
    by_step,
    choose_inputs,
    choose_output,
    epoch_label,
    input_words,
    value_label,
    with_unit,
)

if TYPE_CHECKING:
    import xarray

MAX_STARTS = 4


@dataclass(frozen=True, eq=False)
class Planes:
    """One input's phase planes, an entry per sample in motion and one per orbit at rest.

    ``motion_epochs, motion_values, motion_changes`` (point) and ``rest_epochs, rest_values`` (orbit); ``remarks`` say
    what is not drawn.
    """

    words: str
    motion_epochs: np.ndarray
    motion_values: np.ndarray
    motion_changes: np.ndarray
    rest_epochs: np.ndarray
    rest_values: np.ndarray
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Tunnel:
    """What a tunnel shows; ``epochs`` are those drawn."""

    panels: list[Planes]
    epochs: np.ndarray
    columns: Columns
    value_range: tuple[float, float]
    change_range: tuple[float, float]
    value_label: str
    change_label: str
    epoch_label: str

    def strokes(self, panel: Planes) -> tuple[np.ndarray, np.ndarray]:
        """The epochs between which each orbit at rest is drawn."""
        rows = np.searchsorted(self.epochs, panel.rest_epochs)
        return self.columns.left[rows], self.columns.right[rows]


def make_tunnel(
    orbits: "xarray.Dataset",
    *,
    inputs: int | Sequence[int] | None,
    output: int | str,
    flat: bool,
    max_epochs: int,
    value_range: tuple[float, float] | None,
    max_points: int,
) -> Tunnel:
    """What a tunnel shows, with at most about ``max_points`` points at each input."""
    orbits = by_step(orbits)
    n_kept = orbits.sizes["time"]
    require(n_kept >= 2, "orbits", "at least two kept samples, for y[t] - y[t-1] (such as Orbits(n_keep=400))", n_kept)
    if "time" in orbits.coords:
        apart = np.unique(np.diff(orbits["time"].values))
        require(
            (apart == 1).all(), "orbits", "samples one time step apart, for y[t] - y[t-1]", f"{apart.tolist()} apart"
        )
    require(max_epochs >= 1, "max_epochs", "at least 1", max_epochs)
    if inputs is None and not flat:
        order = choose_inputs(orbits, None, everything=True)
        positions = [order[len(order) // 2]]
    else:
        positions = choose_inputs(orbits, inputs, everything=False)
    at_output = choose_output(orbits, output)
    n_epochs, n_starts = orbits.sizes["step"], orbits.sizes["start"]
    steps, starts = evenly(n_epochs, max_epochs), evenly(n_starts, MAX_STARTS)
    samples = Samples.of(orbits.isel(step=steps, start=starts), at_output)
    if value_range is None:
        value_range = samples.value_range(positions)
    require(value_range[0] < value_range[1], "value_range", "a lowest value below the highest", value_range)
    fewer_starts = f"{len(starts)} of {n_starts} starts" if len(starts) < n_starts else ""
    panels = [
        _planes(samples, position, input_words(orbits, position), value_range, max_points, fewer_starts)
        for position in positions
    ]
    return Tunnel(
        panels=panels,
        epochs=samples.epochs,
        columns=make_columns(samples.epochs),
        value_range=value_range,
        change_range=_change_range(panels, value_range),
        value_label=value_label(orbits, at_output),
        change_label=with_unit("change y[t] − y[t−1]", str(orbits["orbit"].attrs.get("units", ""))),
        epoch_label=epoch_label(orbits, len(samples.epochs)),
    )


def _planes(
    samples: Samples, position: int, words: str, limits: tuple[float, float], max_points: int, fewer_starts: str
) -> Planes:
    values, status = samples.values[:, position], samples.status[:, position]
    low, high = limits
    rows, starts = np.nonzero((status != samples.settled) & (status != samples.diverged))
    n_changes = values.shape[-1] - 1
    n_last = min(n_changes, max(max_points // max(len(rows), 1), 1))
    moving = values[rows, starts, -n_last - 1 :]
    with np.errstate(invalid="ignore"):
        inside = (moving >= low) & (moving <= high)
        changes = np.diff(moving, axis=-1)
    shown = inside[:, 1:] & inside[:, :-1]
    rest_rows, rest_starts = np.nonzero(status == samples.settled)
    finals = values[rest_rows, rest_starts, -1]
    visible = (finals >= low) & (finals <= high)
    n_diverged = int((status == samples.diverged).sum())
    n_outside, n_away = int((~shown).sum()), int((~visible).sum())
    remarks = [
        fewer_starts,
        f"last {n_last} of {n_changes} differences" if len(rows) and n_last < n_changes else "",
        f"{n_diverged} of {status.size} orbits diverged (left out)" if n_diverged else "",
        f"{n_outside} of {shown.size} points beyond the axis or not finite" if n_outside else "",
        f"{n_away} of {visible.size} rests beyond the axis or not finite" if n_away else "",
    ]
    return Planes(
        words=words,
        motion_epochs=np.broadcast_to(samples.epochs[rows, None], shown.shape)[shown],
        motion_values=moving[:, 1:][shown],
        motion_changes=changes[shown],
        rest_epochs=samples.epochs[rest_rows[visible]],
        rest_values=finals[visible],
        remarks=tuple(filter(None, remarks)),
    )


def _change_range(panels: list[Planes], value_range: tuple[float, float]) -> tuple[float, float]:
    """Symmetric, and not so narrow that an orbit which hardly moves looks like a wide one."""
    fastest = max((float(np.abs(panel.motion_changes).max(initial=0)) for panel in panels), default=0.0)
    reach = 1.08 * max(fastest, 0.05 * (value_range[1] - value_range[0]))
    return -reach, reach
