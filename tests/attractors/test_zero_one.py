"""The 0-1 test against its definition in double loops, and on maps whose motion is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope.attractors.numerics.zero_one import _correlations, zero_one_test
from rnnscope.systems import textbook


def series(system, start, n=2000, n_transient=500):
    inputs = torch.zeros(1, 1, dtype=torch.float64)
    states = system.simulate(torch.tensor([start]).double(), inputs, n_steps=n_transient + n, states=True).states
    return states[n_transient:, 0, 0].numpy()


def by_definition(phi, c):
    n_samples = len(phi)
    n_lags = n_samples // 10
    p = np.cumsum([value * np.cos((j + 1) * c) for j, value in enumerate(phi)])
    q = np.cumsum([value * np.sin((j + 1) * c) for j, value in enumerate(phi)])
    lags, displacement = np.arange(1, n_lags + 1), []
    for n in lags:
        displacement.append(
            np.mean([(p[j + n] - p[j]) ** 2 + (q[j + n] - q[j]) ** 2 for j in range(n_samples - n_lags)])
            - phi.mean() ** 2 * (1 - np.cos(n * c)) / (1 - np.cos(c))
        )
    return np.corrcoef(lags, displacement)[0, 1]


@settings(deadline=None, derandomize=True, max_examples=15)
@given(
    n=st.integers(100, 300),
    seed=st.integers(0, 1000),
    offset=st.floats(-5, 5),
    c=st.floats(np.pi / 4, 17 * np.pi / 20),
)
def test_equals_the_definition(n, seed, offset, c):
    phi = offset + np.random.default_rng(seed).standard_normal(n)
    assert _correlations(phi, np.array([c]))[0] == pytest.approx(by_definition(phi, c), abs=1e-9)


@pytest.mark.parametrize("r", [3.6, 3.7, 3.9, 4.0])
def test_chaotic_logistic_map(r):
    assert zero_one_test(series(textbook.logistic(r), [0.3])) > 0.9


@pytest.mark.parametrize("r", [2.8, 3.2, 3.5, 3.83])
def test_cycles_of_the_logistic_map(r):
    assert abs(zero_one_test(series(textbook.logistic(r), [0.3]))) < 0.1


def test_henon_is_chaotic_and_a_closed_curve_is_not():
    assert zero_one_test(series(textbook.henon(), [0.1, 0.1])) > 0.9
    assert abs(zero_one_test(series(textbook.delayed_logistic(2.1), [0.4, 0.5], n=4000))) < 0.1
    assert abs(zero_one_test(series(textbook.rotated_tanh(1.1, 1.0), [0.1, 0.1], n=4000))) < 0.1


def test_chaotic_lstm():
    assert zero_one_test(series(textbook.chaotic_lstm(), [0.5] * 4)) > 0.8


def test_a_finely_sampled_flow_misleads_it_as_the_docs_say():
    assert zero_one_test(series(textbook.lorenz(dt=0.01), [1.0, 2.0, 20.0], n=1000)) < 0.5
    assert zero_one_test(series(textbook.lorenz(dt=0.5, substeps=20), [1.0, 2.0, 20.0], n=600, n_transient=50)) > 0.8


def test_many_series_at_once_equal_one_by_one():
    rows = np.stack([series(textbook.logistic(r), [0.3], n=500) for r in (3.5, 3.8)])
    together = zero_one_test(np.stack([rows, rows[::-1]]), n_frequencies=7, seed=3)
    assert together.shape == (2, 2)
    alone = [zero_one_test(row, n_frequencies=7, seed=3) for row in rows]
    np.testing.assert_array_equal(together, [alone, alone[::-1]])


def test_other_angles_change_little():
    phi = series(textbook.logistic(3.9), [0.3])
    values = [zero_one_test(phi, seed=seed) for seed in range(4)]
    assert len(set(map(float, values))) > 1
    assert np.ptp(values) < 0.02


def test_scale_does_not_matter():
    phi = series(textbook.logistic(3.6), [0.3], n=1000)
    assert zero_one_test(1e6 * phi) == pytest.approx(float(zero_one_test(phi)), abs=1e-9)


def test_a_constant_is_regular_and_a_hole_is_unknown():
    rows = np.ones((2, 200))
    rows[1, 50] = np.nan
    np.testing.assert_array_equal(zero_one_test(rows), [0.0, np.nan])


def test_odd_settings():
    with pytest.raises(ValueError, match="series: expected at least 100 samples"):
        zero_one_test(np.zeros(99))
    with pytest.raises(ValueError, match="n_frequencies: expected a positive number, came 0"):
        zero_one_test(np.zeros(200), n_frequencies=0)
