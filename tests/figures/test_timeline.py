"""The timeline: tracks of a run on one axis of epochs, which there are, and which command measures what is missing."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import rnnscope as rs
from rnnscope.base.errors import RunError
from rnnscope.figures import sheet as s
from rnnscope.figures import tracks
from rnnscope.figures.renderers import render
from rnnscope.systems import TrainingPath, textbook

EVERYTHING = [
    "loss", "orbits", "kinds", "exponents", "multipliers", "cost", "gradient", "curvature", "sensitivity",
    "learning_rate", "events",
]  # fmt: skip


def make_smoothness(n_epochs=6):
    """Numbers that tell the epoch; the third eigenvalue is doubtful, the last is negative."""
    row = np.arange(1.0, n_epochs + 1)
    largest, residual = 10 * row, np.full(n_epochs, 1e-4)
    residual[2], largest[-1] = 0.5, -1.0
    names = ("step", "eigenvalue")
    return xr.Dataset(
        {
            "cost": ("step", 1 / row),
            "gradient_norm": ("step", 2 / row),
            "hessian_eigenvalue": (names, np.stack([largest, 0 * largest], axis=1)),
            "hessian_residual": (names, np.stack([residual, residual], axis=1)),
            "log_state_sensitivity": (("step", "sequence"), np.log(row)[:, None] + [-1.0, 0.0, 1.0]),
        },
        coords={"epoch": ("step", 10 * np.arange(1, n_epochs + 1))},
    )


@pytest.fixture(scope="module")
def bifurcations():
    """A flip at the place of the second of the inputs, at which all of them are held."""
    points = [{"r": torch.tensor(r, dtype=torch.float64)} for r in (2.6, 2.9, 3.2)]
    path = TrainingPath(textbook.logistic(), points, (0, 30, 60))
    return rs.Bifurcations(starts=[[0.3]], inputs=[[0.0], [1.0]]).measure(path).expand_dims(step=[60])


def test_bifurcations_are_signs_over_epochs_and_inputs(run, bifurcations):
    sheet = rs.figures.timeline(run, tracks=["loss", "events"], backend="recording").sheet
    (signs,) = [mark for panel in sheet.panels for mark in panel.marks if isinstance(mark, s.Points)]
    assert signs.x.tolist() == pytest.approx([40, 40])
    assert sorted(signs.y.tolist()) == [0, 1]
    assert set(signs.facts["words"]) == {
        "flip, supercritical: a fixed point turns unstable, and a stable 2-cycle is born beside it"
    }
    del run.stored["bifurcations"]
    with pytest.raises(RunError, match="rnnscope probe bifurcations"):
        rs.figures.timeline(run, tracks=["events"])


@pytest.fixture
def run(orbits, scalars, attractors, bifurcations) -> Any:
    table = scalars(60)
    table["learning_rate"] = 0.01
    stored = {
        "orbits": orbits(n_epochs=60, n_inputs=4),
        "attractors": attractors(n_epochs=12),
        "smoothness": make_smoothness(),
        "bifurcations": bifurcations,
    }

    def dataset(name, **settings):
        if name not in stored:
            raise RunError(f"no readable results of probe '{name}'. Measure them: rnnscope probe {name} RUN")
        return stored[name]

    return SimpleNamespace(dataset=dataset, has=lambda name, **settings: name in stored, scalars=table, stored=stored)


@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
@pytest.mark.parametrize("chosen", [None, *([name] for name in EVERYTHING), EVERYTHING, EVERYTHING[::-1]])
def test_any_tracks_in_any_order_in_both_backends(run, chosen, backend):
    figure = rs.figures.timeline(run, tracks=chosen, backend=backend)
    if backend == "plotly":
        figure.to_json()
    else:
        figure.canvas.draw()


def test_there_is_a_file_for_each_track_and_no_other():
    assert sorted(name.replace("_", "-") for name in EVERYTHING) == tracks.names()


def test_tracks_stand_in_the_order_asked_for_on_one_axis_of_epochs(run):
    recording = rs.figures.timeline(run, tracks=["curvature", "loss", "kinds"], backend="recording")
    panels = recording.sheet.panels
    assert [panel.y.label for panel in panels] == ["λmax(∇²V)", "loss", "input frequency ω (rad/step)"]
    assert [panel.row for panel in panels] == [0, 1, 2]
    assert {panel.x.range for panel in panels} == {(1.0, 65.0)}
    assert {panel.x.shared for panel in panels} == {"epoch"}
    figure = rs.figures.timeline(run, tracks=["curvature", "loss", "kinds"])
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert figure.axes[-1].get_xlabel().startswith("epoch (of 12 looked at: smoothness at 6,")


def test_without_names_those_that_were_measured(run):
    def labels():
        return [panel.y.label for panel in rs.figures.timeline(run, backend="recording").sheet.places.values()]

    everything = ["loss", "output y", "input frequency ω (rad/step)", "λ1 ≥ λ2 ≥ λ3\n(nat/step)", "λmax(∇²V)"]
    assert labels() == [*everything[:3], "bifurcations", *everything[3:]]
    del run.stored["bifurcations"]
    assert labels() == everything
    del run.stored["smoothness"]
    assert labels() == everything[:4]
    del run.stored["attractors"]
    assert labels() == everything[:3]
    del run.stored["orbits"]
    assert labels() == ["loss"]
    run.scalars = run.scalars.drop(columns="loss")
    with pytest.raises(ValueError, match="run: expected a run with a loss, or in which a probe was measured"):
        rs.figures.timeline(run)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_track_that_was_not_measured_names_the_command(run, name):
    run.stored.clear()
    if name in ("loss", "learning_rate"):
        run.scalars = run.scalars.drop(columns=name)
        with pytest.raises(ValueError, match=f"scalars: expected a column '{name}'"):
            rs.figures.timeline(run, tracks=[name])
        return
    probe = tracks.load(name).SOURCES[0]
    with pytest.raises(RunError, match=f"Measure them: rnnscope probe {probe}"):
        rs.figures.timeline(run, tracks=["loss", name])


@pytest.mark.parametrize("backend", ["matplotlib", "plotly", "recording"])
def test_events_of_a_track_go_through_the_panels_of_all(run, backend):
    view = tracks.View(paper=backend == "matplotlib")
    loss = tracks.load("loss").track(run.scalars, view)
    births = s.Event(np.array([10.0, 20.0]), ["birth", "death"], role="direction")
    cost = tracks.load("cost").track(run.stored["smoothness"], view)
    figure = render(tracks.stack({"": [loss, replace(cost, events=(births,))]}, view), backend)
    if backend == "recording":
        drawn = [figure.marks(s.Event, row=row) for row in (0, 1)]
        assert [[list(event.x) for event in events] for events in drawn] == [[[10, 20]], [[10, 20]]]
        assert [list(events[0].words) for events in drawn] == [["birth", "death"], []]
    elif backend == "matplotlib":
        assert [text.get_text() for text in figure.axes[0].texts] == ["birth", "death"]
        assert [sum(list(line.get_xdata()) == [10, 10] for line in axes.get_lines()) for axes in figure.axes] == [1, 1]
    else:
        assert [shape.x0 for shape in figure.layout.shapes] == [10, 20, 10, 20]


def test_a_run_of_one_epoch_has_an_axis_with_room(run, scalars):
    run.stored.clear()
    run.scalars = scalars(1)
    for backend in ("matplotlib", "plotly", "recording"):
        assert rs.figures.timeline(run, backend=backend) is not None
    assert rs.figures.timeline(run, backend="recording").sheet.panels[0].x.range == (0.5, 1.5)


def test_exponents_at_other_inputs_are_left_out_and_refused_by_name(run, attractors):
    found = attractors(n_epochs=12, n_inputs=4)
    run.stored["attractors"] = found.assign_coords(input_value=found["input_value"] + 1)
    labels = [panel.y.label for panel in rs.figures.timeline(run, backend="recording").sheet.places.values()]
    assert labels == ["loss", "output y", "input frequency ω (rad/step)", "bifurcations", "λmax(∇²V)"]
    with pytest.raises(ValueError, match="tracks: expected what was measured at the inputs shown, came 'exponents'"):
        rs.figures.timeline(run, tracks=["orbits", "exponents"])


def test_wrong_names_are_named(run):
    with pytest.raises(ValueError, match=r"unknown track 'orbit': did you mean 'orbits'.* Valid: cost, curvature"):
        rs.figures.timeline(run, tracks=["loss", "orbit"])
    for wrong in ([], "loss"):
        with pytest.raises(ValueError, match="tracks: expected names of tracks"):
            rs.figures.timeline(run, tracks=wrong)


def test_the_menu_takes_orbits_and_exponents_of_the_same_input(run):
    found = run.stored["attractors"]
    del run.stored["bifurcations"]
    found["lyapunov_exponent"][:] = -0.1 * (1 + np.arange(4))[None, :, None, None]
    recording = rs.figures.timeline(run, backend="recording")
    assert recording.sheet.menu is not None
    assert recording.sheet.menu.words[0] == "input frequency ω = 0.196 rad/step"
    for at in range(4):
        values = np.concatenate([line.y for line in recording.marks(s.Line, row=3, option=at)])
        np.testing.assert_allclose(values[np.isfinite(values)], -0.1 * (1 + at), rtol=1e-6)
    paper = rs.figures.timeline(run, inputs=[1, 3])
    titles = [axes.get_title(loc="left") for axes in paper.axes]
    assert titles[1:3] == ["input frequency ω = 0.262 rad/step", "ω = 0.393 rad/step"]
    assert titles[4] == "λ1 ≥ λ2 ≥ λ3 at ω = 0.393 rad/step"


def test_curves_of_the_cost_are_those_of_the_probe(run):
    recording = rs.figures.timeline(run, tracks=["cost", "gradient", "curvature", "sensitivity"], backend="recording")
    row = np.arange(1.0, 7)
    curves = [recording.marks(s.Line, row=at)[0] for at in range(4)]
    for line, values in zip(curves, (1 / row, 2 / row, np.append(10 * row[:-1], np.nan), row), strict=True):
        np.testing.assert_array_equal(line.x, 10 * row)
        np.testing.assert_allclose(line.y, values)
    (ring,) = recording.marks(s.Points, "rests")
    assert (ring.x.tolist(), ring.filled) == ([30], False)
    (lost,) = recording.marks(s.Edge)
    assert (lost.x.tolist(), lost.top) == ([60], False)
    (band,) = recording.marks(s.Band)
    np.testing.assert_allclose([band.low, band.high], [row / np.e, row * np.e])
    assert {"residual above 0.01", "not positive, or not known"} <= set(recording.legend)


def test_the_timelines_of_several_runs_have_equal_axes(run, orbits, scalars):
    other = SimpleNamespace(**vars(run))
    other.stored = {
        "orbits": 3
        * orbits(n_epochs=40, n_inputs=4)[["orbit"]].assign(status=orbits(n_epochs=40, n_inputs=4)["status"])
    }
    other.dataset, other.has = other.stored.__getitem__, lambda name, **settings: name in other.stored
    other.scalars = scalars(40).assign(loss=lambda table: table["loss"] / 100)
    results = [{"orbits": each.dataset("orbits"), "attractors": None} for each in (run, other)]
    names = ["loss", "orbits"]
    runs: Any = [run, other]
    drawn = rs.figures.timelines(runs, results=results, tracks=names, backend="recording")
    first, second = (each.sheet for each in drawn)
    assert [panel.x.range for panel in first.shown] == [panel.x.range for panel in second.shown]
    assert [panel.y.range for panel in first.shown] == [panel.y.range for panel in second.shown]


def test_the_command_line_draws_it(run_copy, tmp_path, capsys):
    from rnnscope.cli import main

    def draw(*words):
        with pytest.raises(SystemExit) as ended:
            main(["figure", "timeline", str(run_copy.path), *words, "-o", str(tmp_path / "figure.html")])
        return ended.value.code

    run_copy.probe("orbits", epochs=[0, 3], n_transient=20, n_keep=20, n_starts=2)
    assert draw("--tracks", "loss, orbits") in (0, None)
    assert (tmp_path / "figure.html").stat().st_size > 1e6
    assert draw("--tracks", "loss,curvature") != 0
    assert f"rnnscope probe smoothness {run_copy.path}" in capsys.readouterr().err.replace("\n", " ")
