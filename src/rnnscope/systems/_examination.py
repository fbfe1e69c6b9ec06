"""What is looked at before a module is accepted as a map: rows, repetition, randomness, precision, derivatives."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import jvp, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from rnnscope.base.errors import NonDeterministicError, UnsupportedModelError
from rnnscope.base.randomness import undisturbed
from rnnscope.systems._functional import in_precision
from rnnscope.systems.system import Params, System, stack_params

_ROWS = 64  # at which derivatives are compared with differences
_SETTLING = 5  # steps of the map before: derivatives matter where it goes
_WRONG = 0.2  # of the rows may be next to a kink; more, and the derivative is not that of the map
KINKS = (
    "relu",
    "threshold",
    "leaky_relu",
    "abs",
    "clamp",
    "hardtanh",
    "hardsigmoid",
    "max",
    "min",
    "maximum",
    "minimum",
)
JUMPS = ("sign", "round", "floor", "ceil", "heaviside", "gt", "lt", "ge", "le", "argmax", "argmin", "topk")

Call = Callable[[Params, Tensor, Tensor], tuple[Tensor, Tensor]]


def unlike(*sizes: int, above: int = 2) -> int:
    """The smallest prime above some number that equals none of the sizes, so that no dimension is taken for another.

    >>> unlike(3, 5)
    7
    """
    k = above + 1
    while k in sizes or any(k % d == 0 for d in range(2, math.isqrt(k) + 1)):
        k += 1
    return k


def some_inputs(system: System, n: int, generator: torch.Generator) -> Tensor:
    """Inputs (n, input_size) to try a map at: normal, or tokens where it takes those."""
    if system.n_tokens is not None:
        drawn = torch.randint(system.n_tokens, (n, 1), generator=generator).double()
    else:
        drawn = torch.randn(n, system.input_size, dtype=torch.float64, generator=generator)
    return drawn.to(dtype=system.dtype, device=system.device)


def some_states(system: System, n: int, generator: torch.Generator) -> Tensor:
    """States (n, state_size) to try a map at."""
    drawn = torch.randn(n, system.state_size, dtype=torch.float64, generator=generator)
    return drawn.to(dtype=system.dtype, device=system.device)


def require_map(call: Call, module: nn.Module, tensors: Params, state: Tensor, input: Tensor) -> None:
    """Check that a call is a map: the same twice, the same row by row, the same whatever was computed before.

    Args:
        call: (tensors, state (batch, state_size), input (batch, input_size)) -> (new state, output), of the module.
        module: the private copy that is called; looked at for what a call leaves behind.
        tensors: its parameters and buffers.
        state: a batch whose size is unlike any other dimension.
        input: as many inputs.

    Raises:
        NonDeterministicError: it draws random numbers.
        UnsupportedModelError: it keeps a state in itself, changes its buffers, or lets rows influence each other.

    """
    name = type(module).__name__
    before = _left_behind(module)
    own = {key: tensor.clone() for key, tensor in tensors.items()}
    seed = torch.random.get_rng_state()
    first = call(own, state, input)
    changed = [key for key, tensor in own.items() if not _equal(tensor, tensors[key])]
    drew = not torch.equal(seed, torch.random.get_rng_state())
    second = call(own, state, input)
    if not (_equal(first[0], second[0]) and _equal(first[1], second[1])):
        if drew:
            raise NonDeterministicError(
                f"{name}: the same state and input gave two different answers in eval mode; a map must not draw random "
                "numbers: take the noise out of the step, or switch it off where self.training is False"
            )
        if changed:
            raise UnsupportedModelError(
                f"{name}: a step in eval mode depends on its buffers {', '.join(changed)} and changes them: it keeps a "
                "state in itself, so the next state is no function of (state, input); make them part of the state that "
                "goes in and comes out"
            )
        after = _left_behind(module)
        moved = sorted(key for key in after if key not in before or not _same(before[key], after[key]))
        kept = f" (it changes {', '.join(f'self.{key}' for key in moved)})" if moved else ""
        raise UnsupportedModelError(
            f"{name}: the same state and input gave two different answers: the module keeps a state in itself{kept}, "
            "which the map does not see; hand it in and out: forward(input, state) -> (output, new state)"
        )
    _require_separate_rows(call, name, tensors, state, input, first)


def _require_separate_rows(
    call: Call, name: str, tensors: Params, state: Tensor, input: Tensor, whole: tuple[Tensor, Tensor]
) -> None:
    tolerance = 1e4 * torch.finfo(state.dtype).eps
    for row in range(len(state)):
        one = slice(row, row + 1)
        try:
            alone = call({k: t.clone() for k, t in tensors.items()}, state[one], input[one])
        except Exception as error:
            raise UnsupportedModelError(
                f"{name}: a batch of {len(state)} states went through, one state alone did not ({_brief(error)}); "
                "expected a step that takes any number of rows: does it keep a batch size, or a state, in itself?"
            ) from error
        for what, came, wanted in (("new state", alone[0], whole[0]), ("output", alone[1], whole[1])):
            size = 1 + float(wanted.nan_to_num().abs().max()) if wanted.numel() else 1.0
            same = came.shape == wanted[one].shape and torch.allclose(
                came, wanted[one], rtol=0, atol=tolerance * size, equal_nan=True
            )
            if not same:
                raise UnsupportedModelError(
                    f"{name}: the {what} of one state differs from that of the same state in a batch of {len(state)}: "
                    "rows influence each other. Expected input (batch, input_size) and state tensors with the batch "
                    "first, or sequences (time, batch, input); is the batch taken for time, or normalised over "
                    "(BatchNorm in training mode)?"
                )


def double_precision_problem(call: Call, tensors: Params, state: Tensor, input: Tensor) -> str | None:
    """Why a step cannot be computed in float64, or None."""
    double = {k: t.to(in_precision(t.dtype, torch.float64)) for k, t in tensors.items()}
    try:
        new, output = call(double, state.double(), input.double())
    except Exception as error:
        return f"it cannot ({_brief(error)})"
    if new.dtype != torch.float64:
        return f"its new state comes in {str(new.dtype).removeprefix('torch.')}"
    return None if output.dtype == torch.float64 else f"its output comes in {str(output.dtype).removeprefix('torch.')}"


def derivatives(system: System) -> tuple[bool, str | None]:
    """Whether the step can be differentiated forwards, and why its derivatives are not those of the map, or None.

    Directional derivatives by automatic differentiation are compared with central differences of the step, at states a
    few steps on from random ones. A surrogate gradient, a detached tensor or an absent derivative differs nearly
    everywhere; a kink only where it lies between the two points.
    """
    generator = torch.Generator().manual_seed(1)
    weights = system.weights
    state, input = some_states(system, _ROWS, generator), some_inputs(system, _ROWS, generator)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        drive = system.drive(weights, input)
        for _ in range(_SETTLING):
            new = system.step(weights, state, drive)
            if not bool(torch.isfinite(new).all()) or float(new.abs().max()) > 1e6:
                break
            state = new
        if not bool(torch.isfinite(system.step(weights, state, drive)).all()):
            return _has_forward_mode(system, state, drive, None), None
        along = torch.randn(state.shape, dtype=torch.float64, generator=generator).to(state)
        across = torch.randn(state.shape, dtype=torch.float64, generator=generator).to(state)
        double = state.dtype == torch.float64
        width = (1e-6 if double else 1e-2) * (1 + state.abs().amax(-1, keepdim=True))
        ahead = system.step(weights, state + width * along, drive)
        behind = system.step(weights, state - width * along, drive)
        difference = (ahead - behind) / (2 * width)
        wanted = (across * difference).sum(-1)
        tolerance = (1e-5 if double else 5e-2) * (across.norm(dim=-1) * (1 + difference.norm(dim=-1)))
        came = _adjoint_product(system, weights, state, drive, across, along)
        wrong = float(((came - wanted).abs() > tolerance).double().mean())
        forward = _has_forward_mode(system, state, drive, None if wrong > _WRONG else (along, difference, tolerance))
    if wrong <= _WRONG:
        return forward, None
    return forward, (
        f"derivatives of the step differ from its own differences at {100 * wrong:.0f} % of {_ROWS} states (surrogate "
        "gradients, a detached tensor, torch.no_grad inside?)"
    )


def _adjoint_product(
    system: System, weights: Any, state: Tensor, drive: Tensor, across: Tensor, along: Tensor
) -> Tensor:
    with torch.enable_grad():
        state = state.detach().requires_grad_()
        new = system.step(weights, state, drive)
        if not new.requires_grad:
            return torch.zeros(len(state)).to(state)
        gradient = torch.autograd.grad((new * across).sum(), state, allow_unused=True)[0]
    return torch.zeros(len(state)).to(state) if gradient is None else (gradient * along).sum(-1)


def has_forward_mode(system: System) -> bool:
    """Whether the step can be differentiated forwards in the system's floating-point type, whatever that gives."""
    generator = torch.Generator().manual_seed(1)
    state, input = some_states(system, 2, generator), some_inputs(system, 2, generator)
    with torch.no_grad():
        return _has_forward_mode(system, state, system.drive(system.weights, input), None)


