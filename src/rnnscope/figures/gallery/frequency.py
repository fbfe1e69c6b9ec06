"""The frequency that the network learned against the one that was wanted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _style
from rnnscope.findings.endings import WINDOW, Ending, ending
from rnnscope.findings.kinds import KINDS
from rnnscope.findings.reading import by_step, column, input_axis_label, input_words

if TYPE_CHECKING:
    import xarray


def frequency(summary: "xarray.Dataset", *, n_epochs: int = WINDOW, backend: _style.Backend = "matplotlib") -> Any:
    """Frequency of the oscillation at each input over the last epochs, against the wanted frequency.

    Of the last ``n_epochs`` epochs looked at those count at which the input oscillates (half of its starts do).
    Where these are at least half of them, a point is the median over them and their oscillating starts, its bar the
    whole range; the line is equality. All other inputs are ticks on the horizontal axis, in the colour of what they
    most often do. Without a coordinate ``wanted_frequency`` the horizontal axis is the input itself, and there is no
    line.

    Args:
        summary: result of ``summarise_orbits``; ``frequency`` (step, input, start) in rad/step.
        n_epochs: how many of the last epochs looked at count.
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, or a number of epochs that is not positive.

    """
    _style.check_backend(backend)
    require(n_epochs >= 1, "n_epochs", "at least 1", n_epochs)
    content = _measured(by_step(summary), n_epochs)
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content)


@dataclass(frozen=True, eq=False)
class _Measured:
    """What is drawn against ``across`` (input); the frequencies ``end`` has are NaN where there is a tick instead."""

    across: np.ndarray
    end: Ending
    wanted: bool
    label: str
    words: list[str]

    @property
    def value_label(self) -> str:
        return "learned frequency (rad/step)"

    @property
    def moving(self) -> np.ndarray:
        return ~np.isnan(self.end.frequency)

    @property
    def points_label(self) -> str:
        return f"learned, last {self.end.n_epochs} epochs looked at"

    def ticks(self) -> list[tuple[str, int, np.ndarray]]:
        """Words, position in ``KINDS`` and place of the inputs of each kind that have no point."""
        found = []
        for code, kind in enumerate(KINDS):
            at = self.across[~self.moving & (self.end.kinds == code)]
            words = "oscillates at under half" if kind == "oscillates" else f"mostly {kind}"
            found += [(words.replace("mostly undetermined", "undetermined"), code, at)] if at.size else []
        return found

    @property
    def identity(self) -> np.ndarray:
        return np.array([self.across.min(), self.across.max()])


def _measured(summary: "xarray.Dataset", n_epochs: int) -> _Measured:
    wanted = "wanted_frequency" in summary.coords
    return _Measured(
        across=column(summary, "wanted_frequency" if wanted else "input_value").astype(float),
        end=ending(summary, n_epochs),
        wanted=wanted,
        label="wanted frequency (rad/step)" if wanted else input_axis_label(summary),
        words=[input_words(summary, position, short=True) for position in range(summary.sizes["input"])],
    )


def _draw_matplotlib(content: _Measured) -> Any:
    from matplotlib.lines import Line2D

    with _style.matplotlib_style():
        figure = _style.new_matplotlib_figure(2.4)
        axes = figure.subplots()
        handles = []
        if content.wanted:
            axes.plot(content.identity, content.identity, color="#a0a4aa", linewidth=0.8, zorder=1)
            handles.append(Line2D([], [], color="#a0a4aa", linewidth=0.8, label="equal"))
        moving, end = content.moving, content.end
        if moving.any():
            bars = np.stack([end.frequency - end.lowest, end.highest - end.frequency])[:, moving]
            axes.errorbar(
                content.across[moving],
                end.frequency[moving],
                bars,
                linestyle="none",
                marker="o",
                markersize=3,
                color=_style.OSCILLATES,
                elinewidth=0.8,
            )
            look: dict[str, Any] = {"marker": "o", "markersize": 3, "color": _style.OSCILLATES}
            handles.append(Line2D([], [], linestyle="none", label=content.points_label, **look))
        for words, code, at in content.ticks():
            look = {"marker": "|", "markersize": 7, "markeredgewidth": 1.2, "color": _style.KIND_COLOURS[code]}
            axes.plot(
                at, np.zeros(at.shape), linestyle="none", transform=axes.get_xaxis_transform(), clip_on=False, **look
            )
            handles.append(Line2D([], [], linestyle="none", label=words, **look))
        axes.locator_params(nbins=5)
        axes.set_xlabel(content.label)
        axes.set_ylabel(content.value_label)
        _style.legend_above(figure, handles)
    return figure


def _draw_plotly(content: _Measured) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    moving, end = content.moving, content.end
    if content.wanted:
        line = {"color": _style.MIDDLE_GREY, "width": 1}
        figure.add_trace(go.Scatter(x=content.identity, y=content.identity, mode="lines", line=line, name="equal"))
    if moving.any():
        figure.add_trace(
            go.Scatter(
                x=content.across[moving],
                y=end.frequency[moving],
                mode="markers",
                marker={"color": _style.SCREEN_COLOURS[KINDS.index("oscillates")], "size": 8},
                error_y={
                    "type": "data",
                    "array": (end.highest - end.frequency)[moving],
                    "arrayminus": (end.frequency - end.lowest)[moving],
                    "thickness": 1.2,
                    "width": 3,
                },
                text=[words for words, shown in zip(content.words, moving, strict=True) if shown],
                name=content.points_label,
                hovertemplate="%{text}<br>learned %{y:.4g} rad/step<extra></extra>",
            )
        )
    drawn = np.concatenate([end.lowest[moving], content.identity if content.wanted else []])
    floor = float(drawn.min()) if drawn.size else 0.0
    for words, code, at in content.ticks():
        colour = _style.SCREEN_COLOURS[code]
        figure.add_trace(
            go.Scatter(
                x=at,
                y=np.full(at.shape, floor),
                mode="markers",
                marker={"symbol": "line-ns-open", "size": 12, "color": colour, "line": {"width": 2, "color": colour}},
                name=words,
                hovertemplate=f"%{{x:.4g}}: {words}<extra></extra>",
            )
        )
    _style.style_plotly(figure, height=360)
    figure.update_xaxes(title=content.label)
    figure.update_yaxes(title=content.value_label)
    return figure
