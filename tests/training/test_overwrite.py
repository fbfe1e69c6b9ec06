"""A run put in the place of another one: only where that is a run, only when the new one can be written."""

import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

from rnnscope.base.errors import FolderTakenError, RunError
from rnnscope.runs import Run
from rnnscope.runs.folder import RunFolder
from rnnscope.smoothness import Objective
from rnnscope.training import Config, Recorder, fit
from rnnscope.training.several import fit_seeds

TINY = ["n_epochs=3", "hidden_size=4", "task.length=20", "n_frequencies=20"]


def tiny(*changes):
    return Config.assemble("sine", changes=[*TINY, *changes])


def record(path, n_epochs=2, **settings):
    with Recorder(path, nn.GRU(1, 3), **settings) as recorder:
        for epoch in range(n_epochs):
            recorder.epoch(epoch, loss=0.5)
    return Run(path)


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_cell_run_again_follows_the_advice_of_the_error(tmp_path):
    old = record(tmp_path / "mine", 5)
    old.probe("orbits", n_transient=10, n_keep=10, epochs=[1])
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(
        FolderTakenError, match=r"choose another folder, or go on with it .*, or replace it \(overwrite=True\)"
    ):
        record(tmp_path / "mine")
    new = record(tmp_path / "mine", 2, overwrite=True)
    assert new.epochs.tolist() == [-1, 0, 1]
    assert not new.has("orbits")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not new.check()


def test_overwrite_of_nothing_records_as_without(tmp_path):
    assert record(tmp_path / "new", overwrite=True).epochs.tolist() == [-1, 0, 1]
    (tmp_path / "empty").mkdir()
    assert record(tmp_path / "empty", overwrite=True).epochs.tolist() == [-1, 0, 1]


def test_through_a_link_the_run_itself_is_replaced(tmp_path):
    record(tmp_path / "real", 5)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    record(tmp_path / "link", 2, overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert len(Run(tmp_path / "real").epochs) == 3


def test_anything_but_a_run_of_rnnscope_is_never_touched(tmp_path):
    (tmp_path / "project").mkdir()
    for name in ("config.toml", "model.toml", "thesis.tex"):
        (tmp_path / "project" / name).write_text("a = 1")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    before = files_of(tmp_path)
    for name, message in (
        ("project", "does not say in its provenance.json that rnnscope wrote it"),
        ("notes", "is not empty and not a run: expected a new folder; choose another folder$"),
        ("file", "is a file: expected a new folder for the run; choose another folder$"),
    ):
        with pytest.raises(FolderTakenError, match=message):
            record(tmp_path / name, overwrite=True)
    assert files_of(tmp_path) == before


def test_the_old_run_stays_where_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    record(tmp_path / "mine", 5)
    before = files_of(tmp_path)
    with pytest.raises(ValueError, match="config, provenance: expected plain"):
        record(tmp_path / "mine", overwrite=True, config={"a": object()})
    with pytest.raises(ValueError, match="sequences: expected shape"):
        record(tmp_path / "mine", overwrite=True, sequences=torch.zeros(2, 5, 7))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "write_snapshot", full)
        with pytest.raises(OSError, match="No space left"):
            record(tmp_path / "mine", overwrite=True)
    assert files_of(tmp_path) == before


def test_a_run_in_which_another_process_records_is_left_alone(tmp_path):
    code = f"""
import torch, sys
from rnnscope.training import Recorder
recorder = Recorder({str(tmp_path / "mine")!r}, torch.nn.GRU(1, 3))
print("recording", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(RunError, match=f"process {other.pid} is still recording in it; wait for it or stop it"):
            record(tmp_path / "mine", overwrite=True)
        other.communicate(b"")
    assert len(record(tmp_path / "mine", overwrite=True).epochs) == 3


def test_going_on_and_replacing_are_not_asked_for_at_once(tmp_path):
    record(tmp_path / "mine")
    with pytest.raises(ValueError, match="resume, overwrite: expected one of them, came 'both'"):
        record(tmp_path / "mine", resume=True, overwrite=True)
    with pytest.raises(ValueError, match="resume, overwrite: expected one of them"):
        fit(tiny(), tmp_path / "mine", resume=True, overwrite=True)


def test_a_training_replaces_other_settings_and_uses_its_own_finished_run_again(tmp_path):
    fit(tiny(), tmp_path / "run")
    with pytest.raises(FolderTakenError, match=r"replace it \(overwrite=True\)"):
        fit(tiny("hidden_size=5"), tmp_path / "run")
    assert fit(tiny("hidden_size=5"), tmp_path / "run", overwrite=True).config["model"]["hidden_size"] == 5
    called = []
    fit(tiny("hidden_size=5"), tmp_path / "run", overwrite=True, on_epoch=called.append)
    assert not called
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_seeds_replace_other_settings_too(tmp_path):
    fit_seeds(tiny(), [0, 1], tmp_path)
    with pytest.raises(FolderTakenError, match=r"overwrite=True"):
        fit_seeds(tiny("hidden_size=5"), [0, 1], tmp_path)
    outcomes = fit_seeds(tiny("hidden_size=5"), [0, 1], tmp_path, overwrite=True)
    assert [(outcome.begun, outcome.status) for outcome in outcomes] == [("new", "finished")] * 2
    assert {Run(tmp_path / f"seed-{seed}").config["model"]["hidden_size"] for seed in (0, 1)} == {5}


def test_the_error_comes_whole_out_of_another_process(tmp_path):
    error = FolderTakenError(tmp_path, "is a run", True, True)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.replaceable


def test_resuming_takes_data_where_there_are_none_and_refuses_others(tmp_path):
    record(tmp_path / "mine")
    data = Objective(torch.zeros(2, 5, 1), torch.zeros(2, 5, 3))
    Recorder(tmp_path / "mine", nn.GRU(1, 3), resume=True, objective=data).close()
    kept = Run(tmp_path / "mine").objective
    assert kept is not None
    assert kept.digest == data.digest
    Recorder(tmp_path / "mine", nn.GRU(1, 3), resume=True, objective=data).close()
    other = Objective(torch.ones(2, 5, 1), torch.zeros(2, 5, 3))
    with pytest.raises(RunError, match="has another objective already; nothing was changed"):
        Recorder(tmp_path / "mine", nn.GRU(1, 3), resume=True, objective=other)


def test_an_objective_that_does_not_fit_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="targets: expected 3 outputs, came 2"):
        Recorder(tmp_path / "mine", nn.GRU(1, 3), objective=Objective(torch.zeros(2, 5, 1), torch.zeros(2, 5, 2)))
    assert not list(tmp_path.iterdir())
