"""Derivatives along trajectories from the Jacobians of all their steps, which are taken at once.

With x[t] = f(x[t-1], θ) and ŷ[t] = g(x[t-1], θ) known, everything but two linear recurrences is the same work at every
step, so that time is one more dimension of it, as sequences are elsewhere:

    tangent   ẋ[t] = A[t] ẋ[t-1] + (∂f/∂θ) v,      adjoint   λ[t-1] = A[t]ᵀ λ[t] + (∂g/∂x)ᵀ w[t],      A[t] = ∂f/∂x
"""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from rnnscope.smoothness import _batching
from rnnscope.smoothness._trajectories import Cost, Inputs, Product, Trajectories, rows
from rnnscope.smoothness.directions import ParameterSpace
from rnnscope.systems import System

Tensors = tuple[Tensor, ...]
_MEMORY = 1 << 29  # bytes of the Jacobians of all steps
_ROWS_FROM = 32  # numbers in a state, from which a product with a row is the quicker one


class Course:
    """Trajectories from many starts, with the Jacobians of their steps where these fit into memory; float64.

    Shorter trajectories are their beginnings.

    Args:
        system: the network, in float64.
        starts: x[0] (start, state_size).
        inputs: u[t+1] as a function of t.
        n_steps: the greatest N.

    """

    def __init__(self, system: System, starts: Tensor, inputs: Inputs, n_steps: int):
        self.system, self.starts, self.inputs = system, starts, inputs
        self.driving = torch.stack([rows(inputs(t), len(starts)) for t in range(n_steps)])
        self.jacobians: list[Tensor] = []
        if n_steps * len(starts) > starts_with_jacobians(system, 1):
            return
        with torch.no_grad():
            weights = system.weights
            states = system.simulate(starts, self.driving, states=True, weights=weights).states
            assert states is not None
            self.before = torch.cat([starts[None], states[:-1]])
            for x, u in zip(self.before, self.driving, strict=True):
                self.jacobians.append(system.jacobian(weights, x, system.drive(weights, u)))

    def first(self, n_steps: int) -> "Linearised | Trajectories":
        """Derivatives along the first steps, in the quicker of the two ways that fits into memory."""
        if not self.jacobians:
            return Trajectories(self.system, self.starts, self.inputs, n_steps)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop because we have not yet impl")
            return Linearised(self, n_steps)


def starts_with_jacobians(system: System, n_steps: int) -> int:
    """How many trajectories of so many steps can have the Jacobians of all of them in memory."""
    return _MEMORY // (8 * n_steps * system.state_size**2)


