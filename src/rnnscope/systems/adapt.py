"""``as_system``: reading a network as a map."""

import copy
from functools import singledispatch
from typing import Any

import torch
from torch import nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.base.randomness import undisturbed
from rnnscope.models import Recurrent
from rnnscope.systems._assembly import Assembled, AssembledStep, as_part
from rnnscope.systems._core import CoreModule, describe_core
from rnnscope.systems._examination import operations, some_inputs, some_states
from rnnscope.systems._functional import all_tensors, unwrapped
from rnnscope.systems._lent import find_cores
from rnnscope.systems._model_reading import read_model
from rnnscope.systems.model import FramedSystem
from rnnscope.systems.module import ModuleSystem
from rnnscope.systems.recurrent import Core, Description, Head, RecurrentSystem
from rnnscope.systems.system import System


def as_system(
    subject: Any,
    *,
    input_size: int | None = None,
    state: Any = None,
    encoder: Any = None,
    head: Any = None,
    initial: Any = None,
) -> System:
    """Read a network as a map x[t] = f(x[t-1], u[t]; θ), y[t] = g(x[t], u[t]; θ).

    >>> system = as_system(torch.nn.LSTM(1, 8))
    >>> system.state_size, system.state_labels[0], system.state_labels[8]
    (16, 'h[0]', 'c[0]')
    >>> class Step(torch.nn.Module):
    ...     def forward(self, u, x):
    ...         return (x - u).tanh()
    >>> as_system(Step(), input_size=1, state=torch.zeros(1, 1)).state_labels
    ('x[0]',)

    What is accepted gives, step by step, what the network's own forward gives; that is tried, at its weights and for
    whole models at random ones too, before it is accepted.

    Args:
        subject: a torch.nn.RNN, LSTM or GRU (any number of layers, batch first or not, projections), one of their
            cells, or a subclass of these; one of our models; a whole model with such cores in it, whatever its forward
            does before and after them; a pair (core, head); or, with ``state``, any step module: ``(input, state) ->
            (output, state)``, the new state alone, or more values, or a sequence module of that form; or a method of
            a module that is such a step (``model.step``).
        input_size: width of the input, for step modules (0: a map without input), and for whole models where it cannot
            be found by trying.
        state: an example of the state, for step modules: any nesting of tensors with a batch dimension.
        encoder: what the network does to an input before the core: a module or function of rows (row, width), such as
            the model's own embedding (the input is then one token).
        head: what it makes of the core's output: a module or function of rows, or several.
        initial: the state that it begins with, as the core takes it (h, or (h, c)), with parameters if it is learned;
            for step modules also the name of a parameter, or a part of the module that makes it of the sequence. Of
            whole models it is found.

    Returns:
        A System with a copy of the network's parameters under the names of its state dict; the network is not changed.

    Raises:
        UnsupportedModelError: the network cannot be read as such a map; says why and what to hand over instead.
        NonDeterministicError: the step draws random numbers.

    """
    if isinstance(subject, System):
        return subject
    parts = {"encoder": encoder, "head": head}
    if isinstance(subject, type) and issubclass(subject, nn.Module):
        raise UnsupportedModelError(f"expected a network, came the class {subject.__name__}: {subject.__name__}(…)")
    if isinstance(owner := getattr(subject, "__self__", None), nn.Module):
        if state is None:
            raise TypeError(
                f"{type(owner).__name__}.{subject.__name__}: a step needs input_size=… and state=… (an example of its "
                "state) too; a whole model is read from the model itself"
            )
        subject = _with_forward(owner, subject)
    if state is not None:
        return _step_module(subject, input_size, state, initial, **parts)
    if any(part is not None for part in (encoder, head, initial)):
        return _assembled(subject, initial=initial, input_size=input_size, **parts)
    if input_size is not None:
        if isinstance(subject, nn.Module) and find_cores(unwrapped(subject)):
            return _simplest(unwrapped(subject), input_size)
        raise TypeError("a step module needs both input_size=… and state=… (an example of its state)")
    return _read(unwrapped(subject) if isinstance(subject, nn.Module) else subject)


