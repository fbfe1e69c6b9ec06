"""The demo as ``make demo`` runs it, for one seed; ``make seeds`` looks at ten."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

RNNSCOPE = Path(sys.executable).with_name("rnnscope")


def demo(*arguments, cwd):
    shown = subprocess.run([RNNSCOPE, "demo", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    return shown


@pytest.mark.slow
def test_the_demo_oscillates_and_is_used_again(tmp_path):
    facts = json.loads(demo("--json", cwd=tmp_path).stdout)
    assert facts["fewest_oscillating_in_last"] >= 5
    assert facts["headline"]["frequency_error"] < 2
    assert facts["headline"]["loss_last"] < 0.05
    assert all((tmp_path / file).stat().st_size > 10_000 for file in facts["files"])
    again = demo(cwd=tmp_path)
    assert "used again" in again.stderr
    assert "training" not in again.stderr
    assert "report: runs/demo/report.html" in again.stdout
    assert "oscillates ×10" in again.stdout


def test_a_small_demo_says_what_it_saw(tmp_path):
    settings = ["n_epochs=8", "hidden_size=4", "task.length=20", "n_frequencies=20", "n_transient=60", "n_keep=40"]
    shown = demo(*(word for setting in settings for word in ("--set", setting)), cwd=tmp_path)
    assert "rests ×10" in shown.stdout
    assert re.search(r"learned +rests +rests", shown.stdout)
    for name in ("report.html", "orbit-diagram.png", "kind-map.png", "transient.png", "frequency.png"):
        assert (tmp_path / "runs" / "demo" / name).exists()
