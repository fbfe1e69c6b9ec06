"""The frequencies at which a study's networks oscillate against those wanted, within the trained range and beyond."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _study, _style
from rnnscope.figures.tracks.orbits import CLIPPED_WORDS

if TYPE_CHECKING:
    import xarray

_WANTED, _LEARNED = "wanted frequency (rad/step)", "learned frequency (rad/step)"
_CLOSED_WORDS, _OTHERWISE_WORDS = "closed curve or cycle", "oscillates otherwise"
_RANGE_WORDS, _EQUAL_WORDS = "trained range", "equal"
_STILL_WORDS = ("does not", "oscillate")
_REACH = 1.5  # the value axis ends at this many times the largest wanted frequency where something lies beyond


def frequency_in_out(frequencies: "xarray.Dataset", *, backend: _style.Backend = "matplotlib") -> Any:
    """Learned against wanted frequency, a panel for each model on equal axes, a line for each of its networks.

    A filled mark is an input at which the network has a closed curve, an open mark one at which it oscillates
    otherwise. Inputs at which it does not oscillate are ticks in the strip below, a row for each seed. The grey line is
    equality, the shade the range of the frequencies trained on. Learned frequencies beyond 1.5 times the largest wanted
    one are triangles at the upper edge. Up to six seeds have colours of their own, more share one.

    Args:
        frequencies: dimensions run, input. Variables ``learned_frequency`` (run, input) in rad/step, NaN where the
            network does not oscillate, ``closed_curve`` (run, input), and the scalars ``trained_lowest`` and
            ``trained_highest`` in rad/step; coordinates ``wanted_frequency`` (input) in rad/step, ``model`` and
            ``seed`` (run).
        backend: ``"matplotlib"`` or ``"plotly"``.

    Returns:
        ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.

    Raises:
        ValueError: unknown backend, a variable that is missing, wanted frequencies that are not finite, or a trained
            range whose lowest is above its highest.

    """
    _style.check_backend(backend)
    cells = ("run", "input")
    shapes = {
        "learned_frequency": cells, "closed_curve": cells, "wanted_frequency": ("input",), "trained_lowest": (),
        "trained_highest": (), **_study.RUN,
    }  # fmt: skip
    data = _study.checked(frequencies, "frequencies", shapes)
    wanted = data["wanted_frequency"].values.astype(float)
    require(np.isfinite(wanted).all(), "frequencies", "wanted frequencies that are finite", wanted.tolist())
    trained = float(data["trained_lowest"]), float(data["trained_highest"])
    require(trained[0] <= trained[1], "frequencies", "trained_lowest of at most trained_highest", trained)
    content = _Content.of(data.isel(input=np.argsort(wanted, kind="stable")), trained)
    return (_draw_matplotlib if backend == "matplotlib" else _draw_plotly)(content)


@dataclass(frozen=True, eq=False)
class _Network:
    """A network over the inputs: learned frequency, NaN where it does not oscillate; is it a closed curve's; is it
    beyond the axis.
    """

    seed: int
    row: int
    colour: str
    learned: np.ndarray
    closed: np.ndarray
    beyond: np.ndarray

    @property
    def moving(self) -> np.ndarray:
        return np.isfinite(self.learned)

    @property
    def within(self) -> np.ndarray:
        """The learned frequencies that the axis has room for, NaN elsewhere."""
        return np.where(self.moving & ~self.beyond, self.learned, np.nan)


@dataclass(frozen=True, eq=False)
class _Content:
    panels: dict[str, list[_Network]]
    wanted: np.ndarray
    trained: tuple[float, float]
    seeds: list[int]

    @classmethod
    def of(cls, data: "xarray.Dataset", trained: tuple[float, float]) -> "_Content":
        seeds = [int(seed) for seed in np.unique(data["seed"].values)]
        learned, closed = data["learned_frequency"].values.astype(float), data["closed_curve"].values.astype(bool)
        wanted = data["wanted_frequency"].values.astype(float)
        beyond = np.isfinite(learned) & (learned > _REACH * wanted[-1]) & (wanted[-1] > 0)
        panels: dict[str, list[_Network]] = {}
        for model in _study.models_of(data):
            for run in np.flatnonzero(_study.is_of(data, model)):
                row = seeds.index(int(data["seed"].values[run]))
                network = _Network(seeds[row], row, _colour(row, len(seeds)), learned[run], closed[run], beyond[run])
                panels.setdefault(model, []).append(network)
        return cls(panels, wanted, trained, seeds)

    @property
    def networks(self) -> list[_Network]:
        return [network for panel in self.panels.values() for network in panel]

    @property
    def any_still(self) -> bool:
        return any(not network.moving.all() for network in self.networks)

    @property
    def marks(self) -> list[tuple[str, bool]]:
        """Words of the marks that occur, and whether they are filled."""
        filled = any((network.moving & network.closed).any() for network in self.networks)
        hollow = any((network.moving & ~network.closed).any() for network in self.networks)
        return [(_CLOSED_WORDS, True)] * filled + [(_OTHERWISE_WORDS, False)] * hollow

    @property
    def seed_colours(self) -> list[tuple[str, str]]:
        coloured = 1 < len(self.seeds) <= len(_style.LINE_COLOURS)
        return [(f"seed {seed}", _colour(row, len(self.seeds))) for row, seed in enumerate(self.seeds) if coloured]

    @property
    def equal(self) -> np.ndarray:
        return np.array([self.wanted[0], self.wanted[-1]])

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The ends of the value axis where something lies beyond it."""
        if not any(network.beyond.any() for network in self.networks):
            return None
        low = np.nanmin([self.wanted[0], *(value for network in self.networks for value in network.within)])
        high = _REACH * self.wanted[-1]
        return float(low - 0.05 * (high - low)), float(high)


