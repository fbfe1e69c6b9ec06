"""A figure of one epoch measures the states that it shows; every other one says what to type, and that will do."""

import re
import shlex

import pytest

from rnnscope.cli import main


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


@pytest.mark.parametrize("name", ["phase-portrait", "state-plane"])
def test_the_states_of_one_epoch_are_measured_and_that_is_said(run_copy, tmp_path, capsys, name):
    call("figure", name, run_copy.path, "-o", tmp_path / "a.png")
    assert "measured for this figure: states of 2 orbits at epoch 6" in capsys.readouterr().err
    call("figure", name, run_copy.path, "-o", tmp_path / "b.png")
    assert "measured" not in capsys.readouterr().err
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert run_copy.dataset("orbits")["epoch"].values.tolist() == [6]


def test_what_the_user_measured_is_drawn_and_another_epoch_is_added(run_copy, tmp_path, capsys):
    run_copy.probe("orbits", keep_states=True, n_transient=5, epochs=[2])
    call("figure", "phase-portrait", run_copy.path, "-o", tmp_path / "a.svg")
    assert "measured" not in capsys.readouterr().err
    assert "epoch 2" in (tmp_path / "a.svg").read_text()
    call("figure", "phase-portrait", run_copy.path, "-o", tmp_path / "b.svg", "--set", "epoch=4")
    assert "at epoch 4" in capsys.readouterr().err
    assert "epoch 4" in (tmp_path / "b.svg").read_text()


def test_states_are_measured_where_the_points_are(run_copy, tmp_path, capsys):
    run_copy.probe("fixedpoints", epochs=[3])
    call("figure", "phase-portrait", run_copy.path, "-o", tmp_path / "a.png")
    assert "at epoch 3" in capsys.readouterr().err


def test_orbits_measured_for_a_figure_do_not_hide_those_of_more_epochs(run_copy, tmp_path):
    run_copy.probe("orbits", n_keep=30, epochs=2)
    call("figure", "state-plane", run_copy.path, "-o", tmp_path / "a.png")
    assert run_copy.dataset("orbits")["epoch"].values.tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    "name",
    ["orbit-diagram", "transient", "kind-map", "attractor-map", "exponents", "multipliers", "curvature", "growth"],
)
def test_what_the_error_says_to_type_leads_to_the_figure(run_copy, tmp_path, capsys, name):
    file = tmp_path / "figure.png"
    call("figure", name, run_copy.path, "-o", file, status=2)
    message = capsys.readouterr().err
    typed = re.search(r"or rnnscope (probe .*)$", message.strip())
    assert typed is not None, message
    call(*shlex.split(typed[1]))
    call("figure", name, run_copy.path, "-o", file)
    assert file.stat().st_size > 1000


def test_the_same_in_python(run_copy):
    from rnnscope import figures
    from rnnscope.base.errors import RunError

    with pytest.raises(RunError, match=r"run.probe\('orbits', epochs=\[6\], keep_states=True\), or") as refused:
        figures.draw("phase-portrait", run_copy)
    typed = re.search(r"run\.(probe\([^)]*\))", str(refused.value))
    assert typed is not None
    eval(f"run.{typed[1]}", {}, {"run": run_copy})
    figures.draw("phase-portrait", run_copy)
