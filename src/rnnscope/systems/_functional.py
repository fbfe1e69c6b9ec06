"""Modules as pure functions of their parameters: a private copy, and calls of it with parameters given."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.systems.system import detached


def unwrapped(module: nn.Module) -> nn.Module:
    """The network inside the wrappers of data-parallel training and of ``torch.compile``."""
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):
            module = inner
        else:
            return module


def private_copy(module: nn.Module) -> nn.Module:
    """A copy in eval mode that shares nothing with the network it came from.

    What a forward pass has left behind, such as a weight computed from another (weight norm, weight drop), is copied
    without its history. Plain float tensors among the attributes become buffers: they are constants of the map, and
    have to change their type and device with it.
    """
    module = unwrapped(module)
    computed = [
        tensor
        for part in module.modules()
        for tensor in _tensors_in(_attributes(part).values())
        if tensor.grad_fn is not None
    ]
    copied = copy.deepcopy(module, {id(tensor): tensor.detach().clone() for tensor in computed}).eval()
    for path, part in copied.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue
        part._load_state_dict_pre_hooks.clear()  # no state dict is ever loaded; local functions are not to be pickled
        for name, value in list(_attributes(part).items()):
            if isinstance(value, Tensor) and value.requires_grad and not isinstance(value, nn.Parameter):
                full = f"{path}.{name}" if path else name
                raise UnsupportedModelError(
                    f"{type(module).__name__}: {full} is a tensor that is trained, but no nn.Parameter, so its state "
                    f"dict and every snapshot lack it; expected self.{name} = nn.Parameter(…)"
                )
            if isinstance(value, Tensor) and value.is_floating_point() and name not in _weight_names(part):
                delattr(part, name)
                part.register_buffer(name, value.detach(), persistent=False)
    return copied


@contextmanager
def attributes_put_back(module: nn.Module) -> Iterator[None]:
    """Plain attributes of a module and its parts are afterwards as they were before."""
    before = [(part, _attributes(part)) for part in module.modules()]
    try:
        yield
    finally:
        for part, own in before:
            for name in _attributes(part).keys() - own.keys():
                del vars(part)[name]
            vars(part).update(own)


def kept_tensors(module: nn.Module) -> list[str]:
    """Names of plain attributes that hold tensors, such as a state kept from the last call."""
    return [
        f"{path}.{name}" if path else name
        for path, part in module.named_modules()
        for name, value in _attributes(part).items()
        if not name.startswith("_") and any(True for _ in _tensors_in([value]))
    ]


def _attributes(part: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if name not in ("_parameters", "_buffers", "_modules")}


def _weight_names(part: nn.Module) -> list[str]:
    """Weights that torch's recurrent modules keep once more in a list of their own."""
    return getattr(part, "_flat_weights_names", [])


def _tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors_in(value)
        elif isinstance(value, dict):
            yield from _tensors_in(value.values())


