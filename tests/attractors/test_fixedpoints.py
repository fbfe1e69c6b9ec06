"""The probe of fixed points: networks that hold bits, lines and rings, maps with known cycles, and failures."""

import importlib.util
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import root
from torch import nn

from rnnscope import models, tasks
from rnnscope.attractors import FixedPoints, Orbits
from rnnscope.attractors.points.found import CONTINUUM, CYCLE, FIXED_POINT, SLOW_POINT
from rnnscope.attractors.points.table import MARGINAL, STABLE, UNKNOWN, UNSTABLE
from rnnscope.base.errors import NonDeterministicError
from rnnscope.base.randomness import seeded
from rnnscope.systems import as_system
from rnnscope.systems.textbook import MapSystem, delayed_logistic, henon, linear, logistic, rotated_tanh, tanh_map

FLIPFLOPS = ("rnn", "gru", "lstm")


def load_networks():
    path = Path(__file__).with_name("networks") / "train.py"
    spec = importlib.util.spec_from_file_location("networks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


networks = load_networks()


def formula(rule, size=1):
    """x -> rule(x), any rule on tensors (..., n)."""
    labels = tuple(f"x[{k}]" for k in range(size))
    return MapSystem("formula", lambda theta, x, u: rule(x), {"unit": torch.ones(1).double()}, labels)


def flipflop_sequences():
    return tasks.build("flipflop", length=60, n_sequences=20, seed=7).data()[0]


def integrator_sequences():
    with seeded(3, "sequences"):
        return networks.integrator_data(32, 80)[0]


def of_kind(found, kind):
    """The points of that kind at the first input."""
    return found.isel(input=0, point=np.flatnonzero(found.status.values[0] == kind))


@pytest.mark.parametrize("model", FLIPFLOPS)
def test_flipflop_networks_hold_their_bits(model):
    assert networks.held_accuracy(networks.flipflop_system(model), n_hold=200) == 1.0


@pytest.mark.parametrize("starts", [None, "normal(1)"])
@pytest.mark.parametrize("model", FLIPFLOPS)
def test_flipflop_networks_have_a_cube_of_fixed_points(model, starts):
    """Corners, edges, faces and centre: 8 stable ones, 12, 6 and 1 with 1, 2 and 3 directions that grow."""
    system = networks.flipflop_system(model)
    found = FixedPoints(starts=starts).measure(system, flipflop_sequences())
    assert found.n_points.values.tolist() == [[27, 0, 0, 0]]
    assert found.n_stable.values.tolist() == [8]
    assert found.n_unreachable.values.tolist() == [0]
    assert np.bincount(found["index"].values[0]).tolist() == [8, 12, 6, 1]
    assert found.degree.values.tolist() == [1.0]
    assert float(found.q.max()) < 1e-28
    outputs = found.output_value.values[0]
    corners = {tuple(np.sign(output)) for output in outputs[found.stable.values[0] == STABLE]}
    assert len(corners) == 8
    for index in (0, 1, 2, 3):
        # on an edge, a face, in the middle so many bits are neither 1 nor -1
        undecided = (np.abs(outputs[found["index"].values[0] == index]) < 0.5).sum(1)
        assert (undecided == index).all()


@pytest.mark.parametrize("model", FLIPFLOPS)
def test_the_stable_points_are_where_orbits_end(model):
    system = networks.flipflop_system(model).to(torch.float64)
    sequences = flipflop_sequences()
    found = FixedPoints().measure(system, sequences)
    stable = found.location.values[0][found.stable.values[0] == STABLE]
    ends = Orbits(n_starts=40, keep_states=True, n_keep=1).measure(system, sequences).state_orbit.values[0, :, 0]
    nearest = np.linalg.norm(ends[:, None] - stable[None], axis=-1)
    assert nearest.min(1).max() < 1e-3
    assert len(set(nearest.argmin(1))) == 8


@pytest.mark.slow
@pytest.mark.parametrize("model", FLIPFLOPS)
def test_ten_times_more_starts_and_another_method_find_no_further_point(model):
    system = networks.flipflop_system(model).to(torch.float64)
    sequences = flipflop_sequences()
    few = FixedPoints().measure(system, sequences)
    many = FixedPoints(n_starts=10240, noise=(0.0, 0.5, 1.0, 2.0), seed=1).measure(system, sequences)
    known = few.location.values[0]
    within = many.reachable.values[0]
    assert within.sum() == 27
    distance = np.linalg.norm(many.location.values[0][within][:, None] - known[None], axis=-1)
    assert distance.min(1).max() < 1e-9

    # Powell's hybrid method of MINPACK, from states anywhere in the box of visited states
    drive = system.drive(system.weights, torch.zeros(1, 3).double())

    def residual(x):
        return (system.step(system.weights, torch.as_tensor(x)[None], drive)[0] - torch.as_tensor(x)).numpy()

    generator = np.random.default_rng(0)
    low, high = few.visited_low.values[0], few.visited_high.values[0]
    seen = set()
    for _ in range(400):
        solution = root(residual, generator.uniform(low, high), method="hybr", options={"xtol": 1e-12})
        inside = (solution.x >= low - 0.1 * (high - low)) & (solution.x <= high + 0.1 * (high - low))
        if np.linalg.norm(residual(solution.x)) < 1e-10 and inside.all():
            nearest = np.linalg.norm(known - solution.x, axis=1)
            assert nearest.min() < 1e-6
            seen.add(int(nearest.argmin()))
    assert len(seen) > 20


@pytest.mark.parametrize(("k", "cycles"), [(2, 1), (3, 2), (4, 3), (5, 6), (6, 9)])
def test_logistic_map_at_four_has_all_cycles(k, cycles):
    """x = sin²(πj / (2^k ± 1)); so many cycles of least period k as there are binary necklaces without a period."""
    found = FixedPoints(periods=(1, k), n_starts=1024).measure(logistic(4.0))
    assert of_kind(found, FIXED_POINT).location.values[:, 0] == pytest.approx([0, 0.75], abs=1e-12)
    own = of_kind(found, CYCLE)
    own = own.isel(point=own.period.values == k)
    assert own.sizes["point"] == cycles
    # each cycle's multiplier is ± 2^k at r = 4
    np.testing.assert_allclose(np.abs(own.multiplier_real.values[:, 0]), 2.0**k, rtol=1e-6)
    exact = np.concatenate([np.sin(np.pi * np.arange(2**k + 1) / (2**k + sign)) ** 2 for sign in (-1, 1)])
    phases = own.cycle.values[:, :k, 0].ravel()
    assert np.abs(phases[:, None] - exact).min(1).max() < 1e-9
    assert len(np.unique(phases.round(9))) == k * cycles


def test_period_three_window_and_its_fold():
    """At r = 1 + √8 the two 3-cycles are one, at 0.1599288, 0.5143553, 0.9563178, and its multiplier is 1."""
    beyond = of_kind(FixedPoints(periods=(1, 2, 3)).measure(logistic(3.84)), CYCLE)
    assert beyond.period.values.tolist() == [2, 3, 3]
    assert sorted(beyond.stable.values.tolist()) == [UNSTABLE, UNSTABLE, STABLE]
    at = of_kind(FixedPoints(periods=(3,)).measure(logistic(1 + math.sqrt(8))), CYCLE)
    assert at.sizes["point"] == 1
    np.testing.assert_allclose(np.sort(at.cycle.values[0, :, 0]), [0.1599288, 0.5143553, 0.9563178], atol=1e-6)
    assert float(at.multiplier_real[0, 0]) == pytest.approx(1, abs=1e-4)


def test_henon_has_two_fixed_points_a_two_cycle_and_a_four_cycle_but_no_three_cycle():
    found = FixedPoints(periods=(1, 2, 3, 4)).measure(henon())
    x = np.sort(of_kind(found, FIXED_POINT).location.values[:, 0])
    np.testing.assert_allclose(x, [(-0.7 - math.sqrt(6.09)) / 2.8, (-0.7 + math.sqrt(6.09)) / 2.8], atol=1e-12)
    cycles = of_kind(found, CYCLE)
    assert cycles.period.values.tolist() == [2, 4]
    assert (found.stable.values == UNSTABLE).all()
    # every step multiplies areas by b = 0.3
    product = cycles.multiplier_real.prod("eigenvalue").values
    np.testing.assert_allclose(product, [0.3**2, 0.3**4], rtol=1e-4)


def test_marginal_points_are_called_so():
    for system in (delayed_logistic(2.0), rotated_tanh(1.0, 1.0), tanh_map(1.0), logistic(3.0)):
        found = FixedPoints().measure(system)
        inner = found.isel(input=0, point=int(np.abs(np.hypot(found.multiplier_real, found.multiplier_imag) - 1)
                                              .values[0].max(-1).argmin()))  # fmt: skip
        assert int(inner.stable) == MARGINAL
        assert int(inner["index"]) == 0


@pytest.mark.parametrize(
    ("w", "index"), [(0.99, [0]), (1.0, [0]), (1.0001, [0, 1, 0]), (1.01, [0, 1, 0]), (2.0, [0, 1, 0])]
)
def test_pitchfork_is_three_points_at_once_and_never_a_continuum(w, index):
    found = FixedPoints().measure(tanh_map(w))
    assert found["index"].values[0].tolist() == index
    assert (found.status.values == FIXED_POINT).all()


@pytest.mark.parametrize(("gap", "points"), [(1e-2, 2), (1e-4, 2), (1e-6, 2), (-1e-4, 0), (-1e-2, 0)])
def test_fold_is_two_points_or_a_slow_one(gap, points):
    """x -> x + gap - x²: fixed points ±√gap; without them the ghost at 0 moves by |gap|."""
    system = formula(lambda x: x + gap - x**2)
    starts = np.linspace(-0.5, 1, 20)[:, None]
    found = FixedPoints(starts=starts, n_steps=5).measure(system)
    fixed = of_kind(found, FIXED_POINT)
    assert fixed.sizes["point"] == points
    if points:
        np.testing.assert_allclose(fixed.location.values[:, 0], [-math.sqrt(gap), math.sqrt(gap)], rtol=1e-6)
        assert fixed.stable.values.tolist() == [UNSTABLE, STABLE]
    elif gap > -1e-3:
        slow = of_kind(found, SLOW_POINT)
        assert slow.sizes["point"] == 1
        assert float(slow.residual[0]) == pytest.approx(-gap, rel=1e-6)
        assert float(slow.q[0]) == pytest.approx(gap**2 / 2, rel=1e-6)
        assert abs(float(slow.location[0, 0])) < 1e-5
    else:
        assert found.n_points.sum() == 0 or float(of_kind(found, SLOW_POINT).residual[0]) == pytest.approx(-gap)


def line_of_relu():
    """Two units that pass their mean on to each other: where both are positive, all (c, c) stay."""
    core = nn.RNN(1, 2, nonlinearity="relu").double()
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").fill_(0.5)
        for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"):
            core.get_parameter(name).zero_()
    return as_system(core)


@pytest.mark.parametrize(
    ("system", "second"),
    [
        (linear([[1.0, 0.0], [0.0, 0.5]]), 0.5),
        (linear([[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.3, 0.0, -0.9]]), -0.9),
        (line_of_relu(), 0.0),
    ],
)
def test_an_exact_line_is_one_continuum(system, second):
    found = FixedPoints().measure(system)
    line = of_kind(found, CONTINUUM)
    assert line.sizes["point"] == 1
    assert float(line.n_members[0]) > 20
    assert float(line.neutral_low[0]) == pytest.approx(1)
    assert float(line.neutral_high[0]) == pytest.approx(1)
    assert float(line.fastest[0]) < 1e-12
    assert float(line.length[0]) == pytest.approx(float(line.extent[0]), rel=1e-3)
    assert float(line.multiplier_real[0, 1]) == pytest.approx(second)
    assert line.stable.values.tolist() == [MARGINAL]
    assert float(line.time_constant[0, 0]) > 1e9
    if second:
        assert float(line.time_constant[0, 1]) == pytest.approx(-1 / math.log(abs(second)))
    # nothing else, but for the end of the relu's line, where it has a kink
    assert found.n_points.values[0, [CYCLE, SLOW_POINT]].sum() == 0
    others = of_kind(found, FIXED_POINT)
    assert np.abs(others.location.values).sum() < 1e-6
    assert (others.stable.values == UNKNOWN).all()


def ring(growth=0.3, drift=0.0):
    """|x| -> |x| (1 + growth (1 - |x|²)), turned by drift · sin(2 angle)."""

    def rule(x):
        radius = (x**2).sum(-1, keepdim=True)
        turn = drift * 2 * x[..., :1] * x[..., 1:] / (radius + 1e-9)
        turned = torch.cat([x[..., :1] - turn * x[..., 1:], x[..., 1:] + turn * x[..., :1]], -1)
        return turned * (1 + growth * (1 - radius))

    return formula(rule, 2)


def test_an_exact_ring_is_one_continuum_around_an_unstable_point():
    found = FixedPoints().measure(ring())
    assert found.n_points.values.tolist() == [[1, 0, 0, 1]]
    circle, centre = of_kind(found, CONTINUUM), of_kind(found, FIXED_POINT)
    assert float(circle.extent[0]) == pytest.approx(2, abs=0.01)
    assert float(circle.length[0]) == pytest.approx(2 * math.pi, rel=0.05)
    assert float(np.hypot(*circle.location.values[0])) == pytest.approx(1)
    assert circle.multiplier_real.values[0] == pytest.approx([1, 1 - 2 * 0.3])
    assert int(centre["index"][0]) == 2
    np.testing.assert_allclose(centre.location.values, 0, atol=1e-12)


def test_a_ring_that_drifts_a_little_is_a_continuum_and_one_that_drifts_is_not():
    slowly = FixedPoints(slow=0.02).measure(ring(drift=0.002))
    assert slowly.n_points.values.tolist() == [[1, 0, 0, 1]]
    circle = of_kind(slowly, CONTINUUM)
    assert 0.99 < float(circle.neutral_low[0]) < 0.998
    assert 1.002 < float(circle.neutral_high[0]) < 1.01
    fast = FixedPoints(slow=0.02).measure(ring(drift=0.1))
    assert fast.n_points.values.tolist() == [[5, 0, 0, 0]]
    assert sorted(fast["index"].values[0].tolist()) == [0, 0, 1, 1, 2]


def test_three_parallel_lines_are_three_continua():
    system = formula(lambda x: torch.stack([x[..., 0], torch.tanh(2 * x[..., 1])], -1), 2)
    lines = of_kind(FixedPoints().measure(system), CONTINUUM)
    np.testing.assert_allclose(np.sort(lines.location.values[:, 1]), [-0.957504, 0, 0.957504], atol=1e-6)
    middle = np.abs(lines.location.values[:, 1]) < 0.1
    assert lines.stable.values[middle].tolist() == [UNSTABLE]
    assert (lines.stable.values[~middle] == MARGINAL).all()


def test_a_line_of_cycles_is_one_continuum():
    """x -> -x: every x comes back after two steps."""
    found = FixedPoints(periods=(1, 2)).measure(formula(lambda x: -x))
    assert found.n_points.values.tolist() == [[1, 0, 0, 1]]
    assert of_kind(found, CONTINUUM).period.values.tolist() == [2]


def test_a_plane_of_fixed_points_is_one_continuum():
    found = FixedPoints().measure(linear(np.diag([1.0, 1.0, 0.5])))
    assert found.n_points.values.tolist() == [[0, 0, 0, 1]]


@pytest.mark.parametrize("model", ["gru", "lstm"])
def test_a_trained_integrator_is_one_continuum(model):
    system = networks.integrator_system(model)
    found = FixedPoints().measure(system, integrator_sequences())
    assert found.n_points.values.tolist() == [[0, 0, 0, 1]]
    line = of_kind(found, CONTINUUM)
    assert 0.98 <= float(line.neutral_low[0]) < 1 < float(line.neutral_high[0]) <= 1.02
    assert float(line.fastest[0]) < 1e-3 * float(found.scale[0])
    assert abs(float(line.time_constant[0, 0])) > 100
    assert float(line.time_constant[0, 1]) < 20
    # a finer eye sees the points of which it is made
    fine = FixedPoints(neutral=1e-9).measure(system, integrator_sequences())
    assert of_kind(fine, CONTINUUM).sizes["point"] == 0
    assert fine.n_points.values[0, [FIXED_POINT, SLOW_POINT]].sum() >= 3


@pytest.mark.parametrize("model", ["gru", "lstm"])
def test_a_trained_integrator_keeps_its_value_along_the_continuum(model):
    """Let go on its line, the output moves by less in 20 steps than 20 times the fastest step seen there allows."""
    system = networks.integrator_system(model).to(torch.float64)
    with seeded(5, "sequences"):
        inputs, values = networks.integrator_data(64, 60)
    inputs = torch.cat([inputs, torch.zeros(64, 40, 1)], 1).double().movedim(1, 0)
    outputs = system.simulate(torch.zeros(64, system.state_size).double(), inputs).outputs[..., 0]
    assert float((outputs[59] - values[:, -1, 0]).abs().median()) < 0.02
    assert float((outputs[-1] - outputs[-21]).abs().max()) < 0.02


def test_points_out_of_reach_are_marked_and_not_counted():
    """x -> x/2 + x³/10 has fixed points at 0 and ±√5; orbits that begin near 0 do not come there."""
    system = formula(lambda x: x / 2 + x**3 / 10)
    found = FixedPoints(starts="normal(0.3)", noise=(0.0, 40.0)).measure(system)
    assert found.n_points.values.tolist() == [[1, 0, 0, 0]]
    assert found.n_unreachable.values.tolist() == [2]
    assert found.reachable.values[0].tolist() == [True, False, False]
    np.testing.assert_allclose(found.location.values[0, :, 0], [0, -math.sqrt(5), math.sqrt(5)], atol=1e-9)


def test_a_map_without_fixed_points_gives_no_point():
    found = FixedPoints(periods=(1, 2), n_starts=512).measure(formula(lambda x: x**2 + 1))
    assert found.n_points.sum() == 0
    assert (found.status.values == -1).all()
    assert (found["index"].values == -1).all()
    assert np.isnan(found.location.values).all()
    assert found.n_outcomes.sum("outcome").values.tolist() == [[512, 512]]
    assert found.n_outcomes.sel(outcome="converged").sum() == 0


def test_starts_that_all_diverge_are_data():
    grows = FixedPoints().measure(formula(lambda x: 3 * x + 1))
    assert grows.location.values[0, 0, 0] == pytest.approx(-0.5)
    assert grows.stable.values[0].tolist() == [UNSTABLE]
    bursts = FixedPoints(n_starts=512).measure(formula(lambda x: (x**2 + 50).exp().exp()))
    assert bursts.n_points.sum() == 0
    assert bursts.n_outcomes.sel(outcome="escaped").sum() == 512
    assert np.isnan(bursts.residual_quantile.values).all()


def test_a_jump_across_the_diagonal_is_no_fixed_point():
    """modReLU with a positive bias jumps at 0; what is called a fixed point stays put under the map itself."""
    with seeded(0, "test"):
        network = models.build("orthogonal", input_size=1, output_size=1, hidden_size=6)
    system = as_system(network).to(torch.float64)

    bias = {k: torch.full_like(p, 0.3) if k == "core.bias_l0" else p for k, p in system.params.items()}
    system = system.at(bias)
    found = FixedPoints(inputs=[[0.0], [0.5]], periods=(1, 2)).measure(system)
    assert int(found.n_outcomes.sel(outcome="stalled").sum()) > 0
    for k, u in enumerate((0.0, 0.5)):
        rows = np.flatnonzero(found.status.values[k] == FIXED_POINT)
        x = torch.as_tensor(found.location.values[k, rows])
        drive = system.drive(system.weights, torch.full((len(x), 1), u).double())
        moved = system.step(system.weights, x, drive) - x
        assert (moved.abs() < 1e-12).all()


def test_a_zero_at_a_kink_has_no_multipliers():
    found = FixedPoints().measure(formula(lambda x: torch.where(x > 0, 0.5 * x, -0.25 * x)))
    np.testing.assert_allclose(found.location.values[0, :, 0], [0], atol=1e-9)
    assert found.stable.values[0].tolist() == [UNKNOWN]
    assert found["index"].values[0].tolist() == [-1]
    assert np.isnan(found.multiplier_real.values).all()


@given(st.integers(0, 10**6), st.floats(0.5, 2.5), st.integers(1, 2))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_every_point_of_a_random_network_is_what_it_says(seed, gain, period):
    """Brute force in NumPy: residuals, least periods, multipliers by differences, distinctness."""
    generator = np.random.default_rng(seed)
    n = 3
    W, b = gain * generator.standard_normal((n, n)), 0.3 * generator.standard_normal(n)
    core = nn.RNN(1, n).double()
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").copy_(torch.as_tensor(W))
        core.get_parameter("weight_ih_l0").fill_(1)
        core.get_parameter("bias_ih_l0").copy_(torch.as_tensor(b))
        core.get_parameter("bias_hh_l0").zero_()
    found = FixedPoints(inputs=[[0.0], [0.2]], periods=tuple(range(1, period + 1)), n_starts=128).measure(
        as_system(core)
    )
    for i, u in enumerate((0.0, 0.2)):
        rows = np.flatnonzero(np.isin(found.status.values[i], (FIXED_POINT, CYCLE)))
        assert len(rows) >= 1
        x, k = found.location.values[i, rows], found.period.values[i, rows]

        def iterate(x, times, u=u):
            for _ in range(times):
                x = np.tanh(W @ x + b + u)
            return x

        for point, times, row in zip(x, k, rows, strict=True):
            size = np.linalg.norm(iterate(point, times) - point)
            assert size < 1e-11
            assert abs(size - found.residual.values[i, row]) < 1e-13
            assert times == 1 or np.linalg.norm(iterate(point, 1) - point) > 1e-6
            h = 1e-6 * np.eye(n)
            J = np.stack([(iterate(point + e, times) - iterate(point - e, times)) / 2e-6 for e in h], 1)
            growth = np.sort(np.abs(np.linalg.eigvals(J)))
            own = np.hypot(found.multiplier_real.values[i, row], found.multiplier_imag.values[i, row])
            np.testing.assert_allclose(np.sort(own), growth, atol=1e-5, rtol=1e-4)
        phases = np.concatenate([[iterate(p, j) for j in range(times)] for p, times in zip(x, k, strict=True)])
        gaps = np.linalg.norm(phases[:, None] - phases[None], axis=-1) + 10 * np.eye(len(phases))
        assert gaps.min() > 1e-6


@given(st.integers(0, 10**6), st.sampled_from(["rnn", "gru", "lstm"]))
@settings(max_examples=9, deadline=None, derandomize=True)
def test_degree_of_bounded_networks_is_one(seed, model):
    """No fixed point is missing, as far as the Brouwer degree can tell."""
    system = as_system(models.build(model, input_size=1, output_size=1, hidden_size=4, seed=seed)).to(torch.float64)
    # weights of a scale at which there is more than one fixed point
    system = system.at({name: 4 * p for name, p in system.params.items()})
    found = FixedPoints().measure(system)
    assert found.degree.values.tolist() == [1.0]


def test_degree_counts_signs_and_is_not_given_on_a_line():
    assert FixedPoints().measure(henon()).degree.values.tolist() == [0.0]  # the plane is not sent into a ball
    assert FixedPoints().measure(tanh_map(2.0)).degree.values.tolist() == [1.0]
    assert np.isnan(FixedPoints().measure(linear(np.diag([1.0, 0.5]))).degree.values).all()
    assert np.isnan(FixedPoints().measure(tanh_map(1.0)).degree.values).all()


@pytest.mark.parametrize("seed", range(6))
def test_relu_networks_have_the_fixed_points_of_their_linear_pieces(seed):
    """Exact: for every set of active units solve (1 - D W) x = D b, and keep x if those units are active there."""
    generator = np.random.default_rng(seed)
    n = 5
    W, b = 0.9 * generator.standard_normal((n, n)), 0.5 * generator.standard_normal(n)
    exact = []
    for active in itertools.product([0.0, 1.0], repeat=n):
        D = np.diag(active)
        x = np.linalg.solve(np.eye(n) - D @ W, D @ b)
        if ((W @ x + b > 0) == np.array(active, dtype=bool)).all():
            exact.append((*x, (np.abs(np.linalg.eigvals(D @ W)) > 1).sum()))
    core = nn.RNN(1, n, nonlinearity="relu").double()
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").copy_(torch.as_tensor(W))
        core.get_parameter("bias_ih_l0").copy_(torch.as_tensor(b))
        core.get_parameter("bias_hh_l0").zero_()
    found = FixedPoints().measure(as_system(core))
    fixed = of_kind(found, FIXED_POINT)
    own = np.column_stack([fixed.location.values, fixed["index"].values])
    assert len(own) == len(exact)
    if exact:
        order = [np.lexsort(np.round(np.array(rows), 6).T) for rows in (own, exact)]
        np.testing.assert_allclose(own[order[0]], np.array(exact)[order[1]], atol=1e-8)


def test_brute_force_on_a_line_of_starts_finds_nothing_more():
    """One unit: every sign change of F^k(x) - x on a fine grid is a point found, and the other way round."""
    for w, b in ((-3.0, 0.2), (3.0, 0.3), (1.7, -0.05)):
        found = FixedPoints(periods=(1, 2)).measure(tanh_map(w, b))
        grid = np.linspace(-1.2, 1.2, 2_000_001)
        twice = np.tanh(w * np.tanh(w * grid + b) + b) - grid
        roots = grid[:-1][np.diff(np.sign(twice)) != 0]
        points = found.cycle.values[0][..., 0].ravel()
        points = np.sort(points[np.isfinite(points)])
        np.testing.assert_allclose(points, roots, atol=2e-6)


def test_eigenvectors_on_request():
    system = networks.flipflop_system("rnn").to(torch.float64)
    found = FixedPoints(vectors=True).measure(system, flipflop_sequences())
    x = torch.as_tensor(found.location.values[0])
    jacobian = system.jacobian(system.weights, x, system.drive(system.weights, torch.zeros(len(x), 3).double())).numpy()
    mu = found.multiplier_real.values[0] + 1j * found.multiplier_imag.values[0]
    right = found.right_real.values[0] + 1j * found.right_imag.values[0]
    left = found.left_real.values[0] + 1j * found.left_imag.values[0]
    np.testing.assert_allclose(jacobian @ right, right * mu[:, None], atol=1e-10)
    np.testing.assert_allclose(np.swapaxes(left, 1, 2) @ jacobian, mu[..., None] * np.swapaxes(left, 1, 2), atol=1e-6)
    np.testing.assert_allclose((left * right).sum(1), 1, atol=1e-6)


def test_several_layers_and_inputs_at_once_equal_one_by_one():
    with seeded(1, "test"):
        core = nn.LSTM(2, 4, num_layers=2).double()
    inputs = [[0.0, 0.0], [1.0, -1.0], [0.3, 2.0]]
    together = FixedPoints(inputs=inputs, n_starts=64).measure(as_system(core))
    for k, u in enumerate(inputs):
        alone = FixedPoints(inputs=[u], n_starts=64).measure(as_system(core))
        n = alone.sizes["point"]
        np.testing.assert_allclose(together.location.values[k, :n], alone.location.values[0], atol=1e-9)
        assert np.isnan(together.location.values[k, n:]).all()


def test_the_same_again_and_independent_of_torch_seed():
    system = networks.flipflop_system("gru")
    probe = FixedPoints(n_starts=128)
    first = probe.measure(system, flipflop_sequences())
    torch.manual_seed(123)
    assert first.identical(probe.measure(system, flipflop_sequences()))


def test_results_of_a_run_join_over_epochs(run_copy):
    found = run_copy.probe(FixedPoints(n_starts=32, n_orbits=8, n_steps=50))
    assert found.location.dims == ("step", "input", "point", "state")
    assert found.sizes["step"] == 7
    assert (found.period.values >= -1).all()
    again = run_copy.dataset("fixedpoints", n_starts=32, n_orbits=8, n_steps=50)
    np.testing.assert_array_equal(again.location.values, found.location.values)
    assert found.status.attrs["flag_meanings"] == "none fixed_point cycle slow_point continuum"


def test_every_variable_says_what_it_is():
    found = FixedPoints(vectors=True, periods=(1, 2), n_starts=16).measure(tanh_map(2.0))
    assert all({"long_name", "units"} <= set(found[name].attrs) for name in found.data_vars)
    assert {"probe", "settings", "references"} <= set(found.attrs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"periods": ()}, "periods: expected different whole numbers"),
        ({"periods": (0,)}, "periods"),
        ({"periods": (1, 1)}, "periods"),
        ({"periods": 2}, "periods"),
        ({"n_starts": 0}, "n_starts: expected a positive whole number, came 0"),
        ({"noise": (-1.0,)}, "noise: expected numbers of at least 0"),
        ({"noise": ()}, "noise"),
        ({"neutral": 0.0}, "neutral: expected a positive number"),
        ({"distinct": math.inf}, "distinct"),
        ({"starts": "norml(1)"}, "starts: expected 'visited'"),
        ({"inputs": [0.0, 1.0]}, "inputs: expected numbers of shape"),
        ({"vectors": 1}, "vectors: expected true or false"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        FixedPoints(**change)


def test_inputs_and_sequences_of_the_wrong_width():
    with pytest.raises(ValueError, match="inputs: expected 1 numbers for each input, came 3"):
        FixedPoints(inputs=[[0.0, 0.0, 0.0]]).measure(tanh_map())
    with pytest.raises(ValueError, match="'visited' needs input sequences"):
        FixedPoints(starts="visited").measure(tanh_map())
    with pytest.raises(ValueError, match=r"sequences: expected shape \(sequence, time, 1\)"):
        FixedPoints().measure(tanh_map(), torch.zeros(3, 4, 2))


def test_random_step_is_refused():
    with pytest.raises(NonDeterministicError):
        FixedPoints().measure(formula(torch.rand_like))
