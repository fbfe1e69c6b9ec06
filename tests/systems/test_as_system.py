"""Networks read as maps: equality with torch.nn, and clear refusals."""

import copy

import pytest
import torch
from torch import nn

from rnnscope import models
from rnnscope.base.errors import NonDeterministicError, UnsupportedModelError
from rnnscope.systems import RecurrentSystem, as_system
from rnnscope.systems.model import FramedSystem
from rnnscope.testing import check_system


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().double()


MODULES = {
    "tanh": lambda: nn.RNN(2, 5),
    "relu": lambda: nn.RNN(2, 5, nonlinearity="relu"),
    "lstm": lambda: nn.LSTM(2, 5),
    "gru": lambda: nn.GRU(2, 5, batch_first=True),
    "lstm, 3 layers, batch first": lambda: nn.LSTM(2, 5, num_layers=3, batch_first=True, dropout=0.5),
    "gru, 2 layers": lambda: nn.GRU(2, 5, num_layers=2),
    "lstm, projected, 2 layers": lambda: nn.LSTM(2, 5, num_layers=2, proj_size=3),
    "lstm, no bias": lambda: nn.LSTM(2, 5, bias=False),
    "gru, no bias": lambda: nn.GRU(2, 5, bias=False),
}
CELLS = {
    "RNNCell": lambda: nn.RNNCell(2, 5, nonlinearity="relu"),
    "LSTMCell": lambda: nn.LSTMCell(2, 5),
    "GRUCell": lambda: nn.GRUCell(2, 5, bias=False),
}


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
def test_equals_the_module_itself(make):
    module = seeded(make).eval()
    system = as_system(module)
    check_system(system)
    inputs = torch.randn(30, 4, 2, dtype=torch.float64)
    batch_first = module.batch_first
    outputs, _ = module(inputs.movedim(0, 1) if batch_first else inputs)
    expected = outputs.movedim(0, 1) if batch_first else outputs
    start = torch.zeros(4, system.state_size, dtype=torch.float64)
    for states in (False, True):
        came = system.simulate(start, inputs, states=states).outputs
        torch.testing.assert_close(came, expected.detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)
def test_cells(make):
    check_system(as_system(seeded(make)))


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_our_models(name):
    system = as_system(models.build(name, input_size=2, hidden_size=3, output_size=2, num_layers=2))
    assert set(system.params) >= {"core.weight_ih_l1", "head.bias"}
    check_system(system)


def test_pair_of_core_and_head():
    core, head = nn.LSTM(2, 3), nn.Linear(3, 4)
    system = as_system((core, head))
    check_system(system)
    inputs = torch.randn(5, 2, 2)
    came = system.simulate(torch.zeros(2, 6), inputs).outputs
    torch.testing.assert_close(came, head(core(inputs)[0]).detach())


class Wrapped(nn.Module):
    """A user's model with dropout before its head, and nothing else unusual."""

    def __init__(self, core=None, width=4, out=1, last_only=False):
        super().__init__()
        self.encoder = core or nn.LSTM(1, width, batch_first=True)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(width, out)
        self.last_only = last_only

    def forward(self, x):
        y = self.out(self.drop(self.encoder(x)[0]))
        return y[:, -1] if self.last_only else y


@pytest.mark.parametrize("last_only", [False, True])
def test_whole_model_is_found_and_left_alone(last_only):
    model = Wrapped(last_only=last_only)
    before, random = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    system = as_system(model)
    assert list(system.params)[-1] == "out.bias"
    assert system.state_labels == tuple([f"h[{i}]" for i in range(4)] + [f"c[{i}]" for i in range(4)])
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    with torch.no_grad():
        model.get_parameter("out.bias").add_(1)
    assert not torch.equal(system.params["out.bias"], model.out.bias)
    check_system(system)


class Scaled(Wrapped):
    def forward(self, x):
        return 2 * super().forward(x)


class TwoHeads(Wrapped):
    def __init__(self):
        super().__init__()
        self.second = nn.Linear(4, 1)


class Embedded(Wrapped):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 1)

    def forward(self, x):
        return super().forward(self.embedding(x))


class Subclassed(nn.LSTM):
    def forward(self, *args):
        return super().forward(*args)


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (lambda: nn.LSTM(1, 2, bidirectional=True), "backward half reads the future"),
        (lambda: Wrapped(nn.LSTM(1, 2, bidirectional=True, batch_first=True)), "backward half reads the future"),
        (lambda: nn.Linear(1, 2), "no recurrent submodule of torch in it"),
        (lambda: nn.ModuleList([nn.GRU(1, 2), nn.GRU(1, 2)]), "its forward could not be called with one input tensor"),
        (lambda: (nn.GRU(1, 2), nn.Linear(3, 1)), r"expected to take 2 values from the core, came Linear\(in_fea"),
        (lambda: (nn.GRU(1, 2),), "expected a pair"),
        (lambda: (nn.Linear(1, 2), nn.Linear(2, 1)), "core: expected a torch recurrent module"),
        (lambda: (nn.GRU(1, 2), 3), "head: expected a module, a function or several of them, came 3"),
        (lambda: "lstm", "came str"),
    ],
)
def test_what_is_no_map_is_refused_with_a_reason(subject, message):
    with pytest.raises(UnsupportedModelError, match=message):
        as_system(subject())


