"""When searching for fixed points ends, and solves without the memory of an LSTM."""

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope.attractors import FixedPoints, find_fixed_points
from rnnscope.attractors.numerics.chords import Chords
from rnnscope.attractors.numerics.iterated_map import IteratedMap
from rnnscope.attractors.numerics.newton import CONVERGED, FixedPointSearch
from rnnscope.attractors.numerics.normal_matrices import Dense, Halved
from rnnscope.attractors.points.distinct import unseen_share
from rnnscope.systems import as_system
from rnnscope.systems.textbook import logistic, tanh_map


def network(kind, size, factor=1.0, seed=0):
    torch.manual_seed(seed)
    module = getattr(nn, kind)(1, size).double()
    with torch.no_grad():
        module.weight_hh_l0.mul_(factor)
    return as_system(module)


@pytest.mark.parametrize(("kind", "size", "factor"), [("RNN", 33, 5), ("GRU", 12, 4), ("LSTM", 8, 5), ("LSTM", 9, 3)])
def test_rounds_find_what_all_starts_find(kind, size, factor):
    system = network(kind, size, factor, seed=3)
    few, all_ = (FixedPoints(starts="normal(1)", unseen=unseen).measure(system) for unseen in (0.005, 0.0))
    assert int(all_.n_outcomes.sum()) == 1024
    assert int(few.n_outcomes.sum()) in (512, 1024)
    assert few.n_points.values[0, :2].tolist() == all_.n_points.values[0, :2].tolist()
    assert int(few.n_unreachable[0]) == int(all_.n_unreachable[0])


def test_one_point_ends_soon_and_is_said_to_be_all():
    found = FixedPoints(starts="normal(1)").measure(network("GRU", 8))
    assert int(found.n_outcomes.sum()) == 512
    assert float(found.unseen_share[0, 0]) == 0
    assert float(found.unseen_error[0, 0]) == 1 / 512


def test_each_input_ends_by_itself():
    torch.manual_seed(1)
    network = nn.RNN(1, 33).double()
    with torch.no_grad():
        network.get_parameter("weight_hh_l0").mul_(6)
        network.get_parameter("weight_ih_l0").fill_(50.0)
    found = FixedPoints(inputs=[[0.0], [1.0]], starts="normal(1)").measure(as_system(network))
    searched = found.n_outcomes.sum(["searched_period", "outcome"]).values.tolist()
    alone = [
        int(FixedPoints(inputs=[[u]], starts="normal(1)").measure(as_system(network)).n_outcomes.sum()) for u in (0, 1)
    ]
    assert searched == alone
    assert searched[1] == 512


def test_many_zeros_of_a_wide_network_end_the_search_and_are_said():
    """A tanh network of 101 units that do not feel each other has 3^101 fixed points."""
    matrix = torch.diag(torch.full((101,), 2.0, dtype=torch.float64))
    module = nn.RNN(1, 101, bias=False).double()
    module.load_state_dict({"weight_ih_l0": torch.zeros(101, 1), "weight_hh_l0": matrix})
    found = FixedPoints(starts="normal(1)", n_orbits=32, n_steps=20).measure(as_system(module))
    assert int(found.n_outcomes.sum()) == 256
    share, error = float(found.unseen_share[0, 0]), float(found.unseen_error[0, 0])
    assert share - 2 * error > 0.5


@pytest.mark.parametrize(("counts", "share"), [([1, 1, 2, 5], 2 / 9), ([3, 3], 0.0), ([1], 1.0)])
def test_share_not_seen_is_that_of_good_and_turing(counts, share):
    places = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)).double()[:, None]
    n = len(places)
    status = torch.full((n,), CONVERGED, dtype=torch.int8)
    found = FixedPointSearch(places, torch.zeros(n).double(), torch.zeros(n).double(), status, status.long())
    assert unseen_share(found, 1e-6)[0] == pytest.approx(share)


