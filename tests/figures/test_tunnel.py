from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure as MatplotlibFigure
from plotly.graph_objects import Figure as PlotlyFigure

import rnnscope as rs
from rnnscope.figures._tunnel import MAX_STARTS, evenly

BACKENDS = {"matplotlib": MatplotlibFigure, "plotly": PlotlyFigure}
VARIANTS = {
    "plain": {},
    "one epoch": {"n_epochs": 1},
    "two epochs": {"n_epochs": 2},
    "one input": {"n_inputs": 1},
    "one start": {"n_starts": 1},
    "many starts": {"n_starts": 9},
    "two steps": {"n_keep": 2},
    "several outputs": {"n_outputs": 3},
    "diverging": {"diverging": 5},
    "huge": {"huge": True},
}


def render(figure):
    if isinstance(figure, MatplotlibFigure):
        figure.canvas.draw()
    else:
        figure.to_json()


def words(figure):
    if isinstance(figure, MatplotlibFigure):
        return figure.axes[0].get_title(loc="left").replace("\n", " ")
    return figure.layout.annotations[0].text


def epoch_label(figure):
    if isinstance(figure, MatplotlibFigure):
        return figure.axes[0].get_xlabel()
    return figure.layout.scene.xaxis.title.text


def drawn(figure, at) -> Any:
    return figure.axes[0].collections[at]


def points(figure):
    """Epoch, change, value of the samples in motion of the first panel."""
    if isinstance(figure, MatplotlibFigure):
        return [np.asarray(column) for column in drawn(figure, 0)._offsets3d]
    return [np.asarray(figure.data[0][axis]) for axis in "xyz"]


