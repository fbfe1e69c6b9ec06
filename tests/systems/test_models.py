"""Whole models as people write them: what their forward does before and after the core is part of the map."""

import copy

import pytest
import torch
from torch import nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.runs import Run
from rnnscope.smoothness import HessianOperator, Objective
from rnnscope.smoothness.objective import cost
from rnnscope.smoothness.points import costs
from rnnscope.systems import RecurrentSystem, as_system
from rnnscope.systems.model import FramedSystem, ModelSystem
from rnnscope.testing import check_system
from rnnscope.training import Recorder


class Parts(nn.Module):
    """An encoder, an LSTM, and several heads; what forward makes of them is a subclass's."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(2, 4)
        self.lstm = nn.LSTM(4, 5, num_layers=2, dropout=0.5, batch_first=True)
        self.norm, self.mlp = nn.LayerNorm(5), nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3))
        self.second = nn.Linear(5, 2)


class EncoderNormSigmoid(Parts):
    def forward(self, x):
        return torch.sigmoid(self.mlp(self.norm(self.lstm(torch.tanh(self.encoder(x)))[0])))


class SkipAndResidual(Parts):
    def forward(self, x):
        z = self.encoder(x)
        y = self.lstm(z)[0]
        return self.second(y) + x, self.mlp(y + torch.cat([z, z[..., :1]], -1))


class HeadsAndState(Parts):
    def forward(self, x):
        y, state = self.lstm(self.encoder(x))
        return {"mean": self.mlp(y), "log variance": self.second(y), "state": state}


class OnlyTheLast(Parts):
    def forward(self, x):
        _, (h, _) = self.lstm(self.encoder(x))
        return self.second(h[-1])


class ScaledTimeFirst(nn.Module):
    """Scaling by buffers and by a plain attribute, time first, a channel that is squeezed away."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([1.0, -2.0]))
        self.deviation = torch.tensor([2.0, 0.5])
        self.gru, self.out = nn.GRU(2, 4), nn.Linear(4, 1)

    def forward(self, x):
        return torch.sigmoid(self.out(self.gru((x - self.mean) / self.deviation)[0])).squeeze(-1)


class TwoCellsInALoop(nn.Module):
    """After PyTorch's example of sine waves: (batch, time) without a channel."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LSTMCell(1, 6), nn.GRUCell(6, 4)
        self.read = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))

    def forward(self, x, future=0):
        h = c = x.new_zeros(len(x), 6)
        g, outputs = x.new_zeros(len(x), 4), []
        for t in range(x.shape[1] + future):
            u = x[:, t : t + 1] if t < x.shape[1] else outputs[-1]
            h, c = self.first(u, (h, c))
            g = self.second(h, g)
            outputs.append(self.read(g))
        return torch.cat(outputs, 1)


class Learned(nn.Module):
    """An initial state that is a parameter, or made of the first inputs by a part of the model."""

    def __init__(self, of_sequence):
        super().__init__()
        self.gru, self.out = nn.GRU(2, 5, batch_first=True), nn.Linear(5, 1)
        self.begin = nn.Linear(2, 5) if of_sequence else nn.Parameter(torch.randn(1, 1, 5))

    def forward(self, x):
        if isinstance(self.begin, nn.Linear):
            h = self.begin(x[:, :3].mean(1))[None]
        else:
            h = self.begin.expand(-1, len(x), -1).contiguous()
        return self.out(self.gru(x, h)[0])


class WordModel(nn.Module):
    """After PyTorch's example: time first, a state to be handed in, tied weights, outputs of all words in one row."""

    def __init__(self):
        super().__init__()
        self.drop, self.embedding = nn.Dropout(0.5), nn.Embedding(11, 6)
        self.rnn, self.decoder = nn.LSTM(6, 6, 2, dropout=0.2), nn.Linear(6, 11)
        self.decoder.weight = self.embedding.weight

    def forward(self, tokens, hidden):
        y, hidden = self.rnn(self.drop(self.embedding(tokens)), hidden)
        return torch.log_softmax(self.decoder(self.drop(y)).view(-1, 11), 1), hidden


class KeepsHidden(nn.Module):
    """Truncated back-propagation: the state is kept from call to call."""

    def __init__(self):
        super().__init__()
        self.rnn, self.out, self.hidden = nn.GRU(1, 4, batch_first=True), nn.Linear(4, 1), None

    def forward(self, x):
        y, self.hidden = self.rnn(x, self.hidden)
        self.hidden = self.hidden.detach()
        return torch.tanh(self.out(y))


