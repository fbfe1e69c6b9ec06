"""A probe is one file and one line: the command line, errors, runs and show have it by its name then."""

import json
import sys

import pytest

from rnnscope import attractors
from rnnscope.cli import main
from rnnscope.runs import Run, probes

FILE = '''
from dataclasses import dataclass
from typing import ClassVar

from rnnscope.attractors.map_probe import MapProbe, begin, completed, held_inputs
from rnnscope.base.schema import Schema, Variable

SPEED = Schema({"speed": Variable("input start", "length of the first step", "1/step")})


@dataclass(frozen=True, kw_only=True)
class Speed(MapProbe):
    """How far the state goes in its first step."""

    name: ClassVar[str] = "speed"
    references: ClassVar[tuple[str, ...]] = ("A paper of one's own.",)
    n_starts: int = 3

    def measure(self, system, sequences=None):
        system, starts = begin(self, system, self.n_starts, sequences, derivatives=False)
        inputs, held = held_inputs(self.inputs, system)
        drive = system.drive(system.weights, held)[:, None].expand(-1, len(starts), -1)
        starts = starts.expand(len(held), -1, -1)
        after = system.step(system.weights, starts, drive)
        return completed(self, SPEED.dataset({"speed": (after - starts).norm(dim=-1)}), system)
'''


@pytest.fixture
def speed(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "speed.py").write_text(FILE)
    monkeypatch.setattr(attractors, "__path__", [*attractors.__path__, str(tmp_path / "room")])
    monkeypatch.setitem(attractors.PROBES, "speed", "speed.Speed")
    yield
    sys.modules.pop("rnnscope.attractors.speed", None)


def told(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return ended.value.code, capsys.readouterr()


@pytest.mark.usefixtures("speed")
def test_it_is_known_by_name_wherever_probes_are(run_copy, capsys):
    assert probes.names("map")[-1] == "speed"
    assert probes.about("speed") == "map"
    code, said = told(capsys, "probe", "sped", str(run_copy.path))
    assert (code, "did you mean 'speed'?" in said.err) == (2, True)
    code, said = told(capsys, "probe", "speed", str(run_copy.path), "--epochs", "3", "--set", "n_starts=2", "--json")
    assert code == 0, said.err
    assert json.loads(said.out)["settings"]["n_starts"] == 2
    found = Run(run_copy.path).dataset("speed")
    assert dict(found.sizes) == {"step": 3, "input": 3, "start": 2}
    assert found.attrs["references"] == "A paper of one's own."
    assert (found.speed > 0).all()
    code, said = told(capsys, "show", str(run_copy.path))
    assert code == 0, said.err
    assert "None" not in said.out
