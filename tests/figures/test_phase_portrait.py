import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rnnscope as rs
from rnnscope.figures._portrait import make_portraits

BACKENDS = ("matplotlib", "plotly")


def render(figure):
    if hasattr(figure, "savefig"):
        figure.canvas.draw()
    else:
        figure.to_json()


def orbits_of(states, status=0, epochs=None):
    """Orbits (input, start, time, state), the same at all epochs, with their states."""
    epochs = [3, 7] if epochs is None else epochs
    states = np.broadcast_to(states, (len(epochs), *np.shape(states))).copy()
    grid = ("step", "input", "start")
    return xr.Dataset(
        {
            "state_orbit": ((*grid, "time", "state"), states),
            "orbit": ((*grid, "time", "output"), states[..., :1]),
            "status": (
                grid, np.full(states.shape[:3], status, np.int8),
                {"flag_values": [0, 1, 2], "flag_meanings": "moving settled diverged"},
            ),
        },
        coords={"input": np.arange(states.shape[1]), "epoch": ("step", epochs)},
    )  # fmt: skip


def circles(n_inputs=3, n_starts=2, n_times=60):
    """A circle of radius 2 in a plane of a space of four dimensions, about a centre of its own at each input."""
    angle = 0.2 * np.arange(n_times) + np.arange(n_starts)[:, None]
    flat = np.stack([2 * np.cos(angle), 2 * np.sin(angle), 0 * angle, 0 * angle], axis=-1)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
    return np.stack([flat @ turn.T + k * turn[:, 0] for k in range(n_inputs)]), turn


def points_of(turn, n_inputs=3, epochs=(3, 7), *, vectors=True):
    """A stable point, a saddle with one direction in the plane, a spiral out of it, one out of reach."""
    n = 4
    locations = np.stack([0 * turn[:, 0], turn[:, 0], turn[:, 1], 5 * turn[:, 0]])
    real = np.array([[0.5] * n, [1.5, 0.5, 0.5, 0.5], [1.2, 1.2, 0.1, 0.1], [0.5] * n])
    imag = np.array([[0.0] * n, [0.0] * n, [0.3, -0.3, 0, 0], [0.0] * n])
    right = np.broadcast_to(turn, (4, n, n)).copy()
    grid, shape = ("step", "input", "point"), (len(epochs), n_inputs, 4)
    flags = {"flag_values": np.arange(-1, 4), "flag_meanings": "none fixed_point cycle slow_point continuum"}
    stability = {"flag_values": np.arange(-1, 3), "flag_meanings": "unknown unstable stable marginal"}

    def everywhere(values, *dims, **attrs):
        values = np.asarray(values)
        return (*grid, *dims), np.broadcast_to(values, (*shape, *values.shape[1:])).copy(), attrs

    data = xr.Dataset(
        {
            "location": everywhere(locations, "state"),
            "multiplier_real": everywhere(real, "eigenvalue"),
            "multiplier_imag": everywhere(imag, "eigenvalue"),
            "status": everywhere([0, 0, 0, 0], **flags),
            "stable": everywhere([1, 0, 0, 1], **stability),
            "index": everywhere([0, 1, 2, 0]),
            "period": everywhere([1, 1, 1, 1]),
            "reachable": everywhere([True, True, True, False]),
        },
        coords={"input": np.arange(n_inputs), "epoch": ("step", list(epochs))},
    )
    if vectors:
        data["right_real"] = everywhere(right, "state", "eigenvalue")[:2]
        data["right_imag"] = everywhere(0 * right, "state", "eigenvalue")[:2]
    return data


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("vectors", [False, True])
def test_with_and_without_points_of_one_input_and_of_several(backend, vectors):
    states, turn = circles()
    data, points = orbits_of(states), points_of(turn, vectors=vectors)
    render(rs.figures.phase_portrait(data, backend=backend))
    render(rs.figures.phase_portrait(data, points, inputs=[0, 2], backend=backend))
    alone = rs.figures.phase_portrait(data.isel(step=0, drop=True).drop_vars("epoch", errors="ignore"), backend=backend)
    title = alone.axes[0].get_title(loc="left") if backend == "matplotlib" else alone.layout.annotations[0].text
    assert title == "input 1"


def test_a_plane_of_states_is_seen_as_it_is():
    states, turn = circles()
    portraits = make_portraits(orbits_of(states), points_of(turn), None, [0])
    assert portraits.plane.share.sum() == pytest.approx(1)
    radius = np.linalg.norm(portraits.panels[0].orbits - portraits.plane.project(np.zeros(4)), axis=-1)
    np.testing.assert_allclose(radius, 2, atol=1e-12)
    stable, unstable = portraits.panels[0].marks
    assert (stable.sort, unstable.sort) == ("stable fixed point", "unstable fixed point")
    np.testing.assert_allclose(stable.places, portraits.plane.project(np.zeros((1, 4))), atol=1e-12)
    assert unstable.index.tolist() == [1, 2]
    assert unstable.words == [
        "unstable fixed point, 1 unstable direction",
        "unstable fixed point, 2 unstable directions",
    ]
    assert portraits.panels[0].flows


def test_unstable_directions_are_as_long_as_they_lie_in_the_plane():
    states, turn = circles()
    portraits = make_portraits(orbits_of(states), points_of(turn), None, [0])
    directions = portraits.panels[0].directions
    assert len(directions) == 3
    length = np.linalg.norm(directions[:, 1] - directions[:, 0], axis=-1)
    np.testing.assert_allclose(length, length[0])
    np.testing.assert_allclose(directions.mean(1)[0], portraits.plane.project(turn[:, 0]), atol=1e-12)
    out = points_of(turn)
    out["right_real"][:] = np.stack([turn[:, 2]] * 4, axis=1)
    assert np.ptp(make_portraits(orbits_of(states), out, None, [0]).panels[0].directions, axis=1).max() < 1e-12


