"""What show says of runs that are odd: of one epoch, without losses, with losses or weights that are no numbers."""

import json
import re
import shlex
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope import Recorder, Run, as_system, write_report
from rnnscope.cli import main


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


def record(path, losses, broken=(), model=None, **settings):
    """A run of a network whose weights do not move, but are NaN at some epochs."""
    torch.manual_seed(0)
    model = nn.GRU(1, 2) if model is None else model
    with Recorder(path, model, **settings) as recorder:
        whole = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        for epoch, loss in enumerate(losses):
            if epoch in broken:
                model.load_state_dict({name: torch.full_like(tensor, torch.nan) for name, tensor in whole.items()})
            recorder.epoch(epoch, **({} if loss is None else {"loss": loss}))
            model.load_state_dict(whole)
    return Run(path)


def shown(run, capsys):
    """What show prints and a page says, in the words of a reader."""
    capsys.readouterr()
    call("show", run.path)
    told = capsys.readouterr().out
    page = write_report(run, run.path.parent / "page.html").read_text()
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    return told, " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.fixture
def measure():
    def both(run, **settings):
        run.probe("orbits", n_transient=100, n_keep=20, n_starts=2, **settings)
        run.probe("attractors", n_transient=50, n_steps=200, n_starts=2, **settings)
        return run

    return both


def test_some_epochs_of_many_are_said_once_and_no_range_hides_it(tmp_path, capsys, measure):
    run = measure(record(tmp_path / "run", np.linspace(1, 0.5, 40)), epochs=8)
    told, page = shown(run, capsys)
    assert told.count("6 of 41 epochs looked at; what happens at the others is not known") == 1
    assert "At one input only, zero: over the last 6 epochs looked at the state rests throughout" in told
    assert "At none of the 6 epochs looked at does it oscillate" in told
    assert "recorded epoch" not in told
    assert "Looked at 6 of 41 epochs" in page
    assert "Limit sets were looked for at 6 of 41 epochs" in page
    assert "recorded epoch" not in page


def test_a_probe_says_it_too(run_copy, capsys):
    call("probe", "orbits", run_copy.path, "--epochs", "1,3")
    assert "2 of 7 epochs looked at; what happens at the others is not known" in capsys.readouterr().out
    call("probe", "orbits", run_copy.path)
    assert "looked at" not in capsys.readouterr().out


def test_one_input_is_never_told_as_all(tmp_path, capsys, measure):
    run = measure(record(tmp_path / "run", [0.5] * 3))
    told, page = shown(run, capsys)
    assert "at one input only: zero" in told
    assert "At one input only, zero: over the last 4 epochs the state rests throughout." in told
    assert not re.search(r"\ball inputs|\bthe one input|rests ×1", told)
    assert "rests in the end, at one input only: zero" in page
    assert "one constant input only (zero) and 2 starts." in page
    np.save(tmp_path / "u.npy", np.random.default_rng(0).normal(size=(5, 30, 1)))
    for line in re.findall(r"^    rnnscope (.*)$", told, flags=re.M):
        call(*shlex.split(line.replace("u.npy", str(tmp_path / "u.npy"))))
    assert run.dataset("orbits").sizes["input"] == 2
    call("probe", "orbits", run.path)
    assert "inputs held: 1 %" in capsys.readouterr().out


def test_inputs_chosen_from_data_are_called_by_their_names(tmp_path, capsys, measure):
    data = torch.randn(10, 40, 2, generator=torch.Generator().manual_seed(0))
    run = measure(record(tmp_path / "run", [0.5] * 2, model=nn.GRU(2, 3), sequences=data))
    told, page = shown(run, capsys)
    assert told.count("inputs held: zero, mean, channel 0 at 5 %, channel 0 at 95 %, channel 1 at 5 %") == 1
    assert "channel 1 at 95 %" in page
    names = [row["names"] for phase in json_of(run, capsys)["attractors"] for row in phase["groups"]]
    assert names[0][:2] == ["zero", "mean"]


