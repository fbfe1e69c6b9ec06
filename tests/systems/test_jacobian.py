"""Jacobians against closed forms, so that a transposed or incomplete one would fail."""

import copy
import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnnscope import cells, models
from rnnscope.systems import as_system, stack_params


def test_linear_network_has_its_matrix_as_jacobian():
    core = nn.RNN(1, 3, nonlinearity="relu", bias=False).double()
    system = as_system(core)
    state = 5 + torch.rand(2, 3, dtype=torch.float64)
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").abs_()
    system = as_system(core)
    drive = system.drive(system.weights, torch.zeros(2, 1, dtype=torch.float64))
    weight = core.get_parameter("weight_hh_l0").detach()
    torch.testing.assert_close(system.jacobian(system.weights, state, drive)[0], weight)


def test_lstm_jacobian_has_all_four_blocks():
    """∂c/∂c = f, ∂h/∂c = o (1 - tanh² c) f, written out by hand."""
    core = nn.LSTM(1, 3).double()
    system = as_system(core)
    x = torch.randn(6, dtype=torch.float64)
    u = torch.randn(1, dtype=torch.float64)
    w = system.weights
    jacobian = system.jacobian(w, x, system.drive(w, u))
    p = dict(core.named_parameters())
    gates = p["weight_ih_l0"] @ u + p["bias_ih_l0"] + p["weight_hh_l0"] @ x[:3] + p["bias_hh_l0"]
    i, f, g, o = gates.detach().split(3)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * x[3:] + i * g
    torch.testing.assert_close(jacobian[3:, 3:], torch.diag(f))
    torch.testing.assert_close(jacobian[:3, 3:], torch.diag(o * (1 - c.tanh() ** 2) * f))
    w_i, w_f, w_g, w_o = p["weight_hh_l0"].detach().split(3)
    dc = (x[3:] * f * (1 - f))[:, None] * w_f + (g * i * (1 - i))[:, None] * w_i + (i * (1 - g**2))[:, None] * w_g
    dh = (c.tanh() * o * (1 - o))[:, None] * w_o + (o * (1 - c.tanh() ** 2))[:, None] * dc
    torch.testing.assert_close(jacobian[3:, :3], dc)
    torch.testing.assert_close(jacobian[:3, :3], dh)


NETWORKS = {
    "rnn-tanh": lambda layers: nn.RNN(2, 5, layers),
    "rnn-relu": lambda layers: nn.RNN(2, 5, layers, nonlinearity="relu"),
    "lstm": lambda layers: nn.LSTM(2, 5, layers),
    "lstm, no bias": lambda layers: nn.LSTM(2, 5, layers, bias=False),
    "lstm, projected": lambda layers: nn.LSTM(2, 5, layers, proj_size=3),
    "gru": lambda layers: nn.GRU(2, 5, layers),
    "gru, no bias": lambda layers: nn.GRU(2, 5, layers, bias=False),
    "orthogonal": lambda layers: ours("orthogonal", layers),
    "orthogonal, tanh": lambda layers: ours("orthogonal", layers, nonlinearity="tanh"),
    "antisymmetric": lambda layers: ours("antisymmetric", layers),
    "chaos-free": lambda layers: ours("chaos-free", layers),
    "cornn": lambda layers: ours("cornn", layers),
    "lru": lambda layers: ours("lru", layers),
    "mingru": lambda layers: ours("mingru", layers),
}


def ours(name, num_layers, **options):
    return models.build(name, input_size=2, hidden_size=5, output_size=1, num_layers=num_layers, **options)


