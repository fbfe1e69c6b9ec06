"""What the figures of a study have in common: its Dataset checked, its models in a fixed order, panels side by side."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require, unknown
from rnnscope.figures import _style
from rnnscope.figures.theme import short as short

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

RUN = {"model": ("run",), "seed": ("run",)}
MARKERS = ("o", "s", "^", "D", "v", "P")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
LIGHT_GREY = "#a0a4aa"
DASHES = (0, (4, 2))
QUARTERS = (0.25, 0.5, 0.75)


def checked(data: "xarray.Dataset", argument: str, shapes: Mapping[str, tuple[str, ...]]) -> "xarray.Dataset":
    """The Dataset with its dimensions in the order in which ``shapes`` names them.

    Raises:
        ValueError: no Dataset, a variable or coordinate of ``shapes`` that it lacks or that has other dimensions, or a
            dimension of size 0.

    """
    import xarray

    require(isinstance(data, xarray.Dataset), argument, "an xarray.Dataset", type(data).__name__)
    for name, dims in shapes.items():
        described = f"{name} ({', '.join(dims)})" if dims else f"{name} (a scalar)"
        require(name in data.variables, argument, f"a Dataset that has {described}", _names(data))
        require(
            set(data[name].dims) == set(dims), argument, described, f"{name} ({', '.join(map(str, data[name].dims))})"
        )
    order = list(dict.fromkeys(dim for dims in shapes.values() for dim in dims))
    for dim in order:
        require(data.sizes[dim], argument, f"at least one {dim}", data.sizes[dim])
    return data.transpose(*order, ..., missing_dims="ignore")


def _names(data: "xarray.Dataset") -> str:
    return ", ".join(sorted(map(str, data.variables))) or "an empty one"


def models_of(data: "xarray.Dataset") -> list[str]:
    """The models by name, in the order in which the runs name them: the order of panels, bars and colours."""
    return list(dict.fromkeys(str(model) for model in data["model"].values))


def is_of(data: "xarray.Dataset", model: str) -> np.ndarray:
    """Which runs (run) are of a model."""
    return np.array([str(each) == model for each in data["model"].values])


def chosen(data: "xarray.Dataset", argument: str, flag: str, inputs: str, words: tuple[str, str]) -> np.ndarray:
    """Which inputs (input) are meant by ``words[0]`` (those of the flag), ``words[1]`` (the others) or ``"all"``.

    Raises:
        ValueError: another word, or no such input.

    """
    if inputs not in (*words, "all"):
        raise unknown("inputs", inputs, (*words, "all"))
    flags = data[flag].values.astype(bool)
    found = flags | ~flags if inputs == "all" else flags == (inputs == words[0])
    described = f"at least one input with {flag} {'true' if inputs == words[0] else 'false'} for inputs={inputs!r}"
    require(found.any(), argument, described, f"{flag} {'true' if flags.all() else 'false'} at all {flags.size}")
    return found


def quarters(values: np.ndarray) -> np.ndarray:
    """Quarter, median and third quarter (3, …) of the finite values along the first axis, NaN where there is none.

    >>> quarters(np.array([[1.0, np.nan], [3.0, np.inf], [2.0, np.nan]])).tolist()
    [[1.5, nan], [2.0, nan], [2.5, nan]]
    """
    finite = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(values).any(0)
    found = np.full((len(QUARTERS), *known.shape), np.nan)
    found[:, known] = np.nanquantile(finite[:, known], QUARTERS, axis=0)
    return found


def plural(n: int, word: str) -> str:
    """A number with its noun.

    >>> plural(1, "pair"), plural(7, "pair")
    ('1 pair', '7 pairs')
    """
    return f"{n} {word}{'' if n == 1 else 's'}"


def panels_figure(n_panels: int, height: float) -> "Figure":
    """A matplotlib figure for panels side by side: a column of text wide for one, the page for several."""
    width = max(_style.PAGE_WIDTH, 1.6 * n_panels) if n_panels > 1 else _style.COLUMN_WIDTH
    return _style.new_matplotlib_figure(height, width)


def plotly_panels(n_columns: int, n_rows: int = 1, **settings: Any) -> "PlotlyFigure":
    """A plotly figure of panels that share their axes."""
    from plotly.subplots import make_subplots

    return make_subplots(
        rows=n_rows,
        cols=n_columns,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.08 / n_columns,
        **settings,
    )


def plotly_heading(figure: "PlotlyFigure", text: str, *, row: int = 1, col: int = 1, shift: int = 4) -> None:
    """Write what a panel shows above its left corner."""
    figure.add_annotation(
        text=text,
        x=0,
        y=1,
        xref="x domain",
        yref="y domain",
        xanchor="left",
        yanchor="bottom",
        yshift=shift,
        align="left",
        showarrow=False,
        font={"size": 13},
        row=row,
        col=col,
    )


def plotly_log_axis(low: float, high: float) -> dict[str, Any]:
    """The settings of a logarithmic axis with a few plain numbers, or powers of ten where it spans many decades."""
    axis: dict[str, Any] = {"type": "log", "range": np.log10([low, high]).tolist(), "exponentformat": "power"}
    if high / low > 1e5:
        return axis
    ticks = _style.loss_ticks(low, high)
    return {**axis, "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def plotly_title_below(figure: "PlotlyFigure", title: str, n_columns: int, row: int = 1) -> None:
    """Name the horizontal axis under each panel, or once in the middle where the panels are too narrow for that."""
    columns = range(1, n_columns + 1) if n_columns <= 3 else [(n_columns + 1) // 2]
    for col in columns:
        figure.update_xaxes(title=title, row=row, col=col)
