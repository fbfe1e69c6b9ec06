"""Which kind of limit set there is, or of motion, at every input, epoch by epoch."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._columns import make_columns
from rnnscope.figures._motion import motion_cells
from rnnscope.figures._shares import share_cells
from rnnscope.figures.sheet import Axis, Cells, Mark, Panel, key
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks.orbits import GAP_WORDS
from rnnscope.findings.kinds import LIMIT_KINDS, limit_codes, limit_words, present_kinds, present_limits
from rnnscope.findings.reading import are_scalar, by_step, choose_inputs, input_axis_label, input_name

if TYPE_CHECKING:
    import xarray

SOURCES = ("attractors", "summary")
STRIPE_WORDS = "stripe: at some epochs"
SPLIT_WORDS = "cells: share of the starts"
MOST_ROWS = 24  # with a label each
_ROW, _NAMED_ROW, _SPLIT_ROW = 0.1, 0.15, 0.2  # inches


def track(found: "xarray.Dataset", view: View) -> Track:
    """A row for each input in ascending order, from a result of ``Attractors`` or of ``summarise_orbits``."""
    data = by_step(found)
    order = choose_inputs(data, None, everything=True)
    columns = make_columns(data["epoch"].values)
    hover = f"epoch {{x:.0f}}\n{input_axis_label(data)} {{y}}: {{words}}"
    if "input_kind" in data:
        marks, words = motion_cells(data, order, columns, hover), "kind of motion"
        keys: list[Mark] = [key(kind, kind) for kind in present_kinds(data)]
        keys += [key(STRIPE_WORDS)] if len(marks) > 1 else []
    else:
        marks, words = [share_cells(data, order, columns, hover)], "attractors"
        keys = [key(limit_words(code), LIMIT_KINDS[code]) for code in present_limits(limit_codes(data))]
        keys += [key(SPLIT_WORDS)] if _is_split(marks[0]) else []
    keys += [key(GAP_WORDS, "gap")] if columns.have_gaps else []
    axis = Axis(_label(data, view), range=(-0.5, len(order) - 0.5), ticks=_ticks(data, order, view))
    heading = f"{words} over {input_axis_label(data)}" if view.paper else ""
    panel = Panel(tuple(marks), y=axis, height=_height(data, view, split=_is_split(marks[0])), heading=heading)
    source = "orbits" if "input_kind" in data else "attractors"
    return Track.of([panel], columns.extent, keys, data, source)


def _is_split(cells: Cells) -> bool:
    return cells.grid.dy < 1


def _label(data: "xarray.Dataset", view: View) -> str:
    """On paper the heading names the inputs, and the axis only what its numbers are."""
    label = input_axis_label(data)
    return label if not view.paper or "(" not in label else label.split(" ")[-2] if " " in label else label


def _height(data: "xarray.Dataset", view: View, *, split: bool) -> float:
    """In a timeline the same for all, alone as many rows as there are."""
    if not view.settings.get("alone"):
        return 0.75
    row = _SPLIT_ROW if split else _NAMED_ROW if "input_label" in data.coords else _ROW
    return row * min(max(data.sizes["input"], 3), 12 if view.paper else MOST_ROWS)


def _ticks(data: "xarray.Dataset", order: list[int], view: View) -> list[tuple[float, str]]:
    """The names of the inputs, or their values, or their index: as many as there is room for."""
    named = "input_label" in data.coords
    words = [input_name(data, at, value=False) if named or are_scalar(data) else str(at) for at in order]
    room = MOST_ROWS // 2 if (named and view.settings.get("alone")) or len(order) <= 6 else 4 if view.paper else 8
    shown = sorted({round(at) for at in np.linspace(0, len(order) - 1, min(len(order), room))})
    return [(float(at), words[at]) for at in shown]
