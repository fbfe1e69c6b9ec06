"""Lines, planes, directions and the path of training."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import models
from rnnscope.smoothness import Objective, cost
from rnnscope.smoothness.directions import (
    ParameterSpace,
    principal_plane,
    radial,
    random_direction,
    towards,
    unit,
)
from rnnscope.smoothness.landscape import Landscape, TrainingPath, line, plane
from rnnscope.systems import as_system, textbook


def lstm(seed=0):
    torch.manual_seed(seed)
    return as_system((torch.nn.LSTM(1, 3).double(), torch.nn.Linear(3, 1).double()))


def data(n_steps=8):
    generator = torch.Generator().manual_seed(5)
    return Objective(
        inputs=torch.randn(2, n_steps, 1, generator=generator), targets=torch.randn(2, n_steps, 1, generator=generator)
    )


def path_of(n):
    start, end = lstm(1), lstm(2)
    points = [start.interpolate(start.params, end.params, s**2) for s in np.linspace(0, 1, n)]
    bend = random_direction(start, 0)
    points = [{k: p + 0.3 * np.sin(3 * j / n) * bend[k] for k, p in point.items()} for j, point in enumerate(points)]
    return TrainingPath(start, points, list(range(0, 10 * n, 10)))


def test_line_of_the_linear_scalar():
    objective = Objective(inputs=torch.zeros(1, 6, 1), targets=torch.zeros(1, 6, 1), state=[1.0])
    system = textbook.linear([[1.0]])
    s = np.linspace(-0.5, 0.5, 11)
    found = line(system, objective, radial(system), s)
    wanted = np.mean([(1 + s) ** (2 * t) for t in range(1, 7)], axis=0)
    np.testing.assert_allclose(found["cost"], wanted, rtol=1e-12)
    assert (found["status"] == 0).all()


def test_line_between_two_points_begins_and_ends_there():
    a, b = lstm(1), lstm(2)
    found = line(a, data(), towards(a.params, b.params), [0.0, 1.0])
    np.testing.assert_allclose(found["cost"], [float(cost(s, s.params, data())) for s in (a, b)], rtol=1e-12)


def test_plane_has_its_axes_where_it_says():
    system = lstm()
    first, second = random_direction(system, 1), random_direction(system, 2)
    found = plane(system, data(), [first, second], [0.0, 0.1, 0.3], [-0.2, 0.4])
    assert found["cost"].dims == ("s2", "s1")
    assert found["cost"].shape == (2, 3)
    moved = {k: p + 0.3 * first[k] - 0.2 * second[k] for k, p in system.params.items()}
    np.testing.assert_allclose(found["cost"].sel(s1=0.3, s2=-0.2), float(cost(system, moved, data())), rtol=1e-12)


def test_costs_that_are_not_finite_are_masked():
    objective = Objective(inputs=torch.zeros(1, 400, 1), targets=torch.zeros(1, 400, 1), state=[0.5])
    system = textbook.logistic(1.0)
    found = line(system, objective, {"r": torch.tensor(1.0).double()}, [0.0, 2.0, 9.0])
    assert found["status"].values.tolist() == [0, 0, 1]
    assert np.isnan(found["cost"].values).tolist() == [False, False, True]


def test_filters_keep_their_norms():
    system = lstm()
    direction = random_direction(system, 3)
    for name, p in system.params.items():
        own, drawn = (p, direction[name]) if p.dim() > 1 else (p[None], direction[name][None])
        torch.testing.assert_close(drawn.norm(dim=1), own.norm(dim=1))
    assert not torch.equal(direction["core.weight_hh_l0"], random_direction(system, 4)["core.weight_hh_l0"])


def test_unit_direction():
    direction = unit(random_direction(lstm(), 3))
    assert abs(sum(float(p.square().sum()) for p in direction.values()) - 1) < 1e-12
    with pytest.raises(ValueError, match="direction: expected a direction other than zero"):
        unit({"a": torch.zeros(3)})


@settings(deadline=None, derandomize=True, max_examples=30)
@given(n=st.integers(2, 12), p=st.integers(2, 9), seed=st.integers(0, 1000))
def test_principal_plane_is_that_of_the_singular_vectors(n, p, seed):
    points = torch.randn(n, p, generator=torch.Generator().manual_seed(seed)).double()
    found = principal_plane(points)
    moved = points - points[-1]
    singular = torch.linalg.svdvals(moved)
    share = torch.zeros(2).double()
    share[: len(singular[:2])] = singular[:2] ** 2 / (singular**2).sum()
    torch.testing.assert_close(found.explained_variance, share, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(found.axes @ found.axes.mT, torch.eye(2).double(), rtol=0, atol=1e-6)
    squared = found.along.square().sum(1) + found.distance.square()
    torch.testing.assert_close(squared, moved.square().sum(1), rtol=1e-9, atol=1e-12)


def test_a_path_that_does_not_move():
    with pytest.raises(ValueError, match="at least two different parameter points"):
        principal_plane(torch.ones(3, 4))
    with pytest.raises(ValueError, match="at least two parameters for a plane"):
        principal_plane(torch.tensor([[1.0], [2.0]]))


@pytest.mark.parametrize("across", ["path", "snapshots"])
def test_landscape_of_a_path(across):
    path = path_of(9)
    probe = Landscape(across=across, n_points=7, n_between=3)
    found = probe.measure(path, data())
    assert found["cost"].shape == (7, 7)
    assert found["path_cost"].shape == (8 * 3 + 1,)
    own = [float(cost(path.system, point, data())) for point in path.points]
    np.testing.assert_allclose(found["path_cost"][::3], own, rtol=1e-10)
    np.testing.assert_array_equal(found["path_step"][::3], path.steps)
    np.testing.assert_array_equal(found["snapshot_step"], path.steps)
    space = ParameterSpace.of(path.system)
    steps = [
        float((space.flatten(b) - space.flatten(a)).norm()) for a, b in zip(path.points, path.points[1:], strict=False)
    ]
    np.testing.assert_allclose(found["path_distance"][-1], sum(steps), rtol=1e-10)
    assert float(found["snapshot_s1"].min()) > float(found["s1"].min())
    assert float(found["snapshot_s1"].max()) < float(found["s1"].max())
    if across == "snapshots":
        assert float(found["out_of_plane"][[0, 4, 8]].max()) < 1e-9
    assert 0 < float(found["explained_variance"].sum()) <= 1 + 1e-9


def test_landscape_goes_through_the_last_snapshot():
    path = path_of(5)
    found = Landscape(n_points=5, margin=0.0).measure(path, data())
    place = {"s1": float(found["snapshot_s1"][-1]), "s2": float(found["snapshot_s2"][-1])}
    assert place == {"s1": 0.0, "s2": 0.0}
    near = found["cost"].interp(place)
    assert np.isfinite(float(near))


def test_a_path_of_buffers_lies_in_no_plane():
    system = as_system(models.build("orthogonal", seed=0, input_size=1, hidden_size=4, output_size=1))
    (base,) = system.frozen
    turned = {**system.params, base: system.params[base].flip(0)}
    moved = {name: p + 0.1 if name not in system.frozen else p for name, p in system.params.items()}
    with pytest.raises(ValueError, match="lies in no plane"):
        Landscape(n_points=3).measure(TrainingPath(system, [turned, moved], [0, 1]), data())
    found = Landscape(n_points=3).measure(TrainingPath(system, [system.params, moved], [0, 1]), data())
    assert (found["status"] == 0).all()


def test_thinned_path_keeps_its_ends():
    thin = path_of(9).thinned(4)
    assert thin.steps[0] == 0
    assert thin.steps[-1] == 80
    assert len(thin.points) == 4


@pytest.mark.parametrize("across", ["random", "eigenvectors"])
def test_landscape_around_one_network(across):
    system = lstm()
    found = Landscape(across=across, n_points=5, extent=0.2).measure(system, data())
    np.testing.assert_allclose(found["cost"][2, 2], float(cost(system, system.params, data())), rtol=1e-12)


def test_misuse():
    with pytest.raises(ValueError, match="across: expected one of path"):
        Landscape(across="sideways")
    with pytest.raises(ValueError, match="n_points: expected a whole number of at least 2"):
        Landscape(n_points=1)
    with pytest.raises(TypeError, match="expected a TrainingPath"):
        Landscape().measure(lstm(), data())
    with pytest.raises(TypeError, match="expected one network"):
        Landscape(across="random").measure(path_of(3), data())
    with pytest.raises(ValueError, match="network of at least two parameters"):
        Landscape(across="eigenvectors").measure(
            textbook.logistic(), Objective(inputs=torch.zeros(1, 3, 1), targets=torch.zeros(1, 3, 1), state=[0.1])
        )
    with pytest.raises(ValueError, match="memory: expected at least"):
        Landscape(memory=10).measure(path_of(3), data())
