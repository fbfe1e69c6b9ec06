"""Derivatives along many trajectories of one network, each start with a gradient of its own."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from rnnscope.smoothness import _batching
from rnnscope.smoothness.directions import ParameterSpace
from rnnscope.systems import System

Cost = Callable[[Tensor], Tensor]  # outputs (start, time, output) -> (start,)
Product = Callable[[Tensor], Tensor]  # vectors (start, p) -> vectors
Inputs = Callable[[int], Tensor]  # of step t = 0, 1, …: (channel,) for all starts, or (start, channel)


class Trajectories:
    """Outputs of the first steps from many starts, with what their derivatives need; float64.

    Each start has parameters θ of its own, all equal, so that one backward pass gives the gradients of all of them.

    Args:
        system: the network, in float64.
        starts: x[0] (start, state_size).
        inputs: u[t+1] as a function of t.
        n_steps: N.

    """

    def __init__(self, system: System, starts: Tensor, inputs: Inputs, n_steps: int):
        self.space = ParameterSpace.of(system)
        self.n_starts, self.n_steps = len(starts), n_steps
        with torch.enable_grad():
            own = self.space.flatten(system.params).expand(self.n_starts, -1)
            self.theta = own.clone().requires_grad_()
            fixed = {name: p.expand(self.n_starts, *p.shape) for name, p in system.params.items()}
            points = {**fixed, **self.space.unflatten(self.theta)}
            detached = {name: p.detach() for name, p in points.items()}
            one = rows(inputs(0), self.n_starts)[:1, None]
            with torch.no_grad():
                maker = _batching.quickest(system, detached, one, differentiable=True)
            layout = maker(system, points)
            state = layout.enter(starts[:, None])
            kept, drive, before = [], None, None
            for t in range(n_steps):
                input = inputs(t)
                if drive is None or input is not before:
                    drive, before = layout.drive(rows(input, self.n_starts)[:, None]), input
                state, output = layout.advance(state, drive)
                kept.append(layout.leave(output)[:, 0])
            self.outputs = torch.stack(kept, dim=1)  # (start, time, output)
            self.final = layout.leave(state)[:, 0]

    def gradient(self, of: Tensor, *, differentiable: bool = False) -> Tensor:
        """∂/∂θ of one number for each start, (start, p)."""
        if not of.requires_grad:
            return torch.zeros_like(self.theta)
        (found,) = torch.autograd.grad(
            of.sum(), self.theta, create_graph=differentiable, retain_graph=True, allow_unused=True
        )
        return torch.zeros_like(self.theta) if found is None else found

    def jacobian(self) -> Tensor:
        """∂ŷ_N/∂θ of the last output, (start, output, p): one backward pass for each output."""
        last = self.outputs[:, -1]
        return torch.stack([self.gradient(last[:, i]) for i in range(last.shape[1])], dim=1)

    @cached_property
    def _weighting(self) -> Tensor:
        return torch.zeros_like(self.outputs).requires_grad_()

    @cached_property
    def _adjoint_product(self) -> Tensor:
        with torch.enable_grad():
            return torch.autograd.grad(self.outputs, self.theta, self._weighting, create_graph=True)[0]

    def tangents(self, vectors: Tensor) -> Tensor:
        """(∂ŷ/∂θ) v of all steps, (start, time, output), for one vector v (p,) of each start."""
        return torch.autograd.grad(self._adjoint_product, self._weighting, vectors, retain_graph=True)[0]

    def adjoints(self, weights: Tensor) -> Tensor:
        """(∂ŷ/∂θ)ᵀ w, (start, p), for weights w (start, time, output)."""
        return torch.autograd.grad(self.outputs, self.theta, weights, retain_graph=True)[0]

    def hessian(self, cost: Cost) -> Product:
        """Products of the cost's Hessian in θ with a vector of each start."""
        with torch.enable_grad():
            gradient = self.gradient(cost(self.outputs), differentiable=True)

        def product(vectors: Tensor) -> Tensor:
            if not gradient.requires_grad:
                return torch.zeros_like(vectors)
            return torch.autograd.grad(gradient, self.theta, vectors, retain_graph=True)[0]

        return product


def largest_singular_value(matrices: Tensor) -> Tensor:
    """Of each (..., output, p), exact, from the small matrix of inner products of its rows."""
    scale = matrices.abs().amax((-1, -2), keepdim=True).clamp(min=torch.finfo(matrices.dtype).tiny)
    scaled = matrices / scale
    fit = torch.isfinite(scaled).all((-1, -2))
    gram = torch.where(fit[..., None, None], scaled @ scaled.mT, 0.0)
    largest = torch.linalg.eigvalsh(gram)[..., -1].clamp(min=0).sqrt() * scale[..., 0, 0]
    return torch.where(fit, largest, torch.nan)


def rows(input: Tensor, n: int) -> Tensor:
    """Inputs (start, channel)."""
    return input if input.dim() == 2 else input.expand(n, -1)