def _colour(row: int, n_seeds: int) -> str:
    return _style.LINE_COLOURS[row] if n_seeds <= len(_style.LINE_COLOURS) else _style.OSCILLATES


def _draw_matplotlib(content: _Content) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    strip = max(0.24, 0.07 * len(content.seeds)) * content.any_still
    with _style.matplotlib_style():
        figure = _study.panels_figure(len(content.panels), 2.6 + strip)
        heights = [1.9, strip] if strip else [1.9]
        grid = figure.subplots(
            len(heights), len(content.panels), sharex=True, sharey="row", squeeze=False, height_ratios=heights
        )
        shade: dict[str, Any] = {"color": _study.LIGHT_GREY, "alpha": 0.25, "linewidth": 0}
        for column, (model, networks) in zip(grid.T, content.panels.items(), strict=True):
            for axes in column:
                axes.axvspan(*content.trained, zorder=0, **shade)
            column[0].plot(content.equal, content.equal, color=_study.LIGHT_GREY, linewidth=0.8, zorder=1)
            for network in networks:
                _draw_network(column, network, content.wanted)
            column[0].set_title(model, loc="left", pad=2.5, fontweight="bold")
            column[-1].set_xlabel(_WANTED)
            if strip:
                column[1].set_ylim(len(content.seeds) - 0.4, -0.6)
                column[1].tick_params(axis="y", left=False, labelleft=False)
                column[1].spines["left"].set_visible(False)
                column[0].tick_params(axis="x", length=0)
        if content.value_range:
            grid[0, 0].set_ylim(content.value_range)
        if strip:
            grid[1, 0].annotate(
                "\n".join(_STILL_WORDS), (0, 0.5), (-3, 0), xycoords="axes fraction", textcoords="offset points",
                ha="right", va="center", fontsize=6.5,
            )  # fmt: skip
        grid[0, 0].set_ylabel(_LEARNED)
        grid[0, 0].locator_params(nbins=6)
        look: dict[str, Any] = {"marker": "o", "markersize": 3, "color": _style.INK}
        handles: list[Any] = [Line2D([], [], color=colour, label=words) for words, colour in content.seed_colours]
        handles += [
            Line2D([], [], linestyle="none", markerfacecolor=look["color"] if filled else "white", label=words, **look)
            for words, filled in content.marks
        ]
        if content.value_range:
            handles.append(Line2D([], [], linestyle="none", label=CLIPPED_WORDS, **{**look, "marker": "^"}))
        handles += [
            Line2D([], [], color=_study.LIGHT_GREY, linewidth=0.8, label=_EQUAL_WORDS),
            Patch(label=_RANGE_WORDS, **shade),
        ]
        _style.legend_above(figure, handles)
    return figure


def _draw_network(column: Any, network: _Network, wanted: np.ndarray) -> None:
    within, colour = network.within, network.colour
    column[0].plot(wanted, within, color=colour, linewidth=0.6, alpha=0.6)
    look: dict[str, Any] = {"linestyle": "none", "color": colour, "markersize": 2.8, "markeredgewidth": 0.6}
    for meant, face in ((network.closed, colour), (~network.closed, "white")):
        here = np.isfinite(within) & meant
        column[0].plot(wanted[here], within[here], marker="o", markerfacecolor=face, **look)
        above = wanted[network.beyond & meant]
        if above.size:
            place = {"transform": column[0].get_xaxis_transform(), "zorder": 5}
            column[0].plot(above, np.full(above.shape, 0.97), marker="^", markerfacecolor=face, **look, **place)
    if len(column) > 1:
        still = wanted[~network.moving]
        tick: dict[str, Any] = {"marker": "|", "markersize": 4, "markeredgewidth": 0.9, "color": colour}
        column[1].plot(still, np.full(still.shape, network.row), linestyle="none", **tick)


