"""How many parameter points are stepped at once: which dimension of which tensor is the points'."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils import _pytree as pytree

from rnnscope.systems import RecurrentSystem, System
from rnnscope.systems.system import Params, Weights

_WIDEST_DRIVE_POINTS_LAST = 32  # beyond, a matrix product for each point is quicker than sums of columns


class Layout(NamedTuple):
    """Weights of many points, and functions over states that have them as a dimension.

    enter: (sequence, k), the same for all points, or (point, sequence, k) -> as ``advance`` takes it.
    drive: (sequence, channel) or (point, sequence, channel) -> drive.
    advance: state, drive -> state, outputs.   leave: -> (point, sequence, k).
    begin: inputs (time, sequence, channel) -> the network's own x[0], as ``enter`` takes it.
    """

    enter: Callable[[Tensor], Tensor]
    drive: Callable[[Tensor], Tensor]
    advance: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    leave: Callable[[Tensor], Tensor]
    begin: Callable[[Tensor], Tensor]


Maker = Callable[[System, Params], Layout]


class _Matrices(Tensor):
    """One matrix for each point, (point, in, out): ``x @ matrices`` is a sum of columns, for x with the points last.

    Cells use their matrices in no other way than ``x @ W`` and ``x @ W.mT``, so that they need not know. Python asks
    the right factor first where its type is a subclass of the left one's.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @classmethod
    def of(cls, matrices: Tensor) -> "_Matrices":
        return matrices.as_subclass(cls)

    @cached_property
    def _rows(self) -> list[Tensor]:
        return [row.mT.contiguous() for row in self.as_subclass(Tensor).unbind(1)]  # (out, point) each

    @cached_property
    def mT(self) -> "_Matrices":  # noqa: N802  # pyright: ignore[reportIncompatibleVariableOverride]
        return _Matrices.of(self.as_subclass(Tensor).mT)

    def __rmatmul__(self, x: Tensor) -> Tensor:
        parts = x[0].permute(1, 2, 0)  # (sequence, in, point)
        total = parts[:, 0:1] * self._rows[0]
        for k, row in enumerate(self._rows[1:], start=1):
            total.addcmul_(parts[:, k : k + 1], row)
        return total.permute(2, 0, 1)[None]


def points_last(system: System, points: Params) -> Layout:
    """States (1, point, sequence, k) in channels-last order, so that the points are contiguous in memory.

    For networks of a few units: a step is then a few passes over vectors as long as there are points, where one small
    matrix product for each point would spend its time on overhead. The order outlives slicing, joining and pointwise
    operations of the cells, which stay as they are.
    """
    weights = pytree.tree_map(_spread, materialised(system, points))
    n = _count(points)

    def enter(x: Tensor) -> Tensor:
        return _for_each(x, n).permute(1, 2, 0).contiguous().permute(2, 0, 1)[None]

    def drive(u: Tensor) -> Tensor:
        driven = system.drive(weights, _for_each(u, n)[None])
        return driven if driven.shape[1] == n else driven.expand(1, n, *driven.shape[2:])

    return Layout(
        enter,
        drive,
        lambda state, drive: system.advance(weights, state, drive),
        lambda x: x[0],
        lambda inputs: system.initial_state(weights, inputs),
    )


def _spread(weight: Tensor) -> Any:
    if weight.dim() == 3:
        return _Matrices.of(weight)
    if weight.dim() == 2:
        return weight.mT.contiguous().mT[None, :, None]
    if weight.dim() == 1:
        return weight[None, :, None, None]
    raise TypeError("weights of more than two dimensions")


def points_first(system: System, points: Params) -> Layout:
    """States (point, sequence, k); matrix products of all points are one batched product."""

    def broadcast(weight: Tensor) -> Tensor:
        return weight if weight.dim() == 3 else weight[:, None] if weight.dim() == 2 else weight[:, None, None]

    weights = pytree.tree_map(broadcast, materialised(system, points))
    n = _count(points)

    def drive(u: Tensor) -> Tensor:
        driven = system.drive(weights, _for_each(u, n))
        return driven.expand(n, *driven.shape[1:])

    return Layout(
        lambda x: _for_each(x, n),
        drive,
        lambda state, drive: system.advance(weights, state, drive),
        lambda x: x,
        lambda inputs: system.initial_state(weights, inputs),
    )


def mapped(system: System, points: Params) -> Layout:
    """States (point, sequence, k), through ``torch.func.vmap``: for every System whose parameters can be stacked."""
    weights, n = materialised(system, points), _count(points)
    return Layout(
        lambda x: _for_each(x, n),
        lambda u: vmap(system.drive)(weights, _for_each(u, n)),
        lambda state, drive: vmap(system.advance)(weights, state, drive),
        lambda x: x,
        lambda inputs: vmap(system.initial_state, in_dims=(0, None))(weights, inputs),
    )


def one_by_one(system: System, points: Params) -> Layout:
    """States (point, sequence, k), the points in a loop: for modules with fused kernels inside."""
    n = _count(points)
    each: list[Weights] = [system.materialise({name: p[k] for name, p in points.items()}) for k in range(n)]

    def advance(state: Tensor, drive: Tensor) -> tuple[Tensor, Tensor]:
        parts = [system.advance(w, x, d) for w, x, d in zip(each, state, drive, strict=True)]
        return torch.stack([new for new, _ in parts]), torch.stack([output for _, output in parts])

    return Layout(
        lambda x: _for_each(x, n),
        lambda u: torch.stack([system.drive(w, own) for w, own in zip(each, _for_each(u, n), strict=True)]),
        advance,
        lambda x: x,
        lambda inputs: torch.stack([system.initial_state(w, inputs) for w in each]),
    )


def quickest(system: System, points: Params, inputs: Tensor, *, differentiable: bool = False) -> Maker:
    """The quickest layout that does for this system what stepping point by point does, tried on two points."""
    if not system.stackable:
        return one_by_one
    if not isinstance(system, RecurrentSystem):
        return mapped
    two = {name: p[[0, -1]] for name, p in points.items()}
    n, input = min(len(inputs), 2), inputs[:2, 0]
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(n, system.state_size, generator=generator).to(input)
    wanted = _two_steps(one_by_one, system, two, start, input)
    narrow = system.drive(system.weights, input).shape[-1] <= _WIDEST_DRIVE_POINTS_LAST
    makers: list[Maker] = [points_last] if narrow and not differentiable else []
    for maker in (*makers, points_first):
        try:
            came = _two_steps(maker, system, two, start, input)
        except (TypeError, RuntimeError, AttributeError):
            continue
        if torch.allclose(came, wanted, rtol=1e-3, atol=1e-4, equal_nan=True):
            return maker
    return mapped


def _two_steps(maker: Maker, system: System, points: Params, start: Tensor, input: Tensor) -> Tensor:
    layout = maker(system, points)
    state, drive = layout.enter(start), layout.drive(input)
    state, _ = layout.advance(state, drive)
    state, output = layout.advance(state, drive)
    return torch.cat([layout.leave(state), layout.leave(output)], dim=-1)


def _for_each(x: Tensor, n_points: int) -> Tensor:
    """(point, sequence, k), the same for all points where it has no points."""
    return x if x.dim() == 3 else x.expand(n_points, *x.shape)


def materialised(system: System, points: Params) -> Weights:
    """Weights of all points, with a leading dimension."""
    return vmap(system.materialise)(dict(points))


def _count(points: Params) -> int:
    return len(next(iter(points.values())))
