"""Studies carried out: real networks, real processes that are stopped and killed, real files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from rnnscope import experiments, figures
from rnnscope.base.errors import DamagedFileError, RunError
from rnnscope.cli import main
from rnnscope.experiments import _sweep, sine
from rnnscope.experiments._description import Measurement
from rnnscope.runs import Run

TINY = ["n_epochs=3", "hidden_size=3", "task.length=12", "task.n_frequencies=4", "task.batch_size=4",
        "task.n_probed=2", "orbits.n_transient=50", "orbits.n_keep=20"]  # fmt: skip
SYMBOLS = ["n_epochs=2", "hidden_size=3", "task.n_sequences=20", "task.n_validation=20", "task.batch_size=20",
           "orbits.n_transient=50", "orbits.n_keep=20"]  # fmt: skip
LONG = ["n_epochs=200"]


def words(changes):
    return [word for change in changes for word in ("--set", change)]


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny sine study of two models and three seeds."""
    path = tmp_path_factory.mktemp("study") / "sine"
    call(*again(path))
    return path


def again(folder, *options, seeds="3"):
    arguments = ["reproduce", "sine", "--models", "lstm,stable-lstm", "--seeds", seeds, "--run", folder, "--workers", 1]
    return [str(argument) for argument in (*arguments, *options, *words(TINY))]


def test_everything_is_there(folder):
    assert {p.name for p in (folder / "figures").iterdir()} == {
        f"{picture.file}.png" for picture in sine.STUDY.pictures
    }  # fmt: skip
    tables = experiments.stored(folder / "findings")
    assert set(tables) == {*sine.STUDY.tables, "claims"}
    assert json.loads((folder / "study.json").read_text())["experiment"] == "Sine generation"
    assert tables["networks"]["model"].values.tolist() == ["lstm"] * 3 + ["stable-lstm"] * 3
    assert tables["networks"]["seed"].values.tolist() == [0, 1, 2] * 2
    assert tables["continuation"].sizes == {"run": 6, "input": 31, "window": 10}
    assert sorted(p.parent.name for p in folder.glob("*/seed-0")) == ["lstm", "stable-lstm"]
    run = Run(folder / "lstm" / "seed-1")
    assert run.status == "finished"
    assert run.config["seed"] == 1
    assert run.provenance["command"].startswith("rnnscope")


def test_numbers_are_those_of_the_runs(folder):
    tables = experiments.stored(folder / "findings")
    for at, (model, seed) in enumerate((model, seed) for model in ("lstm", "stable-lstm") for seed in range(3)):
        run = Run(folder / model / f"seed-{seed}")
        assert float(tables["networks"]["loss"][at]) == run.scalars["loss"].iloc[-1]
        kinds = run.dataset("attractors")["kind"].values
        alone = (kinds[..., 0] == 0) & ((kinds >= 0).sum(-1) == 1)
        assert float(tables["networks"]["one_fixed_point"][at]) == alone.mean()
    claims = tables["claims"]
    stable = claims.sel(claim="stable-fails")
    np.testing.assert_array_equal(stable["value"], tables["networks"]["loss"].values[3:])
    assert str(stable["verdict"].values) == ("seen" if (stable["value"] >= 0.25).all() else "undecided")
    assert np.isnan(claims.sel(claim="orthogonal-fits")["value"]).all()  # it was not trained
    assert str(claims.sel(claim="orthogonal-fits")["verdict"].values) == "undecided"


def test_the_page_is_whole(folder):
    page = (folder / "report.html").read_text()
    for claim in sine.STUDY.claims:
        assert f'id="claim-{claim.name}"' in page
        assert claim.statement in page
    for picture in sine.STUDY.pictures:
        if picture.figure != "claims":
            assert f'id="figure-{picture.file}"' in page
    assert not re.search(r'(?:src|href)\s*=\s*"(?!#)', page.split("<script>")[0])
    assert "<pre>rnnscope" in page


