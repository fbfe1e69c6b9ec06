"""Costs by a compiled kernel, against plain steps and closed forms."""

import math
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import models
from rnnscope.experiments.chaotic_lstm import ChaoticPlane
from rnnscope.smoothness import Landscape, Objective, Roughness, _batching, _kernels, cost, costs, line, line_roughness
from rnnscope.smoothness import points as points_module
from rnnscope.smoothness._codegen import Quotient, Recipe, Writer
from rnnscope.smoothness.directions import radial
from rnnscope.smoothness.points import Affine
from rnnscope.systems import as_system, textbook
from rnnscope.systems.system import stack_params

compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++")), reason="no C++ compiler"
)
WRITTEN_OUT = ["lstm", "gru", "rnn", "antisymmetric", "chaos-free", "cornn", "lru"]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


def data_for(system, n_sequences=2, n_steps=9, **changes):
    generator = torch.Generator().manual_seed(1)
    given = {
        "inputs": torch.randn(n_sequences, n_steps, system.input_size, generator=generator),
        "targets": torch.randn(n_sequences, n_steps, system.output_size, generator=generator),
        **changes,
    }
    return Objective(**given)


def scattered(system, n, scale=0.3):
    generator = torch.Generator().manual_seed(0)
    return stack_params(
        [
            {k: p + scale * torch.randn(p.shape, generator=generator).to(p) for k, p in system.params.items()}
            for _ in range(n)
        ]
    )


def one_after_another(system, points, data):
    n = len(next(iter(points.values())))
    return torch.stack([cost(system, {k: p[i] for k, p in points.items()}, data) for i in range(n)]).double()


def built(name, hidden_size=4, dtype=torch.float64):
    return as_system(models.build(name, seed=0, input_size=2, hidden_size=hidden_size, output_size=2).to(dtype))


@compiler
@pytest.mark.parametrize("name", WRITTEN_OUT)
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
def test_equals_plain_steps(name, dtype, rtol):
    system = built(name, dtype=dtype)
    data, points = data_for(system, n_transient=2), scattered(system, 21)
    found = costs(system, points, data, compile=True)
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=rtol, atol=rtol / 100)


@compiler
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_torch_modules_and_layers(bias, num_layers):
    torch.manual_seed(0)
    core = torch.nn.LSTM(1, 2, num_layers=num_layers, bias=bias, proj_size=1).double()
    system = as_system((core, torch.nn.Linear(1, 2, bias=bias).double()))
    data, points = data_for(system, n_sequences=3), scattered(system, 9)
    found = costs(system, points, data, compile=True)
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=1e-11, atol=1e-13)


@compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scalar_network_in_closed_form(dtype):
    system = as_system(torch.nn.RNN(1, 1, bias=False).to(dtype))
    w = torch.tensor([0.0, 1e-30, 1e-3, 0.3, 0.624, 0.626, 2.0, 8.9, 9.1, 30.0, 1e4, -0.4, -25.0]).double()
    points = {"weight_ih_l0": w.to(dtype)[:, None, None], "weight_hh_l0": torch.zeros(len(w), 1, 1, dtype=dtype)}
    data = Objective(inputs=torch.ones(1, 1, 1), targets=torch.zeros(1, 1, 1))
    wanted = np.tanh(points["weight_ih_l0"].double().flatten().numpy()) ** 2
    rtol = 1e-6 if dtype == torch.float32 else 3e-15
    np.testing.assert_allclose(costs(system, points, data, compile=True), wanted, rtol=rtol, atol=1e-38)


@compiler
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-7), (torch.float64, 1e-15)])
def test_gates_are_within_the_stated_tolerance(dtype, tolerance):
    """A gate σ(a) alone: h = σ(o) tanh(c) of an LSTM with c = 20 held by f = 1 gives tanh(c) = 1 and shows σ(o)."""
    system = as_system(torch.nn.LSTM(1, 1, bias=False).to(dtype))
    a = torch.linspace(-25, 25, 4001).to(dtype)
    ih = torch.zeros(len(a), 4, 1, dtype=dtype)
    ih[:, 1], ih[:, 3] = 29.0, a[:, None]
    points = {"weight_ih_l0": ih, "weight_hh_l0": torch.zeros(len(a), 4, 1, dtype=dtype)}
    data = Objective(inputs=torch.ones(1, 1, 1), targets=torch.zeros(1, 1, 1), state=[0.0, 40.0])
    found = costs(system, points, data, compile=True).sqrt()
    wanted = torch.sigmoid(a.double())
    assert float((found / wanted - 1).abs().max()) < tolerance