def _with_forward(module: nn.Module, method: Any) -> nn.Module:
    """The module, its parameters shared, with one of its methods as its forward."""
    if isinstance(module, torch.jit.ScriptModule):
        raise UnsupportedModelError(
            f"{method.__name__}: methods of scripted modules cannot be read; expected the module before scripting"
        )
    kind = type(module)
    name = f"{kind.__name__}.{method.__name__}"
    shown = copy.copy(module)
    shown.__class__ = type(name, (kind,), {"forward": method.__func__, "__module__": kind.__module__})
    return shown


@singledispatch
def _read(subject: Any) -> System:
    raise UnsupportedModelError(
        f"expected a recurrent torch module, a pair (core, head), a model or a System, came {type(subject).__name__}"
    )


@_read.register
def _(subject: tuple) -> System:
    if len(subject) != 2 or not isinstance(subject[0], nn.Module):
        raise UnsupportedModelError(
            f"expected a pair (core, head), came {len(subject)} parts: {subject!r}; more go by name: as_system(core, "
            "encoder=…, head=…)"
        )
    return _assembled(subject[0], encoder=None, head=subject[1], initial=None, input_size=None)


@_read.register
def _(subject: nn.RNNBase | nn.RNNCellBase | Recurrent) -> System:
    try:
        return _plain(subject, Description(core=describe_core(subject)))
    except (UnsupportedModelError, KeyError):
        if isinstance(subject, Recurrent) or getattr(subject, "bidirectional", False):
            raise
    return ModuleSystem(subject, input_size=int(subject.input_size), state=_state_of(subject))


@_read.register
def _(subject: nn.Module) -> System:
    return _simplest(subject, None)


def _simplest(model: nn.Module, input_size: int | None) -> System:
    """A whole model; as core and linear head alone where it does no more than these."""
    system = read_model(model, input_size=input_size)
    if isinstance(system, FramedSystem) and system.n_tokens is None and system.plan.begins_at_zero:
        core = system.core.description.core
        heads = [(name, part) for name, part in model.named_modules() if type(part) is nn.Linear]
        if core.input_size == system.input_size:
            for name, linear in [("", None), *heads]:
                if _width(core, linear) == system.output_size:
                    plain = _plain(model, Description(core=core, head=_describe_head(linear, core, f"{name}.")))
                    if _equal(plain, system):
                        return plain
    return system


_LINEAR = frozenset(
    """add addmm alias as_strided bmm cat clone contiguous copy detach empty expand linear matmul mm new_empty new_zeros
    permute reshape select slice split split_with_sizes squeeze stack t transpose unsqueeze unbind view zeros zeros_like
    _to_copy _unsafe_view""".split()  # noqa: SIM905
)
"""Operations of a linear map and of moving numbers about."""


def _width(core: Core, head: nn.Linear | None) -> int | None:
    """The outputs of core and head; None if they do not fit."""
    if head is None:
        return core.output_size
    return head.out_features if head.in_features == core.output_size else None


def _equal(plain: RecurrentSystem, system: FramedSystem) -> bool:
    """Whether core and head give what the model gives in a step, at random weights, and nothing else happens there: a
    clamp at 50 would not be seen in numbers."""
    generator = torch.Generator().manual_seed(0)
    params = {
        name: torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p) / max(1, p.shape[-1]) ** 0.5
        if p.is_floating_point() and p.dim() and name not in plain.frozen
        else p
        for name, p in system.params.items()
    }
    with torch.no_grad(), undisturbed(system.device):
        there, here = system.at(params), plain.at({name: params[name] for name in plain.params})
        state, input = some_states(system, 5, generator), some_inputs(system, 5, generator)
        wanted = there.advance(there.weights, state, there.drive(there.weights, input))
        came = here.advance(here.weights, state, here.drive(here.weights, input))
        weights, drive = there.weights, there.drive(there.weights, input)
        after = operations(lambda: there.readout(weights, state, drive))
        assert isinstance(there, FramedSystem)
        unchanged = torch.equal(there.encoded(weights, input), input)
    tolerance = 1e4 * torch.finfo(system.dtype).eps
    return (
        unchanged
        and after <= _LINEAR
        and all(torch.allclose(a, b, rtol=tolerance, atol=tolerance) for a, b in zip(came, wanted, strict=True))
    )


