"""Networks put together of parts by name: encoder, core, heads, and a learned state to begin with."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.models import Recurrent
from rnnscope.systems._core import CoreModule
from rnnscope.systems._readings import Reading, tensors_of


class Applied(nn.Module):
    """A function in the place of a module; parameters that it uses must belong to another part."""

    def __init__(self, function: Callable[[Tensor], Any]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


class Assembled(nn.Module):
    """Encoder, core and heads as one model over sequences (batch, time, …) -> (batch, time, output).

    Encoder and heads are applied to each step by itself, as rows (batch·time, width); outputs of several heads are put
    one after another. ``initial`` is the state that the core begins with, as it takes it, its batch dimension one.
    """

    def __init__(
        self,
        core: CoreModule,
        *,
        encoder: Any = None,
        head: Any = None,
        initial: Any = None,
    ):
        super().__init__()
        self.core = core
        self.encoder = as_part("encoder", encoder)
        self.head = as_part("head", head)
        given = (
            [initial]
            if isinstance(initial, Tensor)
            else list(initial)
            if isinstance(initial, tuple | list)
            else []
            if initial is None
            else [initial]
        )
        for k, tensor in enumerate(given):
            if not isinstance(tensor, Tensor):
                raise UnsupportedModelError(
                    f"initial: expected the tensors that the core begins with, h or (h, c), came {tensor!r}"
                )
            name = "initial" if len(given) == 1 else f"initial{k}"
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)
        self.initial_names = [f"initial{k}" for k in range(len(given))] if len(given) > 1 else ["initial"] * len(given)

    def forward(self, x: Tensor) -> Tensor:
        batch, time = x.shape[:2]
        z = x if self.encoder is None else _by_rows(self.encoder, x)
        y = self._core(z, batch)
        return y if self.head is None else _by_rows(self.head, y).reshape(batch, time, -1)

    def _core(self, z: Tensor, batch: int) -> Tensor:
        state = self._begin(batch)
        if isinstance(self.core, nn.RNNCellBase):
            outputs = []
            for u in z.movedim(1, 0):
                state = self.core(u, state)
                outputs.append(state[0] if isinstance(state, tuple) else state)
            return torch.stack(outputs, dim=1)
        if isinstance(self.core, Recurrent):
            return self.core(z)[0]
        if self.core.batch_first:
            return self.core(z, state)[0]
        return self.core(z.movedim(0, 1), state)[0].movedim(0, 1)

    def _begin(self, batch: int) -> Any:
        if not self.initial_names:
            return None
        tensors = [getattr(self, name) for name in self.initial_names]
        hidden = self.core.hidden_size
        if isinstance(self.core, nn.RNNCellBase):
            begun = [t.reshape(1, -1).expand(batch, -1) for t in tensors]
        else:
            assert isinstance(self.core, nn.RNNBase)
            widths = [self.core.proj_size or hidden, hidden]
            begun = [
                t.reshape(self.core.num_layers, 1, width).expand(-1, batch, -1).contiguous()
                for t, width in zip(tensors, widths, strict=False)
            ]
        return tuple(begun) if len(begun) > 1 else begun[0]


class AssembledStep(nn.Module):
    """Encoder, step module and heads as one step, on flat states: (input, state) -> (output, state)."""

    def __init__(self, core: nn.Module, reading: Reading, *, encoder: Any, head: Any):
        super().__init__()
        self.core, self.reading = core, reading
        self.encoder = as_part("encoder", encoder)
        self.head = as_part("head", head)

    def forward(self, u: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        z = u
        if isinstance(self.encoder, nn.Embedding):
            z = self.encoder(u[:, 0].round().long())
        elif self.encoder is not None:
            z = self.encoder(u)
        stepped = self.reading.step(lambda arguments: self.core(*arguments), z, x)
        return stepped.output if self.head is None else _joined(self.head(stepped.output)), stepped.state


class Heads(nn.Module):
    """Several heads on the same state."""

    def __init__(self, heads: list[nn.Module]):
        super().__init__()
        for k, head in enumerate(heads):
            self.add_module(str(k), head)

    def forward(self, x: Tensor) -> list[Any]:
        return [head(x) for head in self.children()]


def as_part(name: str, part: Any) -> nn.Module | None:
    """An encoder or head as a module.

    Raises:
        UnsupportedModelError: neither a module nor a function, nor several of them.

    """
    if part is None or isinstance(part, nn.Module):
        return part
    if isinstance(part, tuple | list | dict):
        parts = part.values() if isinstance(part, dict) else part
        return Heads([made for each in parts if (made := as_part(name, each)) is not None])
    if callable(part):
        return Applied(part)
    raise UnsupportedModelError(f"{name}: expected a module, a function or several of them, came {part!r}")


def _by_rows(part: nn.Module, x: Tensor) -> Tensor:
    y = _joined(part(x.flatten(0, 1)))
    return y.unflatten(0, x.shape[:2])


def _joined(returned: Any) -> Tensor:
    rows = [y.reshape(len(y), -1) for y in tensors_of(returned)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=-1)
