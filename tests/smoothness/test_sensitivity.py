"""Sensitivities along trajectories, against closed forms and dense products."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import jacrev

from rnnscope.smoothness import sensitivity
from rnnscope.smoothness.sensitivity import (
    FORGOTTEN,
    LATCHED,
    REMAINS,
    log_state_sensitivity,
    sensitivities,
)
from rnnscope.systems import as_system, textbook


class FusedStep(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.GRUCell(1, 3)

    def forward(self, input, state):
        state = self.cell(input, state)
        return state, state


@settings(deadline=None, derandomize=True, max_examples=15)
@given(seed=st.integers(0, 100), n_steps=st.integers(1, 12))
def test_linear_map_is_the_norm_of_powers(seed, n_steps):
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)).double()
    found = sensitivities(textbook.linear(matrix), np.eye(3)[:2], [0.0], n_steps=n_steps)
    wanted = torch.linalg.matrix_norm(torch.linalg.matrix_power(matrix, n_steps), ord=2)
    np.testing.assert_allclose(np.exp(found["log_state_sensitivity"][-1]), [wanted] * 2, rtol=1e-6)
    np.testing.assert_array_equal(found["log_state_sensitivity"][0], 0)


def test_against_autograd_along_a_sequence():
    torch.manual_seed(0)
    system = as_system(torch.nn.LSTM(1, 3).double())
    starts, inputs = torch.randn(2, 6).double(), torch.randn(2, 7, 1).double()

    def end(x, row):
        return system.simulate(x[None], inputs[[row]].movedim(1, 0)).final[0]

    found = sensitivities(system, starts, inputs, lengths=[1, 7])

    def differentiable_end(x, row):
        for input in inputs[row]:
            x = system.step(system.weights, x, system.drive(system.weights, input))
        return x

    for row in range(2):
        torch.testing.assert_close(end(starts[row], row), differentiable_end(starts[row], row))
        jacobian = jacrev(lambda x, row=row: differentiable_end(x, row))(starts[row])
        wanted = math.log(float(torch.linalg.matrix_norm(jacobian, ord=2)))
        assert abs(float(found["log_state_sensitivity"][-1, row]) - wanted) < 1e-9

        def last_output(params, row=row):
            weights, x = system.materialise(params), starts[row]
            for input in inputs[row]:
                x = system.step(weights, x, system.drive(weights, input))
            return system.readout(weights, x, system.drive(weights, inputs[row, -1]))

        blocks = jacrev(last_output)(system.params)
        for name, block in blocks.items():
            wanted = float(torch.linalg.matrix_norm(block.reshape(3, -1), ord=2))
            np.testing.assert_allclose(
                found["block_sensitivity"].sel(length=7, start=row, block=name), wanted, rtol=1e-9
            )
        whole = torch.cat([block.reshape(3, -1) for block in blocks.values()], dim=1)
        wanted = float(torch.linalg.matrix_norm(whole, ord=2))
        np.testing.assert_allclose(found["output_sensitivity"].sel(length=7, start=row), wanted, rtol=1e-9)


def test_latching_forgetting_and_remaining():
    found = sensitivities(textbook.tanh_map(2.0), [[0.4], [-0.4], [0.1]], [0.0], n_steps=80)
    assert found["fate"].values.tolist() == [LATCHED, LATCHED, FORGOTTEN]
    found = sensitivities(textbook.tanh_map(0.5), [[0.4], [-0.4], [0.1]], [0.0], n_steps=80)
    assert found["fate"].values.tolist() == [FORGOTTEN] * 3
    found = sensitivities(textbook.linear([[0.0, 1.0], [-1.0, 0.0]]), np.eye(2), [0.0], n_steps=80)
    assert found["fate"].values.tolist() == [REMAINS] * 2


def test_thousands_of_steps_neither_overflow_nor_vanish():
    found = sensitivities(textbook.linear([[0.1]]), [[1.0]], [0.0], n_steps=2000)
    np.testing.assert_allclose(float(found["log_state_sensitivity"][-1, 0]), 2000 * math.log(0.1), rtol=1e-12)


def test_rate_in_chaos_is_the_exponent():
    starts = 0.1 * np.random.default_rng(0).standard_normal((4, 4)) + 0.5
    found = sensitivities(textbook.chaotic_lstm(), starts, [0.0], n_steps=1500)
    rate = float((found["log_state_sensitivity"][-1] - found["log_state_sensitivity"][500]).mean()) / 1000
    assert abs(rate - 0.169) < 0.02


@pytest.mark.parametrize(
    "system",
    [
        as_system(torch.nn.GRU(1, 6).double()),
        as_system(torch.nn.LSTM(1, 5, num_layers=2, proj_size=2).double()),
        as_system(FusedStep().double(), input_size=1, state=torch.zeros(1, 3).double()),
        textbook.henon(),
    ],
    ids=["gru", "layers", "module", "henon"],
)
def test_products_equal_the_whole_jacobian(system):
    generator = torch.Generator().manual_seed(0)
    starts = 0.1 * torch.randn(3, system.state_size, generator=generator).double()
    inputs = torch.randn(3, 25, 1, generator=generator).double()
    whole, applied = (log_state_sensitivity(system, starts, inputs, dense=dense) for dense in (True, False))
    torch.testing.assert_close(applied.logs, whole.logs, rtol=0, atol=1e-8)
    assert float(applied.residuals.max()) < 1e-8
    assert float(whole.residuals.max()) == 0


@settings(deadline=None, derandomize=True, max_examples=15)
@given(seed=st.integers(0, 100), n_steps=st.integers(1, 12))
def test_products_of_a_linear_map(seed, n_steps):
    matrix = torch.randn(5, 5, generator=torch.Generator().manual_seed(seed)).double()
    inputs = torch.zeros(2, n_steps, 1).double()
    found = log_state_sensitivity(textbook.linear(matrix), torch.eye(5)[:2].double(), inputs, dense=False)
    wanted = torch.linalg.matrix_norm(torch.linalg.matrix_power(matrix, n_steps), ord=2)
    np.testing.assert_allclose(found.logs.exp(), [wanted] * 2, rtol=1e-8)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_products_neither_overflow_nor_vanish(factor):
    matrix = factor * torch.eye(2).double()
    inputs = torch.zeros(1, 2000, 1).double()
    found = log_state_sensitivity(textbook.linear(matrix), torch.zeros(1, 2).double(), inputs, dense=False)
    np.testing.assert_allclose(float(found.logs), 2000 * math.log(factor), rtol=1e-12)
    zero = log_state_sensitivity(textbook.linear(0 * matrix), torch.zeros(1, 2).double(), inputs, dense=False)
    assert float(zero.logs) == -math.inf


def test_too_few_iterations_show_in_the_residual():
    matrix = torch.diag(torch.linspace(0.9, 1.0, 30)).double()
    start, inputs = torch.zeros(1, 30).double(), torch.zeros(1, 3, 1).double()
    few, enough = (
        log_state_sensitivity(textbook.linear(matrix), start, inputs, dense=False, n_iterations=n) for n in (3, 60)
    )
    assert float(few.residuals) > 1e-3
    assert float(few.logs) < -1e-4
    assert float(enough.residuals) < 1e-8
    np.testing.assert_allclose(float(enough.logs), 0, atol=1e-8)


def test_large_states_are_not_formed_as_a_whole(monkeypatch):
    monkeypatch.setattr(sensitivity, "_along", lambda *_, **__: pytest.fail("formed"))
    torch.manual_seed(0)
    system = as_system(torch.nn.RNN(1, sensitivity._PRODUCTS_FROM).double())
    found = log_state_sensitivity(system, torch.zeros(1, system.state_size).double(), torch.zeros(1, 3, 1).double())
    assert 0 < float(found.residuals) < 1e-8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.1, 0.2]], [0.0], {"n_steps": 3}), "starts: expected shape"),
        (([[0.1]], [0.0, 1.0], {"n_steps": 3}), "inputs: expected with n_steps a constant input"),
        (([[0.1]], [[0.0]], {}), "inputs: expected sequences"),
        (([[0.1]], [0.0], {"n_steps": 3, "lengths": [4]}), "lengths: expected from 1 to 3"),
    ],
)
def test_misuse(arguments, message):
    starts, inputs, options = arguments
    with pytest.raises(ValueError, match=message):
        sensitivities(textbook.tanh_map(2.0), starts, inputs, **options)
