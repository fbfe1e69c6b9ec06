"""Reading runs, measuring, and what happens when files are damaged."""

import json
import shutil
import time
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from rnnscope.attractors import Orbits
from rnnscope.base.errors import DamagedFileError, RunError, UnsupportedModelError
from rnnscope.execution import processes
from rnnscope.runs import Run, list_runs
from rnnscope.runs.recorded import steps_of
from rnnscope.runs.results import join_blocks
from rnnscope.runs.scalars import append_scalars, read_scalars
from rnnscope.runs.tensors import load_tensors, save_tensors
from rnnscope.training import Recorder

QUICK = Orbits(inputs=[[0.2], [0.3]], n_starts=2, n_transient=60, n_keep=20)


def test_contents(small_run):
    assert small_run.status == "finished"
    assert small_run.config["model"] == {
        "name": "gru", "input_size": 1, "output_size": 1, "hidden_size": 4, "num_layers": 1, "dropout": 0.0,
    }  # fmt: skip
    assert small_run.steps.tolist() == list(range(7))
    assert small_run.epochs.tolist() == list(range(7))
    assert small_run.scalars["loss"].notna().all()
    assert "torch" in small_run.provenance["versions"]
    assert small_run.system(epoch=3).state_labels == ("h[0]", "h[1]", "h[2]", "h[3]")
    assert "7 snapshots, finished" in repr(small_run)


def test_probe_equals_measuring_each_network(run_copy):
    result = run_copy.probe(QUICK)
    assert result.orbit.dims == ("step", "input", "start", "time", "output")
    for step in run_copy.steps:
        alone = QUICK.measure(run_copy.system(step=int(step)), run_copy.sequences)
        xr.testing.assert_equal(result.sel(step=step).drop_vars(["step", "epoch", "loss"]), alone)
    np.testing.assert_array_equal(result.epoch, run_copy.epochs)
    np.testing.assert_array_equal(result.loss[1:], run_copy.scalars["loss"])


def test_only_what_is_missing_is_measured(run_copy, monkeypatch):
    asked = []
    run_copy.probe(QUICK, epochs=[1, 4], progress=lambda done, total: asked.append((done, total)))
    assert asked == [(1, 2), (2, 2)]
    whole = run_copy.probe(QUICK, progress=lambda done, total: asked.append((done, total)))
    assert asked[-1] == (5, 5)
    assert whole.epoch.values.tolist() == list(range(7))
    monkeypatch.setattr(Orbits, "measure", None)
    xr.testing.assert_equal(Run(run_copy.path).probe(QUICK), whole)
    xr.testing.assert_equal(Run(run_copy.path).dataset("orbits"), whole)


def test_processes_give_the_same_bytes(run_copy, small_run, tmp_path):
    shutil.copytree(small_run.path, tmp_path / "other")
    with processes(2) as executor:
        parallel = run_copy.probe(QUICK, executor=executor)
    xr.testing.assert_identical(parallel, Run(tmp_path / "other").probe(QUICK))


def test_choosing_epochs(small_run, tmp_path):
    run = Run(shutil.copytree(small_run.path, tmp_path / "copy"))
    assert steps_of(run.path, run.steps, run.epochs, 3) == [0, 3, 6]
    assert steps_of(run.path, run.steps, run.epochs, 4) == [0, 4, 6]
    assert steps_of(run.path, run.steps, run.epochs, slice(2, 5)) == [2, 3, 4]
    assert steps_of(run.path, run.steps, run.epochs, slice(None, None, 2)) == [0, 2, 4, 6]
    assert steps_of(run.path, run.steps, run.epochs, [6, 1, 1]) == [1, 6]
    with pytest.raises(RunError, match="no weights were recorded at epoch 99; the nearest is epoch 6"):
        run.probe(QUICK, epochs=[99])
    with pytest.raises(RunError, match=r"no recorded epoch in 50:60 \(it ends before 60\); there are 0 … 6"):
        run.probe(QUICK, epochs=slice(50, 60))
    with pytest.raises(ValueError, match="epochs: expected a positive stride"):
        run.probe(QUICK, epochs=0)


