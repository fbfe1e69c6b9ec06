import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MatplotlibFigure
from plotly.graph_objects import Figure as PlotlyFigure

import rnnscope as rs
from rnnscope.figures import theme
from rnnscope.figures.sheet import Cells, Edge, Points
from rnnscope.findings.endings import ending
from rnnscope.findings.kinds import KINDS

BACKENDS = {"matplotlib": MatplotlibFigure, "plotly": PlotlyFigure}
VARIANTS = {
    "plain": {},
    "one epoch": {"n_epochs": 1},
    "one input": {"n_inputs": 1},
    "diverging": {"diverging": 2},
    "many inputs": {"n_inputs": 40, "n_epochs": 20},
}


def render(figure):
    if isinstance(figure, MatplotlibFigure):
        figure.canvas.draw()
    else:
        figure.to_json()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["kind_map", "transient", "frequency"])
def test_every_variant_is_drawn_by_both_backends(orbits, summary, name, variant, backend):
    data = orbits(**VARIANTS[variant])
    figure = getattr(rs.figures, name)(data if name == "transient" else summary(data), backend=backend)
    assert isinstance(figure, BACKENDS[backend])
    render(figure)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["kind_map", "transient", "frequency"])
def test_one_network_alone(orbits, summary, name, backend):
    data = orbits(n_epochs=3)
    given = (data if name == "transient" else summary(data)).isel(step=-1, drop=True)
    render(getattr(rs.figures, name)(given, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_of_several_channels(orbits, summary, backend):
    data = orbits(n_epochs=6)
    vectors = np.arange(20.0).reshape(10, 2)
    data = data.drop_vars(["input_value", "wanted_frequency"]).assign_coords(
        input_value=(("input", "channel"), vectors), wanted_frequency=("input", np.arange(10.0))
    )
    render(rs.figures.kind_map(summary(data), backend=backend))
    render(rs.figures.transient(data, backend=backend))
    figure = rs.figures.frequency(summary(data).drop_vars("wanted_frequency"), backend=backend)
    label = figure.axes[0].get_xlabel() if backend == "matplotlib" else figure.layout.xaxis.title.text
    assert label == "input"


def test_the_kind_map_shows_the_kinds_of_the_summary_in_the_order_of_the_inputs(orbits, summary):
    told = summary(orbits(n_epochs=30)).isel(input=slice(None, None, -1))
    picture = rs.figures.kind_map(told).axes[0].get_images()[0].get_array()
    np.testing.assert_array_equal(picture, told["input_kind"].values.T[::-1])
    trace = rs.figures.kind_map(told, backend="plotly").data[0]
    np.testing.assert_array_equal(trace.z, told["input_kind"].values.T[::-1])
    assert set(np.unique(trace.customdata)) == {"rests", "oscillates"}


def test_kinds_are_told_apart_in_grey():
    for screen in (False, True):
        colours = [theme.colour(kind, screen=screen) for kind in KINDS]
        rgb = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours]) / 255
        luminance = (rgb**2.2) @ [0.2126, 0.7152, 0.0722]
        lightness = np.sort(116 * np.cbrt(luminance) - 16)
        assert len(colours) == len(KINDS)
        assert np.diff(lightness).min() > 8


def test_the_transient_draws_a_line_per_start_of_the_chosen_epoch(orbits):
    data = orbits(n_epochs=10)
    figure = rs.figures.transient(data, epoch=4, inputs=[2])
    assert figure.axes[0].get_xlabel() == "time step (epoch 4, one line per start)"
    drawn = np.stack([line.get_ydata() for line in figure.axes[0].get_lines()])
    np.testing.assert_array_equal(drawn, data["orbit"].sel(input=2).isel(step=3, output=0).values)


def test_a_diverged_start_does_not_set_the_axis_and_is_said(orbits):
    figure = rs.figures.transient(orbits(n_epochs=10, diverging=5), inputs=[5])
    assert figure.axes[0].get_title(loc="left").endswith("1 of 4 starts diverged")
    assert figure.axes[0].get_ylim()[1] < 2


def test_an_epoch_that_was_not_looked_at_names_the_nearest(orbits):
    with pytest.raises(ValueError, match=r"epoch: expected an epoch that was looked at \(the nearest is 10\), came 99"):
        rs.figures.transient(orbits(n_epochs=10), epoch=99)


