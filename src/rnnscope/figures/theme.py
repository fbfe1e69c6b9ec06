"""What a role looks like: colours on paper and on screen, palettes, fonts and sizes, and the words of numbers.

A page may be light or dark and a plotly figure does not know which: its colours are a little lighter than those of
paper, its greys readable on both, its background is none.

>>> colour("rests"), colour("rests", screen=True)
('#d98c10', '#dd9420')
>>> colour("attractor 0") == colour("attractor 8")
True
>>> colour("rest")
Traceback (most recent call last):
ValueError: unknown role 'rest': did you mean 'rests'? Valid: ...
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rnnscope.base.errors import unknown

# Kinds of motion are told apart by hue under the common colour blindnesses, by lightness (65, 42, 28, 86 of 100) in
# grey. Limit sets share the colours of what they do: what stands still, goes round, escapes. Any two of the eight are
# told apart under the common colour blindnesses; no eight colours are in grey.
_ROLES: dict[str, tuple[str, str]] = {  # on paper, on screen
    "rests": ("#d98c10", "#dd9420"),
    "oscillates": ("#1f66ad", "#2f7fd0"),
    "diverges": ("#83163a", "#b3244f"),
    "undetermined": ("#d4d6da", "#c3c7cd"),
    "cycle": ("#6b5f2e", "#94873a"),
    "torus": ("#7db4ee", "#6cbcf5"),
    "chaos": ("#cc4a93", "#d67bbf"),
    "continuum": ("#6fce6a", "#8fdc94"),
    "ink": ("#222222", "#7b8088"),
    "quiet": ("#a0a4aa", "#9a9fa6"),
    "reference": ("#8a8f96", "#7b8088"),
    "grid": ("#dcdfe3", "rgba(128,128,128,0.22)"),
    "orbit": ("#9dbfe0", "#2f7fd0"),
    "direction": ("#c1403d", "#b3244f"),
    "path": ("#d3541b", "#d3541b"),
    "mask": ("#e9e4da", "#b9b4aa"),
    "gap": ("#a0a4aa", "#7b8088"),
    "not seen": ("#83163a", "#d0406a"),
    "undecided": ("#6b6f76", "#7b8088"),
    "clear": ("none", "rgba(0,0,0,0)"),
}
_SAME = {
    "fixed_point": "rests",
    "closed_curve": "oscillates",
    "divergence": "diverges",
    "settled": "rests",
    "moving": "oscillates",
    "diverged": "diverges",
    "converged": "oscillates",
    "not_converged": "undetermined",
    "seen": "oscillates",
}
SERIES = ("#1f66ad", "#d98c10", "#2e8b6f", "#9a5fb4", "#83163a", "#6b6f76")
_ATTRACTORS = ("#1f66ad", "#d98c10", "#2e8b6f", "#9a5fb4", "#83163a", "#56a8d8", "#6b5f2e", "#e07b91")

DENSITY = ("#c3d8ee", "#6fa3d6", "#1f66ad", "#0a2e57")
# Viridis without its yellow end, which is faint on white; on screen also without its black one, faint on black.
PALETTES = {
    "epochs": (
        ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#60ca60", "#b0dd2f"),
        ("#3b528b", "#306a8e", "#26818e", "#1f978b", "#27ad81", "#4ac16d", "#7fd34e", "#bddf26"),
    ),
    "cost": (
        ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"),
    ) * 2,
}  # fmt: skip

COLUMN_WIDTH = 3.4  # inches: one column of a journal
PAGE_WIDTH = 7.0  # inches: both columns
DOTS_PER_INCH = 300
TRANSLUCENT = 0.27  # bands and spans
PLOTLY_CONFIG = {  # plotly's own button would offer to send the data to its servers
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
_INK = _ROLES["ink"][0]
_MATPLOTLIB: Any = {
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
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
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnscope",
}


def colour(role: str, *, screen: bool = False) -> str:
    """The colour of a role; ``series 3`` is the fourth of several curves, ``attractor 7`` that of an attractor's id.

    Raises:
        ValueError: no such role.

    """
    name, _, number = role.rpartition(" ")
    if number.isdigit() and name in ("series", "attractor"):
        colours = SERIES if name == "series" else _ATTRACTORS
        return colours[int(number) % len(colours)]
    known = _SAME.get(role, role)
    if known not in _ROLES:
        raise unknown("role", role, [*_ROLES, *_SAME, "series 0", "attractor 0"])
    return _ROLES[known][screen]


def palette(name: str, n: int, *, screen: bool = False) -> list[str]:
    """So many colours of a palette, from the first to the last.

    >>> palette("epochs", 2)
    ['#440154', '#b0dd2f']
    """
    known = np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in PALETTES[name][screen]], float)
    places = np.linspace(0, len(known) - 1, n) if n > 1 else np.array([0.0])
    mixed = np.stack([np.interp(places, np.arange(len(known)), part) for part in known.T], axis=1)
    return ["#" + "".join(f"{round(part):02x}" for part in one) for one in mixed]


def translucent(colour: str, opacity: float) -> str:
    """A colour #rrggbb that lets so much through.

    >>> translucent("#102030", 0.5)
    'rgba(16,32,48,0.5)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