def test_results_of_lengths_that_differ_are_filled_up():
    def block(step, n):
        values = {"x": (("step", "point"), np.ones((1, n))), "status": (("step", "point"), np.ones((1, n), np.int8))}
        return xr.Dataset(values, {"step": [step], "point": np.arange(n)})

    whole = join_blocks([block(0, 2), block(5, 3), block(9, 1)])
    np.testing.assert_array_equal(whole.x, [[1, 1, np.nan], [1, 1, 1], [1, np.nan, np.nan]])
    np.testing.assert_array_equal(whole.status, [[1, 1, -1], [1, 1, 1], [1, -1, -1]])
    assert whole.status.dtype == np.int8
    assert whole.point.values.tolist() == [0, 1, 2]


def test_probes_begin_at_states_that_the_network_visits_on_the_recorded_sequences(tmp_path):
    model = nn.LSTM(1, 3)
    sequences = torch.randn(100, 12, 1)
    with Recorder(tmp_path / "with", model, sequences=sequences) as recorder:
        recorder.epoch(1, loss=0.5)
    with Recorder(tmp_path / "without", model) as recorder:
        recorder.epoch(1, loss=0.5)
    quick = Orbits(inputs=[[0.0]], n_transient=5, n_keep=2)
    seen, unseen = (Run(tmp_path / name).probe(quick) for name in ("with", "without"))
    assert '"starts":"visited"' in seen.attrs["settings"]
    assert '"starts":"normal(1)"' in unseen.attrs["settings"]
    run = Run(tmp_path / "with")
    assert run.sequences is not None
    assert run.sequences.shape == (64, 12, 1)
    xr.testing.assert_equal(seen.isel(step=-1).drop_vars(["step", "epoch", "loss"]),
                            quick.measure(run.system(), run.sequences))  # fmt: skip
    with pytest.raises(ValueError, match=r"sequences: expected shape \(sequence, time, 1\) .*, came \(12, 1\)"):
        Recorder(tmp_path / "flat", model, sequences=sequences[0])
    assert not (tmp_path / "flat").exists()
    (tmp_path / "with" / "sequences.safetensors").write_bytes(b"lost")
    assert "sequences.safetensors" in Run(tmp_path / "with").check()[0]
    with pytest.raises(DamagedFileError, match=r"sequences\.safetensors"):
        Run(tmp_path / "with").probe(Orbits(n_transient=3, n_keep=2))
    Run(tmp_path / "with").probe(Orbits(inputs=[[0.0]], n_transient=3, n_keep=2, starts="normal(1)"))


def test_probe_by_name_takes_the_tasks_inputs(run_copy):
    result = run_copy.probe("orbits", epochs=[6])
    assert result.sizes["input"] == 3
    assert result.sizes["time"] == 50
    assert result.input_value.attrs == {"long_name": "input frequency ω", "units": "rad/step"}
    np.testing.assert_array_equal(result.wanted_frequency, result.input_value[:, 0])
    with pytest.raises(ValueError, match="unknown probe 'orbit': did you mean 'orbits'"):
        run_copy.probe("orbit")
    with pytest.raises(TypeError, match="go with a probe's name"):
        run_copy.probe(QUICK, n_keep=3)


def test_of_several_results_the_usual_ones_are_given_else_those_at_most_epochs_else_the_last(run_copy):
    run_copy.probe("orbits", n_keep=30)
    run_copy.probe(QUICK, epochs=[1])
    assert run_copy.dataset("orbits").sizes["time"] == 30
    run_copy.probe(QUICK)
    assert run_copy.dataset("orbits").sizes["time"] == 20
    run_copy.probe("orbits", epochs=[2])
    run_copy.probe("orbits", n_keep=30, epochs=[3])
    assert run_copy.dataset("orbits").sizes["time"] == 50
    assert run_copy.dataset("orbits", inputs=np.array([[0.2], [0.3]])).sizes["time"] == 20
    assert run_copy.dataset("orbits", n_keep=20).sizes == {**QUICK.measure(run_copy.system()).sizes, "step": 7}
    with pytest.raises(RunError, match=r"no readable results of probe 'orbits' with {'n_keep': 7}; stored: orbits"):
        run_copy.dataset("orbits", n_keep=7)
    with pytest.raises(RunError, match="no readable results of probe 'lyapunov'"):
        run_copy.dataset("lyapunov")


