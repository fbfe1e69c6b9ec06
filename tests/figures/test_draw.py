from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.base.errors import RunError
from rnnscope.figures._columns import MAX_COLUMNS, make_columns

OTHERS = (
    "compare-orbits",  # of several runs
    "branches",  # of bifurcations, see tests/findings
    "phase-portrait", "state-plane",  # of states, which are not kept by default
    "cost-line", "cost-plane", "cost-surface", "curvature", "growth", "sensitivity",  # of the cost, see test_cost.py
    "accuracy", "attractor-counts", "claims", "error-horizon", "frequency-in-out",  # of studies
)  # fmt: skip


@pytest.fixture
def run(orbits, scalars, attractors):
    stored = {"orbits": orbits(n_epochs=10), "attractors": attractors(n_epochs=10)}
    return SimpleNamespace(
        dataset=stored.__getitem__, has=lambda name, **settings: name in stored and not settings, scalars=scalars(10)
    )


@pytest.mark.parametrize("name", [name for name in rs.figures.names() if name not in OTHERS])
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


def test_what_is_drawn_is_the_first_of_the_results_that_a_run_has(attractors):
    asked = []

    def dataset(name, **settings):
        asked.append((name, settings))
        return attractors(n_epochs=3)

    stored: set[str] = set()
    run: Any = SimpleNamespace(dataset=dataset, has=lambda name, **settings: name in stored)
    for stored in ({"attractors", "lyapunov"}, {"lyapunov"}, set()):
        run.has = lambda name, stored=stored, **settings: name in stored
        rs.figures.draw("exponents", run)
    assert asked == [("attractors", {}), ("lyapunov", {}), ("lyapunov", {})]
    rs.figures.draw("exponents", run, exponents=attractors(n_epochs=2))
    assert len(asked) == 3


def test_the_command_line_draws_what_probes_kept_in_a_run(run_copy, tmp_path, capsys):
    from rnnscope.cli import main

    def draw(name, ending):
        with pytest.raises(SystemExit) as ended:
            main(["figure", name, str(run_copy.path), "-o", str(tmp_path / f"{name}{ending}")])
        return ended.value.code

    assert draw("attractor-map", ".png") != 0
    assert "rnnscope probe attractors" in capsys.readouterr().err
    small = {"n_transient": 60, "n_steps": 200, "n_extensions": 0, "n_starts": 2}
    run_copy.probe("attractors", epochs=[0, 3], **small)
    run_copy.probe("orbits", epochs=[0, 3], keep_states=True, n_transient=0, n_keep=20, n_starts=2)
    for name in ("attractor-map", "exponents", "multipliers", "phase-portrait"):
        for ending in (".png", ".html"):
            assert draw(name, ending) == 0
            assert (tmp_path / f"{name}{ending}").stat().st_size > 5000


def test_a_run_without_orbits_says_so(scalars):
    def never(name):
        raise RunError(f"probe {name} was never measured")

    bare: Any = SimpleNamespace(dataset=never, has=lambda name, **settings: False, scalars=scalars(3))
    with pytest.raises(RunError, match="never measured"):
        rs.figures.draw("transient", bare)
    assert rs.figures.draw("loss", bare) is not None


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.sets(st.integers(0, 20_000), min_size=1, max_size=50))
def test_every_column_shows_the_nearest_epoch_looked_at_or_none_and_every_epoch_has_one(epochs):
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
