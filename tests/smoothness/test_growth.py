"""Growth with the length: closed forms of the linear scalar, the chaotic LSTM, a limit cycle, a stable rest."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import models
from rnnscope.smoothness import Objective, _linearised, cost
from rnnscope.smoothness._laws import BOUNDED, EXPONENTIAL, POLYNOMIAL, UNDETERMINED, fit_law
from rnnscope.smoothness._linearised import Course, Linearised
from rnnscope.smoothness._trajectories import Trajectories, largest_singular_value
from rnnscope.smoothness.curvature import GaussNewtonOperator, HessianOperator
from rnnscope.smoothness.directions import ParameterSpace
from rnnscope.smoothness.growth import Growth
from rnnscope.systems import as_system, textbook


def law_of(found, quantity):
    chosen = found.sel(quantity=quantity)
    return int(chosen["law"]), float(chosen["power"]), float(chosen["rate"])


SCALAR = {"centre": [1.0], "spread": 0.0, "n_transient": 0, "n_starts": 2, "n_exponent": 50}


@pytest.mark.parametrize(("theta", "law"), [(0.9, BOUNDED), (1.0, POLYNOMIAL), (1.1, EXPONENTIAL)])
def test_linear_scalar_in_closed_form(theta, law):
    lengths = (10, 30, 60, 90, 120, 150)
    found = Growth(lengths=lengths, **SCALAR).measure(textbook.linear([[theta]]))
    for n in lengths:
        t = np.arange(1, n + 1)
        at = found.sel(length=n).isel(start=0)
        np.testing.assert_allclose(at["output_sensitivity"], n * theta ** (n - 1), rtol=1e-9)
        np.testing.assert_allclose(at["gauss_newton"], 2 / n * (t**2 * theta ** (2.0 * t - 2)).sum(), rtol=1e-9)
        np.testing.assert_allclose(at["gradient"], 2 / n * (t * theta ** (2.0 * t - 1)).sum(), rtol=1e-9)
        wanted = 2 / n * (t * (2 * t - 1) * theta ** (2.0 * t - 2)).sum()
        np.testing.assert_allclose(at["hessian"], wanted, rtol=1e-9)
    assert law_of(found, "output_sensitivity")[0] == law
    assert law_of(found, "gauss_newton")[0] == law
    assert abs(float(found["lyapunov_mean"]) - np.log(theta)) < 1e-12
    if theta == 1.0:
        powers = [law_of(found, name)[1] for name in ("output_sensitivity", "gauss_newton", "gradient", "hessian")]
        np.testing.assert_allclose(powers, [1, 2, 1, 2], atol=0.05)


@pytest.mark.parametrize(
    ("lengths", "n_starts"),
    [((20, 60, 100, 150, 200), 64), pytest.param(None, 128, marks=pytest.mark.slow)],
)
def test_chaotic_lstm(lengths, n_starts):
    found = Growth(lengths=lengths, n_starts=n_starts, n_iterations=4, n_exponent=1000).measure(textbook.chaotic_lstm())
    assert abs(float(found["lyapunov_mean"]) - 0.169) < 0.005
    factors = {"output_sensitivity": 1, "gauss_newton": 2}
    for name, factor in (factors | ({"gradient": 1, "hessian": 2} if lengths is None else {})).items():
        law, _, rate = law_of(found, name)
        assert law == EXPONENTIAL
        assert abs(rate - factor * 0.169) < 0.02 * factor
    assert abs(float(found["rate_ratio"]) - 2) < 0.05
    low, high = found["rate_ratio_interval"].values
    assert low <= float(found["rate_ratio"]) <= high
    assert float(found["gauss_newton_residual"].max()) < 0.05


@pytest.mark.parametrize(
    ("lengths", "tolerance"),
    [([80, 120, 160, 200, 250], 0.3), pytest.param([200, 400, 600, 900, 1300], 0.1, marks=pytest.mark.slow)],
)
def test_limit_cycle(lengths, tolerance):
    probe = Growth(lengths=lengths, n_starts=128, centre=[0.45, 0.45], spread=0.05, n_iterations=2)
    found = probe.measure(textbook.delayed_logistic(2.1))
    law, power, _ = law_of(found, "output_sensitivity")
    assert law == POLYNOMIAL
    assert abs(power - 1) < tolerance
    law, power, _ = law_of(found, "gauss_newton")
    assert law == POLYNOMIAL
    assert abs(power - 2) < tolerance
    assert abs(float(found["lyapunov_mean"])) < 1e-3


def test_stable_rest():
    found = Growth(lengths=[10, 30, 60, 100, 150], n_transient=300, n_exponent=100).measure(textbook.tanh_map(0.9, 0.3))
    assert (found["law"] == BOUNDED).all()
    assert float(found["lyapunov_mean"]) < -0.5


def test_values_equal_those_of_the_operators():
    torch.manual_seed(0)
    system = as_system((torch.nn.GRU(1, 3).double(), torch.nn.Linear(3, 2).double()))
    data = Objective(inputs=torch.randn(3, 12, 1).double(), targets=torch.randn(3, 12, 2).double(), n_transient=1)
    probe = Growth(along="data", lengths=[3, 5, 8, 12], n_starts=3, n_iterations=40, tolerance=1e-9)
    found = probe.measure(system, data)
    space = ParameterSpace.of(system)
    for k in range(3):
        one = Objective(inputs=data.inputs[[k]], targets=data.targets[[k]], n_transient=1)
        for n in (3, 12):
            at = found.sel(length=n, start=k)
            hessian = HessianOperator(system, one.first(n))
            dense = np.asarray(hessian @ np.eye(space.size))
            np.testing.assert_allclose(at["gradient"], float(hessian.gradient.norm()), rtol=1e-9)
            np.testing.assert_allclose(at["hessian"], np.abs(np.linalg.eigvalsh(dense)).max(), rtol=1e-6)
            dense = np.asarray(GaussNewtonOperator(system, one.first(n)) @ np.eye(space.size))
            np.testing.assert_allclose(at["gauss_newton"], np.linalg.eigvalsh(dense).max(), rtol=1e-6)


def test_every_start_has_its_own_gradient():
    torch.manual_seed(0)
    system = as_system(torch.nn.LSTM(1, 2).double())
    starts = torch.randn(4, 4).double()
    paths = Trajectories(system, starts, lambda t: torch.ones(1).double(), 5)
    found = paths.gradient(paths.outputs.square().mean((1, 2)))
    for k in range(4):
        data = Objective(inputs=torch.ones(1, 5, 1), targets=torch.zeros(1, 5, 2), state=starts[k])
        torch.testing.assert_close(found[k], HessianOperator(system, data).gradient, rtol=1e-10, atol=1e-14)
        assert float(cost(system, system.params, data)) > 0


class FusedStep(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.GRUCell(1, 3)

    def forward(self, input, state):
        return self.cell(input, state) + input, self.cell(input, state)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("n_steps", [1, 2, 9])
@pytest.mark.parametrize(
    "system",
    [
        as_system((torch.nn.LSTM(1, 4).double(), torch.nn.Linear(4, 2).double())),
        as_system(torch.nn.LSTM(1, 20, num_layers=2, proj_size=3).double()),
        as_system(models.build("orthogonal", seed=0, input_size=1, hidden_size=4, output_size=1).double()),
        as_system(models.build("mingru", seed=0, input_size=1, hidden_size=4, output_size=1).double()),
        as_system(FusedStep().double(), input_size=1, state=torch.zeros(1, 3).double()),
        textbook.henon(),
    ],
    ids=["lstm", "layers", "orthogonal", "mingru", "module", "henon"],
)
def test_jacobians_of_all_steps_give_what_differentiating_them_gives(system, n_steps):
    generator = torch.Generator().manual_seed(0)
    starts = 0.1 * torch.randn(3, system.state_size, generator=generator).double()
    given = torch.randn(3, 9, 1, generator=generator).double()
    paths = Course(system, starts, lambda t: given[:, t], 9).first(n_steps)
    plain = Trajectories(system, starts, lambda t: given[:, t], n_steps)
    assert isinstance(paths, Linearised)
    vectors = torch.randn(plain.theta.shape, generator=generator).double()
    weights = torch.randn(plain.outputs.shape, generator=generator).double()
    for way, arguments in (("tangents", [vectors]), ("adjoints", [weights]), ("jacobian", [])):
        torch.testing.assert_close(
            getattr(paths, way)(*arguments), getattr(plain, way)(*arguments), rtol=1e-8, atol=1e-12
        )

    def cost(outputs):
        return (outputs - 0.3).square().mean((1, 2)) + outputs.sin().sum((1, 2))

    torch.testing.assert_close(paths.outputs, plain.outputs.detach(), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(paths.hessian(cost)(vectors), plain.hessian(cost)(vectors), rtol=1e-8, atol=1e-10)


def test_growth_without_room_for_jacobians_is_the_same(monkeypatch):
    torch.manual_seed(0)
    system = as_system((torch.nn.LSTM(1, 3).double(), torch.nn.Linear(3, 1).double()))
    probe = Growth(lengths=[3, 5, 8, 12], n_starts=4, n_transient=20, n_exponent=20)
    quick = probe.measure(system)
    monkeypatch.setattr(_linearised, "_MEMORY", 0)
    assert isinstance(
        Course(system, torch.zeros(1, 6).double(), lambda t: torch.ones(1).double(), 3).first(2), Trajectories
    )
    plain = probe.measure(system)
    for name in ("output_sensitivity", "gauss_newton", "gradient", "hessian", "rate", "power"):
        np.testing.assert_allclose(quick[name], plain[name], rtol=1e-8)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(rows=st.integers(1, 4), p=st.integers(1, 6), exponent=st.integers(-100, 200), seed=st.integers(0, 99))
def test_largest_singular_value(rows, p, exponent, seed):
    matrix = torch.randn(1, rows, p, generator=torch.Generator().manual_seed(seed)).double()
    wanted = torch.linalg.svdvals(matrix)[..., 0] * 10.0**exponent
    torch.testing.assert_close(largest_singular_value(matrix * 10.0**exponent), wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("value", "offset", "law"),
    [
        (lambda n: 3 + 0 * n, 0, BOUNDED),
        (lambda n: 3 - 1 / n, 0, BOUNDED),
        (lambda n: 0.98**n, 0, BOUNDED),
        (lambda n: 0.1 * n, 0, POLYNOMIAL),
        (lambda n: n**2.0, 1, POLYNOMIAL),
        (lambda n: np.exp(0.02 * n), 0, EXPONENTIAL),
        (lambda n: np.exp(0.3 * n) / n, 1, EXPONENTIAL),
    ],
)
def test_laws(value, offset, law):
    n = np.geomspace(10, 1000, 13).round()
    generator = np.random.default_rng(0)
    values = value(n)[:, None] * np.exp(0.3 * generator.standard_normal((13, 64)))
    found = fit_law(n, values, offset=offset, n_bootstrap=200, generator=generator)
    assert found.law == law


def test_rate_and_interval_of_an_exponential():
    n = np.geomspace(10, 1000, 13).round()
    inside = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        scatter = np.cumsum(generator.standard_normal((13, 64)), axis=0)  # residuals of one start are a random walk
        found = fit_law(n, np.exp(0.05 * n)[:, None] * np.exp(scatter), offset=0, n_bootstrap=200, generator=generator)
        low, high = found.rate_interval
        inside += low <= 0.05 <= high
    assert inside >= 32


def test_law_of_too_few_lengths_is_undetermined():
    values = np.full((6, 8), np.nan)
    values[:3] = 1.0
    found = fit_law(np.arange(1, 7), values, offset=0, n_bootstrap=10, generator=np.random.default_rng(0))
    assert found.law == UNDETERMINED
    assert np.isnan(found.rate)


def test_overflow_is_nan_not_a_guess():
    found = Growth(lengths=[10, 50, 200, 400, 1000], **SCALAR).measure(textbook.linear([[8.0]]))
    assert np.isnan(found["gauss_newton"].sel(length=1000)).all()
    assert np.isfinite(found["gauss_newton"].sel(length=50)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lengths": [10, 20]}, "lengths: expected at least four"),
        ({"lengths": [0, 1, 2, 3]}, "lengths: expected positive whole numbers"),
        ({"along": "elsewhere"}, "along: expected 'held' or 'data'"),
        ({"n_starts": 1}, "n_starts: expected a whole number of at least 2"),
        ({"input": [[1.0]]}, "input: expected numbers"),
        ({"spread": -1.0}, "spread: expected a number of at least 0"),
        ({"tolerance": 0}, "tolerance: expected a number between 0 and 1"),
    ],
)
def test_misuse(settings, message):
    with pytest.raises(ValueError, match=message):
        Growth(**settings)


def test_misuse_when_measuring():
    system = textbook.linear([[0.5]])
    short = Objective(inputs=torch.zeros(3, 20, 1), targets=torch.zeros(3, 20, 1))
    with pytest.raises(ValueError, match="'data' needs an objective"):
        Growth(along="data").measure(system)
    with pytest.raises(ValueError, match="length: expected a whole number from 1 to 20"):
        Growth(along="data").measure(system, short)
    with pytest.raises(ValueError, match="input: expected 1 numbers"):
        Growth(input=[1.0, 2.0]).measure(system)
    with pytest.raises(ValueError, match="64 of 64 that diverge"):
        Growth(centre=[9.0], spread=0.1).measure(textbook.logistic())
