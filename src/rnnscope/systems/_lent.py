"""Recurrent cores inside someone's model, lent for the length of a call: they begin at a state that is handed in."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.models import Recurrent
from rnnscope.systems._core import CoreModule, describe_core
from rnnscope.systems._readings import Reading, tensors_of
from rnnscope.systems.recurrent import Description, RecurrentSystem

Respond = Callable[[Tensor], Tensor]
"""New states (batch, state_size) of a core from its inputs (batch, input_size)."""


class NotOneStepError(Exception):
    """A core was called otherwise than once with one step of as many rows as there are states."""


class Reached(Exception):  # noqa: N818 - no error: the way out of a call
    """Raised inside a forward to leave it: what was wanted is known."""


class Lent(ABC):
    """A submodule with a state, as a part of someone's model.

    ``rule`` is its step in plain operations, where that is known.
    """

    path: str
    state_size: int
    rule: RecurrentSystem | None

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Names of the coordinates of its state."""

    @abstractmethod
    def input_size(self, model: nn.Module) -> int:
        """The width of its input."""

    @abstractmethod
    def one_step(self, arguments: tuple, n_rows: int) -> Tensor:
        """The rows (batch, input_size) of a call that is one step of so many rows.

        Raises:
            NotOneStepError: it is another call.

        """

    @abstractmethod
    def returned(self, new: Tensor) -> Any:
        """What its forward returns for one step that ends in states ``new``, by the ``rule``."""

    @abstractmethod
    def step(self, model: nn.Module, arguments: tuple, state: Tensor) -> tuple[Any, Tensor]:
        """What its own forward returns of one step from states (batch, state_size), and the new states."""

    @abstractmethod
    def begun(self, arguments: tuple) -> Tensor | None:
        """The states (batch, state_size) that it is called with; None: with none."""

    @abstractmethod
    def zeros(self, like: Tensor, batch: int) -> Any:
        """A zero state as its forward takes it."""

    def module(self, model: nn.Module) -> nn.Module:
        """The submodule itself."""
        return reduce(getattr, self.path.split("."), model) if self.path else model

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.path or "itself"


