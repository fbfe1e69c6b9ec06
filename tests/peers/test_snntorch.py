"""snntorch: spikes with surrogate gradients, which are not the derivatives of the map."""

import math

import pytest
import torch
from torch import nn

import plain_truth
import rnnscope as rs
from rnnscope.base.errors import DerivativeError, UnsupportedModelError

snntorch = pytest.importorskip("snntorch")

N = 6


class Spiking(nn.Module):
    """Hand it over: spikes and membranes as they go round."""

    def __init__(self, **settings):
        super().__init__()
        self.fc, self.out = nn.Linear(2, N), nn.Linear(N, 1)
        self.cell = snntorch.RLeaky(beta=0.8, linear_features=N, **settings)

    def forward(self, u, state):
        spikes, membranes = self.cell(self.fc(u), *state)
        return self.out(membranes), (spikes, membranes)


def spiking(**settings):
    """In float32, in which the package makes its spikes."""
    torch.manual_seed(0)
    module = Spiking(**settings).eval()
    module.fc.weight.data *= 3
    return module


ZERO = (torch.zeros(1, N), torch.zeros(1, N))
INPUT = [[1.0, 0.5]]


def test_orbits_are_those_of_the_spiking_network():
    module = spiking()
    system = rs.as_system(module, input_size=2, state=ZERO)
    found = rs.Orbits(inputs=INPUT, n_starts=3, n_transient=50, n_keep=30, keep_states=True).measure(system)
    states = torch.tensor(found.state_orbit.values[0])
    state = states[:, 0].chunk(2, dim=-1)
    with torch.no_grad():
        for t in range(1, 30):
            output, state = module(torch.tensor(INPUT).expand(3, -1), state)
            torch.testing.assert_close(states[:, t], torch.cat(state, -1), rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(torch.tensor(found.orbit.values[0, :, t]), output, rtol=1e-5, atol=1e-5)
    assert set(states[..., :N].unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("probe", ["lyapunov", "fixedpoints", "attractors"])
def test_what_needs_derivatives_is_refused_and_says_why(probe):
    system = rs.as_system(spiking(), input_size=2, state=ZERO)
    assert system.derivative_problem
    makes = {"lyapunov": rs.Lyapunov, "fixedpoints": rs.FixedPoints, "attractors": rs.Attractors}
    with pytest.raises(DerivativeError, match="derivative"):
        makes[probe](inputs=INPUT).measure(system)


def test_a_neuron_of_the_package_as_it_is():
    """``cell(input, spikes, membranes)``: the tensors of the state one by one."""
    torch.manual_seed(0)
    cell = snntorch.RLeaky(beta=0.8, linear_features=N)
    system = rs.as_system(cell, input_size=N, state=ZERO)
    input, state = torch.randn(5, N), torch.rand(5, 2 * N)
    with torch.no_grad():
        wanted = torch.cat(cell(input, *state.chunk(2, -1)), -1)
    torch.testing.assert_close(system.step(system.weights, state, system.drive(system.weights, input)), wanted)


@pytest.mark.parametrize("reset", ["none", "subtract"])
def test_a_membrane_alone_has_true_derivatives(reset):
    """m' = β m + u - θ [m > θ]: the jump has no slope, so λ = ln β, as small real differences show."""
    cell = snntorch.Leaky(beta=0.8, reset_mechanism=reset)
    system = rs.as_system(cell, input_size=1, state=torch.zeros(1, 1))
    assert system.derivative_problem is None
    with pytest.warns(UserWarning, match="measured in float32"):  # in which the package makes its spikes
        found = rs.Lyapunov(inputs=[[0.5]], starts=[[0.3]], n_steps=200).measure(system)
    assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(math.log(0.8), abs=1e-5)


def test_surrogates_switched_off():
    """Spikes of slope zero, in float32 whatever the membranes are: then the derivatives are those of the map."""
    module = spiking(surrogate_disable=True)
    plain = plain_truth.Plain(module, ZERO)
    system = rs.as_system(module, input_size=2, state=ZERO)
    assert system.derivative_problem is None
    x, u = torch.rand(1, 2 * N) * 0.5, torch.tensor(INPUT)
    x = plain.settle(x, u, 50)
    jacobian = system.jacobian(system.weights, x, system.drive(system.weights, u))[0]
    wanted = torch.block_diag(torch.zeros(N, N), 0.8 * torch.eye(N))
    wanted[N:, :N] = module.cell.recurrent.weight.detach()
    torch.testing.assert_close(jacobian, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("arguments", [{"input_size": 2, "state": torch.zeros(1, N)}, {}], ids=["step", "model"])
def test_a_hidden_state_is_refused(arguments):
    """``init_hidden=True``: the membranes stay inside the module."""
    network = nn.Sequential(nn.Linear(2, N), snntorch.Leaky(beta=0.8, init_hidden=True))
    with pytest.raises(UnsupportedModelError, match=r"state|takes"):
        rs.as_system(network, **arguments)
