"""What a run keeps of a model, so that its snapshots can be read as systems later: plain tables for model.toml."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from rnnscope.base.errors import RnnscopeError, RunError, UnsupportedModelError
from rnnscope.systems._names import find_names, shapes_of
from rnnscope.systems.adapt import as_system
from rnnscope.systems.foreign import ForeignSystem
from rnnscope.systems.recurrent import Description, RecurrentSystem
from rnnscope.systems.system import System


def describe_model(model: Any) -> dict[str, Any]:
    """Tables that rebuild the system of a model, or the reason why they cannot.

    >>> describe_model(torch.nn.GRU(1, 4))["core"]["cell"]
    'gru'
    >>> describe_model(torch.nn.Linear(1, 4))["form"]
    'unknown'
    """
    return described(model)[0]


def described(model: Any) -> tuple[dict[str, Any], System | None]:
    """The tables of ``describe_model``, and the system itself where the model can be read."""
    try:
        system = as_system(model)
    except RnnscopeError as error:
        return {"form": "unknown", "class": _class_name(model), "reason": str(error)}, None
    if not isinstance(system, RecurrentSystem):
        return {"form": "code", "class": _class_name(model)}, system
    return {"form": "recurrent", "class": _class_name(model), **system.description.to_dict()}, system


def system_from_description(tables: dict[str, Any]) -> System:
    """A system of the described form; its parameters are zeros, to be replaced by ``at(snapshot)``.

    Raises:
        UnsupportedModelError: the model could not be described when it was recorded; gives the reason of then.

    """
    if tables.get("form") == "code":
        raise UnsupportedModelError(
            f"the run's model ({tables.get('class', 'unknown class')}) does more than its recurrent core and a linear "
            "head, which only its own code can say: give it, Run(path, model=model); on the command line --model "
            "package.module:make, a function that makes it"
        )
    if tables.get("form") != "recurrent":
        raise UnsupportedModelError(
            f"the run's model ({tables.get('class', 'unknown class')}) cannot be rebuilt from its description: "
            f"{tables.get('reason', 'none was recorded')}. Give one step of it: Run(path, "
            "model=as_system(step_module, input_size=…, state=…)); on the command line --model package.module:make"
        )
    try:
        description = Description.from_dict({name: tables[name] for name in ("core", "head") if name in tables})
        shapes = description.param_shapes()
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"model.toml: not a valid description of a network ({type(error).__name__}: {error})") from error
    return RecurrentSystem(description, {n: torch.zeros(shape) for n, shape in shapes.items()})


def locate(system: System, tensors: dict[str, Any]) -> System:
    """The system with its parameters found under whatever names they have among ``tensors``.

    A model handed over later may be wrapped in another module, or be parts of the one that was recorded: its parameters
    are recognised by the ends of their names and by their shapes.

    Raises:
        UnsupportedModelError: they are not there, or in several places.

    """
    if not isinstance(system, RecurrentSystem | ForeignSystem):
        return system
    wanted = {name: shape for name, shape in shapes_of(system.params).items() if name not in _constants(system)}
    if not wanted or all(name in tensors for name in wanted):
        return system
    parts = any(name.startswith("core.") for name in wanted)
    names = find_names(wanted, shapes_of(tensors), parts=parts)
    if isinstance(system, ForeignSystem):
        return system.called(names)
    core, head = system.description.core, system.description.head
    first = next(iter(wanted))
    core = replace(core, prefix=names[first].removesuffix(first.removeprefix(core.prefix)))
    if head:
        head = replace(head, prefix=names[f"{head.prefix}weight"].removesuffix("weight"))
    description = replace(system.description, core=core, head=head)
    return RecurrentSystem(description, {name: tensors[name] for name in description.param_shapes()})


def _constants(system: System) -> frozenset[str]:
    return system.constants if isinstance(system, ForeignSystem) else frozenset()


def _class_name(model: Any) -> str:
    parts = model if isinstance(model, tuple) else (model,)
    names = [f"{type(part).__module__}.{type(part).__qualname__}" for part in parts]
    return ", ".join(names) if all(isinstance(part, nn.Module) for part in parts) else type(model).__name__