class Step(nn.Module):
    """A step module of someone's own, without fused kernels."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 3)

    def forward(self, input, state):
        x, memory = state
        new = torch.tanh(self.inner(torch.cat([input, x], -1)))
        return new[:, :1] + input[:, :1], (new, 0.9 * memory + new[:, 0])


class FusedStep(nn.Module):
    def __init__(self):
        super().__init__()
        self.core = nn.LSTM(2, 3)

    def forward(self, input, state):
        y, (h, c) = self.core(input[None], (state["h"][None], state["c"][None]))
        return y[0], {"h": h[0], "c": c[0]}


def test_step_modules():
    system = as_system(Step(), input_size=2, state=(torch.zeros(1, 3), torch.zeros(1)))
    assert (system.state_size, system.output_size, system.state_labels[-1]) == (4, 1, "x1[0]")
    assert system.stackable
    check_system(system)
    fused = as_system(FusedStep(), input_size=2, state={"h": torch.zeros(1, 3), "c": torch.zeros(1, 3)})
    assert not fused.stackable
    check_system(fused)


def test_step_module_without_forward_mode_has_the_same_jacobian():
    step = FusedStep()
    system = as_system(step, input_size=2, state={"h": torch.zeros(1, 3), "c": torch.zeros(1, 3)})
    twin = as_system(step.core)
    state, input = torch.randn(4, 6), torch.randn(4, 2)
    expected = twin.jacobian(twin.weights, state, twin.drive(twin.weights, input))
    came = system.jacobian(system.weights, state, input)
    torch.testing.assert_close(came, expected, rtol=1e-5, atol=1e-6)


class Noisy(Step):
    def forward(self, input, state):
        output, new = super().forward(input, state)
        return output, (new[0] + torch.rand(1), new[1])


class Grows(Step):
    def forward(self, input, state):
        return input, (torch.cat(state[:1] * 2, -1), state[1])


def test_bad_step_modules():
    state = (torch.zeros(1, 3), torch.zeros(1))
    with pytest.raises(NonDeterministicError, match="two different answers"):
        as_system(Noisy(), input_size=2, state=state)
    with pytest.raises(
        UnsupportedModelError,
        match=r"no new state of shape \(5, 3\), \(5,\) among what it returned: \(5, 2\), \(5, 6\), \(5,\)",
    ):
        as_system(Grows(), input_size=2, state=state)
    with pytest.raises(UnsupportedModelError, match=r"tried module\(input, state\): RuntimeError: mat1 and mat2"):
        as_system(Step(), input_size=3, state=state)
    with pytest.raises(TypeError, match="needs both input_size=… and state="):
        as_system(Step(), input_size=2)
    system = as_system(Step(), input_size=2, state=state)
    with pytest.raises(UnsupportedModelError, match="use advance, simulate or outputs_on"):
        system.readout(system.weights, torch.zeros(1, 4), torch.zeros(1, 2))


def test_shapes_that_do_not_fit_are_named():
    system = as_system(nn.GRU(2, 3))
    state = torch.zeros(4, 3)
    with pytest.raises(ValueError, match=r"state: expected shape \(batch, 3\), came \(4, 2\)"):
        system.simulate(torch.zeros(4, 2), torch.zeros(5, 4, 2))
    with pytest.raises(ValueError, match=r"sequence of inputs: expected shape \(time, 4, 2\), came \(5, 4, 3\)"):
        system.simulate(state, torch.zeros(5, 4, 3))
    with pytest.raises(ValueError, match=r"held constant for n_steps: expected shape \(4, 2\), came \(5, 4, 2\)"):
        system.simulate(state, torch.zeros(5, 4, 2), n_steps=3)
    with pytest.raises(ValueError, match="are missing"):
        system.at({})
    with pytest.raises(ValueError, match=r"parameter weight_hh_l0: expected shape \(9, 3\), came \(3, 3\)"):
        system.at({**system.params, "weight_hh_l0": torch.zeros(3, 3)})


def test_empty_and_single_step_sequences():
    system = as_system((nn.LSTM(2, 3), nn.Linear(3, 1)))
    start = torch.zeros(4, 6)
    empty = as_system(nn.GRU(2, 3)).simulate(torch.zeros(4, 3), torch.zeros(0, 4, 2), states=True)
    assert empty.outputs.shape == (0, 4, 3)
    assert empty.states is not None
    assert empty.states.shape == (0, 4, 3)
    assert system.simulate(start, torch.zeros(1, 4, 2)).outputs.shape == (1, 4, 1)


class Odd(Wrapped):
    """What looks like core and head at the first weights, and is not once they are trained."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.scale, self.residual = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("mean", torch.zeros(1))
        if how in ("zero head, tanh", "zero head on c"):
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, x):
        if self.how == "input shifted by a buffer":
            return self.out(self.encoder(x - self.mean)[0])
        y, (_, c) = self.encoder(x)
        if self.how == "batch norm":
            y = self.norm(y.transpose(1, 2)).transpose(1, 2)
        if self.how == "late skip":
            return self.out(y) + nn.functional.pad(x, (0, 0, 5, 0))[:, : x.shape[1]]
        z = self.out(c.movedim(0, 1).expand_as(y) if self.how == "zero head on c" else y)
        return {
            "scaled": z * self.scale,
            "residual": z + self.residual * x,
            "zero head, tanh": torch.tanh(z),
            "clamped": z.clamp(-0.9, 0.9),
        }.get(self.how, z)


