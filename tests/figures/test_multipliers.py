import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rnnscope as rs
from rnnscope.figures._spectra import MAX_EPOCHS, SYMBOLS, make_spectra

BACKENDS = ("matplotlib", "plotly")


def render(figure):
    if hasattr(figure, "savefig"):
        figure.canvas.draw()
    else:
        figure.to_json()


def points(n_epochs=3, n_inputs=2):
    """What ``FixedPoints`` says: a stable point, a saddle, an unstable cycle, one out of reach, a slow one, nothing."""
    values = np.array([[0.5, 0.3], [1.5, 0.2], [1.2, -1.1], [0.1, 0.1], [1.0, 0.2], [np.nan, np.nan]])
    grid = (n_epochs, n_inputs, 6)

    def everywhere(row, **attrs):
        return ("step", "input", "point"), np.broadcast_to(row, grid).copy(), attrs

    spectrum = ("step", "input", "point", "eigenvalue")
    return xr.Dataset(
        {
            "multiplier_real": (spectrum, np.broadcast_to(values, (*grid, 2)).copy()),
            "multiplier_imag": (spectrum, np.broadcast_to(0 * values, (*grid, 2)).copy()),
            "status": everywhere(
                [0, 0, 1, 0, 2, -1],
                flag_values=np.arange(-1, 4),
                flag_meanings="none fixed_point cycle slow_point continuum",
            ),
            "stable": everywhere(
                [1, 0, 0, 1, 2, -1], flag_values=np.arange(-1, 3), flag_meanings="unknown unstable stable marginal"
            ),
            "reachable": everywhere([True, True, True, False, True, False]),
        },
        coords={"input": np.arange(n_inputs), "epoch": ("step", np.arange(n_epochs))},
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("variant", [{}, {"n_epochs": 1}, {"n_inputs": 1}, {"n_attractors": 1}, {"n_epochs": 150}])
def test_every_variant_is_drawn(attractors, variant, backend):
    data = attractors(**variant)
    render(rs.figures.multipliers(data, backend=backend))
    render(rs.figures.multipliers(data.isel(step=0, drop=True), backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_fixed_point_and_no_cycle(attractors, backend):
    data = attractors(kinds=np.full((3, 2, 1), 2))
    figure = rs.figures.multipliers(data, backend=backend)
    render(figure)
    if backend == "matplotlib":
        assert figure.axes[0].get_title(loc="left").endswith("none there")


def test_only_fixed_points_and_cycles_are_drawn(attractors):
    kinds = np.array([[[0, 1, 2]], [[4, -1, -1]]])
    data = attractors(kinds=kinds)
    data["multiplier_real"][:], data["multiplier_imag"][:] = 0.25, 0.5
    (panel,) = make_spectra(data, None, [5, 10], everything=True).panels
    assert panel.row.tolist() == [0] * 8
    assert [SYMBOLS[code] for code in panel.symbol] == ["stable fixed point"] * 4 + ["stable cycle"] * 4
    assert set(panel.multiplier.tolist()) == {0.25 + 0.5j}


def test_fixed_points_open_if_not_stable_and_without_those_out_of_reach():
    (panel, _) = make_spectra(points(n_epochs=1), None, None, everything=True).panels
    drawn = {
        SYMBOLS[code]: np.real(panel.multiplier[panel.symbol == code]).tolist() for code in np.unique(panel.symbol)
    }
    assert drawn == {
        "stable fixed point": [0.5, 0.3],
        "unstable fixed point": [1.5, 0.2],
        "unstable cycle": [1.2, -1.1],
    }
    for backend in BACKENDS:
        render(rs.figures.multipliers(points(), backend=backend))


def test_a_frame_for_each_epoch_that_moves_only_the_current_marks(attractors):
    data = attractors(n_epochs=12, n_inputs=2, n_attractors=1, kinds=np.zeros((12, 2, 1)))
    figure = rs.figures.multipliers(data, backend="plotly")
    assert [step.label for step in figure.layout.sliders[0].steps] == [str(epoch) for epoch in data["epoch"].values]
    assert [frame.name for frame in figure.frames] == [step.args[0][0] for step in figure.layout.sliders[0].steps]
    for row, frame in enumerate(figure.frames):
        for trace, at, part in zip(frame.traces, range(2), frame.data, strict=True):
            np.testing.assert_allclose(part.x, data["multiplier_real"].values[row, at, 0], rtol=1e-6)
            assert figure.data[trace].marker.color == "#dd9420"
    now = figure.data[figure.frames[0].traces[0]]
    np.testing.assert_allclose(now.x, data["multiplier_real"].values[-1, 0, 0], rtol=1e-6)


def test_on_paper_early_epochs_lie_small_on_late_ones_and_each_of_a_few_has_its_own_colour():
    recording = rs.figures.multipliers(points(n_epochs=3), backend="recording")
    assert recording.sheet.colours is not None
    assert recording.sheet.colours.steps == [0, 1, 2]
    figure = rs.figures.multipliers(points(n_epochs=3))
    signs = figure.axes[0].collections[0]
    sizes = signs.get_sizes()
    assert (np.diff(sizes) <= 0).all()
    assert sizes[0] > 2 * sizes[-1]
    assert len({tuple(colour) for colour in np.round(signs.get_facecolors(), 6)}) == 3


def test_many_epochs_are_thinned_and_said(attractors):
    data = attractors(n_attractors=1, n_inputs=1, kinds=np.zeros((150, 1, 1)))
    figure = rs.figures.multipliers(data, backend="plotly")
    assert len(figure.frames) == MAX_EPOCHS
    assert figure.layout.coloraxis.colorbar.title.text == "epoch (60 of 150 drawn)"
    assert make_spectra(data, None, [5, 750], everything=True).epochs.tolist() == [5, 750]


def test_the_axes_are_equal_and_show_the_circle_where_a_multiplier_may_leave_it(attractors):
    data = attractors(kinds=np.zeros((2, 1, 1)))
    data["multiplier_real"][:], data["multiplier_imag"][:] = 0.9, 0.0
    figure = rs.figures.multipliers(data)
    axes = figure.axes[0]
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    assert x0 < 0.9 < 1 < x1
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert axes.get_aspect() == 1


def test_the_few_unstable_multipliers_of_a_large_network_are_all_shown():
    data = points(n_epochs=1, n_inputs=1)
    spectrum = np.full((1, 1, 6, 200), 0.1)
    spectrum[0, 0, 1, :2] = 1.8, -1.6
    wide = data.drop_vars(["multiplier_real", "multiplier_imag"])
    for name, values in (("multiplier_real", spectrum), ("multiplier_imag", 0 * spectrum)):
        wide[name] = ("step", "input", "point", "eigenvalue"), values
    spectra = make_spectra(wide, None, None, everything=True)
    assert spectra.beyond(spectra.panels[0]) == 0


def test_a_huge_multiplier_of_a_saddle_is_counted_and_does_not_set_the_axes():
    data = points(n_epochs=30)
    data["multiplier_real"][3, 0, 1, 0] = 1e6
    spectra = make_spectra(data, [0], None, everything=True)
    assert spectra.view.max() < 3
    assert spectra.beyond(spectra.panels[0]) == 1
    assert "1 of 180 beyond the axis" in rs.figures.multipliers(data).axes[0].get_title(loc="left")


def test_bad_arguments_are_named(attractors, orbits):
    with pytest.raises(
        ValueError, match=r"epochs: expected epochs that were looked at \(the nearest to 6 is 5\), came \[6\]"
    ):
        rs.figures.multipliers(attractors(), epochs=[6])
    with pytest.raises(ValueError, match="found: expected a result of the probe attractors or fixedpoints"):
        rs.figures.multipliers(orbits(n_epochs=2))
    with pytest.raises(ValueError, match="epochs: expected at least one"):
        rs.figures.multipliers(attractors(), epochs=[])


@settings(deadline=None, derandomize=True, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    real=arrays(float, (3, 2, 2, 4), elements=st.floats(-1e9, 1e9) | st.sampled_from([np.nan, np.inf, 0.0])),
    imag=arrays(float, (3, 2, 2, 4), elements=st.floats(-1e9, 1e9) | st.just(np.nan)),
    kinds=arrays(np.int8, (3, 2, 2), elements=st.integers(-1, 7)),
)
def test_whatever_the_numbers_are_the_view_is_a_square_that_sees_the_circle(attractors, real, imag, kinds):
    data = attractors(kinds=kinds)
    data["multiplier_real"][:], data["multiplier_imag"][:] = real, imag
    spectra = make_spectra(data, None, None, everything=True)
    (x0, x1), (y0, y1) = spectra.view
    assert np.isfinite(spectra.view).all()
    assert x1 - x0 == pytest.approx(y1 - y0)
    nearest = np.hypot(*(np.clip(0.0, low, high) for low, high in spectra.view))
    furthest = np.hypot(*np.abs(spectra.view).max(1))
    assert nearest <= 1 <= furthest
    for backend in BACKENDS:
        render(rs.figures.multipliers(data, backend=backend))