def test_an_interrupted_probe_keeps_what_it_measured(run_copy):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_copy.probe(QUICK, progress=interrupt)
    assert run_copy.dataset("orbits").epoch.values.tolist() == [0, 1, 2]
    remaining = []
    assert run_copy.probe(QUICK, progress=lambda done, total: remaining.append(total)).sizes["step"] == 7
    assert remaining[0] == 4


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = content[:0]
    else:
        content[int(how * len(content))] ^= 4
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("how", ["cut", "empty", 0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_damaged_snapshot_is_named_and_skipped(run_copy, how):
    path = run_copy.path / "snapshots" / "0000000003.safetensors"
    damage(path, how)
    with pytest.raises(DamagedFileError, match=r"0000000003.safetensors"):
        run_copy.snapshot(epoch=3)
    with pytest.warns(UserWarning, match="left out: .*0000000003.safetensors"):
        result = run_copy.probe(QUICK)
    assert result.epoch.values.tolist() == [0, 1, 2, 4, 5, 6]
    assert len(run_copy.damaged) == 1


@pytest.mark.parametrize("how", ["cut", "empty", 0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_a_damaged_result_is_named_skipped_and_measured_again(run_copy, how):
    expected = run_copy.probe(QUICK, epochs=[0, 1, 2])
    (path,) = run_copy.path.glob("probes/*/*.nc")
    run_copy.probe(QUICK, epochs=[4, 5])
    damage(path, how)
    with pytest.warns(UserWarning, match=f"left out: .*{path.name}"):
        left = Run(run_copy.path).dataset("orbits")
    assert left.epoch.values.tolist() == [4, 5]
    with pytest.warns(UserWarning, match=path.name):
        again = Run(run_copy.path).probe(QUICK, epochs=[0, 1, 2])
    xr.testing.assert_equal(again, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Run(run_copy.path).dataset("orbits").sizes["step"] == 5


def test_damaged_lines_of_scalars(run_copy):
    path = run_copy.path / "scalars.jsonl"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace("loss", "lass")
    path.write_text("\n".join(lines) + '\n{"step": 9, "ep')
    with pytest.warns(UserWarning, match=r"scalars.jsonl: line 3: differs from its check sum"):
        assert run_copy.scalars.index.tolist() == [1, 2, 4, 5, 6]
    assert run_copy.epochs.tolist() == list(range(7))


def test_scalars_after_a_torn_line_and_twice_the_same_step(tmp_path):
    path = tmp_path / "scalars.jsonl"
    append_scalars(path, {"step": 1, "epoch": 1, "loss": 1.0})
    with path.open("a") as file:
        file.write('{"step": 2, "epo')
    append_scalars(path, {"step": 2, "epoch": 2, "loss": float("nan")})
    append_scalars(path, {"step": 1, "epoch": 1, "loss": 0.5})
    frame, problems = read_scalars(path)
    assert frame["loss"].tolist()[0] == 0.5
    assert np.isnan(frame["loss"].tolist()[1])
    assert len(problems) == 1
    for line in path.read_text().splitlines()[2:]:
        json.loads(line, parse_constant=lambda _: pytest.fail("not standard JSON"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_tensors_come_back_bit_for_bit(tmp_path, dtype):
    tensors = {"a": torch.arange(6).reshape(2, 3).to(dtype), "b": torch.ones(()).to(dtype), "empty": torch.zeros(0, 3)}
    save_tensors(tmp_path / "t.safetensors", {**tensors, "view": tensors["a"].T}, {"note": "ω"})
    came, metadata = load_tensors(tmp_path / "t.safetensors")
    assert metadata == {"note": "ω"}
    for name, tensor in {**tensors, "view": tensors["a"].T}.items():
        assert torch.equal(came[name], tensor)
        assert came[name].dtype == tensor.dtype


def test_there_is_no_run(tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        Run(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a run folder"):
        Run(tmp_path)
    with pytest.raises(RunError, match="no such folder"):
        list_runs(tmp_path / "nowhere")
    assert list_runs(tmp_path) == []


def test_listing(small_run):
    assert [run.path for run in list_runs(small_run.path.parent)] == [small_run.path]


def test_a_model_that_does_not_fit_is_refused(small_run):
    assert Run(small_run.path, model=nn.GRU(1, 4)).system().output_size == 4
    with pytest.raises(UnsupportedModelError, match=r"other names than the model that was given: .* not there"):
        Run(small_run.path, model=nn.GRU(1, 5)).system()


def test_results_of_another_model_are_not_taken_for_the_runs_own(run_copy):
    own = run_copy.probe(QUICK, epochs=[6])
    bare = Run(run_copy.path, model=nn.GRU(1, 4)).probe(QUICK, epochs=[6])
    assert own.sizes["output"] == 1
    assert bare.sizes["output"] == 4


def test_one_snapshot_of_another_shape_is_named_and_skipped(run_copy):
    path = run_copy.path / "snapshots" / "0000000003.safetensors"
    tensors, metadata = load_tensors(path)
    save_tensors(path, {**tensors, "core.weight_ih_l0": torch.zeros(2, 2)}, metadata)
    with pytest.warns(UserWarning, match=r"0000000003.safetensors: does not fit the run's model"):
        assert run_copy.probe(QUICK).epoch.values.tolist() == [0, 1, 2, 4, 5, 6]


@pytest.mark.parametrize("content", [None, "", "{", "[1]"])
def test_results_without_their_description_are_still_found(run_copy, content):
    run_copy.probe(QUICK, epochs=[1])
    (path,) = run_copy.path.glob("probes/*/probe.json")
    path.unlink() if content is None else path.write_text(content)
    assert Run(run_copy.path).dataset("orbits", n_keep=20).sizes["step"] == 1


@pytest.mark.parametrize("name", ["provenance.json", "ended.json", "config.toml"])
@pytest.mark.parametrize("content", [None, "[1, 2]", "x = ["])
def test_a_lost_side_file_does_not_hide_the_run(run_copy, name, content):
    path = run_copy.path / name
    path.unlink() if content is None else path.write_text(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = Run(run_copy.path)
        assert run.status in ("finished", "running", "interrupted", "recorded")
        assert isinstance(run.provenance, dict)
        assert run.probe(QUICK, epochs=[1, 2]).sizes["step"] == 2
        assert [found.path for found in list_runs(run_copy.path.parent)] == [run_copy.path]
    assert (name == "ended.json" and content is None) or any(name in line for line in run.damaged)


@pytest.mark.slow
def test_a_run_of_a_thousand_epochs_opens_in_about_a_second(tmp_path):
    """Measured: see benchmarks; here with a fivefold slack."""
    recorder = Recorder(tmp_path / "run", (nn.LSTM(1, 8), nn.Linear(8, 1)))
    for epoch in range(1000):
        recorder.epoch(epoch, loss=1.0)
    probe = Orbits(inputs=np.linspace(0, 1, 10)[:, None], n_transient=60, n_keep=400)
    Run(tmp_path / "run").probe(probe)
    began = time.perf_counter()
    run = Run(tmp_path / "run")
    assert len(run.scalars) == 1000
    assert len(run.epochs) == 1001
    assert run.dataset("orbits").sizes["step"] == 1001
    assert time.perf_counter() - began < 5


def test_a_refused_probe_leaves_nothing_behind(run_copy):
    before = sorted(run_copy.path.rglob("*"))
    with pytest.raises(ValueError, match="inputs: expected 1 numbers"):
        run_copy.probe(Orbits(inputs=[[0.1, 0.2]]))
    assert [path for path in sorted(run_copy.path.rglob("*")) if path.name != "probes"] == before
    (run_copy.path / "probes" / "orbits-0123456789").mkdir(parents=True)
    assert not Run(run_copy.path).has("orbits")