def strokes(figure):
    """Beginning and end (orbit, 2) in epochs, and value, of the settled orbits of the first panel."""
    if isinstance(figure, MatplotlibFigure):
        lines = np.array(drawn(figure, 1)._segments3d)
        assert not lines[..., 1].any()
        return lines[..., 0], lines[:, 0, 2]
    x, z = (np.asarray(figure.data[1][axis]).reshape(-1, 3) for axis in "xz")
    assert np.isnan(x[:, 2]).all()
    return x[:, :2], z[:, 0]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_drawn_by_both_backends(orbits, variant, backend, flat):
    figure = rs.figures.tunnel(orbits(**VARIANTS[variant]), flat=flat, backend=backend)
    assert isinstance(figure, BACKENDS[backend])
    render(figure)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_one_network_alone_is_one_epoch(orbits, backend, flat):
    render(rs.figures.tunnel(orbits(n_epochs=3).isel(step=-1, drop=True), flat=flat, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_points_are_every_sample_in_motion_against_its_difference(orbits, backend):
    data = orbits(n_epochs=20, n_keep=10)
    epochs, changes, values = points(rs.figures.tunnel(data, inputs=4, backend=backend))
    moving = data["status"].isel(input=4).values == 0
    kept = data["orbit"].isel(input=4, output=0).values[moving]
    np.testing.assert_array_equal(values, kept[:, 1:].ravel())
    np.testing.assert_array_equal(changes, np.diff(kept).ravel())
    np.testing.assert_array_equal(epochs, np.repeat(data["epoch"].values[np.nonzero(moving)[0]], 9))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_settled_orbit_is_a_stroke_at_its_value_as_long_as_its_epoch(orbits, backend):
    data = orbits(n_epochs=20, n_keep=10)
    ends, values = strokes(rs.figures.tunnel(data, inputs=4, backend=backend))
    rows, starts = np.nonzero(data["status"].isel(input=4).values == 1)
    epochs = data["epoch"].values[rows]
    np.testing.assert_array_equal(ends, np.stack([epochs - 0.5, epochs + 0.5], axis=1))
    np.testing.assert_allclose(values, data["orbit"].isel(input=4, output=0).values[rows, starts, -1])


def test_a_circle_stays_a_circle(orbits):
    data = orbits(n_epochs=1, n_keep=100, n_starts=1, n_inputs=1)
    turn = 0.7 * np.arange(100)
    data["status"][:], data["orbit"][0, 0, 0, :, 0] = 0, np.sin(turn)
    _, changes, values = points(rs.figures.tunnel(data, backend="plotly"))
    # sin a - sin(a - w) = 2 sin(w/2) cos(a - w/2), an ellipse about the origin
    across = (changes / (2 * np.sin(0.35)) - values * np.sin(0.35)) / np.cos(0.35)
    np.testing.assert_allclose(values**2 + across**2, 1.0, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_thinning_keeps_both_ends_and_is_said(orbits, backend):
    data = orbits(n_epochs=300, n_starts=40, n_keep=400, n_inputs=1)
    figure = rs.figures.tunnel(data, backend=backend)
    epochs = points(figure)[0]
    assert epochs.max() == 300
    assert strokes(figure)[0].min() == 1 - 2.5
    assert epoch_label(figure) == "epoch (60 of 300 drawn)"
    assert f"{MAX_STARTS} of 40 starts" in words(figure)
    n_last = len(epochs) // (np.unique(epochs).size * MAX_STARTS)
    assert f"last {n_last} of 399 differences" in words(figure) or (n_last == 399 and "last" not in words(figure))
    assert len(figure.to_json()) < 1_000_000 if backend == "plotly" else len(epochs) <= 48_000
    assert epoch_label(rs.figures.tunnel(data, max_epochs=7, backend=backend)) == "epoch (7 of 300 drawn)"
    few = rs.figures.tunnel(orbits(n_epochs=60), backend=backend)
    assert epoch_label(few) == "epoch"
    assert words(few) in ("", "input frequency ω = 0.305 rad/step")


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 10_000), st.integers(1, 100))
def test_even_positions_have_both_ends_and_no_doubles(n, n_wanted):
    chosen = evenly(n, n_wanted)
    assert len(chosen) == min(n, n_wanted) == len(set(chosen.tolist()))
    assert chosen[-1] == n - 1
    assert chosen[0] == 0 or n_wanted == 1
    assert len(chosen) < 3 or np.ptp(np.diff(chosen)) <= 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_diverged_orbits_are_left_out_and_said(orbits, backend):
    data = orbits(n_epochs=20, diverging=9)
    figure = rs.figures.tunnel(data, inputs=9, backend=backend)
    assert "6 of 80 orbits diverged (left out)" in words(figure)
    assert points(figure)[2].max() < 2
    data["orbit"][:], data["status"][:] = np.nan, 2
    empty = rs.figures.tunnel(data, backend=backend)
    render(empty)
    assert "80 of 80 orbits diverged" in words(empty)


@pytest.mark.parametrize("backend", BACKENDS)
def test_samples_that_are_no_number_or_leave_the_axis_are_counted(orbits, backend):
    data = orbits(n_epochs=4, n_keep=10, n_starts=1, n_inputs=1)
    data["status"][:] = 0
    data["orbit"][0, 0, 0, 3, 0], data["orbit"][1, 0, 0, 9, 0] = np.nan, 50.0
    figure = rs.figures.tunnel(data, value_range=(-2, 2), backend=backend)
    assert "3 of 36 points beyond the axis or not finite" in words(figure)
    assert all(len(column) == 33 and np.isfinite(column).all() for column in points(figure))
    data["status"][:] = 1
    assert "1 of 4 rests beyond the axis" in words(rs.figures.tunnel(data, value_range=(-2, 2), backend=backend))


def test_an_orbit_that_hardly_moves_does_not_fill_the_axis_of_changes(orbits):
    data = orbits(n_epochs=1, n_inputs=1)
    data["status"][:] = 0
    data["orbit"][:] = 1 + 1e-6 * data["orbit"]
    low, high = rs.figures.tunnel(data, value_range=(0, 2)).axes[0].get_ylim()
    assert high == -low == pytest.approx(0.108)


def test_a_panel_for_each_input_or_a_menu_of_them(orbits):
    data = orbits(n_epochs=10, diverging=9)
    figure = rs.figures.tunnel(data, inputs=[0, 9])
    assert len(figure.axes) == 2
    assert [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes] == [
        "input frequency ω = 0.196 rad/step",
        "input frequency ω = 0.393 rad/step",
    ]
    menu = rs.figures.tunnel(data, inputs=[0, 9], backend="plotly")
    buttons = menu.layout.updatemenus[0].buttons
    assert [sum(button.args[0]["visible"]) for button in buttons] == [2, 2]
    assert [trace.visible is not False for trace in menu.data] == list(buttons[1].args[0]["visible"])
    (remark,) = menu.layout.annotations
    assert "diverged" in remark.text
    assert [button.args[1]["annotations[0].visible"] for button in buttons] == [False, True]


def test_without_inputs_the_middle_one_and_flat_three(orbits):
    data = orbits(n_epochs=30)
    assert words(rs.figures.tunnel(data)) == "input frequency ω = 0.305 rad/step"
    flat = rs.figures.tunnel(data, flat=True)
    assert len(flat.axes) == 4
    assert flat.axes[2].get_xlabel() == "output y"
    assert flat.axes[3].get_ylabel() == "epoch (5 of 30 drawn)"
    assert flat.axes[3].get_yticks().tolist() == [1, 8, 15, 23, 30]


def test_flat_has_the_plane_and_the_epoch_as_colour(orbits):
    data = orbits(n_epochs=9, n_keep=20)
    for trace in rs.figures.tunnel(data, inputs=2, flat=True, max_epochs=1, backend="plotly").data:
        assert set(trace.marker.color) <= {9}
    figure = rs.figures.tunnel(data, inputs=2, flat=True, max_epochs=1)
    kept = data["orbit"].isel(step=-1, input=2, output=0).values
    expected = np.stack([kept[:, 1:].ravel(), np.diff(kept).ravel()], axis=1)
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets(), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_by_index_and_by_label(orbits, backend):
    data = orbits(n_epochs=20, n_outputs=2)
    by_label = rs.figures.tunnel(data, output="y1", backend=backend)
    for one, other in zip(points(by_label), points(rs.figures.tunnel(data, output=1, backend=backend)), strict=True):
        np.testing.assert_array_equal(one, other)
    axes = by_label.axes[0] if backend == "matplotlib" else by_label.layout.scene
    assert (axes.get_zlabel() if backend == "matplotlib" else axes.zaxis.title.text) == "y1"


def test_both_axes_have_the_unit(orbits):
    data = orbits(n_epochs=3)
    data["orbit"].attrs["units"] = "m"
    scene = rs.figures.tunnel(data, backend="plotly").layout.scene
    assert scene.zaxis.title.text == "output y (m)"
    assert scene.yaxis.title.text == "change<br>y[t] − y[t−1] (m)"


def test_a_run_draws_it_by_name(orbits, tmp_path):
    assert "tunnel" in rs.figures.names()
    figure = rs.figures.draw("tunnel", None, orbits=orbits(n_epochs=5), flat=True)  # pyright: ignore[reportArgumentType]
    assert rs.figures.save(figure, tmp_path / "tunnel.pdf").stat().st_size > 1000


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"backend": "bokeh"}, "unknown backend 'bokeh': Valid: matplotlib, plotly"),
        ({"inputs": [12]}, "inputs: expected indices among 0, 1, 2"),
        ({"output": 3}, "output: expected an index from 0 to 0, came 3"),
        ({"max_epochs": 0}, "max_epochs: expected at least 1, came 0"),
        ({"value_range": (1.0, 1.0)}, "value_range: expected a lowest value below the highest"),
    ],
)
def test_wrong_arguments_say_what_was_expected(orbits, wrong, message):
    with pytest.raises(ValueError, match=message):
        rs.figures.tunnel(orbits(n_epochs=2), **wrong)


def test_samples_without_a_difference_say_so(orbits):
    with pytest.raises(ValueError, match=r"at least two kept samples, for y\[t\] - y\[t-1\] .*n_keep=400.*, came 1"):
        rs.figures.tunnel(orbits(n_epochs=2, n_keep=1))
    with pytest.raises(ValueError, match=r"samples one time step apart.*came '\[5\] apart'"):
        rs.figures.tunnel(orbits(n_epochs=2).isel(time=slice(None, None, 5)))