def _draw_plotly(content: _Content) -> Any:
    import plotly.graph_objects as go

    strip = max(34, 9 * len(content.seeds)) * content.any_still
    heights = [280, strip] if strip else [280]
    figure = _study.plotly_panels(
        len(content.panels), len(heights), row_heights=heights, vertical_spacing=14 / (sum(heights) + 14)
    )
    grey = {"color": _style.MIDDLE_GREY, "width": 1}
    for col, (model, networks) in enumerate(content.panels.items(), start=1):
        figure.add_trace(
            go.Scatter(
                x=content.equal, y=content.equal, mode="lines", line=grey, name=_EQUAL_WORDS, showlegend=col == 1,
                hoverinfo="skip",
            ),
            row=1, col=col,
        )  # fmt: skip
        for network in networks:
            kinds = [f"seed {network.seed}, {_CLOSED_WORDS if each else _OTHERWISE_WORDS}" for each in network.closed]
            words = np.where(network.moving, np.array(kinds, dtype=object), "")
            look: dict[str, Any] = {"name": f"seed {network.seed}", "showlegend": False}
            figure.add_trace(
                go.Scatter(
                    x=content.wanted, y=network.within, mode="lines+markers",
                    line={"color": network.colour, "width": 1}, text=words,
                    marker={
                        "size": 7, "color": network.colour, "line": {"width": 1.5, "color": network.colour},
                        "symbol": ["circle" if each else "circle-open" for each in network.closed],
                    },
                    hovertemplate=(
                        f"%{{text}}<br>wanted %{{x:.4g}}, learned %{{y:.4g}} rad/step<extra>{model}</extra>"
                    ),
                    **look,
                ),
                row=1, col=col,
            )  # fmt: skip
            if content.value_range and network.beyond.any():
                low, high = content.value_range
                at = network.beyond
                figure.add_trace(
                    go.Scatter(
                        x=content.wanted[at], y=np.full(at.sum(), high - 0.03 * (high - low)), mode="markers",
                        text=words[at], customdata=network.learned[at],
                        marker={
                            "size": 8, "color": network.colour, "line": {"width": 1.5, "color": network.colour},
                            "symbol": ["triangle-up" if each else "triangle-up-open" for each in network.closed[at]],
                        },
                        hovertemplate=(
                            "%{text}<br>wanted %{x:.4g}, learned %{customdata:.4g} rad/step: beyond the axis"
                            f"<extra>{model}</extra>"
                        ),
                        **look,
                    ),
                    row=1, col=col,
                )  # fmt: skip
            still = content.wanted[~network.moving]
            if still.size:
                colour = network.colour
                tick = {
                    "symbol": "line-ns-open",
                    "size": 7,
                    "color": colour,
                    "line": {"width": 1.5, "color": colour},
                }
                figure.add_trace(
                    go.Scatter(
                        x=still, y=np.full(still.shape, network.row), mode="markers", marker=tick,
                        hovertemplate=(
                            f"seed {network.seed}<br>wanted %{{x:.4g}} rad/step: {' '.join(_STILL_WORDS)}"
                            f"<extra>{model}</extra>"
                        ),
                        **look,
                    ),
                    row=2, col=col,
                )  # fmt: skip
        _study.plotly_heading(figure, f"<b>{model}</b>", col=col)
        for row in range(1, len(heights) + 1):
            figure.add_shape(
                type="rect", x0=content.trained[0], x1=content.trained[1], y0=0, y1=1, yref="y domain", layer="below",
                fillcolor="rgba(128,128,128,0.18)", line={"width": 0}, row=row, col=col,
            )  # fmt: skip
    for words, colour in content.seed_colours:
        figure.add_trace(go.Scatter(**_style.legend_entry(words, colour, line=True)))
    for words, filled in content.marks:
        symbol = "circle" if filled else "circle-open"
        figure.add_trace(go.Scatter(**_style.legend_entry(words, _style.MIDDLE_GREY, symbol=symbol)))
    if content.value_range:
        figure.add_trace(go.Scatter(**_style.legend_entry(CLIPPED_WORDS, _style.MIDDLE_GREY, symbol="triangle-up")))
    figure.add_trace(go.Scatter(**_style.legend_entry(_RANGE_WORDS, "rgba(128,128,128,0.3)")))
    _style.style_plotly(figure, height=sum(heights) + 14 + 58 + 100)
    figure.update_layout(margin={"t": 58, "b": 100}, showlegend=True)
    _study.plotly_title_below(figure, _WANTED, len(content.panels), row=len(heights))
    figure.update_yaxes(title=_LEARNED, row=1, col=1)
    if content.value_range:
        figure.update_yaxes(range=list(content.value_range), row=1)
    if strip:
        figure.update_yaxes(
            range=[len(content.seeds) - 0.4, -0.6],
            showgrid=False,
            showline=False,
            ticks="",
            showticklabels=False,
            row=2,
        )
        figure.update_xaxes(ticks="", row=1)
        figure.add_annotation(
            text="<br>".join(_STILL_WORDS), x=0, y=0.5, xref="x domain", yref="y domain", xanchor="right", xshift=-6,
            showarrow=False, font={"size": 11}, align="right", row=2, col=1,
        )  # fmt: skip
    return figure
