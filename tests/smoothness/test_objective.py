"""The cost of a network on data, and what is refused as one."""

import pytest
import torch

from rnnscope.base.errors import NonDeterministicError
from rnnscope.smoothness import Objective, cost
from rnnscope.smoothness.objective import examine
from rnnscope.systems import as_system, textbook


def linear_data(n_steps, start=1.0):
    shape = (1, n_steps, 1)
    return Objective(inputs=torch.zeros(shape).double(), targets=torch.zeros(shape).double(), state=[start])


@pytest.mark.parametrize("theta", [0.5, 1.0, 1.2])
def test_linear_scalar_in_closed_form(theta):
    system = textbook.linear([[theta]])
    found = cost(system, system.params, linear_data(30))
    wanted = sum(theta ** (2 * t) for t in range(1, 31)) / 30
    assert abs(float(found) - wanted) < 1e-12 * wanted


def test_equals_mean_squared_error_of_torch():
    torch.manual_seed(0)
    lstm, head = torch.nn.LSTM(2, 5, num_layers=2, batch_first=True).double(), torch.nn.Linear(5, 3).double()
    inputs, targets = torch.randn(4, 7, 2).double(), torch.randn(4, 7, 3).double()
    wanted = torch.nn.functional.mse_loss(head(lstm(inputs)[0])[:, 2:], targets[:, 2:])
    system = as_system((lstm, head))
    found = cost(system, system.params, Objective(inputs=inputs, targets=targets, n_transient=2))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", [(4, 7), (4,)])
def test_equals_cross_entropy_of_torch(shape):
    torch.manual_seed(0)
    gru, head = torch.nn.GRU(2, 5, batch_first=True).double(), torch.nn.Linear(5, 3).double()
    inputs, targets = torch.randn(4, 7, 2).double(), torch.randint(3, shape)
    outputs = head(gru(inputs)[0])
    outputs = outputs.flatten(0, 1) if len(shape) == 2 else outputs[:, -1]
    wanted = torch.nn.functional.cross_entropy(outputs, targets.flatten())
    system = as_system((gru, head))
    found = cost(system, system.params, Objective(inputs=inputs, targets=targets, loss="cross-entropy"))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)


def test_inputs_and_targets_go_without_their_names_and_nothing_else_does():
    inputs, targets = torch.zeros(1, 3, 1), torch.ones(1, 3, 1)
    assert Objective(inputs, targets).digest == Objective(inputs=inputs, targets=targets).digest
    with pytest.raises(TypeError, match="positional"):
        Objective(inputs, targets, "squared-error")  # pyright: ignore[reportCallIssue]


def test_a_function_as_loss_is_the_named_one():
    system = textbook.tanh_map(2.0)
    data = {"inputs": torch.randn(3, 6, 1).double(), "targets": torch.randn(3, 6, 1).double(), "n_transient": 2}
    named = cost(system, system.params, Objective(**data))
    own = cost(system, system.params, Objective(**data, loss=lambda y, target: (y - target).square().mean()))
    torch.testing.assert_close(own, named)


def test_shorter_lengths_are_the_first_steps():
    system, data = textbook.linear([[1.1]]), linear_data(20)
    assert float(cost(system, system.params, data.first(5))) == float(cost(system, system.params, linear_data(5)))


def test_digest_sees_everything():
    one = Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1))
    same = Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1))
    others = [
        Objective(inputs=torch.ones(1, 4, 1), targets=torch.zeros(1, 4, 1)),
        Objective(inputs=torch.zeros(1, 4, 1), targets=torch.ones(1, 4, 1)),
        Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1), state=[0.0]),
        Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1), n_transient=1),
        Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1), loss=lambda y, t: (y - t).abs().mean()),
        Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 1)),
    ]
    assert one.digest == same.digest
    assert len({one.digest, *(other.digest for other in others)}) == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": torch.zeros(4, 1)}, "inputs: expected floats of shape"),
        ({"inputs": torch.full((1, 4, 1), torch.nan)}, "inputs: expected finite"),
        ({"targets": torch.zeros(1, 5, 1)}, "targets: expected"),
        ({"loss": "squared-eror"}, "did you mean 'squared-error'"),
        ({"n_transient": 4}, "n_transient: expected"),
        ({"state": torch.zeros(2, 1)}, "state: expected"),
        ({"loss": "cross-entropy"}, "targets: expected whole numbers"),
    ],
)
def test_misuse_raises_at_construction(changes, message):
    with pytest.raises(ValueError, match=message):
        Objective(**{"inputs": torch.zeros(1, 4, 1), "targets": torch.zeros(1, 4, 1), **changes})


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda y, t: (y - t).square(), ValueError, "expected one number"),
        (lambda y, t: ((y - t).abs() > 1).double().mean(), ValueError, "a differentiable function"),
        (lambda y, t: (y + torch.randn_like(y) - t).square().mean(), NonDeterministicError, "random numbers"),
    ],
)
def test_unfit_losses_are_found_before_any_work(loss, error, message):
    data = Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1), loss=loss)
    with pytest.raises(error, match=message):
        examine(textbook.linear([[1.0]]), data)


def test_examining_leaves_the_random_state_alone():
    data = Objective(
        inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1), loss=lambda y, t: (y - t).square().mean()
    )
    before = torch.get_rng_state()
    examine(textbook.linear([[1.0]]), data)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("length", [0, 5, 2.0])
def test_lengths_beyond_the_data_are_refused(length):
    data = Objective(inputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1))
    with pytest.raises(ValueError, match="length: expected a whole number from 1 to 4"):
        data.first(length)


def test_data_of_another_width_are_refused():
    data = Objective(inputs=torch.zeros(1, 4, 2), targets=torch.zeros(1, 4, 1))
    with pytest.raises(ValueError, match="inputs: expected 1 channels, came 2"):
        data.on(textbook.linear([[1.0]]))
