"""Recurrences without a twin in torch.nn: closed forms, and the whole contract of a System."""

import math

import pytest
import torch

from rnnscope import cells, models
from rnnscope.attractors import Orbits
from rnnscope.systems import as_system
from rnnscope.testing import check_system
from rnnscope.training import Config, fit

OURS = ["antisymmetric", "chaos-free", "cornn", "lru", "mingru", "orthogonal"]


def network(name, **settings):
    return models.build(name, **{"input_size": 2, "hidden_size": 5, "output_size": 1, **settings})


def double(**values):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_keeps_the_contract_and_equals_the_trained_module(name, num_layers):
    model = network(name, num_layers=num_layers).double()
    system = as_system(model)
    check_system(system)
    inputs = torch.randn(3, 8, 2, dtype=torch.float64)
    start = torch.zeros(3, system.state_size, dtype=torch.float64)
    came = system.simulate(start, inputs.movedim(0, 1)).outputs.movedim(0, 1)
    torch.testing.assert_close(came, model(inputs).detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_trains_through_the_generic_loop(tmp_path, name):
    changes = ["n_epochs=12", "hidden_size=8", "task.length=20", "n_frequencies=20"]
    run = fit(Config.assemble("sine", model=name, changes=changes), tmp_path / "run")
    assert run.scalars["loss"].iloc[-1] < run.scalars["loss"].iloc[0]
    assert run.probe("orbits", epochs=[12], n_transient=20, n_keep=10).sizes["step"] == 1


def test_lru_is_its_closed_form():
    """x[t] = Σ_k λ^(t-k) γ B u[k] in complex numbers."""
    nu, phi = [0.1, -2.0], [-0.5, 0.3]
    params = double(nu=nu, phi=phi, weight_ih=[[1.0], [0.5], [-0.3], [2.0]])
    cell = cells.load("lru")
    weights = cell.materialise(params)
    u = torch.tensor([0.7, -1.0, 0.2], dtype=torch.float64)
    x = torch.zeros(4, dtype=torch.float64)
    for value in u:
        x = cell.step(weights, x, cell.drive(weights, value[None]))
    lam = torch.exp(torch.complex(-torch.exp(params["nu"]), torch.exp(params["phi"])))
    b = torch.complex(params["weight_ih"][:2, 0], params["weight_ih"][2:, 0])
    expected = sum(lam ** (2 - k) * torch.sqrt(1 - lam.abs() ** 2) * b * u[k] for k in range(3))
    torch.testing.assert_close(torch.complex(x[:2], x[2:]), expected)
    initial = network("lru", hidden_size=500)
    modulus = torch.exp(-torch.exp(initial.get_parameter("core.nu_l0").detach()))
    assert math.sqrt(0.5) - 1e-3 <= modulus.min()
    assert modulus.max() <= 0.99 + 1e-3


def test_mingru_is_a_scalar_linear_map_with_multiplier_one_minus_gate():
    params = double(weight_ih=[[0.5], [-1.0]], bias=[0.2, 0.1])
    cell = cells.load("mingru")
    weights = cell.materialise(params)
    z = 1 / (1 + math.exp(-(0.5 * 2 + 0.2)))
    candidate = -1.0 * 2 + 0.1
    g = 1 / (1 + math.exp(-candidate))
    h = cell.step(weights, torch.tensor([3.0]).double(), cell.drive(weights, torch.tensor([2.0]).double()))
    assert h.item() == pytest.approx((1 - z) * 3 + z * g)


def test_cornn_without_force_is_a_damped_oscillator():
    """Symplectic Euler of y'' = -γ y - ε y': multipliers of [[1 - Δ²γ, Δ(1 - Δε)], [-Δγ, 1 - Δε]]."""
    cell = cells.load("cornn", step_size=0.2, stiffness=1.5, damping=0.4)
    shapes = cell.param_shapes(cells.Sizes(1, 1, 1))
    weights = cell.materialise({name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()})
    eye = torch.eye(2, dtype=torch.float64)
    columns = cell.step(weights, eye, torch.zeros(2, 1, dtype=torch.float64)).T
    expected = torch.tensor([[1 - 0.04 * 1.5, 0.2 * (1 - 0.08)], [-0.2 * 1.5, 1 - 0.08]], dtype=torch.float64)
    torch.testing.assert_close(columns, expected)


def test_antisymmetric_without_damping_turns_and_hardly_grows():
    """At 0 the multipliers are 1 + iεω: |μ|² = 1 + (εω)²."""
    cell = cells.load("antisymmetric", step_size=0.1, damping=0.0)
    params = double(weight_ih=[[0.0], [0.0]], weight_hh=[[0.0, 1.0], [0.0, 0.0]], bias=[0.0, 0.0])
    weights = cell.materialise(params)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: cell.step(weights, x, torch.zeros(2).double()), torch.zeros(2).double()
    )
    assert torch.linalg.eigvals(jacobian).abs().max().item() == pytest.approx(math.sqrt(1.01))


def test_chaos_free_forgets_everything_without_input():
    """Its only attractor at zero input is 0."""
    model = network("chaos-free", hidden_size=20)
    with torch.no_grad():
        for p in model.core.parameters():
            p.mul_(5)
    orbits = Orbits(n_starts=20, keep_states=True).measure(as_system(model))
    assert float(abs(orbits.state_orbit.isel(time=-1)).max()) < 0.05


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("antisymmetric", {"step_size": 0.0}, "step_size: expected a positive number"),
        ("antisymmetric", {"damping": -1.0}, "damping: expected a number of at least 0"),
        ("cornn", {"stiffness": 0.0}, "stiffness: expected a positive number"),
        ("cornn", {"stifness": 1.0}, "unknown setting of model cornn 'stifness': did you mean 'stiffness'"),
        ("lru", {"step_size": 1.0}, "unknown setting of model lru 'step_size'"),
    ],
)
def test_odd_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        network(name, **options)


def test_odd_options_of_a_cell():
    with pytest.raises(ValueError, match="cell gru has no options, came step_size"):
        cells.load("gru", step_size=1.0)
    with pytest.raises(ValueError, match="unknown option of cell cornn 'dampin': did you mean 'damping'"):
        cells.load("cornn", dampin=1.0)
