"""What the figures of both backends have in common: colours, sizes, words."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rnnscope.base.errors import unknown

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

Backend = Literal["matplotlib", "plotly"]
BACKENDS = ("matplotlib", "plotly")

# Told apart by hue under the common colour blindnesses, by lightness (65, 42, 28, 86 of 100) in grey.
KIND_COLOURS = ("#d98c10", "#1f66ad", "#83163a", "#d4d6da")
RESTS, OSCILLATES, DIVERGES, UNDETERMINED = KIND_COLOURS
DENSITY_COLOURS = ("#c3d8ee", "#6fa3d6", OSCILLATES, "#0a2e57")
# The same hues a little lighter, for pages that may be light or dark.
SCREEN_COLOURS = ("#dd9420", "#2f7fd0", "#b3244f", "#c3c7cd")
INK = "#222222"
MIDDLE_GREY = "#7b8088"  # readable on white and on black: plotly figures do not know their page
GAP_WORDS = "not looked at"
STRIPE_WORDS = "stripe: at some epochs"
GRID = "rgba(128,128,128,0.22)"
LINE_COLOURS = (OSCILLATES, RESTS, "#2e8b6f", "#9a5fb4", DIVERGES, "#6b6f76")

MARGINS_HEIGHT = 118  # pixels above and below the panels of a plotly figure: menu, axis title, legend
COLUMN_WIDTH = 3.4  # inches: one column of a journal
PAGE_WIDTH = 7.0  # inches: both columns
DOTS_PER_INCH = 300
PLOTLY_CONFIG = {  # plotly's own button would offer to send the data to its servers
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
_MATPLOTLIB: Any = {
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "figure.constrained_layout.h_pad": 0.02,
    "figure.constrained_layout.w_pad": 0.02,
    "figure.constrained_layout.hspace": 0.02,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "rnnscope",
}


def check_backend(backend: str) -> None:
    """Raise a ValueError unless there is such a backend."""
    if backend not in BACKENDS:
        raise unknown("backend", backend, BACKENDS)


@contextmanager
def matplotlib_style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(_MATPLOTLIB):
        yield


def new_matplotlib_figure(height: float, width: float = COLUMN_WIDTH) -> "Figure":
    """A figure, as wide as a column of text, that belongs to no window and to no global list."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def corner_label(axes: "Axes", text: str) -> None:
    """Write what a panel shows above its left corner, where it covers no data."""
    axes.set_title(text, loc="left", pad=2.5)


def legend_above(figure: "Figure", handles: "Sequence[Artist]") -> None:
    """One legend above all panels, where it covers no data."""
    if handles and figure.get_figwidth() > 2 * COLUMN_WIDTH:
        wide = sum(len(str(handle.get_label())) + 6 for handle in handles) > 18 * figure.get_figwidth()
        n_columns = -(-len(handles) // 2) if wide else len(handles)
        figure.legend(handles=handles, loc="outside upper left", ncols=n_columns, frameon=False, handlelength=1.2)
    elif handles:
        widths = [len(str(handle.get_label())) + 6 for handle in handles]
        half = -(-len(handles) // 2)
        two_fit = len(handles) < 2 or max(widths[:half]) + max(widths[half:]) <= 68
        figure.legend(
            handles=handles,
            loc="outside upper left",
            ncols=len(handles) if sum(widths) < 62 else 2 if two_fit else 1,
            frameon=False,
            handlelength=1.2,
            columnspacing=1.2,
            labelspacing=0.25,
            borderaxespad=0.2,
        )


def label_loss(axes: "Axes", *, logarithmic: bool) -> None:
    """A loss axis; a logarithmic one is labelled with a few plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    axes.set_ylabel("loss")
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(loss_ticks(*axes.get_ylim())))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def loss_ticks(low: float, high: float) -> list[float]:
    """At most five round numbers within a logarithmic range, as evenly spread as round numbers are; two at least.

    >>> loss_ticks(0.025, 0.6), loss_ticks(0.493, 0.4995)
    ([0.05, 0.1, 0.2, 0.5], [0.494, 0.496, 0.498])
    >>> loss_ticks(1e-6, 2.0)
    [1e-06, 0.0001, 0.01, 1.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits, every in (
        ((1, 1.5, 2, 3, 5, 7), 1),
        ((1, 2, 5), 1),
        ((1, 3), 1),
        *(((1,), n) for n in range(1, 400)),
    ):
        ticks = [float(f"{digit}e{decade}") for decade in decades if decade % every == 0 for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 5:
            return ticks if len(ticks) > 1 else _even_ticks(low, high)
    return []


def _even_ticks(low: float, high: float) -> list[float]:
    """Two to five multiples of 1, 2 or 5 times a power of ten: a range so narrow is all but linear."""
    if not high > low:
        return [low]
    unit = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= (high - low) / 4)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{count * step:.12g}") for count in range(first, last + 1)]


def style_plotly(figure: "PlotlyFigure", *, height: int) -> "PlotlyFigure":
    """Transparent, in greys that are readable on a light and on a dark page; nothing moves but by zooming."""
    axis: dict[str, Any] = {
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": MIDDLE_GREY,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": MIDDLE_GREY,
        "automargin": True,
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13, "color": MIDDLE_GREY},
        margin={"l": 64, "r": 24, "t": MARGINS_HEIGHT - 78, "b": 78},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": MIDDLE_GREY, "activecolor": OSCILLATES},
        hovermode="closest",
        hoverlabel={"font": {"size": 12}},
    )
    return figure


def plotly_menu(buttons: list[dict[str, Any]], first: int) -> dict[str, Any]:
    """A menu above the left corner of the panels, one of whose entries is chosen to begin with."""
    return {
        "buttons": buttons,
        "active": first,
        "direction": "down",
        "showactive": True,
        "x": 0,
        "xanchor": "left",
        "y": 1.0,
        "yanchor": "bottom",
        "pad": {"b": 6, "t": 0},
        "bordercolor": GRID,
        "bgcolor": "rgba(128,128,128,0.1)",
    }


def input_menu(words: list[str], owners: list[int | None], first: int) -> dict[str, Any]:
    """A menu of inputs that shows the traces of the chosen one, and those that no input owns."""
    buttons = [
        {
            "label": label,
            "method": "restyle",
            "args": [{"visible": [owner is None or owner == at for owner in owners]}],
        }
        for at, label in enumerate(words)
    ]
    return plotly_menu(buttons, first)


def legend_entry(name: str, colour: str, *, line: bool = False, symbol: str = "square") -> dict[str, Any]:
    """A scatter trace with no data that stands for ``name`` in a plotly legend."""
    look = (
        {"line": {"color": colour, "width": 3}} if line else {"marker": {"color": colour, "symbol": symbol, "size": 10}}
    )
    return {
        "x": [None],
        "y": [None],
        "mode": "lines" if line else "markers",
        "name": name,
        "hoverinfo": "skip",
        **look,
    }
