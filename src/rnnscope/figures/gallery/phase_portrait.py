"""Orbits of the state and the points among them, in the plane in which the state moves most."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures import theme
from rnnscope.figures._portrait import Portrait, Portraits, make_portraits
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Choice, Line, Mark, Panel, Points, Shape, Sheet, key

if TYPE_CHECKING:
    import xarray

SOURCES = {"orbits": (("orbits", {"keep_states": True}),), "points": ("fixedpoints", "attractors")}
_SHAPES: dict[str, Shape] = {"fixed point": "circle", "cycle": "square", "slow point": "diamond", "continuum": "cross"}


def phase_portrait(
    orbits: "xarray.Dataset",
    points: "xarray.Dataset | None" = None,
    *,
    epoch: int | None = None,
    inputs: int | Sequence[int] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Orbits of the whole state, projected on its two leading principal components, with fixed points and cycles.

    The components are those of the kept states of all orbits shown; where these stand still, of the points. Stable
    points are filled, unstable ones open, with the number of their unstable directions beside them; points out of
    reach are left out. Where the eigenvectors are known, ``FixedPoints(vectors=True)``, a short line goes along each
    unstable direction (two for a complex pair), the shorter the more it points out of the plane. An orbit that goes on
    in small steps is a line, any other is points. Where a continuum of fixed points attracts, a line joins the states
    at which the orbits came to rest on it. Kept transients, ``Orbits(n_transient=0, keep_states=True)``, show
    where the state comes from; the default Orbits show where it ends.

    Args:
        orbits: result of the probe ``orbits`` measured with ``keep_states=True`` (``step`` may be missing).
        points: result of the probe ``fixedpoints`` or ``attractors``, with the same epoch; points are drawn at the
            inputs that both have.
        epoch: one that was looked at; by default the last that all Datasets have.
        inputs: index or indices along ``input`` (default: the middle one). Matplotlib stacks one panel for each, plotly
            offers them in a menu; all are in the same plane.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend or input; orbits without states; an epoch that one of the two does not have.

    """
    portraits = make_portraits(orbits, points, epoch, inputs)
    return render(_sheet(portraits, paper=backend == "matplotlib"), backend)


def _sheet(portraits: Portraits, *, paper: bool) -> Sheet:
    n, middle = len(portraits.panels), len(portraits.panels) // 2
    (left, right), (low, high) = portraits.view.tolist()
    height = float(np.clip(0.72 * theme.COLUMN_WIDTH * (high - low) / (right - left), 1.1, 2.9)) if paper else 2.3
    panels = []
    for at, portrait in enumerate(portraits.panels):
        place: dict[str, Any] = {"row": at} if paper else {"option": at if n > 1 else None}
        heading = portraits.heading(portrait, short=paper and at > 0)
        label = portraits.plane.label(1) if at == middle or not paper else ""
        panels.append(
            Panel(
                tuple(_marks(portrait)), height=height, equal=True,
                heading=textwrap.fill(heading, 62 if paper else 200),
                x=Axis(portraits.plane.label(0), range=(left, right), shared="first"),
                y=Axis(label.replace(" (", "\n(") if paper else label, range=(low, high), shared="second"), **place,
            )
        )  # fmt: skip
    words = [portraits.heading(portrait) for portrait in portraits.panels]
    menu = Choice(words, middle) if n > 1 and not paper else None
    return Sheet(tuple(panels), legend=_remarks(portraits), menu=menu)


def _marks(portrait: Portrait) -> list[Mark]:
    """Orbits, the ends of them, the line of a continuum, unstable directions and points."""
    found: list[Mark] = []
    orbits = portrait.orbits
    if orbits.size and portrait.flows:
        gap = np.full((len(orbits), 1, 2), np.nan)
        x, y = np.concatenate([orbits, gap], axis=1).astype(np.float32).reshape(-1, 2).T
        found.append(Line(x, y, weight="fine", role="orbit", name="orbit, with its end", opacity=0.8))
    elif orbits.size:
        x, y = orbits.reshape(-1, 2).T
        found.append(Points(x, y, shape="dot", size=0.4, role="moving", name="orbit"))
    if orbits.size:
        x, y = orbits[:, -1].T
        said = {"start": np.arange(len(orbits))}
        found.append(Points(x, y, shape="dot", role="moving", facts=said, hover="end of the orbit, start {start}"))
    for line, role, name in (
        (portrait.line, "continuum", "line of fixed points"), (portrait.directions, "direction", "unstable direction"),
    ):  # fmt: skip
        if len(line):
            gap = np.full((len(line), 1, 2), np.nan)
            x, y = np.concatenate([line, gap], axis=1).reshape(-1, 2).T
            found.append(Line(x, y, weight="strong" if role == "continuum" else "normal", role=role, name=name))
    for marks in portrait.marks:
        x, y = marks.places.T
        labels = [str(index) if index > 0 else "" for index in marks.index]
        said = {"words": np.array(marks.words, dtype=object)}
        found.append(Points(x, y, labels=labels, facts=said, hover="{words}", name=marks.sort, **_look(marks.sort)))
    return found


def _look(sort: str) -> dict[str, Any]:
    """Filled where it attracts, open where it does not."""
    shape = next(shape for name, shape in _SHAPES.items() if sort.endswith(name))
    role = "quiet" if "slow" in sort else "continuum" if sort == "continuum" else "rests"
    return {"shape": shape, "role": role, "filled": not sort.startswith("unstable"), "size": 1.5}


def _remarks(portraits: Portraits) -> tuple[Mark, ...]:
    numbered = any((marks.index > 0).any() for portrait in portraits.panels for marks in portrait.marks)
    return (key("number: of unstable directions"),) if numbered else ()
