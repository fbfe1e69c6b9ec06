"""Figures written to files, whole or not at all."""

from pathlib import Path
from typing import Any

from rnnscope.base.errors import require
from rnnscope.base.files import replacing
from rnnscope.figures.renderers import Backend
from rnnscope.figures.theme import DOTS_PER_INCH, PLOTLY_CONFIG, matplotlib_style

MATPLOTLIB_ENDINGS = (".pdf", ".png", ".svg")
PLOTLY_ENDINGS = (".html",)


def backend_for(path: str | Path) -> Backend:
    """The backend that writes files with this ending.

    >>> backend_for("orbits.pdf"), backend_for("orbits.html")
    ('matplotlib', 'plotly')

    Raises:
        ValueError: an ending that no backend writes; names those that are.

    """
    ending = Path(path).suffix.lower()
    if ending in MATPLOTLIB_ENDINGS:
        return "matplotlib"
    valid = ", ".join((*MATPLOTLIB_ENDINGS, *PLOTLY_ENDINGS))
    require(ending in PLOTLY_ENDINGS, "path", f"a file name that ends in one of {valid}", str(path))
    return "plotly"


def save(figure: Any, path: str | Path) -> Path:
    """Write a figure in the format that the ending of ``path`` names, atomically.

    A matplotlib figure goes to ``.png`` (300 dots per inch), ``.svg`` or ``.pdf``, a plotly figure to an
    ``.html`` that needs nothing from the network.

    Args:
        figure: ``matplotlib.figure.Figure`` or ``plotly.graph_objects.Figure``.
        path: the file; an existing one is replaced, its folder must exist.

    Returns:
        The path.

    Raises:
        ValueError: an ending that nothing writes, or one of the other backend.
        TypeError: not a figure.
        OSError: the file cannot be written; what stood there before still does.

    """
    path = Path(path)
    wanted = backend_for(path)
    drawn_by = "matplotlib" if hasattr(figure, "savefig") else "plotly" if hasattr(figure, "to_html") else None
    if drawn_by is None:
        raise TypeError(f"figure: expected a matplotlib or a plotly figure, came {type(figure).__name__}")
    if drawn_by != wanted:
        endings = ", ".join(MATPLOTLIB_ENDINGS if drawn_by == "matplotlib" else PLOTLY_ENDINGS)
        raise ValueError(
            f"path: a {drawn_by} figure is written as {endings}, came {str(path)!r}; "
            f'draw it with backend="{wanted}" for this ending'
        )
    with replacing(path) as temporary:
        if wanted == "plotly":
            page = figure.to_html(include_plotlyjs=True, full_html=True, config=PLOTLY_CONFIG, auto_play=False)
            scheme = '<head><meta name="color-scheme" content="light dark"><title>rnnscope</title>'
            temporary.write_text(page.replace("<head>", scheme, 1), encoding="utf-8")
        else:
            undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {}}[path.suffix.lower()]
            with matplotlib_style():
                figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=DOTS_PER_INCH, metadata=undated)
    return path