@compiler
@settings(deadline=None, derandomize=True, max_examples=15)
@given(n_points=st.integers(1, 70), n_sequences=st.integers(1, 3), memory=st.integers(20_000, 90_000))
def test_portions_and_threads_change_nothing(n_points, n_sequences, memory):
    torch.manual_seed(0)
    system = as_system(torch.nn.LSTM(1, 2).double())
    data, points = data_for(system, n_sequences, 4), scattered(system, n_points)
    whole, done = costs(system, points, data, compile=True), []
    torch.set_num_threads(2)
    found = costs(system, points, data, memory=memory, compile=True, progress=lambda k, n: done.append((k, n)))
    torch.set_num_threads(1)
    assert torch.equal(found, whole)
    assert done[-1] == (n_points, n_points)
    with pytest.raises(ValueError, match="memory: expected at least"):
        costs(system, points, data, memory=10, compile=True)


@compiler
@pytest.mark.parametrize("name", ["lstm", "lru"])
def test_affine_points(name):
    system = built(name)
    assert Recipe(system).has_affine_weights == (name == "lstm")
    directions = (radial(system), {k: torch.ones_like(p) for k, p in system.params.items() if "weight" in k})
    points = Affine(system.params, directions, torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2], [-0.3, 0.1]]))
    data = data_for(system)
    wanted = one_after_another(system, points.take(slice(None)), data)
    torch.testing.assert_close(costs(system, points, data, compile=True), wanted, rtol=1e-11, atol=1e-13)


@compiler
@pytest.mark.parametrize("last", [True, False])
def test_cross_entropy(last):
    torch.manual_seed(0)
    system = as_system((torch.nn.GRU(1, 3).double(), torch.nn.Linear(3, 4).double()))
    targets = torch.randint(4, (5,) if last else (5, 6))
    data = Objective(inputs=torch.randn(5, 6, 1), targets=targets, loss="cross-entropy")
    points = scattered(system, 4)
    found = costs(system, points, data, compile=True)
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=1e-11, atol=1e-13)


@compiler
def test_last_step_only():
    system = built("rnn")
    data = data_for(system, targets=torch.ones(2, 2))
    points = scattered(system, 4)
    found = costs(system, points, data, compile=True)
    torch.testing.assert_close(found, one_after_another(system, points, data), rtol=1e-11, atol=1e-13)


@compiler
def test_held_input_equals_a_sequence_of_it():
    system = built("lstm")
    inputs = torch.full((2, 6, 2), 0.3)
    nearly = inputs.clone()
    nearly[0, -1] += 1e-6
    points = scattered(system, 3)
    held, other = (costs(system, points, data_for(system, n_steps=6, inputs=x), compile=True) for x in (inputs, nearly))
    torch.testing.assert_close(held, other, rtol=1e-5, atol=0)
    assert not torch.equal(held, other)


@compiler
def test_what_is_not_finite_stays_so():
    system = as_system(torch.nn.RNN(1, 1, nonlinearity="relu", bias=False).double())
    w = torch.tensor([0.5, torch.nan, 1e200, 0.1]).double()[:, None, None]
    points = {"weight_ih_l0": torch.ones_like(w), "weight_hh_l0": w}
    data = Objective(inputs=torch.ones(1, 9, 1), targets=torch.zeros(1, 9, 1))
    assert torch.isfinite(costs(system, points, data, compile=True)).tolist() == [True, False, False, True]
    gated = as_system(torch.nn.LSTM(1, 1, bias=False).double())
    points = scattered(gated, 3)
    points["weight_hh_l0"][1, 2] = torch.nan
    assert torch.isfinite(costs(gated, points, data, compile=True)).tolist() == [True, False, True]


@compiler
def test_chaos_agrees_in_its_statistics():
    system = textbook.chaotic_lstm()
    inputs = torch.zeros(1, 200, 1).double()
    targets = system.simulate(torch.full((1, 4), 0.5).double(), inputs.movedim(1, 0)).outputs.movedim(1, 0)
    data = Objective(inputs=inputs, targets=targets, state=[0.5] * 4, n_transient=100)
    zero = {name: torch.zeros_like(p) for name, p in system.params.items()}
    s = np.linspace(0.5, 2.0, 1501)
    plain, compiled = (line_roughness(system, data, system.params, s, origin=zero, compile=c) for c in (False, True))
    settled = s < 0.7
    np.testing.assert_allclose(
        compiled["cost"].values[0, settled], plain["cost"].values[0, settled], rtol=1e-9, atol=1e-15
    )
    assert abs(float(compiled["cost"].mean() / plain["cost"].mean()) - 1) < 0.02
    n_minima = [int(found["n_minima"].sel(stride=1)[0]) for found in (plain, compiled)]
    assert abs(n_minima[1] / n_minima[0] - 1) < 0.1


@compiler
def test_machine_code_is_kept(monkeypatch):
    system = built("gru", hidden_size=2)
    data, points = data_for(system), scattered(system, 2)
    first = costs(system, points, data, compile=True)
    _kernels._known.cache_clear()
    called = []
    monkeypatch.setattr(_kernels, "_called", lambda command: called.append(command) or pytest.fail("compiled again"))
    assert torch.equal(costs(system, points, data, compile=True), first)
    assert not called