def _assembled(core: Any, *, encoder: Any, head: Any, initial: Any, input_size: int | None) -> System:
    if isinstance(core, nn.Module) and not isinstance(core, CoreModule) and find_cores(unwrapped(core)):
        given = " and ".join(
            name for name, part in (("encoder", encoder), ("head", head), ("initial", initial)) if part is not None
        )
        raise UnsupportedModelError(
            f"{type(core).__name__} is a whole model, and {given} goes with a core alone; expected as_system(model), "
            "which finds what the model does before and after its core, or as_system(model.rnn, encoder=…, head=…) "
            "with the core inside it"
        )
    if not isinstance(core, CoreModule):
        raise UnsupportedModelError(
            f"core: expected a torch recurrent module or cell, came {type(core).__name__}; a step module of your own "
            "needs input_size=… and state=… (an example of its state) too"
        )
    if encoder is None and initial is None and type(head) is nn.Linear:
        try:
            described = describe_core(core, "core.")
            description = Description(core=described, head=_describe_head(head, described, "head."))
            return _plain(nn.ModuleDict({"core": core, "head": head}), description)
        except KeyError:
            pass
    if type(head) is nn.Linear and head.in_features != (width := _output_size(core)):
        raise UnsupportedModelError(f"head: expected to take {width} values from the core, came {head}")
    if getattr(core, "bidirectional", False):
        describe_core(core)  # says why not
    return read_model(Assembled(core, encoder=encoder, head=head, initial=initial), input_size=input_size)


def _output_size(core: CoreModule) -> int:
    if isinstance(core, Recurrent):
        return core.output_size
    return int(getattr(core, "proj_size", 0)) or int(core.hidden_size)


def _describe_head(head: nn.Linear | None, core: Core, prefix: str) -> Head | None:
    if head is None:
        return None
    if head.in_features != core.output_size:
        raise UnsupportedModelError(f"head: expected to take {core.output_size} values from the core, came {head}")
    return Head(output_size=head.out_features, bias=head.bias is not None, prefix=prefix)


def _plain(model: nn.Module, description: Description) -> RecurrentSystem:
    """Core and linear head in plain operations; KeyError where their parameters are not plain ones."""
    if any(part._forward_hooks or part._forward_pre_hooks for part in model.modules()):
        raise KeyError("forward hooks")
    tensors = all_tensors(model)
    return RecurrentSystem(description, {name: tensors[name] for name in description.param_shapes()})


def _state_of(core: nn.RNNBase | nn.RNNCellBase) -> Any:
    """An example of the state of one of torch's modules, of a subclass of it too."""
    hidden = int(core.hidden_size)
    if isinstance(core, nn.RNNCellBase):
        h = torch.zeros(1, hidden)
        return (h, h) if isinstance(core, nn.LSTMCell) else h
    h = torch.zeros(core.num_layers, 1, core.proj_size or hidden)
    return (h, torch.zeros(core.num_layers, 1, hidden)) if isinstance(core, nn.LSTM) else h


def _step_module(subject: Any, input_size: int | None, state: Any, initial: Any, *, encoder: Any, head: Any) -> System:
    if not isinstance(subject, nn.Module):
        raise TypeError(
            f"expected a step module beside state=…, came {type(subject).__name__}; a function goes as class "
            "Step(nn.Module): def forward(self, input, state): return function(input, state)"
        )
    if input_size is None:
        raise TypeError("a step module needs input_size=… too; 0 for a map without input")
    if encoder is None and head is None:
        return ModuleSystem(subject, input_size=input_size, state=state, initial=initial)
    before = as_part("encoder", encoder)
    width = input_size if before is None else _width_of(before, input_size)
    inner = ModuleSystem(subject, input_size=width, state=state)
    step = AssembledStep(subject, inner.reading, encoder=encoder, head=head)
    example = torch.zeros(1, inner.state_size)
    n_tokens = before.num_embeddings if isinstance(before, nn.Embedding) else None
    return ModuleSystem(
        step, input_size=input_size, state=example, initial=initial, labels=inner.state_labels, n_tokens=n_tokens
    )


def _width_of(encoder: nn.Module, input_size: int) -> int:
    if isinstance(encoder, nn.Embedding):
        return encoder.embedding_dim
    with torch.no_grad():
        some = next((p for p in encoder.parameters() if p.is_floating_point()), torch.zeros(()))
        return encoder(some.new_zeros(2, input_size)).shape[-1]
