"""Sheets and renderers: every mark in every backend, what is refused, and figures hammered without being drawn."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rnnscope as rs
from rnnscope.figures import sheet as s
from rnnscope.figures import theme
from rnnscope.figures.renderers import BACKENDS, render

DRAWN = ("matplotlib", "plotly")
X, Y, Z = np.array([0.0, 1.0, 2.0]), np.array([1.0, 4.0, 2.0]), np.array([0.0, 1.0, 0.5])
GRID = s.Grid(0.0, 1.0, 0.5, 1.0)
COUNTS = np.array([[0, 3, 1], [5, 0, 2]])
FLAT: dict[str, s.Mark] = {
    "line": s.Line(X, Y, name="a line", hover="x {x:.2f}\ny {y:.3g}"),
    "line with gaps": s.Line(X, np.array([1.0, np.nan, 2.0]), weight="strong", dash="dotted"),
    "one point": s.Line(X[:1], Y[:1]),
    "band": s.Band(X, Y - 1, Y + 1, role="moving", name="a band"),
    "boxes": s.boxes(X, X + 1, Y - 1, Y + 1, role="cycle"),
    "strokes": s.strokes(X, X + 1, Y, role="rests", facts={"epoch": X}, hover="epoch {epoch:.0f}: {y:.3g}"),
    "points": s.Points(X, Y, shape="diamond", filled=False, labels=["1", "", "2"], name="points"),
    "points with bars": s.Points(X, Y, low=Y - 1, high=Y + 1, facts={"words": ["a", "b", "c"]}, hover="{words}"),
    "points by value": s.Points(X, Y, values=Z, size=np.array([1.0, 2.0, 3.0])),
    "points in frames": s.Points(X, Y, frame=np.array([0, 1, 1])),
    "edge above": s.Edge(X, name="beyond", hover="epoch {x}"),
    "edge below": s.Edge(X, top=False, shape="tick", role="diverged"),
    "bars": s.Bars(X, Y, 0 * Y, name="bars"),
    "density": s.Density(COUNTS, GRID, 10, role="moving", hover="{x:.0f}, {y:.3g}"),
    "cells": s.Cells(COUNTS % 3, GRID, ("rests", "cycle"), words=np.full((2, 3), "told"), hover="{x}: {words}"),
    "surface": s.Surface(X, Y[:2], COUNTS.astype(float)),
    "contours": s.Surface(X, Y[:2], COUNTS.astype(float), contours=4),
    "reference": s.Reference(2.0, name="a mark"),
    "upright reference": s.Reference(1.0, axis="x", dash="solid"),
    "span": s.Span(0.5, 1.5, name="a span"),
    "event": s.Event(X, ["birth", "death", "birth"], role="direction"),
    "text": s.Text(1.0, 1.0, "<b>words</b>", y_of="panel", bold=True, upright=True),
}
DEEP: dict[str, s.Mark] = {
    "points in space": s.Points3D(X, Y, Z, values=X, hover="{z:.3g}"),
    "path in space": s.Path3D(X, Y, np.array([0.0, np.nan, 1.0]), values=X, name="a path"),
    "surface in space": s.Surface(X, Y[:2], COUNTS.astype(float)),
}


def sheet_of(mark, **panel):
    axis = s.Axis("y", range=(0.0, 6.0))
    colours = s.ColourScale(0.0, 5.0, "value")
    return s.Sheet((s.Panel((mark,), s.Axis("x"), axis, **panel),), slider=s.Choice(["a", "b"]), colours=colours)


def written(figure):
    """The bytes that a backend makes of a figure."""
    if hasattr(figure, "to_json"):
        return figure.to_json()
    figure.canvas.draw()
    return ""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FLAT)
def test_every_mark_in_every_backend(name, backend):
    figure = render(sheet_of(FLAT[name]), backend)
    if backend == "recording":
        assert figure.marks(type(FLAT[name])) == [FLAT[name]]
        return
    bare = render(sheet_of(s.Line(X, np.full(3, np.nan))), backend)
    assert written(figure) != written(bare) or backend == "matplotlib"
    if FLAT[name].name:
        words = (
            [text.get_text() for text in figure.legends[0].get_texts()]
            if backend == "matplotlib"
            else [trace.name for trace in figure.data if trace.showlegend]
        )
        assert words == [FLAT[name].name]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", DEEP)
def test_every_mark_with_depth_in_every_backend(name, backend):
    figure = render(sheet_of(DEEP[name], z=s.Axis("z", range=(0.0, 1.0))), backend)
    if backend != "recording":
        written(figure)


@pytest.mark.parametrize("backend", DRAWN)
def test_the_marks_of_a_panel_are_where_they_belong(backend):
    mark = s.Points(X, Y)
    figure = render(sheet_of(mark), backend)
    if backend == "matplotlib":
        np.testing.assert_array_equal(figure.axes[0].get_lines()[0].get_xydata(), np.stack([X, Y], axis=1))
        assert figure.axes[0].get_ylim() == (0, 6)
    else:
        np.testing.assert_array_equal(figure.data[0].y, Y)
        assert figure.layout.yaxis.range == (0, 6)


@dataclass(frozen=True, eq=False)
class Halo(s.Mark):
    """A mark that nothing draws."""

    x: np.ndarray


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_mark_that_a_backend_lacks_is_named_with_what_it_has(backend):
    with pytest.raises(
        ValueError, match=rf"backend {backend} cannot draw the mark Halo: expected one of Band, Bars, .*"
    ):
        render(sheet_of(Halo(X)), backend)


def test_what_a_sheet_refuses():
    with pytest.raises(ValueError, match="panels: expected at least one panel, came none"):
        s.Sheet(())
    with pytest.raises(ValueError, match="y: expected an axis with a range, for signs at its edge, came none"):
        s.Panel((s.Edge(X),))
    with pytest.raises(ValueError, match="unknown backend 'bokeh': Valid: matplotlib, plotly"):
        render(sheet_of(s.Line(X, Y)), "bokeh")


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (s.Line(X, Y[:2]), "arrays of different lengths"),
        (s.Line(X, Y, role="rest"), "unknown role 'rest': did you mean 'rests'"),
        (s.Points(X, Y, facts={"epoch": X[:1]}), "arrays of different lengths"),
        (s.Surface(X, Y, COUNTS), "a surface of another shape than its axes"),
    ],
)
def test_what_could_not_be_drawn_is_found_without_drawing(mark, message):
    with pytest.raises(ValueError, match=message):
        render(sheet_of(mark), "recording")


def test_words_under_the_pointer_that_cannot_be_made_are_found_without_drawing():
    with pytest.raises(KeyError, match="epoch"):
        render(sheet_of(s.Line(X, Y, hover="epoch {epoch}")), "recording")


def options(n=3, row=0):
    return tuple(
        s.Panel(
            (s.Line(X, Y + at), s.Reference(float(at))),
            heading=f"input {at}",
            remark=f"remark {at}",
            option=at,
            row=row,
        )
        for at in range(n)
    )


def test_a_menu_shows_the_panels_of_one_option_with_their_lines_and_words():
    sheet = s.Sheet((*options(), s.Panel((s.Line(X, Y),), row=1)), menu=s.Choice(["a", "b", "c"], 1))
    figure = render(sheet, "plotly")
    menu = figure.layout.updatemenus[0]
    assert menu.active == 1
    assert (
        [trace.visible is not False for trace in figure.data] == list(menu.buttons[1].args[0]["visible"]) != [True] * 4
    )
    for at, button in enumerate(menu.buttons):
        seen = [trace for trace, shown in zip(figure.data, button.args[0]["visible"], strict=True) if shown]
        assert [trace.y[0] for trace in seen] == [1 + at, 1]
        moved = button.args[1]
        assert [moved[f"shapes[{k}].visible"] for k in range(3)] == [k == at for k in range(3)]
        assert [moved[f"annotations[{k}].visible"] for k in range(3)] == [k == at for k in range(3)]
    paper = render(sheet, "matplotlib")
    assert [axes.get_title(loc="left") for axes in paper.axes] == ["input 1\nremark 1", ""]


def test_a_slider_moves_what_has_frames():
    moving = s.Points(X, Y, frame=np.array([0, 1, 1]), facts={"size": Y}, hover="{size}")
    sheet = s.Sheet((s.Panel((s.Line(X, Y), moving)),), slider=s.Choice(["5", "10"], 0, "epoch "))
    figure = render(sheet, "plotly")
    assert list(figure.data[1].x) == [0.0]
    assert [list(frame.data[0].x) for frame in figure.frames] == [[0.0], [1.0, 2.0]]
    assert [frame.traces for frame in figure.frames] == [(1,), (1,)]
    assert [step.label for step in figure.layout.sliders[0].steps] == ["5", "10"]


@pytest.mark.parametrize("backend", DRAWN)
def test_axes_of_one_name_are_one_and_say_so_once(backend):
    def panel(row, column):
        x, y = s.Axis("across", range=(0, 2), shared="x"), s.Axis("up", range=(0, 5), shared=f"y{row}")
        return s.Panel((s.Line(X, Y),), x, y, row=row, column=column)

    figure = render(s.Sheet(tuple(panel(*at) for at in ((0, 0), (0, 1), (1, 0), (1, 1)))), backend)
    if backend == "matplotlib":
        assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "across", "across"]
        assert [axes.get_ylabel() for axes in figure.axes] == ["up", "", "up", ""]
        assert figure.axes[0].get_shared_x_axes().joined(figure.axes[0], figure.axes[3])
    else:
        assert [figure.layout[f"xaxis{at}"].title.text for at in ("", 2, 3, 4)] == [None, None, "across", "across"]
        assert [figure.layout[f"yaxis{at}"].matches for at in (2, 4)] == ["y", "y3"]
        assert figure.layout.xaxis4.matches == "x"


def test_the_axis_of_both_backends_has_the_same_ticks():
    axis = s.Axis.over("cost", np.array([1e-7, 1.0]), scale="log")
    sheet = s.Sheet((s.Panel((s.Line(X, Y),), y=axis),))
    paper, screen = render(sheet, "matplotlib"), render(sheet, "plotly")
    paper.canvas.draw()
    words = [label.get_text() for label in paper.axes[0].get_yticklabels()]
    assert words == list(screen.layout.yaxis.ticktext) == ["10⁻⁶", "10⁻⁴", "10⁻²", "1"]


def test_text_in_a_vector_file_stays_text(tmp_path):
    figure = render(sheet_of(FLAT["line"]), "matplotlib")
    assert ">a line</text>" in rs.figures.save(figure, tmp_path / "figure.svg").read_text()
    assert b"/Type0" in rs.figures.save(figure, tmp_path / "figure.pdf").read_bytes()


@pytest.mark.parametrize("screen", [False, True])
def test_every_role_has_a_colour_and_ids_of_attractors_have_one_each(screen):
    wanted = re.compile(r"#[0-9a-f]{6}|none|rgba\([\d.,]+\)")
    for role in (*theme._ROLES, *theme._SAME, "series 3", "attractor 11"):
        assert wanted.fullmatch(theme.colour(role, screen=screen))
    assert len({theme.colour(f"attractor {at}") for at in range(8)}) == 8


NUMBERS = st.floats(-1e100, 1e100) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])


@settings(deadline=None, derandomize=True, max_examples=40)
@given(arrays(float, st.integers(1, 6), elements=NUMBERS), st.sampled_from(["linear", "log"]))
def test_whatever_is_on_it_an_axis_has_room_and_a_range(values, scale):
    low, high = s.Axis.over("", values, scale=scale).range or (0, 0)
    assert np.isfinite([low, high]).all()
    assert low < high
    assert low > 0 or scale == "linear"
    inside = values[np.isfinite(values) & ((values > 0) | (scale == "linear"))]
    assert ((inside >= low) & (inside <= high)).all()


FIGURES = ("orbit_diagram", "kind_map", "loss", "tunnel", "transient", "frequency", "attractor_map", "exponents")


@settings(deadline=None, derandomize=True, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)),
    n_keep=st.integers(2, 5),
    poison=st.sampled_from([None, np.nan, np.inf, 1e38]),
    status=st.sampled_from([None, 0, 1, 2]),
)
def test_figures_of_orbits_whatever_they_hold(orbits, scalars, summary, shape, n_keep, poison, status):
    n_epochs, n_inputs, n_starts = shape
    data = orbits(n_epochs=n_epochs, n_inputs=n_inputs, n_starts=n_starts, n_keep=n_keep)
    told, table = summary(data), scalars(n_epochs)
    if poison is not None:
        data["orbit"][n_epochs // 2, -1, 0, 0] = poison
    if status is not None:
        data["status"][-1] = status
    for backend in ("matplotlib", "plotly"):
        assert rs.figures.orbit_diagram(data, scalars=table, summary=told, backend=backend) is not None
    recording = rs.figures.orbit_diagram(data, scalars=table, summary=told, backend="recording")
    moving = (data["status"] != 1).sum() * n_keep
    drawn = sum(mark.x.size for mark in recording.marks(s.Points))
    assert drawn <= int(moving)
    for figure, given_ in (("kind_map", told), ("loss", table), ("tunnel", data), ("compare_orbits", {"a": data})):
        getattr(rs.figures, figure)(given_, backend="recording")


def test_a_hundred_thousand_samples_are_a_small_picture(orbits):
    data = orbits(n_epochs=260, n_inputs=1, n_keep=400)
    recording = rs.figures.orbit_diagram(data, backend="recording")
    (density,) = recording.marks(s.Density)
    assert density.counts.sum() == pytest.approx(int((data["status"] == 0).sum()) * 400)
    assert len(rs.figures.orbit_diagram(data, backend="plotly").to_json()) < 60_000


def test_an_empty_table_of_scalars_is_no_curve():
    with pytest.raises(ValueError, match="scalars: expected a column 'loss' with at least one finite value"):
        rs.figures.loss(pd.DataFrame({"loss": []}), backend="recording")


def test_a_panel_can_be_moved_and_stays_as_it_was():
    panel = s.Panel((s.Line(X, Y),))
    assert replace(panel, row=2).marks is panel.marks