def network(name, num_layers, scale=2.0):
    """Random weights wide enough that every branch and every saturation of the cell is visited."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = NETWORKS[name](num_layers).double()
        with torch.no_grad():
            for p in module.parameters():
                p.copy_(scale * torch.randn_like(p))
    return as_system(module)


def by_forward_differentiation(system):
    """The same system with a cell that has no closed form."""
    other = copy.copy(system)
    other.cell = dataclasses.replace(system.cell, linearised=None, jacobian=None)
    return other


def test_every_cell_has_a_closed_form():
    assert all(cells.load(name).linearised is not None for name in cells.names())
    assert {name.split(",")[0] for name in NETWORKS} == set(cells.names())


@pytest.mark.parametrize(("num_layers", "n_vectors"), [(1, 2), (1, 7), (2, 2), (3, 7)])
@pytest.mark.parametrize("name", NETWORKS)
def test_closed_form_equals_forward_differentiation(name, num_layers, n_vectors):
    system = network(name, num_layers)
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(4, 3, system.state_size, dtype=torch.float64, generator=generator)
    input = torch.randn(4, 3, 2, dtype=torch.float64, generator=generator)
    vectors = torch.randn(4, 3, system.state_size, n_vectors, dtype=torch.float64, generator=generator)
    weights = system.weights
    drive = system.drive(weights, input)
    default = by_forward_differentiation(system)
    size = 1 + float(default.jacobian(weights, state, drive).abs().max())
    for came, expected in (
        (system.jacobian(weights, state, drive), default.jacobian(weights, state, drive)),
        (system.tangent(weights, state, drive, vectors), default.tangent(weights, state, drive, vectors)),
        *zip(
            system.step_and_tangent(weights, state, drive, vectors),
            default.step_and_tangent(weights, state, drive, vectors),
            strict=True,
        ),
    ):
        torch.testing.assert_close(came, expected, rtol=0, atol=1e-13 * size)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    name=st.sampled_from(sorted(NETWORKS)),
    seed=st.integers(0, 2**31),
    scale=st.floats(0.01, 30),
    k=st.integers(1, 6),
)
def test_tangent_equals_the_adjoints_jacobian(name, seed, scale, k):
    system = network(name, 2, scale=1.0)
    generator = torch.Generator().manual_seed(seed)
    state = scale * torch.randn(system.state_size, dtype=torch.float64, generator=generator)
    drive = system.drive(system.weights, torch.randn(2, dtype=torch.float64, generator=generator))
    vectors = torch.randn(system.state_size, k, dtype=torch.float64, generator=generator)
    jacobian = torch.autograd.functional.jacobian(lambda x: system.step(system.weights, x, drive), state)
    expected = jacobian @ vectors
    came = system.tangent(system.weights, state, drive, vectors)
    torch.testing.assert_close(came, expected, rtol=0, atol=1e-12 * (1 + float(expected.abs().max())))


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn-tanh"])
def test_closed_form_can_be_differentiated_again(name):
    """Exponents can be trained for: the derivative of ‖J V‖² in the weights equals that of the default."""
    system = network(name, 1)
    state, drive_of = torch.randn(system.state_size).double(), torch.randn(2).double()
    vectors = torch.randn(system.state_size, 2, dtype=torch.float64)
    gradients = []
    for each in (system, by_forward_differentiation(system)):
        params = {key: p.clone().requires_grad_() for key, p in system.params.items()}
        weights = each.materialise(params)
        pushed = each.tangent(weights, state, each.drive(weights, drive_of), vectors)
        gradients.append(torch.autograd.grad((pushed**2).sum(), [params["weight_hh_l0"], params["weight_ih_l0"]]))
    torch.testing.assert_close(*gradients)


def test_tangent_works_under_vmap_over_weights():
    a, b = network("lstm", 2), network("lstm", 2, scale=0.5)
    state, input = torch.randn(3, 20, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)

    def jacobian(params):
        weights = a.materialise(params)
        return a.jacobian(weights, state, a.drive(weights, input))

    together = torch.func.vmap(jacobian)(stack_params([a.params, b.params]))
    torch.testing.assert_close(together, torch.stack([jacobian(a.params), jacobian(b.params)]))


def test_modrelu_lets_through_or_shuts():
    system = as_system(ours("orthogonal", 1).double())
    weights = {**system.weights["layer0"], "bias": torch.tensor([-1.0, 1.0, -1.0, 0.0, 0.0]).double()}
    weights["state"] = torch.eye(5, dtype=torch.float64)
    state = torch.tensor([0.5, 0.5, -1.5, 2.0, 0.0], dtype=torch.float64)
    jacobian = system.jacobian({**system.weights, "layer0": weights}, state, torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(jacobian, torch.diag(torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0]).double()))
