"""Lyapunov exponents against exact values, published values, and brute force by autograd."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnnscope import models
from rnnscope.attractors import Lyapunov, kaplan_yorke, lyapunov_spectrum
from rnnscope.base.errors import NonDeterministicError
from rnnscope.systems import as_system, closed_loop, textbook

NOT_CONVERGED, CONVERGED, DIVERGED = 0, 1, 2


def uniform(n, size, low, high, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(n, size, dtype=torch.float64, generator=generator)


def seeded(make, gain=1.0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make().double()
        with torch.no_grad():
            for p in module.parameters():
                p.mul_(gain)
    return module


# Closed forms


def test_logistic_at_four_is_ln_two():
    found = lyapunov_spectrum(textbook.logistic(4.0), uniform(64, 1, 0.1, 0.9), n_transient=50)
    assert (found.status == CONVERGED).all()
    error = (found.exponents - math.log(2)).abs()
    assert (error < 4 * found.standard_error).all()
    assert error.max() < 0.01
    assert float(found.exponents.mean()) == pytest.approx(math.log(2), abs=5e-4)


@pytest.mark.parametrize("r", [1.3, 1.9, 2.3, 2.9])
def test_logistic_at_its_rest(r):
    found = lyapunov_spectrum(textbook.logistic(r), torch.tensor([[0.3]]), n_transient=1000, n_steps=200)
    assert found.exponents.item() == pytest.approx(math.log(abs(2 - r)), abs=1e-10)
    assert found.kaplan_yorke.item() == 0.0


@pytest.mark.parametrize("r", [3.1, 3.3, 3.44])
def test_logistic_on_its_two_cycle(r):
    found = lyapunov_spectrum(textbook.logistic(r), torch.tensor([[0.3]]), n_transient=1500, n_steps=200)
    assert found.exponents.item() == pytest.approx(0.5 * math.log(abs(4 + 2 * r - r * r)), abs=1e-9)


def test_superstable_rest_is_minus_infinity():
    found = lyapunov_spectrum(textbook.logistic(2.0), torch.tensor([[0.3]]), n_transient=50, n_steps=100)
    assert found.exponents.item() == -math.inf
    assert found.status.item() == CONVERGED
    assert found.standard_error.isnan().all()


def test_henon():
    found = lyapunov_spectrum(textbook.henon(), uniform(128, 2, 0.0, 0.1), n_transient=100)
    np.testing.assert_allclose(found.exponents.sum(-1), math.log(0.3), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.exponents.mean(0), [0.4193, -1.6233], atol=0.002)
    assert float(found.kaplan_yorke.mean()) == pytest.approx(1.2583, abs=0.002)


def test_closed_curve_has_a_zero_exponent_within_its_error():
    found = lyapunov_spectrum(textbook.delayed_logistic(2.1), uniform(8, 2, 0.4, 0.5), n_transient=2000, n_steps=1500)
    zero, other = found.exponents.T
    assert (zero.abs() < 2e-3).all()
    assert (zero.abs() < found.standard_error[:, 0]).all()
    np.testing.assert_allclose(other, -0.127, atol=2e-3)
    assert (found.kaplan_yorke == 1).all()
    assert (found.status == CONVERGED).all()


def test_rotated_tanh_before_and_after_its_bifurcation():
    """Before: ln ρ twice. After: a zero exponent."""
    before = lyapunov_spectrum(
        textbook.rotated_tanh(0.8, 1.0), torch.tensor([[0.5, 0.1]]), n_transient=200, n_steps=200
    )
    np.testing.assert_allclose(before.exponents[0], math.log(0.8), atol=1e-6)
    after = lyapunov_spectrum(
        textbook.rotated_tanh(1.3, 1.0), torch.tensor([[0.5, 0.1]]), n_transient=200, n_steps=1000
    )
    assert abs(float(after.exponents[0, 0])) < after.standard_error[0, 0] < 2e-3
    assert after.exponents[0, 1] < -0.1


@settings(deadline=None, derandomize=True, max_examples=8)
@given(data=st.data(), n_pairs=st.integers(0, 2), n_real=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_linear_map_has_the_logarithms_of_its_multipliers(data, n_pairs, n_real, seed):
    """Real multipliers of both signs and complex pairs, in a skew basis."""
    rates = data.draw(st.lists(st.integers(-12, 6), min_size=n_pairs + n_real, max_size=n_pairs + n_real, unique=True))
    n = 2 * n_pairs + n_real
    blocks, expected = torch.zeros(n, n, dtype=torch.float64), []
    for k, rate in enumerate(rates):
        size = math.exp(rate / 6)
        if k < n_pairs:
            cos, sin = size * math.cos(k + 1), size * math.sin(k + 1)
            blocks[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = torch.tensor([[cos, -sin], [sin, cos]])
            expected += [rate / 6] * 2
        else:
            blocks[n_pairs + k, n_pairs + k] = -size if k % 2 else size
            expected.append(rate / 6)
    generator = torch.Generator().manual_seed(seed)
    skew = torch.eye(n) + 0.3 * torch.rand(n, n, generator=generator, dtype=torch.float64)
    matrix = skew @ blocks @ torch.linalg.inv(skew)
    found = lyapunov_spectrum(textbook.linear(matrix), torch.zeros(1, n), n_transient_tangent=300, n_steps=800)
    assert float(found.exponents.sum()) == pytest.approx(float(torch.linalg.slogdet(matrix)[1]), abs=1e-7)
    np.testing.assert_allclose(found.exponents[0], sorted(expected, reverse=True), atol=1e-2)
    largest = lyapunov_spectrum(textbook.linear(matrix), torch.zeros(1, n), n_exponents=1, n_steps=200)
    assert largest.exponents.item() == pytest.approx(max(expected), abs=5e-2)


def test_orthogonal_map_keeps_all_lengths():
    matrix = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q
    found = lyapunov_spectrum(textbook.linear(matrix), torch.randn(3, 6))
    assert found.exponents.abs().max() < 1e-13
    assert (found.kaplan_yorke == 6).all()
    assert (found.status == CONVERGED).all()


def test_nilpotent_map_loses_every_direction():
    shift = torch.diag(torch.ones(3), 1)
    found = lyapunov_spectrum(textbook.linear(shift), torch.randn(2, 4))
    assert (found.exponents == -math.inf).all()
    assert (found.history == -math.inf).all()
    assert (found.kaplan_yorke == 0).all()


def test_directions_that_a_network_does_not_see_are_minus_infinity():
    """W_hh of rank 2 in a tanh network of 5 units: three directions are lost at every step."""
    core = seeded(lambda: nn.RNN(1, 5))
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").copy_(torch.randn(5, 2).double() @ torch.randn(2, 5).double())
    exponents = lyapunov_spectrum(as_system(core), torch.randn(4, 5)).exponents
    assert exponents[:, :2].isfinite().all()
    assert (exponents[:, 2:] == -math.inf).all()


@pytest.mark.parametrize("make", [lambda: nn.GRU(1, 5), lambda: nn.LSTM(1, 4, 2), lambda: nn.RNN(1, 6)])
def test_network_at_rest_has_the_logarithms_of_its_multipliers(make):
    system = as_system(seeded(make))
    found = lyapunov_spectrum(system, torch.randn(2, system.state_size), n_transient=300, n_steps=800)
    rest = found.final[:1]
    jacobian = system.jacobian(system.weights, rest, system.drive(system.weights, torch.zeros(1, 1).double()))[0]
    expected = torch.linalg.eigvals(jacobian).abs().log().sort(descending=True).values
    np.testing.assert_allclose(found.exponents.sum(-1), expected.sum(), atol=1e-6)
    np.testing.assert_allclose(found.exponents, expected.expand(2, -1), atol=2e-2)
    assert (found.status == CONVERGED).all()
    assert (found.kaplan_yorke == 0).all()


def test_lru_has_the_logarithms_of_its_moduli():
    """x <- λ x + …, |λ| = exp(-e^ν): -e^ν twice for each unit, whatever the input; also below a second layer."""
    for num_layers in (1, 2):
        model = models.build("lru", input_size=1, hidden_size=3, output_size=1, num_layers=num_layers).double()
        system = as_system(model)
        rates = torch.cat([-params.exp() for name, params in system.params.items() if ".nu" in name])
        expected = rates.repeat_interleave(2).sort(descending=True).values
        inputs = torch.tensor([[0.0], [3.0]])
        found = lyapunov_spectrum(system, torch.randn(2, system.state_size), inputs, n_steps=1000)
        np.testing.assert_allclose(found.exponents.sum(-1), expected.sum(), atol=1e-9)
        np.testing.assert_allclose(found.exponents, expected.expand(2, -1), atol=2e-2)


def test_chaotic_lstm():
    starts = 0.5 + uniform(64, 4, -0.02, 0.02)
    found = lyapunov_spectrum(textbook.chaotic_lstm(), starts, n_transient=200, n_steps=3000)
    mean = found.exponents.mean(0).tolist()
    for came, (value, tolerance) in zip(
        mean, ((0.169, 0.003), (-0.385, 0.005), (-1.674, 0.01), (-4.62, 0.015)), strict=True
    ):
        assert came == pytest.approx(value, abs=tolerance)
    assert float(kaplan_yorke(found.exponents.mean(0), complete=True)) == pytest.approx(1.437, abs=0.01)
    assert found.interval < 10


def test_lorenz_contracts_by_its_divergence():
    system = textbook.lorenz(dt=0.01, substeps=2)
    found = lyapunov_spectrum(system, uniform(8, 3, 5.0, 15.0), n_transient=500, n_steps=500)
    assert (found.exponents.sum(-1) / 0.01 + 41 / 3).abs().max() < 2e-5


@pytest.mark.slow
def test_lorenz_per_unit_time():
    starts = uniform(400, 3, 5.0, 15.0)
    dt = 0.01
    found = lyapunov_spectrum(textbook.lorenz(dt=dt), starts, n_transient=2000, n_transient_tangent=1000, n_steps=5000)
    first, zero, last = (found.exponents.mean(0) / dt).tolist()
    assert first == pytest.approx(0.906, abs=0.012)
    assert zero == pytest.approx(0.0, abs=0.01)
    assert last == pytest.approx(-14.572, abs=0.02)


# Brute force


def by_autograd(system, state, n_transient, n_steps, frame):
    """QR at every step of dense Jacobians, one row."""
    drive = system.drive(system.weights, torch.zeros(system.input_size, dtype=torch.float64))

    def step(x):
        return system.step(system.weights, x, drive)

    total = torch.zeros(frame.shape[1], dtype=torch.float64)
    for t in range(n_transient + n_steps):
        jacobian = torch.autograd.functional.jacobian(step, state)
        state = step(state).detach()
        frame, r = torch.linalg.qr(jacobian @ frame)
        if t >= n_transient:
            total += r.diagonal().abs().log()
    return total / n_steps


BRUTE = {
    "lstm": lambda: as_system(seeded(lambda: nn.LSTM(1, 4), 3.0)),
    "gru, 2 layers": lambda: as_system(seeded(lambda: nn.GRU(1, 3, 2), 4.0)),
    "tanh": lambda: as_system(seeded(lambda: nn.RNN(1, 6), 3.0)),
    "orthogonal": lambda: as_system(
        seeded(lambda: models.build("orthogonal", input_size=1, hidden_size=5, output_size=1), 1.0)
    ),
    "closed loop": lambda: closed_loop(as_system((seeded(lambda: nn.GRU(1, 4), 3.0), seeded(lambda: nn.Linear(4, 1))))),
    "ikeda": textbook.ikeda,
}


@pytest.mark.parametrize("make", BRUTE.values(), ids=BRUTE)
def test_equals_qr_of_autograds_jacobians(make):
    """Same first vectors, same steps: the same numbers, whatever the interval between orthonormalisations."""
    from rnnscope.base.randomness import make_generator

    system = make()
    n = system.state_size
    k = n if system.state_labels[-1] != "y[0]" else n - 1
    generator = make_generator(0, "lyapunov/frame")
    frame = torch.linalg.qr(torch.randn(n, k, dtype=torch.float64, generator=generator)).Q
    state = torch.linspace(-0.4, 0.5, n, dtype=torch.float64)
    expected = by_autograd(system, state, 20, 80, frame).sort(descending=True).values
    for interval in (1, 4):
        found = lyapunov_spectrum(
            system, state[None], n_exponents=k, n_transient_tangent=20, n_steps=80, interval=interval
        )
        np.testing.assert_allclose(found.exponents[0], expected, rtol=1e-6, atol=1e-7)


def test_growth_of_the_product_of_jacobians():
    """1/T ln σ_1 of J[T] ··· J[1] of a chaotic network comes to the same as λ_1."""
    system = textbook.chaotic_lstm()
    x, drive = torch.full((4,), 0.5, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
    product, log_scale, n_steps = torch.eye(4, dtype=torch.float64), 0.0, 1000
    for _ in range(n_steps):
        product = system.jacobian(system.weights, x, drive) @ product
        x = system.step(system.weights, x, drive)
        scale = float(product.norm())
        product, log_scale = product / scale, log_scale + math.log(scale)
    expected = (log_scale + math.log(float(torch.linalg.matrix_norm(product, 2)))) / n_steps
    start = torch.full((1, 4), 0.5)
    found = lyapunov_spectrum(system, start, n_exponents=1, n_transient_tangent=0, n_steps=n_steps)
    assert found.exponents.item() == pytest.approx(expected, abs=0.015)


# Numbers of steps, intervals, batches


def test_a_long_interval_is_shortened_before_rounding_shows():
    matrix = torch.tensor([[3.0, 1.0, 0.0], [0.0, 0.5, 2.0], [0.0, 0.0, 0.01]])
    expected = np.log([3.0, 0.5, 0.01])
    found = lyapunov_spectrum(textbook.linear(matrix), torch.zeros(1, 3), n_steps=300, interval=1000)
    np.testing.assert_allclose(found.exponents[0], expected, atol=1e-9)
    assert 1 <= found.interval <= 4
    steep = lyapunov_spectrum(textbook.linear(1e30 * matrix), torch.zeros(1, 3), n_steps=300, interval=1000)
    np.testing.assert_allclose(steep.exponents[0], expected + 30 * math.log(10), atol=1e-9)
    flat = lyapunov_spectrum(textbook.linear(1e-30 * matrix), torch.zeros(1, 3), n_steps=300, interval=1000)
    np.testing.assert_allclose(flat.exponents[0], expected - 30 * math.log(10), atol=1e-9)


def test_interval_does_not_change_the_numbers():
    starts = uniform(4, 2, 0.4, 0.5)
    every, seldom = (
        lyapunov_spectrum(textbook.delayed_logistic(2.1), starts, n_transient=500, n_steps=500, interval=interval)
        for interval in (1, 16)
    )
    np.testing.assert_allclose(every.exponents, seldom.exponents, atol=1e-6)
    assert seldom.interval == 16


def test_leading_exponents_are_the_first_of_all():
    system = as_system(seeded(lambda: nn.LSTM(1, 6), 2.0))
    state = torch.randn(2, 12)
    everything = lyapunov_spectrum(system, state, n_transient=200, n_steps=800, interval=1)
    leading = lyapunov_spectrum(system, state, n_exponents=3, n_transient=200, n_steps=800)
    np.testing.assert_allclose(leading.exponents, everything.exponents[:, :3], atol=1e-2)
    assert leading.exponents.shape == (2, 3)


def test_a_batch_equals_its_rows_each_under_its_own_input():
    system = as_system(seeded(lambda: nn.GRU(1, 4), 2.0))
    states, inputs = torch.randn(3, 4), torch.tensor([[0.0], [1.0], [-2.0]])
    together = lyapunov_spectrum(system, states, inputs, n_transient=100, n_steps=300)
    for row in range(3):
        one = slice(row, row + 1)
        alone = lyapunov_spectrum(system, states[one], inputs[one], n_transient=100, n_steps=300)
        np.testing.assert_allclose(together.exponents[one], alone.exponents, atol=1e-9)
    assert not torch.allclose(together.exponents[0], together.exponents[1])


def test_batches_larger_than_the_cache_are_cut(monkeypatch):
    from rnnscope.attractors.numerics import exponents

    whole = lyapunov_spectrum(textbook.henon(), uniform(7, 2, 0.0, 0.1), n_steps=100)
    monkeypatch.setattr(exponents, "_NUMBERS_AT_ONCE", 12)
    cut = lyapunov_spectrum(textbook.henon(), uniform(7, 2, 0.0, 0.1), n_steps=100)
    for a, b in zip(whole[:-1], cut[:-1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 7, 8, 63, 64, 65, 1000])
def test_any_number_of_steps(n_steps):
    """A linear map with equal multipliers has the same sum at every step."""
    found = lyapunov_spectrum(textbook.linear([[0.5]]), torch.ones(1, 1), n_steps=n_steps)
    assert found.exponents.item() == pytest.approx(math.log(0.5), abs=1e-14)
    assert int(found.times[-1]) == n_steps
    assert found.history.shape[-1] == len(found.times) == min(n_steps, max(16, n_steps // 10), 64)
    np.testing.assert_allclose(found.history, math.log(0.5), atol=1e-14)
    assert bool(found.standard_error.isnan()) == (n_steps < 8)
    assert found.status.item() == (NOT_CONVERGED if n_steps < 8 else CONVERGED)


def test_history_ends_at_the_exponents_and_begins_with_the_first_steps():
    starts = uniform(2, 2, 0.0, 0.1)
    found = lyapunov_spectrum(textbook.henon(), starts, n_transient=10, n_steps=640)
    torch.testing.assert_close(found.history[..., -1], found.exponents)
    short = lyapunov_spectrum(textbook.henon(), starts, n_transient=10, n_steps=100)
    torch.testing.assert_close(found.history[..., 9], short.exponents, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("system", "low", "high", "at_least"),
    [
        (textbook.logistic(3.7), 0.1, 0.9, 0.6),
        (textbook.henon(), 0.0, 0.1, 0.6),
        (textbook.chaotic_lstm(), 0.48, 0.52, 0.6),
        (textbook.delayed_logistic(2.1), 0.4, 0.5, 0.0),
    ],
)
def test_errors_are_as_large_as_they_say(system, low, high, at_least):
    """Over many starts the deviations from the mean, in standard errors, have a root mean square of about one."""
    starts = uniform(200, system.state_size, low, high)
    found = lyapunov_spectrum(system, starts, n_transient=1000, n_steps=1000)
    deviations = (found.exponents - found.exponents.mean(0)) / found.standard_error
    size = (deviations**2).mean(0).sqrt()
    assert (size < 1.2).all()
    assert (size >= at_least).all()


def test_a_transient_that_goes_on_is_not_converged():
    """Past the flip the rest repels with ln|2 - r| = ln 1.3; the state leaves it half way, for a stable cycle."""
    start = torch.tensor([[1 - 1 / 3.3 + 1e-12]], dtype=torch.float64)
    found = lyapunov_spectrum(textbook.logistic(3.3), start, n_transient_tangent=0, n_steps=200)
    assert found.history[0, 0, 0].item() == pytest.approx(math.log(1.3), abs=1e-6)
    assert found.status.item() == NOT_CONVERGED
    assert lyapunov_spectrum(textbook.logistic(3.3), start, n_transient=500, n_steps=200).status.item() == CONVERGED


# Divergence


def test_henon_starts_that_diverge_have_no_exponents():
    starts = uniform(400, 2, -2.0, 2.0)
    found = lyapunov_spectrum(textbook.henon(), starts, n_transient=100, n_steps=200)
    gone = found.status == DIVERGED
    assert float(gone.double().mean()) == pytest.approx(0.57, abs=0.06)
    for values in (found.exponents, found.standard_error, found.history, found.kaplan_yorke, found.final):
        assert values[gone].isnan().all()
    np.testing.assert_allclose(found.exponents[~gone].sum(-1), math.log(0.3), atol=1e-10)


def test_divergence_while_averaging_is_seen():
    core = seeded(lambda: nn.RNN(1, 1, nonlinearity="relu", bias=False))
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").fill_(1.1)
    found = lyapunov_spectrum(as_system(core), torch.tensor([[1.0], [-1.0]]), n_transient_tangent=10, n_steps=500)
    assert found.status.tolist() == [DIVERGED, CONVERGED]
    assert found.exponents[1].item() == -math.inf
    huge = lyapunov_spectrum(textbook.linear([[1e200]]), torch.ones(1, 1), n_transient_tangent=0, n_steps=20)
    assert huge.status.item() == DIVERGED


# Driven and closed loops


def test_exponent_along_a_sequence_is_conditional_on_it():
    """minGRU: h <- (1 - z(u)) h + …, so the exponent is the mean of ln(1 - z(u))."""
    model = models.build("mingru", input_size=1, hidden_size=3, output_size=1)
    system = as_system(model.double())
    sequence = torch.randn(50, 1, dtype=torch.float64)
    gates = system.drive(system.weights, sequence)[:, :3]
    expected = torch.log1p(-gates).mean(0).sort(descending=True).values
    probe = Lyapunov(drive=sequence, starts=[[0.0, 0.0, 0.0]], n_steps=200, n_transient=0, n_transient_tangent=800)
    found = probe.measure(system)
    np.testing.assert_allclose(found.lyapunov_exponent[0, 0], expected, atol=1e-3)
    joined = Lyapunov(drive="sequences", n_starts=1, n_steps=200, n_transient=0, n_transient_tangent=800)
    found = joined.measure(system, sequence.reshape(2, 25, 1))
    np.testing.assert_allclose(found.lyapunov_exponent[0, 0], expected, atol=1e-3)


def test_periodic_drive_equals_the_derivative_along_the_period():
    system = textbook.tanh_map(1.8, 0.0)
    inputs = [0.7, -0.9, 0.1]
    h, logs = 0.2, []
    for t in range(900):
        h = math.tanh(1.8 * h + inputs[t % 3])
        logs.append(math.log(1.8 * (1 - h * h)))
    probe = Lyapunov(drive=[[[u] for u in inputs]], starts=[[0.2]], n_transient=301, n_steps=90)
    found = probe.measure(system)
    assert found.lyapunov_exponent.item() == pytest.approx(np.mean(logs[-90:]), abs=1e-10)
    assert "input_value" not in found.coords


def test_several_sequences_are_several_inputs():
    sequences = np.random.default_rng(0).normal(size=(3, 20, 1))
    found = Lyapunov(drive=sequences, n_starts=2, n_steps=100, n_transient=100).measure(textbook.tanh_map(1.5))
    assert found.lyapunov_exponent.shape == (3, 2, 1)
    for k in range(3):
        alone = Lyapunov(drive=sequences[k], n_starts=2, n_steps=100, n_transient=100).measure(textbook.tanh_map(1.5))
        np.testing.assert_allclose(found.lyapunov_exponent[k], alone.lyapunov_exponent[0], atol=1e-9)


def plane(params, state, input):
    return state @ params["matrix"].mT + input


def test_closed_loop_of_a_linear_map():
    """x <- M x + y with y = x: multipliers of M + 1; the two outputs add nothing but lost directions."""
    matrix = torch.tensor([[-0.5, 0.2], [0.0, -1.4]], dtype=torch.float64)
    system = textbook.MapSystem("plane", plane, {"matrix": matrix}, ("x[0]", "x[1]"), input_size=2)
    found = Lyapunov(drive="closed", starts=[[0.1, 0.2]], n_transient=0, n_steps=200).measure(system)
    np.testing.assert_allclose(found.lyapunov_exponent[0, 0, :2], np.log([0.5, 0.4]), atol=5e-3)
    assert (found.lyapunov_exponent[0, 0, 2:] == -np.inf).all()
    assert found.state.values.tolist() == ["x[0]", "x[1]", "y[0]", "y[1]"]


def test_closed_loop_needs_an_output_as_wide_as_the_input_and_the_advice_works():
    model = nn.GRU(1, 3)
    with pytest.raises(ValueError, match="came 3 outputs and 1 inputs") as refused:
        Lyapunov(drive="closed").measure(as_system(model))
    advice = "Lyapunov().measure(closed_loop(as_system(model), φ))"
    assert advice in str(refused.value)
    assert "feedback=" not in str(refused.value)

    def φ(outputs):
        return outputs[..., :1]

    found = eval(advice, globals(), {"model": model, "φ": φ})
    assert found.sizes["state"] == 3 + 3


# The probe


def test_dataset_is_labelled():
    system = as_system(seeded(lambda: nn.LSTM(1, 3)))
    probe = Lyapunov(inputs=[[0.0], [0.5]], n_starts=3, n_exponents=2, n_steps=100, n_transient=50)
    found = probe.measure(system)
    assert found.lyapunov_exponent.dims == ("input", "start", "exponent")
    assert found.lyapunov_exponent.shape == (2, 3, 2)
    assert found.lyapunov_error.dims == found.lyapunov_exponent.dims  # the names that Attractors gives too
    assert found.history.dims == ("input", "start", "exponent", "time")
    assert found.final_state.dims == ("input", "start", "state")
    assert found.status.dims == found.kaplan_yorke.dims == ("input", "start")
    assert found.status.attrs["flag_meanings"] == "not_converged converged diverged"
    assert found.input_value.values.tolist() == [[0.0], [0.5]]
    assert all("units" in v.attrs and "long_name" in v.attrs for v in found.data_vars.values())
    assert found.attrs["probe"] == "lyapunov"
    assert json.loads(found.attrs["settings"])["settings"]["n_exponents"] == 2
    again = Lyapunov.from_settings(json.loads(found.attrs["settings"])["settings"])
    assert again.measure(system).identical(found)


def test_settings_round_trip_with_a_driving_array():
    probe = Lyapunov(drive=np.ones((4, 1)))
    again = Lyapunov.from_settings(json.loads(json.dumps(probe.settings())))
    assert again == probe
    assert again.key == probe.key != Lyapunov(drive=np.zeros((4, 1))).key


def test_float64_is_the_default_and_float32_is_near():
    system = as_system(seeded(lambda: nn.GRU(1, 4)).float())
    double = Lyapunov(n_starts=2, n_steps=300).measure(system)
    single = Lyapunov(n_starts=2, n_steps=300, dtype="float32").measure(system)
    assert double.lyapunov_exponent.dtype == np.float64
    assert single.lyapunov_exponent.dtype == np.float32
    np.testing.assert_allclose(single.lyapunov_exponent, double.lyapunov_exponent, atol=1e-3)


def test_in_a_run(run_copy):
    found = run_copy.probe("lyapunov", n_exponents=2, n_starts=1, n_steps=64, n_transient=20, epochs=3)
    assert found.lyapunov_exponent.dims == ("step", "input", "start", "exponent")
    assert found.sizes["input"] == 3
    stored = run_copy.dataset("lyapunov")
    np.testing.assert_array_equal(stored.lyapunov_exponent, found.lyapunov_exponent)
    driven = run_copy.probe("lyapunov", drive="sequences", n_exponents=1, n_starts=1, n_steps=64, epochs=[6])
    assert driven.sizes["input"] == 1
    loop = run_copy.probe("lyapunov", drive="closed", n_exponents=1, n_starts=1, n_steps=64, epochs=[6])
    assert loop.input_value.values.tolist() == [[0.0]]


def test_the_number_of_threads_is_put_back():
    torch.set_num_threads(2)
    lyapunov_spectrum(textbook.henon(), torch.zeros(1, 2), n_steps=10)
    assert torch.get_num_threads() == 2
    with pytest.raises(RuntimeError, match="stop"):
        lyapunov_spectrum(textbook.MapSystem("stops", stops, {"a": torch.zeros(1)}, ("x",)), torch.zeros(1, 1))
    assert torch.get_num_threads() == 2


def stops(params, state, input):
    raise RuntimeError("stop")


def test_same_settings_same_bytes():
    probe = Lyapunov(n_starts=2, n_steps=100, seed=5)
    a, b = (probe.measure(textbook.chaotic_lstm()) for _ in range(2))
    assert a.identical(b)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    probe.measure(textbook.chaotic_lstm())
    assert torch.equal(torch.rand(2), expected)


def test_dropout_between_layers_is_off():
    with_dropout = nn.LSTM(1, 3, 2, dropout=0.9).double().train()
    without = nn.LSTM(1, 3, 2).double()
    without.load_state_dict(with_dropout.state_dict())
    a, b = (Lyapunov(n_starts=1, n_steps=64).measure(as_system(m)) for m in (with_dropout, without))
    np.testing.assert_array_equal(a.lyapunov_exponent, b.lyapunov_exponent)


class Step(nn.Module):
    """A step module with dropout, as it stands in the middle of training."""

    def __init__(self, rate):
        super().__init__()
        self.cell, self.dropout = nn.GRUCell(1, 3), nn.Dropout(rate)

    def forward(self, input, state):
        new = self.cell(input, self.dropout(state))
        return new, new


def test_dropout_of_a_step_module_is_off():
    with_dropout, without = Step(0.9).double().train(), Step(0.0).double()
    without.load_state_dict(with_dropout.state_dict())
    a, b = (
        Lyapunov(n_starts=1, n_transient=20, n_transient_tangent=0, n_steps=20).measure(
            as_system(module, input_size=1, state=torch.zeros(1, 3).double())
        )
        for module in (with_dropout, without)
    )
    np.testing.assert_array_equal(a.lyapunov_exponent, b.lyapunov_exponent)
    assert with_dropout.training


def noisy(params, state, input):
    return 0.5 * state + 0.1 * torch.randn_like(state)


def test_a_step_that_draws_random_numbers_is_refused():
    system = textbook.MapSystem("noisy", noisy, {"a": torch.tensor(1.0)}, ("x",))
    with pytest.raises(NonDeterministicError, match="two different answers"):
        Lyapunov().measure(system)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_exponents": 0}, "n_exponents: expected a positive whole number, 'all', or None for all or 16, came 0"),
        ({"n_exponents": 2.0}, "n_exponents: expected a positive whole number"),
        ({"n_steps": 0}, "n_steps: expected a positive whole number, came 0"),
        ({"interval": 0}, "interval: expected a positive whole number"),
        ({"n_transient": -1}, "n_transient: expected a whole number of at least 0"),
        ({"tolerance": 0.0}, "tolerance: expected a positive number"),
        ({"drive": "open"}, "drive: expected an array or one of constant, sequences, closed, came 'open'"),
        ({"drive": [1.0, 2.0]}, r"drive: expected an array \(time, channel\)"),
        ({"drive": [[math.nan]]}, "drive: expected finite numbers"),
        ({"drive": "sequences", "inputs": [[0.0]]}, "inputs: expected None where sequences drive the network"),
        ({"inputs": "zero"}, "inputs: expected numbers"),
        ({"starts": "everywhere"}, "starts: expected"),
        ({"dtype": "float16"}, "dtype: expected"),
    ],
)
def test_odd_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lyapunov(**arguments)


def test_what_does_not_fit_the_system():
    system = textbook.henon()
    with pytest.raises(ValueError, match="n_exponents: expected at most 2, the number of states, came 3"):
        Lyapunov(n_exponents=3).measure(system)
    with pytest.raises(ValueError, match="inputs: expected 1 numbers for each input, came 2"):
        Lyapunov(inputs=[[0.0, 1.0]]).measure(system)
    with pytest.raises(ValueError, match="drive: expected 1 numbers for each input, came 2"):
        Lyapunov(drive=[[0.0, 1.0]]).measure(system)
    with pytest.raises(ValueError, match="drive='sequences' needs input sequences"):
        Lyapunov(drive="sequences", starts="normal(1)").measure(system)
    with pytest.raises(ValueError, match=r"state: expected shape \(batch, 2\), at least one row, came \(2,\)"):
        lyapunov_spectrum(system, torch.zeros(2))
    with pytest.raises(ValueError, match=r"input: expected shape \(3, 1\) or \(time, 3, 1\), came \(2, 1\)"):
        lyapunov_spectrum(system, torch.zeros(3, 2), torch.zeros(2, 1))
    with pytest.raises(ValueError, match="state: expected finite numbers"):
        lyapunov_spectrum(system, torch.tensor([[math.inf, 0.0]]))


@pytest.mark.parametrize(
    ("exponents", "complete", "expected"),
    [
        ([0.5, -1.0], True, 1.5),
        ([-0.1, -0.2], True, 0.0),
        ([0.0, -1.0], True, 1.0),
        ([0.9, 0.0, -14.57], True, 2 + 0.9 / 14.57),
        ([0.5, 0.2], True, 2.0),
        ([0.5, 0.2], False, math.nan),
        ([0.5, -math.inf], True, 1.0),
        ([-math.inf, -math.inf], True, 0.0),
        ([math.nan, math.nan], True, math.nan),
        ([-0.3], False, 0.0),
    ],
)
def test_kaplan_yorke(exponents, complete, expected):
    came = kaplan_yorke(torch.tensor([exponents, exponents], dtype=torch.float64), complete=complete)
    np.testing.assert_allclose(came, [expected] * 2)


def test_inputs_stay_what_they_are_to_the_last_bit():
    found = Lyapunov(inputs=[[0.1]], n_starts=1, n_steps=100).measure(textbook.tanh_map(0.5, 0.0))
    assert float(found.input_value[0, 0]) == 0.1


def test_of_large_states_sixteen_exponents_are_measured_unless_all_are_asked_for():
    small, large = (as_system(nn.GRU(1, size).double()) for size in (64, 65))
    short = {"starts": "normal(1)", "n_starts": 1, "n_steps": 40, "n_transient": 10, "n_transient_tangent": 10}
    assert Lyapunov(**short).measure(small).sizes["exponent"] == 64
    assert Lyapunov(**short).measure(large).sizes["exponent"] == 16
    assert Lyapunov(**short, n_exponents="all").measure(large).sizes["exponent"] == 65
    assert Lyapunov(**short, n_exponents=3).measure(large).sizes["exponent"] == 3
    with pytest.raises(ValueError, match="n_exponents: expected a positive whole number, 'all'"):
        Lyapunov(n_exponents="most")
    with pytest.raises(ValueError, match="at most 65"):
        Lyapunov(**short, n_exponents=66).measure(large)