def test_the_frequency_is_the_median_over_the_last_epochs_with_its_range(orbits, summary):
    told = summary(orbits(n_epochs=60))
    told["frequency"][-1, 3, 0] = 9.0
    told["input_kind"][:, 0] = 0
    (points,) = rs.figures.frequency(told, backend="recording").marks(Points)
    last = told["frequency"].isel(step=slice(-20, None)).values[:, 1:]
    np.testing.assert_allclose(points.y, np.nanmedian(last, axis=(0, 2)))
    np.testing.assert_array_equal(points.low, np.nanmin(last, axis=(0, 2)))
    assert points.high[2] == 9.0
    assert points.name == "learned, last 20 epochs looked at"


def flickering(told):
    """A summary of which input 0 rests but for one start at one epoch, 1 oscillates at half of the last epochs."""
    told = told.isel(input=slice(0, 4)).copy(deep=True)
    for name, value in (("kind", 0), ("input_kind", 0), ("frequency", np.nan)):
        told[name][:] = value
    told["kind"][-3, 0, 1], told["frequency"][-3, 0, 1] = 1, 0.7
    told["kind"][-10:, 1], told["input_kind"][-10:, 1], told["frequency"][-10:, 1] = 1, 1, 0.2
    told["kind"][-15, 1, 0], told["frequency"][-15, 1, 0] = 1, 0.9
    told["kind"][-9:, 2], told["input_kind"][-9:, 2], told["frequency"][-9:, 2] = 1, 1, 0.25
    told["kind"][:, 3], told["input_kind"][:, 3] = 3, 3
    return told


def test_one_oscillating_start_at_one_epoch_is_no_learned_frequency(orbits, summary):
    told = flickering(summary(orbits(n_epochs=30)))
    end = ending(told)
    assert [KINDS[kind] for kind in end.kinds] == ["rests", "oscillates", "rests", "undetermined"]
    assert end.throughout.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(end.frequency, [np.nan, 0.2, np.nan, np.nan])
    np.testing.assert_array_equal(end.highest, [np.nan, 0.2, np.nan, np.nan])
    wanted = told["wanted_frequency"].values
    figure = rs.figures.frequency(told, backend="recording")
    places = {mark.name: list(mark.x) for kind in (Points, Edge) for mark in figure.marks(kind)}
    assert places == {
        "learned, last 20 epochs looked at": [wanted[1]],
        "mostly rests": [wanted[0], wanted[2]],
        "undetermined": [wanted[3]],
    }
    assert figure.legend == ["equal", *places]