def all_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters and buffers of a module by name, tied ones once, under the first of their names."""
    return detached({**dict(module.named_parameters()), **dict(module.named_buffers())})


def constants_of(module: nn.Module) -> frozenset[str]:
    """Buffers that are in no state dict: what a snapshot need not have."""
    return frozenset(all_tensors(module)) - frozenset(module.state_dict())


def in_precision(dtype: torch.dtype, target: torch.dtype) -> torch.dtype:
    """The type of a tensor in float32 or float64: complex ones stay complex, whole numbers whole."""
    if dtype.is_complex:
        return torch.complex128 if target == torch.float64 else torch.complex64
    return target if dtype.is_floating_point else dtype


Parametrised = list[tuple[str, str, list[nn.Module]]]
"""Path of a module, name of its parameter, and the modules that make it."""


def packed(module: nn.Module) -> tuple[nn.Module, Parametrised]:
    """A module without its parametrisations, which torch does not let be pickled, and these apart."""
    parametrised = [path for path, part in module.named_modules() if parametrize.is_parametrized(part)]
    if not parametrised:
        return module, []
    memo: dict[int, Any] = {}
    taken: Parametrised = []
    for path in parametrised:
        part = module.get_submodule(path)
        lists = part.parametrizations
        assert isinstance(lists, nn.ModuleDict)
        taken += [(path, name, list(chain.children())) for name, chain in lists.items()]
        memo[id(part)] = _without_parametrisations(part, list(lists))
    return copy.deepcopy(module, memo), taken


def _without_parametrisations(part: nn.Module, names: list[str]) -> nn.Module:
    """The module as one of the class that was parametrised: that class is shared between copies, and not to be
    touched."""
    plain = object.__new__(type(part).__mro__[1])
    vars(plain).update(vars(part))
    plain._modules = {name: child for name, child in part._modules.items() if name != "parametrizations"}
    plain._parameters = dict(part._parameters) | {n: nn.Parameter(getattr(part, n).detach()) for n in names}
    return plain


def unpacked(module: nn.Module, taken: Parametrised) -> nn.Module:
    """The inverse of ``packed``."""
    for path, name, chain in taken:
        for each in chain:
            parametrize.register_parametrization(module.get_submodule(path), name, each, unsafe=True)
    return module


def call(module: nn.Module, tensors: Mapping[str, Tensor], arguments: tuple) -> Any:
    """What the module returns with these parameters and buffers instead of its own; those are as before afterwards.

    Wherever the module holds a parameter, under several names or once more in a list or dictionary, it is swapped
    (``torch.func.functional_call`` leaves lists and dictionaries as they are). Tensors that the module makes without
    saying of which type have that of the parameters.
    """
    places = _places(module)
    with _default_dtype(tensors):
        if places is None:
            with _inside_script(module, tensors):
                return module(*arguments)
        before = [container[key] for container, key, _ in places]
        for container, key, name in places:
            if name in tensors:
                container[key] = tensors[name]
        try:
            return module(*arguments)
        finally:
            for (container, key, _), value in zip(places, before, strict=True):
                container[key] = value


Places = list[tuple[Any, Any, str]]
_PLACES: "WeakKeyDictionary[nn.Module, Places | None]" = WeakKeyDictionary()


def _places(module: nn.Module) -> Places | None:
    """Where a module holds its parameters and buffers: (dictionary or list, key, name); None if it is scripted."""
    if module not in _PLACES:
        parts = list(module.modules())
        if any(isinstance(part, torch.jit.ScriptModule) for part in parts):
            _PLACES[module] = None
        else:
            names = {id(tensor): name for name, tensor in (*module.named_buffers(), *module.named_parameters())}
            held = [value for part in parts for value in vars(part).values()]
            _PLACES[module] = list(_places_of(held, names))
    return _PLACES[module]


def _places_of(values: Iterable[Any], names: Mapping[int, str]) -> Iterator[tuple[Any, Any, str]]:
    for value in values:
        if not isinstance(value, list | dict):
            continue
        for key, held in list(enumerate(value) if isinstance(value, list) else value.items()):
            if isinstance(held, Tensor) and id(held) in names:
                yield value, key, names[id(held)]
        yield from _places_of(value if isinstance(value, list) else value.values(), names)


@contextmanager
def _default_dtype(tensors: Mapping[str, Tensor]) -> Iterator[None]:
    before = torch.get_default_dtype()
    own = next((t.dtype for t in tensors.values() if t.is_floating_point()), before)
    if own == before or own.itemsize < before.itemsize:
        yield
        return
    torch.set_default_dtype(own)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _inside_script(module: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Scripted modules hold their parameters in the compiled object, out of reach of its dictionaries."""
    before = []
    try:
        for name, tensor in tensors.items():
            path, _, leaf = name.rpartition(".")
            part = reduce(getattr, path.split("."), module) if path else module
            before.append((part, leaf, getattr(part, leaf)))
            _put(part, leaf, tensor)
        yield
    finally:
        for part, leaf, tensor in reversed(before):
            _put(part, leaf, tensor)


def _put(part: nn.Module, name: str, tensor: Tensor) -> None:
    if isinstance(part, torch.jit.ScriptModule):
        part._c.setattr(name, tensor)
    elif name in part._parameters:
        part._parameters[name] = tensor  # type: ignore[assignment]
    else:
        part._buffers[name] = tensor
