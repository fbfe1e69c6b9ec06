"""Several trainings in processes: killed, interrupted, orphaned, gone on with; the same bits as never disturbed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnscope.base.errors import RunError
from rnnscope.cli import main
from rnnscope.runs import Run
from rnnscope.training import Config, fit, fit_seeds, fit_several

TINY = ["n_epochs=4", "hidden_size=4", "task.length=20", "n_frequencies=20"]
LONG = ["n_epochs=1500", "recording.every=50"]


def tiny(*changes, **arguments):
    return Config.assemble("sine", changes=[*TINY, *changes], **arguments)


def words(*changes):
    return [word for change in (*TINY, *changes) for word in ("--set", change)]


def start(folder, *changes, seeds="0,1", **options):
    """A real process that trains over seeds with two workers."""
    arguments = ["train", "sine", "--seeds", seeds, "--workers", "2", "--run", str(folder), *words(*changes)]
    command = [sys.executable, "-c", f"from rnnscope.cli import main; main({arguments!r})"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def epochs(path):
    return len(Run(path).scalars) if (path / "scalars.jsonl").exists() else 0


def both_at_work(folder):
    wait_until(lambda: all(epochs(folder / f"seed-{seed}") >= 60 for seed in (0, 1)))


def worker(path):
    return json.loads((path / "provenance.json").read_text())["process"]


def assert_same_bits(path, config, never):
    ours, theirs = Run(path), fit(config, never)
    assert ours.status == "finished"
    assert ours.steps.tolist() == theirs.steps.tolist()
    assert ours.scalars.equals(theirs.scalars)
    for step in theirs.steps.tolist():
        there = theirs.snapshot(step=step)
        assert all(torch.equal(tensor, there[name]) for name, tensor in ours.snapshot(step=step).items()), step
    assert ours.check() == []


@pytest.mark.parametrize("n_workers", [1, 2])
def test_each_seed_gives_the_bits_of_a_training_alone(tmp_path, n_workers):
    ends, standings = [], []
    outcomes = fit_seeds(
        tiny(), [0, 3], tmp_path / "several", n_workers=n_workers, on_end=ends.append, on_progress=standings.append
    )
    assert [(o.seed, o.path.name, o.begun, o.status) for o in outcomes] == [
        (0, "seed-0", "new", "finished"),
        (3, "seed-3", "new", "finished"),
    ]
    assert sorted(ends, key=lambda o: o.seed) == outcomes
    assert (standings[-1].epochs, standings[-1].n_epochs, standings[-1].ended) == (8, 8, 2)
    for outcome in outcomes:
        assert_same_bits(outcome.path, tiny(seed=outcome.seed), tmp_path / f"alone-{outcome.seed}")
    again = fit_seeds(tiny(), [0, 3, 4], tmp_path / "several", n_workers=n_workers)
    assert [o.begun for o in again] == ["reused", "reused", "new"]


def test_a_diverging_network_is_an_outcome_and_is_kept(tmp_path):
    diverging = ["n_epochs=50", "learning_rate=1e30", "schedule=constant", "nonlinearity=relu"]
    trainings = {tmp_path / "bad": tiny(*diverging, model="rnn"), tmp_path / "good": tiny()}
    for begun in ("new", "reused"):
        bad, good = fit_several(trainings)
        assert (bad.status, bad.begun, good.status) == ("diverged", begun, "finished")
        assert "the last finite gradient norm" in bad.reason


def test_what_fails_is_told_and_the_others_go_on(tmp_path, monkeypatch):
    import rnnscope.training.several as several

    def full(config, path, **options):
        if config.seed == 1:
            raise OSError(28, "No space left on device", str(path))
        return fit(config, path, **options)

    monkeypatch.setattr(several, "fit", full)
    outcomes = fit_seeds(tiny(), range(3), tmp_path)
    assert [outcome.status for outcome in outcomes] == ["finished", "failed", "finished"]
    assert "No space left on device" in outcomes[1].reason


def test_nothing_is_begun_where_something_is_in_the_way(tmp_path):
    fit(tiny(seed=1), tmp_path / "seed-1")
    with pytest.raises(RunError, match=r"seed-1 is a run with other settings \(model.hidden_size 4 there, 5 here\)"):
        fit_seeds(tiny("hidden_size=5"), [0, 1], tmp_path)
    with pytest.raises(ValueError, match="device: expected cpu or cuda, came 'tpu'"):
        fit_seeds(tiny(device="tpu"), [2], tmp_path)
    seeds: list[Any]
    for seeds in ([], [0, 0], [-1], [0.5]):
        with pytest.raises(ValueError, match="seeds: expected"):
            fit_seeds(tiny(), seeds, tmp_path)
    with pytest.raises(ValueError, match="workers: expected a positive whole number, came 0"):
        fit_seeds(tiny(), [2], tmp_path, n_workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["seed-1"]


def test_a_run_that_another_process_records_is_left_alone(tmp_path):
    from rnnscope.runs import RunFolder

    def interrupt(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), tmp_path / "seed-0", on_epoch=interrupt)
    RunFolder.reopen(tmp_path / "seed-0")
    with pytest.raises(RunError, match="another process is still recording in it"):
        fit_seeds(tiny(), [0], tmp_path)


def test_a_run_that_ended_before_its_first_checkpoint_begins_again(tmp_path):
    def interrupt(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), tmp_path / "seed-0", on_epoch=interrupt)
    (tmp_path / "seed-0" / "checkpoint.safetensors").unlink()
    (outcome,) = fit_seeds(tiny(), [0], tmp_path)
    assert outcome.begun == "resumed"
    assert_same_bits(outcome.path, tiny(), tmp_path / "never")


@pytest.mark.slow
def test_a_killed_worker_costs_its_seed_and_the_same_command_goes_on(tmp_path):
    process = start(tmp_path / "runs", *LONG)
    both_at_work(tmp_path / "runs")
    os.kill(worker(tmp_path / "runs" / "seed-0"), signal.SIGKILL)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert "seed-0: failed; its worker process was killed (for lack of memory?)" in errors
    assert "error: of 2 trainings 1 failed" in errors
    assert "the same command goes on with them. What was recorded is kept" in errors
    assert "Traceback" not in errors
    assert "1 of 2 finished" in out
    assert [Run(tmp_path / "runs" / f"seed-{seed}").status for seed in (0, 1)] == ["interrupted", "finished"]
    again = start(tmp_path / "runs", *LONG)
    out, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert "goes on from there" in errors
    assert "seed-0: finished, resumed; loss" in errors
    assert "seed-1: finished, used again; loss" in errors
    for seed in (0, 1):
        assert_same_bits(tmp_path / "runs" / f"seed-{seed}", tiny(*LONG, seed=seed), tmp_path / f"never-{seed}")


@pytest.mark.parametrize("whom", [pytest.param("parent", marks=pytest.mark.slow), "terminal"])
def test_ctrl_c_stops_all_and_what_they_recorded_is_kept(tmp_path, whom):
    process = start(tmp_path, *LONG, seeds="0:3", start_new_session=True)
    both_at_work(tmp_path)
    workers = [worker(tmp_path / f"seed-{seed}") for seed in (0, 1)]
    if whom == "parent":
        process.send_signal(signal.SIGINT)
    else:
        os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted; what was recorded and measured is kept" in errors
    assert "Traceback" not in errors
    for seed, pid in enumerate(workers):
        run = Run(tmp_path / f"seed-{seed}")
        assert (run.status, run.ended["reason"]) == ("interrupted", "KeyboardInterrupt")
        assert not Path(f"/proc/{pid}").exists()
        assert not list(run.path.rglob("*.part"))
        assert (run.path / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_workers_stop_when_the_process_that_began_them_is_killed(tmp_path):
    process = start(tmp_path, *LONG, "n_epochs=100000")
    both_at_work(tmp_path)
    workers = [worker(tmp_path / f"seed-{seed}") for seed in (0, 1)]
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    for seed in (0, 1):
        assert Run(tmp_path / f"seed-{seed}").ended["reason"] == "KeyboardInterrupt"


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


def test_seeds_and_models_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    call("train", "sine", "--model", "gru", "--seeds", "1:3", *words())
    assert "next: rnnscope probe orbits runs/sine-gru-1 runs/sine-gru-2" in capsys.readouterr().out
    call("train", "sine", "--model", "gru,rnn", "--seeds", "4,", "--run", "both", "--json", *words())
    shown = capsys.readouterr()
    assert [(row["run"], row["status"], row["epochs"]) for row in json.loads(shown.out)] == [
        ("both/gru/seed-4", "finished", 4),
        ("both/rnn/seed-4", "finished", 4),
    ]
    assert shown.err.count("snapshots, about") == 2
    call("train", "sine", "--model", "gru,rnn", "--seed", "5", *words())
    assert {path.name for path in Path("runs").iterdir()} == {"sine-gru-1", "sine-gru-2", "sine-gru-5", "sine-rnn-5"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "many"], "--seeds: expected how many (5), a range (5:8) or different seeds (0,3,7), came 'many'"),
        (["--seeds", "0"], "--seeds: expected"),
        (["--seeds", "1,1"], "--seeds: expected"),
        (["--seeds", "5:5"], "--seeds: expected"),
        (["--seeds=-1,2"], "--seeds: expected"),
        (["--seeds", "2", "--seed", "3"], "--seed 3 --seeds 2: expected one of them"),
        (["--workers", "2"], "--workers: expected with --seeds or several models, came 2 for a single training"),
        (["--seeds", "2", "--workers", "0"], "workers: expected a positive whole number, came 0"),
        (["--model", "lstm,lstm"], "--model: expected different names"),
        (["--model", "lstm,gruu"], "unknown model 'gruu': did you mean 'gru'"),
        (["--seeds", "2", "--device", "tpu"], "device: expected cpu or cuda, came 'tpu'"),
    ],
)
def test_bad_arguments_begin_nothing(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    call("train", "sine", *arguments, *words(), status=2)
    shown = capsys.readouterr().err
    assert message in shown
    assert not list(tmp_path.iterdir())
