"""``as_system``: reading a network as a map."""

import copy
from functools import singledispatch
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.base.randomness import undisturbed
from rnnscope.models._recurrent import Recurrent
from rnnscope.systems.module import ModuleSystem
from rnnscope.systems.recurrent import Core, Description, Head, RecurrentSystem
from rnnscope.systems.system import System

_PAIR = "hand over the pair: as_system((core, head)), or as_system(core) without a head"


def as_system(subject: Any, *, input_size: int | None = None, state: Any = None) -> System:
    """Read a network as a map x[t] = f(x[t-1], u[t]; θ), y[t] = g(x[t], u[t]; θ).

    >>> system = as_system(torch.nn.LSTM(1, 8))
    >>> system.state_size, system.state_labels[0], system.state_labels[8]
    (16, 'h[0]', 'c[0]')

    Args:
        subject: a torch.nn.RNN, LSTM or GRU (any number of layers, batch first or not, projections), one of their
            cells, a pair (core, linear head), one of our models, or a whole model: from that, core and head are taken
            when it has exactly one recurrent submodule and at most one Linear that fits, and the result is checked
            against ``model.forward`` on random input. With ``state``, any step module ``(input, state) -> (output,
            state)``.
        input_size: width of the input, for step modules only.
        state: an example of the state (tensors with the batch first), for step modules only.

    Returns:
        A System with a copy of the network's parameters under the names of its state dict; the network is not changed.

    Raises:
        UnsupportedModelError: the network cannot be read as such a map; says why and what to hand over instead.
        NonDeterministicError: the step draws random numbers.

    """
    if isinstance(subject, System):
        return subject
    if state is not None or input_size is not None:
        if not isinstance(subject, nn.Module) or state is None or input_size is None:
            raise TypeError("a step module needs both input_size=… and state=… (an example, batch first)")
        return ModuleSystem(subject, input_size=input_size, state=state)
    return _read(subject)


@singledispatch
def _read(subject: Any) -> System:
    raise UnsupportedModelError(
        f"expected a recurrent torch module, a pair (core, head), a model or a System, came {type(subject).__name__}"
    )


@_read.register
def _(subject: tuple) -> System:
    if len(subject) != 2 or not all(isinstance(part, nn.Module) for part in subject):
        raise UnsupportedModelError(f"expected a pair (core, head) of modules, came {len(subject)} parts: {subject!r}")
    core, head = subject
    if not isinstance(core, nn.RNNBase | nn.RNNCellBase | Recurrent):
        raise UnsupportedModelError(f"core: expected a torch recurrent module or cell, came {type(core).__name__}")
    if type(head) is not nn.Linear:
        raise UnsupportedModelError(f"head: expected torch.nn.Linear, came {type(head).__name__}")
    description = _describe(core, head, core_prefix="core.", head_prefix="head.")
    return _from_module(nn.ModuleDict({"core": core, "head": head}), description)


@_read.register
def _(subject: nn.RNNBase | nn.RNNCellBase | Recurrent) -> System:
    return _from_module(subject, _describe(subject, None))


@_read.register
def _(subject: nn.Module) -> System:
    return whole_model(subject)


class _Parts(NamedTuple):
    core: nn.RNNBase | nn.RNNCellBase | Recurrent
    core_name: str
    head: nn.Linear | None
    head_name: str


def whole_model(model: nn.Module) -> RecurrentSystem:
    """Core and head of a model, checked against its ``forward`` on random input; UnsupportedModelError otherwise."""
    parts = _find_parts(model)
    description = _describe(
        parts.core,
        parts.head,
        core_prefix=f"{parts.core_name}." if parts.core_name else "",
        head_prefix=f"{parts.head_name}.",
    )
    system = _from_module(model, description)
    _verify(model, system, parts)
    return system


def _find_parts(model: nn.Module) -> _Parts:
    kind = type(model).__name__
    cores = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.RNNBase | nn.RNNCellBase | Recurrent)]
    if len(cores) != 1:
        found = f"{len(cores)} of them ({', '.join(n for n, _ in cores)})" if cores else "none"
        hint = f"{_PAIR}; or as_system(step_module, input_size=…, state=…)" if not cores else _PAIR
        raise UnsupportedModelError(
            f"{kind}: expected exactly one recurrent submodule of torch.nn, found {found}; {hint}"
        )
    core_name, core = cores[0]
    width = core.output_size if isinstance(core, Recurrent) else getattr(core, "proj_size", 0) or core.hidden_size
    heads = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear) and m.in_features == width]
    if len(heads) > 1:
        names = ", ".join(n for n, _ in heads)
        raise UnsupportedModelError(
            f"{kind}: expected at most one Linear that takes {width} values, found {names}; {_PAIR}"
        )
    head_name, head = heads[0] if heads else ("", None)
    return _Parts(core, core_name, head, head_name)


