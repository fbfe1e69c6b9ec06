"""LRU-pytorch: the state is kept inside and never handed out."""

import pytest
import torch
from torch import nn

import plain_truth
import rnnscope as rs
from rnnscope.base.errors import UnsupportedModelError

pytest.importorskip("LRU_pytorch")
from LRU_pytorch import LRU

ZERO = torch.zeros(1, 3, dtype=torch.complex64)


@pytest.mark.parametrize("arguments", [{"input_size": 2, "state": ZERO}, {}], ids=["as a step", "as a model"])
def test_it_is_refused_with_that_reason(arguments):
    module = LRU(2, 1, 3)
    with pytest.raises(UnsupportedModelError, match="state"):
        rs.as_system(module, **arguments)


class Step(nn.Module):
    """Hand it over: its recurrence, with its own parameters, written as a step."""

    def __init__(self, lru):
        super().__init__()
        self.lru = lru

    def forward(self, u, x):
        p = self.lru
        x = torch.exp(1j * p.theta_log.exp() - p.nu_log.exp()) * x + p.gamma_log.exp() * (u.to(p.B.dtype) @ p.B.T)
        return (x @ p.C.T).real + u @ p.D.T, x


def test_its_step_written_out():
    step = Step(plain_truth.seeded(lambda: LRU(2, 1, 3, rmin=0.3, rmax=0.9)))
    plain = plain_truth.Plain(step, ZERO)
    system = rs.as_system(step, input_size=2, state=ZERO)
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    assert plain_truth.measured_rightly(system, plain, [0.5, -0.3]) == ["fixed_point"]
    decay = (-step.lru.nu_log.exp()).detach().sort(descending=True).values.repeat_interleave(2)
    found = rs.Lyapunov(inputs=[[0.5, -0.3]], n_starts=1, n_steps=300).measure(system)
    assert found.lyapunov_exponent.values[0, 0] == pytest.approx(decay.tolist(), abs=1e-9)


def test_the_step_gives_what_the_package_gives():
    torch.manual_seed(0)
    module = LRU(2, 1, 3, rmin=0.3, rmax=0.9)  # in float32: the package makes its outputs so
    sequence = torch.randn(20, 4, 2)
    system = rs.as_system(Step(module), input_size=2, state=ZERO)
    came = system.simulate(torch.zeros(4, 6), sequence).outputs
    torch.testing.assert_close(came, module(sequence.movedim(0, 1)).movedim(1, 0).detach(), rtol=1e-5, atol=1e-5)
