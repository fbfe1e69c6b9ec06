"""Things known by name: one public module of a folder is one entry, so adding an entry is adding a file."""

import pkgutil
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from rnnscope.base.errors import unknown


def names(package: str) -> list[str]:
    """The entries of a package: its modules without a leading underscore, ``-`` for ``_``. Imports none of them.

    >>> names("rnnscope.tasks")
    ['adding', 'copy-memory', 'flipflop', 'sine', 'symbols']
    """
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ValueError(f"{package} is not a package")
    modules = pkgutil.iter_modules(spec.submodule_search_locations)
    return sorted(module.name.replace("_", "-") for module in modules if not module.name.startswith("_"))


def load(package: str, name: str) -> ModuleType:
    """The module that stands for ``name`` in a package.

    Raises:
        ValueError: no such entry; names the nearest one and all of them.

    """
    if name not in names(package):
        raise unknown(package.rsplit(".", 1)[-1].removesuffix("s"), name, names(package))
    return import_module(f"{package}.{name.replace('-', '_')}")
