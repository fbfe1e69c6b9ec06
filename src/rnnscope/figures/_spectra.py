"""Multipliers of fixed points and cycles by input and epoch, from results of ``Attractors`` or ``FixedPoints``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._epochs import evenly
from rnnscope.findings.reading import by_step, choose_inputs, epoch_label, flags, input_words

if TYPE_CHECKING:
    import xarray

MAX_EPOCHS = 60
MANY, FAR = 50, 2.5
_ROOM = 1.12  # around what is shown
SYMBOLS = ("stable fixed point", "unstable fixed point", "stable cycle", "unstable cycle")


@dataclass(frozen=True, eq=False)
class Spectrum:
    """One input's multipliers, an entry each; ``symbol`` is the position in ``SYMBOLS``, ``row`` that of the epoch."""

    words: str
    short_words: str
    row: np.ndarray
    multiplier: np.ndarray
    symbol: np.ndarray


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of several inputs on the same axes; ``view`` (real or imaginary, least or largest) is what is shown."""

    panels: list[Spectrum]
    epochs: np.ndarray
    epoch_label: str
    view: np.ndarray

    def beyond(self, panel: Spectrum) -> int:
        """How many multipliers are not shown."""
        parts = np.array([np.real(panel.multiplier), np.imag(panel.multiplier)])
        return int(((parts < self.view[:, :1]) | (parts > self.view[:, 1:])).any(0).sum())

    def last_shown(self, panel: Spectrum) -> int:
        """The position of the last epoch that has something to show."""
        return int(panel.row.max()) if panel.row.size else len(self.epochs) - 1


def make_spectra(
    found: "xarray.Dataset", inputs: int | Sequence[int] | None, epochs: Sequence[int] | None, *, everything: bool
) -> Spectra:
    """The multipliers of the chosen inputs and epochs."""
    require(
        "multiplier_real" in found and ("kind" in found or "stable" in found),
        "found", "a result of the probe attractors or fixedpoints", sorted(map(str, found.data_vars)),
    )  # fmt: skip
    found = by_step(found)
    positions = choose_inputs(found, inputs, everything=everything)
    known = found["epoch"].values
    steps = _some(found, positions) if epochs is None else _chosen(known, epochs)
    panels = [_spectrum(found.isel(step=steps), position) for position in positions]
    return Spectra(
        panels=panels,
        epochs=known[steps],
        epoch_label=epoch_label(found, len(steps)),
        view=_view(np.concatenate([panel.multiplier for panel in panels])),
    )


def _some(found: "xarray.Dataset", positions: Sequence[int]) -> np.ndarray:
    """At most ``MAX_EPOCHS`` of the steps at which one of the inputs has a multiplier; the last, where none has."""
    rows = np.unique(np.concatenate([_spectrum(found, position).row for position in positions]))
    return rows[evenly(len(rows), MAX_EPOCHS)] if rows.size else np.array([found.sizes["step"] - 1])


def _chosen(looked_at: np.ndarray, epochs: Sequence[int]) -> np.ndarray:
    known = looked_at.tolist()
    listed = sorted({int(epoch) for epoch in epochs})
    for epoch in listed:
        nearest = min(known, key=lambda value: abs(value - epoch))
        require(
            epoch in known, "epochs", f"epochs that were looked at (the nearest to {epoch} is {nearest})", list(epochs)
        )
    require(listed, "epochs", "at least one epoch", list(epochs))
    return np.array([known.index(epoch) for epoch in listed])


def _spectrum(found: "xarray.Dataset", position: int) -> Spectrum:
    data = found.isel(input=position)
    member, index = (
        ("attractor", "multiplier") if "kind" in data and "attractor" in data.dims else ("point", "eigenvalue")
    )
    real, imag = (data[f"multiplier_{part}"].transpose("step", member, index).values for part in ("real", "imag"))
    symbol = symbols(data, member)
    row, at, place = np.nonzero(np.isfinite(real) & np.isfinite(imag) & (symbol >= 0)[..., None])
    return Spectrum(
        words=input_words(found, position),
        short_words=input_words(found, position, short=True),
        row=row,
        multiplier=real[row, at, place] + 1j * imag[row, at, place],
        symbol=symbol[row, at],
    )


def symbols(data: "xarray.Dataset", member: str) -> np.ndarray:
    """Positions in ``SYMBOLS`` (step, member) at one input, -1 for what is no fixed point or cycle in reach."""
    sort = "kind" if member == "attractor" else "status"
    value, meaning = data[sort].transpose("step", member).values, flags(data[sort])
    symbol = np.select([value == meaning["fixed_point"], value == meaning["cycle"]], [0, 2], -1)
    if member == "point":
        stable, stability = data["stable"].transpose("step", member).values, flags(data["stable"])
        symbol += (stable != stability["stable"]) & (symbol >= 0)
        symbol[~data["reachable"].transpose("step", member).values.astype(bool)] = -1
    return symbol


def _view(multipliers: np.ndarray) -> np.ndarray:
    """A square with the multipliers and the circle next to each, but for the outermost fiftieth beyond ``FAR``."""
    size = np.abs(multipliers)
    if not size.size:
        return np.array([[-_ROOM, _ROOM], [-_ROOM, _ROOM]])
    furthest = max(FAR, float(np.quantile(size, 0.98, method="lower")) if size.size >= MANY else float(size.max()))
    inner, size = multipliers[size <= furthest], size[size <= furthest]
    has_angle = size > 1e-9
    on_circle = np.where(has_angle, inner, 1.0) / np.where(has_angle, size, 1.0)
    both = np.concatenate([inner, on_circle])
    low, high = (np.array([cut(both.real), cut(both.imag)]) for cut in (np.min, np.max))
    half = max(float((high - low).max()) / 2 * _ROOM, 0.15)
    centre = (low + high) / 2
    return np.stack([centre - half, centre + half], axis=1)
