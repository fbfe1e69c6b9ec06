"""The track in CONTRIBUTING.md is found by its file name and drawn, as it stands there."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.figures import tracks
from rnnscope.figures.sheet import Line, Reference

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
NAME = "recorded_gradient"


@pytest.fixture
def example(tmp_path, monkeypatch):
    programs = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (program,) = [program for program in programs if "def track(" in program]
    assert f"figures/tracks/{NAME}.py" in PAGE.read_text()
    assert len(program.splitlines()) < 100
    (tmp_path / f"{NAME}.py").write_text(program)
    places = tracks.__path__
    places.append(str(tmp_path))
    yield
    places.remove(str(tmp_path))
    sys.modules.pop(f"{tracks.__name__}.{NAME}", None)
    tracks.__dict__.pop(NAME, None)


@pytest.mark.parametrize("backend", ["matplotlib", "plotly", "recording"])
def test_a_track_is_one_file(example, orbits, scalars, backend):
    assert "recorded-gradient" in tracks.names()
    data, table = orbits(n_epochs=20), scalars(20)
    run: Any = SimpleNamespace(scalars=table, has=lambda name, **settings: name == "orbits", dataset=lambda name: data)
    figure = rs.figures.timeline(run, tracks=["orbits", "recorded-gradient"], backend=backend)
    if backend != "recording":
        assert "recorded gradient" in (
            [text.get_text() for text in figure.legends[0].get_texts()]
            if backend == "matplotlib"
            else [trace.name for trace in figure.data]
        )
        return
    (line,) = figure.marks(Line, "series 2")
    np.testing.assert_array_equal(line.y, table["gradient_norm"])
    (median,) = figure.marks(Reference)
    assert median.at == pytest.approx(float(table["gradient_norm"].median()))
    assert {"recorded gradient", "its median", "before clipping"} <= set(figure.legend)
    assert {panel.x.shared for panel in figure.sheet.panels} == {"epoch"}


def test_without_the_file_there_is_no_such_track():
    assert "recorded-gradient" not in tracks.names()
