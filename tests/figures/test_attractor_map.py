import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.figures import theme
from rnnscope.figures._shares import EMPTY, LEVELS, apportion
from rnnscope.figures.sheet import Cells
from rnnscope.findings.kinds import LIMIT_KINDS

BACKENDS = ("matplotlib", "plotly")


def render(figure):
    if hasattr(figure, "savefig"):
        figure.canvas.draw()
    else:
        figure.to_json()


def cells_of(attractors):
    """What the map draws."""
    (cells,) = rs.figures.attractor_map(attractors, backend="recording").marks(Cells)
    return cells


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "variant", [{}, {"n_epochs": 1}, {"n_inputs": 1}, {"n_attractors": 1}, {"n_inputs": 40}, {"n_epochs": 900}]
)
def test_every_variant_is_drawn(attractors, variant, backend):
    render(rs.figures.attractor_map(attractors(**variant), backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_network_alone_and_inputs_of_several_channels(attractors, backend):
    data = attractors(n_epochs=3)
    render(rs.figures.attractor_map(data.isel(step=-1, drop=True), backend=backend))
    vectors = data.drop_vars("input_value").assign_coords(
        input_value=(("input", "channel"), np.arange(8.0).reshape(4, 2))
    )
    render(rs.figures.attractor_map(vectors, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_axis_of_the_inputs_is_named(attractors, backend):
    figure = rs.figures.attractor_map(attractors(), backend=backend)
    label = figure.axes[0].get_ylabel() if backend == "matplotlib" else figure.layout.yaxis.title.text
    assert label == ("ω" if backend == "matplotlib" else "input frequency ω (rad/step)")


def test_one_attractor_everywhere_is_one_level_in_the_order_of_the_inputs(attractors):
    kinds = np.arange(8).reshape(2, 4, 1)
    stacks = cells_of(attractors(n_epochs=2, kinds=kinds).isel(input=[2, 0, 3, 1]))
    assert stacks.grid.dy == 1
    np.testing.assert_array_equal(stacks.codes, kinds[..., 0].T)
    assert stacks.words[3, 1] == "undetermined"


def test_a_cell_is_split_by_the_share_of_the_starts(attractors):
    kinds = np.array([[[0, 0, 4], [2, -1, -1]]])
    fractions = np.array([[[0.5, 0.25, 0.25], [1.0, np.nan, np.nan]]])
    stacks = cells_of(attractors(n_epochs=1, n_inputs=2, n_attractors=3, kinds=kinds, fractions=fractions))
    first, second = stacks.codes.reshape(2, LEVELS)
    assert first.tolist() == [0] * 9 + [EMPTY] + [0] * 5 + [EMPTY] + [4] * 5 + [EMPTY] * 3
    assert second.tolist() == [2] * 21 + [EMPTY] * 3
    assert stacks.words[0, 0] == "fixed point 50 %, fixed point 25 %, chaos 25 %"
    assert stacks.words[1, 0] == "closed curve"


def test_an_attractor_of_one_start_at_one_of_thousands_of_epochs_is_seen(attractors):
    kinds = np.full((4000, 1, 2), -1)
    kinds[..., 0] = 2
    kinds[1234, 0, 1] = 4
    fractions = np.where(kinds == -1, np.nan, 1.0)
    fractions[1234, 0] = 7 / 8, 1 / 8
    data = attractors(n_epochs=4000, n_inputs=1, kinds=kinds, fractions=fractions)
    stacks = cells_of(data)
    columns = np.flatnonzero((stacks.codes == 4).any(0))
    assert columns.size == 1
    assert abs(columns[0] / stacks.codes.shape[1] - 1234 / 4000) < 0.002
    words = rs.figures.attractor_map(data, backend="recording").legend
    assert words == ["closed curve", "chaos", "cells: share of the starts"]


def test_epochs_that_were_not_looked_at_are_a_gap(attractors):
    data = attractors(n_epochs=8, n_attractors=1).assign_coords(epoch=("step", [0, 1, 2, 3, 60, 61, 62, 63]))
    stacks = cells_of(data)
    assert (stacks.codes[:, 10:50] == EMPTY).all()
    assert (stacks.words[:, 10:50] == "not looked at").all()
    assert (stacks.codes[:, :4] == 0).all()


def test_very_many_attractors_are_merged_by_kind(attractors):
    kinds = np.zeros((1, 1, 27), int)
    kinds[..., -1] = 4
    stacks = cells_of(attractors(n_epochs=1, n_inputs=1, n_attractors=27, kinds=kinds))
    assert set(np.unique(stacks.codes)) == {0, 4, EMPTY}
    assert (stacks.codes == 4).sum() == 1


def test_no_attractor_anywhere_draws_nothing(attractors):
    data = attractors(n_epochs=2, kinds=np.full((2, 4, 2), -1))
    assert (cells_of(data).codes == EMPTY).all()
    for backend in BACKENDS:
        render(rs.figures.attractor_map(data, backend=backend))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=11), st.integers(0, 30))
def test_apportioned_parts_add_up_are_seen_and_are_as_near_as_whole_numbers_are(parts, more):
    n = len(parts) + more
    given_ = np.array(apportion(parts, n))
    assert given_.sum() == n
    assert (given_ >= 1).all()
    wanted = np.array(parts) * n / np.sum(parts)
    if (wanted >= 1).all():
        assert (np.abs(given_ - wanted) < 1).all()


@settings(deadline=None, derandomize=True, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_kind_that_is_there_is_drawn_and_no_other(attractors, data):
    n_epochs, n_inputs, n_attractors = (data.draw(st.integers(1, most)) for most in (6, 3, 4))
    size = n_epochs * n_inputs * n_attractors
    kinds = np.array(data.draw(st.lists(st.integers(-1, 7), min_size=size, max_size=size)))
    kinds = kinds.reshape(n_epochs, n_inputs, n_attractors)
    made = attractors(n_epochs=n_epochs, n_inputs=n_inputs, n_attractors=n_attractors, kinds=kinds)
    stacks = cells_of(made)
    for at in range(n_inputs):
        rows = stacks.codes.reshape(n_inputs, round(1 / stacks.grid.dy), -1)[at]
        assert set(np.unique(rows)) - {EMPTY} == set(kinds[:, at].ravel()) - {-1}
    for backend in BACKENDS:
        render(rs.figures.attractor_map(made, backend=backend))


# Machado, Oliveira & Fernandes, IEEE Transactions on Visualization and Computer Graphics 15, 2009; linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("screen", [False, True])
def test_any_two_kinds_are_told_apart_whatever_the_colour_blindness(screen, blindness):
    colours = [theme.colour(kind, screen=screen) for kind in LIMIT_KINDS]
    rgb = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(BLINDNESS[blindness]).T, 0, 1)
    xyz = seen @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 1e-6))
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1e3 * np.eye(len(lab))
    assert len(colours) == len(LIMIT_KINDS)
    assert apart.min() > 12  # CIE 1976; about 2 can just be seen side by side
