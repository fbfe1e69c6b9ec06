"""The Recorder in someone's own loop: it disturbs nothing, and what it wrote can be read."""

import math
import time

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope.base.errors import RunError, UnsupportedModelError
from rnnscope.runs import Run
from rnnscope.systems import as_system
from rnnscope.training import Recorder

pytestmark = pytest.mark.filterwarnings("ignore:recorded, but it cannot be probed")


class Network(nn.Module):
    """Two recurrent layers with dropout between and after, and a hidden state kept between calls."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 6, num_layers=2, dropout=0.3, batch_first=True)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.3)
        self.linear = nn.Linear(6, 1)
        self.hidden = None

    def forward(self, x):
        y, self.hidden = self.lstm(x, self.hidden)
        self.hidden = tuple(part.detach() for part in self.hidden)
        return self.linear(self.drop(self.norm(y.transpose(1, 2)).transpose(1, 2)))


def train(path=None, n_epochs=4):
    """Weights after a few epochs, with a Recorder or without."""
    torch.manual_seed(0)
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    recorder = Recorder(path, model, optimizer=optimizer) if path else None
    for epoch in range(n_epochs):
        loss = torch.tensor(torch.nan)
        for _ in range(3):
            optimizer.zero_grad()
            loss = (model(torch.randn(4, 5, 1)) ** 2).mean()
            loss.backward()
            optimizer.step()
        if recorder:
            recorder.epoch(epoch, loss=loss, noise=torch.zeros(1))
    assert model.hidden is not None
    return {**model.state_dict(), "random": torch.random.get_rng_state(), "hidden": model.hidden[0]}


def test_training_is_the_same_bit_for_bit_with_and_without(tmp_path):
    with_recorder, without = train(tmp_path / "run"), train()
    assert with_recorder.keys() == without.keys()
    for name, tensor in without.items():
        assert torch.equal(tensor, with_recorder[name]), name


def test_steps_are_those_of_the_optimizer_or_else_calls(tmp_path):
    train(tmp_path / "run")
    run = Run(tmp_path / "run")
    assert run.steps.tolist() == [0, 3, 6, 9, 12]
    assert run.epochs.tolist() == [-1, 0, 1, 2, 3]
    assert run.scalars["noise"].tolist() == [0.0] * 4
    recorder = Recorder(tmp_path / "calls", nn.GRU(1, 2), every=2)
    for epoch in (10, 20, 30, 40, 50):
        recorder.epoch(epoch, loss=1.0)
    assert Run(tmp_path / "calls").steps.tolist() == [0, 2, 4]
    recorder.close()
    recorder.close()
    run = Run(tmp_path / "calls")
    assert run.steps.tolist() == [0, 2, 4, 5]
    assert run.epochs.tolist() == [9, 20, 40, 50]
    assert run.status == "recorded"
    with pytest.raises(RuntimeError, match="is closed"):
        recorder.epoch(60)


def test_snapshots_hold_the_weights_of_their_epoch(tmp_path):
    model = nn.GRU(1, 2)
    recorder = Recorder(tmp_path / "run", model)
    expected = {-1: model.get_parameter("weight_hh_l0").detach().clone()}
    for epoch in range(3):
        with torch.no_grad():
            model.get_parameter("weight_hh_l0").add_(1)
        recorder.epoch(epoch)
        expected[epoch] = model.get_parameter("weight_hh_l0").detach().clone()
    run = Run(tmp_path / "run")
    for epoch, weight in expected.items():
        assert torch.equal(run.snapshot(epoch=epoch)["weight_hh_l0"], weight)
    assert torch.equal(run.system().params["weight_hh_l0"], list(expected.values())[-1])


def test_tied_weights_are_written_once_and_read_under_both_names(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(500, 4)
            self.core = nn.LSTM(4, 4)
            self.decoder = nn.Linear(4, 500)
            self.decoder.weight = self.embedding.weight

    recorder = Recorder(tmp_path / "run", Tied())
    run = Run(tmp_path / "run")
    snapshot = run.snapshot()
    assert torch.equal(snapshot["embedding.weight"], snapshot["decoder.weight"])
    assert (recorder.path / "snapshots" / "0000000000.safetensors").stat().st_size < 2 * 500 * 4 * 4


def test_a_model_that_only_its_code_can_say_is_given_when_it_is_read(tmp_path):
    class Embedded(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.core = nn.Embedding(5, 2), nn.LSTM(2, 3)

        def forward(self, tokens):
            return self.core(self.embedding(tokens))[0]

    model = Embedded()
    Recorder(tmp_path / "run", model).epoch(0, loss=1.0)
    run = Run(tmp_path / "run")
    assert len(run.steps) == 2
    with pytest.raises(UnsupportedModelError, match=r"only its own code can say: give it, Run\(path, model=model\)"):
        run.system()
    system = Run(tmp_path / "run", model=model).system()
    assert (system.n_tokens, system.input_size, system.output_size) == (5, 1, 3)
    part = Run(tmp_path / "run", model=model.core).system()
    assert next(iter(part.params)) == "core.weight_ih_l0"
    assert torch.equal(part.params["core.weight_hh_l0"], model.get_parameter("core.weight_hh_l0"))
    Recorder(tmp_path / "pair", (model.core, nn.Linear(3, 1))).epoch(0)
    assert Run(tmp_path / "pair").system().output_size == 1


def test_parts_given_later_are_found_under_the_models_own_names(tmp_path):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.before, self.rnn, self.out = nn.Linear(1, 4), nn.GRU(4, 3, batch_first=True), nn.Linear(3, 2)

        def forward(self, x):
            return torch.tanh(self.out(self.rnn(self.before(x))[0]))

    model = Scaled()
    Recorder(tmp_path / "run", model)
    system = Run(tmp_path / "run", model=(nn.GRU(4, 3), nn.Linear(3, 2))).system()
    assert torch.equal(system.params["rnn.weight_ih_l0"], model.get_parameter("rnn.weight_ih_l0"))
    assert torch.equal(system.params["out.weight"], model.out.weight)
    parts = as_system(nn.GRU(4, 3), encoder=nn.Linear(1, 4), head=nn.Sequential(nn.Linear(3, 2), nn.Tanh()))
    own = Run(tmp_path / "run", model=parts).system()
    assert torch.equal(own.params["encoder.weight"], model.before.weight)
    assert torch.equal(own.params["head.0.weight"], model.out.weight)
    inputs = torch.randn(6, 2, 1)
    came = own.simulate(torch.zeros(2, 3), inputs).outputs
    torch.testing.assert_close(came, model(inputs.movedim(0, 1)).movedim(0, 1).detach())
    parts = as_system(nn.GRU(4, 3), head=nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)))
    with pytest.raises(UnsupportedModelError, match=r"head: its parameters head\.0\.weight \(3, 3\), .* not there"):
        Run(tmp_path / "run", model=parts).system()
    with pytest.raises(UnsupportedModelError, match=r"other names .* weight_ih_l0 \(15, 4\), .* not there"):
        Run(tmp_path / "run", model=nn.GRU(4, 5)).system()


def test_wrapped_models_are_recorded_under_the_names_inside(tmp_path):
    model = nn.GRU(1, 3)
    Recorder(tmp_path / "parallel", nn.DataParallel(model))
    compiled = torch.compile(model)
    assert isinstance(compiled, nn.Module)
    Recorder(tmp_path / "compiled", compiled)
    for name in ("parallel", "compiled"):
        assert torch.equal(Run(tmp_path / name).system().params["weight_hh_l0"], model.get_parameter("weight_hh_l0"))


def test_what_cannot_be_read_is_recorded_and_said(tmp_path):
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.attention = nn.GRU(1, 4, batch_first=True), nn.MultiheadAttention(4, 1, batch_first=True)

        def forward(self, x):
            y = self.rnn(x)[0]
            return self.attention(y, y, y)[0]

    with pytest.warns(UserWarning, match=r"recorded, but it cannot be probed as it is: Attends: its output differs"):
        Recorder(tmp_path / "run", Attends()).epoch(0, loss=1.0)
    assert len(Run(tmp_path / "run").steps) == 2


def test_weights_in_the_middle_of_an_epoch_are_not_those_of_the_last(tmp_path):
    model = nn.GRU(1, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def step():
        model(torch.ones(2, 1, 1))[0].sum().backward()
        optimizer.step()

    def loop(recorder):
        with recorder:
            step()
            recorder.epoch(1)
            step()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop(Recorder(tmp_path / "run", model, optimizer=optimizer, every=10))
    assert Run(tmp_path / "run").steps.tolist() == [0]


def test_resuming_in_ones_own_loop_replaces_what_is_recorded_again(tmp_path):
    model = nn.GRU(1, 2)
    recorder = Recorder(tmp_path / "run", model)
    for epoch in range(6):
        recorder.epoch(epoch, loss=epoch)
    Run(tmp_path / "run").probe("orbits", n_transient=5, n_keep=5)
    resumed = Recorder(tmp_path / "run", model, resume=True)
    for epoch in (3, 4, 5, 6):
        resumed.epoch(epoch, loss=10.0 * epoch)
    run = Run(tmp_path / "run")
    assert run.epochs.tolist() == [-1, 0, 1, 2, 3, 4, 5, 6]
    assert run.scalars["loss"].tolist() == [0, 1, 2, 30, 40, 50, 60]
    assert not run.has("orbits")


def test_an_optimizer_that_does_not_step_is_an_error_not_an_overwritten_snapshot(tmp_path):
    model = nn.GRU(1, 2)
    recorder = Recorder(tmp_path / "run", model, optimizer=torch.optim.SGD(model.parameters(), lr=1.0))
    with pytest.raises(ValueError, match=r"was another optimizer made after the Recorder"):
        recorder.epoch(0, loss=1.0)
    assert Run(tmp_path / "run").steps.tolist() == [0]


@pytest.mark.parametrize("name", ["step", "crc"])
def test_reserved_names(tmp_path, name):
    recorder = Recorder(tmp_path / "run", nn.GRU(1, 2))
    with pytest.raises(ValueError, match=r"expected other names than step, epoch, crc"):
        recorder.epoch(0, **{name: 1.0})
    with pytest.raises(ValueError, match=r"epoch: expected a whole number, came 0\.5"):
        recorder.epoch(0.5)  # pyright: ignore[reportArgumentType]


def test_odd_config_leaves_nothing_behind(tmp_path):
    Recorder(tmp_path / "numpy", nn.GRU(1, 2), config={"lr": np.float32(0.5)})
    assert Run(tmp_path / "numpy").config == {"lr": 0.5}
    with pytest.raises(ValueError, match="config, provenance: expected plain numbers"):
        Recorder(tmp_path / "odd", nn.GRU(1, 2), config={"model": object()})
    assert not (tmp_path / "odd").exists()


def test_a_step_module_given_to_the_run_makes_it_readable(tmp_path):
    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Linear(3, 3)

        def forward(self, input, state):
            new = torch.tanh(self.w(state) + input)
            return new, new

    from rnnscope.attractors import Orbits
    from rnnscope.systems import as_system

    recorder = Recorder(tmp_path / "run", Step())
    recorder.epoch(0)
    run = Run(tmp_path / "run", model=as_system(Step(), input_size=3, state=torch.zeros(1, 3)))
    assert run.probe(Orbits(n_transient=5, n_keep=5)).sizes["step"] == 2


def test_existing_folders_are_refused_and_left_alone(tmp_path):
    Recorder(tmp_path / "run", nn.GRU(1, 2))
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "run").rglob("*"))
    with pytest.raises(RunError, match="is a run already and is left as it is"):
        Recorder(tmp_path / "run", nn.GRU(1, 2))
    assert before == sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "run").rglob("*"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    with pytest.raises(RunError, match="is not empty and not a run"):
        Recorder(tmp_path / "notes", nn.GRU(1, 2))
    (tmp_path / "file").write_text("keep")
    with pytest.raises(RunError, match="is a file"):
        Recorder(tmp_path / "file", nn.GRU(1, 2))


@pytest.mark.parametrize("value", ["high", None, torch.zeros(2), [1.0]])
def test_scalars_that_are_no_numbers(tmp_path, value):
    recorder = Recorder(tmp_path / "run", nn.GRU(1, 2))
    with pytest.raises((ValueError, TypeError), match="loss: expected"):
        recorder.epoch(0, loss=value)
    recorder.epoch(0, loss=math.nan)
    assert np.isnan(Run(tmp_path / "run").scalars["loss"].iloc[0])


def test_an_error_inside_the_context_is_noted(tmp_path):
    def loop():
        with Recorder(tmp_path / "run", nn.GRU(1, 2)) as recorder:
            recorder.epoch(0, loss=1.0)
            raise FloatingPointError("boom")

    with pytest.raises(FloatingPointError):
        loop()
    run = Run(tmp_path / "run")
    assert run.status == "interrupted"
    assert run.ended["reason"] == "FloatingPointError: boom"


def test_recording_takes_a_small_part_of_the_time(tmp_path):
    """A fivefold slack on 2 % of a 1 s epoch at the size of the sine task's paper preset; see the benchmark."""
    recorder = Recorder(tmp_path / "run", (nn.LSTM(1, 200), nn.Linear(200, 1)))
    began = time.perf_counter()
    for epoch in range(5):
        recorder.epoch(epoch, loss=0.1)
    assert (time.perf_counter() - began) / 5 < 0.1


@pytest.mark.parametrize("model", [3, "lstm", None, (), (nn.GRU(1, 2),), (nn.GRU(1, 2), 3), nn.GRU])
def test_a_model_that_is_none_is_refused_and_nothing_is_written(tmp_path, model):
    with pytest.raises(TypeError, match=r"model: expected an nn.Module or a pair \(core, head\) of them, came"):
        Recorder(tmp_path / "run", model)
    assert not list(tmp_path.iterdir())


def test_epochs_must_grow(tmp_path):
    with Recorder(tmp_path / "run", nn.GRU(1, 2)) as recorder:
        recorder.epoch(3, loss=0.5)
        for epoch in (3, 1, -1):
            with pytest.raises(ValueError, match=f"epoch: expected a number larger than the last one, 3, came {epoch}"):
                recorder.epoch(epoch, loss=0.4)
        recorder.epoch(4, loss=0.3)
    assert Run(tmp_path / "run").epochs.tolist() == [2, 3, 4]
