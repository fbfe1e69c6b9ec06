"""The kinds of limit sets on maps with known answers, on networks built to have them, and on traps."""

import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from rnnscope import models
from rnnscope.attractors import Attractors, kind_names
from rnnscope.base.errors import NonDeterministicError
from rnnscope.systems import as_system, textbook

LINE = [[x] for x in np.linspace(0.05, 0.93, 6)]
PLANE = [[x, y] for x in (0.1, 0.4) for y in (0.2, 0.35)]


def kinds(found: xr.Dataset, at: int = 0) -> dict[str, int]:
    """How many attractors of each kind at an input."""
    names = kind_names(found.kind.values[at])
    return {str(name): int((names == name).sum()) for name in sorted(set(names)) if name}


def tanh_network(matrix, bias=0.0) -> torch.nn.RNN:
    size = len(matrix)
    network = nn.RNN(1, size).double()
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        network.get_parameter("weight_hh_l0").copy_(torch.as_tensor(matrix, dtype=torch.float64))
        network.get_parameter("bias_ih_l0").fill_(bias)
    return network


def trained_networks():
    spec = importlib.util.spec_from_file_location("networks", Path(__file__).parent / "networks" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rotation(phi):
    return np.array([[math.cos(phi), -math.sin(phi)], [math.sin(phi), math.cos(phi)]])


@pytest.mark.parametrize(
    ("r", "period", "multiplier"),
    [(2.5, 1, -0.5), (3.2, 2, 4 + 2 * 3.2 - 3.2**2), (3.5, 4, None), (3.55, 8, None), (3.83, 3, None)],
)
def test_cycles_of_the_logistic_map(r, period, multiplier):
    found = Attractors(starts=LINE).measure(textbook.logistic(r))
    assert kinds(found) == {"fixed_point" if period == 1 else "cycle": 1}
    assert int(found.period[0, 0]) == period
    assert float(found.fraction[0, 0]) == 1
    assert float(found.residual[0, 0]) < 1e-14
    point, product = float(found.location[0, 0, 0]), 1.0
    for _ in range(period):
        product *= r * (1 - 2 * point)
        point = r * point * (1 - point)
    assert float(found.multiplier_real[0, 0, 0]) == pytest.approx(product, abs=1e-9)
    assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(math.log(abs(product)) / period, abs=1e-8)
    if multiplier is not None:
        assert product == pytest.approx(multiplier, abs=1e-9)


@pytest.mark.parametrize(("r", "exponent"), [(4.0, math.log(2)), (3.9, 0.4945), (3.57, 0.0110)])
def test_chaos_of_the_logistic_map(r, exponent):
    found = Attractors(starts=LINE).measure(textbook.logistic(r))
    assert kinds(found) == {"chaos": 1}
    assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(
        exponent, abs=5 * float(found.lyapunov_error[0, 0, 0])
    )
    assert 0 < float(found.lyapunov_error[0, 0, 0]) < 0.02


@pytest.mark.parametrize("r", [3.0, 1 + math.sqrt(6)])
def test_at_bifurcations_nothing_is_guessed(r):
    """The approach is algebraic."""
    found = Attractors(starts=LINE[:2], n_extensions=1).measure(textbook.logistic(r))
    assert kinds(found) == {"undetermined": 1}


def test_cycles_longer_than_the_first_look():
    """At r = 3.5699, between the accumulated flips, the period is 128."""
    system = textbook.logistic(3.5699)
    assert kinds(Attractors(starts=LINE[:2], n_extensions=0).measure(system)) == {"undetermined": 1}
    found = Attractors(starts=LINE[:2], n_extensions=1).measure(system)
    assert (kinds(found), int(found.period[0, 0])) == ({"cycle": 1}, 128)


def test_an_orthogonal_network_with_modrelu_has_no_attractor():
    network = models.build("orthogonal", input_size=1, hidden_size=5, output_size=1).double()
    found = Attractors(inputs=[[0.3]], starts="normal(1)", n_starts=2).measure(as_system(network))
    assert kinds(found) == {"continuum": 1}
    assert np.abs(found.lyapunov_exponent[0, 0]).max() < 1e-7


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm"])
def test_three_bits_are_eight_fixed_points(model):
    found = Attractors(starts="normal(1)", n_starts=64).measure(trained_networks().flipflop_system(model))
    assert kinds(found) == {"fixed_point": 8}
    corners = {tuple(np.sign(row)) for row in np.round(found.output_mean.values[0])}
    assert len(corners) == 8


def relu_network(matrix):
    network = nn.RNN(1, len(matrix), nonlinearity="relu", bias=False).double()
    values = {"weight_ih_l0": torch.zeros(len(matrix), 1), "weight_hh_l0": torch.as_tensor(np.array(matrix, float))}
    network.load_state_dict(values)
    return network


@pytest.mark.parametrize(
    ("matrix", "found"),
    [
        ([[0.5]], {"fixed_point": 1}),
        (np.full((3, 3), 0.2), {"fixed_point": 1}),
        ([[0.5, 0.5], [0.5, 0.5]], {"continuum": 1}),
        (np.full((3, 3), 1 / 3), {"continuum": 1}),
    ],
)
def test_rest_at_a_kink(matrix, found):
    """x <- relu(W x) rests at 0, where it has no derivative; with row sums 1 there is a line of fixed points too."""
    assert kinds(Attractors(starts="normal(1)").measure(relu_network(matrix))) == found


def test_henon_and_starts_that_diverge():
    starts = [[x, y] for x in (-0.5, 0.0, 0.5, 1.0) for y in (-0.3, 0.3)]
    found = Attractors(starts=starts).measure(textbook.henon())
    assert kinds(found) == {"chaos": 1, "divergence": 1}
    assert found.fraction[0].values.tolist() == [0.75, 0.25]
    assert np.isnan(found.lyapunov_exponent[0, 1]).all()
    np.testing.assert_allclose(found.lyapunov_exponent[0, 0], [0.4193, -1.6233], atol=0.03)
    assert found.reached[0].values.tolist() == [0 if x < 1 else 1 for x, y in starts] or (
        np.bincount(found.reached[0]).tolist() == [6, 2]
    )


@pytest.mark.parametrize(
    ("a", "kind", "exponents"),
    [(1.9, "fixed_point", None), (1.999, "fixed_point", None), (2.01, "closed_curve", None),
     (2.1, "closed_curve", (0.0, -0.127)), (2.2, "cycle", None), (2.27, "chaos", None)],
)  # fmt: skip
def test_the_delayed_logistic_map_through_its_neimark_sacker_bifurcation(a, kind, exponents):
    found = Attractors(starts=PLANE).measure(textbook.delayed_logistic(a))
    assert kinds(found) == {kind: 1}
    if exponents is not None:
        np.testing.assert_allclose(found.lyapunov_exponent[0, 0], exponents, atol=1e-3)
    if a == 2.01:
        assert float(found.frequency[0, 0]) == pytest.approx(math.pi / 3, abs=0.01)


@pytest.mark.parametrize("growth", [0.9, 0.999, 1.001, 1.2])
def test_slow_spirals_on_either_side_of_a_bifurcation(growth):
    found = Attractors(starts=PLANE).measure(textbook.rotated_tanh(growth, 0.7))
    assert kinds(found) == {"fixed_point" if growth < 1 else "closed_curve": 1}
    if growth > 1:
        assert float(found.frequency[0, 0]) == pytest.approx(0.7, abs=5e-3)
        assert abs(float(found.lyapunov_exponent[0, 0, 0])) < 1e-5
    else:
        assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(math.log(growth), rel=1e-9)


def test_two_fixed_points_of_the_tanh_map_never_share_a_name():
    starts = [[x] for x in (-2.0, -0.3, -1e-3, 1e-3, 0.4, 1.5, 0.0)]
    found = Attractors(starts=starts).measure(textbook.tanh_map(1.5, 0.0))
    assert kinds(found) == {"fixed_point": 2}
    reached = found.reached[0].values
    assert len(set(reached[:3])) == len(set(reached[3:6])) == 1
    assert reached[0] != reached[3]
    assert found.location[0, :, 0].values.tolist() == pytest.approx([-0.8586, 0.8586], abs=1e-4)
    assert reached[6] in (0, 1), "a start on the saddle is moved off it"


def test_a_torus_is_told_from_a_closed_curve_beside_a_fixed_point():
    """Two oscillators side by side in one tanh network, behind a rotation of all coordinates by nothing simple."""
    both = np.zeros((4, 4))
    both[:2, :2], both[2:, 2:] = 1.2 * rotation(0.7), 1.3 * rotation(1.1234)
    found = Attractors(starts="normal(1)", n_starts=3).measure(as_system(tanh_network(both)))
    assert kinds(found) == {"torus": 1}
    np.testing.assert_allclose(found.lyapunov_exponent[0, 0, :2], 0, atol=1e-5)
    assert float(found.lyapunov_exponent[0, 0, 2]) < -0.1
    both[2:, 2:] = 0.8 * rotation(1.1234)
    found = Attractors(starts="normal(1)", n_starts=3).measure(as_system(tanh_network(both)))
    assert kinds(found) == {"closed_curve": 1}


@pytest.mark.parametrize(
    "matrix",
    [np.eye(3), np.diag([1.0, 0.5]), rotation(0.7), np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]],
    ids=["identity", "integrator", "rotation", "orthogonal"],
)
def test_neutral_maps_are_a_continuum(matrix):
    found = Attractors(starts="normal(1)").measure(textbook.linear(torch.as_tensor(matrix)))
    assert kinds(found) == {"continuum": 1}
    assert float(found.fraction[0, 0]) == 1


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        (textbook.logistic(2.9), "fixed_point"),
        (textbook.logistic(3.2), "cycle"),
        (textbook.logistic(3.9), "chaos"),
        (textbook.rotated_tanh(1.1, 0.7), "closed_curve"),
    ],
)
def test_single_precision_and_a_single_start(system, kind):
    found = Attractors(starts=[[0.3] * system.state_size], dtype="float32").measure(system)
    assert kinds(found) == {kind: 1}


