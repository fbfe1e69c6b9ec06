"""xlstm with its vanilla backend: sLSTM and mLSTM.

Of their states only ratios matter: (c, n, m) and (c e^a, n e^a, m - a) give the same outputs for ever. And the largest
of two gates is taken, a kink. What is compared with the package's scan over whole sequences are therefore outputs.
"""

import math

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import plain_truth
import rnnscope as rs

xlstm = pytest.importorskip("xlstm")
from xlstm.blocks.slstm.cell import sLSTMCell, sLSTMCellConfig  # noqa: E402

DIM, HEADS = 4, 2


class MatrixStep(nn.Module):
    """Hand an mLSTM layer over: a step with its states by name."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, u, state):
        y, state = self.layer.step(u[:, None], **state)
        return y[:, 0], state


class ScalarStep(nn.Module):
    """Hand an sLSTM layer over: the batch is second in one of its states, (4, batch, units), and goes to the front."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, u, state):
        buffer, cells = state
        y, new = self.layer.step(u[:, None], buffer, cells.movedim(1, 0))
        return y[:, 0], (new["conv_state"], new["slstm_state"].movedim(0, 1))


class StackStep(nn.Module):
    """Hand a stack of blocks over: the states of all blocks, those of sLSTM with the batch in front."""

    def __init__(self, stack):
        super().__init__()
        self.stack = stack

    def forward(self, u, state):
        y, state = self.stack.step(u[:, None], turned(state, 1, 0))
        return y[:, 0], turned(state, 0, 1)


def turned(state, source, destination):
    return {
        block: {name: x.movedim(source, destination) if name == "slstm_state" else x for name, x in parts.items()}
        for block, parts in state.items()
    }


SLSTM = {"num_heads": HEADS, "backend": "vanilla", "bias_init": "standard", "recurrent_weight_init": "standard"}
MLSTM = {
    "num_heads": HEADS, "conv1d_kernel_size": 2, "qkv_proj_blocksize": 2, "proj_factor": 1.0,
    "round_proj_up_to_multiple_of": DIM,
}  # fmt: skip


def scalar_step():
    config = xlstm.sLSTMLayerConfig(embedding_dim=DIM, conv1d_kernel_size=3, **SLSTM)
    step = ScalarStep(plain_truth.seeded(lambda: xlstm.sLSTMLayer(config)))
    with torch.no_grad():
        for k, gate in enumerate((step.layer.igate, step.layer.fgate, step.layer.zgate, step.layer.ogate)):
            gate.weight.copy_(plain_truth.normal(*gate.weight.shape, seed=k, scale=0.7))
    return step, (None, torch.zeros(1, 4, DIM, dtype=torch.float64))


def matrix_step():
    config = xlstm.mLSTMLayerConfig(embedding_dim=DIM, context_length=20, **MLSTM)
    step = MatrixStep(plain_truth.seeded(lambda: xlstm.mLSTMLayer(config)))
    step.layer.mlstm_cell.fgate.bias.data.zero_()  # forget in a few steps instead of hundreds
    return step, {}


def stack_step():
    config = xlstm.xLSTMBlockStackConfig(
        mlstm_block=xlstm.mLSTMBlockConfig(mlstm=xlstm.mLSTMLayerConfig(**MLSTM)),
        slstm_block=xlstm.sLSTMBlockConfig(
            slstm=xlstm.sLSTMLayerConfig(conv1d_kernel_size=2, **SLSTM),
            feedforward=xlstm.FeedForwardConfig(proj_factor=1.3, act_fn="gelu"),
        ),
        context_length=20, num_blocks=2, embedding_dim=DIM, slstm_at=[1],
    )  # fmt: skip
    step = StackStep(plain_truth.seeded(lambda: xlstm.xLSTMBlockStack(config)))
    step.stack.blocks[0].xlstm.mlstm_cell.fgate.bias.data.zero_()
    return step, {}


STEPS = {"sLSTM": scalar_step, "mLSTM": matrix_step, "stack of both": stack_step}
KINDS = list(STEPS)


def plain_step(kind):
    """The step, with the state that it comes to from the package's own zero as example: n is never zero after it."""
    step, zero = STEPS[kind]()
    with torch.no_grad():
        state = step(plain_truth.normal(1, DIM), zero)[1]
    return plain_truth.Plain(step, pytree.tree_map(torch.clone, state))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_stacks(kind):
    plain = plain_step(kind)
    system = rs.as_system(plain.module, input_size=DIM, state=plain.state)
    centre = plain.flat(plain.state)[0]
    plain_truth.same_map(system, plain, scale=0.1, centre=centre)
    plain_truth.keeps_the_contract(system, scale=0.1, centre=centre)
    kinds = plain_truth.measured_rightly(system, plain, [0.5, -0.3, 0.2, 0.1], scale=0.1, centre=centre)
    assert set(kinds) == {"fixed_point"}