@dataclass(frozen=True)
class LentCore(Lent):
    """A recurrent module of torch or of ours: its state is [h, c] of each layer, one after another.

    It has no ``rule`` where its parameters are not plain ones or its class has a forward of its own.
    """

    path: str
    n_layers: int
    parts: tuple[int, ...]
    is_cell: bool
    batch_first: bool
    is_ours: bool
    rule: RecurrentSystem | None = field(compare=False)

    @property
    def state_size(self) -> int:  # type: ignore[override]
        """Numbers in its state."""
        return self.n_layers * sum(self.parts)

    def input_size(self, model: nn.Module) -> int:
        """The width of its input."""
        return int(self.module(model).input_size)  # type: ignore[arg-type]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the coordinates, as ``RecurrentSystem`` has them."""
        names = ("h", "c")[: len(self.parts)]
        if self.rule is not None:
            return self.rule.state_labels
        return tuple(
            (f"layer{k}." if self.n_layers > 1 else "") + f"{part}[{i}]"
            for k in range(self.n_layers)
            for part, size in zip(names, self.parts, strict=True)
            for i in range(size)
        )

    def nested(self, rows: Tensor) -> Any:
        """States (batch, state_size) as the module has them: h or (h, c), (layers, batch, size) or of a cell (batch,
        size)."""
        if self.is_ours:
            return rows
        by_layer = rows.unflatten(-1, (self.n_layers, -1)).movedim(1, 0)
        parts = [part[0] if self.is_cell else part.contiguous() for part in by_layer.split(self.parts, dim=-1)]
        return tuple(parts) if len(parts) > 1 else parts[0]

    def flat(self, state: Any) -> Tensor:
        """The inverse of ``nested``."""
        parts = list(state) if isinstance(state, tuple | list) else [state]
        if self.is_ours:
            return parts[0]
        if self.is_cell:
            return torch.cat([part if part.dim() > 1 else part[None] for part in parts], dim=-1)
        return torch.cat(parts, dim=-1).movedim(0, 1).flatten(1)

    def output(self, rows: Tensor) -> Tensor:
        """What the last layer hands on of states (batch, state_size)."""
        last = rows.shape[-1] - sum(self.parts)
        return rows[..., last : last + self.parts[0]]

    def one_step(self, arguments: tuple, n_rows: int) -> Tensor:
        """The rows (batch, input_size) of a call that is one step of so many rows."""
        x = arguments[0]
        if self.is_cell and x.dim() == 2:
            rows = x
        elif not self.is_cell and x.dim() == 3:
            time, rows = (1, x[:, 0]) if self.batch_first else (0, x[0])
            if x.shape[time] != 1:
                raise NotOneStepError(f"core {self.name} was given {x.shape[time]} steps instead of one")
        else:
            raise NotOneStepError(f"core {self.name} was given an input of shape {tuple(x.shape)}")
        if len(rows) != n_rows:
            raise NotOneStepError(f"core {self.name} was given {len(rows)} rows instead of {n_rows}")
        return rows

    def returned(self, new: Tensor) -> Any:
        """What its forward returns for one step that ends in states ``new``."""
        state = self.nested(new)
        if self.is_cell:
            return state
        y = self.output(new)
        return (y[:, None] if self.batch_first else y[None]), state

    def step(self, model: nn.Module, arguments: tuple, state: Tensor) -> tuple[Any, Tensor]:
        """What its own forward returns of one step from states (batch, state_size), and the new states."""
        module = self.module(model)
        returned = type(module).forward(module, arguments[0], self.nested(state))
        return returned, self.flat(returned if self.is_cell else returned[1])

    def begun(self, arguments: tuple) -> Tensor | None:
        """The states that it is called with."""
        return self.flat(arguments[1]) if len(arguments) > 1 and arguments[1] is not None else None

    def zeros(self, like: Tensor, batch: int) -> Any:
        """A zero state as its forward takes it."""
        return self.nested(like.new_zeros(batch, self.state_size))


@dataclass(frozen=True)
class LentModule(Lent):
    """A recurrent module of someone's own, called as its ``reading`` says."""

    path: str
    reading: Reading
    width: int
    rule: RecurrentSystem | None = None

    @property
    def state_size(self) -> int:  # type: ignore[override]
        """Numbers in its state."""
        return sum(self.reading.state.sizes)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the coordinates of its state."""
        return self.reading.state.labels

    def input_size(self, model: nn.Module) -> int:
        """The width of its input."""
        return self.width

    def one_step(self, arguments: tuple, n_rows: int) -> Tensor:
        """The rows (batch, input_size) of a call that is one step of so many rows."""
        x = arguments[0]
        expected = {"none": (n_rows, self.width), "first": (1, n_rows, self.width), "second": (n_rows, 1, self.width)}
        if not isinstance(x, Tensor) or tuple(x.shape) != expected[self.reading.time]:
            came = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise NotOneStepError(f"core {self.name} was given an input of shape {came}")
        return x.reshape(n_rows, self.width)

    def returned(self, new: Tensor) -> Any:
        """Not known: there is no rule."""
        raise AssertionError("a module without a rule")

    def step(self, model: nn.Module, arguments: tuple, state: Tensor) -> tuple[Any, Tensor]:
        """What its own forward returns of one step from states (batch, state_size), and the new states."""
        module, form = self.module(model), self.reading.state
        put = self.reading.put_together(arguments[0], form.nested(state))
        returned = type(module).forward(module, *put)
        tensors = list(tensors_of(returned))
        return returned, form.flat([tensors[k] for k in self.reading.state_at])

    def begun(self, arguments: tuple) -> Tensor | None:
        """The states that it is called with."""
        behind = arguments[1:] if self.reading.arguments != "input, state" else arguments[1:2]
        leaves = list(tensors_of(behind))
        return self.reading.state.flat(leaves) if leaves else None

    def zeros(self, like: Tensor, batch: int) -> Any:
        """A zero state as its forward takes it."""
        return self.reading.state.nested(like.new_zeros(batch, self.state_size))


@contextmanager
def lend(model: nn.Module, cores: Sequence[Lent], respond: Sequence[Callable[..., Any]]) -> Iterator[None]:
    """Let ``respond[k](input, state=None)`` stand in for the forward of core k."""
    modules = [core.module(model) for core in cores]
    for module, answer in zip(modules, respond, strict=True):
        vars(module)["forward"] = answer
    try:
        yield
    finally:
        for module in modules:
            vars(module).pop("forward", None)


@dataclass(frozen=True)
class Stepping:
    """A stand-in that takes one step from ``state`` (batch, state_size), and puts what it ends in into ``new``."""

    core: Lent
    model: nn.Module
    state: Tensor
    rule: Respond | None
    new: dict[str, Tensor]

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the core returns for the step."""
        core, arguments = self.core, (*arguments, *named.values())
        if core.path in self.new:
            raise NotOneStepError(f"core {core.name} is called more than once in a step")
        rows = core.one_step(arguments, len(self.state))
        if self.rule is not None:
            self.new[core.path] = self.rule(rows)
            return core.returned(self.new[core.path])
        returned, self.new[core.path] = core.step(self.model, arguments, self.state)
        return returned


