import base64
import struct
import zlib

import numpy as np
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from plotly.graph_objects import Figure as PlotlyFigure

import rnnscope as rs
from rnnscope.figures._columns import MAX_COLUMNS, make_columns
from rnnscope.figures._samples import N_BINS, Samples
from rnnscope.figures.sheet import Line, Points

KINDS = {"matplotlib": MatplotlibFigure, "plotly": PlotlyFigure}
VARIANTS = {
    "plain": {},
    "one epoch": {"n_epochs": 1},
    "two epochs": {"n_epochs": 2},
    "one input": {"n_inputs": 1},
    "one start": {"n_starts": 1},
    "one step": {"n_keep": 1},
    "several outputs": {"n_outputs": 3},
    "diverging": {"diverging": 2},
    "huge": {"huge": True},
    "many samples": {"n_epochs": 80, "n_keep": 400},
}


def render(figure):
    if isinstance(figure, MatplotlibFigure):
        figure.canvas.draw()
    else:
        figure.to_json()


@pytest.mark.parametrize("backend", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_drawn_by_both_backends(orbits, scalars, summary, variant, backend):
    data = orbits(**VARIANTS[variant])
    figure = rs.figures.orbit_diagram(data, scalars=scalars(data.sizes["step"]), summary=summary(data), backend=backend)
    assert isinstance(figure, KINDS[backend])
    render(figure)


@pytest.mark.parametrize("backend", KINDS)
def test_one_network_alone_is_one_epoch(orbits, backend):
    alone = orbits().isel(step=-1, drop=True)
    assert "step" not in alone.dims
    render(rs.figures.orbit_diagram(alone, backend=backend))
    kept = orbits().isel(step=-1)
    render(rs.figures.orbit_diagram(kept, backend=backend))


@pytest.mark.parametrize("backend", KINDS)
def test_everything_diverged_is_still_a_figure_that_says_so(orbits, backend):
    data = orbits(n_epochs=5)
    data["orbit"][:] = np.nan
    data["status"][:] = 2
    figure = rs.figures.orbit_diagram(data, backend=backend)
    render(figure)
    words = (
        [text.get_text() for text in figure.legends[0].get_texts()]
        if backend == "matplotlib"
        else [trace.name for trace in figure.data]
    )
    assert "diverged" in words


@pytest.mark.parametrize("backend", KINDS)
def test_inputs_without_values_or_units_are_named_by_their_index(orbits, backend):
    data = orbits(n_epochs=4).drop_vars(["input_value", "wanted_frequency", "loss"])
    figure = rs.figures.orbit_diagram(data, inputs=3, backend=backend)
    matplotlib = backend == "matplotlib"
    assert (figure.axes[0].get_title(loc="left") if matplotlib else figure.layout.annotations[0].text) == "input 3"


def test_no_loss_no_loss_panel(orbits):
    data = orbits(n_epochs=4)
    assert rs.figures.orbit_diagram(data).axes[-1].get_ylabel() == "loss"
    assert len(rs.figures.orbit_diagram(data.drop_vars("loss")).axes) == 3


def test_the_loss_of_the_scalars_is_drawn_on_the_axis_of_the_orbits(orbits, scalars):
    data, table = orbits(n_epochs=30), scalars(30)
    figure = rs.figures.orbit_diagram(data, scalars=table)
    curve = figure.axes[-1].get_lines()[0]
    np.testing.assert_array_equal(curve.get_xdata(), table.index)
    np.testing.assert_array_equal(curve.get_ydata(), table["loss"])
    assert figure.axes[0].get_xlim() == figure.axes[-1].get_xlim()


def test_every_sample_in_motion_is_a_point_and_every_settled_value_a_line(orbits):
    data = orbits(n_epochs=12, n_keep=10)
    recording = rs.figures.orbit_diagram(data, inputs=[4], backend="recording")
    moving = data["status"].isel(input=4).values == 0
    samples = data["orbit"].isel(input=4, output=0).values
    (points,) = recording.marks(Points)
    np.testing.assert_array_equal(points.y, samples[moving].ravel())
    (lines,) = recording.marks(Line, "settled")
    drawn = {round(float(value), 4) for value in lines.y[::3]}
    assert drawn == {round(float(value), 4) for value in samples[~moving][:, -1]}


def test_samples_of_few_epochs_fill_the_stretch_that_stands_for_their_epoch(orbits):
    recording = rs.figures.orbit_diagram(orbits(n_epochs=12), inputs=[9], backend="recording")
    (points,) = recording.marks(Points)
    away = points.x - points.facts["epoch"]
    assert -0.5 <= away.min() < -0.49
    assert 0.49 < away.max() <= 0.5
    for epoch in np.unique(points.facts["epoch"]):
        assert np.histogram(away[points.facts["epoch"] == epoch], bins=10, range=(-0.5, 0.5))[0].min() > 30


def test_the_density_counts_every_sample_once(orbits):
    data = orbits(n_epochs=40, n_keep=50)
    samples = Samples.of(data, 0)
    limits = samples.value_range([0])
    density = samples.density(0, limits, make_columns(data["epoch"].values))
    moving = samples.status[:, 0] == 0
    np.testing.assert_array_equal(density.sum(0), moving.sum(1) * 50)
    at = int(np.flatnonzero(moving.all(1))[0])
    expected, _ = np.histogram(samples.values[at, 0].astype(float), bins=N_BINS, range=limits)
    assert np.abs(density[:, at] - expected).sum() <= 2


def test_the_plotly_density_is_the_same_picture(orbits):
    data = orbits(n_epochs=100, n_keep=200)
    figure = rs.figures.orbit_diagram(data, inputs=[9], backend="plotly")
    image = next(trace for trace in figure.data if trace.type == "image")
    levels = decode(image.source)
    samples = Samples.of(data, 0)
    density = samples.density(9, tuple(figure.layout.yaxis.range), make_columns(data["epoch"].values))
    np.testing.assert_array_equal(levels > 0, density > 0)
    assert (image.x0, image.dx) == (1.0, 1.0)
    assert image.y0 - image.dy / 2 == pytest.approx(figure.layout.yaxis.range[0])


def decode(address):
    raw = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    width, height = struct.unpack(">II", raw[16:24])
    data, at = b"", 8
    while at < len(raw):
        (length,) = struct.unpack(">I", raw[at : at + 4])
        if raw[at + 4 : at + 8] == b"IDAT":
            data += raw[at + 8 : at + 8 + length]
        at += 12 + length
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, width + 1)[:, 1:]


