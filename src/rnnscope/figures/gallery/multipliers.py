"""The multipliers of fixed points and cycles in the complex plane, over training."""

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures import theme
from rnnscope.figures._epochs import epoch_colours
from rnnscope.figures._spectra import SYMBOLS, Spectra, Spectrum, make_spectra
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Choice, Line, Mark, Panel, Points, Reference, Sheet, key

if TYPE_CHECKING:
    import xarray

SOURCES = {"found": ("attractors", "fixedpoints")}
_PER_ROW = 3


def multipliers(
    found: "xarray.Dataset",
    *,
    inputs: int | Sequence[int] | None = None,
    epochs: Sequence[int] | None = None,
    backend: Backend = "matplotlib",
) -> Any:
    """Multipliers μ of fixed points and cycles in the complex plane, with the unit circle.

    A multiplier inside the circle belongs to a direction that dies out; one that leaves it does so at +1 in a fold or a
    pitchfork, at -1 in a flip, as a pair in a Neimark-Sacker bifurcation. In matplotlib all chosen epochs are drawn,
    told apart by colour, late ones larger and below early ones; plotly slides through them, with all others faint
    behind. An open mark belongs to a point that is not stable; points out of reach are left out. The axes are equal and
    hold the multipliers and the circle next to
    them, but for the outermost fiftieth of many if these are beyond 2.5; what is not shown is counted beside the panel.

    Args:
        found: result of the probe ``attractors`` (leading multipliers of what attracts) or ``fixedpoints`` (all of
            them, unstable points too); ``step`` may be missing.
        inputs: index or indices along ``input``. Matplotlib has one plane for each (default: lowest, middle and
            highest); plotly offers them in a menu (default: all).
        epochs: some that were looked at; by default at most 60 of them, evenly chosen with the first and the last.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend or input; an epoch that was not looked at; a Dataset without multipliers.

    """
    paper = backend == "matplotlib"
    spectra = make_spectra(found, inputs, epochs, everything=not paper)
    return render(_on_paper(spectra) if paper else _on_screen(spectra), backend)


def _on_paper(spectra: Spectra) -> Sheet:
    """Planes side by side. Signs of late epochs are large and below, so that those of early ones are seen on them."""
    n_across = min(len(spectra.panels), _PER_ROW)
    side = min((theme.COLUMN_WIDTH - 0.5) / n_across, 2.4)
    panels = []
    for at, spectrum in enumerate(spectra.panels):
        order = np.argsort(-spectrum.row, kind="stable")
        size = 0.45 + 0.9 * spectrum.row / max(len(spectra.epochs) - 1, 1)
        marks = _signs(spectrum, order, size=size, values=spectra.epochs[spectrum.row].astype(np.float32))
        heading = textwrap.fill(spectrum.short_words, 16 if n_across == _PER_ROW else 40)
        panel = _plane(spectra, marks, height=side, heading=heading, remark=_remark(spectra, spectrum))
        panels.append(replace(panel, row=at // n_across, column=at % n_across))
    label = spectra.epoch_label if len(spectra.epochs) > 1 else ""
    colours = epoch_colours(spectra.epochs, label, below=True)
    return Sheet(tuple(panels), legend=_legend(spectra), colours=colours, width=theme.COLUMN_WIDTH)


def _on_screen(spectra: Spectra) -> Sheet:
    """One plane to slide through the epochs, with all of them faint behind."""
    several, n = len(spectra.panels) > 1, len(spectra.epochs)
    middle = len(spectra.panels) // 2
    first = spectra.last_shown(spectra.panels[middle])
    panels, words = [], []
    for at, spectrum in enumerate(spectra.panels):
        epochs = spectra.epochs[spectrum.row]
        everything = np.arange(epochs.size)
        hover = "epoch {epoch:.0f}\nμ = {x:.4g} + {y:.4g} i"
        trail = Points(
            *_parts(spectrum.multiplier), size=0.6, values=epochs, opacity=0.5, facts={"epoch": epochs}, hover=hover
        )
        now = _signs(spectrum, everything, size=1.5, role="rests", frame=spectrum.row if n > 1 else None)
        remark = _remark(spectra, spectrum)
        words.append(spectrum.words + (f" – {remark}" if remark else ""))
        panel = _plane(spectra, [trail, *now], height=2.1, heading=words[-1])
        panels.append(replace(panel, option=at if several else None))
    menu = Choice(words, middle) if several else None
    slider = Choice([f"{epoch}" for epoch in spectra.epochs], first, "epoch ") if n > 1 else None
    colours = epoch_colours(spectra.epochs, spectra.epoch_label if n > 1 else "")
    return Sheet(tuple(panels), legend=_legend(spectra), menu=menu, slider=slider, colours=colours)


def _plane(spectra: Spectra, marks: list[Mark], **settings: Any) -> Panel:
    """The complex plane with the unit circle behind the marks."""
    angle = np.linspace(0, 2 * np.pi, 241)
    circle = Line(np.cos(angle), np.sin(angle), role="reference", name="|μ| = 1")
    across = [Reference(0.0, axis, dash="solid", role="grid") for axis in ("x", "y")]
    (left, right), (low, high) = spectra.view.tolist()
    x, y = (
        Axis("Re μ", range=(left, right), shared="re", n_ticks=4),
        Axis("Im μ", range=(low, high), shared="im", n_ticks=4),
    )
    return Panel((*across, circle, *marks), x=x, y=y, equal=True, **settings)


def _signs(spectrum: Spectrum, order: np.ndarray, **look: Any) -> list[Mark]:
    """Signs by what the multipliers belong to, open where it is not stable, in this order."""
    found: list[Mark] = []
    for code in np.unique(spectrum.symbol).tolist():
        own = order[spectrum.symbol[order] == code]
        chosen: dict[str, Any] = {
            name: value[own] if isinstance(value, np.ndarray) else value for name, value in look.items()
        }
        multiplier = spectrum.multiplier[own]
        facts = {"size": np.abs(multiplier)}
        hover = "μ = {x:.4g} + {y:.4g} i\n|μ| = {size:.4g}\n" + SYMBOLS[code]
        found.append(Points(*_parts(multiplier), facts=facts, hover=hover, **_shape(code), **chosen))
    return found


def _parts(multiplier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In the precision of a page."""
    with np.errstate(over="ignore"):
        return np.real(multiplier).astype(np.float32), np.imag(multiplier).astype(np.float32)


def _shape(code: int) -> dict[str, Any]:
    return {"shape": "circle" if code < 2 else "square", "filled": code % 2 == 0}


def _legend(spectra: Spectra) -> tuple[Mark, ...]:
    codes = sorted({int(code) for spectrum in spectra.panels for code in np.unique(spectrum.symbol)})
    return tuple(key(SYMBOLS[code], "ink", sign=Points, **_shape(code)) for code in codes)


def _remark(spectra: Spectra, spectrum: Spectrum) -> str:
    if not spectrum.row.size:
        return "none there"
    n = spectra.beyond(spectrum)
    return f"{n} of {spectrum.row.size} beyond the axis" if n else ""
