"""Systems whose step is a call of someone's own module: what step modules and whole models have in common."""

import copy
import inspect
import io
import warnings
from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rnnscope.base.errors import DerivativeError, UnsupportedModelError
from rnnscope.base.randomness import undisturbed
from rnnscope.systems import _examination as examination
from rnnscope.systems._functional import (
    all_tensors,
    constants_of,
    in_precision,
    packed,
    private_copy,
    unpacked,
)
from rnnscope.systems.system import Params, System, Weights, detached


class ForeignSystem(System):
    """A private copy of a module, called with parameters given.

    ``params`` are its parameters and buffers under the names of its state dict; ``renamed`` says what snapshots call
    them where that is something else. A subclass fills ``_call`` on rows, and calls ``_examine`` once it can.
    """

    kinks: tuple[str, ...] = ()
    """Operations in the step at which it is not smooth, such as relu; derivatives hold on either side of them."""

    only_single: str | None = None
    """Why the step cannot be computed in float64; None: it can."""

    def __init__(self, module: nn.Module):
        self._module = private_copy(module)
        self.params = all_tensors(self._module)
        self.constants = constants_of(self._module)
        self.frozen = frozenset(name for name, _ in self._module.named_buffers())
        self.renamed: dict[str, str] = {}
        self._dtype = torch.get_default_dtype()

    @abstractmethod
    def _call(self, weights: Weights, state: Tensor, drive: Tensor) -> tuple[Tensor, Tensor]:
        """New states and outputs of rows (batch, state_size) at drives (batch, drive)."""

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters; of a module without any, that of its state."""
        return next((p.dtype for p in self.params.values() if p.is_floating_point()), self._dtype)

    def signature(self) -> str:
        """Sizes, and the module's class with its source where that can be found."""
        kind = type(self._module)
        try:
            source = inspect.getsource(kind)
        except (OSError, TypeError):
            source = getattr(self._module, "code", "")
        return f"{super().signature()} {kind.__module__}.{kind.__qualname__} {self._module} {source}"

    def at(self, params: Params) -> "ForeignSystem":
        """The same module at other parameters; constants that no state dict holds may be missing."""
        return self._alike(params=detached(self._picked(params)))

    def called(self, names: dict[str, str]) -> "ForeignSystem":
        """The same, reading its parameters under other names: ``names[own]`` in a snapshot."""
        return self._alike(renamed=names)

    def _alike(self, **changes: Any) -> "ForeignSystem":
        """This system, sharing its module, with some attributes changed."""
        other = object.__new__(type(self))
        vars(other).update(vars(self) | changes)
        return other

    def _picked(self, params: Params) -> dict[str, Tensor]:
        found = {name: params[key] for name in self.params if (key := self._name_in(name, params)) in params}
        missing = [name for name in self.params if name not in found and name not in self.constants]
        if missing:
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            came = list(params)
            listed = ", ".join(came[:5]) + (f" and {len(came) - 5} more" if len(came) > 5 else "")
            raise ValueError(f"parameters {shown} are missing: expected {len(self.params)} by name, came {listed}")
        for name, tensor in found.items():
            own = self.params[name]
            if own.dim() and tensor.shape[-own.dim() :] != own.shape:
                raise ValueError(f"parameter {name}: expected shape {tuple(own.shape)}, came {tuple(tensor.shape)}")
        return {name: found.get(name, own) for name, own in self.params.items()}

    def _name_in(self, name: str, params: Params) -> str:
        return name if name in params else self.renamed.get(name, name)

    def to(self, target: torch.dtype | torch.device | str) -> "ForeignSystem":
        """This system in another floating-point type or on another device.

        Where its module computes in float32 whatever it is given, it stays in float32, with a warning that says why.
        """
        if target == torch.float64 and self.only_single is not None and self.dtype == torch.float32:
            warnings.warn(
                f"{type(self._module).__name__}: measured in float32, for in float64 {self.only_single}; make tensors "
                "inside the step with x.new_zeros(…) or dtype=x.dtype for double precision",
                stacklevel=3,
            )
            return self
        if not isinstance(target, torch.dtype):
            return self._alike(params=detached({name: p.to(target) for name, p in self.params.items()}))
        params = {name: p.to(in_precision(p.dtype, target)) for name, p in self.params.items()}
        return self._alike(params=detached(params), _dtype=target)

    def materialise(self, params: Params) -> Weights:
        """The parameters and buffers themselves."""
        return self._picked(params)

    def drive(self, weights: Weights, input: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch input"]:
        """The input itself."""
        return input

    def advance(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> tuple[Float[Tensor, "*batch state"], Float[Tensor, "*batch output"]]:
        """The state and the output that the module returns, flattened."""
        if state.dim() == drive.dim() == 2 and len(state) == len(drive):
            return self._call(weights, state, drive)
        batch = torch.broadcast_shapes(state.shape[:-1], drive.shape[:-1])
        rows = batch.numel()
        new, output = self._call(
            weights,
            state.expand(*batch, -1).reshape(rows, self.state_size),
            drive.expand(*batch, -1).reshape(rows, drive.shape[-1]),
        )
        return new.reshape(*batch, self.state_size), output.reshape(*batch, output.shape[-1])

    def step(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch state"]:
        """The state that the module returns, flattened."""
        return self.advance(weights, state, drive)[0]

    def readout(
        self, weights: Weights, state: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch output"]:
        """Not to be had: the module gives its output from the old state.

        Raises:
            UnsupportedModelError: always; ``advance`` and ``simulate`` give the outputs, ``outputs_on`` those on a
                limit set.

        """
        raise UnsupportedModelError(
            "a step module gives its output together with the new state: use advance, simulate or outputs_on"
        )

    def outputs_on(
        self, weights: Weights, states: Float[Tensor, "*batch state"], drive: Float[Tensor, "*batch drive"]
    ) -> Float[Tensor, "*batch output"]:
        """The outputs of the step that begins at each of the states."""
        return self.advance(weights, states, drive)[1]

    def tangent(
        self,
        weights: Weights,
        state: Float[Tensor, "*batch state"],
        drive: Float[Tensor, "*batch drive"],
        vectors: Float[Tensor, "*batch state k"],
    ) -> Float[Tensor, "*batch state k"]:
        """J V.

        Raises:
            DerivativeError: the derivatives of the module are not those of the map.

        """
        if self.derivative_problem is not None:
            raise DerivativeError(
                f"{self.derivative_problem}: its exponents and multipliers would belong to another map. Orbits need no "
                "derivatives: rs.Orbits(…)"
            )
        return super().tangent(weights, state, drive, vectors)

    def _once(self, tensors: Params, state: Tensor, input: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.materialise(tensors)
        return self.advance(weights, state, self.drive(weights, input))

    def _examine(self) -> None:
        """Look at what derivatives, precision and stacked parameters are worth; the map itself was accepted before."""
        generator = torch.Generator().manual_seed(0)
        state, input = (make(self, 2, generator) for make in (examination.some_states, examination.some_inputs))
        with undisturbed(self.device):
            if self.dtype == torch.float32:
                with torch.no_grad():
                    self.only_single = examination.double_precision_problem(
                        self._once,
                        self.params, state, input,
                    )  # fmt: skip
            self._require_own_parameters(state, input)
            precise = self if self.only_single is not None else self.to(torch.float64)
            forward, self.derivative_problem = examination.derivatives(precise)
            forward = forward and (precise is self or examination.has_forward_mode(self))
            # compiled modules drop tangents silently once they have been optimised, after some calls
            self.has_forward_mode = forward and not _is_compiled(self._module)
            self.stackable = not _is_compiled(self._module) and examination.is_stackable(precise)
            self.kinks = examination.not_smooth(precise)

    def _require_own_parameters(self, state: Tensor, input: Tensor) -> None:
        """Check that the step computes with the parameters it is given, as it would had they been loaded into it."""
        loaded = copy.deepcopy(self._module)
        with torch.no_grad():
            for tensor in loaded.parameters():
                tensor.mul_(1.1).add_(0.01)
            there = self._alike(_module=loaded, params=all_tensors(loaded))
            wanted = there._once(there.params, state, input)
            came = self._once(there.params, state, input)
        tolerance = 1e4 * torch.finfo(self.dtype).eps
        pairs = zip(came, wanted, strict=True)
        if not all(torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True) for a, b in pairs):
            raise UnsupportedModelError(
                f"{type(self._module).__name__}: it computes with copies of its parameters, kept in other attributes, "
                "so that it would be the same map at every epoch; let the step use the parameters themselves"
            )

    def __getstate__(self) -> dict[str, Any]:
        content = dict(vars(self))
        if isinstance(self._module, torch.jit.ScriptModule):
            buffer = io.BytesIO()
            torch.jit.save(self._module, buffer)
            content["_module"] = buffer.getvalue()
        else:
            content["_module"] = packed(self._module)
        return content

    def __setstate__(self, content: dict[str, Any]) -> None:
        if isinstance(content["_module"], bytes):
            content["_module"] = torch.jit.load(io.BytesIO(content["_module"]))
        else:
            content["_module"] = unpacked(*content["_module"])
        vars(self).update(content)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ForeignSystem":
        return self._alike(params=detached(self.params))


def _is_compiled(module: nn.Module) -> bool:
    return any(isinstance(part, torch.jit.ScriptModule) for part in module.modules())
