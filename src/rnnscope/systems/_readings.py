"""The ways in which people write a step: how its arguments go in, and where new state and output come out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


class Stepped(NamedTuple):
    """What one step of a batch gave: new state (batch, state_size), output (batch, output_size)."""

    state: Tensor
    output: Tensor


@dataclass(frozen=True)
class StateForm:
    """A state as its module has it: any nesting of tensors, and each as ``shape`` without its batch dimension.

    ``form`` is the nesting with the tensors' numbers in their places, ``batch_axis`` where the batch
    dimension stands in every tensor; complex tensors are pairs of real numbers in the flat state.
    """

    form: Any
    shapes: tuple[tuple[int, ...], ...]
    is_complex: tuple[bool, ...]
    batch_axis: int = 0

    @property
    def sizes(self) -> list[int]:
        """Real numbers of each tensor, for one state."""
        return [prod(shape) * (1 + twice) for shape, twice in zip(self.shapes, self.is_complex, strict=True)]

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each coordinate: x[i], of the k-th of several tensors xk[i], .re and .im where it is complex."""
        single = len(self.shapes) == 1
        return tuple(
            f"x{'' if single else k}[{i}]{part}"
            for k, (shape, twice) in enumerate(zip(self.shapes, self.is_complex, strict=True))
            for i in range(prod(shape))
            for part in ((".re", ".im") if twice else ("",))
        )

    def nested(self, rows: Tensor) -> Any:
        """Flat states (batch, state_size) as the module has them."""
        leaves, start = [], 0
        for size, shape, twice in zip(self.sizes, self.shapes, self.is_complex, strict=True):
            part = rows[..., start : start + size].clone()  # a step may write over any of them
            start += size
            leaf = torch.view_as_complex(part.unflatten(-1, (-1, 2)).contiguous()) if twice else part
            leaf = leaf.reshape(len(rows), *shape)
            leaves.append(leaf.movedim(0, self.batch_axis) if self.batch_axis else leaf)
        return leaves[0] if self.form == 0 else pytree.tree_map(leaves.__getitem__, self.form)

    def flat(self, leaves: list[Tensor]) -> Tensor:
        """The tensors of a state as flat states (batch, state_size)."""
        parts = []
        for leaf, twice in zip(leaves, self.is_complex, strict=True):
            rows = leaf.movedim(self.batch_axis, 0).flatten(1) if leaf.dim() > 1 else leaf[:, None]
            parts.append(torch.view_as_real(rows.contiguous()).flatten(1) if twice else rows)
        return torch.cat(parts, dim=-1)

    def shapes_for(self, batch: int) -> list[tuple[int, ...]]:
        """Shapes of the tensors of a batch of states."""
        axis = self.batch_axis
        return [(*shape[:axis], batch, *shape[axis:]) for shape in self.shapes]


@dataclass(frozen=True)
class Reading:
    """One way of calling a module as a step, and of taking apart what it returns.

    Attributes:
        state: the form of the state.
        arguments: "input, state", "input, *state" (its tensors one by one) or "state" (a map without input).
        time: "none", "first" or "second": where a sequence module has the time dimension, here of length one.
        state_at: positions of the new state's tensors among all tensors returned.
        outputs_at: positions of those that are output; none: the output is the first tensor of the state.

    """

    state: StateForm
    arguments: str = "input, state"
    time: str = "none"
    state_at: tuple[int, ...] = ()
    outputs_at: tuple[int, ...] = ()

    def describe(self) -> str:
        """In words, such as "module(input, state), sequences (time, batch, input)"."""
        layout = {"none": "", "first": ", sequences (time, batch, input)", "second": ", sequences (batch, time, input)"}
        axis = f", state tensors with the batch in dimension {self.state.batch_axis}" if self.state.batch_axis else ""
        return f"module({self.arguments}){layout[self.time]}{axis}"

    def take(self, call: Callable[[tuple], Any], input: Tensor, rows: Tensor) -> tuple[list[Tensor], Any]:
        """All tensors that the module returns for one step of states (batch, state_size), and the thing returned."""
        input = input.clone()
        given = {"none": input, "first": input[None], "second": input[:, None]}[self.time]
        returned = call(self.put_together(given, self.state.nested(rows)))
        return list(tensors_of(returned)), returned

    def put_together(self, input: Tensor, state: Any) -> tuple:
        """The arguments, in the module's order."""
        if self.arguments == "state":
            return (state,)
        if self.arguments == "input, *state":
            return (input, *pytree.tree_leaves(state))
        return (input, state)

    def step(self, call: Callable[[tuple], Any], input: Tensor, rows: Tensor) -> Stepped:
        """New states and outputs of states (batch, state_size) at inputs (batch, input_size)."""
        tensors, _ = self.take(call, input, rows)
        new = self.state.flat([tensors[k] for k in self.state_at])
        new = new.to(rows.dtype) if rows.dtype == torch.float32 else new  # one part of it may be float64
        if not self.outputs_at:
            return Stepped(new, new[:, : self.state.sizes[0]])
        outputs = [_without_time(tensors[k], self.time).reshape(len(rows), -1) for k in self.outputs_at]
        outputs = [torch.view_as_real(y).flatten(1) if y.is_complex() else y for y in outputs]
        return Stepped(new, outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1))

    def learnt(self, returned: Any, batch: int) -> "Reading | str":
        """This reading with the places of state and outputs in what a call with ``batch`` rows returned, or why they
        are not to be found."""
        tensors = list(tensors_of(returned))
        wanted = self.state.shapes_for(batch)
        kinds = list(self.state.is_complex)
        places = _places_of(returned, wanted, kinds)
        if places is None:
            came = ", ".join(f"{tuple(t.shape)}" for t in tensors) or repr(returned)
            return f"no new state of shape {', '.join(map(str, wanted))} among what it returned: {came}"
        new = [tensors[k] for k in places]
        given = [k for k in range(len(tensors)) if k not in places and _is_output(tensors[k], batch, self.time)]
        heads = [k for k in given if not any(_same(tensors[k], x) for x in new)]
        return replace(self, state_at=tuple(places), outputs_at=tuple(heads or given))


