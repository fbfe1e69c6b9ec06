"""Sequences and an objective given to a run that exists, in Python and on the command line, and what reads them."""

import json
import re
import shlex
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rnnscope import Objective, Orbits
from rnnscope.base.errors import RunError
from rnnscope.cli import main
from rnnscope.runs import Run
from rnnscope.runs.advice import grouped
from rnnscope.smoothness import cost
from rnnscope.systems import as_system
from rnnscope.training import Recorder

pytestmark = pytest.mark.filterwarnings("ignore:.*the cost measured")  # the losses of these runs are made up
QUICK = Orbits(n_transient=20, n_keep=10, n_starts=2)


def objective_of(run) -> Objective:
    assert run.objective is not None
    return run.objective


def sequences_of(run) -> torch.Tensor:
    assert run.sequences is not None
    return run.sequences


class Step(nn.Module):
    """A cell of someone's own: (input, state) -> (output, state)."""

    def __init__(self):
        super().__init__()
        self.mix, self.out = nn.Linear(1 + 3, 3), nn.Linear(3, 1)

    def forward(self, u, x):
        x = torch.tanh(self.mix(torch.cat([u, x], dim=-1)))
        return self.out(x), x


def make_step():
    """What --model tests.runs… would name; here it is found in a module of the current folder."""
    return as_system(Step(), input_size=1, state=torch.zeros(1, 3))


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A run of someone's own GRU and head, without a task or data, in the current folder."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    with Recorder("mine", (nn.GRU(1, 3), nn.Linear(3, 1))) as recorder:
        for epoch in range(3):
            recorder.epoch(epoch, loss=0.5)
    return Run("mine")


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 12, 1, generator=generator), torch.randn(4, 12, 1, generator=generator)


def test_an_objective_given_later_is_what_the_recorder_would_have_kept(own, data, tmp_path):
    before = {path: path.read_bytes() for path in own.path.rglob("*") if path.is_file()}
    own.give(objective=Objective(*data))
    Recorder("other", (nn.GRU(1, 3), nn.Linear(3, 1)), objective=Objective(*data)).close()
    assert objective_of(Run("mine")).digest == objective_of(own).digest == objective_of(Run("other")).digest
    assert torch.equal(sequences_of(Run("mine")), data[0])
    assert not own.check()
    assert {path: path.read_bytes() for path in before} == before
    found = own.probe("smoothness")
    system = own.system()
    wanted = float(cost(system.to(torch.float64), {k: v.double() for k, v in system.params.items()}, Objective(*data)))
    assert abs(float(found["cost"][-1]) - wanted) < 1e-6


def test_without_data_the_error_says_what_will_do_and_it_does(own, data):
    np.save("u.npy", data[0].numpy())
    np.save("y.npy", data[1].numpy())
    with pytest.raises(RunError, match="its cost is not known") as refused:
        own.probe("smoothness")
    message = str(refused.value)
    inputs, targets = data
    assert "run.probe('smoothness', objective=rnnscope.Objective(inputs, targets))" in message
    assert own.probe("smoothness", objective=Objective(inputs, targets)).sizes["step"] == 4
    typed = re.search(r"rnnscope (data [^;]*);", message)
    assert typed is not None
    call(*shlex.split(typed[1]))
    again = Run("mine")
    assert again.probe("smoothness").sizes["step"] == 4
    again.give(objective=Objective(inputs, targets))  # the same once more is nothing new


def test_what_the_run_has_is_not_replaced_unless_asked(own, data):
    own.give(sequences=data[0], objective=Objective(*data))
    files = {path.name: path.read_bytes() for path in own.path.glob("*.safetensors")}
    for what, given in (
        ("other sequences", {"sequences": data[1]}),
        ("another objective", {"objective": Objective(data[1], data[0])}),
    ):
        with pytest.raises(
            RunError, match=rf"mine has {what} already; nothing was changed.*overwrite=True.*--overwrite"
        ):
            own.give(**given)
    with pytest.raises(RunError, match="another objective"):
        own.give(sequences=data[0], objective=Objective(data[1], data[0]))
    assert {path.name: path.read_bytes() for path in own.path.glob("*.safetensors")} == files
    own.give(sequences=data[1], objective=Objective(data[1], data[0]), overwrite=True)
    assert torch.equal(own.sequences, data[1])
    assert torch.equal(objective_of(Run("mine")).inputs, data[1])


