"""Steps in all the spellings that people use: what goes in, what comes out, where time and batch stand."""

import textwrap
from typing import Any

import pytest
import torch
from torch import nn

from rnnscope.base.errors import DerivativeError, NonDeterministicError, UnsupportedModelError
from rnnscope.smoothness import Objective
from rnnscope.systems import as_system
from rnnscope.systems.model import ModelSystem
from rnnscope.systems.module import ModuleSystem
from rnnscope.testing import check_system

N = 4


class Rate(nn.Module):
    """x + (tanh(J x + B u) - x) / 5; subclasses say in which form it comes."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.input, self.out = nn.Linear(N, N), nn.Linear(3, N), nn.Linear(N, 2)

    def new(self, u, x):
        return x + (torch.tanh(self.recurrent(x) + self.input(u)) - x) / 5


class StateAlone(Rate):
    def forward(self, u, x):
        return self.new(u, x)


class Three(Rate):
    def forward(self, u, x):
        x = self.new(u, x)
        return self.out(x), x, {"penalty": x.square().mean()}


class StateFirst(Rate):
    def forward(self, u, x):
        x = self.new(u, x)
        return x, (self.out(x), torch.sigmoid(x))


class TimeFirst(Rate):
    def forward(self, inputs, x=None):
        x = inputs.new_zeros(inputs.shape[1], N) if x is None else x
        outputs = []
        for u in inputs:
            x = self.new(u, x)
            outputs.append(self.out(x))
        return torch.stack(outputs), x


class BatchFirst(TimeFirst):
    def forward(self, inputs, x):
        outputs, x = super().forward(inputs.movedim(1, 0), x)
        return outputs.movedim(0, 1), x


READINGS = {
    "state alone": (StateAlone, "module(input, state)", N),
    "three values": (Three, "module(input, state)", 2),
    "state first, a tuple of outputs": (StateFirst, "module(input, state)", 2 + N),
    "sequences, time first": (TimeFirst, "module(input, state), sequences (time, batch, input)", 2),
    "sequences, batch first": (BatchFirst, "module(input, state), sequences (batch, time, input)", 2),
}


@pytest.mark.parametrize(("make", "reading", "n_outputs"), READINGS.values(), ids=READINGS)
def test_the_same_map_in_every_spelling(make, reading, n_outputs):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make()
    system = as_system(module, input_size=3, state=torch.zeros(1, N))
    assert isinstance(system, ModuleSystem)
    assert system.reading.describe() == reading
    assert system.output_size == n_outputs
    u, x = torch.randn(5, 3), torch.randn(5, N)
    torch.testing.assert_close(system.step(system.weights, x, u), module.new(u, x).detach())
    check_system(system)


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, N, 2)

    def forward(self, u, h):
        y, h = self.gru(u[None], h)
        return y[0], h


@pytest.mark.parametrize("example", [(1, 2, N), (2, 1, N)], ids=["batch first", "torch's own"])
def test_torchs_own_layout_of_layers(example):
    module = TwoLayers()
    system = as_system(module, input_size=3, state=torch.zeros(example))
    assert isinstance(system, ModuleSystem)
    assert system.reading.state.batch_axis == 1
    x, u = torch.randn(7, 2, N), torch.randn(7, 3)
    wanted = module(u, x.movedim(0, 1).contiguous())[1].movedim(0, 1).reshape(7, 2 * N)
    torch.testing.assert_close(system.step(system.weights, x.reshape(7, 2 * N), u), wanted.detach())
    check_system(system)


class Autonomous(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.5, -0.3]))


class Ignores(Autonomous):
    def forward(self, _, x):
        return x, self.a * x + 1


class Alone(Autonomous):
    def forward(self, x):
        return self.a * x + 1


@pytest.mark.parametrize("make", [Ignores, Alone])
def test_a_map_without_input(make):
    system = as_system(make(), input_size=0, state=torch.zeros(1, 2))
    check_system(system)
    final = system.simulate(torch.zeros(1, 2), torch.zeros(1, 0), n_steps=100).final
    torch.testing.assert_close(final, torch.tensor([[2.0, 1 / 1.3]]))


class Learned(Rate):
    def __init__(self):
        super().__init__()
        self.x0, self.context = nn.Parameter(torch.randn(N)), nn.Linear(3, N)

    def forward(self, u, x):
        return self.out(x), self.new(u, x)


class MeanOf(nn.Module):
    def __init__(self, context):
        super().__init__()
        self.context = context

    def forward(self, sequences):
        return torch.tanh(self.context(sequences.mean(1)))


def test_states_to_begin_with():
    module, inputs = Learned(), torch.randn(6, 5, 3)
    for initial in ("x0", module.x0):
        system = as_system(module, input_size=3, state=torch.zeros(1, N), initial=initial)
        trained = system.at({**system.params, "x0": torch.ones(N)})
        assert torch.equal(trained.initial_state(trained.weights, inputs), torch.ones(5, N))
    module.begin = MeanOf(module.context)
    system = as_system(module, input_size=3, state=torch.zeros(1, N), initial=module.begin)
    wanted = torch.tanh(module.context(inputs.mean(0))).detach()
    torch.testing.assert_close(system.initial_state(system.weights, inputs), wanted)
    fixed = as_system(module, input_size=3, state=torch.zeros(1, N), initial=torch.full((N,), 0.5))
    assert torch.equal(fixed.initial_state(fixed.weights, inputs), torch.full((5, N), 0.5))
    for wrong, message in (
        ("x1", "the module has no parameter 'x1'"),
        (nn.Parameter(torch.zeros(N)), "a parameter that the step module does not have"),
        (nn.Linear(3, N), "a module that is none of its attributes"),
        (torch.zeros(3), r"expected 4 numbers, came \(3,\)"),
    ):
        with pytest.raises(UnsupportedModelError, match=message):
            as_system(module, input_size=3, state=torch.zeros(1, N), initial=wrong)


class Counts(Rate):
    """Depends on how often it was called."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, u, x):
        self.calls += 1
        return self.new(u, x) / self.calls


