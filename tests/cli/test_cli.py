"""The command line as a user types it: real processes where exit status and startup matter."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from rnnscope.cli import main
from rnnscope.cli._terminal import named_warnings

RNNSCOPE = Path(sys.executable).with_name("rnnscope")
TINY = ["--set", "n_epochs=4", "--set", "hidden_size=4", "--set", "task.length=20", "--set", "n_frequencies=20"]


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


def shell(*arguments, **options):
    return subprocess.run([RNNSCOPE, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def test_help_is_quick_and_loads_no_torch():
    code = "import sys; from rnnscope.cli.app import build_app; build_app()(['--help'], exit_on_error=False)"
    code += "\nassert 'torch' not in sys.modules and 'xarray' not in sys.modules"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for command in ("demo", "train", "resume", "probe", "show", "figure", "report", "runs"):
        assert command in shown.stdout


@pytest.mark.parametrize("command", ["demo", "train", "resume", "probe", "show", "figure", "report", "runs"])
def test_each_command_has_help_without_torch(command, capsys):
    call(command, "--help")
    shown = capsys.readouterr().out
    assert f"rnnscope {command}" in shown
    assert command == "demo" or "Example:" in shown


def test_the_whole_way(tmp_path, capsys):
    run = tmp_path / "run"
    call("train", "sine", "--model", "gru", *TINY, "--run", run)
    shown = capsys.readouterr()
    assert "snapshots" in shown.err
    assert f"next: rnnscope probe orbits {run}" in shown.out
    call("train", "sine", "--model", "gru", *TINY, "--run", run, "--json")
    shown = capsys.readouterr()
    assert "used again" in shown.err
    assert json.loads(shown.out)["epochs"] == 4

    call("show", run)
    shown = capsys.readouterr().out
    assert "nothing was probed yet" in shown
    assert "rnnscope probe orbits" in shown
    settings = ["--set", "n_transient=60", "--set", "n_keep=40", "--epochs", "2"]
    call("probe", "orbits", run, *settings)
    assert "rests ×10" in capsys.readouterr().out
    call("probe", "orbits", run, *settings, "--json", "--workers", "2")
    assert json.loads(capsys.readouterr().out)["settings"]["n_keep"] == 40

    call("show", run)
    assert "gru on sine" in capsys.readouterr().out
    call("show", run, "--json")
    assert json.loads(capsys.readouterr().out)["status"] == "finished"
    call("runs", tmp_path, "--json")
    assert json.loads(capsys.readouterr().out)[0]["probes"] == ["orbits"]
    call("runs", tmp_path)
    assert "finished" in capsys.readouterr().out

    for ending in ("png", "svg", "pdf", "html"):
        call("figure", "orbit-diagram", run, "-o", tmp_path / f"orbits.{ending}")
        assert (tmp_path / f"orbits.{ending}").stat().st_size > 5000
    call("report", run, "-o", tmp_path / "report.html")
    assert "rnnscope" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian", "sine"], 'Did you mean "train"'),
        (["train"], "requires an argument"),
        (["train", "sinus"], "unknown task 'sinus': did you mean 'sine'"),
        (["train", "sine", "--model", "lstn"], "unknown model 'lstn': did you mean 'lstm'"),
        (["train", "sine", "--preset", "papper"], "did you mean 'paper'"),
        (["train", "sine", "--set", "epochs=3"], "unknown setting 'epochs': did you mean 'n_epochs'"),
        (["train", "sine", "--set", "n_epochs"], "expected key=value"),
        (["train", "sine", "--seed", "-1"], "seed: expected"),
        (["train", "sine", "--device", "tpu9"], "device: expected cpu or cuda, came 'tpu9'"),
        (["train", "sine", "--device", "cuda:x"], "device: expected cpu or cuda, came 'cuda:x'"),
        (["train", "sine", "--config", "none.toml"], "none.toml: cannot be read"),
        (["train", "sine", "--runn", "x"], "Did you mean --run"),
        (["resume", "nowhere"], "nowhere: no such folder"),
        (["show", "nowhere"], "nowhere: no such folder"),
        (["runs", "nowhere"], "nowhere: no such folder"),
        (["probe", "orbits", "nowhere"], "no such folder"),
        (["report", "nowhere"], "no such folder"),
        (["figure", "orbit-diagram", "nowhere", "-o", "x.gif"], ".png"),
    ],
)
def test_wrong_use_ends_with_status_2_and_at_most_two_lines(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    call(*arguments, status=2)
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert shown.startswith("error: ")
    assert len(shown.strip().splitlines()) <= 2
    assert not list(tmp_path.iterdir())


def test_bad_input_about_a_run(small_run, tmp_path, capsys):
    for arguments, message in (
        (["probe", "orbit", small_run.path], "unknown probe 'orbit': did you mean 'orbits'"),
        (["probe", "orbits", small_run.path, "--set", "n_kept=3"], "did you mean 'n_keep'"),
        (["probe", "orbits", small_run.path, "--epochs", "all"], "--epochs: expected 10, 100:200 or 1,50,100"),
        (["probe", "orbits", small_run.path, "--epochs", "1:2:3:4"], "--epochs: expected 10, 100:200 or 1,50,100"),
        (["probe", "orbits", small_run.path, "--epochs", "3:3"], "no recorded epoch in 3:3 (it ends before 3); there"),
        (["probe", "orbits", small_run.path, "--epochs", "100:"], "no recorded epoch in 100:; there are 0 … 6"),
        (["probe", "orbits", small_run.path, "--epochs", "99,"], "the nearest is epoch 6"),
        (["probe", "orbits", small_run.path, "--workers", "0"], "workers: expected"),
        (["probe", "orbits", small_run.path, "--model", "nothing:make"], "--model nothing:make: No module"),
        (["figure", "orbit-diagramm", small_run.path, "-o", "x.png"], "did you mean 'orbit-diagram'"),
        (
            ["figure", "orbit-diagram", small_run.path, "-o", tmp_path / "x.png"],
            "no readable results of probe 'orbits'",
        ),
    ):
        call(*arguments, status=2)
        assert message in capsys.readouterr().err


def test_debug_shows_the_traceback():
    shown = shell("show", "nowhere", "--debug")
    assert shown.returncode == 1
    assert "Traceback" in shown.stderr
    assert shell("show", "nowhere").stderr.count("\n") == 1


def test_version():
    import rnnscope

    assert shell("--version").stdout.strip() == rnnscope.__version__


def test_closed_pipe_is_no_error(small_run):
    shown = subprocess.run(
        f"{RNNSCOPE} show {small_run.path} --json | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert shown.stderr == ""


def test_json_is_standard_where_a_loss_is_not_a_number(tmp_path, capsys):
    diverging = ["--set", "learning_rate=1e30", "--set", "schedule=constant", "--set", "nonlinearity=relu"]
    call(
        "train", "sine", "--model", "rnn", *TINY, *diverging, "--set", "n_epochs=30", "--run", tmp_path / "r", status=2
    )
    assert "finite gradient norm" in capsys.readouterr().err
    for arguments in (("runs", tmp_path), ("show", tmp_path / "r")):
        call(*arguments, "--json")
        json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_brackets_in_paths_are_paths(tmp_path, capsys):
    run = tmp_path / "run[v2] [/a] ü"
    call("train", "sine", *TINY, "--run", run)
    assert f"kept in {run}" in capsys.readouterr().out
    call("runs", tmp_path)
    assert "run[v2] [/a] ü" in capsys.readouterr().out


def test_settings_of_the_probe_are_checked_before_training(tmp_path, capsys):
    call("train", "sine", *TINY, "--set", "orbits.n_keep=-1", "--run", tmp_path / "r", status=2)
    assert "n_keep: expected a positive whole number, came -1" in capsys.readouterr().err
    call("train", "sine", *TINY, "--set", "seed=3", "--run", tmp_path / "r", status=2)
    assert "give it as --seed" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_the_same_warning_is_said_once(capsys):
    with named_warnings():
        for text in ("no compiler", "no compiler", "something else"):
            warnings.warn(text, stacklevel=1)
    assert capsys.readouterr().err.splitlines() == ["warning: no compiler", "warning: something else"]
