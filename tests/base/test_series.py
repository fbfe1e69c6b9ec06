"""Jumps of a loss, and coincidences against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope.base.series import coincidence, loss_jumps

series = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, derandomize=True)
@given(series)
def test_equals_all_shifts_one_by_one(pairs):
    first, second = np.array(pairs, dtype=bool).T
    found = coincidence(first, second)
    counts = [int((np.roll(first, k) & second).sum()) for k in range(len(first))]
    assert found.n == first.sum()
    if not first.any() or not second.any():
        assert np.isnan(found.p)
        return
    assert found.observed == counts[0]
    assert found.expected == pytest.approx(np.mean(counts))
    assert found.p == pytest.approx(np.mean(np.array(counts) >= counts[0]))


def test_p_is_as_rare_as_it_says_without_a_relation():
    generator = np.random.default_rng(0)
    values = np.array([
        coincidence(generator.random(200) < 0.1, generator.random(200) < 0.1).p for _ in range(400)
    ])  # fmt: skip
    assert (values <= 0.05).mean() < 0.08
    assert 0.4 < values.mean() < 0.7


def test_bursts_that_meet_once_are_no_evidence():
    burst = np.arange(100) < 20
    assert coincidence(burst, np.roll(burst, 10)).p > 0.1


def test_shift_of_both_changes_nothing():
    generator = np.random.default_rng(1)
    first, second = generator.random((2, 50)) < 0.2
    assert coincidence(first, second) == coincidence(np.roll(first, 7), np.roll(second, 7))


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match="others: expected a series of shape"):
        coincidence(np.zeros(3), np.zeros(4))


def test_jumps():
    assert loss_jumps(np.array([1.0])).tolist() == []
    assert loss_jumps(np.array([1.0, 1.2, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 3.0])).tolist() == [2, 8]
    restless = np.exp(np.tile([0.0, 0.3], 20))
    assert loss_jumps(restless).tolist() == []  # rises of a factor 1.35 among changes as large
