"""Sensitivities along trajectories, against closed forms and dense products."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import jacrev

from rnnscope.smoothness.sensitivity import FORGOTTEN, LATCHED, REMAINS, sensitivities
from rnnscope.systems import as_system, textbook


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
