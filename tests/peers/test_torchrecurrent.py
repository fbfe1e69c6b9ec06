"""torchrecurrent: all of its cells, ``cell(input, state)``, and its layers over sequences."""

import math

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

import plain_truth
import rnnscope as rs
from rnnscope.base.errors import UnsupportedModelError

torchrecurrent = pytest.importorskip("torchrecurrent")
from torchrecurrent.base import (  # noqa: E402
    DecoupledDoubleStateCellBase,
    DecoupledSingleStateCellBase,
    DoubleStateCellBase,
)

CELLS = [name for name in torchrecurrent.__all__ if name.endswith("Cell")]
LAYERS = [name for name in torchrecurrent.__all__ if not name.endswith("Cell")]
DECOUPLED = DecoupledSingleStateCellBase | DecoupledDoubleStateCellBase
N = 4


def test_all_cells_are_here():
    assert len(CELLS) == len(LAYERS) >= 41


def width(name):
    return N if name.startswith("IntersectionRNN") else 2  # its input and its output are gated against each other


def plain_cell(name):
    cell = plain_truth.seeded(lambda: getattr(torchrecurrent, name)(width(name), N))
    returned = cell(torch.zeros(1, width(name), dtype=torch.float64))
    state = returned[1] if isinstance(cell, DECOUPLED) else returned
    return plain_truth.Plain(cell, pytree.tree_map(torch.zeros_like, state), call_cell)


def call_cell(cell, u, state):
    """Output and state: three of the four bases return the state alone, of which h is the output."""
    returned = cell(u, state)
    if isinstance(cell, DECOUPLED):
        return returned
    return (returned[0] if isinstance(cell, DoubleStateCellBase) else returned), returned


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_as_it_is(name):
    plain = plain_cell(name)
    system = rs.as_system(plain.module, input_size=width(name), state=plain.state)
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    kinds = plain_truth.measured_rightly(system, plain, [0.5] * width(name))
    if name in KINDS:
        assert set(kinds) == {KINDS[name]}


KINDS = {"coRNNCell": "closed_curve", "ATRCell": "fixed_point", "UGRNNCell": "fixed_point", "IndRNNCell": "cycle"}


def test_exponents_of_a_linear_cell_are_known():
    """TRNN: x' = f(u) x + (1 - f(u)) z(u), so λ = ln f and x* = z at each unit by itself."""
    cell = plain_cell("TRNNCell").module
    u = torch.tensor([[0.7, -0.4]], dtype=torch.float64)
    latent, forget = (u @ cell.weight_ih.T + cell.bias_ih).detach()[0].chunk(2)
    system = rs.as_system(cell, input_size=2, state=torch.zeros(1, N))
    found = rs.Lyapunov(inputs=u, n_starts=1, n_steps=300).measure(system).lyapunov_exponent.values[0, 0]
    assert found == pytest.approx(torch.sigmoid(forget).log().sort(descending=True).values.tolist(), abs=1e-9)
    points = rs.FixedPoints(inputs=u, n_orbits=4, n_starts=16).measure(system)
    assert points.location.values[0, 0] == pytest.approx(latent.tolist(), abs=1e-9)
    assert int(points.n_stable[0]) == 1


def test_multipliers_of_an_antisymmetric_cell_are_known():
    """x' = x + ε tanh((W - Wᵀ) x + b): at its fixed point μ = 1 + ε iω, with iω the eigenvalues of W - Wᵀ."""
    cell = plain_truth.seeded(lambda: torchrecurrent.AntisymmetricRNNCell(2, N, epsilon=0.1))
    antisymmetric = (cell.weight_hh - cell.weight_hh.T).detach()
    system = rs.as_system(cell, input_size=2, state=torch.zeros(1, N))
    point = torch.linalg.solve(antisymmetric, -(cell.bias_ih + cell.bias_hh).detach())
    starts = point + plain_truth.normal(8, N, scale=0.01)
    found = rs.FixedPoints(starts=starts, n_steps=5, n_starts=16).measure(system)
    assert found.location.values[0, 0] == pytest.approx(point.tolist(), abs=1e-8)
    came = np.sort(np.hypot(found.multiplier_real.values[0, 0], found.multiplier_imag.values[0, 0]))
    wanted = (1 + 0.1 * torch.linalg.eigvals(antisymmetric)).abs().sort().values
    assert came == pytest.approx(wanted.numpy(), abs=1e-8)
    assert int(found.stable[0, 0]) == 0


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("tauGRU", "TGRU", "TLSTM")])
@pytest.mark.parametrize("batch_first", [False, True])
def test_two_layers_over_sequences(name, batch_first):
    """State (layers, batch, hidden), sequences (time, batch, input) or with the batch first."""
    layer = plain_truth.seeded(
        lambda: getattr(torchrecurrent, name)(width(name), N, num_layers=2, batch_first=batch_first)
    )
    state = layer(torch.zeros(1, 1, width(name), dtype=torch.float64))[1]
    zero = pytree.tree_map(torch.zeros_like, state)
    plain = plain_truth.Plain(layer, zero, call_layer, batch_axis=1)
    system = rs.as_system(layer, input_size=width(name), state=zero)
    plain_truth.same_map(system, plain)
    sequence = plain_truth.normal(20, 3, width(name), seed=4)
    whole = layer(sequence.movedim(0, 1) if batch_first else sequence)[0]
    came = system.simulate(torch.zeros(3, plain.size, dtype=torch.float64), sequence).outputs
    plain_truth.close(came, whole.movedim(0, 1) if batch_first else whole, 1e-9)