def test_linear_maps_that_shrink_or_grow():
    matrix = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
    assert kinds(Attractors(starts="normal(1)").measure(textbook.linear(0.95 * matrix))) == {"fixed_point": 1}
    assert kinds(Attractors(starts="normal(1)").measure(textbook.linear(1.05 * matrix))) == {"divergence": 1}


def test_symmetric_chaotic_and_fixed_sets_that_exist_side_by_side():
    found = Attractors(starts="normal(1)").measure(textbook.ikeda())
    assert kinds(found) == {"chaos": 1, "fixed_point": 1}
    assert float(found.fraction.sum()) == pytest.approx(1)
    error = found.fraction_error.values
    assert (error > 0).all()


def test_the_chaotic_lstm():
    found = Attractors(starts="normal(1)").measure(textbook.chaotic_lstm())
    assert kinds(found) == {"chaos": 1}
    np.testing.assert_allclose(found.lyapunov_exponent[0, 0], [0.169, -0.385, -1.674], atol=0.06)


def test_many_inputs_at_once_equal_one_after_another():
    network = tanh_network(1.4 * rotation(0.6))
    with torch.no_grad():
        network.get_parameter("weight_ih_l0").fill_(1.0)
    system = as_system(network)
    inputs = [[0.0], [0.1], [0.6], [2.0]]
    together = Attractors(inputs=inputs, starts=PLANE).measure(system)
    for k, one in enumerate(inputs):
        alone = Attractors(inputs=[one], starts=PLANE).measure(system)
        np.testing.assert_allclose(alone.location[0], together.location[k, : alone.sizes["attractor"]], atol=1e-6)
        np.testing.assert_array_equal(alone.kind[0], together.kind[k, : alone.sizes["attractor"]])
    assert kinds(together, 0) == {"closed_curve": 1}
    assert kinds(together, 3) == {"fixed_point": 1}