class OwnForward(nn.Module):
    """A core that is a subclass with a forward of its own, and one with weight norm, one after the other."""

    class Scaled(nn.GRU):
        def forward(self, x, hx=None):
            return super().forward(2 * x, hx)

    def __init__(self):
        super().__init__()
        self.first = self.Scaled(2, 3)
        self.second = nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")

    def forward(self, x):
        return self.second(self.first(x)[0])[0]


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return make().double().eval()


def rows(output):
    """Outputs of a dictionary or tuple, one after another."""
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple) else [output]
    tensors = [part for part in parts if isinstance(part, torch.Tensor)]
    return torch.cat([t if t.dim() == 3 else t[..., None] for t in tensors], -1)


BATCH_FIRST = {
    "encoder, layer norm, MLP, sigmoid": (EncoderNormSigmoid, FramedSystem, 3),
    "skip, residual, two heads": (SkipAndResidual, FramedSystem, 5),
    "heads in a dictionary with the state": (HeadsAndState, FramedSystem, 5),
    "initial state a parameter": (lambda: Learned(False), FramedSystem, 1),
    "initial state of the sequence": (lambda: Learned(True), FramedSystem, 1),
    "state kept between calls": (KeepsHidden, FramedSystem, 1),
}


@pytest.mark.parametrize(("make", "kind", "n_outputs"), BATCH_FIRST.values(), ids=BATCH_FIRST)
def test_outputs_costs_and_gradients_are_those_of_the_model(make, kind, n_outputs):
    model = seeded(make)
    system = as_system(model)
    assert type(system) is kind
    assert system.output_size == n_outputs
    check_system(system)
    x = torch.randn(4, 9, system.input_size, dtype=torch.float64)
    own = rows(copy.deepcopy(model)(x))
    begun = system.initial_state(system.weights, x.movedim(1, 0))
    for states in (False, True):
        came = system.simulate(begun, x.movedim(1, 0), states=states).outputs
        torch.testing.assert_close(came.movedim(0, 1), own.detach(), rtol=0, atol=1e-12)
    target = torch.randn(4, 9, n_outputs, dtype=torch.float64)
    objective = Objective(x, target)
    loss = (rows(copy.deepcopy(model)(x)) - target).square().mean()
    assert abs(float(cost(system, system.params, objective).detach()) - float(loss.detach())) < 1e-13
    fresh = copy.deepcopy(model)
    loss = (rows(fresh(x)) - target).square().mean()
    wanted = torch.autograd.grad(loss, list(fresh.parameters()), allow_unused=True)
    norm = sum(float(g.square().sum()) for g in wanted if g is not None) ** 0.5
    assert abs(float(HessianOperator(system, objective).gradient.norm()) - norm) < 1e-12 * (1 + norm)
    two = {
        k: torch.stack([p, 1.1 * p]) if p.is_floating_point() else p[None].repeat(2) for k, p in system.params.items()
    }
    one = {name: p[1] for name, p in two.items()}
    alone = torch.stack([cost(system, system.params, objective), cost(system, one, objective)])
    torch.testing.assert_close(costs(system, two, objective), alone.detach(), rtol=0, atol=1e-12)


