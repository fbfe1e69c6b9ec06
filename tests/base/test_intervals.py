"""Intervals against closed forms, brute force over all outcomes, and what they promise."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope.base.intervals import median_interval, share_interval


@pytest.mark.parametrize(
    ("n", "low", "coverage"),
    [(1, 0, 0.0), (2, 0, 0.5), (5, 0, 0.9375), (6, 0, 1 - 2 / 64), (8, 0, 1 - 2 / 256), (9, 1, 1 - 20 / 512)],
)
def test_median_between_order_statistics(n, low, coverage):
    interval = median_interval(np.arange(n)[::-1])
    assert (interval.value, interval.low, interval.high) == ((n - 1) / 2, low, n - 1 - low)
    assert interval.coverage == pytest.approx(coverage, abs=1e-15)


@pytest.mark.parametrize(("n", "confidence"), [(5, 0.95), (7, 0.6), (10, 0.95), (11, 0.5)])
def test_coverage_of_the_median_by_counting_all_sign_patterns(n, confidence):
    """Each value lies below the median with probability one half: of 2^n patterns, count those that are held."""
    interval = median_interval(range(n), confidence)
    k = int(interval.low) + 1
    held = sum(k <= sum(below) <= n - k for below in itertools.product((0, 1), repeat=n))
    assert interval.coverage == pytest.approx(held / 2**n, abs=1e-15)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(0.05, 0.99))
def test_the_narrowest_that_is_sure_enough(values, confidence):
    interval = median_interval(values, confidence)
    assert interval.low <= interval.value <= interval.high
    assert interval.n == len(values)
    assert interval.coverage >= confidence or (interval.low, interval.high) == (min(values), max(values))


def test_shares_against_closed_forms():
    for n in (1, 5, 20):
        none, all_of_them = share_interval(0, n), share_interval(n, n)
        assert (none.value, none.low, none.high) == (0, 0, pytest.approx(1 - 0.025 ** (1 / n)))
        assert (all_of_them.low, all_of_them.high) == (pytest.approx(0.025 ** (1 / n)), 1)
    assert share_interval(1, 2).low == pytest.approx(1 - math.sqrt(0.975))


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_of_a_share_are_where_the_tails_are_2_5_percent(count_and_n):
    count, n = count_and_n
    interval = share_interval(count, n)

    def at_least(p, k):
        return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))

    assert interval.low <= interval.value <= interval.high
    if count:
        assert at_least(interval.low, count) == pytest.approx(0.025)
    if count < n:
        assert at_least(interval.high, count + 1) == pytest.approx(0.975)


def test_nothing_to_estimate_from_and_bad_input():
    for nothing in (median_interval([]), share_interval(0, 0)):
        assert math.isnan(nothing.value)
        assert nothing.coverage == 0
    with pytest.raises(ValueError, match="values: expected finite numbers"):
        median_interval([1.0, math.nan])
    with pytest.raises(ValueError, match="count: expected a whole number from 0 to 3, came 4"):
        share_interval(4, 3)
    for confidence in (0, 1, 95):
        with pytest.raises(ValueError, match="confidence: expected a number between 0 and 1"):
            median_interval([1.0], confidence)
