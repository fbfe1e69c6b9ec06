"""The cost at many parameter points at once: the points are one more dimension of every tensor."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from rnnscope.base.errors import require
from rnnscope.base.threads import denormals_as_zero, torch_threads
from rnnscope.smoothness import _layouts
from rnnscope.smoothness.objective import LOSSES, Objective, examine
from rnnscope.systems import System
from rnnscope.systems.system import Params

MEMORY = 1 << 29  # bytes
_CACHE = 1 << 20  # bytes of the widest tensor of a step: beyond, every pointwise operation waits for memory
_FEWEST = 16  # points at once, where memory allows: below, a step is mostly overhead


@dataclass(frozen=True, eq=False)
class Affine:
    """Points θ = origin + Σ_k coefficient_k direction_k, made a few at a time.

    Attributes:
        origin: a parameter point.
        directions: of the same names and shapes as those parameters that move; the others stay.
        coefficients: (point, direction).

    """

    origin: Params
    directions: tuple[Params, ...]
    coefficients: Tensor

    def __len__(self) -> int:
        return len(self.coefficients)

    def take(self, chosen: slice) -> dict[str, Tensor]:
        """Some of the points as tensors with a leading dimension."""
        coefficients = self.coefficients[chosen]
        points = {}
        for name, tensor in self.origin.items():
            total = tensor.expand(len(coefficients), *tensor.shape)
            for direction, amount in zip(self.directions, coefficients.unbind(1), strict=True):
                if name in direction:
                    along = direction[name].to(tensor)
                    total = total + amount.to(tensor).view(-1, *[1] * tensor.dim()) * along
            points[name] = total
        return points


Points = Affine | Mapping[str, Tensor]


def costs(
    system: System,
    points: Points,
    objective: Objective,
    *,
    memory: int = MEMORY,
    compiled: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """V(θ) at many parameter points.

    >>> from rnnscope.systems import as_system
    >>> system = as_system(torch.nn.RNN(1, 1, bias=False)).at(
    ...     {"weight_ih_l0": torch.ones(1, 1), "weight_hh_l0": torch.zeros(1, 1)}
    ... )
    >>> data = Objective(inputs=torch.ones(1, 2, 1), targets=torch.zeros(1, 2, 1))
    >>> points = {"weight_ih_l0": torch.tensor([[[0.0]], [[1.0]]]), "weight_hh_l0": torch.zeros(2, 1, 1)}
    >>> costs(system, points, data)  # 0 and tanh(1)²
    tensor([0.0000, 0.5800], dtype=torch.float64)

    Args:
        system: the rule; it is computed in the floating-point type of its parameters.
        points: parameters by name with a leading dimension (point, ...), or ``Affine``.
        objective: data, loss and initial state.
        memory: bytes that may be used at a time; points are taken in portions that fit.
        compiled: compile twenty steps at a time (networks of a few units only); the first call takes a minute.
        progress: called with (points done, points).

    Returns:
        (point,) float64, summed in float64. NaN or infinity where the cost is not finite.

    Raises:
        ValueError: data that do not fit, or memory too small for one point.
        NonDeterministicError: a loss that draws random numbers.

    """
    data = examine(system, objective)
    portions = _portions(system, points, data, memory, progress)
    return torch.cat([_costs_of(layout, system, data, compiled=compiled).cpu() for layout in portions])


def outputs_at(system: System, points: Points, objective: Objective, *, memory: int = MEMORY) -> Tensor:
    """ŷ[t] at many parameter points, of the steps that count, (point, sequence, time, output).

    Arguments and errors are those of ``costs``; the result itself has to fit into memory besides.
    """
    data = examine(system, objective)
    portions = _portions(system, points, data, memory, None, keep=True)
    return torch.cat([_outputs_of(layout, system, data).cpu() for layout in portions])


def _portions(
    system: System,
    points: Points,
    data: Objective,
    memory: int,
    progress: Callable[[int, int], None] | None,
    *,
    keep: bool = False,
) -> Iterator[_layouts.Layout]:
    """Layouts of as many points as fit into memory, one portion after another; nothing in them is differentiated."""
    n = len(points) if isinstance(points, Affine) else len(next(iter(points.values())))
    per_point, width = _sizes(system, data, keep=keep)
    require(per_point <= memory, "memory", f"at least {per_point:,} bytes, which one point takes", f"{memory:,}")
    at_once = max(min(_CACHE // width, memory // per_point), min(_FEWEST, memory // per_point), 1)
    at_once = -(-n // -(-n // at_once))  # portions of equal size
    maker: _layouts.Maker | None = None
    with torch.no_grad(), denormals_as_zero(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop because we have not yet impl")
        for first in range(0, n, at_once):
            chosen = slice(first, min(first + at_once, n))
            portion = points.take(chosen) if isinstance(points, Affine) else {k: p[chosen] for k, p in points.items()}
            if maker is None:
                maker = _layouts.quickest(system, portion, data.inputs)
            # vectors of some ten thousand numbers: a second thread gains little, and on a busy machine loses a lot
            with torch_threads(1 if maker is _layouts.points_last else None):
                yield maker(system, portion)
            if progress is not None:
                progress(chosen.stop, n)


def _sizes(system: System, data: Objective, *, keep: bool) -> tuple[int, int]:
    """Bytes that one point takes in all, and in the widest tensor of a step."""
    item = torch.empty((), dtype=system.dtype).element_size()
    with torch.no_grad():
        drive = system.drive(system.weights, data.inputs[:1, 0]).shape[-1]
    n_parameters = sum(p.numel() for p in system.params.values())
    widest = data.n_sequences * max(drive, system.state_size)
    working = 10 * widest + 4 * data.n_sequences * system.output_size
    if keep or callable(data.loss):
        working += 4 * data.n_sequences * data.n_steps * system.output_size
    return item * (3 * n_parameters + working), item * widest


def _costs_of(layout: _layouts.Layout, system: System, data: Objective, *, compiled: bool) -> Tensor:
    """Costs (point,) of the points of a layout."""
    if not isinstance(data.loss, str):
        outputs = _outputs_of(layout, system, data)
        left_out = outputs.new_zeros(*outputs.shape[:2], data.n_transient, outputs.shape[3])
        return vmap(data.loss_of)(torch.cat([left_out, outputs], dim=2)).reshape(-1).double()
    named, total, n_counted = LOSSES[data.loss], None, 0
    for t, output in enumerate(_steps(layout, system, data), start=data.n_transient):
        if data.last_step_only and t < data.n_steps - 1:
            continue
        found = named.of(output, data.targets if data.last_step_only else data.targets[:, t])
        total = found.double() if total is None else total.add_(found)
        n_counted += 1
    assert total is not None
    return layout.leave(total[..., None])[..., 0].mean(1) / n_counted


def _outputs_of(layout: _layouts.Layout, system: System, data: Objective) -> Tensor:
    return torch.stack([layout.leave(output) for output in _steps(layout, system, data)], dim=2)


def _steps(layout: _layouts.Layout, system: System, data: Objective) -> Iterator[Tensor]:
    """The outputs of the steps that count, in the order of dimensions of the layout."""
    inputs = data.inputs.movedim(1, 0)
    held = bool((inputs == inputs[0]).all())
    drive = layout.drive(inputs[0])
    state = layout.enter(data.initial_state(system))
    for t in range(data.n_steps):
        if t > 0 and not held:
            drive = layout.drive(inputs[t])
        state, output = layout.advance(state, drive)
        if t >= data.n_transient:
            yield output