def test_a_large_plotly_figure_stays_small(orbits):
    figure = rs.figures.orbit_diagram(orbits(n_epochs=300, n_keep=200), backend="plotly")
    assert len(figure.to_json()) < 1_500_000


def test_the_menu_shows_one_input_at_a_time_and_always_the_loss(orbits):
    data = orbits(n_epochs=60)
    figure = rs.figures.orbit_diagram(data, backend="plotly")
    buttons = figure.layout.updatemenus[0].buttons
    assert len(buttons) == data.sizes["input"]
    assert buttons[0].label == "input frequency ω = 0.196 rad/step"
    shown = np.array([button.args[0]["visible"] for button in buttons])
    assert shown.shape[1] == len(figure.data)
    loss = [trace.hovertemplate is not None and "loss" in trace.hovertemplate for trace in figure.data]
    assert shown[:, loss].all()
    assert set(shown.sum(0)) == {1, len(buttons)}


def test_one_huge_orbit_does_not_flatten_the_rest_and_is_marked(orbits):
    plain, huge = orbits(n_epochs=60), orbits(n_epochs=60, huge=True)
    figure = rs.figures.orbit_diagram(huge)
    assert figure.axes[0].get_ylim()[1] < 2
    assert "beyond the axis (clipped)" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert rs.figures.orbit_diagram(plain).axes[0].get_ylim()[1] < 2
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "^"]
    assert [list(line.get_xdata()) for line in marks] == [[21]]


def test_diverged_epochs_are_marked(orbits):
    data = orbits(n_epochs=20, diverging=9)
    figure = rs.figures.orbit_diagram(data, inputs=[9])
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "|"]
    assert [list(line.get_xdata()) for line in marks] == [[15, 16, 17, 18, 19, 20]]


def test_uneven_epochs_are_drawn_at_their_own_places():
    columns = make_columns(np.array([0, 1, 2, 4, 8, 16, 700]))
    assert len(columns.source) == 701
    assert columns.source[[0, 1, 2, 4, 8, 16, 700]].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert columns.source[[5, 7, 11, 13]].tolist() == [3, 4, 4, 5]
    assert (columns.source[21:696] == -1).all()