def test_the_dataset_says_what_it_is():
    found = Attractors(starts="normal(2)", n_starts=3).measure(textbook.tanh_map(2.0, 0.0))
    assert found.attrs["probe"] == "attractors"
    assert '"starts":"normal(2)"' in found.attrs["settings"]
    for name, variable in found.data_vars.items():
        assert variable.attrs["units"], name
        assert variable.attrs["long_name"], name
    assert found.kind.attrs["flag_meanings"].split()[0] == "fixed_point"


def test_a_run_keeps_epochs_with_different_numbers_of_attractors(run_copy):
    result = run_copy.probe("attractors", epochs=[0, 6], n_starts=2, n_transient=200, n_steps=400)
    assert result.kind.dims == ("step", "input", "attractor")
    again = run_copy.dataset("attractors")
    xr.testing.assert_equal(result, again)


class Noisy(nn.Module):
    def forward(self, input, state):
        return state, state + torch.rand_like(state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_starts": 0}, "n_starts: expected a positive whole number, came 0"),
        ({"n_steps": 10}, "n_steps: expected a whole number of at least 200"),
        ({"starts": "somewhere"}, "starts: expected 'visited'"),
        ({"escape": -1}, "escape: expected a positive number"),
        ({"dtype": "half"}, "dtype: expected"),
        ({"max_period": 0}, "max_period: expected a positive whole number"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Attractors(**settings)


def test_bad_systems():
    with pytest.raises(ValueError, match="inputs: expected 1 numbers for each input, came 2"):
        Attractors(inputs=[[0.0, 1.0]]).measure(textbook.logistic(3.2))
    noisy = as_system(nn.GRU(1, 3))
    step = noisy.step
    noisy.step = lambda weights, state, drive: step(weights, state, drive) + torch.rand(1)
    with pytest.raises(NonDeterministicError):
        Attractors(dtype=None).measure(noisy)


@pytest.mark.slow
def test_no_system_of_known_kind_gets_a_wrong_name():
    """More than 200 systems, at most a tenth undetermined: what stands in docs/results/attractor-kinds.md."""
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.kinds", "--no-page"], cwd=root, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert int(re.findall(r"(\d+) systems of known kind", ended.stdout)[0]) >= 200
    assert "wrong names, of any set at any start: none" in ended.stdout
    assert "sets counted twice, or two counted as one: none" in ended.stdout


@pytest.mark.slow
def test_the_share_of_starts_that_henon_keeps():
    """Uniform in [-2, 2]²: 0.431 measured over long runs, 0.425 published; the rest diverges."""
    starts = np.random.default_rng(0).uniform(-2, 2, (1500, 2))
    found = Attractors(starts=starts).measure(textbook.henon())
    assert kinds(found) == {"chaos": 1, "divergence": 1}
    kept, lost = found.fraction[0].values
    error = float(found.fraction_error[0, 0])
    assert error == pytest.approx(math.sqrt(0.43 * 0.57 / 1500), rel=0.05)
    assert kept == pytest.approx(0.431, abs=3 * error)
    assert kept + lost == 1
