"""rnnscope import: checkpoints that exist already become a run that the other commands read."""

import json

import pytest
import torch

from rnnscope.cli import main
from rnnscope.runs import Run

NETWORKS = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.core, self.head = nn.LSTM(1, 3, batch_first=True), nn.Linear(3, 1)

    def forward(self, x):
        return self.head(self.core(x)[0])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module of networks in it, which is where the commands are given."""
    (tmp_path / "theirs_imported.py").write_text(NETWORKS)
    (tmp_path / "ckpt").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def save(folder, files):
    for name, content in files.items():
        torch.save(content, folder / "ckpt" / name)


def weights():
    from theirs_imported import Net  # pyright: ignore[reportMissingImports]

    return Net().state_dict()


def rnnscope(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status


def refused(capsys, *arguments):
    rnnscope("import", *arguments, status=2)
    return capsys.readouterr().err


def test_checkpoints_are_imported_and_probed(folder, capsys):
    save(folder, {f"epoch_{e}_loss_0.{e}000.pt": {"step": 10 * e, "net": weights()} for e in (1, 2, 3)})
    rnnscope("import", "ckpt/*.pt", "--model", "theirs_imported:Net", "--run", "runs/mine")
    told = capsys.readouterr().out
    assert "runs/mine: 3 snapshots, epochs 1 – 3, steps 10 – 30\n" in told
    assert "beside the weights: loss" in told
    following = told.partition("next: rnnscope ")[2].split()
    assert following == ["probe", "attractors", "runs/mine"]
    rnnscope(*following, "--epochs", "2", "--set", "n_starts=2")
    assert Run("runs/mine").has("attractors")
    assert Run("runs/mine").provenance["command"].startswith("rnnscope")


def test_without_a_model_the_next_command_names_one(folder, capsys):
    save(folder, {"e1.pt": weights()})
    rnnscope("import", "ckpt")
    assert "next: rnnscope probe attractors runs/ckpt --model package.module:make" in capsys.readouterr().out
    rnnscope("probe", "orbits", "runs/ckpt", "--model", "theirs_imported:Net", "--set", "n_keep=5")
    assert "rests" in capsys.readouterr().out


def test_key_number_and_overwrite_as_the_errors_say(folder, capsys):
    save(folder, {f"a_{k}_{7 * k}.pt": {"encoder": weights(), "decoder": weights()} for k in (1, 2)})
    named = ["ckpt/a_1_7.pt", "ckpt/a_2_14.pt", "--model", "theirs_imported:Net"]  # as a shell that expands hands over
    message = refused(capsys, *named)
    assert "--key encoder" in message
    named += ["--key", "encoder"]
    message = refused(capsys, *named)
    pattern = message.partition("--number '")[2].partition("'")[0]
    rnnscope("import", *named, "--number", pattern)
    assert Run("runs/ckpt").epochs.tolist() == [7, 14]
    by_name = ["--number", "a_1_7.pt=1", "--number", "a_2_14.pt=2,50"]
    message = refused(capsys, *named, *by_name)
    assert "choose another folder with --run, or replace it with --overwrite" in message
    assert "several files" not in message
    capsys.readouterr()
    rnnscope("import", *named, *by_name, "--overwrite", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["epochs"] == [1, 2]
    assert "expected one pattern" in refused(capsys, *named, "--number", "a", "--number", "b=1")


def test_files_that_are_left_out_are_taken_in_as_the_warning_says(folder, capsys):
    save(folder, {"e1.pt": weights(), "best.pt": weights()})
    rnnscope("import", "ckpt")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    name = said.partition("--number ")[2].partition("=EPOCH")[0]
    rnnscope("import", "ckpt", "--number", f"{name}=5", "--overwrite")
    assert Run("runs/ckpt").epochs.tolist() == [1, 5]
    assert capsys.readouterr().err == ""


def test_wrong_use(folder, capsys):
    assert "no such files" in refused(capsys, "nowhere/*.pt")
    (folder / "theirs").mkdir()
    (folder / "theirs" / "history.csv").write_text("epoch,loss\n")
    assert "--key: for checkpoints; theirs is a folder of the authors' code" in refused(capsys, "theirs", "--key", "a")
    assert "train.pyconfig.json" in refused(capsys, "theirs")