def warned_and_equal(system, points, data, message):
    with pytest.warns(UserWarning, match=message):
        found = costs(system, points, data, compile=True)
    assert torch.equal(found, costs(system, points, data))


def test_without_a_compiler(monkeypatch):
    system = built("lstm", hidden_size=2)
    data, points = data_for(system), scattered(system, 2)
    monkeypatch.setenv("CXX", "no-such-compiler")
    warned_and_equal(system, points, data, r"compile: there is no C\+\+ compiler \(no-such-compiler\)")


@pytest.mark.skipif(not shutil.which("false"), reason="no program that fails")
def test_a_compiler_that_fails(monkeypatch):
    system = built("lstm", hidden_size=2)
    monkeypatch.setenv("CXX", "false")
    warned_and_equal(
        system, scattered(system, 2), data_for(system), r"compile: the C\+\+ compiler .* failed: exit status"
    )


def test_networks_and_losses_without_a_kernel():
    henon = textbook.henon()
    warned_and_equal(henon, scattered(henon, 2, scale=0.01), data_for(henon), "compile: it is for recurrent layers")
    mingru = built("mingru")
    warned_and_equal(mingru, scattered(mingru, 2), data_for(mingru), "compile: its step holds the operation")
    wide = built("lstm", hidden_size=24)
    warned_and_equal(wide, scattered(wide, 2), data_for(wide), "compile: its step holds more than")
    own = data_for(wide, loss=lambda y, target: (y - target).square().mean())
    warned_and_equal(wide, scattered(wide, 2), own, "compile: it is for the losses that have a name")


@compiler
def test_a_kernel_that_errs_is_not_used(monkeypatch):
    system = built("rnn", hidden_size=6)
    right = _kernels.Kernel.costs
    monkeypatch.setattr(_kernels.Kernel, "costs", lambda *arguments: right(*arguments) + 1)
    warned_and_equal(system, scattered(system, 2), data_for(system), "compile: its cost .* is not that of plain steps")


def test_divisions_are_put_off_and_carried_out_once():
    writer = Writer()
    product = writer.multiply(Quotient("a", "b"), Quotient("c", "d"))
    total = writer.add(product, Quotient("e", "f"))
    assert isinstance(total, Quotient)
    assert total.n_factors == 3
    assert writer.whole(total) == writer.whole(total)
    assert sum("/" in line for line in writer.lines) == 1
    again = writer.multiply(total, Quotient("g", "h"))
    assert isinstance(again, Quotient)
    assert again.n_factors == 1


def test_results_do_not_depend_on_it():
    for probe in (Landscape, Roughness, ChaoticPlane):
        assert probe(compile=True).key == probe().key
        assert "compile" not in probe().settings()
        assert probe.from_settings({"compile": True}).compile
    for probe in (Landscape, Roughness):
        with pytest.raises(ValueError, match="compile: expected true or false"):
            probe(compile=1)  # pyright: ignore[reportArgumentType]


@compiler
def test_probes_use_it(monkeypatch):
    system = built("lstm", hidden_size=2)
    data = data_for(system)
    probe = {"across": "random", "n_points": 5}
    plain = Landscape(**probe).measure(system, data)
    used = []
    through = points_module._through_kernel
    monkeypatch.setattr(points_module, "_through_kernel", lambda *arguments: used.append(1) or through(*arguments))
    found = Landscape(**probe, compile=True).measure(system, data)
    np.testing.assert_allclose(found["cost"], plain["cost"], rtol=1e-10)
    assert found.attrs["key"] == plain.attrs["key"]
    Roughness(direction="radial", n_points=9, compile=True).measure(system, data)
    line(system, data, radial(system), [0.0, 0.1], compile=True)
    assert len(used) == 5


@compiler
def test_weights_are_padded_with_the_last_point():
    system = built("lstm", hidden_size=2)
    kernel = _kernels.kernel_for(system, "squared-error", held=False)
    points = scattered(system, 3)
    weights = kernel.weights_of(_batching.materialised(system, points))
    assert weights.shape == (kernel.recipe.n_weights, kernel.lanes)
    assert torch.equal(weights[:, 2:].amin(1), weights[:, 2:].amax(1))


@compiler
def test_in_a_process_of_its_own():
    code = (
        "import torch, math; from rnnscope.smoothness import Objective, costs; from rnnscope.systems import as_system;"
        "s = as_system(torch.nn.RNN(1, 1, bias=False)); one = torch.ones(1, 1, 1);"
        "p = {'weight_ih_l0': one, 'weight_hh_l0': 0 * one};"
        "print(float(costs(s, p, Objective(inputs=one, targets=0 * one), compile=True)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert math.isclose(float(done.stdout), math.tanh(1) ** 2, rel_tol=1e-6)


def test_no_warning_without_being_asked():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        henon = textbook.henon()
        costs(henon, scattered(henon, 2, scale=0.01), data_for(henon))
