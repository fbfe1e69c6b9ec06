import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import tasks


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(2, 11), st.integers(0, 1000))
def test_sums_are_those_of_the_marked_numbers_one_in_either_half_by_a_plain_loop(length, seed):
    inputs, targets = tasks.build("adding", length=length, n_sequences=10, seed=seed).data()
    assert inputs.shape == (10, length, 2)
    assert targets.shape == (10, 1)
    for sequence, (target,) in zip(inputs.double().tolist(), targets.tolist(), strict=True):
        marked = [t for t, (_, mark) in enumerate(sequence) if mark == 1.0]
        assert [mark for _, mark in sequence].count(0.0) == length - 2
        assert len(marked) == 2
        assert marked[0] < length // 2 <= marked[1]
        assert target == pytest.approx(sum(sequence[t][0] for t in marked), abs=1e-6)


def test_numbers_and_marks_are_uniform():
    """χ² of 6 × 7 places against its 99.99 % quantile; mean and variance of uniform numbers within 5 errors."""
    inputs, _ = tasks.build("adding", length=13, n_sequences=20_000).data()
    marked = inputs[..., 1].nonzero()[:, 1].reshape(-1, 2)
    counts = torch.bincount(marked[:, 0] * 7 + marked[:, 1] - 6, minlength=42).double()
    expected = 20_000 / 42
    assert float((counts - expected).square().sum() / expected) < 84.0
    numbers = inputs[..., 0].double()
    assert float(numbers.min()) >= 0
    assert float(numbers.max()) < 1
    assert float(numbers.mean()) == pytest.approx(1 / 2, abs=5 * (1 / 12 / numbers.numel()) ** 0.5)
    assert float(numbers.var()) == pytest.approx(1 / 12, abs=5 * (1 / 180 / numbers.numel()) ** 0.5)


def test_answering_the_mean_gets_a_sixth_and_only_the_last_step_counts():
    task = tasks.build("adding", n_sequences=20_050)
    _, targets = task.data()
    outputs = torch.full((20_050, 3, 1), 100.0)
    outputs[:, -1] = 1
    total = sum(float(task.cost(y_hat, y)) for y_hat, y in zip(outputs.split(100), targets.split(100), strict=True))
    assert task.reported(total, targets.numel()) == pytest.approx(1 / 6, abs=0.005)


def test_right_is_within_008():
    """Hochreiter & Schmidhuber: within 0.04 of 1/2 + (X1 + X2)/4 with X = 2x - 1, which is half the sum of the x."""
    task = tasks.build("adding", n_sequences=4)
    targets = torch.tensor([[1.0], [1.0], [1.0], [1.0]])
    answers = torch.tensor([1.0, 1.079, 0.921, 1.081]).reshape(4, 1, 1)
    assert float(task.metrics(answers, targets)["accuracy"]) == 0.75
    x = torch.rand(2, 50)
    theirs = 0.5 + (2 * x - 1).sum(0) / 4
    torch.testing.assert_close(theirs, x.sum(0) / 2)


def test_numbers_without_a_mark_are_held():
    constant = tasks.build("adding").constant_inputs()
    np.testing.assert_array_equal(constant.values, [[0, 0], [0.5, 0], [1, 0]])


def test_a_length_without_two_halves():
    with pytest.raises(ValueError, match="length: expected a whole number of at least 2, came 1"):
        tasks.build("adding", length=1)
