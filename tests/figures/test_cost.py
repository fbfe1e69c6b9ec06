"""Figures of the cost: both backends, what is masked, what is marked, what the axes say."""

import json

import matplotlib.text
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.figures._costs import log_range, logarithms
from rnnscope.figures.sheet import Density, Edge, Line, Path3D, Points, Reference, Surface
from rnnscope.smoothness import (
    Growth,
    Landscape,
    Objective,
    Roughness,
    Smoothness,
    TrainingPath,
    line_orbits,
    line_roughness,
)
from rnnscope.smoothness.sensitivity import sensitivities
from rnnscope.systems import textbook

BACKENDS = ("matplotlib", "plotly")


def objective(n_steps=12):
    shape = (1, n_steps, 1)
    return Objective(inputs=torch.zeros(shape), targets=torch.zeros(1, n_steps, 2), state=[0.5] * 4)


@pytest.fixture(scope="module")
def line():
    system = textbook.chaotic_lstm()
    s = np.linspace(-0.05, 0.05, 60)
    found = line_roughness(system, objective(40), system.params, s, lengths=[20, 40])
    return found.assign(orbit=line_orbits(system, objective(40), system.params, s)["orbit"])


@pytest.fixture(scope="module")
def path():
    system = textbook.chaotic_lstm()
    generator = torch.Generator().manual_seed(0)
    moved = [
        {k: p + 0.1 * j * torch.randn(p.shape, generator=generator).double() for k, p in system.params.items()}
        for j in range(5)
    ]
    return Landscape(n_points=6, n_between=2).measure(TrainingPath(system, moved, [0, 1, 2, 3, 4]), objective())


@pytest.fixture(scope="module")
def smoothness():
    parts = [
        Smoothness().measure(textbook.tanh_map(w), Objective(
            inputs=torch.zeros(2, 9, 1), targets=torch.zeros(2, 9, 1), state=[[0.1], [0.5]]
        )).expand_dims(step=[k])
        for k, w in enumerate([0.5, 1.0, 2.0])
    ]  # fmt: skip
    return xr.concat(parts, "step").assign_coords(epoch=("step", [0, 5, 10]))


def grown(system, **changes):
    probe = Growth(lengths=[5, 10, 15, 20, 25], n_starts=4, n_transient=20, n_exponent=50, n_bootstrap=20, **changes)
    return probe.measure(system)


def texts(figure):
    if hasattr(figure, "to_json"):
        return json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
    return " ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("backend", BACKENDS)
def test_cost_line(line, backend, tmp_path):
    figure = rs.figures.cost_line(line, backend=backend)
    said = texts(figure)
    n = int(line["n_minima"].sel(length=40, stride=1))
    assert f"{n} local minima" in said
    assert "place along the line s" in said
    rs.figures.save(figure, tmp_path / ("a.png" if backend == "matplotlib" else "a.html"))
    short = rs.figures.cost_line(line.drop_vars("orbit"), length=20, backend=backend)
    assert f"{int(line['n_minima'].sel(length=20, stride=1))} local minima" in texts(short)


def test_cost_line_draws_both_panels_on_one_axis(line):
    figure = rs.figures.cost_line(line)
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    (outputs,) = rs.figures.cost_line(line, backend="recording").marks(Density)
    np.testing.assert_allclose(outputs.counts.sum(0), 40)


def test_cost_line_marks_minima_and_has_room_for_the_cost_of_the_weights_themselves():
    s = np.linspace(-0.5, 0.5, 201)
    cost = np.abs(s) + 0.1 * np.sin(60 * s) ** 2 + 1e-5
    figure = rs.figures.cost_line(xr.Dataset({"cost": ("s", cost)}, {"s": s}), backend="recording")
    minima, origin = figure.marks(Points)
    expected = np.flatnonzero((cost[1:-1] < cost[:-2]) & (cost[1:-1] < cost[2:])) + 1
    np.testing.assert_array_equal(minima.x, s[expected])
    (panel,) = figure.sheet.panels
    assert (origin.x.tolist(), origin.y.tolist()) == ([0.0], [1e-5])
    assert panel.y.range is not None
    assert panel.y.range[0] < 1e-5 < 1e-3 < 0.5 < panel.y.range[1]
    assert [mark.at for mark in figure.marks(Reference)] == [0.0]
    assert not figure.marks(Edge)
    elsewhere = xr.Dataset({"cost": ("s", np.where(s == s[7], 1e-9, cost))}, {"s": s})
    (edge,) = rs.figures.cost_line(elsewhere, backend="recording").marks(Edge)
    assert (edge.x.tolist(), edge.facts["cost"].tolist()) == ([s[7]], [1e-9])


@pytest.mark.parametrize(
    ("direction", "words"),
    [("gradient", "along the gradient"), ("eigenvector", "leading eigenvector of ∇²V"), ("radial", "along θ itself")],
)
def test_cost_line_names_its_direction(direction, words):
    found = Roughness(direction=direction, n_points=21).measure(textbook.chaotic_lstm(), objective())
    figure = rs.figures.cost_line(found, backend="recording")
    assert words in figure.sheet.panels[-1].x.label
    assert "θ" in figure.legend