def _describe(
    core: nn.RNNBase | nn.RNNCellBase | Recurrent,
    head: nn.Linear | None,
    *,
    core_prefix: str = "",
    head_prefix: str = "head.",
) -> Description:
    kind = type(core).__name__
    if getattr(core, "bidirectional", False):
        raise UnsupportedModelError(
            f"{kind}(bidirectional=True): the backward half reads the future, so there is no map from x[t-1] to x[t]; "
            "hand over a network that runs forwards only"
        )
    for part in (core, *([head] if head is not None else [])):
        if part._forward_hooks or part._forward_pre_hooks:
            raise UnsupportedModelError(
                f"{type(part).__name__}: it has forward hooks, which may change what it computes; remove them, or use "
                "as_system(step_module, input_size=…, state=…)"
            )
    if isinstance(core, Recurrent):
        described = Core(
            cell=core.cell,
            input_size=core.input_size,
            hidden_size=core.hidden_size,
            num_layers=core.num_layers,
            prefix=core_prefix,
            options=core.options,
        )
        return Description(core=described, head=_describe_head(head, described.output_size, head_prefix))
    layers = isinstance(core, nn.RNNBase)
    cell = {nn.LSTM: "lstm", nn.GRU: "gru", nn.LSTMCell: "lstm", nn.GRUCell: "gru"}.get(type(core))
    if type(core) in (nn.RNN, nn.RNNCell):
        cell = f"rnn-{core.nonlinearity}"
    if cell is None:
        raise UnsupportedModelError(
            f"{kind}: expected torch.nn.RNN, LSTM, GRU or their cells themselves, came a subclass; "
            "its forward may differ: use as_system(step_module, input_size=…, state=…)"
        )
    described = Core(
        cell=cell,
        input_size=core.input_size,
        hidden_size=core.hidden_size,
        num_layers=core.num_layers if layers else 1,
        bias=bool(core.bias),
        proj_size=core.proj_size if layers else 0,
        prefix=core_prefix,
        suffixed=layers,
    )
    return Description(core=described, head=_describe_head(head, described.output_size, head_prefix))


def _describe_head(head: nn.Linear | None, width: int, prefix: str) -> Head | None:
    if head is None:
        return None
    if head.in_features != width:
        raise UnsupportedModelError(
            f"head: expected to take {width} values from the core, came Linear({head.in_features}, …)"
        )
    return Head(output_size=head.out_features, bias=head.bias is not None, prefix=prefix)


def _from_module(model: nn.Module, description: Description) -> RecurrentSystem:
    tensors = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}
    try:
        return RecurrentSystem(description, {name: tensors[name] for name in description.param_shapes()})
    except KeyError as error:
        raise UnsupportedModelError(
            f"{type(model).__name__}: parameter {error.args[0]} is not a plain one (weight norm or another "
            "parametrisation?); use as_system(step_module, input_size=…, state=…)"
        ) from None


def _verify(model: nn.Module, system: RecurrentSystem, parts: _Parts) -> None:
    """Compare with ``forward`` of a private copy in eval mode; model, hidden and random state stay as they are.

    The copy gets random weights: a scale of 1, a residual of 0 or a freshly initialised normalisation would otherwise
    pass unseen, and be wrong once trained.
    """
    kind = type(model).__name__
    batch, length = 2, 20
    generator = torch.Generator().manual_seed(0)
    sequence = 2 * torch.randn(length, batch, system.input_size, generator=generator)
    sequence = sequence.to(dtype=system.dtype, device=system.device)
    start = torch.zeros(batch, system.state_size, dtype=system.dtype, device=system.device)
    batch_first = getattr(parts.core, "batch_first", None)  # a loop over a cell may have it either way
    layouts = (True, False) if batch_first is None else (batch_first,)
    try:
        with torch.no_grad(), undisturbed(system.device):
            copied = copy.deepcopy(model).eval()
            _randomise(copied, system.frozen, generator)
            system = system.at(dict(copied.state_dict(keep_vars=True)))
            wanted = system.simulate(start, sequence).outputs
            came = [copied(sequence.movedim(0, 1) if first else sequence) for first in layouts]
    except Exception as error:
        raise UnsupportedModelError(
            f"{kind}: its forward could not be compared with core and head on random input of shape "
            f"{'(time, batch, ' if batch_first is False else '(batch, time, '}{system.input_size}): "
            f"{type(error).__name__}: {error}; {_PAIR}"
        ) from error
    outputs = [output[0] if isinstance(output, tuple | list) else output for output in came]
    if not any(
        isinstance(output, Tensor) and _equal_up_to_layout(output, wanted, first)
        for output, first in zip(outputs, layouts, strict=True)
    ):
        found = f"core {parts.core_name or 'itself'}" + (f" and head {parts.head_name}" if parts.head else ", no head")
        raise UnsupportedModelError(f"{kind}: its forward does not equal what {found} give on random input; {_PAIR}")


def _randomise(model: nn.Module, frozen: frozenset[str], generator: torch.Generator) -> None:
    """Weights of variance 1/width, other parameters of variance 1, buffers in (0.5, 1.5); frozen ones stay."""
    for p in model.parameters():
        scale = p.shape[-1] ** -0.5 if p.dim() > 1 else 1.0
        p.copy_(scale * torch.randn(p.shape, generator=generator))
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point() and name not in frozen:
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))


def _equal_up_to_layout(came: Tensor, wanted: Tensor, batch_first: bool) -> bool:
    whole = wanted.movedim(0, 1) if batch_first else wanted
    tolerance = 1e3 * torch.finfo(wanted.dtype).eps
    scale = float(wanted.abs().max())
    for expected in (whole, wanted[-1], whole.squeeze(-1), wanted[-1].squeeze(-1)):
        if came.shape == expected.shape and torch.allclose(came, expected, rtol=0, atol=tolerance * (1 + scale)):
            return True
    return False
