"""What a run keeps of a model, so that its snapshots can be read as systems later: plain tables for model.toml."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from rnnscope.base.errors import RnnscopeError, RunError, UnsupportedModelError
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
            f"{tables.get('reason', 'none was recorded')}. Give what can be read: Run(path, model=(core, head)), or "
            "model=as_system(step_module, …); on the command line --model package.module:make"
        )
    try:
        description = Description.from_dict({name: tables[name] for name in ("core", "head") if name in tables})
        shapes = description.param_shapes()
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"model.toml: not a valid description of a network ({type(error).__name__}: {error})") from error
    return RecurrentSystem(description, {n: torch.zeros(shape) for n, shape in shapes.items()})


def locate(system: System, tensors: dict[str, Any]) -> System:
    """A system of the same layers and head, found under whatever names they have among ``tensors``.

    A pair (core, head) handed over later does not say what its parts were called in the recorded model: they are
    recognised by the ends of the names and by their shapes.

    Raises:
        UnsupportedModelError: they are not there, or in several places.

    """
    if not isinstance(system, RecurrentSystem) or all(name in tensors for name in system.params):
        return system
    core, head = system.description.core, system.description.head
    wanted = {name: tuple(p.shape) for name, p in system.params.items()}
    own = {name: shape for name, shape in wanted.items() if head is None or not name.startswith(head.prefix)}
    names = {name.removeprefix(core.prefix): shape for name, shape in own.items()}
    core = replace(core, prefix=_only_prefix("core", names, tensors, avoid="\0"))
    if head:
        names = {name.removeprefix(head.prefix): s for name, s in wanted.items() if name.startswith(head.prefix)}
        head = replace(head, prefix=_only_prefix("head", names, tensors, avoid=core.prefix or "\0"))
    description = replace(system.description, core=core, head=head)
    return RecurrentSystem(description, {name: tensors[name] for name in description.param_shapes()})


def _only_prefix(what: str, names: dict[str, tuple[int, ...]], tensors: dict[str, Any], avoid: str) -> str:
    first = next(iter(names))
    prefixes = [name.removesuffix(first) for name in tensors if name.endswith(first) and not name.startswith(avoid)]
    fitting = [
        prefix
        for prefix in prefixes
        if all(prefix + n in tensors and tuple(tensors[prefix + n].shape) == shape for n, shape in names.items())
    ]
    if len(fitting) != 1:
        found = f"found it as {', '.join(map(repr, fitting))}" if fitting else "found no such tensors"
        wanted = ", ".join(f"{name} {shape}" for name, shape in names.items())
        raise UnsupportedModelError(
            f"{what}: expected one place with {wanted} in the snapshot, {found}; it has {', '.join(tensors)}"
        )
    return fitting[0]


def _class_name(model: Any) -> str:
    parts = model if isinstance(model, tuple) else (model,)
    names = [f"{type(part).__module__}.{type(part).__qualname__}" for part in parts]
    return ", ".join(names) if all(isinstance(part, nn.Module) for part in parts) else type(model).__name__
