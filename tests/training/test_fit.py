import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import torch

from rnnscope.base.errors import RunError, TrainingDivergedError
from rnnscope.runs import Run
from rnnscope.training import Config, fit
from rnnscope.training.loop import choose_device

TINY = ["n_epochs=5", "hidden_size=4", "task.length=20", "n_frequencies=20"]


def tiny(*changes, **arguments):
    return Config.assemble("sine", changes=[*TINY, *changes], **arguments)


@pytest.mark.parametrize("model", ["lstm", "gru", "rnn"])
def test_the_loss_falls_and_all_is_recorded(tmp_path, model):
    run = fit(tiny("n_epochs=30", "hidden_size=8", model=model), tmp_path / "run")
    assert run.status == "finished"
    assert run.scalars["loss"].iloc[-1] < run.scalars["loss"].iloc[0]
    assert run.scalars.index.tolist() == list(range(1, 31))
    assert run.scalars["step"].iloc[0] == 1
    assert set(run.scalars) == {"step", "loss", "gradient_norm", "learning_rate"}
    assert run.epochs.tolist() == list(range(31))


def test_same_seed_same_bits_and_another_seed_others(tmp_path):
    runs = [fit(tiny(seed=seed), tmp_path / str(k)) for k, seed in enumerate((0, 0, 1))]
    last = [run.snapshot()["core.weight_hh_l0"] for run in runs]
    assert torch.equal(last[0], last[1])
    assert not torch.equal(last[0], last[2])


def test_a_finished_run_is_used_again_and_others_are_refused(tmp_path):
    fit(tiny(), tmp_path / "run")
    calls = []
    fit(tiny(), tmp_path / "run", on_epoch=calls.append)
    assert not calls
    with pytest.raises(RunError, match=r"run with other settings .* is left as it is; choose .* \(overwrite=True\)"):
        fit(tiny(seed=1), tmp_path / "run")


def test_nan_stops_with_epoch_and_gradient_norm_and_keeps_the_run(tmp_path):
    with pytest.raises(
        TrainingDivergedError, match=r"loss is (nan|inf) at epoch \d+; the last finite gradient norm was \d"
    ):
        fit(
            tiny("n_epochs=50", "learning_rate=1e30", "schedule=constant", "nonlinearity=relu", model="rnn"),
            tmp_path / "run",
        )
    run = Run(tmp_path / "run")
    assert run.status == "diverged"
    assert "gradient norm" in run.ended["reason"]
    assert len(run.scalars) >= 1
    assert torch.isfinite(run.snapshot(epoch=0)["core.weight_hh_l0"]).all()


def test_milestones_that_a_preset_has_in_store_stand_in_the_way_of_no_other_schedule(tmp_path):
    config = Config.assemble("sine", preset="paper", changes=["schedule=one-cycle", *TINY])
    assert config.training["milestones"]
    run = fit(config, tmp_path / "run")
    assert Config.assemble(file=run.path / "config.toml") == config
    assert tiny("schedule=steps", "milestones=[3]", "decay=0.5").training["milestones"] == (3,)