def readings(state: Any, *, has_input: bool) -> Iterator[Reading]:
    """All ways in which a module might be a step of states like the example, the commonest first."""
    leaves, spec = pytree.tree_flatten(state)
    form = pytree.tree_unflatten(range(len(leaves)), spec)
    arguments = ("input, state", "input, *state") if has_input else ("state", "input, state", "input, *state")
    forms = []
    for axis, shapes in _axes(leaves):
        forms.append(StateForm(form, shapes, tuple(leaf.is_complex() for leaf in leaves), axis))
    for state_form in forms:
        for time in ("none", "first", "second"):
            for how in arguments:
                if not (how == "input, *state" and form == 0):
                    yield Reading(state_form, how, time)


def _axes(leaves: list[Tensor]) -> list[tuple[int, tuple[tuple[int, ...], ...]]]:
    """Where the batch may stand in the module's tensors, and what shape each has without it.

    An example (1, layers, hidden) may mean tensors (batch, layers, hidden) or torch's own (layers, batch, hidden); so
    may (layers, 1, hidden).
    """
    first = tuple(tuple(leaf.shape[1:]) for leaf in leaves)
    found = [(0, first)]
    if all(leaf.dim() > 1 for leaf in leaves):
        if all(len(shape) > 1 for shape in first):
            found.append((1, first))
        second = tuple((leaf.shape[0], *leaf.shape[2:]) for leaf in leaves)
        if second != first:
            found.append((1, second))
    return found


def tensors_of(returned: Any) -> Iterator[Tensor]:
    """All tensors in what a module returned, in order: of tuples, lists, dictionaries and dataclasses."""
    if isinstance(returned, Tensor):
        yield returned
        return
    for part in _parts(returned):
        yield from tensors_of(part)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Tensor):
        return []
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, tuple | list):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, each.name) for each in fields(value)]
    return []


def _places_of(returned: Any, shapes: list[tuple[int, ...]], kinds: list[bool]) -> list[int] | None:
    """Positions, among all tensors returned, of those that are the new state.

    In this order: the whole; one part of it, the second before the last before the first; the last tensors; the first.
    """

    def fits(tensors: list[Tensor]) -> bool:
        return len(tensors) == len(shapes) and all(
            tuple(t.shape) == shape and t.is_complex() == kind
            for t, shape, kind in zip(tensors, shapes, kinds, strict=True)
        )

    everything = list(tensors_of(returned))
    n = len(shapes)
    if fits(everything):
        return list(range(n))
    parts = _parts(returned)
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(list(tensors_of(part))))
    order = [1, *range(len(parts) - 1, 1, -1), 0] if len(parts) > 1 else [0][: len(parts)]
    for k in order:
        if fits(list(tensors_of(parts[k]))):
            return list(range(starts[k], starts[k] + n))
    for start in (len(everything) - n, 0):
        if start >= 0 and fits(everything[start : start + n]):
            return list(range(start, start + n))
    return None


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether an output hands out the state once more."""
    return a.dtype == b.dtype and a.numel() == b.numel() and torch.equal(a.flatten(), b.flatten())


def _is_output(tensor: Tensor, batch: int, time: str) -> bool:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return False
    expected = {"none": (batch,), "first": (1, batch), "second": (batch, 1)}[time]
    return tuple(tensor.shape[: len(expected)]) == expected


def _without_time(tensor: Tensor, time: str) -> Tensor:
    return {"none": lambda t: t, "first": lambda t: t[0], "second": lambda t: t[:, 0]}[time](tensor)
