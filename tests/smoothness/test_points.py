"""The cost at many parameter points at once, against one point after another."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import models
from rnnscope.smoothness import Objective, _batching, cost, costs
from rnnscope.smoothness import points as points_module
from rnnscope.smoothness.points import Affine
from rnnscope.systems import as_system, textbook
from rnnscope.systems.system import stack_params

MODELS = ["lstm", "gru", "rnn", "orthogonal", "antisymmetric", "chaos-free", "cornn", "lru", "mingru"]


def data_for(system, n_sequences=2, n_steps=9, **changes):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(n_sequences, n_steps, system.input_size, generator=generator)
    targets = torch.randn(n_sequences, n_steps, system.output_size, generator=generator)
    return Objective(inputs=inputs, targets=targets, **changes)


def scattered(system, n, scale=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return stack_params(
        [
            {
                name: p + scale * torch.randn(p.shape, generator=generator).to(p) if name not in system.frozen else p
                for name, p in system.params.items()
            }
            for _ in range(n)
        ]
    )


def one_after_another(system, points, data):
    n = len(next(iter(points.values())))
    return torch.stack([cost(system, {k: p[i] for k, p in points.items()}, data) for i in range(n)]).double()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("hidden_size", [3, 20])
def test_equals_one_point_after_another(name, hidden_size):
    network = models.build(
        name, seed=0, input_size=2, hidden_size=hidden_size + hidden_size % 2, output_size=2
    ).double()
    system = as_system(network)
    data, points = data_for(system, n_transient=2), scattered(system, 5)
    found = costs(system, points, data)
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_small_networks_take_the_quick_layout(name):
    system = as_system(models.build(name, seed=0, input_size=2, hidden_size=4, output_size=2))
    data = data_for(system).on(system)
    assert _batching.quickest(system, scattered(system, 2), data.inputs) is _batching.points_last


@pytest.mark.parametrize(
    "system", [textbook.henon(), textbook.lorenz(), textbook.linear([[0.5, 0.2], [-0.3, 0.9]])], ids=lambda s: s.name
)
def test_textbook_maps(system):
    data, points = data_for(system), scattered(system, 4, scale=0.01)
    found = costs(system, points, data)
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_wide_networks_go_through_the_fused_kernel(name, n_threads):
    system = as_system(models.build(name, seed=0, input_size=2, hidden_size=24, output_size=2).double())
    data, points = data_for(system, n_sequences=48, n_transient=2), scattered(system, 5)
    assert points_module._fused_is_quicker(system, data.on(system))
    torch.set_num_threads(n_threads)
    found = costs(system, points, data)
    assert torch.get_num_threads() == n_threads
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="memory: expected at least"):
        costs(system, points, data, memory=1000)


@pytest.mark.parametrize("bias", [True, False])
def test_outputs_are_kept_as_they_were(bias):
    torch.manual_seed(0)
    system = as_system((torch.nn.RNN(1, 2).double(), torch.nn.Linear(2, 2, bias=bias).double()))
    data, points = data_for(system, n_transient=2), scattered(system, 3)
    found = points_module.outputs_at(system, points, data)
    assert found.shape == (3, 2, 7, 2)
    for k in range(3):
        own = system.at({name: p[k] for name, p in points.items()})
        start = torch.zeros(2, system.state_size).double()
        wanted = own.simulate(start, data.inputs.movedim(1, 0).double()).outputs.movedim(1, 0)[:, 2:]
        torch.testing.assert_close(found[k], wanted, rtol=1e-9, atol=1e-12)


class FusedStep(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.GRUCell(1, 3)

    def forward(self, input, state):
        state = self.cell(input, state)
        return state, state


def test_modules_of_any_kind():
    torch.manual_seed(0)
    system = as_system(FusedStep(), input_size=1, state=torch.zeros(1, 3))
    data, points = data_for(system), scattered(system, 3)
    found = costs(system, points, data)
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=1e-5, atol=1e-7)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    n_points=st.integers(1, 40),
    n_sequences=st.integers(1, 3),
    n_steps=st.integers(1, 6),
    memory=st.integers(3000, 40_000),
    own_loss=st.booleans(),
)
def test_portions_change_nothing(n_points, n_sequences, n_steps, memory, own_loss):
    torch.manual_seed(0)
    system = as_system(torch.nn.LSTM(1, 2).double())
    loss = {"loss": lambda y, target: (y - target).square().mean()} if own_loss else {}
    data, points = data_for(system, n_sequences, n_steps, **loss), scattered(system, n_points)
    whole = costs(system, points, data)
    torch.testing.assert_close(costs(system, points, data, memory=memory + 5000 * own_loss), whole, rtol=1e-12, atol=0)


def test_held_input_equals_a_sequence_of_it():
    system = textbook.chaotic_lstm().at(
        {"weight_ih_l0": torch.ones(8, 1).double(), "weight_hh_l0": torch.eye(8, 2).double()}
    )
    held = Objective(inputs=torch.full((1, 5, 1), 0.3), targets=torch.zeros(1, 5, 2))
    nearly = torch.full((1, 5, 1), 0.3)
    nearly[0, -1] += 1e-6
    found = costs(system, scattered(system, 3), held)
    other = costs(system, scattered(system, 3), Objective(inputs=nearly, targets=torch.zeros(1, 5, 2)))
    torch.testing.assert_close(found, other, rtol=1e-5, atol=0)
    assert not torch.equal(found, other)


def test_cost_that_is_not_finite_stays_so():
    system = textbook.logistic()
    points = {"r": torch.tensor([3.0, 50.0, torch.nan, 3.5]).double()}
    data = Objective(inputs=torch.zeros(1, 300, 1), targets=torch.zeros(1, 300, 1), state=[0.5])
    finite = torch.isfinite(costs(system, points, data))
    assert finite.tolist() == [True, False, False, True]


def test_last_step_only():
    torch.manual_seed(0)
    system = as_system((torch.nn.GRU(1, 3).double(), torch.nn.Linear(3, 4).double()))
    data = Objective(inputs=torch.randn(5, 6, 1), targets=torch.tensor([0, 1, 2, 3, 0]), loss="cross-entropy")
    points = scattered(system, 4)
    torch.testing.assert_close(costs(system, points, data), one_after_another(system, points, data))


def test_affine_points():
    torch.manual_seed(0)
    system = as_system(torch.nn.RNN(1, 3).double())
    direction = {"weight_hh_l0": torch.ones(3, 3).double()}
    points = Affine(system.params, (direction,), torch.tensor([[0.0], [0.25], [-1.0]]))
    data = data_for(system)
    moved = stack_params(
        [{**system.params, "weight_hh_l0": system.params["weight_hh_l0"] + s} for s in (0.0, 0.25, -1.0)]
    )
    torch.testing.assert_close(costs(system, points, data), one_after_another(system, moved, data))


def test_memory_too_small_for_one_point():
    system = textbook.chaotic_lstm()
    with pytest.raises(ValueError, match=r"memory: expected at least .* bytes, which one point takes, came '100'"):
        costs(system, scattered(system, 2), data_for(system), memory=100)


def test_numbers_below_normal_count_again_afterwards():
    system = textbook.chaotic_lstm()
    costs(system, scattered(system, 2), data_for(system))
    assert float(torch.tensor([1e-40]) * torch.tensor([1.0])) > 0