def test_results_of_other_data_are_kept_apart_and_said_to_be_old(own, data):
    own.give(objective=Objective(*data))
    first = own.probe("smoothness", epochs=[2])
    visited = own.probe(QUICK, epochs=[2])
    assert json.loads(visited.attrs["settings"])["settings"]["starts"] == "visited"
    with pytest.warns(UserWarning, match="results of smoothness in it belong to the data that were there before"):
        own.give(objective=Objective(data[1], data[0]), overwrite=True)
    second = own.probe("smoothness", epochs=[2])
    assert first["cost"].item() != second["cost"].item()
    assert own.dataset("smoothness")["cost"].item() == second["cost"].item()
    with pytest.warns(UserWarning, match="results of orbits in it"):
        own.give(sequences=data[0] + 1, overwrite=True)
    assert len(own.missing(QUICK, epochs=[2])) == 1
    own.probe(QUICK, epochs=[2])
    assert len([*(own.path / "probes").glob("orbits-*")]) == 2


def test_a_run_of_a_task_knows_its_data_and_takes_others_when_asked(run_copy):
    length = run_copy.sequences.shape[1]
    other = torch.zeros(2, length, 1)
    with pytest.raises(RunError, match="has other sequences already"):
        run_copy.give(sequences=other)
    run_copy.give(sequences=other, overwrite=True)
    assert torch.equal(sequences_of(Run(run_copy.path)), other)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "sequences, objective: expected at least one of them"),
        ({"sequences": torch.zeros(4, 12, 2)}, r"sequences: expected shape \(sequence, time, 1\), came \(4, 12, 2\)"),
        ({"sequences": torch.zeros(4, 12)}, "sequences: expected shape"),
        ({"sequences": torch.zeros(4, 12, 1).long()}, r"floats, such as sequences\.float\(\), came torch\.int64"),
        ({"sequences": torch.full((4, 12, 1), torch.nan)}, "finite numbers"),
        ({"objective": Objective(torch.zeros(4, 12, 2), torch.zeros(4, 12, 1))}, "inputs: expected 1 channels, came 2"),
        ({"objective": Objective(torch.zeros(4, 12, 1), torch.zeros(4, 12, 2))}, "targets: expected 1 outputs, came 2"),
        (
            {"objective": Objective(torch.zeros(4, 12, 1), torch.zeros(4, 12, 1), state=torch.zeros(5))},
            "state: expected 3 numbers, came 5",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused_and_nothing_is_written(own, given, message):
    with pytest.raises(ValueError, match=message):
        own.give(**given)
    with pytest.raises((ValueError, TypeError)):
        own.give(objective=Objective(torch.zeros(4, 12, 1), torch.zeros(4, 12, 1), loss=lambda y, t: (y - t).sum()))
    assert not [*own.path.glob("*.safetensors")]


def test_only_some_of_many_sequences_are_kept(own):
    inputs, targets = torch.randn(1000, 5, 1), torch.randn(1000, 5, 1)
    own.give(sequences=inputs, objective=Objective(inputs, targets, state=torch.randn(1000, 3)))
    kept = objective_of(Run("mine"))
    assert kept.n_sequences == len(own.sequences) == len(kept.state) == 64
    own.give(sequences=inputs)  # the same sequences once more


def test_damaged_data_are_replaced_when_asked(own, data):
    own.give(objective=Objective(*data))
    path = own.path / "objective.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunError, match=r"has objective that cannot be read .*--overwrite"):
        Run("mine").give(objective=Objective(*data))
    run = Run("mine")
    run.give(objective=Objective(*data), overwrite=True)
    assert objective_of(run).digest == Objective(*data).digest
    assert not run.check()


def test_what_is_said_of_damaged_sequences_leads_out_of_it(own, data, capsys):
    own.give(sequences=data[0])
    path = own.path / "sequences.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    np.save("u.npy", data[0].numpy())
    (checked,) = Run("mine").check()
    call("probe", "orbits", "mine", "--set", "n_keep=10", status=2)
    for message in (checked, capsys.readouterr().err):
        typed = re.search(r"rnnscope (data .*)$", message.strip())
        assert typed is not None
        call(*shlex.split(typed[1]))
        assert not Run("mine").check()
    call("probe", "orbits", "mine", "--set", "n_keep=10")


def test_a_step_module_gets_its_cost_in_python_and_on_the_command_line(tmp_path, monkeypatch, data, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="cannot be probed as it is"):
        recorder = Recorder("step", Step())
    recorder.epoch(0, loss=0.3)
    recorder.close()
    run = Run("step", model=make_step())
    with pytest.raises(RunError, match="its cost is not known"):
        run.probe("smoothness")
    run.give(objective=Objective(*data))
    assert np.isfinite(run.probe("smoothness")["cost"]).all()

    np.save("u.npy", data[0].numpy())
    np.save("y.npy", 2 * data[1].numpy())
    monkeypatch.setattr("rnnscope.cli.data.make_model", lambda reference: make_step() if reference else None)
    call("data", "step", "--inputs", "u.npy", "--targets", "y.npy", "--overwrite", "--model", "cell:make")
    shown = capsys.readouterr()
    assert "cost: squared-error, 4 sequences of 12 steps" in shown.out
    assert "the cost at the last epoch, 0, is" in shown.out
    call("data", "step")  # without the network: no cost of it, but what there is
    assert "cost: squared-error" in capsys.readouterr().out


# Files


def written(values, name):
    """The same array in a file of each kind, with the place to give for it."""
    array = values.numpy()
    np.save(f"{name}.npy", array)
    np.savez(f"{name}.npz", other=array[:1] + 1, **{name: array})
    save_file({name: values, "other": values + 1}, f"{name}.safetensors")
    torch.save({"deep": values + 1, name: values}, f"{name}.pt")
    torch.save(values, f"{name}.pth")
    return [f"{name}.npy", f"{name}.npz:{name}", f"{name}.safetensors:{name}", f"{name}.pt:{name}", f"{name}.pth"]


def test_every_kind_of_file_is_read_as_the_same_numbers(own, data):
    wanted = Objective(*data).digest
    for u, y in zip(written(data[0], "u"), written(data[1], "y"), strict=True):
        call("data", "mine", "--inputs", u, "--targets", y, "--overwrite")
        assert objective_of(Run("mine")).digest == wanted, u


def test_the_array_called_as_the_option_is_needs_no_name(own, data):
    np.savez("all.npz", inputs=data[0].numpy(), targets=data[1].numpy(), state=np.full(3, 0.5, np.float32))
    call("data", "mine", "--inputs", "all.npz", "--targets", "all.npz", "--state", "all.npz", "--n-transient", 2)
    kept = objective_of(Run("mine"))
    assert kept.digest == Objective(*data, state=torch.full((3,), 0.5), n_transient=2).digest


def test_one_sequence_in_tables_as_people_have_them(own, data):
    inputs, targets = data[0][:1], data[1][:1]
    np.savetxt("u.csv", inputs[0].numpy(), header="valve", comments="")
    (own.path.parent / "y.csv").write_text("\n".join(repr(float(value)) for value in targets[0, :, 0]) + "\n")
    np.save("flat.npy", inputs[0, :, 0].numpy())
    wanted = Objective(inputs.double(), targets.double())
    for u in ("u.csv", "flat.npy"):
        call("data", "mine", "--inputs", u, "--targets", "y.csv", "--overwrite")
        torch.testing.assert_close(objective_of(Run("mine")).inputs.double(), wanted.inputs, atol=1e-7, rtol=1e-6)
        torch.testing.assert_close(objective_of(Run("mine")).targets.double(), wanted.targets, atol=1e-7, rtol=1e-6)
    call("data", "mine", "--sequences", "flat.npy", "--overwrite")
    assert sequences_of(Run("mine")).shape == (1, 12, 1)


def test_classes_are_whole_numbers_whatever_the_file_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Recorder("mine", (nn.GRU(2, 3), nn.Linear(3, 4))).close()
    inputs, classes = torch.randn(5, 7, 2), torch.randint(4, (5, 7))
    np.save("u.npy", inputs.numpy())
    np.save("y.npy", classes.numpy().astype(float)[..., None])
    call("data", "mine", "--inputs", "u.npy", "--targets", "y.npy", "--loss", "cross-entropy")
    assert objective_of(Run("mine")).digest == Objective(inputs, classes, loss="cross-entropy").digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--inputs", "u.npy"], "--inputs: expected --targets with it"),
        (["--targets", "u.npy", "--loss", "squared-error"], "--targets, --loss: expected --inputs with it"),
        (["--sequences", "none.npy"], "--sequences none.npy: no such file"),
        (
            ["--sequences", "u.txt"],
            "expected a file that ends in .npy, .npz, .csv, .safetensors, .pt or .pth, came .txt",
        ),
        (
            ["--sequences", "two.npz"],
            "expected an array called sequences, the file has a, b; say which: --sequences two.npz:a",
        ),
        (["--sequences", "two.npz:c"], "expected an array called c, the file has a, b"),
        (["--sequences", "u.npy:a"], "holds one array without a name; leave out :a"),
        (["--sequences", "objects.npy"], "holds no plain arrays that can be read"),
        (["--sequences", "code.pt"], "holds no plain arrays that can be read"),
        (["--sequences", "cut.npy"], "--sequences cut.npy"),
        (["--sequences", "words.csv"], "expected a row of numbers for each step, all of one length, came 'red'"),
        (["--sequences", "uneven.csv"], "came rows of [1, 2] numbers"),
        (["--sequences", "wide.npy"], "--sequences: expected shape (sequence, time, 1), came (2, 3, 4, 5)"),
        (["--inputs", "u.npy", "--targets", "u.npy", "--loss", "mse"], "unknown loss 'mse'"),
        (["--inputs", "u.npy", "--targets", "u.npy", "--state", "u.npy"], "state: expected shape (state,) or"),
    ],
)
def test_files_that_will_not_do_end_with_one_line(own, data, arguments, message, capsys):
    np.save("u.npy", data[0].numpy())
    np.savez("two.npz", a=data[0].numpy(), b=data[1].numpy())
    np.save("objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save("wide.npy", np.zeros((2, 3, 4, 5)))
    torch.save(nn.GRU(1, 3), "code.pt")
    folder = own.path.parent
    (folder / "cut.npy").write_bytes((folder / "u.npy").read_bytes()[:60])
    (folder / "u.txt").write_text("1")
    (folder / "words.csv").write_text("a,b\n1,2\n3,red\n")
    (folder / "uneven.csv").write_text("1\n2,3\n")
    call("data", "mine", *arguments, status=2)
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not [*own.path.glob("*.safetensors")]


def test_what_a_run_has_is_told_and_what_it_lacks_can_be_typed(own, data, capsys):
    call("data", "mine")
    shown = capsys.readouterr().out
    np.save("u.npy", data[0].numpy())
    np.save("y.npy", data[1].numpy())
    for line in re.findall(r"rnnscope (data .*)", shown):
        call(*shlex.split(line))
    call("data", "mine", "--json")
    facts = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    assert facts["sequences"] == {"n": 4, "steps": 12, "channels": 1}
    assert facts["objective"]["recorded_loss"] == 0.5


# Damaged snapshots


def test_many_files_with_one_cause_are_one_line(run_copy):
    for path in sorted((run_copy.path / "snapshots").iterdir())[:5]:
        path.write_bytes(path.read_bytes()[:-9])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_copy.probe("orbits")
    (line,) = [str(warning.message) for warning in caught]
    assert re.search(r"left out: .*snapshots: 5 files \(0000000000.safetensors, .*, …\): cut short", line)
    assert len(run_copy.damaged) == 5


def test_where_nothing_can_be_read_the_cause_is_said_once(run_copy):
    for path in (run_copy.path / "snapshots").iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunError, match="no snapshot could be read") as refused:
        run_copy.probe("orbits")
    assert str(refused.value).count("cut short") == 1
    assert "7 files (0000000000.safetensors, " in str(refused.value)
    assert len(run_copy.damaged) == 7


