"""Probes of the cost: how rough it is around a θ, along lines and planes, and how that grows with length."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.smoothness.objective import Objective as Objective
    from rnnscope.smoothness.objective import cost as cost
    from rnnscope.smoothness.points import costs as costs

_HOMES = {
    "Objective": "objective",
    "cost": "objective",
    "costs": "points",
}
PROBES: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
