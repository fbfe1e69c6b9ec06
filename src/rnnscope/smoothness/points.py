"""The cost at many parameter points at once: the points are one more dimension of every tensor."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import vmap

from rnnscope.base.errors import require
from rnnscope.base.threads import denormals_as_zero, map_over_threads
from rnnscope.smoothness import _batching
from rnnscope.smoothness._kernels import Kernel, NoKernel, kernel_for
from rnnscope.smoothness.objective import LOSSES, Objective, cost, examine
from rnnscope.systems import System
from rnnscope.systems.system import Params

MEMORY = 1 << 29  # bytes
_CACHE = 1 << 20  # bytes of the widest tensor of a step: beyond, every pointwise operation waits for memory
_FILLS_A_KERNEL = 1024  # numbers in the drive of all sequences
_SHARES = 4  # of the points for each thread that runs a kernel, so that none waits long for another
_TRIED = 3  # steps that a new kernel is compared with plain ones on
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

    def corners(self) -> dict[str, Tensor]:
        """The origin, and one step from it along each direction."""
        n = len(self.directions)
        return Affine(self.origin, self.directions, torch.eye(n + 1, n).roll(1, 0)).take(slice(None))


Points = Affine | Mapping[str, Tensor]


def costs(
    system: System,
    points: Points,
    objective: Objective,
    *,
    memory: int = MEMORY,
    progress: Callable[[int, int], None] | None = None,
    compile: bool = False,
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
        progress: called with (points done, points).
        compile: whether to write, compile and keep a kernel for this network: for recurrent layers of a few units on
            the processor, several times quicker. The first use takes a second or two; the machine code stays in
            ~/.cache/rnnscope. It needs a C++ compiler (c++, g++, clang++, or the one that CXX names); without, and for
            networks and losses that it cannot do, a warning says why, and the costs are computed as without it. Its
            sigmoid and tanh are within 5e-7 (float32) or 1e-15 (float64) of the exact ones, relative to them: costs
            agree to rounding, and as two runs of a chaotic map agree where the map is chaotic.

    Returns:
        (point,) float64, summed in float64. NaN or infinity where the cost is not finite.

    Raises:
        ValueError: data that do not fit, or memory too small for one point.
        NonDeterministicError: a loss that draws random numbers.

    """
    data = examine(system, objective)
    kernel = _kernel(system, points, data) if compile else None
    if kernel is not None:
        return _through_kernel(kernel, system, points, data, memory, progress)
    if _fused_is_quicker(system, data):
        return _through_fused(system, points, data, memory, progress)
    return _over_portions(system, points, data, memory, progress, lambda layout: _costs_of(layout, system, data))


def outputs_at(system: System, points: Points, objective: Objective, *, memory: int = MEMORY) -> Tensor:
    """ŷ[t] at many parameter points, of the steps that count, (point, sequence, time, output).

    Arguments and errors are those of ``costs``; the result itself has to fit into memory besides.
    """
    data = examine(system, objective)
    return _over_portions(
        system, points, data, memory, None, lambda layout: _outputs_of(layout, system, data), keep=True
    )


