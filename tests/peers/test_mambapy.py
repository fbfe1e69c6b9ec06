"""mambapy: ``step(input, caches)``; of each layer the state of the scan and the last inputs of the convolution."""

import pytest
import torch
from torch import nn

import plain_truth
import rnnscope as rs

pytest.importorskip("mambapy")
from mambapy.mamba import Mamba, MambaConfig


class Step(nn.Module):
    """Hand it over: the package steps with a method of its own."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, u, caches):
        return self.model.step(u, caches)


def mamba(n_layers, **settings):
    config = MambaConfig(d_model=2, n_layers=n_layers, d_state=2, d_conv=3, dt_max=1.0, dt_min=0.1, **settings)
    step = Step(plain_truth.seeded(lambda: Mamba(config)))
    cache = torch.zeros(1, config.d_inner, config.d_state), torch.zeros(1, config.d_inner, config.d_conv - 1)
    return plain_truth.Plain(step, [cache] * n_layers), config


@pytest.mark.parametrize("settings", [{}, {"inner_layernorms": True, "bias": True}], ids=["plain", "norms and bias"])
def test_two_layers(settings):
    plain, config = mamba(2, **settings)
    system = rs.as_system(plain.module, input_size=2, state=plain.state)
    assert system.state_size == 2 * config.d_inner * (config.d_state + config.d_conv - 1)
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    assert plain_truth.measured_rightly(system, plain, [0.5, -0.3]) == ["fixed_point"]
    sequence = plain_truth.normal(20, 4, 2)
    whole = plain.module.model(sequence.movedim(0, 1)).movedim(1, 0)  # the package's own parallel scan
    came = system.simulate(torch.zeros(4, plain.size, dtype=torch.float64), sequence).outputs
    plain_truth.close(came, whole, 1e-6)  # that computes exp(A_log) in float32 whatever its dtype


def test_exponents_of_one_layer_are_those_of_the_scan_and_the_buffer_has_none():
    """h' = exp(Δ A) h + …: λ = Δ A; the buffer forgets everything in d_conv - 1 steps: λ = -∞."""
    plain, config = mamba(1)
    u = torch.tensor([[0.5, -0.3]], dtype=torch.float64)
    block, settled = plain.module.model.layers[0].mixer, plain.settle(torch.zeros(1, plain.size).double(), u, 50)
    ((_, buffer),) = plain.nested(settled)
    x = plain.module.model.layers[0].norm(u) @ block.in_proj.weight[: config.d_inner].T
    plain_truth.close(buffer, x[..., None].expand_as(buffer))
    activated = nn.functional.silu((buffer[..., :1] * block.conv1d.weight.sum(-1)).squeeze(-1) + block.conv1d.bias)
    delta = nn.functional.softplus(block.dt_proj(block.x_proj(activated)[:, : config.dt_rank]))
    wanted = (delta[0, :, None] * -block.A_log.exp()).detach().flatten().sort(descending=True).values
    system = rs.as_system(plain.module, input_size=2, state=plain.state)
    found = rs.Lyapunov(inputs=u, n_starts=1, n_steps=200).measure(system).lyapunov_exponent.values[0, 0]
    assert found[: len(wanted)] == pytest.approx(wanted.tolist(), abs=1e-6)
    assert (found[len(wanted) :] < wanted[-1].item() - 1).all()