def test_lines_of_different_causes_stay_apart():
    assert grouped(
        ["/a b/1.nc: differs from 1.nc.sha256", "/a b/2.nc: differs from 2.nc.sha256", "config.toml: odd"]
    ) == [
        "/a b: 2 files (1.nc, 2.nc): differs from FILE.sha256",
        "config.toml: odd",
    ]


def test_data_with_time_in_front_are_found_out_where_the_loss_was_recorded(tmp_path):
    torch.manual_seed(0)
    model = nn.GRU(3, 2)
    inputs, targets = torch.randn(20, 5, 3).double(), 3 * torch.randn(20, 5, 2).double()
    optimizer = torch.optim.Adam(model.double().parameters(), lr=0.1)
    with Recorder(tmp_path / "run", model, objective=Objective(inputs, targets)) as recorder:
        for epoch in range(30):
            loss = (model(inputs)[0] - targets).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                recorder.epoch(epoch, loss=float((model(inputs)[0] - targets).square().mean()))
    run = Run(tmp_path / "run")
    with pytest.warns(UserWarning, match=r"axes of the data exchanged.*inputs\.movedim\(0, 1\)"):
        run.probe("smoothness")
    inputs, targets = inputs.movedim(0, 1), targets.movedim(0, 1)
    with pytest.warns(UserWarning, match="belong to the data that were there before"):
        run.give(sequences=inputs, objective=Objective(inputs, targets), overwrite=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Run(tmp_path / "run").probe("smoothness")
    np.testing.assert_allclose(found["cost"][1:], found["loss"][1:], rtol=1e-9)


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [((50, 3), r"sequences\[None\]"), ((50,), r"sequences\[None, :, None\]"), ((5, 7), r"sequences\[\.\.\., None\]")],
)
def test_sequences_of_another_shape_are_refused_with_what_will_do(tmp_path, shape, remedy):
    model = nn.GRU(3 if shape == (50, 3) else 1, 2)
    with pytest.raises(ValueError, match=remedy):
        Recorder(tmp_path / "run", model, sequences=torch.zeros(shape))


def test_one_hot_rows_and_classes_are_refused_with_what_will_do(tmp_path):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(11, 4), nn.GRU(4, 3, batch_first=True)

        def forward(self, tokens):
            return self.rnn(self.embedding(tokens))[0]

    tokens = torch.arange(35).reshape(5, 7) % 11
    with pytest.raises(ValueError, match=r"sequences\.argmax\(-1\)"):
        Recorder(tmp_path / "run", Tokens(), sequences=torch.eye(11)[tokens])
    objective = Objective(torch.eye(11)[tokens], tokens % 3, loss="cross-entropy")
    with pytest.raises(ValueError, match=r"inputs\.argmax\(-1\)"):
        Recorder(tmp_path / "run", Tokens(), objective=objective)
    with pytest.raises(ValueError, match="loss='cross-entropy'"):
        Objective(tokens, tokens)
