import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.backends.backend_agg import FigureCanvasAgg

import rnnscope as rs

BACKENDS = ("matplotlib", "plotly")


def render(figure):
    if hasattr(figure, "savefig"):
        figure.canvas.draw()
    else:
        figure.to_json()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("variant", [{}, {"n_epochs": 1}, {"n_inputs": 1}, {"n_attractors": 1}])
def test_every_variant_is_drawn(orbits, scalars, attractors, variant, backend):
    data = orbits(n_epochs=30, n_inputs=variant.get("n_inputs", 4))
    render(rs.figures.orbit_diagram(data, scalars=scalars(30), attractors=attractors(**variant), backend=backend))
    alone = attractors(**variant).isel(step=-1, drop=True).assign_coords(epoch=7)
    render(rs.figures.orbit_diagram(data.isel(step=-1, drop=True), attractors=alone, backend=backend))


def test_map_exponents_and_multipliers_stand_between_orbits_and_loss_on_one_axis(orbits, scalars, attractors):
    figure = rs.figures.orbit_diagram(
        orbits(n_epochs=30, n_inputs=4), scalars=scalars(30), attractors=attractors(n_epochs=12), inputs=[0, 3]
    )
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[2:] == [
        "attractors over input frequency ω (rad/step)",
        "λ1 ≥ λ2 ≥ λ3 at ω = 0.393 rad/step",
        "largest |μ| at ω = 0.393 rad/step",
        "",
    ]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    low, high = figure.axes[0].get_xlim()
    assert low < 1
    assert high > 60
    assert figure.axes[-1].get_ylabel() == "loss"


def test_the_menu_takes_the_exponents_of_the_input_with_it(orbits, attractors):
    found = attractors()
    found["lyapunov_exponent"][:] = -0.1 * (1 + np.arange(4))[None, :, None, None]
    figure = rs.figures.orbit_diagram(orbits(n_epochs=30, n_inputs=4), attractors=found, backend="plotly")
    buttons = figure.layout.updatemenus[0].buttons
    for at, button in enumerate(buttons):
        shown = [trace for trace, seen in zip(figure.data, button.args[0]["visible"], strict=True) if seen]
        strokes = [trace for trace in shown if trace.yaxis == "y3" and trace.customdata is not None]
        values = np.concatenate([trace.y for trace in strokes])
        np.testing.assert_allclose(values[np.isfinite(values)], -0.1 * (1 + at))


def test_attractors_at_other_inputs_have_no_exponents_here(orbits, attractors):
    found = attractors(n_inputs=2)
    figure = rs.figures.orbit_diagram(orbits(n_epochs=10, n_inputs=4), attractors=found, inputs=[1])
    assert [axes.get_title(loc="left")[:10] for axes in figure.axes] == ["input freq", "attractors", ""]
    figure = rs.figures.orbit_diagram(orbits(n_epochs=10, n_inputs=4), attractors=found, inputs=[3])
    assert len(figure.axes) == 5


def test_no_fixed_point_no_panel_of_multipliers(orbits, attractors):
    found = attractors(kinds=np.full((5, 4, 1), 2))
    figure = rs.figures.orbit_diagram(orbits(n_epochs=10, n_inputs=4), attractors=found, backend="plotly")
    assert not any("|μ|" in str(axis.title.text) for axis in figure.select_yaxes())


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_legend_has_the_kinds_once(orbits, attractors, backend):
    kinds = np.arange(8).reshape(4, 2, 1)
    data = orbits(n_epochs=20, n_inputs=2)
    figure = rs.figures.orbit_diagram(data, attractors=attractors(kinds=kinds), backend=backend)
    if backend == "matplotlib":
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1
        words = [text.get_text() for text in figure.legends[0].get_texts()]
    else:
        words = [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]
    for kind in (
        "settled / fixed point",
        "moving / closed curve",
        "divergence",
        "undetermined",
        "cycle",
        "torus",
        "chaos",
    ):
        assert words.count(kind) == 1


@settings(deadline=None, derandomize=True, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=arrays(np.int8, (3, 2, 2), elements=st.integers(-1, 7)),
    epochs=st.lists(st.integers(0, 500), min_size=3, max_size=3, unique=True),
    backend=st.sampled_from(BACKENDS),
)
def test_any_kinds_at_any_epochs(orbits, attractors, kinds, epochs, backend):
    found = attractors(kinds=kinds).assign_coords(epoch=("step", epochs))
    render(rs.figures.orbit_diagram(orbits(n_epochs=6, n_inputs=2, n_keep=20), attractors=found, backend=backend))
