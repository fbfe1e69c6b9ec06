"""The orbit diagram: where the output goes, epoch by epoch, at the input chosen."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._columns import Columns, make_columns
from rnnscope.figures._samples import N_BINS, Samples
from rnnscope.figures.sheet import Axis, Density, Edge, Line, Mark, Panel, Points, key, strokes
from rnnscope.figures.tracks import Track, View
from rnnscope.findings.reading import by_step, choose_output, same_input, value_label

if TYPE_CHECKING:
    import xarray

SOURCES = ("orbits",)
MAX_POINTS = 20_000  # more samples are drawn as a density: an svg point costs a browser more than a pixel
CLIPPED_WORDS = "beyond the axis (clipped)"
GAP_WORDS = "not looked at"


def track(orbits: "xarray.Dataset", view: View) -> Track:
    """A panel for each input chosen: rests as lines, motion as points or as a density, marks at the edge."""
    orbits = by_step(orbits)
    output = choose_output(orbits, view.settings.get("output", 0))
    samples, columns = Samples.of(orbits, output), make_columns(orbits["epoch"].values)
    like = view.like if view.like is not None else orbits
    positions = [same_input(orbits, like, position) for position in view.positions]
    chosen = [position for position in positions if position is not None]
    given = view.settings.get("value_range")
    limits = samples.value_range(chosen) if given is None else given
    require(limits[0] < limits[1], "value_range", "a lowest value below the highest", limits)
    dense = samples.count_moving(chosen) > MAX_POINTS
    shared = "orbits" if view.settings.get("equal_axes", True) else ""
    panels: list[Panel] = []
    for at, position in enumerate(positions):
        if position is None:
            continue
        row = at if view.paper else 0
        words = view.words(at, short=at > 0 and view.paper)
        label = value_label(orbits, output) if at == view.middle or not view.paper else ""
        marks = _marks(samples, position, limits, columns, dense=dense)
        y = Axis(label, range=limits, shared=f"{shared}{row}" if shared else "", n_ticks=4)
        place: dict[str, Any] = {"row": row, "height": 1.0} if view.paper else {"option": at, "height": 1.5}
        panels.append(Panel(tuple(marks), y=y, heading=words, **place))
    extra = [key(GAP_WORDS, "gap")] if columns.have_gaps else []
    return Track.of(panels, columns.extent, [*_legend(panels), *extra], orbits, "orbits")


def _marks(
    samples: Samples, position: int, limits: tuple[float, float], columns: Columns, *, dense: bool
) -> list[Mark]:
    """The marks of one input."""
    found: list[Mark] = []
    if dense:
        dy = (limits[1] - limits[0]) / N_BINS
        counts, grid = samples.density(position, limits, columns), columns.grid(limits[0] + dy / 2, dy)
        n_samples = samples.values.shape[2] * samples.values.shape[3]
        found.append(Density(counts, grid, n_samples, role="moving", hover="epoch {x:.0f}\nvalue {y:.4g}"))
    else:
        found.append(_points(samples, position, limits, columns))
    rows, values = samples.rests(position, limits)
    left, right, epochs = columns.left[rows], columns.right[rows], columns.epochs[rows]
    said: dict[str, Any] = {
        "hover": "epoch {epoch:.0f}\nsettled at {y:.4g}",
        "facts": {"epoch": epochs},
        "role": "settled",
    }
    found.append(strokes(left, right, values, weight="strong", **said))
    below, above, diverged = samples.beyond(position, limits)
    found.append(Edge(diverged, shape="tick", role="diverged", hover="epoch {x}: diverged"))
    found.append(Edge(above, hover="epoch {x}: above the axis"))
    found.append(Edge(below, top=False, shape="triangle-down", hover="epoch {x}: below the axis"))
    return found


def _points(samples: Samples, position: int, limits: tuple[float, float], columns: Columns) -> Points:
    """Every sample in motion, spread over the stretch that stands for its epoch so that a column is as wide as that."""
    rows, values, shown = samples.motion(position, limits)
    n = int(shown.sum())
    spread = (0.5 + np.arange(n) * 0.6180339887498949) % 1.0  # the golden ratio: even, and without a pattern
    at = np.broadcast_to(rows[:, None], shown.shape)[shown]
    x = columns.left[at] + spread * (columns.right[at] - columns.left[at])
    said: dict[str, Any] = {
        "hover": "epoch {epoch:.0f}\nvalue {y:.4g}",
        "facts": {"epoch": columns.epochs[at].astype(np.float32)},
    }
    size = 0.5 if len(columns.epochs) < 40 else 0.37
    return Points(x.astype(np.float32), values[shown], shape="dot", size=size, role="moving", **said)


def _legend(panels: list[Panel]) -> list[Mark]:
    marks = [mark for panel in panels for mark in panel.marks]
    rests = any(isinstance(mark, Line) and mark.x.size for mark in marks)
    points = any(isinstance(mark, Points) and mark.x.size for mark in marks)
    density = any(isinstance(mark, Density) and mark.counts.any() for mark in marks)
    edges = {mark.role for mark in marks if isinstance(mark, Edge) and mark.x.size}
    found = [key("settled", "settled", sign=Line, weight="strong")] if rests else []
    found += [key("moving", "moving")] if points or density else []
    found += [key("darker: more often")] if density else []
    found += [key("diverged", "diverged", sign=Points, shape="tick")] if "diverged" in edges else []
    return found + ([key(CLIPPED_WORDS, "ink", sign=Points, shape="triangle-up")] if "ink" in edges else [])
