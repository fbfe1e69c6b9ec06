"""Settings of figures as they are typed."""

from typing import Any

import pytest

from rnnscope import figures
from rnnscope.cli import main
from rnnscope.cli._figure_settings import figure_settings

WRONG = {
    "inputs": ["first", 1.5, True, [0, "x"], [False]],
    "output": [0.5, [0], True],
    "value_range": ["all", 1, [0], [0, 1, 2], [0, "x"], [True, False]],
    "flat": [1, "yes"],
    "max_epochs": [2.5, "many"],
}


@pytest.mark.parametrize("name", figures.names())
def test_the_settings_of_every_figure_are_numbers_and_words(name):
    known = figures.settings_of(name)
    for key in known:
        with pytest.raises(ValueError, match=rf"--set {key}: expected .*, came \{{\}}"):
            figure_settings(name, {key: {}}, known)
    with pytest.raises(ValueError, match=r"unknown setting of figure|has no settings"):
        figure_settings(name, {"backend": "plotly"}, known)


def test_values_are_of_the_type_that_the_figure_knows():
    known = figures.settings_of("tunnel")
    for given in ({"inputs": 0}, {"inputs": None}, {"output": "sin"}, {"flat": True}, {"max_epochs": None}):
        assert figure_settings("tunnel", given, known) == given
    assert figure_settings("tunnel", {"inputs": [0, 2]}, known) == {"inputs": (0, 2)}
    assert figure_settings("tunnel", {"value_range": [-1, 0.5]}, known) == {"value_range": (-1, 0.5)}
    for key, values in WRONG.items():
        for value in values:
            with pytest.raises(ValueError, match=f"--set {key}: expected "):
                figure_settings("tunnel", {key: value}, known)
    with pytest.raises(ValueError, match="--set inputs: expected distractors or relevant or all, came 'none at all'"):
        figure_settings("attractor-counts", {"inputs": "none at all"}, figures.settings_of("attractor-counts"))
    with pytest.raises(ValueError, match="unknown figure 'tunel': did you mean 'tunnel'"):
        figures.settings_of("tunel")
    assert list(figures.settings_of("orbit-diagram", 2)) == ["inputs", "output", "value_range", "equal_axes"]


def test_the_command_line_draws_with_settings(run_copy, tmp_path, capsys, monkeypatch):
    drawn: dict[str, Any] = {}

    def save(figure, path):
        drawn["figure"] = figure
        return path

    monkeypatch.setattr(figures, "save", save, raising=False)
    run_copy.probe("orbits", epochs=3)

    def draw(*words, status=0):
        with pytest.raises(SystemExit) as ended:
            main(["figure", "orbit-diagram", str(run_copy.path), "-o", str(tmp_path / "a.png"), *words])
        assert ended.value.code == status
        return capsys.readouterr().err

    draw("--set", "inputs=[0, 2]", "--set", "value_range=[-3, 4]")
    axes = drawn["figure"].axes
    assert len(axes) == 3  # an orbit diagram for each input, and the loss
    assert axes[0].get_ylim() == axes[1].get_ylim() == (-3, 4)
    assert "did you mean 'inputs'" in draw("--set", "input=0", status=2)
    assert "inputs: expected indices among 0, 1, 2, came (7,)" in draw("--set", "inputs=[7]", status=2)
    assert "value_range: expected 2 numbers such as [0, 1] or none, came 'wide'" in draw(
        "--set", "value_range=wide", status=2
    )
    with pytest.raises(SystemExit):
        main(["figure", "--help"])
    assert "--set 'value_range=[-1,1]'" in " ".join(capsys.readouterr().out.split())
