"""Local minima along a line: by hand, by brute force, and of the chaotic LSTM."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope.smoothness import Objective, cost
from rnnscope.smoothness.roughness import Roughness, line_roughness, strict_minima, total_variation
from rnnscope.systems import textbook


def by_brute_force(values):
    index, depth = [], []
    for k in range(1, len(values) - 1):
        if not (values[k] < values[k - 1] and values[k] < values[k + 1]):
            continue
        if not np.isfinite(values[k - 1 : k + 2]).all():
            continue
        index.append(k)
    for at in index:
        barriers = []
        for step in (-1, 1):
            k, highest = at, values[at]
            while 0 <= k + step < len(values) and np.isfinite(values[k + step]):
                k += step
                highest = max(highest, values[k])
                if k in index:
                    break
            barriers.append(highest)
        depth.append(min(barriers) - values[at])
    return index, depth


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, float("nan"), float("inf")]), min_size=1, max_size=25))
def test_minima_by_brute_force(values):
    found = strict_minima(values)
    index, depth = by_brute_force(np.array(values))
    assert found.at.tolist() == index
    np.testing.assert_array_equal(found.depth, depth)


def test_minima_of_a_cosine():
    s = np.linspace(0, 1, 1001)
    found = strict_minima(np.cos(2 * np.pi * 5 * s))
    np.testing.assert_allclose(s[found.at], np.arange(5) / 5 + 0.1)
    np.testing.assert_allclose(found.depth, 2)
    assert abs(total_variation(np.cos(2 * np.pi * 5 * s)) - 20) < 1e-9


def test_a_flat_bottom_is_no_strict_minimum():
    assert not strict_minima([1.0, 0.0, 0.0, 1.0]).at.size


def chaotic(n_steps=200, target=0.0, n_transient=20):
    shape = (1, n_steps, 1)
    return textbook.chaotic_lstm(), Objective(
        inputs=torch.zeros(shape),
        targets=torch.full((1, n_steps, 2), target),
        state=[0.5] * 4,
        n_transient=n_transient,
    )


def test_minima_of_the_chaotic_lstm_grow_with_length_and_resolution():
    system, objective = chaotic(60, n_transient=5)
    found = line_roughness(system, objective, system.params, np.linspace(-0.02, 0.02, 801), lengths=[10, 20, 60])
    count = found["n_minima"]
    assert count.sel(length=[10, 20]).values.max() <= 3
    assert int(count.sel(length=60, stride=1)) > 100
    assert int(count.sel(length=60, stride=1)) > 1.5 * int(count.sel(length=60, stride=2))
    assert found["resolution"].values.tolist() == [0, 0, 1]
    assert found.sizes["minimum"] == int(count.sel(length=60, stride=1))
    assert float(found["median_distance"][-1]) < 0.001


def test_a_smooth_cost_is_resolved():
    system = textbook.linear([[0.5]])
    objective = Objective(inputs=torch.zeros(1, 20, 1), targets=torch.full((1, 20, 1), 0.1), state=[1.0])
    found = line_roughness(system, objective, system.params, np.linspace(-1.5, 0.5, 401))
    assert int(found["n_minima"].sel(stride=1)[0]) == 1
    assert found["resolution"].values.tolist() == [0]
    assert np.isnan(found["median_distance"].values).all()


@pytest.mark.parametrize("direction", ["gradient", "eigenvector", "random", "radial"])
def test_probe(direction):
    system, objective = chaotic(40)
    found = Roughness(direction=direction, n_points=101).measure(system, objective)
    assert found["cost"].dims == ("length", "point")
    assert found.attrs["probe"] == "roughness"
    middle = found["cost"].sel(length=40)[50]
    np.testing.assert_allclose(middle, float(cost(system, system.params, objective)), rtol=1e-9)


def test_default_lengths_leave_steps_to_count():
    system, objective = chaotic(40)
    found = Roughness(direction="radial", n_points=9).measure(system, objective)
    assert found["length"].values.tolist() == [40]
    longer = Roughness(direction="radial", n_points=9).measure(*chaotic(100))
    assert longer["length"].values.tolist() == [25, 50, 100]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"direction": "up"}, "direction: expected one of"),
        ({"extent": 0}, "extent: expected a positive number"),
        ({"n_points": 3}, "n_points: expected a whole number of at least 9"),
        ({"lengths": [0]}, "lengths: expected positive whole numbers"),
        ({"dtype": "float16"}, "dtype: expected"),
    ],
)
def test_misuse(settings, message):
    with pytest.raises(ValueError, match=message):
        Roughness(**settings)


def test_lengths_beyond_the_data():
    system, objective = chaotic(40)
    with pytest.raises(ValueError, match="length: expected a whole number from 21 to 40"):
        Roughness(direction="radial", n_points=9, lengths=[100]).measure(system, objective)


def test_places_must_be_even():
    system, objective = chaotic(40)
    with pytest.raises(ValueError, match="s: expected at least 3 places"):
        line_roughness(system, objective, system.params, [0.0, 0.1, 0.5])