def test_schedules():
    from rnnscope.training.loop import learning_rate

    def rates(*changes):
        settings = tiny("n_epochs=20", "learning_rate=1.0", *changes).training_settings()
        return [learning_rate(settings, epoch) for epoch in range(1, 21)]

    assert rates("schedule=constant") == [1.0] * 20
    assert rates("schedule=steps", "milestones=[5, 10]") == pytest.approx([1.0] * 5 + [0.1] * 5 + [0.01] * 10)
    cycle = rates("schedule=one-cycle")
    assert cycle.index(1.0) == 1
    assert cycle[0] == pytest.approx((1 + 1 / 25) / 2)
    assert cycle[10] == pytest.approx(0.5, abs=1e-5)
    assert cycle[-1] == pytest.approx(1 / 250_000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["n_epoch=3"], "unknown setting 'n_epoch': did you mean 'n_epochs'"),
        (["training.n_epoch=3"], "unknown setting of training 'n_epoch': did you mean 'n_epochs'"),
        (["trainig.n_epochs=3"], "unknown table of settings 'trainig': did you mean 'training'"),
        (["n_epochs"], "--set: expected key=value"),
        (["n_epochs=0"], "n_epochs: expected a positive whole number, came 0"),
        (["n_epochs=many"], "n_epochs: expected a positive whole number, came 'many'"),
        (["learning_rate=-1"], "learning_rate: expected a positive number, came -1"),
        (["schedule=stepps"], "unknown schedule 'stepps': did you mean 'steps'"),
        (["decay=half", "schedule=steps"], "decay: expected a number, came 'half'"),
        (["lowest=low"], "lowest: expected a number, came 'low'"),
        (["milestones=[3]"], "milestones: it is for the schedule 'steps' only, and the schedule is 'one-cycle': add"),
        (["training.decay=0.5", "schedule=constant"], "decay: it is for the schedule 'steps' only"),
        (["recording.every=0"], "recording.every: expected a positive whole number"),
        (["hidden_size=0"], "hidden_size: expected a positive whole number"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(*changes)


def test_unknown_task_model_preset_device(tmp_path):
    arguments: dict[str, Any]
    for arguments, message in (
        ({"task": "sinus"}, "unknown task 'sinus': did you mean 'sine'"),
        ({"task": "sine", "model": "lst"}, "unknown model 'lst': did you mean 'lstm'"),
        ({"task": "sine", "preset": "slow"}, "unknown preset of task sine 'slow'"),
    ):
        with pytest.raises(ValueError, match=message):
            Config.assemble(**arguments)
    with pytest.raises(ValueError, match="device: expected cpu or cuda, came 'gpu'"):
        fit(tiny(device="gpu"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_runs_own_config_file_gives_its_settings_again(tmp_path):
    config = tiny("model.num_layers=2", "max_gradient_norm=none", model="gru", seed=7)
    run = fit(config, tmp_path / "run")
    again = Config.assemble(file=run.path / "config.toml")
    assert again.training["max_gradient_norm"] is None
    assert again == config
    assert Config.assemble(file=run.path / "config.toml", model="lstm", seed=1).model["hidden_size"] == 32
    with pytest.raises(RunError, match=r"missing.toml: cannot be read"):
        Config.assemble(file=tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("a = [")
    with pytest.raises(RunError, match=r"bad.toml: not valid TOML"):
        Config.assemble(file=tmp_path / "bad.toml")


def start(path, *changes, code="", epoch="epochs 100/"):
    """A real process that trains for long; returns when it has reached an epoch."""
    program = (
        "from rnnscope.cli import main\n" + code + "\n"
        f"main(['train', 'sine', '--run', {str(path)!r}, *{[x for c in (*TINY, *changes) for x in ('--set', c)]!r}])"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process, text):
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


def test_ctrl_c_ends_cleanly_and_keeps_the_run(tmp_path):
    process = start(tmp_path / "run", "n_epochs=20000", "recording.every=100")
    wait_for(process, "epochs 2000/")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; what was recorded and measured is kept" in errors
    assert "Traceback" not in errors
    run = Run(tmp_path / "run")
    assert run.status == "interrupted"
    assert len(run.scalars) >= 2000
    assert not list((tmp_path / "run").rglob("*.part"))
    run.snapshot()
    with pytest.raises(RunError, match="is interrupted at epoch"):
        fit(tiny("n_epochs=20000", "recording.every=100"), tmp_path / "run")


def test_a_killed_run_is_readable_up_to_the_kill(tmp_path):
    process = start(tmp_path / "run", "n_epochs=20000", "recording.every=100")
    wait_for(process, "epochs 2000/")
    time.sleep(0.05)
    process.kill()
    process.communicate()
    run = Run(tmp_path / "run")
    assert run.status == "interrupted"
    assert len(run.scalars) >= 2000
    for step in run.steps:
        run.snapshot(step=int(step))
    assert not run.damaged


@pytest.mark.parametrize("kilobytes", [2, 6, 40])
def test_a_full_disk_stops_with_one_line_and_loses_nothing(tmp_path, kilobytes):
    """A limit on file size stands in for a full disk: writing fails in the middle of a file, for real."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 1000}, {kilobytes * 1000}))"
    )
    process = start(tmp_path / "run", "n_epochs=2000", "recording.every=1000", code=code)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "No space left on device" in errors or "File too large" in errors
    assert "What was recorded before is whole" in errors
    assert "Traceback" not in errors
    run = Run(tmp_path / "run")
    losses = run.scalars["loss"]
    assert losses.notna().to_numpy().all()
    assert losses.index.tolist() == list(range(1, len(losses) + 1))
    assert not run.damaged
    for step in run.steps:
        run.snapshot(step=int(step))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(tmp_path):
    run = fit(tiny(device="cuda"), tmp_path / "run")
    assert run.probe("orbits", n_transient=50, n_keep=50).sizes["step"] == 6


@pytest.mark.slow
def test_killed_three_times_and_resumed_it_ends_with_the_same_bits(tmp_path):
    """SIGKILL at seeded random moments; dropout draws random numbers at every step."""
    changes = ["n_epochs=3000", "recording.every=50", "model.num_layers=2", "model.dropout=0.2", "n_threads=1"]
    import random

    moments = random.Random(0)
    process = start(tmp_path / "killed", *changes)
    for percent in (10, 40, 70):
        wait_for(process, f"epochs {percent * 30}/")
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.communicate()
        assert Run(tmp_path / "killed").status == "interrupted"
        code = f"from rnnscope.cli import main; main(['resume', {str(tmp_path / 'killed')!r}])"
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    killed, never = Run(tmp_path / "killed"), fit(tiny(*changes), tmp_path / "never")
    assert killed.status == "finished"
    assert killed.steps.tolist() == never.steps.tolist()
    for step in never.steps.tolist():
        ours, theirs = killed.snapshot(step=step), never.snapshot(step=step)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), step
    assert killed.scalars.equals(never.scalars)


def test_resume_refuses_what_it_cannot_go_on_with(tmp_path):
    with pytest.raises(RunError, match="no run there to resume"):
        fit(tiny("n_threads=none"), tmp_path / "nowhere", resume=True)

    def interrupt(epoch):
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny("n_threads=none"), tmp_path / "run", on_epoch=interrupt)
    with pytest.raises(RunError, match=r"other settings \(seed 0 there, 1 here\)"):
        fit(tiny("n_threads=none", seed=1), tmp_path / "run", resume=True)
    with pytest.raises(RunError, match=r"is interrupted at epoch 3.*\(resume=True\).*\(overwrite=True\)"):
        fit(tiny("n_threads=none"), tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[:-7])
    with pytest.raises(RunError, match=r"cannot be resumed\. Its snapshots can still be probed"):
        fit(tiny("n_threads=none"), tmp_path / "run", resume=True)
    checkpoint.unlink()
    with pytest.raises(RunError, match="no checkpoint to resume from"):
        fit(tiny("n_threads=none"), tmp_path / "run", resume=True)
    checkpoint.write_bytes(content)
    torch.set_num_threads(2)
    with pytest.warns(UserWarning, match=r"threads: 1 then, 2 now.*bit for bit"):
        run = fit(tiny("n_threads=none"), tmp_path / "run", resume=True)
    assert run.status == "finished"
    assert run.scalars.index.tolist() == [1, 2, 3, 4, 5]


def test_resuming_on_another_machine_is_told(tmp_path):
    from rnnscope.runs.tensors import load_tensors, save_tensors

    def interrupt(epoch):
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), tmp_path / "run", on_epoch=interrupt)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    tensors, metadata = load_tensors(checkpoint)
    save_tensors(checkpoint, tensors, {**metadata, "machine": "elsewhere arm64", "torch": "2.6.0"})
    with pytest.warns(UserWarning, match=r"torch: 2.6.0 then.*; machine: elsewhere arm64 then, .* now.*bit for bit"):
        run = fit(tiny(), tmp_path / "run", resume=True)
    assert run.status == "finished"
    assert run.scalars.index.tolist() == [1, 2, 3, 4, 5]


def test_a_device_that_is_not_there_is_told_in_words(monkeypatch):
    assert choose_device("cpu") == torch.device("cpu")
    for name in ("foo", "cuda:", "cuda:x", "cpu:1", "mps", ""):
        with pytest.raises(ValueError, match=f"^device: expected cpu or cuda, came {name!r}$"):
            choose_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device: expected a GPU that PyTorch can use, for 'cuda'; there is none"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="for 'cuda:1'; there is 1 only, numbered from 0"):
        choose_device("cuda:1")
    monkeypatch.setattr(torch, "empty", fail_as_torch_does)
    with pytest.raises(ValueError, match=r"device: expected one that is free, 'cuda:0' is not: busy$"):
        choose_device("cuda:0")


def fail_as_torch_does(*_, **__):
    raise RuntimeError("busy\nand ten lines of advice")
