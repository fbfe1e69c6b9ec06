"""Public: what any System must pass. Third parties call ``check_system`` on their own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.testing.conformance import check_system as check_system


def __getattr__(name: str) -> Any:
    if name == "check_system":
        return import_module("rnnscope.testing.conformance").check_system
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
