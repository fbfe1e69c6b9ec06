"""Averages along orbits against sums of sines and against chaos."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope.attractors.numerics.averages import digits, local_dimension, weighted_mean
from rnnscope.attractors.numerics.frequency import dominant_frequency


def curve(omega, n=2000):
    a = omega * np.arange(n)
    return np.stack([np.cos(a) + 0.2 * np.cos(2 * a), np.sin(a) + 0.3 * np.cos(5 * a)], 1)


def torus(omega, nu, n=2000):
    a, b = omega * np.arange(n), nu * np.arange(n)
    return np.stack([(2 + np.cos(a)) * np.cos(b), (2 + np.cos(a)) * np.sin(b), np.sin(a)], 1)


def logistic(r, n=2000):
    x, kept = 0.3, []
    for t in range(n + 500):
        x = r * x * (1 - x)
        if t >= 500:
            kept.append(x)
    return np.array(kept)[:, None]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.floats(0.05, 3.0), st.floats(-3, 3), st.floats(0.1, 10))
def test_the_strongest_frequency_of_a_sine(omega, phase, amplitude):
    t = np.arange(1000)
    signal = amplitude * np.sin(omega * t + phase) + 0.3 * amplitude * np.sin(0.5 * omega * t)
    assert dominant_frequency(signal[None])[0] == pytest.approx(omega, abs=5e-5)


def test_weighted_means_of_sines_converge_fast():
    errors = [abs(weighted_mean(np.cos(0.9 * np.arange(n) + 1), 0)) for n in (100, 400, 1600)]
    assert errors[0] > 1e-8
    assert errors[2] < 1e-13
    plain = abs(np.cos(0.9 * np.arange(1600) + 1).mean())
    assert errors[2] < 1e-6 * plain


def test_digits_tell_regular_motion_from_chaos():
    regular = np.stack([curve(omega) for omega in (0.2, 0.37, 1.1, 2.39)])
    assert (digits(regular) > 6).all()
    assert (digits(torus(0.37, 1.2345)[None]) > 6).all()
    assert (digits(np.stack([logistic(r) for r in (3.7, 3.9, 4.0 - 1e-9)])) < 3).all()


@pytest.mark.parametrize("omega", [0.02, 0.2, 0.37, 1.1, 2.39, np.pi / 5 + 1e-3, 2 * np.pi / 7 + 1e-5])
def test_a_curve_has_dimension_one_near_resonances_too(omega):
    assert local_dimension(curve(omega)) == 1


@pytest.mark.parametrize(("omega", "nu"), [(0.37, 1.2345), (0.2, 0.2311), (2.1, 0.77)])
def test_a_torus_has_dimension_two(omega, nu):
    assert local_dimension(torus(omega, nu)) == 2
