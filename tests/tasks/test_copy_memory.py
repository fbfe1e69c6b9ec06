import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import tasks


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(2, 6), st.integers(1, 5), st.integers(1, 8), st.integers(0, 1000))
def test_sequences_are_symbols_blanks_a_signal_and_blanks_by_a_plain_loop(n_symbols, n_copied, delay, seed):
    task = tasks.build("copy-memory", n_symbols=n_symbols, n_copied=n_copied, delay=delay, n_sequences=10, seed=seed)
    inputs, targets = task.data()
    assert inputs.shape == (10, delay + 2 * n_copied, n_symbols + 2)
    assert bool((inputs.sum(-1) == 1).all())
    blank, signal = n_symbols, n_symbols + 1
    for shown, wanted in zip(inputs.argmax(-1).tolist(), targets.tolist(), strict=True):
        said = shown[:n_copied]
        assert all(symbol < n_symbols for symbol in said)
        assert shown == [*said, *[blank] * (delay - 1), signal, *[blank] * n_copied]
        assert wanted == [*[blank] * (delay + n_copied), *said]


def test_symbols_are_uniform():
    """χ² of 8 symbols at 10 places, against its 99.99 % quantile at 70 degrees of freedom."""
    _, targets = tasks.build("copy-memory", n_sequences=5000).data()
    counts = torch.stack([torch.bincount(column, minlength=8) for column in targets[:, -10:].T]).double()
    assert float((counts - 625).square().sum() / 625) < 121.6


def test_the_best_answer_without_memory_gets_the_known_loss():
    """Blanks until the end, then all symbols alike: m log(k) over the length."""
    task = tasks.build("copy-memory", n_sequences=250)
    _, targets = task.data()
    outputs = torch.full((250, 120, 9), -1e4)
    outputs[:, :110, 8] = 0
    outputs[:, 110:, :8] = 0
    total = sum(float(task.cost(y_hat, y)) for y_hat, y in zip(outputs.split(100), targets.split(100), strict=True))
    assert task.reported(total, targets.numel()) == pytest.approx(10 * math.log(8) / 120, rel=1e-5)
    assert float(task.metrics(outputs, targets)["accuracy"]) == pytest.approx(1 / 8, abs=0.03)


def test_accuracy_counts_copied_symbols_alone():
    task = tasks.build("copy-memory", n_sequences=6)
    _, targets = task.data()
    outputs = torch.nn.functional.one_hot(targets, 9).float()
    assert float(task.metrics(outputs, targets)["accuracy"]) == 1.0
    outputs[:, :110] = 0
    assert float(task.metrics(outputs, targets)["accuracy"]) == 1.0
    outputs[:, -4:] = outputs[:, -4:].roll(1, dims=-1)
    assert float(task.metrics(outputs, targets)["accuracy"]) == pytest.approx(0.6)


def test_the_blank_is_held():
    constant = tasks.build("copy-memory").constant_inputs()
    np.testing.assert_array_equal(constant.values, np.eye(10)[[8]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_symbols": 1}, "n_symbols: expected a whole number of at least 2, came 1"),
        ({"n_copied": 0}, "n_copied: expected a positive whole number, came 0"),
        ({"delay": 0}, "delay: expected a positive whole number, came 0"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        tasks.build("copy-memory", **changes)
