"""Each cell equals its twin in torch.nn, and everything torch.func offers works on it."""

import pytest
import torch
from torch import nn
from torch.func import jvp, vmap

from rnnscope import cells

TWINS = {
    "rnn-tanh": lambda **kw: nn.RNNCell(3, 5, **kw),
    "rnn-relu": lambda **kw: nn.RNNCell(3, 5, nonlinearity="relu", **kw),
    "lstm": lambda **kw: nn.LSTMCell(3, 5, **kw),
    "gru": lambda **kw: nn.GRUCell(3, 5, **kw),
}


def twin_and_cell(name, bias=True, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        twin = TWINS[name](bias=bias).double()
    return twin, cells.load(name), dict(twin.named_parameters())


def step(cell, params, state, input):
    weights = cell.materialise(params)
    return cell.step(weights, state, cell.drive(weights, input))


def state_and_input(cell, batch=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    size = sum(cell.part_sizes(cells.Sizes(3, 5, 5)).values())
    state = torch.randn(batch, size, dtype=torch.float64, generator=generator)
    return state, torch.randn(batch, 3, dtype=torch.float64, generator=generator)


def test_every_cell_has_a_twin_here():
    without = {"antisymmetric", "chaos-free", "cornn", "lru", "mingru", "orthogonal"}
    assert set(TWINS) == set(cells.names()) - without


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", TWINS)
def test_equals_torch_over_fifty_steps(name, bias):
    twin, cell, params = twin_and_cell(name, bias)
    state, input = state_and_input(cell)
    with torch.no_grad():
        for _ in range(50):
            if name == "lstm":
                expected = torch.cat(twin(input, tuple(state.split(5, dim=-1))), dim=-1)
            else:
                expected = twin(input, state)
            state = step(cell, params, state, input)
            torch.testing.assert_close(state, expected, rtol=0, atol=1e-12)
            state = expected


def test_projected_lstm_equals_torch():
    layer = nn.LSTM(3, 5, proj_size=2).double()
    params = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
    cell = cells.load("lstm")
    state, (_, input) = torch.randn(4, 7, dtype=torch.float64), state_and_input(cell)
    _, (h, c) = layer(input[None], (state[None, :, :2].contiguous(), state[None, :, 2:].contiguous()))
    torch.testing.assert_close(step(cell, params, state, input), torch.cat([h[0], c[0]], -1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", TWINS)
def test_vmap_over_weights_equals_a_loop(name):
    _, cell, a = twin_and_cell(name, seed=0)
    b = twin_and_cell(name, seed=1)[2]
    state, input = state_and_input(cell)
    stacked = {key: torch.stack([a[key], b[key]]) for key in a}
    together = vmap(lambda params: step(cell, params, state, input))(stacked)
    for came, params in zip(together, (a, b), strict=True):
        torch.testing.assert_close(came, step(cell, params, state, input), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", TWINS)
def test_forward_derivative_equals_adjoint(name):
    _, cell, params = twin_and_cell(name)
    state, input = state_and_input(cell, batch=1)
    direction = torch.randn_like(state)
    pushed = jvp(lambda x: step(cell, params, x, input), (state,), (direction,))[1]
    jacobian = torch.autograd.functional.jacobian(lambda x: step(cell, params, x, input)[0], state)[:, 0]
    torch.testing.assert_close(pushed[0], jacobian @ direction[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["rnn-tanh", "lstm", "gru"])
def test_second_derivatives_equal_differences(name):
    _, cell, params = twin_and_cell(name)
    state, input = state_and_input(cell)
    params = {key: p.detach().requires_grad_() for key, p in params.items()}
    assert torch.autograd.gradgradcheck(
        lambda w: step(cell, {**params, "weight_hh": w}, state, input), params["weight_hh"]
    )


def test_unknown_cell_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'lstm'"):
        cells.load("lsmt")