class CountsInABuffer(Rate):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, u, x):
        self.calls += 1
        return self.new(u, x) / self.calls


class RowsTogether(Rate):
    def forward(self, u, x):
        return self.new(u, x) - x.mean(0)


class FixedBatch(Rate):
    def forward(self, u, x):
        return self.new(u, x) + torch.ones(5, 1)


class Loose(Rate):
    def __init__(self):
        super().__init__()
        self.gain = torch.ones(N, requires_grad=True)

    def forward(self, u, x):
        return self.gain * self.new(u, x)


class Noisy(Rate):
    def forward(self, u, x):
        return self.new(u, x) + 0.1 * torch.randn_like(x)


class LooksBack(TimeFirst):
    def forward(self, inputs, x):
        if inputs.dim() != 3:
            raise ValueError("expected (time, batch, input)")
        return super().forward(inputs - inputs.mean(0), x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (Counts, UnsupportedModelError, r"keeps a state in itself \(it changes self\.calls\)"),
        (CountsInABuffer, UnsupportedModelError, "depends on its buffers calls and changes them"),
        (RowsTogether, UnsupportedModelError, "rows influence each other"),
        (FixedBatch, UnsupportedModelError, "one state alone did not|one state differs|one state alone"),
        (Loose, UnsupportedModelError, r"gain is a tensor that is trained, but no nn\.Parameter"),
        (Noisy, NonDeterministicError, "must not draw random numbers"),
        (LooksBack, UnsupportedModelError, "does not end in the state"),
    ],
)
def test_what_is_no_map_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        as_system(make(), input_size=3, state=torch.zeros(1, N))


class Detached(Rate):
    def forward(self, u, x):
        return self.new(u, x.detach())


class Spike(torch.autograd.Function):
    """A step with the derivative of a sigmoid."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(5 * x)
        return 5 * gradient * s * (1 - s)


class Spiking(Rate):
    def forward(self, u, x):
        return 0.8 * x + Spike.apply(self.recurrent(x) + self.input(u))


@pytest.mark.parametrize("make", [Detached, Spiking])
def test_derivatives_that_are_not_those_of_the_map_are_not_given(make):
    system = as_system(make(), input_size=3, state=torch.zeros(1, N))
    assert "differ from its own differences" in (system.derivative_problem or "")
    x, u = torch.randn(5, N), torch.randn(5, 3)
    assert system.step(system.weights, x, u).shape == (5, N)
    with pytest.raises(DerivativeError, match="exponents and multipliers would belong to another map"):
        system.jacobian(system.weights, x, u)


class SinglePrecision(Rate):
    def forward(self, u, x):
        return self.new(u, x).float()


def test_a_step_in_single_precision_stays_so_and_says_so():
    system = as_system(SinglePrecision(), input_size=3, state=torch.zeros(1, N))
    with pytest.warns(UserWarning, match="measured in float32, for in float64 its new state comes in float32"):
        assert system.to(torch.float64).dtype == torch.float32


class Ones(Rate):
    def forward(self, u, x):
        return self.new(u, x) @ torch.eye(N) + torch.zeros(1, N)


def test_constants_made_inside_take_the_type_of_the_parameters():
    check_system(as_system(Ones(), input_size=3, state=torch.zeros(1, N)))


class WithCell(nn.Module):
    """A model that loops over a cell of someone's own, from a learned state."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.out = cell, nn.Linear(N, 1)
        self.x0 = nn.Parameter(torch.randn(N))

    def forward(self, inputs):
        x, outputs = self.x0.expand(len(inputs), -1), []
        for t in range(inputs.shape[1]):
            x = self.cell(inputs[:, t], x)
            outputs.append(torch.sigmoid(self.out(x)))
        return torch.stack(outputs, 1)