def test_the_last_output_alone():
    model = seeded(OnlyTheLast)
    system = as_system(model)
    check_system(system)
    x = torch.randn(4, 9, 2, dtype=torch.float64)
    outputs = system.simulate(torch.zeros(4, 20, dtype=torch.float64), x.movedim(1, 0)).outputs
    torch.testing.assert_close(outputs[-1], model(x).detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(outputs[4], model(x[:, :5]).detach(), rtol=0, atol=1e-12)


def test_scalings_time_first():
    model = seeded(ScaledTimeFirst)
    model.deviation = model.deviation.double()
    system = as_system(model)
    check_system(system)
    x = torch.randn(9, 4, 2, dtype=torch.float64)
    came = system.simulate(torch.zeros(4, 4, dtype=torch.float64), x).outputs
    torch.testing.assert_close(came[..., 0], model(x).detach(), rtol=0, atol=1e-12)
    assert "deviation" not in model.state_dict()
    assert set(system.at(model.state_dict()).params) == set(system.params)


def test_two_cells_in_a_loop():
    model = seeded(TwoCellsInALoop)
    system = as_system(model)
    assert type(system) is ModelSystem
    assert system.state_labels[:1] + system.state_labels[-1:] == ("first.h[0]", "second.h[3]")
    check_system(system)
    x = torch.randn(4, 9, dtype=torch.float64)
    came = system.simulate(torch.zeros(4, 16, dtype=torch.float64), x.mT[..., None]).outputs
    torch.testing.assert_close(came[..., 0].mT, model(x).detach(), rtol=0, atol=1e-12)


def test_a_core_with_a_forward_of_its_own_is_called():
    model = seeded(OwnForward)
    system = as_system(model)
    check_system(system)
    x = torch.randn(9, 4, 2, dtype=torch.float64)
    came = system.simulate(torch.zeros(4, 11, dtype=torch.float64), x).outputs
    torch.testing.assert_close(came, model(x).detach(), rtol=0, atol=1e-12)


def test_a_word_model_takes_tokens():
    model = seeded(WordModel)
    system = as_system(model)
    assert (system.n_tokens, system.input_size, system.output_size) == (11, 1, 11)
    check_system(system)
    tokens = torch.randint(11, (9, 4))
    hidden = (torch.zeros(2, 4, 6, dtype=torch.float64),) * 2
    came = system.simulate(torch.zeros(4, 24, dtype=torch.float64), tokens[..., None].double()).outputs
    torch.testing.assert_close(came, model(tokens, hidden)[0].view(9, 4, 11).detach(), rtol=0, atol=1e-12)
    objective = Objective(tokens.mT, tokens.roll(-1, 0).mT, loss="cross-entropy")
    own = nn.functional.nll_loss(model(tokens, hidden)[0], tokens.roll(-1, 0).flatten())
    assert abs(float(cost(system, system.params, objective).detach()) - float(own.detach())) < 1e-13
    tied = HessianOperator(system, objective).gradient.norm()
    wanted = torch.autograd.grad(own, list(model.parameters()))
    assert abs(float(tied) - sum(float(g.square().sum()) for g in wanted) ** 0.5) < 1e-12
    between = Objective(tokens.mT[..., None] + 0.5, tokens.mT, loss="cross-entropy")
    with pytest.raises(ValueError, match="inputs: expected tokens, whole numbers from 0 to 10"):
        between.on(system)


class ReturnsStatesToo(nn.Module):
    """Scores, and the activity behind them, as tutorials of rate networks return both."""

    def __init__(self, activity):
        super().__init__()
        self.rnn, self.out, self.activity = nn.RNN(2, 5, nonlinearity="relu"), nn.Linear(5, 3), activity

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.out(states), self.activity(states)


def test_states_that_are_returned_beside_a_head_are_no_outputs():
    model = seeded(lambda: ReturnsStatesToo(lambda x: x))
    system = as_system(model)
    assert system.output_size == 3
    x, classes = torch.randn(9, 4, 2, dtype=torch.float64), torch.randint(3, (9, 4))
    objective = Objective(x.movedim(1, 0), classes.T, loss="cross-entropy")
    own = nn.functional.cross_entropy(model(x)[0].flatten(0, 1), classes.flatten())
    assert abs(float(cost(system, system.params, objective).detach()) - float(own.detach())) < 1e-13


def test_a_cost_of_one_head_among_several_is_refused_and_the_advice_works(tmp_path):
    model = seeded(lambda: ReturnsStatesToo(torch.tanh))
    system = as_system(model)
    assert system.output_size == 8
    x, classes = torch.randn(9, 4, 2, dtype=torch.float64), torch.randint(3, (9, 4))
    objective = Objective(x.movedim(1, 0), classes.T, loss="cross-entropy")
    for refused in (objective, Objective(x.movedim(1, 0), torch.zeros(4, 9, 3))):
        with pytest.raises(ValueError, match=r"(?s)several outputs, of 3 \+ 5 values.*class First\(nn.Module\)"):
            refused.on(system)
    Objective(x.movedim(1, 0), torch.zeros(4, 9, 8)).on(system)

    class First(nn.Module):  # as the message has it
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x)[0]

    own = nn.functional.cross_entropy(model(x)[0].flatten(0, 1), classes.flatten())
    Recorder(tmp_path / "run", model).close()
    run = Run(tmp_path / "run", model=First(model))
    run.give(objective=objective)
    first = run.system()
    assert abs(float(cost(first, first.params, objective).detach()) - float(own.detach())) < 1e-13


def test_the_model_itself_is_left_alone():
    model = KeepsHidden()
    model(torch.randn(2, 3, 1))
    kept, mode, random = copy.deepcopy(model.hidden), model.training, torch.random.get_rng_state()
    with pytest.raises(UnsupportedModelError, match=r"does it keep a state in self\.hidden between calls"):
        as_system(model)
    torch.testing.assert_close(model.hidden, kept, rtol=0, atol=0)
    assert model.training == mode
    assert torch.equal(torch.random.get_rng_state(), random)
    model.hidden = None
    assert as_system(model).state_size == 4
    assert "forward" not in vars(model.rnn)