@dataclass(frozen=True)
class Telling:
    """A stand-in that notes its input (batch, input_size) of one step, and leaves."""

    core: Lent
    n_rows: int
    told: dict[str, Tensor]

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Nothing: it is left by ``Reached``."""
        self.told[self.core.path] = self.core.one_step((*arguments, *named.values()), self.n_rows)
        raise Reached


@dataclass(frozen=True)
class Watching:
    """A stand-in that does what the core does, and notes the states with which it is called first."""

    core: Lent
    model: nn.Module
    seen: dict[str, Tensor | None]
    n_cores: int

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the core returns; left by ``Reached`` once all cores have been called."""
        if self.core.path not in self.seen:
            self.seen[self.core.path] = self.core.begun((*arguments, *named.values()))
        if len(self.seen) == self.n_cores:
            raise Reached
        module = self.core.module(self.model)
        return type(module).forward(module, *arguments, **named)


def find_cores(model: nn.Module) -> list[Lent]:
    """Its recurrent submodules of torch or of ours, but those inside of others."""
    found: list[Lent] = []
    for path, module in model.named_modules():
        inside = any(core.path == "" or path.startswith(f"{core.path}.") for core in found)
        if isinstance(module, CoreModule) and not inside:
            found.append(_lent(path, module))
    return found


def _lent(path: str, module: CoreModule) -> LentCore:
    try:
        described = describe_core(module, f"{path}." if path else "")
        tensors = dict(module.named_parameters()) | dict(module.named_buffers())
        prefix = described.prefix
        params = {n: tensors[n.removeprefix(prefix)] for n in Description(core=described).param_shapes()}
        rule = RecurrentSystem(Description(core=described), params)
    except (UnsupportedModelError, KeyError):
        if isinstance(module, Recurrent) or getattr(module, "bidirectional", False):
            raise
        rule = None
    is_cell = isinstance(module, nn.RNNCellBase)
    n_layers = int(getattr(module, "num_layers", 1))
    if isinstance(module, Recurrent):
        parts: tuple[int, ...] = (module.output_size, module.state_size - module.output_size)
        parts = parts if parts[1] else parts[:1]
    else:
        hidden = int(module.hidden_size)  # type: ignore[arg-type]
        width = int(getattr(module, "proj_size", 0)) or hidden
        parts = (width, hidden) if isinstance(module, nn.LSTM | nn.LSTMCell) else (width,)
    return LentCore(
        path, n_layers, parts, is_cell, bool(getattr(module, "batch_first", False)), isinstance(module, Recurrent), rule
    )
