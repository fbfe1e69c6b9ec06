"""Networks as they are written in papers, theses and notebooks: read rightly, or refused with the reason.

What is right is said by the plain module itself (tests/plain_truth.py), and where there is one, by a formula.
"""

import copy
import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

import plain_truth
import rnnscope as rs
from rnnscope.base.errors import NonDeterministicError, UnsupportedModelError

SLOW = pytest.mark.slow
N = 4
ZERO = torch.zeros(1, N)


class Rate(nn.Module):
    """τ dx/dt = -x + W r(x) + B u + b + noise, by Euler steps of dt; columns of W have one sign (Dale's law)."""

    sign: torch.Tensor

    def __init__(self, *, dt=20.0, tau=100.0, noise=0.1, always=False):
        super().__init__()
        self.alpha, self.noise, self.always = dt / tau, noise, always
        self.w, self.b = nn.Parameter(torch.rand(N, N)), nn.Parameter(torch.randn(N))
        self.b_in, self.out = nn.Linear(2, N, bias=False), nn.Linear(N, 1)
        self.register_buffer("sign", torch.tensor([1.0, 1.0, 1.0, -1.0]))

    def forward(self, u, x):
        w = self.w.abs() * self.sign
        x = x + self.alpha * (-x + torch.tanh(x).relu() @ w.T + self.b_in(u) + self.b)
        if self.training or self.always:
            x = x + math.sqrt(2 * self.alpha) * self.noise * torch.randn_like(x)
        return self.out(torch.tanh(x).relu()), x


class RateOverTime(Rate):
    """The same over sequences (time, batch, input)."""

    def forward(self, inputs, x):
        outputs = []
        for u in inputs:
            y, x = super().forward(u, x)
            outputs.append(y)
        return torch.stack(outputs), x


class LowRank(nn.Module):
    """x' = (1 - α) x + α (m nᵀ φ(x) / N + u): a connectivity of rank two."""

    def __init__(self, alpha=0.3):
        super().__init__()
        self.alpha, self.m, self.n = alpha, nn.Parameter(3 * torch.randn(N, 2)), nn.Parameter(torch.randn(N, 2))

    def forward(self, u, x):
        kappa = torch.tanh(x) @ self.n / N
        return kappa, (1 - self.alpha) * x + self.alpha * (kappa @ self.m.T + u)


class Reservoir(nn.Module):
    """A leaky echo-state network of spectral radius 0.9; what is not trained is a buffer, or just a tensor."""

    def __init__(self, *, kept):
        super().__init__()
        w = torch.randn(N, N)
        w = 0.9 * w / torch.linalg.eigvals(w).abs().max()
        self.leak, self.kept = 0.4, kept
        if kept == "buffers":
            self.register_buffer("w", w)
            self.register_buffer("w_in", torch.randn(N, 2))
        else:
            self.w, self.w_in = w, torch.randn(N, 2)

    def _apply(self, fn, recurse=True):
        if self.kept == "tensors":  # what people forget, and the plain module of this test has to do
            self.w, self.w_in = fn(self.w), fn(self.w_in)
        return super()._apply(fn, recurse)

    def forward(self, u, x):
        return (1 - self.leak) * x + self.leak * torch.tanh(x @ self.w.T + u @ self.w_in.T)


class NormInTheLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.u, self.norm = nn.Linear(N, N), nn.Linear(2, N), nn.LayerNorm(N)

    def forward(self, u, x):
        return torch.tanh(self.norm(self.w(x) + self.u(u)))


class NormedLSTMCell(nn.LSTMCell):
    """A subclass of torch's cell with its own forward."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.norm, self.norm_c = nn.LayerNorm(4 * N), nn.LayerNorm(N)

    def forward(self, u, state):
        h, c = state
        gates = self.norm(u @ self.weight_ih.T + h @ self.weight_hh.T) + self.bias_ih + self.bias_hh
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.norm_c(c))
        return h, c


class Residual(nn.Module):
    """An encoder, an LSTM and a residual around it."""

    def __init__(self):
        super().__init__()
        self.encoder, self.lstm, self.head = nn.Linear(2, N), nn.LSTM(N, N), nn.Linear(N, 1)

    def forward(self, u, state):
        e = torch.relu(self.encoder(u))
        h, state = self.lstm(e[None], state)
        return self.head(e + h[0]), state


class WindowedAttention(nn.Module):
    """Attention over the last three inputs: these are its state."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(N, N), nn.Linear(N, N), nn.Linear(N, N)

    def forward(self, u, past):
        past = torch.cat([past[:, 1:], u[:, None]], dim=1)
        attention = torch.softmax(self.q(u)[:, None] @ self.k(past).mT, dim=-1)
        return (attention @ self.v(past))[:, 0], past


