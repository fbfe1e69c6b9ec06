"""The search for fixed points and cycles against closed forms, brute force and maps that have none."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import root_scalar
from torch import nn

from rnnscope.attractors import distinct_points, find_fixed_points, multipliers_at
from rnnscope.attractors.numerics.newton import ESCAPED, STALLED, STATIONARY, least_periods
from rnnscope.base.errors import NonDeterministicError
from rnnscope.base.randomness import seeded
from rnnscope.systems import as_system
from rnnscope.systems.textbook import MapSystem, delayed_logistic, henon, logistic, rotated_tanh, tanh_map


def formula(rule, size=1):
    """x -> rule(x), any rule on tensors (..., n)."""
    labels = tuple(f"x[{k}]" for k in range(size))
    return MapSystem("formula", lambda theta, x, u: rule(x), {"unit": torch.ones(1).double()}, labels)


def elman(matrix, bias: float | list[float] = 0.0, nonlinearity="tanh"):
    """h -> φ(W h + b), input ignored, float64."""
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    core = nn.RNN(1, len(matrix), nonlinearity=nonlinearity).double()
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").copy_(matrix)
        core.get_parameter("weight_ih_l0").zero_()
        core.get_parameter("bias_ih_l0").copy_(torch.as_tensor(bias, dtype=torch.float64).expand(len(matrix)))
        core.get_parameter("bias_hh_l0").zero_()
    return as_system(core)


def network(module, *sizes, **options):
    with seeded(0, "test"):
        return as_system(module(*sizes, **options).double())


def grid(low, high, count):
    return torch.linspace(low, high, count, dtype=torch.float64)[:, None]


def distinct(found, radius=1e-6):
    chosen, _ = distinct_points(found.location[found.converged], found.residual[found.converged], radius)
    return found.location[found.converged][chosen]


def test_logistic_period_three_points_at_the_fold():
    """At r = 1 + √8 the 3-cycle is born, at 0.1599288, 0.5143553, 0.9563178, with a multiplier 1."""
    system = logistic(1 + math.sqrt(8))
    found = find_fixed_points(system, grid(0.05, 0.98, 40), period=3)
    points, _ = distinct_points(found.location[found.converged], found.residual[found.converged], 1e-4)
    values = found.location[found.converged][points][:, 0].sort().values.numpy()
    for expected in (0.1599288, 0.5143553, 0.9563178):
        assert np.abs(values - expected).min() < 1e-6
    near = found.location[found.converged][(found.location[found.converged][:, 0] - 0.5143553).abs() < 1e-5]
    assert multipliers_at(system, near[:1], period=3).values[0, 0] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("gap", [1e-2, 1e-4])
def test_logistic_has_a_three_cycle_only_beyond_the_fold(gap):
    """Below the fold what is left of the 3-cycle is a minimum of q that is not a zero."""
    fold = 1 + math.sqrt(8)
    after = find_fixed_points(logistic(fold + gap), grid(0.02, 0.98, 60), period=3)
    before = find_fixed_points(logistic(fold - gap), grid(0.02, 0.98, 60), period=3)
    assert len(distinct(after)) == 2 + 6  # 0, 1 - 1/r and two 3-cycles
    assert len(distinct(before)) == 2
    slow = before.status == STATIONARY
    assert slow.any()
    assert before.residual[slow].min() > 1e-6


@pytest.mark.parametrize("r", [2.8, 3.2, 3.5, 3.9, 4.0])
def test_logistic_fixed_points_and_two_cycle_have_their_multipliers(r):
    """μ = r at 0, 2 - r at 1 - 1/r, 4 + 2r - r² on the 2-cycle."""
    system = logistic(r)
    found = distinct(find_fixed_points(system, grid(-0.1, 1.0, 30), period=2))
    least, located, _ = least_periods(system, found, period=2)
    ones = located[least == 1][:, 0].sort().values
    torch.testing.assert_close(ones, torch.tensor([0.0, 1 - 1 / r], dtype=torch.float64), rtol=0, atol=1e-12)
    values = multipliers_at(system, ones[:, None]).values[:, 0]
    np.testing.assert_allclose(values, [r, 2 - r], atol=1e-10)
    twos = located[least == 2]
    assert len(twos) == (2 if r > 3 else 0)
    if r > 3:
        np.testing.assert_allclose(multipliers_at(system, twos, period=2).values, 4 + 2 * r - r**2, atol=1e-8)


@pytest.mark.parametrize(("r", "period"), [(3.0, 1), (1 + math.sqrt(6), 2), (3.5440903595519, 4), (3.5644072660954, 8)])
def test_logistic_flips_where_a_multiplier_is_minus_one(r, period):
    system = logistic(r)
    points = distinct(find_fixed_points(system, grid(0.01, 0.99, 60), period=period), radius=1e-4)
    least, located, _ = least_periods(system, points, period=period)
    values = multipliers_at(system, located[least == period], period=period).values
    assert np.abs(values + 1).min() < 1e-6


@pytest.mark.parametrize("a", [0.2, 0.6, 1.4])
def test_henon_fixed_points_and_two_cycle(a):
    """x = (b - 1 ± √((1-b)² + 4a)) / 2a; a 2-cycle beyond a = 3(1-b)²/4."""
    b = 0.3
    system = henon(a, b)
    x = torch.randn(80, 2, generator=torch.Generator().manual_seed(1)).double()
    found = distinct(find_fixed_points(system, x, period=2))
    least, located, _ = least_periods(system, found, period=2)
    root = math.sqrt((1 - b) ** 2 + 4 * a)
    expected = sorted(((b - 1) + sign * root) / (2 * a) for sign in (-1, 1))
    ones = located[least == 1]
    np.testing.assert_allclose(sorted(ones[:, 0].tolist()), expected, atol=1e-12)
    np.testing.assert_allclose(ones[:, 1], b * ones[:, 0], atol=1e-12)
    assert int((least == 2).sum()) == (2 if a > 3 * (1 - b) ** 2 / 4 else 0)
    for point, value in zip(ones, multipliers_at(system, ones).values, strict=True):
        exact = np.roots([1, 2 * a * float(point[0]), -b])
        np.testing.assert_allclose(np.sort(value.real), np.sort(exact.real), atol=1e-10)


def test_henon_bifurcation_values_in_a():
    """Fold at -(1-b)²/4 (μ = 1), flip at 3(1-b)²/4 (μ = -1), 2 -> 4 at (1-b)² + (1+b)²/4 (μ = -1 on the 2-cycle)."""
    b = 0.3
    fold, flip, second = -((1 - b) ** 2) / 4, 3 * (1 - b) ** 2 / 4, (1 - b) ** 2 + (1 + b) ** 2 / 4
    x = 4 * torch.randn(60, 2, generator=torch.Generator().manual_seed(2)).double()
    assert len(distinct(find_fixed_points(henon(fold + 1e-4, b), x))) == 2
    assert len(distinct(find_fixed_points(henon(fold - 1e-4, b), x))) == 0
    points = distinct(find_fixed_points(henon(flip, b), x))
    values = multipliers_at(henon(flip, b), points).values
    assert np.abs(values + 1).min() < 1e-10
    found = distinct(find_fixed_points(henon(second, b), x, period=2))
    least, located, _ = least_periods(henon(second, b), found, period=2)
    values = multipliers_at(henon(second, b), located[least == 2], period=2).values
    assert np.abs(values + 1).min() < 1e-8


def test_delayed_logistic_at_the_neimark_sacker_point():
    system = delayed_logistic(2.0)
    starts = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))
    points = distinct(find_fixed_points(system, starts))
    inner = points[points[:, 0] > 0.1]
    torch.testing.assert_close(inner, torch.full((1, 2), 0.5).double())
    values = multipliers_at(system, inner).values[0]
    np.testing.assert_allclose(values, np.exp([1j * np.pi / 3, -1j * np.pi / 3]), atol=1e-12)


@pytest.mark.parametrize("w", [0.5, 1.5, 2.0, -0.5, -2.0])
def test_tanh_map_pitchfork_and_flip(w):
    system = tanh_map(w)
    found = distinct(find_fixed_points(system, grid(-2, 2, 21), period=2))
    least, located, _ = least_periods(system, found, period=2)
    if abs(w) < 1:
        assert located.abs().max() < 1e-12
        assert len(located) == 1
    else:
        x = root_scalar(lambda x: np.tanh(abs(w) * x) - x, bracket=(0.05, 1), xtol=1e-15).root
        np.testing.assert_allclose(np.sort(located[:, 0]), [-x, 0, x], atol=1e-12)
        outer = least[located[:, 0].abs() > 0.01]
        assert outer.tolist() == [1, 1] if w > 0 else [2, 2]
    centre = multipliers_at(system, torch.zeros(1, 1)).values[0, 0]
    assert centre == pytest.approx(w)


def test_tanh_map_folds_at_their_bias():
    """At w = 2 the folds are at b = ±0.532840, with μ = 1 where 1 - x² = 1/2."""
    for b, count in ((0.5327, 3), (0.5330, 1), (-0.5327, 3), (-0.5330, 1)):
        assert len(distinct(find_fixed_points(tanh_map(2.0, b), grid(-1.5, 1.5, 31)))) == count
    b = 0.5328399754
    assert 2 * math.sqrt(0.5) - math.atanh(math.sqrt(0.5)) == pytest.approx(b, abs=1e-9)
    found = find_fixed_points(tanh_map(2.0, b), torch.tensor([[-0.71]]))
    assert multipliers_at(tanh_map(2.0, b), found.location).values[0, 0].real == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("angle", [0.3, 0.9, 2.5])
def test_rotated_tanh_has_the_angle_as_multiplier(angle):
    value = multipliers_at(rotated_tanh(1.0, angle), torch.zeros(1, 2)).values[0]
    np.testing.assert_allclose(np.abs(np.angle(value)), angle, atol=1e-12)
    np.testing.assert_allclose(np.abs(value), 1, atol=1e-12)


@given(st.lists(st.floats(-2.5, 2.5), min_size=4, max_size=4), st.lists(st.floats(-1, 1), min_size=2, max_size=2))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_two_units_against_the_sign_changes_of_both_components(weights, bias):
    """Brute force: the first equation solved for x1, then all sign changes of the second on a fine grid of x0."""
    (a, b, c, d), (p, q) = weights, bias
    if abs(b) < 0.1:
        return
    x0 = np.tanh(np.linspace(-14, 14, 400001))
    x1 = (np.arctanh(x0) - a * x0 - p) / b
    g = np.tanh(c * x0 + d * x1 + q) - x1
    crossings = np.flatnonzero(np.sign(g[1:]) * np.sign(g[:-1]) < 0)
    roots = [(x0[k], x1[k]) for k in crossings]
    system = elman([[a, b], [c, d]], [p, q])
    x = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0)).double() - 1
    found = distinct(find_fixed_points(system, x))
    for point in found.numpy():
        # a double root just beside a fold has no sign change
        simple = np.abs(multipliers_at(system, torch.tensor(point)[None]).values - 1).min() > 1e-3
        assert not simple or min(np.hypot(*(point - root)) for root in roots) < 1e-3
    for root in roots:
        assert np.hypot(*(found.numpy() - root).T).min() < 1e-3


def test_residual_and_location_are_of_the_same_iterate():
    system = elman(1.8 * torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))
    x = torch.randn(100, 6, generator=torch.Generator().manual_seed(1)).double()
    for limit in (1, 3, 300):
        found = find_fixed_points(system, x, period=2, max_iterations=limit)
        y = found.location
        for _ in range(2):
            y = system.step(system.weights, y, torch.zeros(100, 6).double())
        torch.testing.assert_close((y - found.location).norm(dim=-1), found.residual, rtol=1e-6, atol=1e-15)
        torch.testing.assert_close(found.q, found.residual**2 / 2)


def test_many_inputs_at_once_equal_one_by_one():
    system = network(nn.GRU, 2, 5, num_layers=2)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 10, generator=generator).double()
    u = torch.randn(12, 2, generator=generator).double()
    together = find_fixed_points(system, x, u)
    assert together.converged.all()
    for k in range(12):
        alone = find_fixed_points(system, x[k : k + 1], u[k])
        torch.testing.assert_close(together.location[k], alone.location[0], rtol=0, atol=1e-9)
        new = system.step(system.weights, alone.location, system.drive(system.weights, u[k : k + 1]))
        torch.testing.assert_close(new, alone.location, rtol=0, atol=1e-12)


def test_map_without_fixed_points_says_so():
    """x + 1 has no zero and no slope; e^x has a minimum of e^x - x at 0, of height 1."""
    shift = find_fixed_points(formula(lambda x: x + 1), grid(-2, 2, 5))
    assert (shift.status == STATIONARY).all()
    torch.testing.assert_close(shift.residual, torch.ones(5).double())
    exponential = find_fixed_points(formula(lambda x: x.exp()), grid(-2, 2, 5))
    assert (exponential.status == STATIONARY).all()
    torch.testing.assert_close(exponential.location, torch.zeros(5, 1).double(), rtol=0, atol=1e-3)
    torch.testing.assert_close(exponential.residual, torch.ones(5).double(), rtol=0, atol=1e-6)


def test_starts_where_the_map_is_not_finite_have_escaped():
    found = find_fixed_points(formula(lambda x: x.exp().exp()), torch.tensor([[1e3], [800.0], [math.inf]]))
    assert (found.status == ESCAPED).all()
    assert found.residual.isnan().all()
    assert found.q.isnan().all()


def test_a_jump_is_no_zero():
    """x -> -sign(x) crosses the diagonal by jumping over it; so does modReLU with a positive bias."""
    found = find_fixed_points(formula(lambda x: 0.5 * x - torch.where(x >= 0, 1.0, -1.0).to(x)), grid(-2, 2.1, 12))
    assert not found.converged.any()
    assert found.residual.min() > 0.9
    kink = find_fixed_points(formula(lambda x: x + 0.1 + x.abs()), grid(-2, 2.1, 12))
    assert (kink.status == STALLED).any()
    assert not kink.converged.any()
    torch.testing.assert_close(kink.residual.min(), torch.tensor(0.1).double(), rtol=0, atol=1e-6)


def test_multipliers_at_a_kink_are_not_given():
    system = formula(lambda x: torch.relu(x) * 0.5)
    found = multipliers_at(system, torch.tensor([[0.0]]))
    assert not found.smooth.any()
    assert np.isnan(found.values).all()
    assert found.index().tolist() == [-1]


def test_eigenvectors_are_left_and_right_of_the_jacobian():
    system = elman(torch.randn(5, 5, generator=torch.Generator().manual_seed(3)))
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(4)).double()
    found = multipliers_at(system, x, vectors=True)
    assert found.right is not None
    assert found.left is not None
    jacobian = system.jacobian(system.weights, x, torch.zeros(4, 5).double()).numpy()
    for k in range(4):
        np.testing.assert_allclose(jacobian[k] @ found.right[k], found.right[k] * found.values[k], atol=1e-12)
        np.testing.assert_allclose(found.left[k] @ jacobian[k], found.values[k][:, None] * found.left[k], atol=1e-12)
        np.testing.assert_allclose(found.left[k] @ found.right[k], np.eye(5), atol=1e-10)


def test_float32_converges_to_its_own_rounding():
    system = network(nn.LSTM, 1, 6).to(torch.float32)
    found = find_fixed_points(system, torch.randn(50, 12, generator=torch.Generator().manual_seed(0)))
    assert found.location.dtype == torch.float32
    assert found.converged.all()
    assert found.residual.max() < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"states": torch.zeros(3, 4)}, r"states: expected shape \(start, 2\) with at least one start, came \(3, 4\)"),
        ({"states": torch.zeros(0, 2)}, "at least one start"),
        ({"inputs": torch.zeros(3)}, r"inputs: expected shape \(1,\), or \(5, 1\)"),
        ({"period": 0}, "period: expected a positive whole number, came 0"),
        ({"period": 1.5}, "period"),
        ({"tolerance": -1.0}, "tolerance: expected a positive number"),
    ],
)
def test_bad_input(change, message):
    arguments = {"states": torch.zeros(5, 2)} | change
    with pytest.raises(ValueError, match=message):
        find_fixed_points(elman(torch.eye(2)), **arguments)


def test_random_step_is_refused():
    with pytest.raises(NonDeterministicError, match="must not draw random numbers"):
        find_fixed_points(formula(torch.rand_like, 2), torch.zeros(5, 2))


def test_dropout_left_on_changes_nothing():
    with seeded(0, "test"):
        core = nn.GRU(1, 4, num_layers=2, dropout=0.5).double().train()
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)).double()
    first, second = (find_fixed_points(as_system(core), x) for _ in range(2))
    assert torch.equal(first.location, second.location)
    assert first.converged.all()


def test_large_states_on_two_threads():
    """MKL's LU of a batch of such matrices does not return on two threads."""
    torch.set_num_threads(2)
    found = find_fixed_points(network(nn.RNN, 1, 200), torch.zeros(8, 200))
    assert found.converged.all()
    assert torch.get_num_threads() == 2
