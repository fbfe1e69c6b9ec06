"""Looking for the state of a model that has no recurrent module of torch: which part of it hands a state on."""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rnnscope.base.errors import NonDeterministicError, UnsupportedModelError
from rnnscope.systems._functional import all_tensors, attributes_put_back, call
from rnnscope.systems._layouts import InputLayout
from rnnscope.systems._lent import Lent, LentModule
from rnnscope.systems._readings import tensors_of
from rnnscope.systems.module import ModuleSystem


class _Call(NamedTuple):
    arguments: tuple
    returned: Any


def discover(module: nn.Module, layouts: Iterator[InputLayout], time: int, batch: int) -> Iterator[Lent]:
    """Parts of a model, or the model itself, that are steps of a state: the outermost first, the model last.

    A part is a candidate if it is called once with a sequence and returns more than its output (which is then the
    state), or once in each step with more than an input. Each is examined as any step module is.

    Args:
        module: a private copy of the model.
        layouts: ways to call it that are worth trying.
        time: steps of the sequences that are tried, a number that no dimension of the model has.
        batch: rows of them, another such number.

    """
    seen: set[tuple[str, int]] = set()
    for layout in layouts:
        calls = _listen(module, layout, time, batch)
        for path in sorted(calls, key=lambda path: (path == "", path.count("."))):
            found = _candidate(calls[path], time, batch)
            if found is None or (path, found[0]) in seen:
                continue
            width, state = found
            seen.add((path, width))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    system = ModuleSystem(module.get_submodule(path), input_size=width, state=state)
            except (UnsupportedModelError, NonDeterministicError):
                continue
            yield LentModule(path, system.reading, width)


def _listen(module: nn.Module, layout: InputLayout, time: int, batch: int) -> dict[str, list[_Call]]:
    """What each part was called with, and returned, in one call of the model on a random sequence."""
    calls: dict[str, list[_Call]] = {}

    def note(path: str) -> Any:
        def hook(part: nn.Module, arguments: tuple, named: dict[str, Any], returned: Any) -> None:
            calls.setdefault(path, []).append(_Call((*arguments, *named.values()), returned))

        return hook

    handles = [part.register_forward_hook(note(path), with_kwargs=True) for path, part in module.named_modules()]
    generator = torch.Generator().manual_seed(0)
    own = next((t for t in module.parameters() if t.is_floating_point()), torch.zeros(()))
    sequence = torch.randn(time, batch, layout.input_size, generator=generator).to(own)
    if layout.n_tokens is not None:
        sequence = torch.randint(layout.n_tokens, (time, batch, 1), generator=generator)
    try:
        with torch.no_grad(), attributes_put_back(module):
            call(module, all_tensors(module), (layout.put(sequence),))
    except Exception:
        return {}
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _candidate(calls: list[_Call], time: int, batch: int) -> tuple[int, Any] | None:
    """The input's width, and an example of the state with one row, of a part that may be recurrent."""
    arguments, returned = calls[0]
    if not arguments or not isinstance(arguments[0], Tensor) or arguments[0].dim() < 2:
        return None
    shape = tuple(arguments[0].shape)
    if len(calls) == 1 and len(shape) == 3 and sorted(shape[:2]) == sorted((time, batch)):
        state = returned[1:] if isinstance(returned, tuple | list) else ()
        state = state[0] if len(state) == 1 else tuple(state)
    elif len(calls) == time and len(shape) == 2 and shape[0] == batch:
        state = arguments[1] if len(arguments) == 2 else tuple(arguments[1:])
    else:
        return None
    leaves = list(tensors_of(state))
    if not leaves or not all(batch in leaf.shape[:2] and leaf.is_floating_point() for leaf in leaves):
        return None
    return shape[-1], _with_one_row(state, batch)


def _with_one_row(state: Any, batch: int) -> Any:
    if isinstance(state, Tensor):
        return torch.zeros_like(state.narrow(list(state.shape).index(batch), 0, 1))
    if isinstance(state, dict):
        return {name: _with_one_row(part, batch) for name, part in state.items()}
    return tuple(_with_one_row(part, batch) for part in state if part is not None)