def _has_forward_mode(
    system: System, state: Tensor, drive: Tensor, known: tuple[Tensor, Tensor, Tensor] | None
) -> bool:
    """Whether forward differentiation works; where the derivative is known, whether it gives that too: compiled
    modules lose it silently."""
    weights = system.weights
    along = known[0] if known else torch.ones_like(state)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pushed = jvp(lambda x: system.step(weights, x, drive), (state,), (along,))[1]
    except (NotImplementedError, RuntimeError, TypeError):
        return False
    if known is None:
        return True
    _, difference, tolerance = known
    wrong = (pushed - difference).norm(dim=-1) > tolerance
    return float(wrong.double().mean()) <= _WRONG


def is_stackable(system: System) -> bool:
    """Whether ``torch.func.vmap`` over stacked parameters gives what a loop over them gives, and is no loop itself."""
    generator = torch.Generator().manual_seed(2)
    state, input = some_states(system, 2, generator), some_inputs(system, 2, generator)
    other = {k: 1.1 * p if p.is_floating_point() and k not in system.frozen else p for k, p in system.params.items()}

    def step(params: Params) -> Tensor:
        weights = system.materialise(params)
        return system.step(weights, state, system.drive(weights, input))

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "There is a performance drop")  # no batching rule: a loop, and a slow one
        try:
            together = vmap(step)(stack_params([system.params, other]))
        except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, UserWarning):
            return False
        apart = torch.stack([step(system.params), step(other)])
    tolerance = 1e4 * torch.finfo(state.dtype).eps
    return torch.allclose(together, apart, rtol=tolerance, atol=tolerance, equal_nan=True)


