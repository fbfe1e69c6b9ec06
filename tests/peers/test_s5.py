"""s5-pytorch: a diagonal complex state."""

import pytest
import torch
from torch import nn

import plain_truth
import rnnscope as rs
from rnnscope.base.errors import UnsupportedModelError

s5 = pytest.importorskip("s5")


class Step(nn.Module):
    """Hand it over: the second argument of the package's forward is a time step, the state goes by name."""

    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, u, x):
        y, x = self.core(u[:, None], state=x, return_state=True)
        return y[:, 0], x


def core(**settings):
    return plain_truth.seeded(lambda: s5.S5(2, state_width=4, dt_min=0.05, dt_max=0.5, **settings))


ZERO = torch.zeros(1, 4, dtype=torch.complex64)


class LiquidStep(Step):
    """A liquid one: its form for sequences leaves a term out of the first step, ``forward_rnn`` does not."""

    def forward(self, u, x):
        y, x = zip(*(self.core.seq.forward_rnn(*row) for row in zip(u, x, strict=True)), strict=True)
        return torch.stack(y), torch.stack(x)


@pytest.mark.parametrize("settings", [{}, {"block_count": 2}, {"liquid": True}], ids=["dense", "blocks", "liquid"])
def test_complex_state(settings):
    step = (LiquidStep if settings.get("liquid") else Step)(core(**settings))
    plain = plain_truth.Plain(step, ZERO)
    system = rs.as_system(step, input_size=2, state=ZERO)
    assert (system.state_size, system.output_size) == (8, 2)
    plain_truth.same_map(system, plain, scale=0.5)
    plain_truth.keeps_the_contract(system, scale=0.5)
    assert plain_truth.measured_rightly(system, plain, [0.1, -0.2]) == ["fixed_point"]
    sequence = plain_truth.normal(20, 3, 2, scale=0.5)
    came = system.simulate(torch.zeros(3, 8, dtype=torch.float64), sequence).outputs
    plain_truth.close(came, step.core(sequence.movedim(0, 1)).movedim(1, 0), 1e-9)  # the package's own scan


def test_exponents_are_the_rates_of_the_eigenvalues():
    """x' = exp(Λ Δ) x + …: each λ = Re Λ · Δ twice, and HiPPO has Re Λ = -1/2."""
    module = core()
    step = module.seq.log_step.exp().detach()
    assert module.seq.Lambda.real.tolist() == pytest.approx([-0.5] * 4, abs=1e-6)
    system = rs.as_system(Step(module), input_size=2, state=ZERO)
    found = rs.Lyapunov(inputs=[[0.3, -0.2]], n_starts=1, n_steps=500).measure(system).lyapunov_exponent.values[0, 0]
    assert found == pytest.approx((-0.5 * step).sort(descending=True).values.repeat_interleave(2).tolist(), abs=2e-3)
    points = rs.FixedPoints(inputs=[[0.3, -0.2]], n_orbits=4, n_starts=16).measure(system)
    came = torch.complex(*(torch.tensor(points[f"multiplier_{part}"].values[0, 0]) for part in ("real", "imag")))
    wanted = (module.seq.Lambda * step).exp().detach()
    for multiplier in (*wanted, *wanted.conj()):
        assert float((came - multiplier).abs().min()) < 1e-6


def test_the_module_itself_is_refused():
    """Its forward takes a time step where a step has its state."""
    with pytest.raises(UnsupportedModelError, match="state"):
        rs.as_system(core(), input_size=2, state=ZERO)