def test_oscillating_most_often_but_at_under_half_of_the_epochs_is_said(orbits, summary):
    told = flickering(summary(orbits(n_epochs=30)))
    told["input_kind"][-6:, 2] = 3
    told["input_kind"][-20:-15, 2] = 2
    told["input_kind"][-15:-6, 2] = 1
    (edge,) = rs.figures.frequency(told, backend="recording").marks(Edge, "oscillates")
    assert edge.name == "oscillates at under half"
    assert list(edge.x) == [told["wanted_frequency"].values[2]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_death_of_one_epoch_of_thousands_stays_visible(orbits, summary, backend):
    told = summary(orbits(n_epochs=3, n_starts=1)).isel(step=[2] * 5000)
    told = told.assign_coords(epoch=("step", np.arange(5000)))
    told["input_kind"][:] = 1
    told["input_kind"][2345, 3] = 0
    figure = rs.figures.kind_map(told, backend=backend)
    if backend == "matplotlib":
        main, stripes = (image.get_array() for image in figure.axes[0].get_images())
        words = [text.get_text() for text in figure.legends[0].get_texts()]
        stripes = stripes.filled(4)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        picture = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
        x0, y0, x1, y1 = figure.axes[0].get_window_extent().extents.astype(int)
        inside = picture[len(picture) - y1 : len(picture) - y0, x0:x1]
        assert (np.abs(inside - [0xD9, 0x8C, 0x10]).sum(-1) == 0).any()
    else:
        main, stripes = (trace.z for trace in figure.data if trace.type == "heatmap")
        words = [trace.name for trace in figure.data]
        assert "mostly oscillates, also rests" in figure.data[0].customdata[3]
    assert (main == 1).all()
    assert "stripe: at some epochs" in words
    rows, columns = np.nonzero(stripes != 4)
    assert rows.tolist() == [12]
    assert abs(columns[0] / stripes.shape[1] - 2345 / 5000) < 0.002


def test_a_column_shows_what_is_commonest_in_it(orbits, summary):
    told = summary(orbits(n_epochs=3, n_inputs=1, n_starts=1)).isel(step=[2] * 8000)
    told = told.assign_coords(epoch=("step", np.arange(8000)))
    told["input_kind"][:, 0] = np.where(np.arange(8000) % 10 < 3, [1], [0])
    main, stripes = (cells.codes for cells in rs.figures.kind_map(told, backend="recording").marks(Cells))
    assert main.shape == (1, 800)
    assert (main[0, 1:-1] == 0).all()
    assert (stripes[0, 1:-1] == 1).all()
    assert (stripes[1:] == 4).all()


@pytest.mark.parametrize("variant", ["strip", "frequency"])
def test_the_legend_stays_inside_the_figure(orbits, summary, variant):
    if variant == "frequency":
        told = flickering(summary(orbits(n_epochs=30)))
        told["input_kind"][-20:, 2] = [3] * 6 + [1] * 8 + [2] * 6
        figure = rs.figures.frequency(told)
    else:
        data = orbits(n_epochs=3, n_keep=10, diverging=4).isel(step=[2] * 2000)
        data = data.assign_coords(epoch=("step", [*range(1900), *range(9000, 9100)]))
        told = summary(data)
        told["input_kind"][::2] = 3
        figure = rs.figures.orbit_diagram(data, summary=told)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_oscillates(orbits, summary, backend):
    render(rs.figures.frequency(summary(orbits(n_epochs=40).isel(step=slice(0, 15))), backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("worst", [np.nan, np.inf, 0.0, -1.0])
def test_losses_that_are_not_positive_numbers(scalars, worst, backend):
    table = scalars(30)
    table.loc[7, "loss"] = worst
    render(rs.figures.loss(table, backend=backend))
    render(rs.figures.loss({"a": table, "b": scalars(10), "c": scalars(1)}, backend=backend))


def test_no_loss_at_all(scalars):
    with pytest.raises(ValueError, match="scalars: expected a column 'loss' with at least one finite value"):
        rs.figures.loss(scalars(5).drop(columns="loss"))


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.21), (0.02, 0.6), (1e-9, 1e3), (5.0, 6.0), (1e-300, 1e300)])
def test_ticks_of_a_logarithmic_axis_are_few_and_inside(low, high):
    ticks = theme.log_ticks(low, high)
    assert 2 <= len(ticks) <= 5
    assert all(low <= tick <= high for tick, _ in ticks)
    assert len({words for _, words in ticks}) == len(ticks)


def test_drawing_leaves_matplotlib_as_it_was(orbits):
    before = dict(matplotlib.rcParams)
    rs.figures.orbit_diagram(orbits(n_epochs=3))
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_importing_the_room_loads_no_backend():
    code = (
        "import sys, rnnscope.figures as f, rnnscope.report; f.names(); "
        "print([m for m in ('matplotlib', 'plotly', 'torch', 'xarray', 'jinja2') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_figures_by_name():
    assert rs.figures.names() == [
        "accuracy",
        "attractor-counts",
        "attractor-map",
        "branches",
        "claims",
        "compare-orbits",
        "cost-line",
        "cost-plane",
        "cost-surface",
        "curvature",
        "error-horizon",
        "exponents",
        "frequency",
        "frequency-in-out",
        "growth",
        "kind-map",
        "loss",
        "multipliers",
        "orbit-diagram",
        "phase-portrait",
        "sensitivity",
        "state-plane",
        "timeline",
        "transient",
        "tunnel",
    ]
    assert rs.figures.load("orbit-diagram") is rs.figures.orbit_diagram
    assert callable(rs.figures.orbit_diagram)
    with pytest.raises(AttributeError, match=r"it has .*orbit_diagram"):
        _ = rs.figures.orbits
