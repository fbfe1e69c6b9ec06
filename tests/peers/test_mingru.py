"""minGRU-pytorch: sequences (batch, time, dim), the hidden state (batch, 1, inner), handed out on request."""

import pytest
import torch
from torch import nn

import plain_truth
import rnnscope as rs
from rnnscope.base.errors import UnsupportedModelError

pytest.importorskip("minGRU_pytorch")
from minGRU_pytorch.minGRU import g, minGRU
from minGRU_pytorch.minLSTM import minLSTM

DIM = 3


class Step(nn.Module):
    """Hand it over: one step is a sequence of length one."""

    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, u, hidden):
        out, hidden = self.core(u[:, None], hidden, return_next_prev_hidden=True)
        return out[:, 0], hidden


@pytest.mark.parametrize("expansion", [1.0, 2.0])
@pytest.mark.parametrize("kind", [minGRU, minLSTM])
def test_step(kind, expansion):
    step = Step(plain_truth.seeded(lambda: kind(DIM, expansion_factor=expansion)))
    plain = plain_truth.Plain(step, torch.zeros(1, 1, int(DIM * expansion)))
    system = rs.as_system(step, input_size=DIM, state=plain.state)
    assert system.output_size == DIM
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    assert plain_truth.measured_rightly(system, plain, [0.5, -0.3, 0.8]) == ["fixed_point"]
    sequence = plain_truth.normal(20, 4, DIM)
    whole = step.core(sequence.movedim(0, 1)).movedim(1, 0)  # the package's own parallel scan, from a state of zero
    came = system.simulate(torch.zeros(4, plain.size, dtype=torch.float64), sequence).outputs
    plain_truth.close(came, whole, 1e-9)


def test_exponents_are_those_of_the_gates():
    """h' = (1 - z) h + z g: λ = ln(1 - z) and h* = g at each unit; minLSTM has f/(f + i) for 1 - z."""
    u = torch.tensor([[0.5, -0.3, 0.8]], dtype=torch.float64)
    for kind in (minGRU, minLSTM):
        core = plain_truth.seeded(lambda kind=kind: kind(DIM))
        if kind is minGRU:
            hidden, gate = core.to_hidden_and_gate(u)[0].chunk(2)
            kept = 1 - gate.sigmoid()
        else:
            hidden, f, i = core.to_hidden_and_f_i_gate(u)[0].chunk(3)
            kept = f.sigmoid() / (f.sigmoid() + i.sigmoid())
        system = rs.as_system(Step(core), input_size=DIM, state=torch.zeros(1, 1, DIM))
        found = rs.Lyapunov(inputs=u, n_starts=1, n_steps=300).measure(system).lyapunov_exponent.values[0, 0]
        assert found == pytest.approx(kept.log().sort(descending=True).values.tolist(), abs=1e-6)
        points = rs.FixedPoints(inputs=u, n_orbits=4, n_starts=16).measure(system)
        assert points.location.values[0, 0] == pytest.approx(g(hidden).tolist(), abs=1e-9)


def test_the_module_itself_where_its_output_is_its_state():
    core = plain_truth.seeded(lambda: minGRU(DIM))
    plain = plain_truth.Plain(Step(core), torch.zeros(1, 1, DIM))
    sequence = plain_truth.normal(20, 4, DIM)
    start = plain_truth.normal(4, DIM, seed=1).abs()
    try:
        system = rs.as_system(core, input_size=DIM, state=plain.state)
    except UnsupportedModelError as error:  # its form for sequences takes the logarithm of the state: NaN below zero
        assert "sequence" in str(error)  # noqa: PT017
    else:
        plain_truth.close(system.simulate(start, sequence, states=True).states, plain.run(start, sequence)[0])


def test_an_output_of_the_shape_of_a_state_is_not_taken_for_it():
    """With a projection, what comes back is as wide as the state and is not the state: two steps at once say so."""
    core = plain_truth.seeded(lambda: minGRU(DIM, proj_out=True))
    with pytest.raises(UnsupportedModelError, match="sequence"):
        rs.as_system(core, input_size=DIM, state=torch.zeros(1, 1, DIM))