def test_cost_line_misuse(line):
    with pytest.raises(ValueError, match="length: expected one of"):
        rs.figures.cost_line(line, length=7)
    with pytest.raises(ValueError, match="output: expected an index from 0 to 1"):
        rs.figures.cost_line(line, output=2)
    with pytest.raises(ValueError, match="at least one finite cost"):
        rs.figures.cost_line(line.assign(cost=line["cost"] * np.nan))


@pytest.mark.parametrize("backend", BACKENDS)
def test_cost_plane_of_a_path(path, backend):
    figure = rs.figures.cost_plane(path, backend=backend)
    with pytest.raises(ValueError, match="contours: expected at least 0, came -1"):
        rs.figures.cost_plane(path, contours=-1, backend=backend)
    share = path["explained_variance"].values
    assert f"axis 1 ({share[0]:.0%})" in texts(figure)
    assert "path of training" in texts(figure)
    way, drawn = rs.figures.cost_plane(path, backend="recording").marks(Line)
    np.testing.assert_array_equal(way.y, path["path_cost"])
    np.testing.assert_array_equal([drawn.x, drawn.y], [path["snapshot_s1"], path["snapshot_s2"]])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_finite_is_left_empty(path, backend):
    holed = path.assign(cost=path["cost"].where(path["s1"] > 0))
    (shown,) = rs.figures.cost_plane(holed, backend="recording").marks(Surface)
    np.testing.assert_array_equal(np.isnan(shown.z), np.isnan(holed["cost"]))
    assert "cost not finite" in texts(rs.figures.cost_plane(holed, backend=backend))
    assert "cost not finite" not in texts(rs.figures.cost_plane(path, backend=backend))
    assert rs.figures.cost_surface(holed, backend=backend) is not None


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_surface_has_a_named_height_with_its_own_numbers_and_the_path(path, backend):
    recorded = rs.figures.cost_surface(path, backend="recording")
    (panel,) = recorded.sheet.panels
    assert panel.z is not None
    assert panel.z.label == "cost V(θ)"
    assert panel.z.ticks
    assert {float(words) for _, words in panel.z.ticks} == {float(f"{10**at:.6g}") for at, _ in panel.z.ticks}
    (way,) = recorded.marks(Path3D)
    np.testing.assert_array_equal([way.x, way.y], [path["snapshot_s1"], path["snapshot_s2"]])
    assert "path of training" in texts(rs.figures.cost_surface(path, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("values", [np.zeros((4, 5)), -np.ones((4, 5)), np.full((4, 5), 3.0)])
def test_planes_without_contours(values, backend):
    plane = xr.Dataset({"cost": (("s2", "s1"), values)}, {"s1": np.arange(5.0), "s2": np.arange(4.0)})
    assert rs.figures.cost_plane(plane, backend=backend) is not None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("system", "word"),
    [
        (textbook.tanh_map(0.9, 0.3), "bounded"),
        (textbook.chaotic_lstm(), "r = "),
    ],
    ids=["stable", "chaotic"],
)
def test_growth(system, word, backend):
    found = grown(system, n_iterations=3)
    figure = rs.figures.growth(found, backend=backend)
    assert "length N (steps)" in texts(figure)
    assert "λ1 = " in texts(figure)
    law = found["law"].sel(quantity="output_sensitivity")
    if int(law) in (0, 2):
        assert word in texts(figure)


def test_the_hessian_and_what_it_often_equals_are_told_apart():
    found = grown(textbook.chaotic_lstm(), n_iterations=3)
    hessian, other, *_ = rs.figures.growth(found, backend="recording").marks(Points)
    assert hessian.name.startswith("‖∇²V_N‖")
    assert other.name.startswith("Gauss-Newton")
    assert hessian.size > 1.5 * other.size
    assert (hessian.filled, other.filled) == (False, True)
    np.testing.assert_allclose(hessian.y, np.exp(np.median(np.log(found["hessian"]), axis=1)))


def test_growth_axis_is_linear_for_an_exponential():
    found = grown(textbook.linear([[1.3]]), centre=[1.0], spread=0.0)
    assert rs.figures.growth(found).axes[0].get_xscale() == "linear"
    found = grown(textbook.linear([[1.0]]), centre=[1.0], spread=0.0)
    assert rs.figures.growth(found).axes[0].get_xscale() == "log"


@pytest.mark.parametrize("backend", BACKENDS)
def test_curvature_over_epochs(smoothness, backend):
    figure = rs.figures.curvature(smoothness, backend=backend)
    for word in ("cost", "‖∇V‖", "λmax(∇²V)", "‖∂x[T]/∂x[0]‖", "epoch"):
        assert word in texts(figure)
    costs = rs.figures.curvature(smoothness, backend="recording").marks(Line, row=0)[0]
    np.testing.assert_array_equal(costs.y, smoothness["cost"])


def test_doubtful_and_missing_eigenvalues_are_marked(smoothness):
    doubtful = smoothness.copy(deep=True)
    doubtful["hessian_eigenvalue"][:, 0] = [1.0, np.nan, 2.0]
    doubtful["hessian_residual"][:, 0] = [0.5, np.nan, 1e-6]
    figure = rs.figures.curvature(doubtful, backend="recording")
    (rings,) = (mark for mark in figure.marks(Points, row=2) if not mark.filled)
    (crosses,) = figure.marks(Edge, row=2)
    assert rings.x.tolist() == [0]
    assert (crosses.x.tolist(), crosses.top) == ([5], False)
    with pytest.raises(ValueError, match="smoothness: expected a finite value, came 'none'"):
        rs.figures.curvature(doubtful * np.nan)


@pytest.mark.parametrize("backend", BACKENDS)
def test_latching_and_forgetting(backend):
    found = sensitivities(textbook.tanh_map(2.0), [[0.5], [-0.5], [0.3]], [0.0], n_steps=40)
    said = texts(rs.figures.sensitivity(found, backend=backend))
    assert "latched" in said
    assert "forgotten" in said
    with pytest.raises(ValueError, match="at least two starts"):
        rs.figures.sensitivity(found.isel(start=[0]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_state_plane(backend):
    orbits = rs.Orbits(inputs=[[0.0]], starts=[[0.5] * 4], n_transient=10, n_keep=50, keep_states=True).measure(
        textbook.chaotic_lstm()
    )
    figure = rs.figures.state_plane(orbits, x="h[0]", y="c[1]", backend=backend)
    assert "c[1]" in texts(figure)
    (dots,) = rs.figures.state_plane(orbits, x="h[0]", y="c[1]", backend="recording").marks(Points)
    np.testing.assert_array_equal([dots.x, dots.y], orbits["state_orbit"][0, 0].transpose("state", "time")[[0, 3]])
    with pytest.raises(ValueError, match=r"x: expected one of h\[0\]"):
        rs.figures.state_plane(orbits, x="z")


def test_state_plane_of_orbits_without_states_says_how_to_get_them(orbits):
    orbits = orbits()
    with pytest.raises(
        ValueError, match=r"orbits: expected two coordinates .* came one output only; .*--set keep_states=true"
    ):
        rs.figures.state_plane(orbits)
    of_two = orbits.isel(output=[0, 0]).assign_coords(output=["first", "second"])
    with pytest.raises(ValueError, match=r"x: expected one of first, second, came 'h\[0\]'; .*keep_states=true"):
        rs.figures.state_plane(of_two, x="h[0]")
    with_one = rs.Orbits(inputs=[[0.0]], starts=[[0.5]], n_transient=5, n_keep=5, keep_states=True)
    with pytest.raises(
        ValueError, match=r"orbits: expected two coordinates to draw against each other, came one state only$"
    ):
        rs.figures.state_plane(with_one.measure(textbook.tanh_map(2.0)))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_logarithms_keep_masks_and_order(numbers):
    values = np.array(numbers)
    found = logarithms(values)
    if log_range(values) is None:
        assert np.isnan(found).all()
        return
    known = np.isfinite(values)
    np.testing.assert_array_equal(np.isfinite(found), known)
    assert (np.diff(found[known][np.argsort(values[known], kind="stable")]) >= 0).all()


anything = st.lists(
    st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1) | st.just(0.0), min_size=3, max_size=30
).filter(lambda numbers: np.isfinite(numbers).any())


@settings(deadline=None, derandomize=True, max_examples=60)
@given(anything)
def test_any_costs_along_a_line_are_drawn(numbers):
    s, cost = np.linspace(-1, 1, len(numbers)), np.array(numbers)
    figure = rs.figures.cost_line(xr.Dataset({"cost": ("s", cost)}, {"s": s}), backend="recording")
    (line,), (panel,) = figure.marks(Line), figure.sheet.panels
    np.testing.assert_array_equal(line.facts["cost"], cost)
    if panel.y.scale == "log":
        below = {x for edge in figure.marks(Edge) for x in edge.x}
        assert panel.y.range is not None
        assert below == set(s[cost < panel.y.range[0]])


@settings(deadline=None, derandomize=True, max_examples=60)
@given(anything)
def test_any_costs_on_a_plane_are_drawn(numbers):
    cost = np.array(numbers)[None] * np.ones((2, 1))
    plane = xr.Dataset({"cost": (("s2", "s1"), cost)}, {"s1": np.arange(len(numbers)), "s2": np.arange(2)})
    for name in ("cost-plane", "cost-surface"):
        (surface,) = rs.figures.load(name)(plane, backend="recording").marks(Surface)
        np.testing.assert_array_equal(surface.facts["cost"], cost)
        np.testing.assert_array_equal(np.isfinite(surface.z), np.isfinite(cost))


def test_drawn_from_a_run(run_copy):
    run_copy.probe("smoothness", epochs=[0, 6])
    run_copy.probe(Landscape(n_points=4, n_between=1))
    assert rs.figures.draw("curvature", run_copy) is not None
    assert rs.figures.draw("cost-plane", run_copy, backend="plotly") is not None