class WithLayer(nn.Module):
    """A model around a recurrent layer of someone's own, as in the tutorials: (time, batch, input)."""

    def __init__(self):
        super().__init__()
        self.rnn, self.out = TimeFirst(), nn.Linear(2, 1)

    def forward(self, inputs):
        activity, _ = self.rnn(inputs)
        return self.out(activity), activity


def test_models_with_recurrent_parts_of_their_own():
    loop = WithCell(StateAlone()).double()
    system = as_system(loop)
    assert isinstance(system, ModelSystem)
    check_system(system)
    inputs = torch.randn(5, 9, 3, dtype=torch.float64)
    begun = system.initial_state(system.weights, inputs.movedim(0, 1))
    assert torch.equal(begun, loop.x0.detach().expand(5, -1))
    came = system.simulate(begun, inputs.movedim(0, 1)).outputs.movedim(0, 1)
    torch.testing.assert_close(came, loop(inputs).detach(), rtol=0, atol=1e-12)
    layer = WithLayer().double()
    system = as_system(layer)
    check_system(system)
    came = system.simulate(torch.zeros(9, N, dtype=torch.float64), inputs).outputs
    torch.testing.assert_close(came, torch.cat(layer(inputs), -1).detach(), rtol=0, atol=1e-12)
    alone = as_system(TimeFirst())
    assert (alone.input_size, alone.state_size, alone.output_size) == (3, N, 2)


def test_an_encoder_and_heads_around_a_step():
    cell, encoder, head = StateAlone(), nn.Embedding(6, 3), nn.Sequential(nn.Linear(N, 2), nn.Sigmoid())
    system = as_system(cell, input_size=1, state=torch.zeros(1, N), encoder=encoder, head=head)
    assert (system.n_tokens, system.output_size, system.state_labels[0]) == (6, 2, "x[0]")
    x, token = torch.randn(5, N), torch.tensor([[0.0], [3.0], [5.0], [1.0], [1.0]])
    new, output = system.advance(system.weights, x, token)
    wanted = cell(encoder(token[:, 0].long()), x)
    torch.testing.assert_close(new, wanted.detach())
    torch.testing.assert_close(output, head(wanted).detach())


def test_half_precision_is_computed_in_single():
    system = as_system(nn.GRU(1, 3).bfloat16())
    assert system.dtype == torch.float32
    step = as_system(StateAlone().half(), input_size=3, state=torch.zeros(1, N))
    assert step.dtype == torch.float32


class StateOnceMore(Rate):
    def forward(self, u, x):
        x = self.new(u, x)
        return (self.out(x), x), x


class CellOutput(nn.Module):
    """An LSTM cell that gives c, the second part of its state, as its output."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, N)

    def forward(self, u, state):
        h, c = self.cell(u, state)
        return c, (h, c)


def test_a_state_handed_out_once_more_is_no_output_of_its_own():
    module = StateOnceMore()
    system = as_system(module, input_size=3, state=torch.zeros(1, N))
    assert (system.output_size, system.output_sizes) == (2, ())
    cell = CellOutput()
    system = as_system(cell, input_size=3, state=(torch.zeros(1, N),) * 2)
    x, u = torch.randn(5, 2 * N), torch.randn(5, 3)
    _, output = system.advance(system.weights, x, u)
    torch.testing.assert_close(output, cell(u, (x[:, :N], x[:, N:]))[0].detach())


def test_a_cost_of_one_output_among_several_is_refused():
    system = as_system(StateFirst(), input_size=3, state=torch.zeros(1, N))
    assert system.output_sizes == (2, N)
    data = Objective(torch.randn(2, 5, 3), torch.randint(2, (2, 5)), loss="cross-entropy")
    with pytest.raises(ValueError, match=r"several outputs, of 2 \+ 4 values") as refusal:
        data.on(system)
    program = str(refusal.value).split("one meant:\n")[1].rsplit("\n", 1)[0]
    there: dict[str, Any] = {"nn": nn}
    exec(textwrap.dedent(program), there)

    class TwoOutputs(StateFirst):
        def forward(self, u, x):
            x, outputs = super().forward(u, x)
            return outputs, x

    one = as_system(there["First"](TwoOutputs()), input_size=3, state=torch.zeros(1, N))
    assert data.on(one).n_steps == 5
    assert (one.output_size, one.output_sizes) == (2, ())
