"""Hessian and Gauss-Newton operators against dense matrices from autograd, and eigenvalues against dense ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator
from torch.func import hessian, jacrev

from rnnscope import models
from rnnscope.smoothness import Objective, cost
from rnnscope.smoothness._lanczos import largest_in_magnitude
from rnnscope.smoothness.curvature import GaussNewtonOperator, HessianOperator, top_eigenpairs
from rnnscope.smoothness.directions import ParameterSpace
from rnnscope.smoothness.objective import outputs_of
from rnnscope.systems import as_system, textbook

MODELS = ["lstm", "gru", "rnn", "orthogonal", "antisymmetric", "chaos-free", "cornn", "lru", "mingru"]


def case(name, loss="squared-error"):
    options = {"nonlinearity": "tanh"} if name == "orthogonal" else {}  # modReLU has no second derivative at its kink
    network = models.build(name, seed=1, input_size=2, hidden_size=4, output_size=3, **options).double()
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(3, 6, 2, generator=generator).double()
    if loss == "cross-entropy":
        targets = torch.randint(3, (3,), generator=generator)
    else:
        targets = torch.randn(3, 6, 3, generator=generator).double()
    return as_system(network), Objective(inputs=inputs, targets=targets, loss=loss)


def dense_hessian(system, data):
    space = ParameterSpace.of(system)
    return hessian(lambda theta: cost(system, space.at(system, theta), data))(space.flatten(system.params))


def dense_gauss_newton(system, data):
    space, data = ParameterSpace.of(system), data.on(system)

    def outputs(theta):
        return outputs_of(system, system.materialise(space.at(system, theta)), data)

    theta = space.flatten(system.params)
    y = outputs(theta)
    inner = hessian(data.loss_of)(y).reshape(y.numel(), y.numel())
    jacobian = jacrev(outputs)(theta).reshape(y.numel(), -1)
    return jacobian.mT @ inner @ jacobian


@pytest.mark.parametrize("name", MODELS)
def test_hessian_equals_dense(name):
    system, data = case(name)
    operator, wanted = HessianOperator(system, data), dense_hessian(system, data).numpy()
    found = np.asarray(operator @ np.eye(operator.shape[0]))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-8 * np.abs(wanted).max())
    np.testing.assert_allclose(found[:, 3], operator.matvec(np.eye(len(found))[3]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", ["squared-error", "cross-entropy"])
@pytest.mark.parametrize("name", ["lstm", "gru", "lru"])
def test_gauss_newton_equals_dense(name, loss):
    system, data = case(name, loss)
    operator, wanted = GaussNewtonOperator(system, data), dense_gauss_newton(system, data).numpy()
    found = np.asarray(operator @ np.eye(operator.shape[0]))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-8 * np.abs(wanted).max())
    assert np.linalg.eigvalsh(found).min() > -1e-10 * np.abs(wanted).max()


def test_gradient_and_value():
    system, data = case("lstm")
    operator, space = HessianOperator(system, data), ParameterSpace.of(system)
    theta = space.flatten(system.params).requires_grad_()
    value = cost(system, space.at(system, theta), data)
    torch.testing.assert_close(operator.gradient, torch.autograd.grad(value, theta)[0], rtol=1e-10, atol=1e-14)
    assert abs(operator.value - float(value.detach())) < 1e-14


def test_float32_networks_are_read_in_float64():
    torch.manual_seed(0)
    system = as_system(torch.nn.LSTM(1, 3))
    data = Objective(inputs=torch.randn(2, 5, 1), targets=torch.randn(2, 5, 3))
    wanted = dense_hessian(system.to(torch.float64), data).numpy()
    operator = HessianOperator(system, data)
    found = np.asarray(operator @ np.eye(len(wanted)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-8 * np.abs(wanted).max())


@pytest.mark.parametrize("n_steps", [3, 40])
def test_linear_scalar_at_one(n_steps):
    shape = (1, n_steps, 1)
    data = Objective(inputs=torch.zeros(shape), targets=torch.zeros(shape), state=[1.0])
    operator = HessianOperator(textbook.linear([[1.0]]), data)
    assert abs(float(operator.gradient) - (n_steps + 1)) < 1e-9 * n_steps
    found = top_eigenpairs(operator)
    assert abs(found.values[0] - (n_steps + 1) * (4 * n_steps - 1) / 3) < 1e-9 * n_steps**2
    assert found.residuals[0] < 1e-12


def test_top_eigenpairs_of_a_network():
    system, data = case("gru")
    wanted = np.linalg.eigvalsh(dense_hessian(system, data).numpy())[::-1]
    found = top_eigenpairs(HessianOperator(system, data), 3, tolerance=1e-9)
    np.testing.assert_allclose(found.values, wanted[:3], rtol=1e-7)
    assert (found.residuals < 1e-6).all()
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-8)


def test_what_does_not_converge_is_nan():
    matrix = np.diag(1 + 1e-9 * np.arange(400.0))
    operator = aslinearoperator(matrix)
    found = top_eigenpairs(operator, 4, tolerance=1e-15, max_products=20)
    assert np.isnan(found.values[-1])
    assert np.isnan(found.residuals[-1])
    infinite = aslinearoperator(np.full((400, 400), np.nan))
    assert np.isnan(top_eigenpairs(infinite, 1).values).all()


def test_wrong_k():
    operator = aslinearoperator(np.eye(3))
    with pytest.raises(ValueError, match="k: expected a whole number from 1 to 3"):
        top_eigenpairs(operator, 4)


def test_loss_without_curvature():
    data = Objective(
        inputs=torch.zeros(1, 3, 1), targets=torch.zeros(1, 3, 1), state=[1.0], loss=lambda y, t: (y - t).sum()
    )
    operator = GaussNewtonOperator(textbook.linear([[0.5]]), data)
    assert float(operator.matvec(np.ones(1))[0]) == 0.0


@settings(deadline=None, derandomize=True, max_examples=30)
@given(n=st.integers(1, 4), p=st.integers(1, 12), rank=st.integers(0, 12), seed=st.integers(0, 10_000))
def test_lanczos_of_many_matrices(n, p, rank, seed):
    generator = torch.Generator().manual_seed(seed)
    factors = torch.randn(n, p, min(rank, p), generator=generator).double()
    signs = torch.randn(n, 1, min(rank, p), generator=generator).sign().double()
    matrices = (factors * signs) @ factors.mT
    start = torch.randn(n, p, generator=generator).double()
    found = largest_in_magnitude(
        lambda v: (matrices @ v[..., None])[..., 0], start, n_iterations=p + 3, tolerance=1e-10
    )
    eigenvalues = torch.linalg.eigvalsh(matrices)
    wanted = eigenvalues.abs().amax(-1)
    torch.testing.assert_close(found.values.abs(), wanted, rtol=1e-6, atol=1e-9)
    assert (found.residuals[wanted > 1e-9] < 1e-6).all()


def test_lanczos_leaves_what_overflows_as_nan():
    matrices = torch.stack([torch.eye(3), torch.eye(3) * torch.inf]).double()
    found = largest_in_magnitude(
        lambda v: (matrices @ v[..., None])[..., 0], torch.ones(2, 3).double(), n_iterations=3, tolerance=1e-6
    )
    assert abs(float(found.values[0]) - 1) < 1e-12
    assert torch.isnan(found.values[1])


def test_lanczos_of_huge_numbers():
    matrix = torch.diag(torch.tensor([1e200, 1e199, 1.0], dtype=torch.float64))
    found = largest_in_magnitude(lambda v: v @ matrix, torch.ones(1, 3).double(), n_iterations=3, tolerance=1e-8)
    torch.testing.assert_close(found.values, torch.tensor([1e200], dtype=torch.float64))
