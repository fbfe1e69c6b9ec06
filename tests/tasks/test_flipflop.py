import numpy as np
import pytest
import torch

from rnnscope import tasks
from rnnscope.attractors import Orbits


def test_targets_are_the_last_pulse_by_a_plain_loop():
    task = tasks.build("flipflop", n_bits=4, length=50, n_sequences=7, pulse_probability=0.1)
    inputs, targets = task.data()
    assert inputs.shape == targets.shape == (7, 50, 4)
    assert inputs.dtype == targets.dtype == torch.float32
    for sequence in range(7):
        for bit in range(4):
            held = 0.0
            for t in range(50):
                held = float(inputs[sequence, t, bit]) or held
                assert float(targets[sequence, t, bit]) == held


def test_pulses_are_as_frequent_as_said_and_of_either_sign():
    inputs, _ = tasks.build("flipflop", pulse_probability=0.25).data()
    assert set(inputs.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert (inputs[:, 0] != 0).all()
    assert float((inputs[:, 1:] != 0).float().mean()) == pytest.approx(0.25, abs=0.005)
    assert float(inputs.mean()) == pytest.approx(0, abs=0.005)


def test_the_data_are_the_same_each_time_and_others_for_another_seed():
    first, again, other = (tasks.build("flipflop", seed=seed).data()[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_batches_cover_the_data_in_order_and_zero_output_is_reported_as_one():
    task = tasks.build("flipflop", n_sequences=25, length=8, batch_size=10)
    batches = task.batches()
    assert [len(inputs) for inputs, _ in batches] == [10, 10, 5]
    assert torch.equal(torch.cat([targets for _, targets in batches]), task.data()[1])
    cost = sum(float(task.cost(torch.zeros_like(targets), targets)) for _, targets in batches)
    assert task.reported(cost, task.data()[1].numel()) == pytest.approx(1.0)


def test_sizes_follow_the_bits_and_the_probed_input_is_zero():
    task = tasks.build("flipflop", n_bits=2)
    assert (task.input_size, task.output_size, task.input_bound()) == (2, 2, 1.0)
    np.testing.assert_array_equal(task.constant_inputs().values, np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_bit": 3}, "unknown setting of task flipflop 'n_bit': did you mean 'n_bits'"),
        ({"n_bits": 0}, "n_bits: expected a positive whole number, came 0"),
        ({"pulse_probability": 0.0}, "pulse_probability: expected a number in"),
        ({"pulse_probability": 1.5}, "pulse_probability"),
        ({"seed": -1}, "seed: expected a whole number of at least 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        tasks.build("flipflop", **settings)


def test_a_training_step_runs_and_is_recorded(tmp_path):
    from rnnscope.training import Config, fit

    changes = ["n_epochs=2", "hidden_size=4", "n_bits=2", "task.length=10", "n_sequences=8", "batch_size=4"]
    run = fit(Config.assemble("flipflop", model="gru", changes=changes), tmp_path / "run")
    assert run.epochs.tolist() == [0, 1, 2]
    probe = run.default_probe("orbits")
    assert isinstance(probe, Orbits)
    assert probe.inputs == ((0.0, 0.0),)
