"""The orthogonal network: B stays a rotation, the hand-written adjoint is the derivative, the path is a geodesic."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from rnnscope import models
from rnnscope.cells import orthogonal as cell
from rnnscope.models._recurrent import Recurrent
from rnnscope.models.orthogonal import SkewExponential
from rnnscope.systems import as_system
from rnnscope.training import Config, fit


def build(**settings):
    return models.build("orthogonal", **{"input_size": 2, "hidden_size": 6, "output_size": 1, **settings})


def plain_twin(network):
    """The same layers run step by step through the plain cell."""
    core = network.core
    twin = Recurrent("orthogonal", core.input_size, core.hidden_size, num_layers=core.num_layers, options=core.options)
    twin.load_state_dict({name: tensor for name, tensor in core.state_dict().items() if name != "steps"})
    return twin.double()


@pytest.mark.parametrize("nonlinearity", ["modrelu", "tanh"])
@pytest.mark.parametrize("parametrisation", ["exprnn", "dtriv", "cayley"])
def test_sequence_and_all_gradients_equal_the_plain_cell(nonlinearity, parametrisation):
    network = build(nonlinearity=nonlinearity, parametrisation=parametrisation, num_layers=2).double()
    core, twin = network.core, plain_twin(network)
    inputs = torch.randn(3, 9, 2, dtype=torch.float64)
    weight = torch.randn(3, 9, 6, dtype=torch.float64)
    for ours, theirs in zip(core(inputs), twin(inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    (core(inputs)[0] * weight).sum().backward()
    (twin(inputs)[0] * weight).sum().backward()
    for (name, p), q in zip(core.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_exponential_by_the_spectrum_equals_torch(n):
    a = torch.randn(n, n, dtype=torch.float64)
    a = (a - a.T).requires_grad_()
    g = torch.randn(n, n, dtype=torch.float64)
    torch.testing.assert_close(SkewExponential.apply(a), torch.linalg.matrix_exp(a), rtol=0, atol=1e-11)
    (ours,) = torch.autograd.grad((SkewExponential.apply(a) * g).sum(), a)
    (theirs,) = torch.autograd.grad((torch.linalg.matrix_exp(a) * g).sum(), a)
    torch.testing.assert_close(ours - ours.T, theirs - theirs.T, rtol=0, atol=1e-11)


def test_exponential_where_eigenvalues_coincide():
    a = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(SkewExponential.apply(a)[0, 1], a)
    assert g[0, 1] == pytest.approx(1)
    assert torch.isfinite(g).all()


@pytest.mark.parametrize("parametrisation", ["exprnn", "dtriv", "cayley"])
def test_it_stays_orthogonal_over_a_whole_training(tmp_path, parametrisation):
    changes = ["n_epochs=30", "hidden_size=24", "task.length=30", "n_frequencies=20", "learning_rate=0.05"]
    changes += [f"parametrisation={parametrisation}", "rebase_every=7", "schedule=constant"]
    run = fit(Config.assemble("sine", model="orthogonal", changes=changes), tmp_path / "run")
    assert run.scalars["loss"].iloc[-1] < run.scalars["loss"].iloc[0]
    bases = []
    for step in run.steps.tolist():
        b = run.system(step=step).weights["layer0"]["state"]
        assert torch.linalg.matrix_norm(b.T @ b - torch.eye(24)) <= 1e-5
        assert torch.linalg.det(b.double()) == pytest.approx(1, abs=1e-4)
        bases.append(run.snapshot(step=step)["core.base_l0"])
    moved = not torch.equal(bases[0], bases[-1])
    assert moved == (parametrisation == "dtriv")


def test_rebasing_every_k_steps_changes_the_coordinates_not_the_map():
    network = build(parametrisation="dtriv", rebase_every=3)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    x = torch.randn(4, 5, 2)
    for step in range(1, 7):
        optimizer.zero_grad()
        network(x).square().sum().backward()
        optimizer.step()
        before = network(x)
        network.after_step()
        torch.testing.assert_close(network(x), before, rtol=1e-5, atol=1e-5)
        assert bool((network.get_parameter("core.skew_l0") == 0).all()) == (step % 3 == 0)


def test_modrelu_keeps_signs_and_shrinks():
    z, b = torch.tensor([-2.0, -0.1, 0.0, 0.1, 2.0]), torch.tensor(-0.5)
    assert cell.modrelu(z, b).tolist() == [-1.5, 0.0, 0.0, 0.0, 1.5]


def test_initial_angles():
    generator = torch.Generator().manual_seed(0)
    henaff = cell.henaff_angles(2000, generator)
    assert henaff.abs().max() < math.pi
    assert henaff.mean().abs() < 0.2
    assert henaff.std() == pytest.approx(math.pi / math.sqrt(3), rel=0.05)
    cayley = cell.cayley_angles(2000, generator)
    assert ((cayley < 0) & (cayley > -1)).all()
    network = build(initialisation="cayley", hidden_size=7)
    angles = torch.linalg.eigvals(as_system(network).weights["layer0"]["state"]).angle().abs()
    assert angles.max() <= 1 + 1e-5


def test_interpolation_is_a_geodesic_not_a_chord():
    a, b = as_system(build(seed=0)), as_system(build(seed=1))
    matrix = lambda s: a.at(a.interpolate(a.params, b.params, s)).to(torch.float64).weights["layer0"]["state"]  # noqa: E731
    path = [matrix(s) for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for q in path:
        torch.testing.assert_close(q.T @ q, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-6)
    steps = [torch.linalg.matrix_norm(q - p) for p, q in pairwise(path)]
    torch.testing.assert_close(torch.stack(steps), steps[0].expand(4), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(path[-1].float(), b.weights["layer0"]["state"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("angles", [[0.3, 2.0], [math.pi, 1.0], [math.pi, math.pi], [0.0, 3.1]])
def test_logarithm_of_rotations(angles):
    q, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))
    p = cell.block_diagonal(torch.tensor(angles, dtype=torch.float64), 5)
    rotation = q @ torch.linalg.matrix_exp(p - p.T) @ q.T
    log = cell.rotation_logarithm(rotation)
    torch.testing.assert_close(log, -log.T, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.matrix_exp(log), rotation, rtol=0, atol=1e-8)
    assert torch.linalg.matrix_norm(log, 2) <= math.pi + 1e-6


def test_a_learning_rate_of_its_own_for_the_skew_parameter(tmp_path):
    changes = ["n_epochs=1", "hidden_size=8", "task.length=10", "n_frequencies=10", "schedule=constant"]
    moved = {}
    for rate in (1.0, 0.1):
        config = Config.assemble("sine", model="orthogonal", changes=[*changes, f"skew_rate={rate}"])
        run = fit(config, tmp_path / str(rate))
        first, last = run.snapshot(epoch=0), run.snapshot(epoch=1)
        moved[rate] = {name: float((last[name] - first[name]).abs().max()) for name in first}
    assert moved[0.1]["core.skew_l0"] == pytest.approx(0.1 * moved[1.0]["core.skew_l0"], rel=1e-3)
    assert moved[0.1]["head.bias"] == pytest.approx(moved[1.0]["head.bias"], rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rebase_every": 0}, "rebase_every: expected a positive whole number of optimiser steps, came 0"),
        ({"parametrisation": "expm"}, "unknown parametrisation of the orthogonal network 'expm'"),
        ({"nonlinearity": "relu"}, "unknown nonlinearity of the orthogonal network 'relu'"),
        ({"initialisation": "henaf"}, "did you mean 'henaff'"),
        ({"skew_rate": 0}, "skew_rate: expected a positive factor"),
    ],
)
def test_odd_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


def test_a_width_of_one_is_a_rotation_too():
    network = build(hidden_size=1)
    assert as_system(network).weights["layer0"]["state"].tolist() == [[1.0]]
    assert isinstance(network, nn.Module)
