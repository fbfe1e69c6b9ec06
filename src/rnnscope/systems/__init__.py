"""The map view of a network, over a flat state of named coordinates.

x[t] = f(x[t-1], u[t]; θ),  y[t] = g(x[t], u[t]; θ)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.systems import textbook as textbook
    from rnnscope.systems._functional import unwrapped as unwrapped
    from rnnscope.systems.adapt import as_system as as_system
    from rnnscope.systems.describe import describe_model as describe_model
    from rnnscope.systems.describe import described as described
    from rnnscope.systems.describe import locate as locate
    from rnnscope.systems.describe import system_from_description as system_from_description
    from rnnscope.systems.determinism import require_deterministic as require_deterministic
    from rnnscope.systems.feedback import closed_loop as closed_loop
    from rnnscope.systems.model import ModelSystem as ModelSystem
    from rnnscope.systems.module import ModuleSystem as ModuleSystem
    from rnnscope.systems.path import Pair as Pair
    from rnnscope.systems.path import TrainingPath as TrainingPath
    from rnnscope.systems.recurrent import RecurrentSystem as RecurrentSystem
    from rnnscope.systems.stability import Certificate as Certificate
    from rnnscope.systems.stability import certificate as certificate
    from rnnscope.systems.system import System as System
    from rnnscope.systems.system import Trajectory as Trajectory
    from rnnscope.systems.system import stack_params as stack_params

_HOMES = {
    "Certificate": "stability",
    "certificate": "stability",
    "closed_loop": "feedback",
    "stack_params": "system",
    "ModelSystem": "model",
    "ModuleSystem": "module",
    "Pair": "path",
    "RecurrentSystem": "recurrent",
    "System": "system",
    "TrainingPath": "path",
    "Trajectory": "system",
    "as_system": "adapt",
    "describe_model": "describe",
    "described": "describe",
    "unwrapped": "_functional",
    "require_deterministic": "determinism",
    "locate": "describe",
    "system_from_description": "describe",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name == "textbook":
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
