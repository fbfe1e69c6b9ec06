"""A network's own step written out number by number, as lines of C++ in which each number is a vector over points."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from rnnscope.systems import System

aten = torch.ops.aten
_MOVES = {  # operations that put numbers elsewhere and leave them as they are
    aten.alias, aten.cat, aten.clone, aten.detach, aten.expand, aten.permute, aten.reshape, aten.select, aten.slice,
    aten.split, aten.split_with_sizes, aten.squeeze, aten.stack, aten.t, aten.transpose, aten.unbind, aten.unsqueeze,
    aten.view, aten._unsafe_view,
}  # fmt: skip
_KEEPS_AFFINE = {aten.add, aten.sub, aten.zeros_like, aten.new_zeros, aten.zeros}
_MOST_LINES = 4000
_MOST_FACTORS = 3  # below a fraction bar: denominators must not overflow


class NotWrittenOut(Exception):  # noqa: N818
    """A step holds an operation that is not written out number by number, or too many of them."""


@dataclass(frozen=True)
class Quotient:
    """A division put off: products and sums of a few of them need one division together, the slowest operation."""

    above: str | float
    below: str
    n_factors: int = 1


Number = str | float | Quotient  # a variable, a constant, or a division that is not carried out yet


class Recipe:
    """One step of a system, y[t] included, as operations of torch on the numbers of one point and one sequence."""

    def __init__(self, system: System):
        with torch.no_grad():
            leaves, form = pytree.tree_flatten(system.weights)
            self.shapes = [tuple(leaf.shape) for leaf in leaves]
            self.n_weights = sum(leaf.numel() for leaf in leaves)

            def drive(input: Tensor, *leaves: Tensor) -> Tensor:
                return system.drive(pytree.tree_unflatten(list(leaves), form), input)

            def advance(state: Tensor, drive: Tensor, *leaves: Tensor) -> tuple[Tensor, Tensor]:
                return system.advance(pytree.tree_unflatten(list(leaves), form), state, drive)

            self._materialise = make_fx(lambda params: pytree.tree_leaves(system.materialise(params)))(system.params)
            input = leaves[0].new_zeros(1, system.input_size)
            state = leaves[0].new_zeros(1, system.state_size)
            self._drive = make_fx(drive)(input, *leaves)
            self._advance = make_fx(advance)(state, drive(input, *leaves), *leaves)

    @property
    def has_affine_weights(self) -> bool:
        """Whether weights are an affine function of the parameters: stacked, sliced and added, nothing else."""
        called = [node for node in self._materialise.graph.nodes if node.op == "call_function"]
        allowed = _MOVES | _KEEPS_AFFINE
        return all(
            node.target is operator.getitem or getattr(node.target, "overloadpacket", None) in allowed
            for node in called
        )

    def drive(self, writer: "Writer", input: Sequence[Number], weights: Sequence[Number]) -> list[Number]:
        """The drive, with the lines that compute it written."""
        return writer.run(self._drive, [input], weights, self.shapes)[0]

    def advance(
        self, writer: "Writer", state: Sequence[Number], drive: Sequence[Number], weights: Sequence[Number]
    ) -> tuple[list[Number], list[Number]]:
        """New state and output, with the lines that compute them written."""
        state, output = writer.run(self._advance, [state, drive], weights, self.shapes)
        return state, output


class Writer:
    """Lines of C++, one for each operation.

    Tensors hold places in a list of numbers: what only moves numbers moves places, by torch's own operation.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._numbers: list[Number] = []
        self._carried_out: dict[Quotient, str] = {}
        self._operations: dict[Any, Callable[..., Number]] = {
            aten.add.Tensor: lambda a, b, alpha=1: self.add(a, self.multiply(alpha, b)),
            aten.sub.Tensor: lambda a, b, alpha=1: self.add(a, self.multiply(-alpha, b)),
            aten.rsub.Scalar: lambda a, b, alpha=1: self.add(b, self.multiply(-alpha, a)),
            aten.mul.Tensor: self.multiply,
            aten.neg.default: lambda a: self.multiply(-1, a),
            aten.relu.default: lambda a: self.call("relu", a),
            aten.sigmoid.default: lambda a: Quotient(1.0, self.call("one_and_exp_of_minus", a)),
            aten.tanh.default: self._tanh,
        }

    def line(self, expression: str) -> str:
        """A new variable."""
        if len(self.lines) == _MOST_LINES:
            raise NotWrittenOut(f"more than {_MOST_LINES} operations")
        name = f"v{len(self.lines)}"
        self.lines.append(f"const V {name} = {expression};")
        return name

    def whole(self, number: Number) -> str | float:
        """The number with its division carried out, once."""
        if not isinstance(number, Quotient):
            return number
        if number not in self._carried_out:
            self._carried_out[number] = self.line(f"{_said(number.above)} / {number.below}")
        return self._carried_out[number]

    def call(self, function: str, number: Number) -> str:
        """A function of the kernel's own."""
        return self.line(f"{function}(splat({_said(self.whole(number))}))")

    def multiply(self, a: Number, b: Number) -> Number:
        """a b."""
        if isinstance(a, Quotient) and isinstance(b, Quotient):
            if a.n_factors + b.n_factors > _MOST_FACTORS:
                return self.multiply(self.whole(a), b)
            below = self._times(a.below, b.below)
            return Quotient(self._times(a.above, b.above), str(below), a.n_factors + b.n_factors)
        if isinstance(a, Quotient):
            return Quotient(self._times(a.above, self.whole(b)), a.below, a.n_factors)
        return self.multiply(b, a) if isinstance(b, Quotient) else self._times(a, b)

    def add(self, a: Number, b: Number) -> Number:
        """a + b."""
        if isinstance(a, Quotient) and isinstance(b, Quotient):
            if a.n_factors + b.n_factors > _MOST_FACTORS:
                return self.add(self.whole(a), b)
            above = self._plus(self._times(a.above, b.below), self._times(b.above, a.below))
            return Quotient(above, str(self._times(a.below, b.below)), a.n_factors + b.n_factors)
        if isinstance(a, Quotient):
            return Quotient(self._plus(a.above, self._times(self.whole(b), a.below)), a.below, a.n_factors)
        return self.add(b, a) if isinstance(b, Quotient) else self._plus(a, b)

    def run(
        self,
        graph: fx.GraphModule,
        given: Sequence[Sequence[Number]],
        weights: Sequence[Number],
        shapes: Sequence[tuple[int, ...]],
    ) -> list[list[Number]]:
        """Write what the graph does to numbers (1, k) and weights; the numbers of each of its results."""
        places = [self._keep(numbers, (1, len(numbers))) for numbers in given]
        taken = 0
        for shape in shapes:
            places.append(self._keep(weights[taken : taken + math.prod(shape)], shape))
            taken += math.prod(shape)
        known: dict[fx.Node, Any] = {}
        arguments = iter(places)
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                known[node] = next(arguments)
            elif node.op == "get_attr":
                constant = getattr(graph, str(node.target))
                known[node] = self._keep(constant.flatten().tolist(), tuple(constant.shape))
            elif node.op == "call_function":
                args, kwargs = map_arg((node.args, node.kwargs), known.__getitem__)
                known[node] = self._do(node.target, args, kwargs)
        results: Any = map_arg(graph.graph.output_node().args[0], known.__getitem__)
        return [self._read(places) for places in (results if isinstance(results, list | tuple) else [results])]

    def _keep(self, numbers: Sequence[Number], shape: tuple[int, ...]) -> Tensor:
        first = len(self._numbers)
        self._numbers += numbers
        return torch.arange(first, len(self._numbers)).reshape(shape)

    def _read(self, places: Tensor) -> list[Number]:
        return [self._numbers[k] for k in places.flatten().tolist()]

    def _do(self, target: Any, args: Any, kwargs: Any) -> Any:
        if target is operator.getitem:
            return args[0][args[1]]
        if target.overloadpacket in _MOVES:
            return target(*args, **kwargs)
        if target is aten.mm.default:
            return self._product(*args)
        if target not in self._operations:
            raise NotWrittenOut(f"the operation {target}")
        tensors = [arg for arg in args if isinstance(arg, Tensor)]
        spread = iter(torch.broadcast_tensors(*tensors))
        columns = [self._read(next(spread)) if isinstance(arg, Tensor) else arg for arg in args]
        shape = torch.broadcast_shapes(*[tensor.shape for tensor in tensors])
        one = self._operations[target]
        found = [
            one(*[column[k] if isinstance(column, list) else column for column in columns], **kwargs)
            for k in range(math.prod(shape))
        ]
        return self._keep(found, tuple(shape))

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        rows = [[self.whole(number) for number in self._read(row)] for row in left]
        columns = [[self.whole(number) for number in self._read(column)] for column in right.mT]
        found = [self._sum_of_products(row, column) for row in rows for column in columns]
        return self._keep(found, (len(rows), len(columns)))

    def _sum_of_products(self, left: Sequence[str | float], right: Sequence[str | float]) -> Number:
        total: str | float = 0.0
        for a, b in zip(left, right, strict=True):
            total = self._plus(total, self._times(a, b))
        return total

    def _tanh(self, number: Number) -> Number:
        bounded = self.call("bounded", number)
        return Quotient(self.line(f"tanh_above({bounded})"), self.line(f"tanh_below({bounded})"))

    def _times(self, a: str | float, b: str | float) -> str | float:
        if isinstance(a, str) and isinstance(b, str):
            return self.line(f"{a} * {b}")
        if not isinstance(a, str) and not isinstance(b, str):
            return a * b
        factor, name = (b, a) if isinstance(a, str) else (a, b)
        return name if factor == 1 else self.line(f"{name} * {_said(factor)}")

    def _plus(self, a: str | float, b: str | float) -> str | float:
        if isinstance(a, str) and isinstance(b, str):
            return self.line(f"{a} + {b}")
        if not isinstance(a, str) and not isinstance(b, str):
            return a + b
        term, name = (b, a) if isinstance(a, str) else (a, b)
        return name if term == 0 else self.line(f"{name} + {_said(term)}")


def _said(number: str | float) -> str:
    return number if isinstance(number, str) else f"F({float(number)!r})"