class GrowingAttention(WindowedAttention):
    """Attention over the whole past, in a cache that grows with every step."""

    def forward(self, u, past):
        return super().forward(u, torch.cat([past[:, :1], past], dim=1))


class Normalised(nn.Module):
    """Weight normalisation inside, and an orthogonal recurrent matrix."""

    def __init__(self):
        super().__init__()
        self.u = parametrizations.weight_norm(nn.Linear(2, N))
        self.w = parametrizations.orthogonal(nn.Linear(N, N, bias=False))

    def forward(self, u, x):
        return torch.tanh(self.w(x) + self.u(u))


class Orthogonal(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = parametrizations.orthogonal(nn.Linear(N, N, bias=False))

    def forward(self, u, x):
        return self.w(x) + u


class WeightDrop(nn.Module):
    """As in AWD-LSTM: the raw weight is the parameter; the weight itself is an attribute that each forward sets."""

    def __init__(self, inner, name):
        super().__init__()
        self.inner, self.name = inner, name
        raw = inner._parameters.pop(name)
        inner.register_parameter(name + "_raw", nn.Parameter(raw.data))
        setattr(inner, name, raw.data)

    def forward(self, u, state):
        raw = getattr(self.inner, self.name + "_raw")
        setattr(self.inner, self.name, functional.dropout(raw, 0.5, self.training))
        return self.inner(u, state)


class OldWeightNorm(nn.Module):
    """``torch.nn.utils.weight_norm``, with hooks that set an attribute."""

    def __init__(self):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.w = nn.utils.weight_norm(nn.Linear(N, N))
        self.u = nn.Linear(2, N)

    def forward(self, u, x):
        return torch.tanh(self.w(x) + self.u(u))


class BatchNormed(nn.Module):
    """Batch normalisation in the step: a map in eval mode, where it has its running statistics."""

    def __init__(self, *, always=False):
        super().__init__()
        self.w, self.u, self.norm, self.always = nn.Linear(N, N), nn.Linear(2, N), nn.BatchNorm1d(N), always
        self.norm.get_buffer("running_mean").normal_()
        self.norm.get_buffer("running_var").uniform_(0.5, 2)

    def forward(self, u, x):
        if self.always:
            self.norm.train()
        return torch.tanh(self.norm(self.w(x) + self.u(u)))


PAIR = (ZERO, ZERO)
READ = {
    "rate network, noise while it trains": (Rate, ZERO, {}),
    "low rank": (LowRank, ZERO, {"input_size": N}),
    "reservoir of buffers": (lambda: Reservoir(kept="buffers"), ZERO, {}),
    "reservoir of plain tensors": (lambda: Reservoir(kept="tensors"), ZERO, {}),
    "layer norm in the loop": (NormInTheLoop, ZERO, {}),
    "subclass of a cell": (lambda: NormedLSTMCell(2, N), PAIR, {}),
    "attention over a window": (WindowedAttention, torch.zeros(1, 3, N), {"input_size": N}),
    "weight norm and orthogonal": (Normalised, ZERO, {}),
    "weight norm by hooks": (OldWeightNorm, ZERO, {}),
    "weight drop": (lambda: WeightDrop(nn.GRUCell(2, N), "weight_hh"), ZERO, {}),
    "batch norm in eval mode": (BatchNormed, ZERO, {}),
    "a cell of torch with weight norm": (lambda: parametrizations.weight_norm(nn.GRUCell(2, N), "weight_hh"), ZERO, {}),
}
MEASURED = [
    "rate network, noise while it trains", "low rank", "reservoir of buffers", "layer norm in the loop",
    "subclass of a cell", "attention over a window", "weight drop",
]  # fmt: skip


def call(module, u, state):
    """Output and state; a module that returns its state alone has its first tensor as output."""
    returned = module(u, state)
    whole = isinstance(returned, torch.Tensor) or isinstance(module, nn.LSTMCell)
    return (returned if isinstance(returned, torch.Tensor) else returned[0], returned) if whole else returned


def plain(name):
    make, state, _ = READ[name]
    return plain_truth.Plain(plain_truth.seeded(make, spread=0.0), state, call)


@pytest.mark.parametrize("name", READ)
def test_read_as_it_is(name):
    own, width = plain(name), READ[name][2].get("input_size", 2)
    system = rs.as_system(own.module, input_size=width, state=own.state)
    plain_truth.same_map(system, own)
    plain_truth.keeps_the_contract(system)


@SLOW
@pytest.mark.parametrize("name", MEASURED)
def test_measured_rightly(name):
    own, width = plain(name), READ[name][2].get("input_size", 2)
    system = rs.as_system(own.module, input_size=width, state=own.state)
    plain_truth.measured_rightly(system, own, [0.5] * width, n_steps=200)


def test_a_rate_network_over_sequences():
    module = plain_truth.seeded(RateOverTime)
    own = plain_truth.Plain(module, ZERO, lambda module, u, x: Rate.forward(module, u, x))
    system = rs.as_system(module, input_size=2, state=ZERO)
    plain_truth.same_map(system, own)
    sequence = plain_truth.normal(20, 3, 2)
    came = system.simulate(torch.zeros(3, N, dtype=torch.float64), sequence)
    plain_truth.close(came.outputs, module(sequence, torch.zeros(3, N, dtype=torch.float64))[0])


def test_without_weights_a_rate_network_forgets_at_its_time_constant():
    module = plain_truth.seeded(Rate)
    module.w.data.zero_()
    found = rs.Lyapunov(n_starts=1, n_transient=100, n_steps=100).measure(
        rs.as_system(module, input_size=2, state=ZERO)
    )
    assert found.lyapunov_exponent.values[0, 0] == pytest.approx([math.log(1 - 20 / 100)] * N, abs=1e-9)


def test_multipliers_of_a_low_rank_network_at_the_origin():
    """J = (1 - α) I + α m nᵀ / N: 1 - α twice, and 1 - α + α times the eigenvalues of nᵀ m / N."""
    module = plain_truth.seeded(LowRank)
    system = rs.as_system(module, input_size=N, state=ZERO)
    found = rs.FixedPoints(starts=plain_truth.normal(8, N, scale=1e-3), n_steps=3, n_starts=32).measure(system)
    origin = int(abs(found.location.values[0]).max(-1).argmin())
    assert abs(found.location.values[0, origin]).max() < 1e-9
    came = torch.complex(*(torch.tensor(found[f"multiplier_{p}"].values[0, origin]) for p in ("real", "imag")))
    wanted = torch.cat([torch.full((2,), 0.7), 0.7 + 0.3 * torch.linalg.eigvals(module.n.T @ module.m / N).detach()])
    for each in wanted:
        assert float((came - each).abs().min()) < 1e-6


@pytest.mark.parametrize("kept", ["buffers", "tensors"])
def test_multipliers_of_a_reservoir_at_the_origin(kept):
    module = plain_truth.seeded(lambda: Reservoir(kept=kept))
    system = rs.as_system(module, input_size=2, state=ZERO)
    found = rs.Lyapunov(n_starts=1, n_transient=200, n_steps=400).measure(system).lyapunov_exponent.values[0, 0]
    wanted = (0.6 + 0.4 * torch.linalg.eigvals(module.w)).abs().log().sort(descending=True).values
    assert found == pytest.approx(wanted.numpy(), abs=0.01)


def test_a_module_without_any_tensor():
    """The logistic map at r = 4: λ = ln 2."""

    class Logistic(nn.Module):
        def forward(self, x):
            return 4 * x * (1 - x)

    system = rs.as_system(Logistic(), input_size=0, state=torch.zeros(1, 1))
    found = rs.Lyapunov(starts=[[0.3]], n_transient=0, n_steps=1000).measure(system)
    assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(math.log(2), abs=0.03)


def test_exponents_of_an_orthogonal_step_are_all_zero():
    system = rs.as_system(plain_truth.seeded(Orthogonal), input_size=N, state=ZERO)
    found = rs.Lyapunov(n_starts=1, n_transient=100, n_steps=100).measure(system)
    assert found.lyapunov_exponent.values[0, 0] == pytest.approx([0.0] * N, abs=1e-6)
    assert "w.parametrizations.weight.original" in system.params


def test_an_lstm_with_a_residual():
    """torch's own layout of states, (layers, batch, hidden), inside a step (batch, input)."""
    state = (torch.zeros(1, 1, N), torch.zeros(1, 1, N))
    own = plain_truth.Plain(plain_truth.seeded(Residual), state, call, batch_axis=1)
    system = rs.as_system(own.module, input_size=2, state=state)
    plain_truth.same_map(system, own)
    plain_truth.keeps_the_contract(system)


@pytest.mark.parametrize("inner", ["cell", "over sequences"])
def test_weight_drop_after_a_forward_pass_is_the_same(inner):
    """The pass has left a weight with a history, and one half of it dropped."""
    if inner == "cell":
        make, state, axis, step = (lambda: WeightDrop(nn.GRUCell(2, N), "weight_hh")), ZERO, 0, call
    else:
        make, axis = (lambda: WeightDrop(nn.LSTM(2, N), "weight_hh_l0")), 1
        state = (torch.zeros(1, 1, N), torch.zeros(1, 1, N))

        def over_sequences(module, u, state):
            y, state = module(u[None], state)
            return y[0], state

        step = over_sequences

    own = plain_truth.Plain(plain_truth.seeded(make), state, step, batch_axis=axis)
    before = rs.as_system(own.module, input_size=2, state=state)
    with torch.random.fork_rng():
        step(own.module.train(), plain_truth.normal(3, 2), own.nested(plain_truth.normal(3, own.size)))[
            0
        ].sum().backward()
    after = rs.as_system(own.module, input_size=2, state=state)
    assert own.module.training
    own.module.eval()
    for system in (before, after):
        plain_truth.same_map(system, own)
    plain_truth.keeps_the_contract(after)


class Scriptable(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.Linear(N + 2, N), nn.Linear(N, 1)

    def forward(self, u: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.tanh(self.cell(torch.cat([u, x], dim=-1)))
        return self.head(x), x


@pytest.mark.parametrize("how", ["scripted", "traced", "saved and loaded", pytest.param("measured", marks=SLOW)])
def test_modules_without_source(how, tmp_path):
    own = plain_truth.Plain(plain_truth.seeded(Scriptable), ZERO)
    if how == "traced":
        module = torch.jit.trace(own.module, (plain_truth.normal(1, 2), plain_truth.normal(1, N)))
    else:
        module = torch.jit.script(own.module)
    if how == "saved and loaded":
        torch.jit.save(module, tmp_path / "step.pt")
        module = torch.jit.load(tmp_path / "step.pt")
    system = rs.as_system(module, input_size=2, state=ZERO)
    plain_truth.same_map(system, own)
    plain_truth.keeps_the_contract(system)
    if how == "measured":
        plain_truth.measured_rightly(system, own, [0.5, -0.3], n_steps=200)


def test_states_of_mixed_types_are_read_rightly_or_refused():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(2, N)

        def forward(self, u, state):
            fast, slow = state
            fast = self.cell(u, fast)
            return fast, (fast, slow + 0.1 * (fast.double() - slow))

    torch.manual_seed(0)
    module, state = Mixed(), (ZERO, ZERO.double())
    try:
        system = rs.as_system(module, input_size=2, state=state)
    except UnsupportedModelError as error:
        assert "float64" in str(error)  # noqa: PT017
        return
    x, u = torch.randn(5, 2 * N), torch.randn(5, 2)
    with torch.no_grad():
        _, (fast, slow) = module(u, (x[:, :N], x[:, N:].double()))
    came = system.step(system.weights, x, system.drive(system.weights, u))
    torch.testing.assert_close(came, torch.cat([fast, slow.float()], -1))
    assert set(rs.Orbits(n_starts=2).measure(system).status.values.ravel()) == {1}
    exponents = rs.Lyapunov(n_starts=1, n_transient=100, n_steps=200).measure(system).lyapunov_exponent.values[0, 0]
    assert abs(exponents - math.log(0.9)).min() < 1e-3


class WritesInPlace(nn.Module):
    """A convolution over the last inputs, in a buffer that is shifted in place, as in the steps of xlstm."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, N))

    def forward(self, u, buffer):
        buffer.copy_(torch.roll(buffer, -1, dims=1))
        buffer[:, -1] = torch.tanh(u + 0.5 * buffer[:, 0])
        return (buffer * self.weight).sum(1), buffer


class WritesBesideAnother(WritesInPlace):
    """The same with a second tensor in its state."""

    def forward(self, u, state):
        buffer, x = state
        squared = x * x  # keeps x for its gradient, which writing on the buffer must not disturb
        y, buffer = super().forward(u, buffer)
        return y, (buffer, torch.tanh(0.5 * squared + y))


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (WritesInPlace, torch.zeros(1, 3, N)),
        (WritesBesideAnother, (torch.zeros(1, 3, N), ZERO)),
    ],
    ids=["one tensor", "two tensors"],
)
def test_a_step_that_writes_into_its_state(make, state):
    own = plain_truth.Plain(plain_truth.seeded(make), state)
    system = rs.as_system(own.module, input_size=N, state=own.state)
    plain_truth.same_map(system, own)
    plain_truth.keeps_the_contract(system)


class HeldTwice(nn.Module):
    """Parameters that are once more in a dictionary, with which the step computes, as in the LTC of ncps."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(N, N))
        self.table = {"w": self.w}

    def forward(self, u, x):
        return torch.tanh(x @ self.table["w"].T + u.sum(-1, keepdim=True))


def test_parameters_held_twice_are_never_taken_for_constants():
    """Refused with the name, or right at other parameters: one epoch must not show the attractors of another."""
    own = plain_truth.Plain(plain_truth.seeded(HeldTwice), ZERO, call)
    try:
        system = rs.as_system(own.module, input_size=2, state=ZERO)
    except UnsupportedModelError as error:
        assert "table" in str(error) or "w" in str(error).split()  # noqa: PT017
    else:
        plain_truth.same_map(system, own)


class Diagonal(nn.Module):
    """A linear recurrence with complex parameters and state, x' = λ x + B u, as in S5 and the LRU."""

    def __init__(self):
        super().__init__()
        radius, phase = 0.5 + 0.4 * torch.rand(3), 3 * torch.rand(3)
        self.rate = nn.Parameter(torch.polar(radius, phase))
        self.b, self.c = (nn.Parameter(torch.randn(*shape, dtype=torch.complex64)) for shape in ((3, 2), (1, 3)))

    def forward(self, u, x):
        x = self.rate * x + u.to(self.b.dtype) @ self.b.T
        return (x @ self.c.T).real, x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_complex_parameters_and_state(dtype):
    """λ = ln|rate|, twice each, however the module was handed over: ``.double()`` leaves complex numbers single."""
    module, state = plain_truth.seeded(Diagonal), torch.zeros(1, 3, dtype=torch.complex64)
    own = plain_truth.Plain(module, state)
    if dtype == torch.float32:
        for parameter in (copied := copy.deepcopy(module)).parameters():
            parameter.data = parameter.data.to(torch.complex64)
        system = rs.as_system(copied, input_size=2, state=state)
    else:
        system = rs.as_system(module, input_size=2, state=state)
        plain_truth.same_map(system, own)
        plain_truth.keeps_the_contract(system)
    found = rs.Lyapunov(n_starts=1, n_transient=100, n_steps=300).measure(system).lyapunov_exponent.values[0, 0]
    wanted = module.rate.detach().abs().log().sort(descending=True).values.repeat_interleave(2)
    assert found == pytest.approx(wanted.tolist(), abs=1e-6)


class Refractory(nn.Module):
    """A neuron that counts the steps since its last spike, in whole numbers."""

    def forward(self, u, state):
        v, since = state
        spike = (v > 1) & (since > 2)
        v = torch.where(spike, torch.zeros_like(v), 0.9 * v + u)
        return v, (v, torch.where(spike, 0, since + 1))


class Phased(nn.Module):
    """A drive that depends on how often the module was called."""

    def __init__(self):
        super().__init__()
        self.w, self.calls = nn.Linear(N, N), 0

    def forward(self, u, x):
        self.calls += 1
        return torch.tanh(self.w(x) + math.sin(0.1 * self.calls) + u.sum(-1, keepdim=True))


class KeepsItsState(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.x = nn.GRUCell(2, N), None

    def forward(self, u, _):
        self.x = self.cell(u, self.x)
        return self.x, self.x


class Untracked(nn.Module):
    """Trained, and in no state dict."""

    def __init__(self):
        super().__init__()
        self.w = torch.randn(N, N, requires_grad=True)

    def forward(self, u, x):
        return torch.tanh(x @ self.w.T + u.sum(-1, keepdim=True))


def a_trace_of_one_row():
    class Baked(nn.Module):
        def forward(self, u, x):
            return torch.tanh(x + u.sum(-1, keepdim=True)) + torch.zeros(len(x), N).cumsum(0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(Baked(), (torch.zeros(3, 2), torch.zeros(3, N)))


REFUSED = {
    "noise at all times": (lambda: Rate(always=True), ZERO, NonDeterministicError, "random numbers|noise"),
    "attention over the whole past": (GrowingAttention, torch.zeros(1, 3, N), UnsupportedModelError, "state"),
    "a counter in the state": (Refractory, (torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.int64)),
                               UnsupportedModelError, "int64"),
    "a hidden counter": (Phased, ZERO, UnsupportedModelError, "calls"),
    "a state kept inside": (KeepsItsState, ZERO, UnsupportedModelError, r"keeps|state"),
    "batch statistics at all times": (lambda: BatchNormed(always=True), ZERO, UnsupportedModelError, "row"),
    "trained tensors that are no parameters": (Untracked, ZERO, UnsupportedModelError, r"nn\.Parameter"),
    "a trace of three rows": (a_trace_of_one_row, ZERO, UnsupportedModelError, "state"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(name):
    make, state, kind, message = REFUSED[name]
    torch.manual_seed(0)
    module, width = make(), N if "attention" in name else 2
    weights = {key: value.clone() for key, value in module.state_dict().items()}
    random = torch.random.get_rng_state()
    with pytest.raises(kind, match=message) as refused:
        rs.as_system(module, input_size=width, state=state)
    assert len(str(refused.value)) < 900
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(weights[key], value) for key, value in module.state_dict().items())


def test_a_counter_as_a_float_is_a_coordinate():
    """The advice that follows from the refusal: what is counted as a float goes round like any other number."""

    class Counted(Refractory):
        def forward(self, u, state):
            v, since = state
            _, (v, since) = super().forward(u, (v, since))
            return v, (v, since.clamp(max=5))

    module = Counted()
    own = plain_truth.Plain(module, (torch.zeros(1, 2), torch.zeros(1, 2)))
    system = rs.as_system(module, input_size=2, state=own.state)
    start, u = plain_truth.normal(3, 4, scale=0.1), torch.tensor([[0.3, 0.05]] * 3, dtype=torch.float64)
    came = system.to(torch.float64).simulate(start, u, n_steps=30, states=True).states
    plain_truth.close(came, own.run(start, u.expand(30, 3, 2))[0])


class _Whole(nn.Module):
    """A model over sequences with its step as a method."""

    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRU(2, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, inputs):
        return self.out(self.rnn(inputs)[0])

    def step(self, input, hidden):
        output, hidden = self.rnn(input[:, None], hidden)
        return self.out(output[:, 0]), hidden


def test_a_method_that_is_a_step_is_read_as_the_model_itself():
    model = _Whole().double()
    step, whole = rs.as_system(model.step, input_size=2, state=torch.zeros(1, 1, 4)), rs.as_system(model)
    assert list(step.params) == list(whole.params)
    inputs = torch.randn(3, 6, 2, dtype=torch.float64)
    data = rs.Objective(inputs, torch.zeros(3, 6, 1, dtype=torch.float64))
    assert torch.allclose(rs.smoothness.cost(step, step.params, data), model(inputs).square().mean())


def test_what_is_no_network_is_refused_with_what_will_do():
    with pytest.raises(UnsupportedModelError, match=r"came the class _Whole: _Whole\(…\)"):
        rs.as_system(_Whole)
    with pytest.raises(TypeError, match="needs input_size=… and state=…"):
        rs.as_system(_Whole().step)
    with pytest.raises(TypeError, match=r"class Step\(nn\.Module\)"):
        rs.as_system(lambda u, x: x, input_size=1, state=torch.zeros(1, 1))
    with pytest.raises(UnsupportedModelError, match=r"whole model, and head .* as_system\(model\)"):
        rs.as_system(_Whole(), head=nn.Sigmoid())