@pytest.mark.parametrize(
    "how",
    ["scaled", "residual", "batch norm", "input shifted by a buffer", "zero head, tanh", "clamped"],
)
def test_what_only_looks_like_core_and_head_at_first_is_read_with_all_that_it_does(how):
    model = Odd(how).double()
    system = as_system(model)
    assert isinstance(system, FramedSystem)
    check_system(system)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        model.get_buffer("mean").add_(0.7)
        model.get_buffer("norm.running_var").mul_(3)
        inputs = torch.randn(30, 4, 1, dtype=torch.float64)
        expected = model.eval()(inputs.movedim(0, 1)).movedim(0, 1)
    trained = system.at(model.state_dict())
    came = trained.simulate(torch.zeros(4, 8, dtype=torch.float64), inputs).outputs
    torch.testing.assert_close(came, expected, rtol=0, atol=1e-12)


def test_an_output_that_looks_back_into_the_inputs_is_refused():
    with pytest.raises(UnsupportedModelError, match="its output of step 6 depends on other steps"):
        as_system(Odd("late skip"))
    with pytest.raises(UnsupportedModelError, match="differs from that of its cores stepped one input at a time"):
        as_system(Odd("zero head on c"))  # of the last step, at every step


class SubclassedRNN(nn.RNN):
    pass


class SubclassedLinear(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def test_subclasses_and_hooks_compute_what_they_do():
    inputs = torch.randn(6, 3, 1)
    same = as_system(SubclassedRNN(1, 2))
    assert isinstance(same, RecurrentSystem)
    core, head = nn.GRU(1, 2), SubclassedLinear(2, 1)
    system = as_system((core, head))
    torch.testing.assert_close(system.simulate(torch.zeros(3, 2), inputs).outputs, head(core(inputs)[0]).detach())
    hooked = nn.GRU(1, 2)
    hooked.register_forward_hook(lambda module, inputs, output: (2 * output[0], output[1]))
    system = as_system(hooked)
    torch.testing.assert_close(system.simulate(torch.zeros(3, 2), inputs).outputs, hooked(inputs)[0].detach())
    own = Subclassed(1, 2)
    torch.testing.assert_close(as_system(own).simulate(torch.zeros(3, 4), inputs).outputs, own(inputs)[0].detach())


class CellLoop(nn.Module):
    """A loop over a cell, time first or batch first."""

    def __init__(self, time_first):
        super().__init__()
        self.cell, self.lin, self.time_first = nn.LSTMCell(1, 4), nn.Linear(4, 1), time_first

    def forward(self, x):
        x = x if self.time_first else x.movedim(1, 0)
        state, outputs = None, []
        for u in x:
            state = self.cell(u, state)
            outputs.append(self.lin(state[0]))
        y = torch.stack(outputs)
        return y if self.time_first else y.movedim(0, 1)


@pytest.mark.parametrize("time_first", [True, False])
def test_loops_over_a_cell_either_way(time_first):
    check_system(as_system(CellLoop(time_first)))


class Counting(Step):
    """A step with a counter among its buffers, which each call raises."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, input, state):
        self.calls += 1
        return super().forward(input, state)


class DropsState(Step):
    def forward(self, input, state):
        return super().forward(input, (nn.functional.dropout(state[0], 0.5), state[1]))


def test_buffers_stay_as_they_are_and_noise_in_the_state_is_seen():
    state = (torch.zeros(1, 3), torch.zeros(1))
    system = as_system(Counting(), input_size=2, state=state)
    check_system(system)
    assert system.params["calls"].item() == 0
    with pytest.raises(NonDeterministicError):
        as_system(DropsState(), input_size=2, state=state)
