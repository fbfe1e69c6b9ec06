"""One file holds the cases of one room or topic, in a table ``CASES`` of functions by name."""

import pkgutil
from collections.abc import Callable
from importlib import import_module

from benchmarks.harness import Timing


def load() -> dict[str, Callable[[], list[Timing]]]:
    found: dict[str, Callable[[], list[Timing]]] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= import_module(f"{__name__}.{module.name}").CASES
    return found
