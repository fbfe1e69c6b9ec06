"""What a result keeps of each set: samples of it, and enough to tell whether another result has the same set."""

from typing import Any

import numpy as np
import pytest
import torch

from rnnscope.attractors import Attractors, kind_names
from rnnscope.attractors.limit_sets.kinds import FIXED_POINT
from rnnscope.attractors.limit_sets.limit import Limit
from rnnscope.attractors.limit_sets.sameness import same_limit_set
from rnnscope.attractors.limit_sets.table import n_samples, stored_limit, tabulate
from rnnscope.attractors.numerics.running import held_states
from rnnscope.runs.results import read_block, write_block
from rnnscope.systems import textbook

QUICK: dict[str, Any] = {"n_transient": 500, "n_steps": 1000, "n_extensions": 1, "n_copies": 16}


def measured(system, kind, seed=0):
    starts = np.random.default_rng(seed).uniform(0.1, 0.2, (2, system.state_size))
    found = Attractors(starts=starts, **QUICK).measure(system)
    at = int(np.flatnonzero(kind_names(found.kind)[0] == kind)[0])
    return found.isel(input=0, attractor=at)


def known(row):
    samples = row.state_sample.values
    return samples[np.isfinite(samples).all(1)]


def test_a_fixed_point_is_its_own_sample():
    row = measured(textbook.logistic(2.5), "fixed_point")
    assert known(row).tolist() == [[pytest.approx(0.6)]]
    assert row.state_sample.dtype == np.float32
    assert np.isnan([row.size, row.steadiness, row.wander]).all()


def test_the_points_of_a_cycle_stand_one_after_another():
    row = measured(textbook.logistic(3.5), "cycle")
    points = known(row)[:, 0].astype(float)
    assert len(points) == int(row.period) == 4
    np.testing.assert_allclose(3.5 * points * (1 - points), np.roll(points, -1), atol=1e-6)


def test_samples_of_a_closed_curve_lie_on_it_and_go_all_round():
    system = textbook.delayed_logistic(2.1)
    row = measured(system, "closed_curve")
    points = known(row)
    assert len(points) == 100
    state = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    long = held_states(system, system.weights, state, torch.zeros(1, 1), 20_000)[5_000:, 0].numpy()
    distances = np.linalg.norm(points[:, None] - long[None], axis=-1)
    assert distances.min(1).max() < 1e-3
    assert distances.min(0).max() < 0.1 * np.ptp(long, axis=0).max()


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (textbook.logistic(3.5), textbook.logistic(3.52), "cycle"),
        (textbook.delayed_logistic(2.1), textbook.delayed_logistic(2.15), "closed_curve"),
        (textbook.henon(), textbook.henon(a=1.38), "chaos"),
    ],
)
def test_stored_sets_are_compared_as_those_of_one_measurement(first, second, kind, tmp_path):
    mine, again, other = measured(first, kind), measured(first, kind, seed=5), measured(second, kind)
    path = write_block(tmp_path / "probes" / "attractors-0", again.expand_dims(step=[3]))
    again = read_block(path).isel(step=0)
    assert same_limit_set(stored_limit(mine), stored_limit(again))
    assert not same_limit_set(stored_limit(mine), stored_limit(other))


def test_what_is_stored_is_bounded():
    assert [n_samples(size) for size in (1, 163, 164, 1024, 100_000)] == [100, 100, 99, 16, 1]


def test_states_beyond_single_precision_are_stored_as_infinite():
    far = Limit(FIXED_POINT, period=1, orbit=np.array([[1e50]]), multipliers=np.zeros(1, complex))
    system, nowhere = textbook.linear([[0.0]]), np.zeros((1, 1))
    found = tabulate(system, torch.zeros(1, 1).double(), nowhere, [([far], np.zeros(1, int))], 1, 1)
    assert float(found.location[0, 0, 0]) == 1e50
    assert np.isinf(found.state_sample.values[0, 0, 0]).all()


def test_results_without_samples_are_refused():
    row = measured(textbook.logistic(2.5), "fixed_point")
    with pytest.raises(ValueError, match="row: expected one set of a result with samples"):
        stored_limit(row.drop_vars("state_sample"))
