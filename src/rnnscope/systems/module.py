"""Any module that is one step of a recurrence, ``(input, state) -> (output, state)`` in any of its spellings."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from rnnscope.base.errors import NonDeterministicError, UnsupportedModelError
from rnnscope.base.randomness import undisturbed
from rnnscope.systems._examination import require_map, some_inputs, unlike
from rnnscope.systems._functional import call, unwrapped
from rnnscope.systems._initial import initial_from
from rnnscope.systems._readings import Reading, readings, tensors_of
from rnnscope.systems.foreign import ForeignSystem
from rnnscope.systems.system import Params, Weights

_STEPS_TOGETHER = 3  # of a sequence module, compared with as many single steps


class ModuleSystem(ForeignSystem):
    """A step module as a map; its state may be any nesting of tensors, flattened into one vector.

    The module takes an input (batch, input_size) and a state, and returns output and new state: as a pair, or the new
    state alone, or more values among which the state is found by its shapes. Sequence modules are called with
    sequences of length one. Which of these it is is found by trying them (``reading``), and accepted only if it is a
    map: the same twice, rows apart from each other, and for sequence modules the same in one call as step by step.
    A private copy in eval mode is used: dropout is off.

    Args:
        module: the step.
        input_size: width of the input; 0 for a map without one.
        state: an example of the state, with a batch dimension first in every tensor, or where the module has it.
        initial: where it begins: the name of a parameter of the module, a parameter of it, a tensor, or a module of
            sequences (sequence, time, channel); None for zero.
        labels: names of the coordinates.
        n_tokens: size of the vocabulary, where the input is one token.

    Raises:
        UnsupportedModelError: the module is no such step; says what was tried and what came.
        NonDeterministicError: it draws random numbers in eval mode.

    """

    def __init__(
        self,
        module: nn.Module,
        *,
        input_size: int,
        state: Any,
        initial: Any = None,
        labels: tuple[str, ...] | None = None,
        n_tokens: int | None = None,
    ):
        leaves = pytree.tree_leaves(state)
        if not leaves or not all(isinstance(leaf, Tensor) and leaf.dim() >= 1 for leaf in leaves):
            raise UnsupportedModelError(
                "state: expected an example of it, tensors with a batch dimension such as torch.zeros(1, 8), "
                f"came {state!r}"
            )
        for k, leaf in enumerate(leaves):
            if not (leaf.is_floating_point() or leaf.is_complex()):
                raise UnsupportedModelError(
                    f"state: tensor {k} is {leaf.dtype}; expected floats: a counter or flag is no coordinate of a "
                    "state; leave it out of the state, or hand it in as an input"
                )
        if type(input_size) is not int or input_size < 0:
            raise ValueError(f"input_size: expected a whole number of at least 0, came {input_size!r}")
        super().__init__(module)
        self._dtype = next((leaf.dtype for leaf in leaves if leaf.is_floating_point()), self._dtype)
        self.n_tokens = n_tokens
        self.input_size = input_size
        self.reading = self._read(state)
        form = self.reading.state
        self.state_size = sum(form.sizes)
        self.state_labels = labels or form.labels
        self._initial = initial_from(unwrapped(module), initial, form) if initial is not None else None
        with torch.no_grad(), undisturbed(self.device):
            zeros = torch.zeros(1, self.state_size, dtype=self.dtype, device=self.device)
            drive = zeros.new_zeros(1, input_size)
            self.output_size = self._call(self.params, zeros, drive)[1].shape[-1]
            tensors, _ = self.reading.take(self._called(self._fresh(self.params)), drive, zeros)
        widths = tuple(tensors[k].numel() * (1 + tensors[k].is_complex()) for k in self.reading.outputs_at)
        self.output_sizes = widths if len(widths) > 1 else ()
        self._examine()

    def _call(self, weights: Weights, state: Tensor, drive: Tensor) -> tuple[Tensor, Tensor]:
        return self._step_by(self.reading, self._fresh(weights), state, drive)

    def _step_by(self, reading: Reading, tensors: Params, state: Tensor, input: Tensor) -> tuple[Tensor, Tensor]:
        stepped = reading.step(self._called(tensors), input, state)
        return stepped.state, stepped.output

    def _called(self, tensors: Params) -> Callable[[tuple], Any]:
        return lambda arguments: call(self._module, tensors, arguments)

    def _fresh(self, tensors: Params) -> Params:
        """The tensors, buffers as copies: a step may write on them."""
        return {name: tensor.clone() if name in self.frozen else tensor for name, tensor in tensors.items()}

    def initial_state(
        self, weights: Weights, inputs: Float[Tensor, "time batch input"]
    ) -> Float[Tensor, "batch state"]:
        """What the module begins with: its learned state, or zero."""
        if self._initial is None:
            return super().initial_state(weights, inputs)
        return self._initial.state(self._module, weights, inputs, self.reading.state)

    def _read(self, state: Any) -> Reading:
        """The first reading that is a map."""
        name, tried = type(self._module).__name__, []
        refusal: Exception | None = None
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad(), undisturbed(self.device):
            for reading in readings(state, has_input=self.input_size > 0):
                sizes = {self.input_size, *(n for shape in reading.state.shapes for n in shape)}
                n = unlike(*sizes)
                rows = torch.randn(n, sum(reading.state.sizes), dtype=torch.float64, generator=generator)
                input = some_inputs(self, n, generator).double()
                rows, input = (t.to(dtype=self.dtype, device=self.device) for t in (rows, input))
                try:
                    returned = reading.take(self._called(self._fresh(self.params)), input, rows)[1]
                except Exception as error:
                    tried.append(f"{reading.describe()}: {type(error).__name__}: {_first_line(error)}")
                    continue
                learnt = reading.learnt(returned, n)
                if isinstance(learnt, str):
                    tried.append(f"{reading.describe()}: {learnt}")
                    continue
                try:
                    self._require_map(learnt, rows, input)
                except (UnsupportedModelError, NonDeterministicError) as error:
                    refusal = refusal or error
                    continue
                return learnt
        if refusal is not None:
            raise refusal
        raise UnsupportedModelError(f"{name}: {_nothing_fits(name, self.input_size, tried)}")

    def _require_map(self, reading: Reading, state: Tensor, input: Tensor) -> None:
        step = partial(self._step_by, reading)
        require_map(step, self._module, self.params, state, input)
        if reading.time == "none":
            return
        sequence = torch.stack([input.roll(k, 0) for k in range(_STEPS_TOGETHER)])
        given = sequence if reading.time == "first" else sequence.movedim(0, 1)
        returned = self._called(self._fresh(self.params))(reading.put_together(given, reading.state.nested(state)))
        together = reading.learnt(returned, len(state))
        for u in sequence:
            state = step(self._fresh(self.params), state, u)[0]
        if isinstance(together, str) or not _close(reading.state.flat(_tensors(returned, together)), state):
            raise UnsupportedModelError(
                f"{type(self._module).__name__}: a sequence of {_STEPS_TOGETHER} inputs in one call does not end in "
                f"the state that {_STEPS_TOGETHER} calls with one input each end in: its step depends on more than "
                "input and state, so it is no map of them (attention or convolution over time, a mean over time?)"
            )


def _tensors(returned: Any, reading: Reading) -> list[Tensor]:
    everything = list(tensors_of(returned))
    return [everything[k] for k in reading.state_at]


def _close(came: Tensor, wanted: Tensor) -> bool:
    tolerance = 1e4 * torch.finfo(wanted.dtype).eps
    size = 1 + float(wanted.nan_to_num().abs().max())
    return came.shape == wanted.shape and torch.allclose(came, wanted, rtol=0, atol=tolerance * size, equal_nan=True)


def _nothing_fits(name: str, input_size: int, tried: list[str]) -> str:
    said = list(dict.fromkeys(tried))
    attempts = "; ".join(said[:3]) + (f"; and {len(said) - 3} other ways" if len(said) > 3 else "")
    return (
        f"expected a step, module(input (batch, {input_size}), state) -> (output, new state of the same form), or a "
        f"sequence module of that form; tried {attempts}. Wrap what it does in one step:\n{STEP_MODULE}"
    )


STEP_MODULE = """    class Step(nn.Module):
        def __init__(self, net): super().__init__(); self.net = net
        def forward(self, u, x): ...; return output, new_x  # u (batch, input), x (batch, state) or a tuple of such
    as_system(Step(net), input_size=..., state=torch.zeros(1, ...))"""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
