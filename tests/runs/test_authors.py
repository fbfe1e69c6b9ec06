import argparse
import importlib.util
import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnscope.attractors import summarise_orbits
from rnnscope.base.errors import RunError
from rnnscope.runs import Run
from rnnscope.runs.authors import import_authors, replay


def _load_fixtures():
    spec = importlib.util.spec_from_file_location("authors_fixtures", Path(__file__).with_name("authors_fixtures.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


fixtures = _load_fixtures()
SINE, SYMBOLS, WORDS = fixtures.PRESETS
REFERENCE = Path(os.environ.get("RNNSCOPE_REFERENCE", "")) / "authors-code-output"
TYPES = ["LSTM", "GRU", "RNN", "exprnn"]


def digests(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("rnn_type", TYPES)
@pytest.mark.parametrize("experiment", [SINE, SYMBOLS, WORDS])
def test_replayed_starts_reproduce_the_stored_orbits(tmp_path, experiment, rnn_type, legacy):
    folder = fixtures.write_folder(tmp_path / "theirs", experiment, rnn_type=rnn_type, legacy=legacy)
    compared = replay(folder)
    assert compared.compared == "orbits", compared.words()
    # a rotation carries the rounding of its float32 matrix, and of starts a hundred wide, through all steps
    assert compared.largest_difference is not None
    assert compared.largest_difference <= (5e-5 if rnn_type == "exprnn" else 1e-5), compared.words()
    assert rnn_type == "exprnn" or compared.agrees


@pytest.mark.parametrize("rnn_type", ["LSTM", "GRU", "RNN"])
def test_several_layers(tmp_path, rnn_type):
    folder = fixtures.write_folder(tmp_path / "theirs", rnn_type=rnn_type, num_layers=3)
    assert replay(folder).agrees
    run = Run(import_authors(folder, tmp_path / "run"))
    assert run.system().state_size == 3 * 6 * (2 if rnn_type == "LSTM" else 1)


def test_a_wrong_order_of_draws_is_noticed(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs", rnn_type="exprnn")
    settings = json.loads((folder / "train.pyconfig.json").read_text()) | {"seed": 9}
    (folder / "train.pyconfig.json").write_text(json.dumps(settings))
    model = torch.load(folder / "model.pth", weights_only=False)
    model["config"].seed = 9
    torch.save(model, folder / "model.pth")
    compared = replay(folder)
    assert not compared.agrees
    assert "differ by" in compared.words()


def test_replaying_leaves_the_global_generator_alone(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs")
    before = torch.get_rng_state()
    replay(folder)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_cuda_storages_open_and_settled_orbits_are_compared(tmp_path, legacy):
    folder = fixtures.write_folder(tmp_path / "theirs", device="cuda:0", legacy=legacy)
    if legacy:
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(folder / "orbit_per_epoch_diagram.pth", weights_only=True)
    compared = replay(folder)
    assert compared.compared == "settled orbits"
    assert compared.largest_difference is not None
    assert compared.largest_difference < 1e-5
    assert "GPU" in compared.words()
    run = Run(import_authors(folder, tmp_path / "run"))
    assert run.provenance["authors"]["devices"] == ["cuda:0"]
    assert run.config["device"] == "cuda"


def test_weights_of_another_epoch_than_the_orbits(tmp_path):
    compared = replay(fixtures.write_folder(tmp_path / "theirs", weights_epoch=2))
    assert compared.compared == "settled orbits"
    assert compared.epoch == 3
    assert "epoch 2, of which no orbits are stored" in compared.words()


def test_weights_of_the_epoch_of_an_earlier_diagram(tmp_path):
    compared = replay(fixtures.write_folder(tmp_path / "theirs", weights_epoch=1))
    assert compared.agrees
    assert compared.epoch == 1


def test_a_folder_without_orbits(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs", interval_orbit=-1)
    run = Run(import_authors(folder, tmp_path / "run"))
    assert not run.has("orbits")
    assert len(run.scalars) == 4
    assert replay(folder).words() == "not re-simulated: the folder has no orbits"


def test_the_run_of_a_sine_folder(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs", rnn_type="GRU", num_layers=2, weights_epoch=3)
    before = digests(folder)
    run = Run(import_authors(folder, tmp_path / "run"))
    assert digests(folder) == before
    assert run.scalars.index.tolist() == [0, 1, 2, 3]
    assert run.scalars["step"].tolist() == [2, 4, 6, 8]  # two batches in an epoch, by the optimiser's count
    assert run.epochs.tolist() == [3]
    assert run.config["task"] | {"n_probed": 10} == {
        "name": "sine", "n_frequencies": 20, "length": 20, "batch_size": 10,
        "lowest": np.pi / 16, "highest": np.pi / 8, "n_probed": 10,
    }  # fmt: skip
    assert run.config["model"] == {"name": "gru", "hidden_size": 6, "num_layers": 2}
    assert run.config["authors"]["milestones"] == [500, 1000]
    assert run.status == "recorded"

    orbits = run.dataset("orbits")
    assert dict(orbits.sizes) | {"channel": 1} == {
        "step": 2, "input": 10, "start": 3, "time": 60, "output": 1, "channel": 1,
    }  # fmt: skip
    assert orbits["orbit"].dims == ("step", "input", "start", "time", "output")
    assert orbits["epoch"].values.tolist() == [1, 3]
    assert orbits["time"].values[[0, -1]].tolist() == [31, 90]
    stored = torch.load(folder / "orbit_per_epoch_diagram.pth", weights_only=True)["trajectory"]
    np.testing.assert_array_equal(
        orbits["orbit"].transpose("time", "start", "input", "output", "step").values, stored.numpy()
    )
    np.testing.assert_allclose(orbits["wanted_frequency"], np.linspace(np.pi / 16, np.pi / 8, 10))
    np.testing.assert_allclose(orbits["loss"], run.scalars["loss"].loc[[1, 3]])
    assert float((summarise_orbits(orbits)["kind"] == 0).mean()) > 0.5


def test_orbits_of_ours_are_not_mixed_into_the_authors(tmp_path):
    run = Run(import_authors(fixtures.write_folder(tmp_path / "theirs"), tmp_path / "run"))
    measured = run.probe("orbits")
    assert measured.sizes == {"step": 1, "input": 10, "start": 3, "time": 60, "output": 1, "channel": 1}
    assert "origin" not in measured.attrs
    assert run.dataset("orbits", origin="authors' code").sizes["step"] == 2
    theirs = run.dataset("orbits", origin="authors' code")
    np.testing.assert_allclose(
        measured["orbit"].isel(step=0, time=-1, start=0), theirs["orbit"].isel(step=1, time=-1, start=0),
        atol=1e-5,
    )  # fmt: skip


def test_the_run_of_a_symbols_folder(tmp_path):
    run = Run(import_authors(fixtures.write_folder(tmp_path / "theirs", SYMBOLS), tmp_path / "run"))
    assert "task" not in run.config
    assert run.config["authors"]["experiment"] == "symbols"
    assert list(run.scalars.columns) == ["step", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    orbits = run.dataset("orbits")
    np.testing.assert_array_equal(orbits["input_value"], np.eye(5))
    assert orbits.sizes["output"] == 4
    again = run.probe("orbits")
    assert again.sizes["input"] == 5


def test_the_run_of_a_words_folder(tmp_path):
    run = Run(import_authors(fixtures.write_folder(tmp_path / "theirs", WORDS), tmp_path / "run"))
    orbits = run.dataset("orbits")
    assert "ids unverified" in orbits.attrs["words"]
    assert orbits["output"].values[[0, 14, 15, 29]].tolist() == [
        "open loop: mean", "open loop: <unk>", "closed loop: mean", "closed loop: <unk>",
    ]  # fmt: skip
    assert set(orbits["input_value"].values.ravel()) <= set(range(6))
    assert "encoder.weight" in run.snapshot()
    assert run.system().output_size == fixtures.N_WORDS


@pytest.mark.parametrize("experiment", [SINE, SYMBOLS, WORDS])
def test_figures_and_report_work_on_it(tmp_path, experiment):
    from rnnscope import figures
    from rnnscope.report import write_report

    run = Run(import_authors(fixtures.write_folder(tmp_path / "theirs", experiment), tmp_path / "run"))
    for name in ("orbit-diagram", "kind-map", "loss"):
        figures.save(figures.draw(name, run), tmp_path / f"{name}.png")
    assert write_report([run], tmp_path / "report.html").stat().st_size > 10_000
    assert run.damaged == []


def test_a_stable_lstm_keeps_the_name_of_its_projection(tmp_path):
    run = Run(import_authors(fixtures.write_folder(tmp_path / "theirs", stabilize=True), tmp_path / "run"))
    assert run.config["model"]["name"] == "stable-lstm"
    assert run.config["model"]["projection"] == "columns"


def test_orbits_that_are_not_finite_are_data(tmp_path):
    def spoil(model, diagrams):
        diagrams["trajectory"][7:, 0, 2, 0, 1] = torch.nan

    folder = fixtures.write_folder(tmp_path / "theirs", change=spoil)
    orbits = Run(import_authors(folder, tmp_path / "run")).dataset("orbits")
    place = {"step": 1, "input": 2, "start": 0}
    assert int(orbits["status"][place]) == 2
    assert int(orbits["diverged_at"][place]) == 38
    assert int((orbits["status"] == 2).sum()) == 1


def test_an_epoch_that_was_cut_from_the_history_is_kept(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs")
    lines = (folder / "history.csv").read_text().splitlines()
    (folder / "history.csv").write_text("\n".join(lines[:-1]) + "\n")
    run = Run(import_authors(folder, tmp_path / "run"))
    assert run.scalars.index.tolist() == [0, 1, 2, 3]
    assert np.isnan(run.scalars["loss"].loc[3])
    assert run.dataset("orbits")["epoch"].values.tolist() == [1, 3]


def test_an_orthogonal_buffer_that_is_derived_is_left_out(tmp_path):
    def add(model, diagrams):
        model["model"]["rnn.rnn.rnn_cell.recurrent_kernel._B"] = torch.zeros(6, 6)

    folder = fixtures.write_folder(tmp_path / "theirs", rnn_type="exprnn", change=add)
    run = Run(import_authors(folder, tmp_path / "run"))
    assert set(run.snapshot()) == {
        "core.input_kernel_l0", "core.skew_l0", "core.base_l0", "core.bias_l0", "head.weight", "head.bias",
    }  # fmt: skip


class Touch:
    """Unpickled without an allow-list, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path(self.path).touch, ())


class System:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


class Printed:
    def __init__(self, path):
        pass

    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("evil", [Touch, System, Printed])
@pytest.mark.parametrize("file", ["model", "orbits", "namespace", "state dict"])
def test_no_pickle_is_executed(tmp_path, capfd, file, evil, legacy):
    proof = tmp_path / "executed"

    def spoil(model, diagrams):
        if file == "namespace":
            model["config"].lr = evil(proof)
        elif file == "state dict":
            model["model"]["linear.weight"] = evil(proof)
        else:
            {"model": model, "orbits": diagrams}[file]["extra"] = evil(proof)

    folder = fixtures.write_folder(tmp_path / "theirs", change=spoil, legacy=legacy)
    message = refused(folder, tmp_path)
    assert "refused: it asks for" in message
    assert not proof.exists()
    assert "executed" not in capfd.readouterr().out


def test_a_bare_malicious_pickle(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs")
    (folder / "model.pth").write_bytes(pickle.dumps(System(tmp_path / "executed")))
    message = refused(folder, tmp_path)
    assert "weights_only" not in message
    assert not (tmp_path / "executed").exists()


def refused(folder, tmp_path):
    """The reason for which it is refused; nothing is written, the source stays as it was."""
    there = {path.name for path in tmp_path.iterdir()}
    before = digests(folder) if folder.is_dir() else None
    with pytest.raises(RunError) as caught:
        import_authors(folder, tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == there
    assert before is None or digests(folder) == before
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    assert len(message) < 500
    return message


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", ["model.pth", "orbit_per_epoch_diagram.pth"])
def test_files_that_were_cut_short(tmp_path, name, legacy):
    folder = fixtures.write_folder(tmp_path / "theirs", legacy=legacy)
    whole = (folder / name).read_bytes()
    for length in (0, 1, 2, 10, 64, len(whole) // 4, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        (folder / name).write_bytes(whole[:length])
        message = refused(folder, tmp_path)
        assert name in message
        assert "weights_only" not in message


@pytest.mark.parametrize("name", ["model.pth", "history.csv", "train.pyconfig.json", "orbit_per_epoch_diagram.pth"])
def test_a_missing_file(tmp_path, name):
    folder = fixtures.write_folder(tmp_path / "theirs")
    (folder / name).unlink()
    assert name in refused(folder, tmp_path)
    assert "missing" in refused(folder, tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02", b"\x00" * 100, b"\xff\xfe\xfd"])
@pytest.mark.parametrize("name", ["model.pth", "history.csv", "train.pyconfig.json", "orbit_per_epoch_diagram.pth"])
def test_a_file_of_another_kind(tmp_path, name, content):
    folder = fixtures.write_folder(tmp_path / "theirs")
    (folder / name).write_bytes(content)
    assert name in refused(folder, tmp_path)


def test_unknown_files_and_folders(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs")
    (folder / "orbits.png").touch()
    (folder / "notes.bin").touch()
    assert "notes.bin is not of the authors' code" in refused(folder, tmp_path)
    (folder / "notes.bin").unlink()
    run = Run(import_authors(folder, tmp_path / "run"))
    assert run.provenance["authors"]["left_aside"] == ["orbits.png"]
    shutil.rmtree(run.path)
    assert "no such folder" in refused(tmp_path / "nowhere", tmp_path)
    assert "a file" in refused(folder / "history.csv", tmp_path)


def change_model(**entries):
    return lambda model, diagrams: model.update(entries)


def change_weights(name, value):
    def change(model, diagrams):
        if value is None:
            del model["model"][name]
        else:
            model["model"][name] = value

    return change


def change_orbits(**entries):
    return lambda model, diagrams: diagrams.update(entries)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_model(experiment_name="cats"), "unknown experiment 'cats'"),
        (change_model(epoch=-1), "epoch: expected"),
        (change_model(epoch=50), "files of two trainings"),
        (change_model(config={"seed": 2}), "argparse.Namespace, came dict"),
        (change_model(config=argparse.Namespace(seed=3)), "files of two trainings"),
        (change_model(model_kwargs={"rnn_type": "dtriv", "hidden_size": 6}), "unknown rnn_type 'dtriv'"),
        (change_model(model_kwargs={"rnn_type": "GRU", "hidden_size": 6}), "expected shape"),
        (change_model(model_kwargs={"rnn_type": "LSTM", "hidden_size": 7}), "expected shape"),
        (change_model(model_kwargs={"rnn_type": "LSTM", "hidden_size": 6, "num_layers": 2}), "is missing"),
        (change_model(model_kwargs={"rnn_type": "LSTM", "hidden_size": -6}), "positive whole number"),
        (change_model(model=[1, 2]), "expected a state dict"),
        (change_weights("surprise", torch.zeros(3)), "unknown parameter 'surprise'"),
        (change_weights("rnn.rnn.weight_ih_l7", torch.zeros(24, 6)), "no such parameter"),
        (change_weights("rnn.rnn.weight_hh_l0", None), "is missing"),
        (change_weights("linear.weight", None), "linear readout"),
        (change_weights("linear.bias", torch.zeros(5)), "expected shape (1,), came (5,)"),
        (change_weights("linear.bias", torch.tensor([torch.nan])), "finite"),
        (change_weights("linear.bias", torch.zeros(1, dtype=torch.long)), "floating-point"),
        (change_weights("linear.bias", torch.zeros(1, dtype=torch.float64)), "one dtype"),
        (change_weights("linear.bias", "text"), "dense tensor"),
        (change_weights("linear.bias", torch.zeros(1).to_sparse()), "dense tensor"),
        (change_orbits(frequency=0), "frequency"),
        (change_orbits(frequency=3), "interval_orbit is 2"),
        (change_orbits(frequency="2"), "frequency"),
        (change_orbits(trajectory=torch.zeros(60, 3, 10, 1)), "came (60, 3, 10, 1)"),
        (change_orbits(trajectory=torch.zeros(60, 3, 10, 1, 0)), "trajectory"),
        (change_orbits(trajectory=torch.zeros(60, 3, 10, 1, 40)), "files of two trainings"),
        (change_orbits(trajectory=torch.zeros(60, 3, 10, 1, 2, dtype=torch.int32)), "floating-point"),
        (change_orbits(trajectory=[1.0]), "dense tensor"),
    ],
)
def test_content_that_does_not_fit(tmp_path, change, reason):
    assert reason in refused(fixtures.write_folder(tmp_path / "theirs", change=change), tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (",epoch,loss\n", "only a heading"),
        (",epoch,loss\n0,0,nan\n", "loss is nan"),
        (",epoch,loss\n0,0,0.5\n1,1,inf\n", "loss is inf"),
        (",epoch,loss\n0,0,much\n", "expected a number, came 'much'"),
        (",epoch,loss\n0,0,0.5\n1,1\n", "cut short"),
        (",epoch,loss\n0,1,0.5\n", "expected epoch 0"),
        (",epoch,loss\n0,0,0.5\n1,0,0.5\n", "expected epoch 1"),
        (",time,loss\n0,0,0.5\n", "expected the columns"),
        (",epoch,loss,colour\n0,0,0.5,red\n", "expected the columns"),
    ],
)
def test_histories_that_do_not_fit(tmp_path, text, reason):
    folder = fixtures.write_folder(tmp_path / "theirs")
    (folder / "history.csv").write_text(text)
    assert reason in refused(folder, tmp_path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"burnout_orbit": -1}, "burnout_orbit"),
        ({"seq_len_orbit": "many"}, "seq_len_orbit"),
        ({"std_orbit": 0}, "std_orbit"),
        ({"n_sequences_orbit": 2}, "trajectory: expected"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, settings, reason):
    folder = fixtures.write_folder(tmp_path / "theirs", namespace=False)
    path = folder / "train.pyconfig.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    assert reason in refused(folder, tmp_path)


def test_nested_settings_are_refused(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs", namespace=False)
    (folder / "train.pyconfig.json").write_text('{"seed": {"a": [1]}}')
    assert "expected a number" in refused(folder, tmp_path)
    (folder / "train.pyconfig.json").write_text("[" * 100_000)
    assert "JSON" in refused(folder, tmp_path)


def test_a_target_that_is_taken_is_left_as_it_is(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs")
    import_authors(folder, tmp_path / "run")
    kept = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="is a run already"):
        import_authors(folder, tmp_path / "run")
    assert kept == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="lies in the folder that is imported"):
        import_authors(folder, folder / "run")


def test_a_failure_on_the_way_leaves_nothing(tmp_path, monkeypatch):
    folder = fixtures.write_folder(tmp_path / "theirs")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rnnscope.runs.results.write_block", full)
    with pytest.raises(OSError, match="No space"):
        import_authors(folder, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_flipped_bytes_are_refused_or_read_never_worse(tmp_path):
    folder = fixtures.write_folder(tmp_path / "theirs", legacy=True, hidden_size=2, interval_orbit=-1)
    path = folder / "model.pth"
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for at in generator.integers(0, len(whole), 150):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            shutil.rmtree(import_authors(folder, tmp_path / "run"))
        except RunError:
            assert not (tmp_path / "run").exists()


def test_the_command(tmp_path, capsys):
    from rnnscope.cli.import_ import import_

    folder = fixtures.write_folder(tmp_path / "theirs")
    import_([folder], run=tmp_path / "run")
    printed = capsys.readouterr().out
    assert "4 epochs, weights of epoch 3, orbits of 2 epochs" in printed
    assert "re-simulated: largest difference" in printed
    import_([folder], run=tmp_path / "again", json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["replay"]["agrees"] is True
    assert told["orbit_epochs"] == 2


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="RNNSCOPE_REFERENCE has no folder authors-code-output")
@pytest.mark.parametrize("name", sorted(path.name for path in REFERENCE.glob("*")) if REFERENCE.is_dir() else ["none"])
def test_folders_that_the_authors_code_wrote(tmp_path, name):
    from rnnscope.report import write_report

    run = Run(import_authors(REFERENCE / name, tmp_path / "run"))
    compared = replay(REFERENCE / name)
    assert compared.agrees, compared.words()
    assert compared.largest_difference is not None
    assert compared.largest_difference <= 1e-5
    assert run.dataset("orbits").sizes["step"] > 2
    write_report([run], tmp_path / "report.html")
    assert run.damaged == []
