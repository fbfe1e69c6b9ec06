import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rnnscope as rs
from rnnscope.figures.sheet import Line

BACKENDS = ("matplotlib", "plotly")


def render(figure):
    if hasattr(figure, "savefig"):
        figure.canvas.draw()
    else:
        figure.to_json()


def lyapunov(n_epochs=5, n_inputs=2, n_starts=3, n_exponents=2):
    """What ``Lyapunov`` says, of which one start has not converged and one has diverged."""
    grid = (n_epochs, n_inputs, n_starts)
    values = np.zeros((*grid, n_exponents)) - 0.1 * np.arange(n_exponents)
    status = np.ones(grid, np.int8)
    status[:, 0, 0] = 0
    status[:, -1, -1], values[:, -1, -1] = 2, np.nan
    flags = {"flag_values": [0, 1, 2], "flag_meanings": "not_converged converged diverged"}
    names = ("step", "input", "start")
    return xr.Dataset(
        {
            "lyapunov_exponent": ((*names, "exponent"), values),
            "lyapunov_error": ((*names, "exponent"), np.full_like(values, 0.01)),
            "status": (names, status, flags),
        },
        coords={"input": np.arange(n_inputs), "epoch": ("step", np.arange(n_epochs))},
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("variant", [{}, {"n_epochs": 1}, {"n_inputs": 1}, {"n_attractors": 1}, {"n_exponents": 1}])
def test_every_variant_is_drawn(attractors, variant, backend):
    data = attractors(**variant)
    render(rs.figures.exponents(data, backend=backend))
    render(rs.figures.exponents(data.isel(step=-1, drop=True), backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_known(attractors, backend):
    data = attractors(n_epochs=3, kinds=np.full((3, 4, 2), 6))
    render(rs.figures.exponents(data, backend=backend))
    data = attractors(n_epochs=3, kinds=np.full((3, 4, 2), -1))
    figure = rs.figures.exponents(data, inputs=1)
    assert figure.axes[0].get_title(loc="left").endswith("nothing known")
    render(rs.figures.exponents(data, backend=backend))


def test_a_stroke_for_each_attractor_and_exponent_in_the_colour_of_its_kind(attractors):
    kinds = np.array([[[0, 4]], [[0, -1]]])
    data = attractors(n_epochs=2, n_inputs=1, kinds=kinds)
    recording = rs.figures.exponents(data, n_exponents=2, backend="recording")
    drawn = {}
    for line in recording.marks(Line):
        ends = line.y.reshape(-1, 3)
        np.testing.assert_array_equal(ends[:, 0], ends[:, 1])
        drawn.setdefault(line.role, []).extend(ends[:, 0].tolist())
    values = data["lyapunov_exponent"].values[:, 0, :, :2]
    wanted = {"fixed_point": values[:, 0].ravel(), "chaos": values[0, 1]}
    assert set(drawn) == set(wanted)
    for role, heights in wanted.items():
        np.testing.assert_allclose(np.sort(drawn[role]), np.sort(heights), rtol=1e-6)
    assert recording.sheet.panels[0].y.label == "λ1 ≥ λ2 (nat/step)"


def test_which_exponent_a_line_is_can_be_seen_and_is_told(attractors):
    recording = rs.figures.exponents(attractors(), backend="recording")
    assert {"λ1", "λ2", "λ3"} <= set(recording.legend)
    looks = {(mark.weight, mark.opacity) for mark in recording.marks(Line)}
    assert len(looks) == 3


def test_a_band_is_one_standard_error_on_either_side(attractors):
    data = attractors(n_epochs=1, n_inputs=1, n_attractors=1, kinds=np.array([[[4]]]))
    figure = rs.figures.exponents(data, n_exponents=1, backend="plotly")
    band = next(trace for trace in figure.data if trace.fill == "toself")
    value = float(data["lyapunov_exponent"][0, 0, 0, 0])
    assert np.nanmin(band.y) == pytest.approx(value - 0.004, abs=1e-6)
    assert np.nanmax(band.y) == pytest.approx(value + 0.004, abs=1e-6)
    assert figure.layout.yaxis.title.text == "λ1 (nat/step)"


@pytest.mark.parametrize("backend", BACKENDS)
def test_starts_of_a_lyapunov_result_by_their_status(backend):
    figure = rs.figures.exponents(lyapunov(), backend=backend)
    if backend == "matplotlib":
        words = [text.get_text() for text in figure.legends[0].get_texts()]
    else:
        words = [trace.name for trace in figure.data if trace.name]
    assert {"converged", "not converged"} < set(words)
    assert "diverged" not in words


@pytest.mark.parametrize("worst", [-np.inf, -1e6])
def test_a_direction_that_is_lost_is_marked_and_does_not_set_the_axis(attractors, worst):
    data = attractors(n_epochs=40, n_inputs=1)
    data["lyapunov_exponent"][3, 0, 0, 2] = worst
    figure = rs.figures.exponents(data)
    assert figure.axes[0].get_ylim()[0] > -1
    marked = [line.get_xdata().tolist() for line in figure.axes[0].get_lines() if line.get_marker() == "v"]
    assert marked == [[20]]
    assert "beyond the axis (clipped)" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_zero_is_on_the_axis_and_marked(attractors):
    kinds = np.full((3, 1, 1), 4)
    data = attractors(n_epochs=3, n_inputs=1, n_attractors=1, kinds=kinds)
    data["lyapunov_exponent"][:] = 5.0
    axes = rs.figures.exponents(data).axes[0]
    assert axes.get_ylim()[0] < 0 < 5 < axes.get_ylim()[1]
    assert next(line.get_ydata() for line in axes.get_lines()) == [0, 0]


def test_the_menu_shows_one_input_at_a_time(attractors):
    figure = rs.figures.exponents(attractors(), backend="plotly")
    buttons = figure.layout.updatemenus[0].buttons
    assert len(buttons) == 4
    shown = np.array([button.args[0]["visible"] for button in buttons])
    assert shown.shape == (4, len(figure.data))
    assert set(shown.sum(0)) == {1, 4}


def test_bad_arguments_are_named(attractors, orbits):
    with pytest.raises(ValueError, match="n_exponents: expected at least 1, came 0"):
        rs.figures.exponents(attractors(), n_exponents=0)
    with pytest.raises(ValueError, match="exponents: expected a result of the probe attractors or lyapunov, came"):
        rs.figures.exponents(orbits(n_epochs=2))
    with pytest.raises(ValueError, match="exponents: expected a result of the probe attractors or lyapunov, came"):
        rs.figures.exponents(lyapunov().rename(lyapunov_error="standard_error"))
    with pytest.raises(ValueError, match="inputs: expected indices among 0, 1, 2, 3, came 7"):
        rs.figures.exponents(attractors(), inputs=7)


@settings(deadline=None, derandomize=True, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=arrays(float, (3, 2, 2, 2), elements=st.floats(-1e100, 1e100) | st.sampled_from([np.nan, np.inf, -np.inf])),
    errors=arrays(float, (3, 2, 2, 2), elements=st.floats(0, 1e3) | st.just(np.nan)),
    kinds=arrays(np.int8, (3, 2, 2), elements=st.integers(-1, 7)),
)
def test_whatever_the_numbers_are_it_is_drawn_on_a_proper_axis(attractors, values, errors, kinds):
    data = attractors(n_epochs=3, n_inputs=2, n_exponents=2, kinds=kinds)
    data["lyapunov_exponent"][:], data["lyapunov_error"][:] = values, errors
    for backend in BACKENDS:
        figure = rs.figures.exponents(data, backend=backend)
        low, high = figure.axes[0].get_ylim() if backend == "matplotlib" else figure.layout.yaxis.range
        assert np.isfinite([low, high]).all()
        assert low < 0 < high
        figure.to_json() if backend == "plotly" else figure.canvas.draw()
