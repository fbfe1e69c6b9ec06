"""Where a step module begins: learned states, fixed ones, or what a part of it makes of the sequence."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.systems._functional import call
from rnnscope.systems._readings import StateForm, tensors_of
from rnnscope.systems.system import Params


@dataclass(frozen=True)
class Initial:
    """x[0] as a function of parameters and sequence.

    Attributes:
        names: the parameter that holds each tensor of the state; None where ``values`` has it.
        values: fixed tensors, one for each tensor of the state.
        part: the name of the submodule that makes the state of sequences (sequence, time, channel); None: no such one.

    """

    names: tuple[str | None, ...] = ()
    values: tuple[Tensor | None, ...] = ()
    part: str | None = None

    def _entries(self) -> list[tuple[str | None, Any]]:
        return list(zip(self.names, self.values, strict=True))

    def state(self, module: nn.Module, tensors: Params, inputs: Tensor, form: StateForm) -> Tensor:
        """x[0] for sequences (time, batch, input), (batch, state_size)."""
        batch = inputs.shape[1]
        if self.part is not None:
            prefix = f"{self.part}."
            own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            made = call(module.get_submodule(self.part), own, (inputs.movedim(0, 1),))
            leaves = list(tensors_of(made))
            return form.flat(leaves).reshape(batch, sum(form.sizes))
        leaves = [tensors[name] if name is not None else value for name, value in self._entries()]
        rows = [torch.view_as_real(leaf).flatten() if leaf.is_complex() else leaf.flatten() for leaf in leaves]
        return torch.cat(rows).to(inputs).expand(batch, -1)


def initial_from(module: nn.Module, initial: Any, form: StateForm) -> Initial:
    """What ``initial`` says, in the names of the module.

    Raises:
        UnsupportedModelError: a parameter or part that is not one of the module's, or of another size than the state.

    """
    if isinstance(initial, nn.Module):
        path = next((path for path, part in module.named_modules() if part is initial and path), None)
        if path is None:
            raise UnsupportedModelError(
                "initial: expected a part of the step module, came a module that is none of its attributes, so that "
                "no snapshot of it would hold its parameters; make it one: self.initial = …"
            )
        return Initial(part=path)
    given: list[Any] = [initial] if isinstance(initial, str | Tensor) else pytree.tree_leaves(initial)
    if len(given) != len(form.shapes):
        raise UnsupportedModelError(
            f"initial: expected one entry for each of the {len(form.shapes)} tensors of the state, came {len(given)}"
        )
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    names = [_name_of(entry, own) for entry in given]
    values: list[Any] = [None if name is not None else entry.detach() for name, entry in zip(names, given, strict=True)]
    for name, value, size, twice in zip(names, values, form.sizes, form.is_complex, strict=True):
        tensor: Any = own[name] if name is not None else value
        if tensor.numel() * (1 + twice) != size:
            raise UnsupportedModelError(f"initial: expected {size} numbers, came {tuple(tensor.shape)}")
    return Initial(tuple(names), tuple(values))


def _name_of(entry: Any, own: dict[str, Tensor]) -> str | None:
    if isinstance(entry, str):
        if entry not in own:
            raise UnsupportedModelError(f"initial: the module has no parameter {entry!r}; it has {', '.join(own)}")
        return entry
    if not isinstance(entry, Tensor):
        raise UnsupportedModelError(
            f"initial: expected a parameter of the step module, its name, a tensor, or a part of it, came {entry!r}"
        )
    name = next((name for name, tensor in own.items() if tensor is entry), None)
    if name is None and isinstance(entry, nn.Parameter):
        raise UnsupportedModelError(
            "initial: came a parameter that the step module does not have, so that no snapshot of it would hold it; "
            "make it one of its attributes (self.x0 = net.x0), or hand over a tensor for a fixed state"
        )
    return name