def test_the_share_not_seen_is_right_on_average():
    """Zeros of very different weights, drawn 2000 times: estimate and truth agree within a standard error."""
    rng = np.random.default_rng(0)
    weights = np.geomspace(1, 1e-3, 40)
    weights /= weights.sum()
    estimates, truths, errors = [], [], []
    for _ in range(200):
        drawn = rng.choice(40, 100, p=weights)
        truths.append(weights[np.setdiff1d(np.arange(40), drawn)].sum())
        status = torch.full((100,), CONVERGED, dtype=torch.int8)
        zeros = torch.zeros(100).double()
        found = FixedPointSearch(torch.as_tensor(drawn).double()[:, None], zeros, zeros, status, status.long())
        share, error = unseen_share(found, 1e-6)
        estimates.append(share)
        errors.append(error)
    off = np.array(estimates) - np.array(truths)
    assert abs(off.mean()) < 3 * off.std() / np.sqrt(200)
    assert 0.5 < np.sqrt((off**2).mean()) / np.mean(errors) < 1.1


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), "few"])
def test_unseen_is_a_share(value):
    with pytest.raises(ValueError, match="unseen: expected a number from 0 to below 1"):
        FixedPoints(unseen=value)


def test_maps_without_zeros_and_cycles_are_searched_to_the_end_that_is_due():
    found = FixedPoints(starts=[[0.1], [0.4]], periods=(1, 2)).measure(logistic(3.2))
    assert found.n_points.values.tolist() == [[1, 1, 0, 0]]
    assert found.unseen_share.dims == ("input", "searched_period")
    assert FixedPoints(n_starts=64).measure(tanh_map(2.0)).n_points.values.tolist() == [[3, 0, 0, 0]]


@pytest.mark.parametrize("damping", [1e-12, 1e-3, 1.0, 1e6])
def test_without_the_memory_the_solve_is_the_same(damping):
    system = network("LSTM", 20, 3.0)
    assert system.second_half_is_diagonal
    states = torch.randn(5, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    map_ = IteratedMap(system, system.drive(system.weights, torch.zeros(5, 1).double()), 1)
    residual, derivative = map_(states) - states, map_.derivative(states)
    dense, halved = Dense.of(derivative, residual), Halved.of(derivative, residual)
    torch.testing.assert_close(halved.size, dense.size)
    torch.testing.assert_close(halved.gradient, dense.gradient)
    values = torch.full((5,), damping, dtype=torch.float64)
    wanted, _ = dense.solve(values, dense.gradient)
    came, _ = halved.solve(values, halved.gradient)
    torch.testing.assert_close(came, wanted, rtol=1e-6, atol=1e-9)


def test_only_an_lstm_of_one_layer_without_projection_has_a_diagonal_half():
    assert not as_system(nn.LSTM(1, 4, 2)).second_half_is_diagonal
    assert not as_system(nn.LSTM(1, 4, proj_size=2)).second_half_is_diagonal
    assert not as_system(nn.GRU(1, 4)).second_half_is_diagonal
    assert as_system(nn.LSTMCell(1, 4)).second_half_is_diagonal
    system = network("LSTM", 6, 4.0)
    state = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    right = system.jacobian(system.weights, state, system.drive(system.weights, torch.zeros(1).double()))[:, 6:]
    assert torch.equal(right[:6], torch.diag(right[:6].diagonal()))
    assert torch.equal(right[6:], torch.diag(right[6:].diagonal()))


def test_zeros_that_one_round_has_found_are_known_to_the_next():
    system, chords = network("GRU", 120), Chords(1e-13)
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 16, 120, generator=generator, dtype=torch.float64)
    assert len(chords) == 0
    find_fixed_points(system, first, chords=chords)
    assert len(chords) == 1
    found = find_fixed_points(system, second, chords=chords)
    assert bool(found.converged.all())
    assert int(found.n_iterations.max()) <= 1  # then all end by the Jacobian of the zero that is known
    assert int(found.n_iterations.min()) == 0
    assert float(found.residual.max()) < 1e-13
