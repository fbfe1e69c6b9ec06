"""Any module ``(input, state) -> (output, state)`` as a System."""

import copy
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jvp, vmap
from torch.utils import _pytree as pytree

from rnnscope.base.errors import NonDeterministicError, UnsupportedModelError
from rnnscope.base.randomness import undisturbed
from rnnscope.systems.system import Params, System, Weights, detached, pick, stack_params


class ModuleSystem(System):
    """A step module as a map; its state may be any nesting of tensors, flattened into one vector.

    The module takes ``input`` (batch, input_size) and a state whose tensors have the batch first, and returns the
    output (batch, output_size) and the new state in the same form. A private copy in eval mode is used: dropout is off.

    Args:
        module: the step.
        input_size: width of the input.
        state: an example of the state, with a batch dimension first in every tensor.

    Raises:
        UnsupportedModelError: the module does not take or return what is said above.
        NonDeterministicError: it draws random numbers in eval mode.

    """

    def __init__(self, module: nn.Module, *, input_size: int, state: Any):
        self._module = copy.deepcopy(module).eval()
        leaves, self._form = pytree.tree_flatten(state)
        if not leaves or not all(isinstance(leaf, Tensor) and leaf.dim() >= 1 for leaf in leaves):
            raise UnsupportedModelError(f"state: expected tensors with a batch dimension first, came {state!r}")
        if any(leaf.is_complex() for leaf in leaves):
            raise UnsupportedModelError(
                "state: expected real tensors, came complex ones; hand over real and imaginary part"
            )
        self._shapes = [leaf.shape[1:] for leaf in leaves]
        self._sizes = [leaf[:1].numel() for leaf in leaves]
        self.input_size = input_size
        self.state_size = sum(self._sizes)
        self.state_labels = tuple(
            f"x{k}[{i}]" if len(leaves) > 1 else f"x[{i}]" for k, size in enumerate(self._sizes) for i in range(size)
        )
        self.params = detached(self._module.state_dict())
        self.frozen = frozenset(name for name, _ in self._module.named_buffers())
        self.output_size = self._examine(leaves[0].device)

    def signature(self) -> str:
        """Sizes, and the module's class with its source where that can be found."""
        kind = type(self._module)
        try:
            source = inspect.getsource(kind)
        except (OSError, TypeError):
            source = ""
        return f"{super().signature()} {kind.__module__}.{kind.__qualname__} {self._module} {source}"

    def __reduce__(self) -> tuple:
        leaves = [torch.zeros(1, *shape) for shape in self._shapes]
        example = pytree.tree_unflatten(leaves, self._form)
        return _rebuild, (type(self), self._module, self.input_size, example, self.params)

    def at(self, params: Params) -> "ModuleSystem":
        """The same module at other parameters."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        other.params = detached(pick(params, self.params))
        return other

    def materialise(self, params: Params) -> Weights:
        """The parameters and buffers themselves."""
        return dict(params)

    def drive(self, weights: Weights, input: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch input"]:
        """The input itself."""
        return input

    def advance(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch output"]]:
        """The state, flattened, and the output that the module returns."""
        return self._call(weights, state, drive)

    def _call(self, weights: Weights, state: Tensor, drive: Tensor) -> tuple[Tensor, Tensor]:
        batch = state.shape[:-1]
        rows = state.reshape(-1, self.state_size)
        leaves = [
            part.unflatten(-1, shape or (1,))
            for part, shape in zip(rows.split(self._sizes, -1), self._shapes, strict=True)
        ]
        leaves = [leaf if shape else leaf[..., 0] for leaf, shape in zip(leaves, self._shapes, strict=False)]
        arguments = (drive.reshape(-1, self.input_size), pytree.tree_unflatten(leaves, self._form))
        own = {name: tensor.clone() if name in self.frozen else tensor for name, tensor in weights.items()}
        output, new = functional_call(self._module, own, arguments)
        flat = torch.cat([leaf.reshape(len(rows), -1) for leaf in pytree.tree_leaves(new)], dim=-1)
        return flat.reshape(*batch, -1), output.reshape(*batch, -1)

    def step(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch state"]:
        """The state that the module returns, flattened."""
        return self.advance(weights, state, drive)[0]

    def readout(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch output"]:
        """Not to be had: the module gives its output from the old state.

        Raises:
            UnsupportedModelError: always; ``advance`` and ``simulate`` give the outputs.

        """
        raise UnsupportedModelError(
            "a step module gives its output together with the new state: use advance or simulate, "
            "or hand over the pair (core, head)"
        )

    def outputs_on(
        self, weights: Weights, states: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch input"]
    ) -> Float[Tensor, "*batch output"]:
        """The outputs of the step that begins at each of the states."""
        return self._call(weights, states, drive)[1]

    def _examine(self, device: torch.device) -> int:
        """Width of the output, after checking that the module is a deterministic step of the right form."""
        generator = torch.Generator().manual_seed(0)
        state, input = (
            torch.randn(2, size, generator=generator).to(dtype=self.dtype, device=device)
            for size in (self.state_size, self.input_size)
        )
        with torch.no_grad(), undisturbed(device):
            try:
                new, output = self._call(self.params, state, input)
                torch.rand(1, device=device)
                again = self._call(self.params, state, input)
            except Exception as error:
                raise UnsupportedModelError(
                    f"{type(self._module).__name__}: expected module(input (batch, {self.input_size}), state) -> "
                    f"(output (batch, ...), state of the same form); calling it gave {type(error).__name__}: {error}"
                ) from error
        if new.shape != state.shape:
            raise UnsupportedModelError(
                f"{type(self._module).__name__}: expected a new state of {self.state_size} numbers, "
                f"came {new.shape[-1]}"
            )
        if not (torch.equal(new, again[0]) and torch.equal(output, again[1])):
            raise NonDeterministicError(
                f"{type(self._module).__name__}: the same state and input gave two different answers in eval mode; "
                "a map must not draw random numbers: take the noise out of the step"
            )
        self.has_forward_mode = _works(lambda: jvp(lambda x: self.step(self.params, x, input), (state,), (state,)))
        self.stackable = _works(
            lambda: vmap(lambda params: self.step(params, state, input))(stack_params([self.params]))
        )
        return output.shape[-1]


def _works(attempt: Callable[[], object]) -> bool:
    """Whether torch can do this: its fused kernels have neither forward differentiation nor batching rules."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            attempt()
    except (NotImplementedError, RuntimeError):
        return False
    return True


def _rebuild(cls: type[ModuleSystem], module: nn.Module, input_size: int, state: Any, params: Params) -> ModuleSystem:
    return cls(module, input_size=input_size, state=state).at(params)