def call_layer(layer, u, state):
    outputs, state = layer(u[:, None] if layer.batch_first else u[None], state)
    return (outputs[:, 0] if layer.batch_first else outputs[0]), state


@pytest.mark.parametrize("name", ["TGRU", "TLSTM"])
def test_states_with_the_batch_in_different_places(name):
    """(layers, batch, hidden) beside (batch, input): read rightly or refused, never wrongly."""
    layer = plain_truth.seeded(lambda: getattr(torchrecurrent, name)(2, N, num_layers=2))
    zero = pytree.tree_map(torch.zeros_like, layer(torch.zeros(1, 1, 2, dtype=torch.float64))[1])
    plain = plain_truth.Plain(BatchFirst(layer), (zero[0].movedim(1, 0), zero[1]))
    try:
        system = rs.as_system(layer, input_size=2, state=zero)
    except UnsupportedModelError as error:
        assert "batch" in str(error)  # noqa: PT017
        system = rs.as_system(plain.module, input_size=2, state=plain.state)
        plain_truth.same_map(system, plain)
        plain_truth.keeps_the_contract(system)
    else:
        sequence = plain_truth.normal(20, 3, 2, seed=4)
        came = system.simulate(torch.zeros(3, plain.size, dtype=torch.float64), sequence).outputs
        plain_truth.close(came, layer(sequence)[0], 1e-9)


class BatchFirst(torch.nn.Module):
    """Three lines that do."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, u, state):
        outputs, (h, previous) = self.layer(u[None], (state[0].movedim(1, 0), state[1]))
        return outputs[0], (h.movedim(0, 1), previous)


def test_a_layer_with_a_delay_that_it_does_not_hand_out_is_refused():
    """tauGRU looks back by several states and returns only the last: two steps at once are not two single steps."""
    layer = plain_truth.seeded(lambda: torchrecurrent.tauGRU(2, N, delay=2))
    with pytest.raises(UnsupportedModelError, match="sequence"):
        rs.as_system(layer, input_size=2, state=torch.zeros(1, 1, N))


class WithDelay(torch.nn.Module):
    """tauGRU with its history as state: three lines that do."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, u, history):
        new = self.cell(u, history[-1], history[0])
        return new, [*history[1:], new]


def test_the_delay_as_state():
    layer = plain_truth.seeded(lambda: torchrecurrent.tauGRU(2, N, delay=2))
    zero = [torch.zeros(1, N, dtype=torch.float64)] * 3
    plain = plain_truth.Plain(WithDelay(layer.cells[0]), zero)
    system = rs.as_system(plain.module, input_size=2, state=zero)
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    sequence = plain_truth.normal(20, 3, 2, seed=4)
    came = system.simulate(torch.zeros(3, 3 * N, dtype=torch.float64), sequence).outputs
    plain_truth.close(came, layer(sequence)[0], 1e-9)
    plain_truth.measured_rightly(system, plain, [0.5, 0.5])


def test_scripted_cells():
    """The package promises that its cells can be scripted; a scripted one is the same map."""
    for name in ("LEMCell", "MGUCell", "TLSTMCell"):
        plain = plain_cell(name)
        scripted = torch.jit.script(plain.module)
        system = rs.as_system(scripted, input_size=2, state=plain.state)
        plain_truth.same_map(system, plain)


def test_a_model_of_cells_with_a_head():
    """core and head by name: the cell's output through any head."""
    cell = plain_truth.seeded(lambda: torchrecurrent.LEMCell(2, N))
    head = plain_truth.seeded(lambda: torch.nn.Sequential(torch.nn.Linear(N, 3), torch.nn.Tanh()))
    zero = (torch.zeros(1, N), torch.zeros(1, N))
    system = rs.as_system(cell, input_size=2, state=zero, head=head)
    state, input = plain_truth.normal(5, 2 * N), plain_truth.normal(5, 2, seed=1)
    h, z = cell(input, state.chunk(2, -1))
    new, output = system.advance(system.weights, state, system.drive(system.weights, input))
    plain_truth.close(new, torch.cat([h, z], -1))
    plain_truth.close(output, head(h))
    assert math.isfinite(
        float(
            rs.Lyapunov(inputs=[[0.0, 0.0]], n_starts=1, n_exponents=1, n_steps=200)
            .measure(system)
            .lyapunov_exponent[0, 0, 0]
        )
    )
