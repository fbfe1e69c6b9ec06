"""The cost of a network on data: V(θ) = (1/N) Σ_t l(ŷ[t], y[t]), averaged over sequences."""

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from rnnscope.base.errors import NonDeterministicError, require, unknown
from rnnscope.base.randomness import undisturbed
from rnnscope.systems import ModuleSystem, System
from rnnscope.systems.system import Params, Weights

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Objective:
    """Data, loss and initial state: what makes a cost of a network.

        V(θ) = mean over sequences, steps t > n_transient and outputs of l(ŷ[t], y[t]),  x[0] fixed

    >>> objective = Objective(torch.zeros(1, 3, 1), torch.zeros(1, 3, 1))
    >>> objective.n_steps, objective.loss
    (3, 'squared-error')

    Attributes:
        inputs: (sequence, time, channel), in the unit of the network's input; tokens as whole numbers (sequence, time).
            Data with time in front, as torch takes them by default, go as ``inputs.movedim(0, 1)``, targets too.
        targets: for "squared-error" (sequence, time, output), or (sequence, output) to compare at the last step only;
            for "cross-entropy" whole numbers (sequence, time), or (sequence,) for the last step.
        loss: "squared-error", "cross-entropy", or a function (outputs (sequence, time, output), targets) -> scalar,
            twice differentiable in the outputs; it gets the steps after ``n_transient`` only.
        state: x[0], (state,) for all sequences or (sequence, state); None: that with which the network begins, its
            learned initial state where it has one, else zero.
        n_transient: first steps that do not count.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, an unknown loss, no step left to count.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 2.

    """

    inputs: Any
    targets: Any
    _: KW_ONLY
    loss: str | Loss = "squared-error"
    state: Any = None
    n_transient: int = 0

    def __post_init__(self) -> None:
        for name in ("inputs", "targets", "state"):
            object.__setattr__(self, name, _tensor(name, getattr(self, name)))
        if self.inputs.dim() == 2 and not self.inputs.is_floating_point():
            object.__setattr__(self, "inputs", self.inputs[..., None].double())  # tokens: whole numbers in one channel
        inputs, targets = self.inputs, self.targets
        shaped = inputs.dim() == 3 and inputs.numel() > 0 and inputs.is_floating_point()
        require(
            shaped, "inputs", "floats of shape (sequence, time, channel), or tokens (sequence, time)", _said(inputs)
        )
        n, time = inputs.shape[:2]
        if isinstance(self.loss, str):
            if self.loss not in LOSSES:
                raise unknown("loss", self.loss, LOSSES)
            LOSSES[self.loss].check(targets, n, time)
        elif not callable(self.loss):
            raise TypeError(f"loss: expected a name or a function (outputs, targets) -> scalar, came {self.loss!r}")
        state = self.state
        fits = state is None or (state.dim() in (1, 2) and (state.dim() == 1 or len(state) == n))
        require(fits, "state", f"shape (state,) or ({n}, state)", None if state is None else tuple(state.shape))
        valid = type(self.n_transient) is int and 0 <= self.n_transient < time
        require(valid, "n_transient", f"a whole number from 0 to {time - 1}, the last step but one", self.n_transient)

    @property
    def n_sequences(self) -> int:
        """Number of sequences."""
        return len(self.inputs)

    @property
    def n_steps(self) -> int:
        """Length of the sequences."""
        return self.inputs.shape[1]

    @property
    def last_step_only(self) -> bool:
        """Whether the targets are those of the last step alone."""
        return isinstance(self.loss, str) and self.targets.dim() == LOSSES[self.loss].target_dim - 1

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for data, loss and initial state; of a function its source counts."""
        parts = [self.describe_loss(), str(self.n_transient)]
        for tensor in (self.inputs, self.targets, self.state):
            if tensor is None:
                parts.append("none")
                continue
            data = tensor.detach().cpu().contiguous()
            parts += [str(data.dtype), str(tuple(data.shape)), hashlib.sha256(data.numpy().tobytes()).hexdigest()]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]

    def describe_loss(self) -> str:
        """The loss in words: its name, or a function's name and source."""
        if isinstance(self.loss, str):
            return self.loss
        try:
            source = inspect.getsource(self.loss)
        except (OSError, TypeError):
            source = repr(self.loss)
        return f"{getattr(self.loss, '__module__', '')}.{getattr(self.loss, '__qualname__', '')} {source}"

    def first(self, n_steps: int) -> Self:
        """The same over the first steps only: V_N of a shorter length N.

        Raises:
            ValueError: a length beyond the data or without a step that counts; targets of the last step alone.

        """
        fits = type(n_steps) is int and self.n_transient < n_steps <= self.n_steps
        require(
            fits, "length", f"a whole number from {self.n_transient + 1} to {self.n_steps}, the data's length", n_steps
        )
        if self.last_step_only:
            raise ValueError("length: the targets are those of the last step alone, so the cost has one length only")
        return replace(self, inputs=self.inputs[:, :n_steps], targets=self.targets[:, :n_steps])

    def on(self, system: System) -> Self:
        """The same in the floating-point type and on the device of a system.

        Raises:
            ValueError: input, target or state of another width than the system's.

        """
        width = system.input_size
        if system.n_tokens is not None and self.inputs.shape[2] != width:
            expected = f"tokens, whole numbers (sequence, time) below {system.n_tokens} (one-hot: inputs.argmax(-1))"
            require(False, "inputs", expected, f"{self.inputs.shape[2]} channels")
        require(self.inputs.shape[2] == width, "inputs", f"{width} channels", self.inputs.shape[2])
        if system.n_tokens is not None:
            whole = (self.inputs == self.inputs.round()) & (self.inputs >= 0) & (self.inputs < system.n_tokens)
            expected = f"tokens, whole numbers from 0 to {system.n_tokens - 1}"
            require(bool(whole.all()), "inputs", expected, f"numbers from {self.inputs.min()} to {self.inputs.max()}")
        self._require_one_output(system)
        if self.loss == "squared-error":
            width = system.output_size
            require(self.targets.shape[-1] == width, "targets", f"{width} outputs", self.targets.shape[-1])
        if self.loss == "cross-entropy":
            highest = int(self.targets.max())
            require(highest < system.output_size, "targets", f"classes below {system.output_size}", highest)
        if self.state is not None:
            width = system.state_size
            require(self.state.shape[-1] == width, "state", f"{width} numbers", self.state.shape[-1])
        changed = {}
        for name in ("inputs", "targets", "state"):
            tensor = getattr(self, name)
            if tensor is not None:
                dtype = system.dtype if tensor.is_floating_point() else tensor.dtype
                changed[name] = tensor.to(dtype=dtype, device=system.device)
        return replace(self, **changed)

    def _require_one_output(self, system: System) -> None:
        """ValueError where the targets are those of one output among several."""
        whole = self.loss == "squared-error" and self.targets.shape[-1] == system.output_size
        if system.output_sizes and not whole and isinstance(self.loss, str):
            is_step = isinstance(system, ModuleSystem)
            forward = (
                "(self, u, x): y, x = self.net(u, x); return y[0], x" if is_step else "(self, x): return self.net(x)[0]"
            )
            then = (
                "Run(path, model=as_system(First(step), …))"
                if is_step
                else "Run(path, model=First(model)), or Recorder(path, First(model), …),"
            )
            raise ValueError(
                f"targets: the model returns several outputs, of {' + '.join(map(str, system.output_sizes))} values, "
                "one after another; expected floats for all of them with loss='squared-error', or a model that returns "
                "the one meant:\n"
                "    class First(nn.Module):\n"
                "        def __init__(self, net): super().__init__(); self.net = net\n"
                f"        def forward{forward}\n"
                f"{then} will do"
            )

    def initial_state(self, system: System, weights: Weights = None) -> Tensor:
        """x[0] of each sequence, (sequence, state_size), in the type and on the device of the system.

        Where no state was given, that with which the network itself begins at these ``weights`` (its own by default).
        """
        shape = (self.n_sequences, system.state_size)
        if self.state is None:
            inputs = self.inputs.movedim(1, 0).to(dtype=system.dtype, device=system.device)
            return system.initial_state(system.weights if weights is None else weights, inputs)
        return self.state.to(dtype=system.dtype, device=system.device).expand(shape)

    def loss_of(self, outputs: Tensor) -> Tensor:
        """The cost of outputs (sequence, time, output) of all steps: a scalar, differentiable in them."""
        if callable(self.loss):
            return self.loss(outputs[:, self.n_transient :], self.targets[:, self.n_transient :])
        named = LOSSES[self.loss]
        if self.last_step_only:
            return named.of(outputs[:, -1], self.targets).mean()
        return named.of(outputs[:, self.n_transient :], self.targets[:, self.n_transient :]).mean()


