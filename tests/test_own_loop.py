"""The ten lines of the README, on a plain nn.LSTM + nn.Linear that someone else's loop trains."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "examples" / "own_loop.py"


def test_the_script_runs_as_it_stands(tmp_path):
    shown = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(SCRIPT)],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "orbits.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((tmp_path / "runs/mine/snapshots").iterdir())) == 201
    assert "(step: 201, input: 2, start: 4, time: 400, output: 1)" in shown.stdout


def test_the_readme_shows_the_same_lines():
    marked = SCRIPT.read_text().split("# ---\n")[1]
    readme = (SCRIPT.parents[1] / "README.md").read_text()
    for line in filter(None, (line.split("  #")[0].rstrip() for line in marked.splitlines())):
        assert line in readme, line