def _over_portions(
    system: System,
    points: Points,
    data: Objective,
    memory: int,
    progress: Callable[[int, int], None] | None,
    work: Callable[[_batching.Layout], Tensor],
    *,
    keep: bool = False,
) -> Tensor:
    """What ``work`` makes of as many points as fit into memory, portion after portion, joined, without gradients.

    Plain steps take a portion on each of as many threads as torch may use, instead of sharing out single operations:
    they are too short for that, and on a busy machine would wait for one another.
    """
    n = _count(points)
    per_point, width = _sizes(system, data, keep=keep)
    require(per_point <= memory, "memory", f"at least {per_point:,} bytes, which one point takes", f"{memory:,}")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop because we have not yet impl")
        maker = _batching.quickest(system, _some_of(points, slice(0, min(n, 2))), data.inputs)
        plain = maker in (_batching.points_last, _batching.points_first) and isinstance(data.loss, str)
        n_threads = max(min(torch.get_num_threads(), memory // per_point), 1) if plain else 1
        fits = memory // (per_point * n_threads)
        at_once = max(min(_CACHE // width, fits, -(-n // n_threads)), min(_FEWEST, fits), 1)

        def portion(chosen: slice) -> Tensor:
            with torch.no_grad(), denormals_as_zero():
                return work(layouts[chosen.start]).cpu()

        found: list[Tensor] = []
        with map_over_threads(n_threads) if plain else nullcontext(map) as mapped:
            for first in range(0, n, at_once * n_threads):
                last = min(first + at_once * n_threads, n)
                slices = [slice(k, min(k + at_once, last)) for k in range(first, last, at_once)]
                layouts = {chosen.start: maker(system, _some_of(points, chosen)) for chosen in slices}
                found += mapped(portion, slices)
                if progress is not None:
                    progress(last, n)
    return torch.cat(found)


def _count(points: Points) -> int:
    return len(points) if isinstance(points, Affine) else len(next(iter(points.values())))


def _some_of(points: Points, chosen: slice) -> dict[str, Tensor]:
    return points.take(chosen) if isinstance(points, Affine) else {name: p[chosen] for name, p in points.items()}


def _fused_is_quicker(system: System, data: Objective) -> bool:
    """Whether one point fills torch's fused kernel, which then does more per second than a batch of plain steps."""
    with torch.no_grad():
        width = data.n_sequences * system.drive(system.weights, data.inputs[:1, 0]).shape[-1]
        if width < _FILLS_A_KERNEL or system.device.type != "cpu":
            return False
        return system.fast_path(data.initial_state(system)[:1], data.inputs[:1, :1].movedim(1, 0), None) is not None


def _through_fused(
    system: System, points: Points, data: Objective, memory: int, progress: Callable[[int, int], None] | None
) -> Tensor:
    """Costs (point,), points one after another on each of as many threads as torch may use."""
    n = _count(points)
    per_point, _ = _sizes(system, data, keep=True)
    require(per_point <= memory, "memory", f"at least {per_point:,} bytes, which one point takes", f"{memory:,}")
    start, inputs = data.initial_state(system), data.inputs.movedim(1, 0)
    n_threads = min(torch.get_num_threads(), max(memory // per_point, 1))

    def one(params: dict[str, Tensor]) -> float:
        with torch.no_grad(), denormals_as_zero():
            found = _with_params(system, params).fast_path(start, inputs, None)
            assert found is not None
            return float(data.loss_of(found.outputs.movedim(1, 0)))

    found: list[float] = []
    at_once = max(n_threads, min(_FEWEST * n_threads, memory // per_point))
    with map_over_threads(n_threads) as mapped:
        for first in range(0, n, at_once):
            chosen = slice(first, min(first + at_once, n))
            portion = _some_of(points, chosen)
            each = [{name: p[k] for name, p in portion.items()} for k in range(chosen.stop - first)]
            found += mapped(one, each)
            if progress is not None:
                progress(chosen.stop, n)
    return torch.tensor(found, dtype=torch.float64)


def _kernel(system: System, points: Points, data: Objective) -> Kernel | None:
    """The kernel for these costs; None, after a warning that says why, where there is none."""
    try:
        if not isinstance(data.loss, str):
            raise NoKernel("it is for the losses that have a name")
        kernel = kernel_for(system, data.loss, held=_is_held(data.inputs))
        if not kernel.tried:
            _try(kernel, system, _some_of(points, slice(0, 1)), data)
    except NoKernel as reason:
        warnings.warn(f"compile: {reason}; costs are computed without a kernel", stacklevel=3)
        return None
    return kernel


def _try(kernel: Kernel, system: System, point: Params, data: Objective) -> None:
    """Compare the kernel with plain steps, for a few of them; NoKernel if it does not give the same."""
    targets = data.targets if data.last_step_only else data.targets[:, :_TRIED]
    few = replace(data, inputs=data.inputs[:, :_TRIED], targets=targets, n_transient=0)
    with torch.no_grad():
        wanted = cost(system, {name: p[0] for name, p in point.items()}, few).double()
        weights = kernel.weights_of(_batching.materialised(system, point))
        came = _summed(kernel, weights, system, few)[0] / (few.n_sequences * _counted(few).sum())
    if bool(torch.isfinite(wanted)) and not torch.allclose(came, wanted, rtol=1e-3, atol=1e-4):
        raise NoKernel(f"its cost {float(came):g} is not that of plain steps, {float(wanted):g}")
    kernel.tried = True


def _through_kernel(
    kernel: Kernel,
    system: System,
    points: Points,
    data: Objective,
    memory: int,
    progress: Callable[[int, int], None] | None,
) -> Tensor:
    """Costs (point,), portions of the points on each of as many threads as torch may use."""
    n = _count(points)
    per_point, _ = _sizes(system, data, keep=False)
    require(per_point <= memory, "memory", f"at least {per_point:,} bytes, which one point takes", f"{memory:,}")
    n_threads = max(min(torch.get_num_threads(), memory // per_point), 1)
    at_once = max(min(memory // (per_point * n_threads), -(-n // (_SHARES * n_threads))), 1)
    n_counted = int(_counted(data).sum())
    corners = None
    if isinstance(points, Affine) and kernel.recipe.has_affine_weights:
        corners = kernel.weights_of(_batching.materialised(system, points.corners()))[:, : len(points.directions) + 1]

    def portion(first: int) -> Tensor:
        chosen = slice(first, min(first + at_once, n))
        with torch.no_grad(), denormals_as_zero():
            if corners is None or not isinstance(points, Affine):
                weights = kernel.weights_of(_batching.materialised(system, _some_of(points, chosen)))
            else:
                weights = kernel.combined(corners, points.coefficients[chosen])
            return _summed(kernel, weights, system, data)[: chosen.stop - first]

    found: list[Tensor] = []
    with map_over_threads(n_threads) as mapped:
        for first, summed in zip(range(0, n, at_once), mapped(portion, range(0, n, at_once)), strict=True):
            found.append(summed)
            if progress is not None:
                progress(min(first + at_once, n), n)
    return torch.cat(found) / (data.n_sequences * n_counted)


def _summed(kernel: Kernel, weights: Tensor, system: System, data: Objective) -> Tensor:
    targets = data.targets
    if data.loss == "cross-entropy":
        targets = torch.nn.functional.one_hot(targets, system.output_size).to(system.dtype)
    if data.last_step_only:
        targets = targets[:, None].expand(-1, data.n_steps, -1)
    return kernel.costs(
        weights, data.initial_state(system), data.inputs.movedim(1, 0), targets.movedim(1, 0), _counted(data)
    )


def _counted(data: Objective) -> Tensor:
    """Which steps count, (time,)."""
    steps = torch.arange(data.n_steps)
    return (steps >= data.n_transient) & ((steps == data.n_steps - 1) | (not data.last_step_only))


def _is_held(inputs: Tensor) -> bool:
    return bool((inputs == inputs[:, :1]).all())


def _with_params(system: System, params: dict[str, Tensor]) -> System:
    """``system.at(params)`` without its checks and copies, which take longer than a short simulation."""
    other = object.__new__(type(system))
    vars(other).update(vars(system), params=params)
    return other


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


def _costs_of(layout: _batching.Layout, system: System, data: Objective) -> Tensor:
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


def _outputs_of(layout: _batching.Layout, system: System, data: Objective) -> Tensor:
    return torch.stack([layout.leave(output) for output in _steps(layout, system, data)], dim=2)


def _steps(layout: _batching.Layout, system: System, data: Objective) -> Iterator[Tensor]:
    """The outputs of the steps that count, in the order of dimensions of the layout."""
    inputs = data.inputs.movedim(1, 0)
    held = _is_held(data.inputs)
    drive = layout.drive(inputs[0])
    state = layout.enter(layout.begin(inputs) if data.state is None else data.initial_state(system))
    for t in range(data.n_steps):
        if t > 0 and not held:
            drive = layout.drive(inputs[t])
        state, output = layout.advance(state, drive)
        if t >= data.n_transient:
            yield output
