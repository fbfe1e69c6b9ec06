"""Runs side by side: equal axes, what each column holds, and what is refused."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.figures._draw import names_of


@pytest.fixture
def results(orbits):
    return {"lstm": orbits(n_epochs=30), "still": orbits(n_epochs=20).isel(step=slice(8)), "short": orbits(n_epochs=12)}


def test_columns_share_every_axis(results, scalars):
    figure = rs.figures.compare_orbits(results, scalars={"lstm": scalars(40)})
    rows = np.array(figure.axes).reshape(4, 3)
    for row in rows:
        assert len({axes.get_ylim() for axes in row}) == 1
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert rows[0, 0].get_ylim() == rows[2, 2].get_ylim()
    assert rows[0, 0].get_xlim()[1] >= 40
    names = [axes.texts[0].get_text() for axes in rows[0]]
    assert names == ["lstm", "still", "short"]
    assert rows[0, 0].get_title(loc="left") == "input frequency ω = 0.196 rad/step"
    lengths = [len(axes.get_lines()[0].get_xdata()) for axes in rows[3]]
    assert lengths == [40, 8, 12]


def test_each_column_draws_what_its_own_diagram_draws(results):
    together = rs.figures.compare_orbits(results, inputs=9, value_range=(-2, 2), backend="recording")
    for at, data in enumerate(results.values()):
        alone = rs.figures.orbit_diagram(data, inputs=9, value_range=(-2, 2), backend="recording")
        ours = next(panel for panel in together.sheet.panels if (panel.row, panel.column, panel.option) == (0, at, 0))
        theirs = alone.sheet.panels[0]
        assert ours.y.range == theirs.y.range == (-2, 2)
        for own, single in zip(ours.marks, theirs.marks, strict=True):
            assert type(own) is type(single)
            for name in ("x", "y", "counts"):
                if hasattr(own, name):
                    np.testing.assert_array_equal(getattr(own, name), getattr(single, name))


def test_plotly_columns_share_axes_and_the_menu_switches_all(results):
    figure = rs.figures.compare_orbits(results, backend="plotly")
    layout = figure.layout
    assert layout.xaxis.range == layout.xaxis2.range == layout.xaxis6.range
    assert layout.yaxis.range == layout.yaxis2.range == layout.yaxis3.range
    assert layout.yaxis4.range == layout.yaxis6.range
    named = {annotation.text.removeprefix("<b>").removesuffix("</b>") for annotation in layout.annotations}
    assert named == set(results)
    for at, button in enumerate(layout.updatemenus[0].buttons):
        visible = button.args[0]["visible"]
        assert len(visible) == len(figure.data)
        seen = [trace for trace, visible in zip(figure.data, visible, strict=True) if visible]
        settled = [
            trace for trace in seen if "settled" in (trace.hovertemplate or "") and trace.xaxis in ("x", "x2", "x3")
        ]
        assert len(settled) == 3
        for trace, data in zip(settled, results.values(), strict=True):
            rests = data["orbit"].values[:, at][data["status"].values[:, at] == 1][:, -1, 0]
            assert set(np.round(trace.y[::3].astype(float), 4)) == set(np.round(rests.astype(float), 4))
    losses = [trace for trace in figure.data if "loss" in (trace.hovertemplate or "")]
    assert [len(trace.x) for trace in losses] == [30, 8, 12]
    rs.figures.compare_orbits({"one": results["lstm"].isel(input=[0])}, backend="plotly")


def test_a_run_that_leaves_the_common_axis_is_marked(orbits):
    wild = orbits(n_epochs=30, huge=True)
    figure = rs.figures.compare_orbits({"calm": orbits(n_epochs=30), "wild": wild}, inputs=0)
    low, high = figure.axes[0].get_ylim()
    assert -3 < low < high < 3
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "beyond the axis (clipped)" in legend


@settings(
    deadline=None,
    derandomize=True,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the fixture is a plain function
)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.sampled_from(["matplotlib", "plotly"]))
def test_any_number_of_runs_of_any_length(orbits, lengths, backend):
    figure = rs.figures.compare_orbits(
        {f"run {at}": orbits(n_epochs=n, n_inputs=2, n_keep=20) for at, n in enumerate(lengths)}, backend=backend
    )
    assert hasattr(figure, "savefig") or hasattr(figure, "to_html")


def test_what_is_refused(results, orbits, scalars):
    others = {"a": results["lstm"], "b": orbits(n_epochs=5, n_inputs=3)}
    with pytest.raises(
        ValueError, match=r"orbits: expected the same constant inputs in all, those of a, came 'others in b"
    ):
        rs.figures.compare_orbits(others)
    with pytest.raises(ValueError, match="orbits: expected results of at least one run"):
        rs.figures.compare_orbits({})
    with pytest.raises(ValueError, match=r"scalars: expected those of lstm, still, short, came \['stil'\]"):
        rs.figures.compare_orbits(results, scalars={"stil": scalars(3)})
    with pytest.raises(ValueError, match="value_range: expected a lowest value below"):
        rs.figures.compare_orbits(results, value_range=(1, 1))
    with pytest.raises(ValueError, match="unknown backend"):
        rs.figures.compare_orbits(results, backend="bokeh")  # pyright: ignore[reportArgumentType]


def still(name, orbits, scalars, **config) -> Any:
    return SimpleNamespace(
        name=name,
        path=f"runs/{name}",
        config=config,
        scalars=scalars,
        dataset=lambda probe: orbits,
        has=lambda *_: True,
    )


def test_runs_are_drawn_side_by_side_by_name(results, scalars):
    runs = [still(name, data, scalars(12), model={"name": name}) for name, data in results.items()]
    figure = rs.figures.draw("orbit-diagram", runs)
    assert [axes.texts[0].get_text() for axes in figure.axes[:3]] == ["lstm", "still", "short"]
    losses = rs.figures.draw("loss", runs, backend="plotly")
    assert sum("loss" in (trace.hovertemplate or "") for trace in losses.data) == 3
    assert len(rs.figures.draw("compare-orbits", runs[0]).axes) == 4
    with pytest.raises(ValueError, match="figure tunnel shows a single run, came 3; those that compare runs: compare-"):
        rs.figures.draw("tunnel", runs)
    with pytest.raises(ValueError, match="unknown figure 'orbit-diagramm': did you mean 'orbit-diagram'"):
        rs.figures.draw("orbit-diagramm", runs)
    with pytest.raises(ValueError, match="unknown setting of figure orbit-diagram 'input': did you mean 'inputs'"):
        rs.figures.draw("orbit-diagram", runs, input=3)
    with pytest.raises(ValueError, match="run: expected at least one run"):
        rs.figures.draw("loss", [])


def test_names_that_tell_runs_apart():
    def run(name, model=None, seed=0) -> Any:
        return SimpleNamespace(
            name=name, path=f"runs/{name}", config={"model": {"name": model}, "seed": seed} if model else {}
        )

    assert names_of([run("a", "lstm"), run("b", "gru")]) == ["lstm", "gru"]
    assert names_of([run("a", "lstm"), run("b", "lstm", 3)]) == ["lstm, seed 0", "lstm, seed 3"]
    assert names_of([run("a", "lstm"), run("b", "lstm")]) == ["a", "b"]
    assert names_of([run("a"), run("b", "lstm")]) == ["a", "b"]
    assert names_of([run("a")]) == ["a"]
    with pytest.raises(ValueError, match="run: expected different runs, came runs/a, runs/a"):
        names_of([run("a"), run("a")])
