import math

import numpy as np
import pytest
import torch

from rnnscope import tasks


def test_targets_are_the_sine_of_the_summed_input():
    inputs, targets = tasks.build("sine").data()
    assert inputs.shape == targets.shape == (100, 400, 1)
    assert inputs.dtype == targets.dtype == torch.float32
    torch.testing.assert_close(targets, torch.sin(inputs.double().cumsum(1)).float(), rtol=0, atol=2e-5)
    assert inputs[0, 0].item() == pytest.approx(math.pi / 16)
    assert inputs[-1, -1].item() == pytest.approx(math.pi / 8)


def test_batches_cover_the_data_in_order():
    task = tasks.build("sine", n_frequencies=25, length=5, batch_size=10)
    assert [len(inputs) for inputs, _ in task.batches()] == [10, 10, 5]
    assert torch.equal(torch.cat([targets for _, targets in task.batches()]), task.data()[1])


def test_zero_output_is_reported_as_one_half():
    task = tasks.build("sine")
    _, targets = task.data()
    cost = task.cost(torch.zeros_like(targets), targets)
    assert task.reported(float(cost), targets.numel()) == pytest.approx(0.5, abs=5e-3)


def test_constant_inputs_want_themselves_back():
    constant = tasks.build("sine").constant_inputs()
    assert constant.values.shape == (10, 1)
    np.testing.assert_array_equal(constant.wanted_frequency, constant.values[:, 0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lenght": 3}, "unknown setting of task sine 'lenght': did you mean 'length'"),
        ({"length": 0}, "length: expected a positive whole number, came 0"),
        ({"lowest": 0.5, "highest": 0.4}, "0 < lowest <= highest"),
        ({"highest": 4.0}, "0 < lowest <= highest < π"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        tasks.build("sine", **settings)


def test_unknown_task_and_preset():
    with pytest.raises(ValueError, match="unknown task 'sinus': did you mean 'sine'"):
        tasks.build("sinus")
    with pytest.raises(ValueError, match="unknown preset of task sine 'papper': did you mean 'paper'"):
        tasks.preset("sine", "papper")


def test_presets_are_copies():
    tasks.preset("sine", "quick")["model"]["hidden_size"] = 1
    assert tasks.preset("sine", "quick")["model"]["hidden_size"] == 32