def test_the_same_again_measures_nothing(folder, capsys, monkeypatch):
    times = {p: p.stat().st_mtime_ns for p in folder.glob("*/*/probes/*/*.nc")}
    assert len(times) == 6 * 4

    def refuse(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(_sweep, "_measure", refuse)
    call(*again(folder, "--json"))
    found = json.loads(capsys.readouterr().out)
    assert {p: p.stat().st_mtime_ns for p in folder.glob("*/*/probes/*/*.nc")} == times
    assert [claim["claim"] for claim in found["claims"]] == [claim.name for claim in sine.STUDY.claims]
    assert len(found["networks"]) == 6
    assert found["failures"] == []
    assert {claim["verdict"] for claim in found["claims"]} <= {"seen", "not seen", "undecided"}


def test_some_claims_only(folder, capsys):
    call(*again(folder, "--claims", "stable-one-point"))
    told = capsys.readouterr().out
    assert "exactly one attractor" in told
    assert "Only networks" not in told


def test_more_seeds_use_what_is_there(folder, capsys):
    before = (folder / "lstm" / "seed-0" / "provenance.json").stat().st_mtime_ns
    call(*again(folder, "--json", seeds="0,3"))
    found = json.loads(capsys.readouterr().out)
    assert found["seeds"] == [0, 3]
    assert (folder / "lstm" / "seed-0" / "provenance.json").stat().st_mtime_ns == before
    assert all(claim["verdict"] == "undecided" for claim in found["claims"])  # two seeds decide nothing


def test_it_is_no_run_but_holds_some(folder, capsys):
    call("show", folder, status=2)
    assert "an experiment over seeds (its page is report.html), no run" in capsys.readouterr().err
    call("show", *sorted((folder / "lstm").iterdir()))
    assert "lstm" in capsys.readouterr().out


def test_figures_from_what_is_stored(folder):
    tables = experiments.stored(folder / "findings")
    for name, table in (("error-horizon", "continuation"), ("frequency-in-out", "frequencies"), ("claims", "claims")):
        assert figures.load(name)(tables[table], backend="plotly").data


def test_damaged_findings_are_refused(folder, tmp_path):
    (file,) = (folder / "findings").glob("claims.nc")
    whole = file.read_bytes()
    file.write_bytes(whole[:-20] + b"\0" * 20)
    try:
        with pytest.raises(DamagedFileError, match="differs from"):
            experiments.stored(folder / "findings")
    finally:
        file.write_bytes(whole)
    with pytest.raises(RunError, match="no findings of an experiment"):
        experiments.stored(tmp_path)


def test_symbols(tmp_path, capsys):
    arguments = ["reproduce", "symbols", "--models", "lstm", "--seeds", 1, "--workers", 1, "--run", tmp_path / "s"]
    call(*arguments, "--json", *words(SYMBOLS))
    found = json.loads(capsys.readouterr().out)
    assert [network["setting"] for network in found["networks"]] == ["gap 20", "gap 50"]
    assert [network["gap"] for network in found["networks"]] == [20, 50]
    assert {p.name for p in (tmp_path / "s" / "figures").iterdir()} == {
        "orbits-gap-20.png", "orbits-gap-50.png", "accuracy.png", "attractor-counts.png", "claims.png",
    }  # fmt: skip
    tables = experiments.stored(tmp_path / "s" / "findings")
    assert tables["accuracies"].sizes == {"run": 2, "factor": 3}
    assert tables["counts"]["input_label"].values[[0, 2]].tolist() == ["relevant symbol 0", "distractor 2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sine", "--preset", "quik"], "unknown preset 'quik': did you mean 'quick'"),
        (["sine", "--seeds", "0"], "--seeds: expected how many"),
        (["sine", "--models", "lstn"], "unknown model of this experiment 'lstn': did you mean 'lstm'"),
        (["sine", "--models", ","], "models: expected at least one"),
        (["sine", "--models", "lstm,lstm"], "each once"),
        (["sine", "--claims", "stable"], "unknown claim 'stable'"),
        (["sine", "--set", "task.lenght=3"], "unknown setting of task 'lenght'"),
        (["symbols", "--set", "task.gap=90"], "the experiment sets task.gap itself"),
        (["symbols", "--set", "task.n_classes=5"], "n_classes: expected"),
        (["sine", "--device", "foo"], "expected cpu or cuda, came 'foo'"),
        (["sine", "--compile"], "--compile: sine measures no costs"),
        (["sine", "--workers", "0"], "workers: expected a positive whole number"),
        (["chaotic-lstm", "--seeds", "3"], "--seeds: chaotic-lstm is about one network"),
        (["sin"], "unknown experiment 'sin': did you mean 'sine'"),
    ],
)
def test_bad_input_is_refused_before_any_work(arguments, message, tmp_path, capsys):
    call("reproduce", *arguments, "--run", tmp_path / "never", status=2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "never").exists()


