"""The orbit diagram in matplotlib."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.figures import _style
from rnnscope.figures._companions import Companions
from rnnscope.figures._kind_matplotlib import draw_kinds, remarks
from rnnscope.figures._kinds import Strip
from rnnscope.figures._orbit_layers import Diagram, Layers, legend_words
from rnnscope.figures._rates_matplotlib import draw_rates, rate_handles
from rnnscope.figures._stacks_matplotlib import draw_stacks, limit_patches, stack_remarks
from rnnscope.findings.kinds import present_kinds
from rnnscope.findings.reading import log_scale

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT, STRIP_HEIGHT, LOSS_HEIGHT, RATES_HEIGHT = 1.0, 0.75, 0.7, 0.7  # inches
_DIVERGED: dict[str, Any] = {
    "marker": "|",
    "markersize": 4,
    "markeredgewidth": 1.1,
    "color": _style.DIVERGES,
    "clip_on": False,
}
_ABOVE: dict[str, Any] = {"marker": "^", "markersize": 2.6, "markeredgewidth": 0, "color": _style.INK}
_BELOW: dict[str, Any] = {**_ABOVE, "marker": "v"}


def draw(diagram: Diagram) -> "Figure":
    panels, summary, companions = diagram.panels, diagram.summary, diagram.companions
    heights = [PANEL_HEIGHT] * len(panels)
    heights += [STRIP_HEIGHT] * (summary is not None or companions is not None)
    heights += [] if companions is None else [RATES_HEIGHT] * len(companions.rates)
    heights += [LOSS_HEIGHT] * (diagram.loss is not None)
    n_below = 0 if companions is None else 1 + len(companions.rates)
    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(sum(heights) + 0.25 * (len(panels) + n_below) + 0.45)
        axes = list(figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
        for at, (panel, layers) in enumerate(zip(axes, panels, strict=False)):
            draw_panel(panel, layers, diagram)
            _style.corner_label(panel, layers.short_words if at else layers.words)
        axes[len(panels) // 2].set_ylabel(diagram.value_label)
        handles, others = handles_of(diagram, {}), remarks(gaps=diagram.columns.have_gaps, stripes=False)
        if companions is not None:
            draw_companions(axes[len(panels) :], companions, diagram)
            handles = [*handles_of(diagram, companions.shared_kinds), *limit_patches(companions.other_kinds)]
            gaps = diagram.columns.have_gaps or companions.stacks.columns.have_gaps
            others = [*stack_remarks(companions.stacks, gaps=gaps), *rate_handles(*companions.rates)]
        elif summary is not None:
            strip = Strip.of(summary)
            draw_kinds(axes[len(panels)], summary, strip)
            handles = handles_of(diagram, {kind: kind for kind in present_kinds(summary)})
            others = remarks(gaps=diagram.columns.have_gaps, stripes=strip.stripes is not None)
        if diagram.loss is not None:
            draw_loss(axes[-1], *diagram.loss)
        axes[-1].set_xlabel(diagram.epoch_label)
        axes[-1].set_xlim(diagram.epoch_limits)
        figure.align_ylabels(axes)
        _style.legend_above(figure, [*handles, *others])
    return figure


def draw_companions(axes: "list[Axes]", companions: Companions, diagram: Diagram) -> None:
    """The attractors at all inputs, and exponents and multipliers at the middle one of the diagram's."""
    draw_stacks(axes[0], companions.attractors, companions.stacks)
    middle = len(diagram.panels) // 2
    for below, rates in zip(axes[1:], companions.rates, strict=False):
        draw_rates(below, rates.panels[middle], rates)
        _style.corner_label(below, f"{rates.words} at {diagram.panels[middle].short_words}")
        below.set_ylabel("|μ|" if rates.unit == "1" else rates.unit)


def draw_loss(axes: "Axes", epochs: np.ndarray, losses: np.ndarray) -> None:
    axes.plot(epochs, losses, color=_style.INK, linewidth=0.6)
    _style.label_loss(axes, logarithmic=log_scale([losses]))


def draw_panel(axes: "Axes", layers: Layers, diagram: Diagram) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap

    columns, value_range = diagram.columns, diagram.value_range
    if layers.density is not None:
        level = np.log1p(layers.density) / np.log1p(diagram.n_samples)
        axes.imshow(
            np.ma.masked_where(layers.density == 0, level),
            cmap=LinearSegmentedColormap.from_list("density", _style.DENSITY_COLOURS),
            vmin=0,
            vmax=0.75,
            extent=(*columns.extent, *value_range),
            origin="lower",
            aspect="auto",
            interpolation="nearest",
        )
    elif layers.motion_epochs.size:
        axes.plot(
            layers.motion_epochs,
            layers.motion_values,
            linestyle="none",
            marker=".",
            markersize=1.1,
            markeredgewidth=0,
            color=_style.OSCILLATES,
            rasterized=layers.motion_epochs.size > 3000,
        )
    rows = np.searchsorted(columns.epochs, layers.rest_epochs)
    bounds = np.stack([columns.left[rows], columns.right[rows]], axis=1)
    segments = np.stack([bounds, np.repeat(layers.rest_values[:, None], 2, axis=1)], axis=2)
    lines = LineCollection(list(segments), colors=_style.RESTS, linewidths=1.1, capstyle="butt")
    axes.add_collection(lines, autolim=False)
    _mark(axes, layers.diverged, 0.98, **_DIVERGED)
    _mark(axes, layers.above, 0.96, **_ABOVE)
    _mark(axes, layers.below, 0.04, **_BELOW)
    axes.set_ylim(value_range)


def _mark(axes: "Axes", epochs: np.ndarray, height: float, **marker: Any) -> None:
    """Marks at a height of the panel from 0 to 1, whatever its value axis."""
    if epochs.size:
        heights = np.full(epochs.shape, height)
        axes.plot(epochs, heights, transform=axes.get_xaxis_transform(), linestyle="none", zorder=5, **marker)


def handles_of(diagram: Diagram, kinds: dict[str, str]) -> "list[Artist]":
    """Legend entries of what occurs; a strip of kinds shares the colours and so the entries."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    words = legend_words(diagram.panels, kinds)
    if any(layers.density is not None and layers.density.any() for layers in diagram.panels):
        words["oscillates"] += " (darker: more often)"
    colours = dict(zip(words, _style.KIND_COLOURS, strict=True))
    handles: list[Artist] = []
    for kind, label in words.items():
        if label and kind == "diverges":
            handles.append(Line2D([], [], linestyle="none", label=label, **_DIVERGED))
        elif label and kind == "rests":
            handles.append(Line2D([], [], color=colours[kind], linewidth=1.6, label=label))
        elif label:
            handles.append(Patch(color=colours[kind], label=label))
    if diagram.any_clipped:
        handles.append(Line2D([], [], linestyle="none", label="beyond the axis (clipped)", **_ABOVE))
    return handles