@pytest.mark.parametrize(
    ("epochs", "n_gaps"),
    [
        ([0, 1, 100], 98),
        ([0, 100], 0),
        ([*range(0, 300, 4), *range(281, 301)], 0),
        ([*range(0, 300, 4), *range(500, 520)], 500 - 299),
        ([*range(1, 9), 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128], 0),
        ([*range(20), 400, *range(700, 720)], 720 - 41),
        ([0, 64, 128, 160, 176, 184, 188, 190, 191, 192, 256, 320, 384], 0),
        ([5], 0),
    ],
)
def test_epochs_that_were_not_looked_at_are_gaps(epochs, n_gaps):
    assert (make_columns(sorted(set(epochs))).source == -1).sum() == n_gaps


@pytest.mark.parametrize("backend", KINDS)
def test_gaps_are_empty_in_the_density_and_in_the_strip_and_said(orbits, summary, backend):
    data = orbits(n_epochs=3, n_keep=10_000).assign_coords(epoch=("step", [0, 1, 100]))
    data["status"][:] = 0
    figure = rs.figures.orbit_diagram(data, summary=summary(data), inputs=0, backend=backend)
    if backend == "matplotlib":
        density, strip = (axes.get_images()[0].get_array() for axes in figure.axes[:2])
        filled = ~np.ma.getmaskarray(density).all(0), ~np.ma.getmaskarray(strip).all(0)
        words = [text.get_text() for text in figure.legends[0].get_texts()]
    else:
        density = decode(next(trace for trace in figure.data if trace.type == "image").source)
        strip = next(trace for trace in figure.data if trace.type == "heatmap").z
        filled = (density > 0).any(0), (strip < 4).any(0)
        words = [trace.name for trace in figure.data]
    for columns in filled:
        assert np.flatnonzero(columns).tolist() == [0, 1, 100]
    assert "not looked at" in words


def test_a_settled_epoch_is_drawn_as_wide_as_a_column_and_no_further_than_its_own_stretch():
    many = make_columns(np.arange(10_000))
    assert (many.right - many.left).min() == pytest.approx(many.width)
    few = make_columns(np.array([0, 1, 100]))
    assert (few.left[2], few.right[2]) == (99.5, 100.5)


def test_plotly_has_the_loss_of_every_epoch_that_has_one(orbits, scalars):
    data, table = orbits(n_epochs=3000).isel(step=slice(0, None, 500)), scalars(3000)
    table["loss"] *= np.where(np.arange(3000) % 2, 1.0, 10.0)
    for figure in (
        rs.figures.orbit_diagram(data, scalars=table, backend="plotly"),
        rs.figures.loss(table, backend="plotly"),
    ):
        curve = next(trace for trace in figure.data if "loss" in (trace.hovertemplate or ""))
        np.testing.assert_array_equal(curve.x, table.index)
        np.testing.assert_array_equal(curve.y, table["loss"])


def test_ten_thousand_epochs_share_columns(orbits):
    data = orbits(n_epochs=5000, n_inputs=1, n_starts=1, n_keep=30)
    samples = Samples.of(data, 0)
    columns = make_columns(data["epoch"].values)
    density = samples.density(0, samples.value_range([0]), columns)
    assert density.shape == (N_BINS, MAX_COLUMNS)
    assert density.sum(0).max() == pytest.approx(30)


def test_outputs_by_index_and_by_label(orbits):
    data = orbits(n_epochs=4, n_outputs=2)
    assert rs.figures.orbit_diagram(data, output="y1").axes[1].get_ylabel() == "y1"
    assert rs.figures.orbit_diagram(data, output=1).axes[1].get_ylabel() == "y1"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "bokeh"}, "unknown backend 'bokeh': Valid: matplotlib, plotly"),
        ({"backend": "matplotlb"}, "did you mean 'matplotlib'"),
        ({"inputs": [12]}, "inputs: expected indices among 0, 1, 2"),
        ({"inputs": []}, "inputs: expected"),
        ({"output": 1}, "output: expected an index from 0 to 0, came 1"),
        ({"output": "z"}, "output: expected one of y0, came 'z'"),
        ({"value_range": (1.0, 0.0)}, "value_range: expected a lowest value below the highest"),
    ],
)
def test_bad_arguments_are_named(orbits, settings, message):
    with pytest.raises(ValueError, match=message):
        rs.figures.orbit_diagram(orbits(n_epochs=2), **settings)
