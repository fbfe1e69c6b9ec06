"""The frequencies at which a study's networks oscillate against those wanted, within the trained range and beyond."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures import _study
from rnnscope.figures.renderers import Backend, render
from rnnscope.figures.sheet import Axis, Edge, Line, Mark, Panel, Points, Sheet, Span, Text, key
from rnnscope.figures.theme import SERIES
from rnnscope.figures.tracks.orbits import CLIPPED_WORDS

if TYPE_CHECKING:
    import xarray

_SORTS = {True: "closed curve or cycle", False: "oscillates otherwise"}
_REACH = 1.5  # the value axis ends at this many times the largest wanted frequency where something lies beyond


def frequency_in_out(frequencies: "xarray.Dataset", *, backend: Backend = "matplotlib") -> Any:
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
    return render(
        _sheet(_networks(data.isel(input=np.argsort(wanted, kind="stable"))), np.sort(wanted), trained), backend
    )


@dataclass(frozen=True, eq=False)
class _Network:
    """A network over the inputs: learned frequency, NaN where it does not oscillate; is it a closed curve's; is it
    beyond the axis.
    """

    model: str
    seed: int
    row: int
    role: str
    learned: np.ndarray
    closed: np.ndarray
    beyond: np.ndarray

    @property
    def still(self) -> np.ndarray:
        return ~np.isfinite(self.learned)

    @property
    def within(self) -> np.ndarray:
        """The learned frequencies that the axis has room for, NaN elsewhere."""
        return np.where(self.still | self.beyond, np.nan, self.learned)


def _networks(data: "xarray.Dataset") -> list[_Network]:
    seeds = data["seed"].values.astype(int)
    every = np.unique(seeds).tolist()
    rows = {seed: (row, f"series {row if len(every) <= len(SERIES) else 0}") for row, seed in enumerate(every)}
    learned, closed = data["learned_frequency"].values.astype(float), data["closed_curve"].values.astype(bool)
    most = _REACH * float(data["wanted_frequency"].values[-1])
    beyond = np.isfinite(learned) & (learned > most) & (most > 0)
    return [
        _Network(model, int(seeds[run]), *rows[seeds[run]], learned[run], closed[run], beyond[run])
        for model in _study.models_of(data)
        for run in np.flatnonzero(_study.is_of(data, model))
    ]


def _sheet(networks: list[_Network], wanted: np.ndarray, trained: tuple[float, float]) -> Sheet:
    seeds = {network.seed: network.role for network in sorted(networks, key=lambda network: network.row)}
    clipped, any_still = (any(getattr(network, name).any() for network in networks) for name in ("beyond", "still"))
    x = Axis.over("wanted frequency (rad/step)", wanted, np.array(trained), shared="wanted")
    y = Axis("learned frequency (rad/step)", range=_value_range(networks, wanted, clipped), shared="learned", n_ticks=6)
    rows = Axis(range=(len(seeds) - 0.4, -0.6), ticks=[], hidden=True, shared="seeds")
    shade = Span(*trained, role="quiet", name="trained range")
    ends = wanted[[0, -1]]
    panels = []
    for column, model in enumerate(dict.fromkeys(network.model for network in networks)):
        own = [network for network in networks if network.model == model]
        marks: list[Mark] = [shade, Line(ends, ends, role="quiet", name="equal")]
        for network in own:
            marks += _oscillating(network, wanted)
        panels.append(Panel(tuple(marks), x, y, column=column, height=1.9, title=model))
        if any_still:
            below = [shade, *(_still(network, wanted) for network in own), *([] if column else [_STILL])]
            height = max(0.24, 0.07 * len(seeds))
            panels.append(Panel(tuple(below), x, rows, row=1, column=column, height=height))
    coloured = 1 < len(seeds) <= len(SERIES)
    keys = [key(f"seed {seed}", role, sign=Line) for seed, role in seeds.items() if coloured]
    for meant, words in _SORTS.items():
        if any((~network.still & (network.closed == meant)).any() for network in networks):
            keys.append(key(words, sign=Points, role="ink", filled=meant))
    keys += [key(CLIPPED_WORDS, "ink", sign=Edge)] if clipped else []
    return Sheet(tuple(panels), legend=tuple(keys))


_STILL = Text(0, 0.5, "does not\noscillate", x_of="panel", y_of="panel", align="right", valign="middle", shift=(-3, 0))


def _value_range(networks: list[_Network], wanted: np.ndarray, clipped: bool) -> tuple[float, float]:
    """Over all that is drawn, or up to where what lies beyond is marked at the edge."""
    drawn = np.concatenate([wanted[[0, -1]], *(network.within for network in networks)])
    low, high = float(np.nanmin(drawn)), _REACH * float(wanted[-1]) if clipped else float(np.nanmax(drawn))
    margin = 0.05 * (high - low) or 0.05 * max(abs(high), 1.0)
    return low - margin, high if clipped else high + margin


def _oscillating(network: _Network, wanted: np.ndarray) -> list[Mark]:
    """A line through what the axis has room for, filled and open signs on it, and those at its edge."""
    found: list[Mark] = [Line(wanted, network.within, role=network.role, weight="fine", opacity=0.6)]
    of, values = f"{network.model}, seed {network.seed}", "wanted {x:.4g}, learned {learned:.4g} rad/step"
    for meant, words in _SORTS.items():
        for beyond in (False, True):
            here = ~network.still & (network.closed == meant) & (network.beyond == beyond)
            facts, at = {"learned": network.learned[here]}, wanted[here]
            look: dict[str, Any] = {"role": network.role, "filled": meant, "facts": facts}
            look["hover"] = f"{of}, {words}\n{values}" + (": beyond the axis" if beyond else "")
            found.append(Edge(at, **look) if beyond else Points(at, network.learned[here], **look))
    return found


def _still(network: _Network, wanted: np.ndarray) -> Points:
    at = wanted[network.still]
    hover = f"{network.model}, seed {network.seed}\nwanted {{x:.4g}} rad/step: does not oscillate"
    return Points(at, np.full(at.shape, float(network.row)), role=network.role, shape="tick", hover=hover)