@contextmanager
def matplotlib_style() -> Iterator[None]:
    """Lines, fonts and margins of a figure on paper, while it is drawn or written."""
    import matplotlib

    with matplotlib.rc_context(_MATPLOTLIB):
        yield


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """At most five round numbers within a logarithmic range, as evenly spread as round numbers are, and their words.

    >>> [words for _, words in log_ticks(0.025, 0.6)], [words for _, words in log_ticks(0.493, 0.4995)]
    (['0.05', '0.1', '0.2', '0.5'], ['0.494', '0.496', '0.498'])
    >>> [words for _, words in log_ticks(1e-6, 2.0)]
    ['10⁻⁶', '10⁻⁴', '10⁻²', '1']
    """
    places = _round_numbers(low, high)
    plain = all(1e-3 <= place < 1e4 for place in places)
    return [(place, f"{place:g}" if plain or place == 1 else number(place, power=True)) for place in places]


def level_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """The same for decadic logarithms: places on their axis, and the words of what they are the logarithms of.

    >>> [words for _, words in level_ticks(-2.0, 0.0)], level_ticks(-1e4, 0.0)[0]
    (['0.01', '0.03', '0.1', '0.3', '1'], (-10000.0, '10⁻¹⁰⁰⁰⁰'))
    """
    if -300 < low < high < 300:
        return [(math.log10(place), words) for place, words in log_ticks(10**low, 10**high)]
    return [(place, _power_of_ten(place)) for place in _even_numbers(low, high)]  # what no float64 can hold


def number(value: float, *, power: bool = False) -> str:
    """A number, with a power of ten where it is a small or a large one, or where that is wanted.

    >>> number(0.001), number(1e-7), number(2e5)
    ('0.001', '10⁻⁷', '2·10⁵')
    """
    if value == 0 or (1e-3 <= abs(value) < 1e4 and not power):
        return f"{value:g}"
    digits, exponent = f"{value:.3e}".split("e")
    ten = _power_of_ten(int(exponent))
    return ten if float(digits) == 1 else f"{float(digits):g}·{ten}"


def short(value: float) -> str:
    """A number of three digits; one that is without limit is never reached.

    >>> short(0.12345), short(float("inf"))
    ('0.123', 'never')
    """
    return "never" if math.isinf(value) else f"{value:.3g}"


def _power_of_ten(exponent: float) -> str:
    return "10" + f"{exponent:g}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _round_numbers(low: float, high: float) -> list[float]:
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
            return ticks if len(ticks) > 1 else _even_numbers(low, high)
    return []


def _even_numbers(low: float, high: float) -> list[float]:
    """Two to five multiples of 1, 2 or 5 times a power of ten: a range so narrow is all but linear."""
    if not high > low:
        return [low]
    unit = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= (high - low) / 4)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{count * step:.12g}") for count in range(first, last + 1)]
