"""The probes of the studies: against networks whose answers are known, and against brute force."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import fminbound
from torch import nn

from rnnscope import models, tasks
from rnnscope.experiments._continuation import Continuation, _errors
from rnnscope.experiments._held_out import HeldOut
from rnnscope.systems import as_system
from rnnscope.tasks._drawn import DrawnTask

FREQUENCIES = (0.2, 0.3, 0.39)


class Oscillator(nn.Module):
    """Turns its state by a multiple of the input in each step and puts out the sine of the angle."""

    def __init__(self, pace=1.0, size=1.0):
        super().__init__()
        self.pace = nn.Parameter(torch.tensor(pace, dtype=torch.float64))
        self.size = nn.Parameter(torch.tensor(size, dtype=torch.float64))

    def forward(self, input, state):
        state = state + self.pace * input
        return self.size * torch.sin(state), state


def going_on(pace=1.0, size=1.0, **settings):
    system = as_system(Oscillator(pace, size), state=torch.zeros(1, 1, dtype=torch.float64), input_size=1)
    return Continuation(frequencies=FREQUENCIES, length=100, **settings).measure(system)


def test_the_wanted_sine_has_no_error():
    found = going_on()
    assert float(found["error"].max()) < 1e-20
    assert float(found["phase_free_error"].max()) < 1e-5
    np.testing.assert_allclose(found["learned_frequency"], FREQUENCIES, rtol=1e-3)
    assert found["lengths"].values.tolist() == list(range(1, 11))


def test_a_wrong_pace_loses_the_phase_but_not_the_sine():
    found = going_on(pace=1.01)
    assert float(found["error"].isel(window=-1).min()) > 0.2
    assert float(found["phase_free_error"].max()) < 0.05
    np.testing.assert_allclose(found["learned_frequency"], 1.01 * np.array(FREQUENCIES), rtol=1e-3)


def test_a_constant_zero_output():
    found = going_on(size=0.0)
    np.testing.assert_allclose(found["error"], 0.5, atol=0.03)
    np.testing.assert_allclose(found["phase_free_error"], 0.5, atol=0.03)
    assert found["learned_frequency"].isnull().all()


def test_best_phase_equals_a_search():
    generator = np.random.default_rng(0)
    outputs = generator.normal(size=(4, 60))
    angles = np.array(0.3) * np.arange(1, 61) + np.zeros((4, 1))
    plain, free = _errors(outputs, angles)
    for row in range(4):

        def error(phase, y=outputs[row], a=angles[row]):
            return np.mean((y - np.sin(a + phase)) ** 2)

        assert plain[row] == pytest.approx(error(0.0))
        best = min(fminbound(error, k, k + 1, full_output=True)[1] for k in np.arange(0, 6.3, 0.5))
        assert free[row] == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frequencies": ()}, "frequencies: expected at least one"),
        ({"frequencies": (4.0,)}, "between 0 and π"),
        ({"length": 3}, "length: expected a whole number of at least 8"),
        ({"n_windows": 0}, "n_windows"),
        ({"least_spread": 0}, "least_spread: expected a positive number"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        Continuation(**{"frequencies": FREQUENCIES, "length": 100, **settings})


def test_a_network_with_two_outputs_is_refused():
    model = models.build("lstm", input_size=1, output_size=2, hidden_size=3, seed=0)
    with pytest.raises(ValueError, match="one input and one output"):
        Continuation(frequencies=FREQUENCIES, length=20).measure(as_system(model))


TASK = {"length": 12, "window_start": 1, "window_width": 2, "gap": 1}


def held_out(**settings):
    return HeldOut(**{"task": "symbols", "task_settings": tuple(TASK.items()), "n_sequences": 300, **settings})


def test_held_out_equals_the_model_on_the_same_sequences():
    from dataclasses import replace

    from rnnscope.base.randomness import make_generator

    model = models.build("lstm", input_size=6, output_size=4, hidden_size=5, seed=3)
    found = held_out().measure(as_system(model))
    assert found["factor"].values.tolist() == [1, 2, 5]
    task = tasks.build("symbols", **TASK)
    assert isinstance(task, DrawnTask)
    for factor in (1, 5):
        longer = replace(task, length=factor * 12)
        inputs, targets = longer.draw(300, make_generator(1, f"held-out/{factor:g}"))
        assert inputs.shape[1] == factor * 12
        with torch.no_grad():
            outputs = model(inputs)
        chosen = found.sel(factor=factor)
        assert float(chosen["accuracy"]) == pytest.approx(float(task.metrics(outputs, targets)["accuracy"]), abs=1e-9)
        assert float(chosen["loss"]) == pytest.approx(float(task.cost(outputs, targets)) / 300, rel=1e-5)


def test_an_untrained_network_is_at_chance():
    model = models.build("lstm", input_size=6, output_size=4, hidden_size=5, seed=0)
    found = held_out(n_sequences=2000).measure(as_system(model))
    assert np.abs(found["accuracy"].values - 0.25).max() < 4 * math.sqrt(0.25 * 0.75 / 2000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"factors": (0.5,)}, "factors: expected numbers of at least 1"),
        ({"n_sequences": 0}, "n_sequences"),
        ({"task": "symbol"}, "unknown task 'symbol': did you mean 'symbols'"),
        ({"task": "sine", "task_settings": ()}, "sequences are drawn"),
        ({"task_settings": (*TASK.items(), ("gap", 99))}, "gap: expected at most"),
    ],
)
def test_held_out_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        held_out(**settings)