@dataclass(frozen=True)
class NamedLoss:
    """A loss that is a mean of one number for each output vector: ``of`` (..., output), targets -> (...)."""

    of: Callable[[Tensor, Tensor], Tensor]
    target_dim: int
    whole: bool

    def check(self, targets: Tensor, n: int, time: int) -> None:
        """Raise a ValueError unless targets fit ``n`` sequences of ``time`` steps."""
        last = ", output" if self.target_dim == 3 else ""
        kind = "whole numbers" if self.whole else "floats"
        every = targets.dim() == self.target_dim and targets.shape[:2] == (n, time)
        only_last = targets.dim() == self.target_dim - 1 and len(targets) == n
        fits = (every or only_last) and targets.is_floating_point() != self.whole
        expected = f"{kind} of shape ({n}, {time}{last}) or ({n}{last or ','})"
        if not self.whole and not targets.is_floating_point() and targets.shape in ((n, time), (n,)):
            expected += "; classes go with loss='cross-entropy'"
        require(fits, "targets", expected, _said(targets))
        require(not self.whole or int(targets.min()) >= 0, "targets", "classes from 0 on", targets)


def _squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean(-1)


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    index = targets[..., None].expand(*outputs.shape[:-1], 1)
    return -torch.log_softmax(outputs, dim=-1).gather(-1, index)[..., 0]