def whole_sequence(step, sequence):
    """Outputs by the package's scan over all time steps at once."""
    return (step.stack if isinstance(step, StackStep) else step.layer)(sequence.movedim(0, 1)).movedim(1, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_scan(kind):
    plain = plain_step(kind)
    system = rs.as_system(plain.module, input_size=DIM, state=plain.state)
    sequence = plain_truth.normal(15, 3, DIM)
    first = sequence[0, :1].expand(3, -1)  # the same for all, so that all begin at one state, after the package's zero
    sequence = torch.cat([first[None], sequence[1:]])
    with torch.no_grad():
        state = plain.flat(plain.module(first, begun(kind))[1])
    came = system.simulate(state, sequence[1:]).outputs
    plain_truth.close(came, whole_sequence(plain.module, sequence)[1:], 1e-6)  # mLSTM adds 1e-6 to what it divides by


def begun(kind):
    zero = STEPS[kind]()[1]
    return pytree.tree_map(lambda x: x if x is None else x.expand(3, *x.shape[1:]).clone(), zero)


@pytest.mark.parametrize("kind", ["sLSTM", "mLSTM"])
def test_states_of_another_scale_give_the_same_outputs(kind):
    """The gauge: (c e^a, n e^a, m - a)."""
    plain = plain_step(kind)
    system = rs.as_system(plain.module, input_size=DIM, state=plain.state)
    scaled, a = pytree.tree_map(torch.clone, plain.state), 0.3
    if kind == "sLSTM":
        scaled[1][:, 1:3] *= math.exp(a)
        scaled[1][:, 3] -= a
    else:
        c, n, m = scaled["mlstm_state"]
        scaled["mlstm_state"] = (c * math.exp(a), n * math.exp(a), m - a)
    sequence = plain_truth.normal(20, 1, DIM, scale=0.5)
    came, wanted = (system.simulate(plain.flat(state), sequence).outputs for state in (scaled, plain.state))
    plain_truth.close(came, wanted, 1e-6)


def test_exponents_of_an_slstm_without_recurrent_weights_are_those_of_its_forget_gate():
    """At rest m = ĩ, so c' = f c + z and n' = f n + 1: λ = ln f twice, and m and y forget everything at once."""
    cell = plain_truth.seeded(
        lambda: sLSTMCell(sLSTMCellConfig(hidden_size=2, num_heads=2, backend="vanilla", bias_init="standard"))
    )
    cell._recurrent_kernel_.data.zero_()  # as the package begins with
    gates = plain_truth.normal(1, 8)
    forget = (gates.view(4, 2) + cell._bias.view(4, 2))[1].sigmoid().log().detach()
    system = rs.as_system(CellStep(cell), input_size=8, state=torch.ones(1, 4, 2))
    found = rs.Lyapunov(inputs=gates, starts=[[0.1, 0.1, 0.2, 0.2, 1.0, 1.0, 0.0, 0.0]], n_steps=200).measure(system)
    came = found.lyapunov_exponent.values[0, 0]
    assert came[:4] == pytest.approx(forget.sort(descending=True).values.repeat_interleave(2).tolist(), abs=1e-6)
    assert (came[4:] < came[3] - 1).all()


class CellStep(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, gates, state):
        y, state = self.cell(gates[:, None], state.movedim(1, 0))
        return y.flatten(1), state.movedim(0, 1)


def test_a_cell_with_the_batch_second_in_its_state():
    """The cell itself: sequences (batch, time, gates), state (4, batch, units)."""
    cell = plain_truth.seeded(lambda: sLSTMCell(sLSTMCellConfig(hidden_size=3, **{**SLSTM, "num_heads": 1})))
    ones = torch.ones(4, 1, 3)
    plain = plain_truth.Plain(cell, ones, lambda cell, u, x: cell(u[:, None], x), batch_axis=1)
    system = rs.as_system(cell, input_size=12, state=ones)
    plain_truth.same_map(system, plain, scale=0.1, centre=1.0)
    plain_truth.keeps_the_contract(system, scale=0.1, centre=1.0)
