"""Stable networks: the conditions are read off the weights after every optimiser step, and the map contracts."""

import math

import pytest
import torch
from torch import nn

from rnnscope import models, tasks
from rnnscope.models.stable_lstm import project_rows, scale_columns
from rnnscope.systems import as_system, certificate
from rnnscope.training import Config, fit


def weighted_distance(f, x, y, hidden):
    """∞-norm of x - y weighted by the Perron vector of [[1-f, f], [¾(1-f), f]] on (h, c)."""
    matrix = torch.tensor([[1 - f, f], [0.75 * (1 - f), f]], dtype=torch.float64)
    values, vectors = torch.linalg.eig(matrix)
    perron = vectors[:, values.real.argmax()].real.abs()
    d = (x - y).abs()
    return torch.maximum(d[..., :hidden].amax(-1) / perron[0], d[..., hidden:].amax(-1) / perron[1])


@pytest.mark.parametrize("model", ["stable-lstm", "stable-rnn"])
def test_conditions_hold_after_every_step_of_a_training(tmp_path, model, monkeypatch):
    task = tasks.build("sine")
    changes = ["n_epochs=25", "hidden_size=12", "task.length=30", "learning_rate=0.1", "schedule=constant"]
    seen = []
    import rnnscope.training.loop as loop

    real = loop.make_optimizer

    def make_optimizer(network, rate):
        optimizer = real(network, rate)
        step = network.after_step

        def after_step():
            step()
            seen.append(certificate(as_system(network), input_bound=task.input_bound()))

        network.after_step = after_step
        return optimizer

    monkeypatch.setattr(loop, "make_optimizer", make_optimizer)
    run = fit(Config.assemble("sine", model=model, changes=changes), tmp_path / "run")
    assert len(seen) == 25 * 5
    assert all(found.holds for found in seen)
    initial = certificate(run.system(epoch=0), input_bound=task.input_bound())
    assert initial.holds
    orbits = run.probe("orbits", epochs=5, n_transient=1200, n_keep=100)
    assert (orbits.status == 1).all()
    spread_over_starts = orbits.orbit.isel(time=-1).max("start") - orbits.orbit.isel(time=-1).min("start")
    assert float(spread_over_starts.max()) < 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_one_step_contracts_at_the_certified_rate(seed):
    """A test that tries to break the bound: random stable LSTMs, random pairs of states in the absorbing set."""
    network = models.build("stable-lstm", seed=seed, input_size=2, hidden_size=5, output_size=1, input_bound=0.7)
    with torch.no_grad():
        for p in network.core.parameters():
            p.mul_(20)
    network.after_step()
    found = certificate(as_system(network), input_bound=0.7)
    assert found.holds
    system = as_system(network).to(torch.float64)
    f = 1 - found.conditions["‖W_i‖"][1]
    assert found.rate == pytest.approx((1 + math.sqrt(1 - f * (1 - f))) / 2)
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: 2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1  # noqa: E731
    states = [torch.cat([draw(2000, 5), draw(2000, 5) / (1 - f)], -1) for _ in range(2)]
    states[1] = torch.where(torch.arange(2000)[:, None] < 1000, states[1], states[0] + 1e-4 * draw(2000, 10))
    drive = system.drive(system.weights, 0.7 * draw(2000, 2))
    after = [system.step(system.weights, x, drive) for x in states]
    ratio = weighted_distance(f, after[0], after[1], 5) / weighted_distance(f, states[0], states[1], 5)
    assert float(ratio.max()) <= found.rate + 1e-9


def test_rate_of_the_projected_lstm_at_its_limit():
    """f = 0.6 gives 0.936."""
    f = 0.6
    assert (1 + math.sqrt(1 - f * (1 - f))) / 2 == pytest.approx(0.936, abs=5e-4)


def test_projection_scales_only_rows_that_exceed():
    layer = nn.LSTM(1, 3)
    params = {name.removesuffix("_l0"): p.detach() for name, p in layer.named_parameters()}
    small, large = params["weight_hh"][0], params["weight_hh"][1]
    small.copy_(torch.tensor([0.1, 0.1, 0.1]))
    large.copy_(torch.tensor([3.0, -4.0, 1.0]))
    project_rows(params, 1.0)
    torch.testing.assert_close(small, torch.tensor([0.1, 0.1, 0.1]))
    torch.testing.assert_close(large, 0.395 * torch.tensor([3.0, -4.0, 1.0]) / 8)
    assert large.abs().sum() < 0.395
    forget = (params["bias_ih"] + params["bias_hh"]).chunk(4)[1]
    assert forget.abs().max() <= 0.017 * (1 + 1e-5)


def test_columns_as_in_the_authors_code():
    weight = torch.randn(12, 3)
    weight[:3, 1] = 0
    scale_columns(weight)
    for block, budget in zip(weight.chunk(4), (0.395, 0.155, 0.099, 0.395), strict=True):
        sums = block.abs().sum(0)
        torch.testing.assert_close(sums[sums > 0], torch.full_like(sums[sums > 0], budget))
    assert (weight[:3, 1] == 0).all()
    network = models.build(
        "stable-lstm", input_size=1, hidden_size=3, output_size=1, input_bound=1.0, projection="columns"
    )
    network.after_step()
    torch.testing.assert_close(network.get_parameter("core.weight_hh_l0")[:3].abs().sum(0), torch.full((3,), 0.395))


def test_no_certificate_says_why():
    gru = certificate(as_system(nn.GRU(1, 2)), input_bound=1.0)
    assert not gru.holds
    assert "no condition is known for the cell gru" in gru.name
    lstm = nn.LSTM(1, 2)
    nn.init.constant_(lstm.get_parameter("weight_hh_l0"), 5.0)
    found = certificate(as_system(lstm), input_bound=1.0)
    assert not found.holds
    assert math.isnan(found.rate)
    with pytest.raises(ValueError, match="input_bound: expected a positive number"):
        certificate(as_system(lstm), input_bound=0.0)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("stable-lstm", {"input_bound": 1.0, "projection": "row"}, "did you mean 'rows'"),
        ("stable-lstm", {"input_bound": -1.0}, "input_bound: expected a positive number"),
        ("stable-rnn", {"rate": 1.0}, r"rate: expected a contraction rate in \(0, 1\)"),
        ("stable-gru", {}, "unknown model 'stable-gru'"),
    ],
)
def test_odd_settings(name, settings, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, **{"input_size": 1, "hidden_size": 3, "output_size": 1, **settings})