class Attends(Parts):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(5, 1, batch_first=True)

    def forward(self, x):
        y = self.lstm(self.encoder(x))[0]
        return self.attention(y, y, y)[0]


class MeanOverTime(Parts):
    def forward(self, x):
        return self.second(self.lstm(self.encoder(x))[0].mean(1))


class Convolves(Parts):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(2, 4, 3, padding=1)

    def forward(self, x):
        return self.second(self.lstm(self.convolution(x.mT).mT)[0])


class NormalisesOverTheBatch(Parts):
    def forward(self, x):
        y = self.lstm(self.encoder(x))[0]
        return nn.functional.batch_norm(y.flatten(0, 1), None, None, training=True).view_as(y)


class CallsTwice(Parts):
    def forward(self, x):
        z = self.encoder(x)
        return self.lstm(z + self.lstm(z)[0][..., :4])[0]


class Bidirectional(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRU(1, 3, bidirectional=True), nn.Linear(6, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Attends, "attention"),
        (MeanOverTime, "a mean over time"),
        (Convolves, "convolution"),
        (NormalisesOverTheBatch, "normalisation over the batch"),
        (CallsTwice, "core lstm is called more than once in a step"),
        (Bidirectional, "reads the future"),
    ],
)
def test_what_is_no_map_of_its_cores_is_refused_with_the_way_out(make, reason):
    with pytest.raises(UnsupportedModelError, match=reason) as refusal:
        as_system(make())
    if make is not Bidirectional:
        assert "class Step(nn.Module)" in str(refusal.value)
        assert "(core, head)" not in str(refusal.value)


def test_parts_by_name():
    core, encoder, out = nn.GRU(3, 4, batch_first=True), nn.Linear(2, 3), nn.Linear(4, 1)
    begin = nn.Parameter(torch.randn(4))
    system = as_system(core, encoder=encoder, head=(nn.Sequential(out, nn.Sigmoid()), doubled), initial=begin)
    check_system(system)
    x = torch.randn(5, 6, 2)
    begun = system.initial_state(system.weights, x.movedim(1, 0))
    torch.testing.assert_close(begun, begin.detach().expand(5, -1))
    y = core(encoder(x), begin.expand(1, 5, -1).contiguous())[0]
    wanted = torch.cat([torch.sigmoid(out(y)), 2 * y], -1).detach()
    torch.testing.assert_close(system.simulate(begun, x.movedim(1, 0)).outputs.movedim(0, 1), wanted)
    tokens = as_system(nn.LSTM(3, 4), encoder=nn.Embedding(7, 3))
    assert (tokens.n_tokens, tokens.input_size, tokens.output_size) == (7, 1, 4)
    cell = as_system(nn.LSTMCell(3, 4), encoder=encoder, head=[out], initial=(torch.ones(4), torch.zeros(4)))
    assert cell.initial_state(cell.weights, x.movedim(1, 0)).sum() == 20
    simple = as_system(core, head=out)
    assert isinstance(simple, RecurrentSystem)
    with pytest.raises(UnsupportedModelError, match="initial: expected the tensors that the core begins with"):
        as_system(core, initial=3)
    with pytest.raises(UnsupportedModelError, match="core: expected a torch recurrent module or cell, came Linear"):
        as_system(nn.Linear(1, 1), head=out)


def doubled(y):
    return 2 * y


class Plant(nn.Module):
    """A GRU on a scaled input with a sigmoid, fitted to a plant: what a pair without these would get wrong."""

    def __init__(self):
        super().__init__()
        self.gru, self.out = nn.GRU(1, 1, batch_first=True), nn.Linear(1, 1)

    def forward(self, x):
        return torch.sigmoid(self.out(self.gru(x / 5 - 1)[0]))


def test_a_scaling_and_a_sigmoid_are_never_dropped():
    model = seeded(Plant)
    x = torch.full((1, 200, 1), 3.0, dtype=torch.float64)
    system = as_system(model)
    rest = float(system.simulate(torch.zeros(1, 1, dtype=torch.float64), x.movedim(1, 0)).outputs[-1])
    assert abs(rest - float(model(x).detach()[0, -1])) < 1e-12
    pair = as_system((model.gru, model.out))
    assert abs(float(pair.simulate(torch.zeros(1, 1, dtype=torch.float64), x.movedim(1, 0)).outputs[-1]) - rest) > 0.1
