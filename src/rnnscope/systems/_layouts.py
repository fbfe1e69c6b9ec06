"""How a model's forward takes sequences, and where its outputs stand in what it returns."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rnnscope.systems._readings import tensors_of


@dataclass(frozen=True)
class InputLayout:
    """One way of calling a forward with sequences (time, batch, input_size).

    Attributes:
        input_size: the width of the input; 1 where there is no dimension for it.
        batch_first: (batch, time, …) instead of (time, batch, …).
        channels: whether there is a last dimension for the input.
        n_tokens: size of the vocabulary where whole numbers go in; None: floats.
        state_argument: what stands behind the input: "" nothing, "none" None, "zeros" a zero state.

    """

    input_size: int
    batch_first: bool
    channels: bool = True
    n_tokens: int | None = None
    state_argument: str = ""

    def put(self, sequence: Tensor) -> Tensor:
        """The sequence as the forward takes it."""
        laid = sequence.movedim(0, 1) if self.batch_first else sequence
        laid = laid if self.channels else laid[..., 0]
        return laid if self.n_tokens is None else laid.round().long()

    def describe(self) -> str:
        """In words, such as "(batch, time, 3)"."""
        order = "batch, time" if self.batch_first else "time, batch"
        width = f", {self.input_size}" if self.channels else ""
        return f"({order}{width})" + (f" of tokens below {self.n_tokens}" if self.n_tokens is not None else "")


def input_layouts(
    model: nn.Module, core_widths: list[int], input_size: int | None, batch_first: bool | None
) -> Iterator[InputLayout]:
    """All layouts worth trying, the likeliest first: tokens where there is an embedding, else the core's own width."""
    orders = (True, False) if batch_first is not False else (False, True)
    embeddings = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
    for state_argument in ("", "none", "zeros"):
        for n_tokens in dict.fromkeys(embeddings):
            if input_size in (None, 1):
                for order in orders:
                    yield InputLayout(1, order, False, n_tokens, state_argument)
        for width in _widths(model, core_widths) if input_size is None else [input_size]:
            for order in orders:
                yield InputLayout(width, order, True, None, state_argument)
                if width == 1:
                    yield InputLayout(width, order, False, None, state_argument)


def _widths(model: nn.Module, core_widths: list[int]) -> list[int]:
    """Widths that the input may have: those of the cores, of layers, of parameters, and one."""
    layers = [m.in_features for m in model.modules() if isinstance(m, nn.Linear)]
    norms = [m.normalized_shape[-1] for m in model.modules() if isinstance(m, nn.LayerNorm)]
    vectors = [t.shape[-1] for t in (*model.parameters(recurse=False), *model.buffers(recurse=False)) if t.dim()]
    return list(dict.fromkeys([*core_widths, *layers, *norms, *vectors, 1]))


@dataclass(frozen=True)
class Outputs:
    """Which of the tensors that a forward returns are outputs, and how each is laid out.

    ``layouts`` has, for each of ``places``, "batch, time", "time, batch", "batch·time", "time·batch" or "last", and
    ``widths`` how wide each is.
    """

    places: tuple[int, ...]
    layouts: tuple[str, ...]
    widths: tuple[int, ...] = field(default=(), repr=False)

    def of_one_step(self, returned: Any, n_rows: int) -> Tensor:
        """The outputs of a call with one step, (batch, output_size)."""
        tensors = list(tensors_of(returned))
        rows = [tensors[k].reshape(n_rows, -1) for k in self.places]
        return rows[0] if len(rows) == 1 else torch.cat(rows, dim=-1)

    def over_time(self, returned: Any, time: int, batch: int) -> Tensor:
        """The outputs of a call with a sequence, (time, batch, output_size); (1, …) where only the last are given."""
        tensors, found = list(tensors_of(returned)), []
        for k, layout in zip(self.places, self.layouts, strict=True):
            y = tensors[k]
            if layout == "last":
                found.append(y.reshape(1, batch, -1))
            elif layout in ("batch, time", "batch·time"):
                found.append(y.reshape(batch, time, -1).movedim(0, 1))
            else:
                found.append(y.reshape(time, batch, -1))
        return torch.cat(found, dim=-1)


def outputs_layouts(returned: Any, time: int, batch: int) -> list[Outputs]:
    """Where outputs may be in what a forward returned for ``time`` steps of ``batch`` rows, numbers unlike any other.

    Outputs of every step count, and only where there are none those of the last.
    """
    every, flat, last = [], [], []
    for k, tensor in enumerate(tensors_of(returned)):
        shape = tuple(tensor.shape)
        if not tensor.is_floating_point():
            continue
        if shape[:2] == (batch, time):
            every.append((k, "batch, time"))
        elif shape[:2] == (time, batch):
            every.append((k, "time, batch"))
        elif shape[:1] == (time * batch,):
            flat.append(k)
        elif shape[:1] == (batch,):
            last.append((k, "last"))
    if every or flat:
        orders = ("batch·time", "time·batch") if flat else ("",)
        chosen = [[*every, *((k, order) for k in flat)] for order in orders]
    else:
        chosen = [last] if last else []
    return [Outputs(tuple(k for k, _ in one), tuple(layout for _, layout in one)) for one in map(sorted, chosen)]
