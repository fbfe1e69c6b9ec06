"""Renderers: each draws a ``Sheet``; none knows what it is about, and no figure knows a renderer.

A renderer has a function per mark, in ``DRAW``, and ``draw(sheet)``. ``recording`` draws nothing: it holds what would
be drawn, for tests.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from rnnscope.base.errors import unknown

if TYPE_CHECKING:
    from rnnscope.figures.sheet import Mark, Sheet

Backend = Literal["matplotlib", "plotly", "recording"]
BACKENDS = ("matplotlib", "plotly", "recording")


def check_backend(backend: str) -> None:
    """Raise a ValueError unless there is such a backend."""
    if backend not in BACKENDS:
        raise unknown("backend", backend, BACKENDS)


def render(sheet: "Sheet", backend: str) -> Any:
    """The sheet as a figure of a backend.

    Returns:
        ``matplotlib.figure.Figure``, ``plotly.graph_objects.Figure``, or a ``Recording``.

    Raises:
        ValueError: no such backend, or a mark that it cannot draw.

    """
    check_backend(backend)
    renderer = import_module(f"{__name__}.{backend}")
    for mark in (*sheet.marks(), *sheet.legend):
        function_for(mark, renderer.DRAW, backend)
    return renderer.draw(sheet)


def function_for(mark: "Mark", functions: Mapping[type, Any], backend: str) -> Any:
    """The function of a backend that draws such a mark.

    Raises:
        ValueError: it has none.

    """
    function = functions.get(type(mark))
    if function is None:
        drawn = ", ".join(sorted(kind.__name__ for kind in functions))
        raise ValueError(
            f"backend {backend} cannot draw the mark {type(mark).__name__}: expected one of {drawn}; a new mark needs "
            f"a function in rnnscope/figures/renderers/{backend}.py"
        )
    return function