def json_of(run, capsys):
    capsys.readouterr()
    call("show", run.path, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_network_without_input_is_not_said_to_be_at_one(tmp_path, capsys):
    class Free(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.eye(2) / 2)

        def forward(self, u, x):
            x = torch.tanh(x @ self.weight)
            return x, x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the step has no code of ours
        record(tmp_path / "run", [0.5] * 2, model=Free())
    run = Run(tmp_path / "run", model=as_system(Free(), input_size=0, state=torch.zeros(1, 2)))
    run.probe("orbits", n_transient=20, n_keep=10)
    told, page = shown(run, capsys)
    assert "Over the last 3 epochs the state rests throughout." in told
    assert "one input only" not in told + page


@pytest.mark.filterwarnings("ignore:.*weights that are not finite")
@pytest.mark.parametrize("broken", [(1, 2), (3, 4)])
def test_weights_that_are_no_numbers_are_no_divergence(tmp_path, capsys, measure, broken):
    run = measure(record(tmp_path / "run", [0.9, 0.8, 0.7, 0.6, 0.5], broken=broken))
    run.probe("fixedpoints", n_starts=4, n_steps=50)
    run.probe("lyapunov", n_steps=50, n_starts=1)
    told, page = shown(run, capsys)
    for text in (told, page):
        assert f"At epochs {broken[0]} – {broken[1]} the weights are not finite numbers" in text
        assert "all that follows is of the others" in text
        assert not re.search(r"\bdiverge|\bdivergence\b", text.partition("How it was done")[0])
    assert told.count(f"at epochs {broken[0]} – {broken[1]} the weights are not finite;") == 1
    assert "over the last 4 epochs the state rests throughout" in told
    found = run.dataset("orbits")
    assert found["weights_finite"].values.tolist() == [epoch not in broken for epoch in found["epoch"].values]


@pytest.mark.filterwarnings("ignore:.*weights that are not finite")
def test_nothing_is_made_up_where_no_weights_are_numbers(tmp_path, capsys, measure):
    model = nn.GRU(1, 2)
    for parameter in model.parameters():
        nn.init.constant_(parameter, torch.nan)
    run = measure(record(tmp_path / "run", [torch.nan] * 2, model=model))
    told, page = shown(run, capsys)
    for text in (told, page):
        assert "At epochs -1 – 1 the weights are not finite numbers, so there is no network to speak of." in text
        assert "The loss was never finite." in text
        assert "the state" not in text.partition("The loss was never finite.")[0].partition("no network to speak of")[2]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([1.0, torch.nan, 0.5], "The loss goes from 1 to 0.5."),
        ([1.0, 0.5, torch.inf], "The loss goes from 1 to not finite"),
        ([torch.nan] * 3, "The loss was never finite."),
        ([None] * 3, "The loss is not known."),
        ([0.5], "The loss is 0.5."),
    ],
)
def test_losses_as_they_come(tmp_path, capsys, losses, words):
    run = record(tmp_path / "run", losses)
    run.probe("orbits", n_transient=50, n_keep=10)
    told, page = shown(run, capsys)
    assert words in told
    assert words in page


def test_a_run_of_nothing_but_its_first_weights(tmp_path, capsys, measure):
    run = measure(record(tmp_path / "run", []))
    told, page = shown(run, capsys)
    assert "0, 1 snapshot\n" in told
    assert "At one input only, zero: at epoch 0, the only one, the state rests." in told
    assert "Looked at 1 epoch, " in page


def test_what_is_said_of_a_run_that_was_not_probed_can_be_typed(run_copy, capsys):
    told, _ = shown(run_copy, capsys)
    lines = re.findall(r"^    rnnscope (.*)$", told, flags=re.M)
    assert len(lines) == 2
    for line in lines:
        call(*shlex.split(line))
    assert run_copy.has("orbits")
    assert run_copy.has("attractors")
