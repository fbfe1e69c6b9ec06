"""What a result of ``Bifurcations`` says, in words and in figures."""

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.findings import bifurcations
from rnnscope.systems import TrainingPath, textbook


@pytest.fixture(scope="module")
def found():
    """The logistic map through its first two flips, and a step on which nothing happens."""
    points = [{"r": torch.tensor(r, dtype=torch.float64)} for r in (2.6, 2.9, 3.2, 3.5, 3.51)]
    path = TrainingPath(textbook.logistic(), points, (0, 10, 20, 30, 40))
    return rs.Bifurcations(starts=[[0.3]]).measure(path)


def test_events_that_mean_the_same_are_one_row(found):
    first, second, *others = bifurcations.groups(found)
    assert not others
    assert (first.name, first.count, first.rank) == ("flip, supercritical", 1, 0)
    assert first.does == "a fixed point turns unstable, and a stable 2-cycle is born beside it"
    assert second.does == "a 2-cycle turns unstable, and a stable 4-cycle is born beside it"
    assert first.first_epoch == first.last_epoch == pytest.approx(10 + 10 / 3)
    table = bifurcations.table(found)
    assert table.rows[0][2:4] == ("1 ×", "13.33")
    assert table.note == "4 branches followed through 5 snapshots"


def test_nothing_is_said_in_one_row():
    path = TrainingPath(textbook.logistic(2.5), [textbook.logistic(r).params for r in (2.5, 2.6)], (0, 1))
    table = bifurcations.table(rs.Bifurcations(starts=[[0.3]]).measure(path))
    ((what, *empty),) = table.rows
    assert what.startswith("nothing")
    assert not any(empty)


@pytest.mark.parametrize(
    ("event", "words", "rank"),
    [
        (("neimark_sacker", 2, 0, 1, 0, 1), "a stable oscillation ends in a fixed point, which turns stable", 0),
        (("neimark_sacker", 2, 0, 1, 0, 0), "a fixed point turns stable, and an unstable oscillation is born", 0),
        (("neimark_sacker", 1, 3, 1, 0, 1), "an unstable fixed point turns less stable", 1),
        (("fold", 0, 1, 3, 1, -1), "a stable 3-cycle and a saddle are born", 0),
        (("fold", 1, 2, 1, -1, -1), "two unstable fixed points end in one another", 1),
        (("pitchfork", 0, 1, 1, 0, 1), "a fixed point turns unstable, and a stable pair of fixed points is born", 0),
        (("transcritical", 1, 0, 1, 0, -1), "a fixed point turns stable", 0),
        (("border_collision", 0, 2, 1, 0, -1), "a fixed point turns unstable", 0),
        (("lost", 1, -1, 1, 0, -1), "a fixed point could not be followed", 2),
    ],
)
def test_every_sort_of_event_has_words(event, words, rank):
    said = bifurcations.meaning(*event)
    assert said.does.startswith(words)
    assert said.rank == rank


@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_branches_are_drawn(found, backend):
    assert rs.figures.branches(found, backend=backend) is not None


def test_stable_branches_are_solid_and_others_dashed(found):
    sheet = rs.figures.branches(found, backend="recording").sheet
    assert {key.name for key in sheet.keys} >= {"stable", "unstable", "flip"}
    solid, dashed = (
        next(mark for panel in sheet.panels for mark in panel.marks if getattr(mark, "dash", "") == dash)
        for dash in ("solid", "dashed")
    )
    stable = found["output_value"].values[found["index"].values == 0]
    assert all(np.nanmin(np.abs(solid.y - value)) < 1e-6 for value in stable.ravel())
    assert dashed.role == "undecided"
    with pytest.raises(ValueError, match="result of the probe bifurcations"):
        rs.figures.branches(found[["event_kind"]])
