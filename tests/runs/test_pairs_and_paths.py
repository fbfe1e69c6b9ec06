"""Probes of two neighbouring snapshots and of the whole path: what is measured, kept, and gone on with."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from rnnscope.base.errors import RunError
from rnnscope.base.probe import Given, Probe, Subject
from rnnscope.base.schema import Schema, Variable
from rnnscope.runs import Run
from rnnscope.runs.checking import check_run
from rnnscope.systems import Pair, TrainingPath

MOVED = Schema({"distance": Variable("", "distance between the parameters"), "steps": Variable("end", "steps")})
GONE = Schema({"gone": Variable("", "way gone"), "n_found": Variable("", "pieces that were there already")})


def distance(first, second):
    return float(sum((second[name] - p).square().sum() for name, p in first.items()) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class Moved(Probe[Pair, None]):
    """How far the parameters went between two snapshots."""

    name: ClassVar[str] = "moved"
    subject: ClassVar[Subject] = "pair"
    scale: float = 1.0

    def measure(self, pair: Pair, data: None = None) -> xr.Dataset:
        moved = self.scale * distance(pair.earlier.params, pair.later.params)
        return self.label(MOVED.dataset({"distance": moved, "steps": np.array(pair.steps)}))


@dataclass(frozen=True, kw_only=True)
class Gone(Probe[TrainingPath, None]):
    """How far the parameters went in all, piece by piece; ``ends_after`` stands for what interrupts it."""

    name: ClassVar[str] = "gone"
    subject: ClassVar[Subject] = "path"
    scale: float = 1.0
    ends_after: ClassVar[int | None] = None

    def measure(self, path: TrainingPath, data: None = None) -> xr.Dataset:
        return self.measure_given(path, Given(None))

    def measure_given(self, path: TrainingPath, given: Given[Any]) -> xr.Dataset:
        kept = None if given.scratch is None else given.scratch / "pieces.json"
        pieces = json.loads(kept.read_text()) if kept is not None and kept.exists() else []
        n_found = len(pieces)
        for k in range(n_found, len(path.points) - 1):
            if self.ends_after is not None and k == self.ends_after:
                raise KeyboardInterrupt
            pieces.append(distance(path.points[k], path.points[k + 1]))
            if kept is not None:
                kept.write_text(json.dumps(pieces))
            if given.progress is not None:
                given.progress(k + 1, len(path.points) - 1)
        return self.label(GONE.dataset({"gone": self.scale * sum(pieces), "n_found": n_found}))


def between(run, first, second):
    return distance(run.system(epoch=first).params, run.system(epoch=second).params)


def test_every_pair_of_neighbours_is_measured_at_the_later_step(run_copy):
    found = run_copy.probe(Moved())
    assert found.step.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.earlier_step.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.epoch.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.earlier_epoch.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.steps.values.tolist() == [[k, k + 1] for k in range(6)]
    np.testing.assert_allclose(found.distance, [between(run_copy, k, k + 1) for k in range(6)], rtol=1e-6)
    assert found.loss.values.tolist() == run_copy.scalars["loss"].tolist()


def test_only_missing_pairs_are_measured(run_copy):
    asked = []
    few = run_copy.probe(Moved(), epochs=[0, 2, 3], progress=lambda *done: asked.append(done))
    assert asked == [(1, 2), (2, 2)]
    assert list(zip(few.earlier_step.values, few.step.values, strict=True)) == [(0, 2), (2, 3)]
    assert run_copy.missing(Moved()) == [1, 2, 4, 5, 6]
    whole = run_copy.probe(Moved(), progress=lambda *done: asked.append(done))
    assert asked[2:] == [(k, 5) for k in range(1, 6)]
    assert whole.earlier_step.values.tolist() == [0, 1, 2, 3, 4, 5]
    again = Run(run_copy.path).probe(Moved(), epochs=[0, 2, 3], progress=lambda *done: pytest.fail("measured again"))
    assert again.identical(few)


def test_of_stored_pairs_with_the_same_later_step_the_nearest_is_given(run_copy):
    run_copy.probe(Moved(), epochs=[0, 4, 6])
    run_copy.probe(Moved(), epochs=[2, 4])
    found = run_copy.dataset("moved")
    assert list(zip(found.earlier_step.values, found.step.values, strict=True)) == [(2, 4), (4, 6)]


def test_a_damaged_snapshot_leaves_out_both_of_its_pairs(run_copy):
    path = run_copy.path / "snapshots" / "0000000003.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    run = Run(run_copy.path)
    with pytest.warns(UserWarning, match="left out") as told:
        found = run.probe(Moved())
    assert len(told) == 1
    assert found.step.values.tolist() == [1, 2, 5, 6]


def test_a_pair_needs_two_epochs(run_copy):
    with pytest.raises(RunError, match="moved compares neighbouring snapshots: expected at least two"):
        run_copy.probe(Moved(), epochs=[3])


def test_a_path_is_measured_at_once_and_says_how_far_it_is(run_copy):
    asked = []
    found = run_copy.probe(Gone(), progress=lambda *done: asked.append(done))
    assert asked == [*((k, 6) for k in range(1, 7)), (1, 1)]
    assert found.step.values.tolist() == [6]
    expected = sum(between(run_copy, k, k + 1) for k in range(6))
    np.testing.assert_allclose(found.gone, [expected], rtol=1e-6)
    assert Run(run_copy.path).probe(Gone()).identical(found)


def test_an_interrupted_path_goes_on_where_it_was(run_copy, monkeypatch):
    monkeypatch.setattr(Gone, "ends_after", 4)
    with pytest.raises(KeyboardInterrupt):
        run_copy.probe(Gone())
    (folder,) = run_copy.path.glob("probes/gone-*")
    assert [path.name for path in folder.iterdir()] == ["scratch"]
    assert not run_copy.has("gone")
    assert run_copy.check() == []
    assert any("scratch: harmless" in note for note in check_run(run_copy.path).notes)
    assert run_copy.missing(Gone()) == [0, 1, 2, 3, 4, 5, 6]
    monkeypatch.setattr(Gone, "ends_after", None)
    found = run_copy.probe(Gone())
    assert int(found.n_found[0]) == 4
    assert not (folder / "scratch").exists()
    assert Run(run_copy.path).dataset("gone").identical(found)


def test_a_path_that_left_nothing_leaves_no_folder(run_copy, monkeypatch):
    monkeypatch.setattr(Gone, "ends_after", 0)
    with pytest.raises(KeyboardInterrupt):
        run_copy.probe(Gone())
    assert list(run_copy.path.glob("probes/gone-*")) == []


def test_a_killed_path_goes_on_where_it_was(run_copy):
    """A real process that kills itself in the middle, as lack of memory would."""
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from test_pairs_and_paths import Gone, Run\n"
        "def die(done, whole):\n"
        "    if done == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Run(sys.argv[1]).probe(Gone(), progress=die)\n"
    )
    here = str(Path(__file__).parent)
    ended = subprocess.run([sys.executable, "-c", code, str(run_copy.path), here], capture_output=True, timeout=120)
    assert ended.returncode == -9, ended.stderr
    found = Run(run_copy.path).probe(Gone())
    assert int(found.n_found[0]) == 3
    assert not list(run_copy.path.glob("probes/gone-*/scratch"))


def test_an_executor_gives_the_same_pairs(run_copy):
    alone = run_copy.probe(Moved())
    for path in run_copy.path.glob("probes/moved-*/*"):
        path.unlink()
    asked = []
    with ThreadPoolExecutor(2) as executor:
        found = Run(run_copy.path).probe(Moved(), executor=executor, progress=lambda *done: asked.append(done))
    assert found.identical(alone)
    assert asked[-1] == (6, 6)


def test_the_system_at_hand_is_measured_without_a_run(run_copy):
    first, last = run_copy.system(epoch=0), run_copy.system(epoch=6)
    assert float(Moved().measure(Pair(first, last, (0, 6))).distance) == between(run_copy, 0, 6)
    assert int(Gone().measure(TrainingPath(last, [first.params, last.params], [0, 6])).n_found) == 0