class Linearised:
    """What ``Trajectories`` gives, of the first ``n_steps`` of a course with Jacobians."""

    def __init__(self, course: Course, n_steps: int):
        system, n = course.system, len(course.starts)
        self.space = ParameterSpace.of(system)
        before, driving = course.before[:n_steps], course.driving[:n_steps]
        self._jacobians = course.jacobians[:n_steps]
        with torch.enable_grad():
            own = self.space.flatten(system.params).expand(n, -1)
            self.theta = own.clone().requires_grad_()
            fixed = {name: p.expand(n, *p.shape) for name, p in system.params.items()}
            points = {**fixed, **self.space.unflatten(self.theta)}
            detached = {name: p.detach() for name, p in points.items()}
            with torch.no_grad():
                maker = _batching.quickest(system, detached, driving[:1, :1].movedim(0, 1), differentiable=True)
            layout = maker(system, points)
            self._before = before.movedim(0, 1).contiguous().requires_grad_()
            state, output = layout.advance(layout.enter(self._before), layout.drive(driving.movedim(0, 1)))
            self._after, self._outputs = layout.leave(state), layout.leave(output)  # (start, time, …)
            self._at_state, self._at_output = (
                torch.zeros_like(x).requires_grad_() for x in (self._after, self._outputs)
            )
            self._pulled = _grad((self._after, self._outputs), (self._before, self.theta),
                                 (self._at_state, self._at_output), differentiable=True)  # fmt: skip
        self.outputs = self._outputs.detach()

    def jacobian(self) -> Tensor:
        """∂ŷ_N/∂θ of the last output, (start, output, p): one adjoint for each output."""
        found = []
        for i in range(self.outputs.shape[2]):
            weights = torch.zeros_like(self.outputs)
            weights[:, -1, i] = 1
            found.append(self.adjoints(weights))
        return torch.stack(found, dim=1)

    def tangents(self, vectors: Tensor) -> Tensor:
        """(∂ŷ/∂θ) v of all steps, (start, time, output), for one vector v (p,) of each start."""
        return self._tangents(vectors)[1]

    def adjoints(self, weights: Tensor) -> Tensor:
        """(∂ŷ/∂θ)ᵀ w, (start, p), for weights w (start, time, output)."""
        return self._collected(self._costates(self._sources(weights)), weights)

    def hessian(self, cost: Cost) -> Product:
        """Products of the cost's Hessian in θ with a vector of each start: the tangent of its adjoint."""
        with torch.enable_grad():
            outputs = self.outputs.clone().requires_grad_()
            value = cost(outputs)
            (slope,) = _grad((value,), (outputs,), (torch.ones_like(value),), differentiable=True)
            weights = slope.detach()
            costates = self._costates(self._sources(weights))
            pulled = _grad((self._after, self._outputs), (self._before, self.theta), (costates, weights),
                           differentiable=True)  # fmt: skip

        def product(vectors: Tensor) -> Tensor:
            moved, tangents = self._tangents(vectors)
            by_state, by_theta = _grad(pulled, (self._before, self.theta), (moved, vectors))
            (weights,) = _grad((slope,), (outputs,), (tangents,))
            return by_theta + self._collected(self._costates(self._sources(weights) + by_state), weights)

        return product

    def _tangents(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """ẋ[0] … ẋ[N-1] and the tangents of the outputs, (start, time, …)."""
        (forcing,) = _grad(self._pulled[1:], (self._at_state,), (vectors,))
        before = torch.stack(_recurrence(forcing[:, :-1], self._jacobians), dim=1)
        (tangents,) = _grad(self._pulled, (self._at_output,), (before, vectors))
        return before, tangents

    def _costates(self, sources: Tensor) -> Tensor:
        """λ[1] … λ[N] (start, time, state) where λ[t-1] = A[t]ᵀ λ[t] + source[t], λ[N] = 0."""
        found = _recurrence(sources[:, 1:].flip(1), [matrix.mT for matrix in self._jacobians[:0:-1]])
        return torch.stack(found[::-1], dim=1)

    def _sources(self, weights: Tensor) -> Tensor:
        """What w[t] is worth at x[t-1], (start, time, state)."""
        return _grad((self._outputs,), (self._before,), (weights,))[0]

    def _collected(self, costates: Tensor, weights: Tensor) -> Tensor:
        """What λ[t] and w[t] are worth at θ, summed over time (start, p)."""
        return _grad((self._after, self._outputs), (self.theta,), (costates, weights))[0]


def _recurrence(forcing: Tensor, matrices: Sequence[Tensor]) -> list[Tensor]:
    """0, and then matrix[k] x + forcing[k] again and again: (start, state) each."""
    wide = forcing.shape[-1] > _ROWS_FROM
    found = [forcing.new_zeros(len(forcing), forcing.shape[-1])]
    for given, matrix in zip(forcing.movedim(1, 0), matrices, strict=False):
        if wide:
            found.append(torch.baddbmm(given[:, None], found[-1][:, None], matrix.mT)[:, 0])
        else:
            found.append(torch.baddbmm(given[..., None], matrix, found[-1][..., None])[..., 0])
    return found


def _grad(of: Tensors, by: Tensors, weights: Tensors, *, differentiable: bool = False) -> Tensors:
    """Gradients that are zero where nothing depends on anything."""
    kept = [k for k, x in enumerate(of) if x.requires_grad]
    if not kept:
        return tuple(torch.zeros_like(x) for x in by)
    found = torch.autograd.grad(
        [of[k] for k in kept], by, [weights[k] for k in kept], create_graph=differentiable, retain_graph=True,
        allow_unused=True,
    )  # fmt: skip
    return tuple(torch.zeros_like(x) if g is None else g for g, x in zip(found, by, strict=True))
