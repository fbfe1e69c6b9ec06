"""ncps: CfC and LTC, over sequences or as cells with an elapsed time."""

import pytest
import torch
from torch import nn

import plain_truth
import rnnscope as rs
from rnnscope.base.errors import UnsupportedModelError

pytest.importorskip("ncps")
from ncps.torch import LTC, CfC, CfCCell, LTCCell
from ncps.wirings import AutoNCP, FullyConnected

SEQUENCES = {
    "default": lambda: CfC(2, 4, backbone_units=8),
    "pure": lambda: CfC(2, 4, mode="pure", backbone_units=8),
    "no gate": lambda: CfC(2, 4, mode="no_gate", backbone_units=8),
    "time first": lambda: CfC(2, 4, batch_first=False, backbone_units=8),
    "projected": lambda: CfC(2, 4, proj_size=3, backbone_units=8),
    "wired": lambda: CfC(2, AutoNCP(8, 2, seed=3)),
    "dropout in the backbone": lambda: CfC(2, 4, backbone_units=8, backbone_layers=2, backbone_dropout=0.5),
    "mixed memory": lambda: CfC(2, 4, mixed_memory=True, backbone_units=8),
}


def call_sequence(core, u, state):
    out, state = core(u[:, None] if core.batch_first else u[None], state)
    return out[:, 0] if core.batch_first else out[0], state


@pytest.mark.parametrize("kind", SEQUENCES)
def test_closed_form_cells_over_sequences(kind):
    core = plain_truth.seeded(SEQUENCES[kind])
    zero = torch.zeros(1, core.state_size)
    plain = plain_truth.Plain(core, (zero, zero) if core.use_mixed else zero, call_sequence)
    system = rs.as_system(core, input_size=2, state=plain.state)
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    plain_truth.measured_rightly(system, plain, [0.5, -0.3])
    sequence = plain_truth.normal(20, 3, 2)
    whole = core(
        sequence.movedim(0, 1) if core.batch_first else sequence, plain.nested(torch.zeros(3, plain.size).double())
    )[0]
    came = system.simulate(torch.zeros(3, plain.size, dtype=torch.float64), sequence).outputs
    plain_truth.close(came, whole.movedim(0, 1) if core.batch_first else whole, 1e-9)


class Elapsed(nn.Module):
    """Hand it over: the time between samples, fixed, or as a last channel of the input."""

    def __init__(self, cell, elapsed=None):
        super().__init__()
        self.cell, self.elapsed = cell, elapsed

    def forward(self, u, x):
        if self.elapsed is None:
            return self.cell(u[:, :-1], x, u[:, -1:])
        return self.cell(u, x, self.elapsed)


@pytest.mark.parametrize("elapsed", [0.3, None], ids=["fixed", "a channel"])
def test_time_between_samples(elapsed):
    step = Elapsed(plain_truth.seeded(lambda: CfCCell(2, 4, backbone_units=8)), elapsed)
    plain = plain_truth.Plain(step, torch.zeros(1, 4))
    system = rs.as_system(step, input_size=2 if elapsed else 3, state=plain.state)
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    plain_truth.measured_rightly(system, plain, [0.5, -0.3] if elapsed else [0.5, -0.3, 0.3])


WIRINGS = {"fully connected": lambda: FullyConnected(4, 2), "ncp": lambda: AutoNCP(8, 2, seed=3)}


def liquid(wiring):
    """LTC, of which ``_params`` is made the dictionary of its parameters.

    The package keeps its parameters a second time there, and computes with those: a step at other parameters would
    not see them.
    """
    core = plain_truth.seeded(lambda: LTC(2, WIRINGS[wiring]()))
    core.rnn_cell._params = core.rnn_cell._parameters
    return core


@pytest.mark.parametrize("wiring", WIRINGS)
def test_liquid_time_constants(wiring):
    core = liquid(wiring)
    plain = plain_truth.Plain(core, torch.zeros(1, core.state_size), call_sequence)
    system = rs.as_system(core, input_size=2, state=plain.state)
    plain_truth.same_map(system, plain)
    plain_truth.keeps_the_contract(system)
    plain_truth.measured_rightly(system, plain, [0.5, -0.3])


def test_parameters_that_the_step_has_twice_are_never_taken_for_constants():
    """Refused, or right at other parameters: an epoch must not show the attractors of another."""
    core = plain_truth.seeded(lambda: LTC(2, FullyConnected(4, 2)))
    plain = plain_truth.Plain(core, torch.zeros(1, core.state_size), call_sequence)
    try:
        system = rs.as_system(core, input_size=2, state=plain.state)
    except UnsupportedModelError as error:
        assert "_params" in str(error)  # noqa: PT017
    else:
        plain_truth.same_map(system, plain)


def test_a_neuron_by_itself_rests_where_its_equation_says():
    """One unit without synapses: v' = (c v + g V) / (c + g) in each of six parts: v* = V, λ = 6 ln(c / (c + g))."""
    wiring = FullyConnected(1, 1)
    cell = plain_truth.seeded(lambda: LTCCell(wiring, 1, output_mapping=None))
    cell._params = cell._parameters
    with torch.no_grad():
        cell.w.zero_()
        cell.sensory_w.zero_()
        cell.gleak.fill_(0.5)
        cell.cm.fill_(0.4)
        cell.vleak.fill_(-0.2)
    system = rs.as_system(cell, input_size=1, state=torch.zeros(1, 1))
    c = 0.4 * 6
    found = rs.Lyapunov(inputs=[[0.0]], n_starts=1, n_steps=200).measure(system)
    assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(
        6 * torch.tensor(c / (c + 0.5)).log().item(), abs=1e-6
    )
    assert float(found.final_state[0, 0, 0]) == pytest.approx(-0.2, abs=1e-6)
