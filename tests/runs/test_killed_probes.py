"""Real processes that measure, killed: nothing is damaged, what was measured is kept, the rest is measured later."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from rnnscope.cli import main
from rnnscope.runs import Run
from rnnscope.training import Config, fit

SETTINGS = {"n_transient": 800, "n_keep": 200, "tolerance": 1e-30}  # nothing settles, so that it takes its time


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    changes = ["n_epochs=60", "hidden_size=4", "task.length=20", "n_frequencies=20", "n_probed=3", "n_threads=1"]
    return fit(Config.assemble("sine", model="gru", changes=changes), tmp_path_factory.mktemp("killed") / "run")


@pytest.fixture
def path(trained, tmp_path):
    return shutil.copytree(trained.path, tmp_path / "run")


def start(program, **options):
    code = "import torch; torch.set_num_threads(1); from rnnscope.runs import Run, results\n" + program
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], **pipes, **options)


def wait_for(stream, text):
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return
    raise AssertionError("".join(lines))


def assert_whole(path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["runs", "--check", str(path)])
    assert ended.value.code == 0, capsys.readouterr().out


@pytest.fixture(scope="module")
def never_killed(trained, tmp_path_factory):
    copy = shutil.copytree(trained.path, tmp_path_factory.mktemp("never") / "run")
    return Run(copy).probe("orbits", **SETTINGS)


@pytest.mark.slow
def test_killed_three_times_it_ends_with_the_same_bits(path, never_killed, capsys):
    program = (
        f"results.FLUSH_SECONDS = 0.05; Run({str(path)!r}).probe('orbits', "
        f"progress=lambda done, total: print('measured', done, flush=True), **{SETTINGS!r})"
    )
    moments, kept = random.Random(0), [0]
    for _ in range(3):
        process = start(program)
        wait_for(process.stdout, "measured 3")
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.communicate()
        kept.append(Run(path).dataset("orbits").sizes["step"])
        assert_whole(path, capsys)
    assert kept == sorted(set(kept))
    process = start(program)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert out.count("measured") == 61 - kept[-1]
    xr.testing.assert_identical(Run(path).dataset("orbits"), never_killed)
    assert_whole(path, capsys)


@pytest.mark.slow
def test_a_killed_worker_is_told_and_a_second_call_completes(path, never_killed, capsys):
    words = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    arguments = ["probe", "orbits", str(path), "--workers", "2", *words]
    process = start(f"from rnnscope.cli import main; main({arguments!r})")
    wait_for(process.stderr, "probing orbits: epochs")
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "error: a worker process was killed" in errors
    assert "the same call again does the rest" in errors
    assert "Traceback" not in errors
    assert 0 < Run(path).dataset("orbits").sizes["step"] < 61
    assert_whole(path, capsys)
    again = start(f"from rnnscope.cli import main; main({arguments!r})")
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    xr.testing.assert_identical(Run(path).dataset("orbits"), never_killed)


def test_ctrl_c_among_workers_ends_in_one_line_and_keeps_what_was_measured(path, capsys):
    words = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    arguments = ["probe", "orbits", str(path), "--workers", "2", *words]
    process = start(f"from rnnscope.cli import main; main({arguments!r})", start_new_session=True)
    wait_for(process.stderr, "probing orbits: epochs")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=60)
    told = [line for line in errors.splitlines() if not line.startswith("probing orbits: epochs")]
    assert told == ["error: interrupted; what was recorded and measured is kept"]
    assert process.returncode == 130
    assert 0 < Run(path).dataset("orbits").sizes["step"] < 61
    assert_whole(path, capsys)


def test_two_processes_that_measure_different_epochs_keep_the_results_of_both(path, capsys):
    """Blocks of the same first and last step, with others between."""
    quick: dict[str, Any] = {"n_transient": 20, "n_keep": 10}
    first, second = Run(path), Run(path)
    first.probe("orbits", epochs=[0, 3, 9], **quick)
    (block,) = path.glob("probes/*/*.nc")
    hidden = block.rename(block.with_suffix(".hidden"))  # the second began before the first wrote
    second.probe("orbits", epochs=[0, 6, 9], **quick)
    hidden.rename(block)
    assert len(list(path.glob("probes/*/*.nc"))) == 2
    assert Run(path).dataset("orbits").epoch.values.tolist() == [0, 3, 6, 9]
    assert_whole(path, capsys)


def workers_of(process):
    """The loky workers among the children of a process."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    found = [pid for pid in children if "LokyProcess" in Path(f"/proc/{pid}/cmdline").read_text()]
    return [int(pid) for pid in found]


def test_a_full_disk_is_an_error_and_ends_no_process(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np, xarray as xr\n"
        "from rnnscope.runs.results import write_dataset\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "values = np.random.default_rng(0).random(100_000)\n"
        "try:\n"
        "    write_dataset(Path(sys.argv[1]), xr.Dataset({'value': ('x', values)}))\n"
        "except OSError as error:\n"
        "    print('refused', error.errno)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.nc")], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("refused")
    assert list(tmp_path.iterdir()) == []
