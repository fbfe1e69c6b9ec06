"""The scripts of three users: a language model, a rate network, a fitted plant. Each runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.slow


def run(name, folder):
    shown = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(EXAMPLES / f"{name}.py"), str(folder)],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert len(list(folder.glob("*.png"))) == 1
    return shown.stdout


def numbers_after(words, text):
    return [float(x) for x in re.findall(rf"{words} ([0-9.e+-]+[0-9])", text)]


def test_language_model(tmp_path):
    said = run("language_model", tmp_path)
    assert said.count("held '") == 8
    (cost,), (own,) = numbers_after("cost", said), numbers_after("without dropout", said)
    assert abs(cost - own) < 1e-5
    assert "checkpoints at epochs [9, 19, 29]" in said


def test_rate_network(tmp_path):
    said = run("rate_network", tmp_path)
    (right,) = numbers_after("decides rightly in", said)
    assert right >= 75
    (moved,) = numbers_after("moves them by", said)
    assert moved < 1e-9


def test_plant(tmp_path):
    said = run("plant", tmp_path)
    assert re.search(r"0\.00 +zero +fixed_point", said)
    assert "closed_curve" in said
    (worst,) = numbers_after("is within", said)
    assert 0 < worst < 1e-6  # 0 would be none compared
    (cost,), (loss,) = numbers_after("cost", said), numbers_after("recorded loss", said)
    assert abs(cost - loss) < 1e-5
