"""What a run keeps of a model, so that its snapshots can be read as systems later: plain tables for model.toml."""

from typing import Any

import torch
from torch import nn

from rnnscope.base.errors import RnnscopeError, UnsupportedModelError
from rnnscope.systems.adapt import as_system
from rnnscope.systems.recurrent import Description, RecurrentSystem
from rnnscope.systems.system import System


def describe_model(model: Any) -> dict[str, Any]:
    """Tables that rebuild the system of a model, or the reason why they cannot.

    >>> describe_model(torch.nn.GRU(1, 4))["core"]["cell"]
    'gru'
    >>> describe_model(torch.nn.Linear(1, 4))["form"]
    'unknown'
    """
    try:
        system = as_system(model)
    except RnnscopeError as error:
        return {"form": "unknown", "class": _class_name(model), "reason": str(error)}
    if not isinstance(system, RecurrentSystem):
        return {
            "form": "unknown",
            "class": _class_name(model),
            "reason": "not built of torch's recurrent modules",
        }
    return {"form": "recurrent", "class": _class_name(model), **system.description.to_dict()}


def system_from_description(tables: dict[str, Any]) -> System:
    """A system of the described form; its parameters are zeros, to be replaced by ``at(snapshot)``.

    Raises:
        UnsupportedModelError: the model could not be described when it was recorded; gives the reason of then.

    """
    if tables.get("form") != "recurrent":
        raise UnsupportedModelError(
            f"the run's model ({tables.get('class', 'unknown class')}) cannot be rebuilt from its description: "
            f"{tables.get('reason', 'none was recorded')}. Give the model: Run(path, model=make()), or on the command "
            "line --model package.module:make"
        )
    description = Description.from_dict({name: tables[name] for name in ("core", "head") if name in tables})
    return RecurrentSystem(description, {n: torch.zeros(shape) for n, shape in description.param_shapes().items()})


def _class_name(model: Any) -> str:
    parts = model if isinstance(model, tuple) else (model,)
    names = [f"{type(part).__module__}.{type(part).__qualname__}" for part in parts]
    return ", ".join(names) if all(isinstance(part, nn.Module) for part in parts) else type(model).__name__