def test_orbits_that_stand_still_are_seen_in_the_plane_of_the_points():
    _, turn = circles()
    still = np.zeros((1, 3, 10, 4))
    portraits = make_portraits(orbits_of(still), points_of(turn, 1), None, None)
    spread = np.concatenate([marks.places for marks in portraits.panels[0].marks])
    assert np.linalg.matrix_rank(spread - spread.mean(0)) == 2
    assert "%" not in portraits.plane.label(0)


def test_a_diverged_start_is_left_out_and_said():
    states, _ = circles()
    data = orbits_of(states)
    data["status"][:, 1, 0], data["state_orbit"][:, 1, 0] = 2, 1e200
    (panel,) = make_portraits(data, None, None, None).panels
    assert panel.orbits.shape[0] == 1
    assert panel.remarks == ("1 of 2 starts diverged",)
    data["status"][:] = 2
    for backend in BACKENDS:
        render(rs.figures.phase_portrait(data, backend=backend))


def test_attractors_are_points_too_and_meet_the_orbits_at_the_same_input(attractors):
    found = attractors(n_epochs=2, n_inputs=2, n_attractors=3, kinds=np.tile([0, 1, 2], (2, 2, 1)))
    states = np.random.default_rng(0).normal(size=(2, 2, 40, 3))
    data = orbits_of(states, epochs=[5, 10]).assign_coords(
        input_value=(("input", "channel"), found["input_value"].values[::-1])
    )
    (panel,) = make_portraits(data, found, 5, [0]).panels
    assert [marks.sort for marks in panel.marks] == ["stable fixed point", "stable cycle"]
    plane = make_portraits(data, found, 5, [0]).plane
    np.testing.assert_allclose(panel.marks[0].places[0], plane.project(found["location"].values[0, 1, 0]))
    elsewhere = data.assign_coords(input_value=data["input_value"] + 1)
    assert make_portraits(elsewhere, found, 5, [0]).panels[0].marks == []
    assert not panel.flows


@pytest.mark.parametrize("shape", ["line", "ring"])
def test_a_continuum_is_the_line_on_which_the_orbits_rest(attractors, shape):
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ends = np.stack([np.cos(angle), np.sin(angle) if shape == "ring" else 0.5 * np.cos(angle), 0 * angle], axis=-1)
    ends = np.unique(np.round(ends, 9), axis=0)
    states = np.broadcast_to(ends[None, :, None], (1, len(ends), 5, 3)).copy()
    data = orbits_of(states, status=1, epochs=[5])
    found = attractors(n_epochs=1, n_inputs=1, n_attractors=1, kinds=np.array([[[5]]]))
    (panel,) = make_portraits(data, found.drop_vars("input_value"), 5, None).panels
    assert [marks.sort for marks in panel.marks] == ["continuum"]
    assert len(panel.line) == len(ends) - 1
    length = np.linalg.norm(np.diff(panel.line, axis=1), axis=-1).sum()
    wanted = 23 * 2 * np.sin(np.pi / 24) if shape == "ring" else np.hypot(2, 1)
    assert length == pytest.approx(wanted)
    recording = rs.figures.phase_portrait(data, found.drop_vars("input_value"), backend="recording")
    assert "line of fixed points" in recording.legend


@pytest.mark.parametrize("n_states", [1, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_maps_of_one_and_two_dimensions(backend, n_states):
    states = np.random.default_rng(0).normal(size=(1, 2, 30, n_states))
    render(rs.figures.phase_portrait(orbits_of(states), backend=backend))


def test_bad_arguments_are_named(orbits, attractors):
    states, turn = circles()
    data = orbits_of(states)
    with pytest.raises(ValueError, match=r"orbits: expected a result of Orbits\(keep_states=True\)"):
        rs.figures.phase_portrait(orbits(n_epochs=2))
    with pytest.raises(ValueError, match=r"epoch: expected an epoch of orbits \(the nearest is 7\), came 99"):
        rs.figures.phase_portrait(data, epoch=99)
    with pytest.raises(ValueError, match=r"epoch: expected an epoch of points \(the nearest is 30\), came 7"):
        rs.figures.phase_portrait(data, points_of(turn, epochs=[30, 50]))
    with pytest.raises(ValueError, match="points: expected a result of the probe fixedpoints or attractors"):
        rs.figures.phase_portrait(data, data)


@settings(deadline=None, derandomize=True, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays(float, (1, 2, 5, 3), elements=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf])),
    st.sampled_from(BACKENDS),
)
def test_whatever_the_states_are_the_view_is_finite_and_holds_them(states, backend):
    data = orbits_of(states, epochs=[0])
    portraits = make_portraits(data, None, None, None)
    assert np.isfinite(portraits.view).all()
    seen = portraits.panels[0].orbits
    seen = seen[np.isfinite(seen).all(-1)]
    assert (seen >= portraits.view[:, 0]).all()
    assert (seen <= portraits.view[:, 1]).all()
    gram = portraits.plane.axes @ portraits.plane.axes.T
    np.testing.assert_allclose(gram, np.eye(2), atol=1e-9)
    render(rs.figures.phase_portrait(data, backend=backend))