def not_smooth(system: System) -> tuple[str, ...]:
    """Operations in the step at which its derivative jumps (relu, abs, …) or the step itself does (sign, round, …).

    >>> from rnnscope.systems import as_system
    >>> not_smooth(as_system(torch.nn.RNN(1, 2, nonlinearity="relu"))), not_smooth(as_system(torch.nn.GRU(1, 2)))
    (('relu',), ())
    """
    generator = torch.Generator().manual_seed(3)
    state, input = some_states(system, 2, generator), some_inputs(system, 2, generator)
    weights = system.weights
    with undisturbed(system.device):
        heard = operations(lambda: system.step(weights, state, system.drive(weights, input)))
    return tuple(name for name in (*KINKS, *JUMPS) if name in heard)


def operations(compute: Callable[[], object]) -> frozenset[str]:
    """Names of all tensor operations in a computation."""
    with torch.no_grad(), _Listening() as heard:
        compute()
    return frozenset(heard.names)


class _Listening(TorchDispatchMode):
    """Notes the names of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.overloadpacket.__name__.rstrip("_"))
        return func(*args, **(kwargs or {}))


def _left_behind(module: nn.Module) -> dict[str, Any]:
    """What stands in a module and its parts besides parameters: buffers, and attributes that a call may change."""
    found: dict[str, Any] = {}
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor | int | float | tuple | list) and not name.startswith("_"):
                value = value.detach().clone() if isinstance(value, Tensor) else value
                found[f"{path}.{name}" if path else name] = list(value) if isinstance(value, list) else value
    return found


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return _equal(a, b)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return a is b or (isinstance(a, int | float) and a == b)


def _equal(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(a.nan_to_num(), b.nan_to_num()) if a.is_floating_point() else torch.equal(a, b)


def _brief(error: Exception) -> str:
    """Kind and first line of an error."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
