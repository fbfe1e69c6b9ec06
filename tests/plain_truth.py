"""What a step does by itself, without rnnscope: the truth that a System and the probes of it are compared with."""

import copy
import math

import numpy as np
import torch
from torch.utils import _pytree as pytree

import rnnscope as rs
from rnnscope.attractors import kind_names
from rnnscope.testing import check_system


def seeded(make, *, seed=0, spread=0.3):
    """What ``make`` makes, in float64 and eval mode; ``spread`` shakes parameters that begin at a constant."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = make().double().eval()
        for parameter in module.parameters():
            if parameter.is_complex():  # .double() leaves these as they are
                parameter.data = parameter.data.to(torch.complex128)
            elif parameter.requires_grad and parameter.numel() > 1 and parameter.max() == parameter.min():
                parameter.data += spread * torch.randn_like(parameter)
    return module


def normal(*shape, seed=0, scale=1.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Plain:
    """Someone's module as a function of flat real rows; ``call(module, input, state) -> (output, state)`` says how.

    Tensors of the state stand side by side in their order, the batch dimension first, complex numbers as pairs.
    """

    def __init__(self, module, state, call=lambda module, u, x: module(u, x), *, batch_axis=0):
        self.module, self.state, self.call, self.batch_axis = module, state, call, batch_axis
        leaves, self.form = pytree.tree_flatten(state)
        self.complex = [leaf.is_complex() for leaf in leaves]
        self.shapes = [leaf.movedim(batch_axis, 0).shape[1:] for leaf in leaves]
        self.sizes = [shape.numel() * (1 + twice) for shape, twice in zip(self.shapes, self.complex, strict=True)]
        self.size = sum(self.sizes)

    def nested(self, rows):
        leaves = []
        for part, shape, twice in zip(rows.split(self.sizes, -1), self.shapes, self.complex, strict=True):
            whole = torch.view_as_complex(part.reshape(len(rows), -1, 2).contiguous()) if twice else part
            leaves.append(whole.reshape(len(rows), *shape).movedim(0, self.batch_axis).clone())  # some write into them
        return pytree.tree_unflatten(leaves, self.form)

    def flat(self, state):
        rows = [leaf.movedim(self.batch_axis, 0) for leaf in pytree.tree_leaves(state)]
        rows = [torch.view_as_real(leaf) if leaf.is_complex() else leaf for leaf in rows]
        return torch.cat([leaf.reshape(len(leaf), -1) for leaf in rows], dim=-1)

    def step(self, x, u):
        """New states (batch, state) and outputs (batch, output)."""
        output, state = self.call(self.module, u, self.nested(x))
        return self.flat(state), output.reshape(len(x), -1)

    def elsewhere(self, seed=7):
        """The same at other parameters, and these by name, buffers too."""
        module = copy.deepcopy(self.module)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in module.parameters():
                if p.requires_grad:
                    p += 0.1 * torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        other = Plain(module, self.state, self.call, batch_axis=self.batch_axis)
        return other, {**dict(module.named_parameters()), **dict(module.named_buffers())}

    def run(self, x, inputs):
        """States and outputs along inputs (time, batch, channel)."""
        states, outputs = [], []
        with torch.no_grad():
            for u in inputs:
                x, y = self.step(x, u)
                states.append(x)
                outputs.append(y)
        return torch.stack(states), torch.stack(outputs)

    def settle(self, x, u, n_steps):
        with torch.no_grad():
            for _ in range(n_steps):
                x = self.step(x, u)[0]
        return x

    def jacobian(self, x, u, width=1e-6):
        """By central differences, (batch, state, state)."""
        columns = []
        with torch.no_grad():
            for shift in width * torch.eye(self.size, dtype=x.dtype):
                columns.append((self.step(x + shift, u)[0] - self.step(x - shift, u)[0]) / (2 * width))
        return torch.stack(columns, dim=-1)

    def jacobian_by_autograd(self, x, u):
        x = x.detach().requires_grad_()
        new = self.step(x, u)[0]
        rows = [
            torch.autograd.grad(new[:, i].sum(), x, retain_graph=True, allow_unused=True)[0] for i in range(self.size)
        ]
        return torch.stack([torch.zeros_like(x) if row is None else row for row in rows], dim=-2)

    def growth(self, x, u, n_steps, width=1e-7):
        """Mean rate (nat/step) at which a small real difference grows; -inf where it is lost altogether."""
        x, u = x[:1], u[:1]
        difference = normal(1, self.size, seed=5)
        total, settling = 0.0, n_steps // 4
        with torch.no_grad():
            for t in range(n_steps + settling):
                y = x + width * difference / difference.norm()
                x, y = self.step(x, u)[0], self.step(y, u)[0]
                difference = y - x
                size = float(difference.norm()) / width
                if size < 1e-6:
                    return -math.inf
                total += math.log(size) if t >= settling else 0.0
        return total / n_steps


def same_map(system, plain, *, scale=1.0, centre: float | torch.Tensor = 0.0, derivatives=True):
    """One step of several states, twenty steps, and derivatives: those of the plain call."""
    system = system.to(torch.float64)
    assert system.state_size == plain.size
    x, inputs = (
        centre + normal(7, plain.size, seed=1, scale=scale),
        normal(20, 7, system.input_size, seed=2, scale=scale),
    )
    weights, before = system.weights, x.clone()
    with torch.no_grad():
        wanted, output = plain.step(x, inputs[0])
        new, came = system.advance(weights, x, system.drive(weights, inputs[0]))
    assert torch.equal(x, before), "a step changes the state that it is given"
    assert torch.isfinite(wanted).all(), "the states of this test leave the bounds of the network"
    close(new, wanted)
    close(came, output)
    states, outputs = plain.run(x, inputs)
    found = system.simulate(x, inputs, states=True)
    close(found.states, states, 1e-9)
    close(found.outputs, outputs, 1e-9)
    single = system.simulate(x[:1], inputs[:, :1])
    close(single.final, states[-1, :1], 1e-9)
    other, named = plain.elsewhere()
    moved = system.at({name: named.get(name, value) for name, value in system.params.items()})
    with torch.no_grad():
        close(moved.step(moved.weights, x, moved.drive(moved.weights, inputs[0])), other.step(x, inputs[0])[0])
    trained = moved.params.keys() - moved.frozen
    assert trained <= named.keys(), "parameters have the names that they have in the module"
    if derivatives:
        assert system.derivative_problem is None, system.derivative_problem
        jacobian = system.jacobian(weights, x, system.drive(weights, inputs[0]))
        close(jacobian, plain.jacobian_by_autograd(x, inputs[0]), 1e-9)
        close(jacobian, plain.jacobian(x, inputs[0]), 1e-6)


def keeps_the_contract(system, *, scale=1.0, centre: float | torch.Tensor = 0.0):
    check_system(system, scale=scale, centre=centre)


def measured_rightly(system, plain, input, *, scale=1.0, centre: float | torch.Tensor = 0.0, n_steps=400):
    """Orbits, the leading exponent, fixed points and attractors under a held input, against the plain call.

    Returns the kinds of the limit sets found.
    """
    starts = centre + normal(4, plain.size, seed=3, scale=scale)
    u = torch.tensor([input] * 4, dtype=torch.float64).reshape(4, system.input_size)
    exponent = leading_exponent(system, plain, starts, u, n_steps)
    orbits(system, plain, starts, u, exponent)
    fixed_points(system, plain, starts, u)
    return limit_sets(system, plain, starts, u, n_steps)


def orbits(system, plain, starts, u, exponent=-1.0):
    """States kept are those that the plain call comes to, except in chaos; divergence is said."""
    found = rs.Orbits(
        inputs=u[:1], starts=starts, n_transient=100, n_keep=20, keep_states=True, dtype="float64"
    ).measure(system)
    last = plain.settle(starts, u, 120)
    gone = ~(last.abs().amax(-1) <= 1e12)
    assert (torch.tensor(found.status.values[0]) == 2).tolist() == gone.tolist()
    if exponent < 0.01:
        came = torch.tensor(found.state_orbit.values[0, :, -1])[~gone]
        close(came, last[~gone], 2e-3)  # those at rest are filled up with where they were when it was seen


def leading_exponent(system, plain, starts, u, n_steps=400):
    settled = plain.settle(starts, u, 200)
    if not torch.isfinite(settled).all() or settled.abs().max() > 1e6:
        return math.inf
    found = rs.Lyapunov(
        inputs=u[:1],
        starts=settled[:1],
        n_exponents=1,
        n_transient=0,
        n_transient_tangent=n_steps // 4,
        n_steps=n_steps,
    ).measure(system)
    came, wanted = float(found.lyapunov_exponent[0, 0, 0]), plain.growth(settled, u, n_steps)
    if wanted < -5:
        assert came < -4, (came, wanted)
    else:
        assert abs(came - wanted) < 0.01 + 0.02 * abs(wanted), (came, wanted)
    return wanted


def fixed_points(system, plain, starts, u):
    found = rs.FixedPoints(inputs=u[:1], starts=starts, n_orbits=4, n_steps=50, n_starts=16).measure(system)
    for k in np.flatnonzero((found.status[0] == found.kind.values.tolist().index("fixed_point")).values):
        point = torch.tensor(found.location.values[0, k])[None]
        size = 1 + float(point.abs().max())
        assert float((plain.settle(point, u[:1], 1) - point).abs().max()) < 1e-8 * size
        multipliers = found.multiplier_real.values[0, k] + 1j * found.multiplier_imag.values[0, k]
        if np.isfinite(multipliers).all():
            own = np.linalg.eigvals(plain.jacobian(point, u[:1])[0].numpy())
            # an eigenvalue of multiplicity m that cannot be diagonalised moves by the m-th root of rounding
            difference = np.abs(np.sort(np.abs(own)) - np.sort(np.abs(multipliers))).max()
            assert difference < 1e-3 * (1 + np.abs(own).max()), (own, multipliers)
    return found


def limit_sets(system, plain, starts, u, n_steps=400):
    """Kinds of the limit sets; from each start that comes to a fixed point or cycle, the plain call comes there too."""
    found = rs.Attractors(
        inputs=u[:1], starts=starts, n_transient=n_steps // 2, n_steps=max(n_steps // 2, 200), n_extensions=2
    ).measure(system)
    kinds = [str(kind) for kind in kind_names(found.kind)[0]]
    last = plain.settle(starts, u, n_steps)
    for start, k in enumerate(found.reached.values[0]):
        if kinds[k] == "fixed_point":
            close(torch.tensor(found.location.values[0, k]), last[start], 0.02)
            assert float((plain.settle(last, u, 1) - last)[start].abs().max()) < 1e-2
    return kinds


def close(came, wanted, tolerance=1e-12):
    assert came.shape == wanted.shape, (came.shape, wanted.shape)
    difference = float((came - wanted).detach().abs().max()) if came.numel() else 0.0
    size = 1 + (float(wanted.detach().abs().max()) if wanted.numel() else 0.0)
    assert difference <= tolerance * size, f"differ by {difference:.2e} at numbers up to {size:.2e}"
