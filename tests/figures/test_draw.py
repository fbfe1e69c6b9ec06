from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.base.errors import RunError
from rnnscope.figures._orbit_layers import MAX_COLUMNS, make_columns


@pytest.fixture
def run(orbits, scalars):
    return SimpleNamespace(
        dataset=lambda name: orbits(n_epochs=10), has=lambda name, **settings: not settings, scalars=scalars(10)
    )


@pytest.mark.parametrize("name", ["frequency", "kind-map", "loss", "orbit-diagram", "transient", "tunnel"])
@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_every_figure_takes_what_it_needs_from_the_run(run, name, backend):
    figure = rs.figures.draw(name, run, backend=backend)
    assert hasattr(figure, "savefig" if backend == "matplotlib" else "to_html")


def test_settings_are_passed_on_and_wrong_ones_named(run):
    assert len(rs.figures.draw("orbit-diagram", run, inputs=[0, 1]).axes) == 3
    with pytest.raises(ValueError, match="unknown setting of figure orbit-diagram 'input': did you mean 'inputs'"):
        rs.figures.draw("orbit-diagram", run, input=3)
    with pytest.raises(ValueError, match="unknown figure 'orbits'"):
        rs.figures.draw("orbits", run)


def test_a_run_without_orbits_says_so(scalars):
    def never(name):
        raise RunError(f"probe {name} was never measured")

    bare: Any = SimpleNamespace(dataset=never, has=lambda name, **settings: False, scalars=scalars(3))
    with pytest.raises(RunError, match="never measured"):
        rs.figures.draw("transient", bare)
    assert rs.figures.draw("loss", bare) is not None


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.sets(st.integers(0, 20_000), min_size=1, max_size=50))
def test_every_column_shows_the_nearest_recorded_epoch_or_none_and_every_epoch_has_one(epochs):
    recorded = sorted(epochs)
    columns = make_columns(recorded)
    assert 1 <= len(columns.source) <= MAX_COLUMNS
    for at in {0, len(columns.source) // 2, len(columns.source) - 1}:
        centre = columns.first + at * columns.width
        nearest = min(abs(centre - epoch) for epoch in recorded)
        if columns.source[at] >= 0:
            assert abs(centre - recorded[columns.source[at]]) <= nearest + 1e-6
        else:
            assert nearest > columns.width / 2 - 1e-6
    assert (columns.source[columns.home] >= 0).all()
    assert (np.abs(columns.first + columns.home * columns.width - recorded) <= columns.width / 2 + 1e-6).all()
    assert (columns.right - columns.left >= columns.width - 1e-6).all()
    assert columns.extent[0] < recorded[0] <= recorded[-1] < columns.extent[1]