LOSSES = {
    "squared-error": NamedLoss(_squared_error, target_dim=3, whole=False),
    "cross-entropy": NamedLoss(_cross_entropy, target_dim=2, whole=True),
}


def outputs_of(system: System, weights: Weights, objective: Objective) -> Tensor:
    """ŷ of all sequences, (sequence, time, output), differentiable in the weights; ``objective`` is one ``on`` it."""
    state = objective.initial_state(system, weights)
    drives = system.drive(weights, objective.inputs.movedim(1, 0))
    outputs = []
    for drive in drives:
        state, output = system.advance(weights, state, drive)
        outputs.append(output)
    return torch.stack(outputs, dim=1)


def cost(system: System, params: Params, objective: Objective) -> Tensor:
    """V(θ) at the parameters θ, a scalar that can be differentiated in them as often as the cell can.

    >>> rnn = torch.nn.RNN(1, 1, bias=False)
    >>> for p in rnn.parameters():
    ...     _ = torch.nn.init.constant_(p, 0.5)
    >>> from rnnscope.systems import as_system
    >>> data = Objective(inputs=torch.ones(1, 1, 1), targets=torch.zeros(1, 1, 1))
    >>> system = as_system(rnn)
    >>> round(float(cost(system, system.params, data)), 4)  # tanh(0.5)²
    0.2136

    Args:
        system: the rule.
        params: θ by name, as in ``system.params``.
        objective: data, loss and initial state.

    Raises:
        ValueError: data that do not fit the system.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 2.

    """
    data = objective.on(system)
    return data.loss_of(outputs_of(system, system.materialise(params), data))


def examine(system: System, objective: Objective) -> Objective:
    """The objective ``on`` the system, after checking on a few numbers that its loss is fit for this work.

    Raises:
        ValueError: data that do not fit, a loss that is not a scalar, or one without a derivative.
        NonDeterministicError: a loss that draws random numbers.

    """
    data = objective.on(system)
    if isinstance(data.loss, str):
        return data
    n_kept = data.n_steps
    with torch.enable_grad(), undisturbed(system.device):
        generator = torch.Generator().manual_seed(0)
        outputs = torch.randn(data.n_sequences, n_kept, system.output_size, generator=generator, dtype=torch.float64)
        outputs = outputs.to(dtype=system.dtype, device=system.device).requires_grad_()
        value = data.loss_of(outputs)
        scalar = isinstance(value, Tensor) and value.numel() == 1
        require(scalar, "loss", "one number for outputs (sequence, time, output)", _said(value))
        torch.rand(1, device=system.device)
        if not torch.equal(data.loss_of(outputs), value) and bool(torch.isfinite(value)):
            raise NonDeterministicError(
                "loss: the same outputs gave two different costs: it draws random numbers, and neither its gradient "
                "nor its minima would mean anything; take the noise out, or fix it beforehand"
            )
        smooth = value.requires_grad and torch.autograd.grad(value, outputs, allow_unused=True)[0] is not None
        require(
            smooth,
            "loss",
            "a differentiable function of the outputs",
            "one without a derivative (gradient, Hessian and sensitivity are not defined for it)",
        )
    return data


def _tensor(name: str, value: Any) -> Tensor | None:
    if value is None:
        if name == "state":
            return None
        raise ValueError(f"{name}: expected numbers, came None")
    try:
        tensor = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}: expected numbers, came {value!r}") from None
    require(bool(torch.isfinite(tensor).all()), name, "finite numbers", "NaN or infinity among them")
    return tensor


def _said(value: Any) -> str:
    return f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