def test_a_folder_with_other_settings_is_left_alone(folder, capsys):
    call("reproduce", "sine", "--models", "lstm", "--seeds", "0,1,2", "--run", folder, *words([*TINY, "n_epochs=4"]),
         status=2)  # fmt: skip
    assert "other settings (training.n_epochs 3 there, 4 here)" in capsys.readouterr().err


def test_a_measurement_that_fails_costs_its_network_only(folder, monkeypatch):
    broken = str(folder / "lstm" / "seed-1")

    def measure(path, measurement):
        if str(path) == broken:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_sweep, "_measure", measure)
    monkeypatch.setattr(Measurement, "missing", lambda self, run: [1])
    plan = experiments.plan(sine.STUDY, folder, models=["lstm", "stable-lstm"], seeds=[0, 1, 2], changes=TINY)
    found = experiments.carry_out(plan)
    assert {str(failure.path) for failure in found.failures} == {broken}
    assert all("No space left" in failure.reason for failure in found.failures)
    assert len(found.networks) == 5
    assert np.isnan(found.tables["claims"]["value"].sel(claim="frequency-inside", seed=1))


def test_a_figure_that_cannot_be_drawn_costs_that_figure_only(folder, capsys, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("nothing to draw")

    load = figures.load
    monkeypatch.setattr(figures, "load", lambda name: refuse if name == "error-horizon" else load(name))
    call(*again(folder))
    told = capsys.readouterr()
    assert "figure error-horizon is left out: nothing to draw" in told.err
    assert "exactly one attractor" in told.out
    assert not (folder / "figures" / "error-horizon.png").exists()
    assert "figure error-horizon: nothing to draw" in (folder / "report.html").read_text()
    monkeypatch.undo()
    call(*again(folder))
    assert (folder / "figures" / "error-horizon.png").exists()


def start(folder, *changes, seeds="3"):
    """A real process with two workers."""
    arguments = ["reproduce", "sine", "--models", "lstm", "--seeds", seeds, "--workers", "2", "--run", str(folder)]
    command = [sys.executable, "-c", f"from rnnscope.cli import main; main({[*arguments, *words(changes)]!r})"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def epochs(path):
    return len(Run(path).scalars) if (path / "scalars.jsonl").exists() else 0


def recorded_by(path):
    """The process that records in a run."""
    resumed = path / "recording.json"
    return json.loads((resumed if resumed.exists() else path / "provenance.json").read_text())["process"]


@pytest.mark.slow
def test_interrupted_and_killed_sweeps_go_on(tmp_path):
    folder, changes = tmp_path / "study", [*TINY, *LONG]
    process = start(folder, *changes)
    wait_until(lambda: epochs(folder / "lstm" / "seed-0") > 30)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert "interrupted" in told
    done = epochs(folder / "lstm" / "seed-0")
    assert done > 0

    process = start(folder, *changes)
    path = folder / "lstm" / "seed-1"
    before = epochs(path)
    wait_until(lambda: epochs(path) > before + 10)
    os.kill(recorded_by(path), signal.SIGKILL)
    _, told = process.communicate(timeout=180)
    assert process.returncode == 2, told
    assert "1 of 3 networks are left out of this" in told
    assert "killed" in told
    assert (folder / "report.html").exists()
    assert experiments.stored(folder / "findings")["networks"]["seed"].values.tolist() == [0, 2]

    process = start(folder, *changes)
    wait_until(lambda: any(folder.glob("lstm/seed-1/probes/orbits-*")))
    process.kill()
    process.communicate()

    process = start(folder, *changes)
    _, told = process.communicate(timeout=180)
    assert process.returncode == 0, told
    assert experiments.stored(folder / "findings")["networks"]["seed"].values.tolist() == [0, 1, 2]
    never = tmp_path / "never"
    plan = experiments.plan(sine.STUDY, never, models=["lstm"], seeds=[1], changes=changes)
    (config,) = plan.trainings.values()
    from rnnscope.training import fit

    fit(replace(config), never / "run")
    ours, theirs = Run(folder / "lstm" / "seed-1"), Run(never / "run")
    assert ours.scalars["loss"].tolist() == theirs.scalars["loss"].tolist()


@pytest.mark.slow
def test_full_disk(tmp_path):
    folder = tmp_path / "study"
    arguments = ["reproduce", "sine", "--models", "lstm", "--workers", "1", "--run", str(folder)]
    arguments += words(TINY)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)); "
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"from rnnscope.cli import main; main({arguments!r})"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "File too large" in ended.stderr or "No space left" in ended.stderr
    call(*arguments)
    assert (folder / "report.html").exists()
