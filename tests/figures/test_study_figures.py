"""Figures of studies: what is drawn of several networks, what is left out and said, and what is refused."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

import rnnscope as rs
from rnnscope import experiments
from rnnscope.cli import main
from rnnscope.figures import _study, theme
from rnnscope.figures._draw import OF_STUDIES
from rnnscope.figures.gallery.claims import _wrapped
from rnnscope.figures.sheet import Band, Edge, Line, Points, Span
from rnnscope.findings.kinds import LIMIT_KINDS

BACKENDS = ("matplotlib", "plotly")
MODELS = ("lstm", "stable-lstm", "orthogonal")


def runs_of(models, n_seeds):
    return {
        "model": ("run", [model for model in models for _ in range(n_seeds)]),
        "seed": ("run", list(range(n_seeds)) * len(models)),
    }


def make_continuation(models=MODELS, n_seeds=2):
    """Closed curves at the first of four inputs; the last input is outside; errors tell run, input and window."""
    n = len(models) * n_seeds
    error = 1e-3 * (1 + np.arange(n * 4 * 3).reshape(n, 4, 3))
    cells = ("run", "input")
    return xr.Dataset(
        {
            "phase_free_error": ((*cells, "window"), error, {"units": "1"}),
            "error": ((*cells, "window"), 2 * error, {"units": "1"}),
        },
        coords={
            **runs_of(models, n_seeds),
            "lengths": ("window", [1.0, 2.0, 3.0]),
            "input_value": ("input", [0.1, 0.2, 0.3, 0.4], {"units": "rad/step"}),
            "inside": ("input", [True, True, True, False]),
            "closed_curve": (cells, np.tile([True, False, False, True], (n, 1))),
        },
    )


def make_accuracies(models=MODELS, n_seeds=2, gaps=(10, 50)):
    """Each network its own accuracy, less on longer sequences."""
    n = len(models) * n_seeds
    runs = {name: (dim, list(values) * len(gaps)) for name, (dim, values) in runs_of(models, n_seeds).items()}
    values = np.linspace(1, 0.5, n * len(gaps))[:, None] * np.array([1.0, 0.9, 0.6])
    return xr.Dataset(
        {"accuracy": (("run", "factor"), values), "chance": 0.125},
        coords={
            **runs,
            "gap": ("run", np.repeat(gaps, n)),
            "length": ("run", np.repeat([gap + 20 for gap in gaps], n)),
            "factor": [1.0, 2.0, 5.0],
        },
    )


def make_counts(models=MODELS, n_seeds=2, gaps=(10, 50)):
    """At distractor inputs 1, 3 and 5 fixed points and 0, 0 and 3 closed curves; at relevant inputs a fixed point."""
    n = len(models) * n_seeds * len(gaps)
    numbers = np.zeros((n, 5, len(LIMIT_KINDS)), int)
    numbers[:, :2, LIMIT_KINDS.index("fixed_point")] = 1
    numbers[:, 2:, LIMIT_KINDS.index("fixed_point")] = 1, 3, 5
    numbers[:, 4, LIMIT_KINDS.index("closed_curve")] = 3
    return xr.Dataset(
        {"n_attractors": (("run", "input", "kind"), numbers), "n_classes": 4},
        coords={
            **{name: (dim, list(values) * len(gaps)) for name, (dim, values) in runs_of(models, n_seeds).items()},
            "gap": ("run", np.repeat(gaps, n // len(gaps))),
            "accuracy": ("run", np.linspace(1, 0.5, n)),
            "kind": list(LIMIT_KINDS),
            "input_label": ("input", list("ABxyz")),
            "distractor": ("input", [False, False, True, True, True]),
        },
    )


def make_frequencies(models=MODELS, n_seeds=2):
    """Inputs in descending order: oscillates otherwise, three closed curves, and no oscillation at the lowest."""
    n = len(models) * n_seeds
    wanted = np.array([0.5, 0.4, 0.3, 0.2, 0.1])
    learned = wanted * (1 + 0.01 * np.arange(1, n + 1)[:, None])
    learned[:, -1] = np.nan
    cells = ("run", "input")
    return xr.Dataset(
        {
            "learned_frequency": (cells, learned, {"units": "rad/step"}),
            "closed_curve": (cells, np.tile([False, True, True, True, False], (n, 1))),
            "trained_lowest": 0.2,
            "trained_highest": 0.4,
        },
        coords={
            **runs_of(models, n_seeds),
            "wanted_frequency": ("input", wanted, {"units": "rad/step"}),
            "inside": ("input", [False, True, True, True, False]),
        },
    )


def make_claims(models=MODELS, n_seeds=2):
    """A claim of each model, seen, not seen and undecided in turn."""
    n = len(models)
    verdicts = ("seen", "not seen", "undecided")
    return xr.Dataset(
        {"value": (("claim", "seed"), 0.25 * (1 + np.arange(n * n_seeds).reshape(n, n_seeds)))},
        coords={
            "claim": [f"claim-{at}" for at in range(n)],
            "statement": ("claim", [f"Networks of the kind {model} do what was said of them." for model in models]),
            "measure": ("claim", ["share of inputs (1)"] * n),
            "threshold": ("claim", np.linspace(0.9, 0.5, n)),
            "direction": ("claim", [("at least", "at most")[at % 2] for at in range(n)]),
            "verdict": ("claim", [verdicts[at % 3] for at in range(n)]),
            "seed": range(n_seeds),
        },
    )


MAKERS: dict[str, Any] = {
    "claims": make_claims,
    "accuracy": make_accuracies,
    "attractor-counts": make_counts,
    "error-horizon": make_continuation,
    "frequency-in-out": make_frequencies,
}


def drawn(name, data, **chosen):
    return rs.figures.load(name)(data, **chosen)


def words(figure):
    """All that a figure says, headings and legend included."""
    if hasattr(figure, "to_json"):
        said = [*(each.text for each in figure.layout.annotations), *(each.name or "" for each in figure.data)]
        for table in (trace for trace in figure.data if trace.type == "table"):
            said += [*table.header["values"], *(cell for column in table.cells["values"] for cell in column)]
        axes = [axis for axis in figure.layout.to_plotly_json().items() if axis[0][1:5] == "axis"]
        said += [axis.get("title", {}).get("text", "") for _, axis in axes]
        return " ".join(said + [word for _, axis in axes for word in axis.get("ticktext", ())])
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())


def all_inside(figure):
    """Nothing reaches over the edge of the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    return box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("models", "n_seeds"), [(MODELS, 3), (("lstm",), 1), (("a", "b", "c", "d", "e", "f", "g"), 1)])
def test_every_study_is_drawn_by_both_backends(name, models, n_seeds, backend, tmp_path):
    figure = drawn(name, MAKERS[name](models, n_seeds), backend=backend)
    for model in models:
        assert model in words(figure)
    rs.figures.save(figure, tmp_path / ("a.png" if backend == "matplotlib" else "a.html"))
    assert backend == "plotly" or all_inside(figure)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_not_a_result_is_refused_by_name(name):
    data = MAKERS[name]()
    figure = rs.figures.load(name)
    with pytest.raises(ValueError, match="unknown backend 'bokeh'"):
        figure(data, backend="bokeh")
    with pytest.raises(ValueError, match=r"expected an xarray.Dataset, came 'dict'"):
        figure({})
    with pytest.raises(ValueError, match=r"expected a Dataset that has .*came 'an empty one'"):
        figure(xr.Dataset())
    for dim in data.dims:
        with pytest.raises(ValueError, match=f"expected at least one {dim}, came 0"):
            figure(data.isel({dim: slice(0)}))
    first = next(iter(data.data_vars))
    with pytest.raises(ValueError, match=rf"expected a Dataset that has {first} \("):
        figure(data.drop_vars([first]))
    with pytest.raises(ValueError, match=rf"expected {first} \(.*came '{first} \(.*more.*'"):
        figure(data.assign({first: data[first].expand_dims(more=2)}))


@pytest.mark.parametrize("name", MAKERS)
def test_a_run_has_no_study(name):
    run: Any = object()
    for given_runs in (run, [run, run]):
        with pytest.raises(ValueError, match=f"figure {name} shows a study, .*in Python: rnnscope.figures"):
            rs.figures.draw(name, given_runs)


@pytest.mark.parametrize("name", MAKERS)
def test_what_a_study_has_stored_is_drawn_on_the_command_line(name, tmp_path, capsys):
    def draw(name, *words, ending=".png"):
        with pytest.raises(SystemExit) as ended:
            main(["figure", name, str(tmp_path / "study"), "-o", str(tmp_path / f"drawn{ending}"), *words])
        return ended.value.code, capsys.readouterr().err

    findings: Any = SimpleNamespace(tables={OF_STUDIES[name]: MAKERS[name]()})
    experiments.store(findings, tmp_path / "study" / "findings")
    for ending in (".png", ".html"):
        assert draw(name, ending=ending) == (0, "")
        assert (tmp_path / f"drawn{ending}").stat().st_size > 5000
    status, errors = draw(name, "--set", "colour=red")
    assert status == 2
    assert "has no settings" in errors or "unknown setting of figure" in errors
    assert draw("loss") == (2, f"error: figure loss shows a run, came a study; figures of this one: {name}\n")
    other = next(each for each in MAKERS if each != name)
    status, errors = draw(other)
    assert status == 2
    assert f"expected the table {OF_STUDIES[other]} of a study, came {OF_STUDIES[name]}; figures" in errors


def test_settings_reach_the_figure_of_a_study():
    tables = {"continuation": make_continuation()}
    assert "best phase" in words(rs.figures.draw_study("error-horizon", tables))
    assert "best phase" not in words(rs.figures.draw_study("error-horizon", tables, quantity="error"))
    with pytest.raises(ValueError, match="unknown setting of figure error-horizon 'input': did you mean 'inputs'"):
        rs.figures.draw_study("error-horizon", tables, input="outside")
    with pytest.raises(ValueError, match="unknown figure 'error-horizn'"):
        rs.figures.draw_study("error-horizn", tables)


@pytest.mark.parametrize("study", ["sine", "symbols"])
def test_every_picture_of_a_study_that_is_not_of_orbits_can_be_drawn_again(study):
    for picture in experiments.load(study).STUDY.pictures:
        assert picture.table == OF_STUDIES.get(picture.figure, "orbits")


@pytest.mark.parametrize("name", MAKERS)
def test_the_order_of_dimensions_does_not_matter(name):
    data = MAKERS[name]()
    for backend in BACKENDS:
        there, turned = (
            drawn(name, each, backend=backend) for each in (data, data.transpose(*reversed(list(data.sizes))))
        )
        if backend == "plotly":
            assert there.to_json() == turned.to_json()
        else:
            for ours, theirs in zip(there.axes, turned.axes, strict=True):
                for one, other in zip(ours.get_lines(), theirs.get_lines(), strict=True):
                    np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf]), max_size=12))
def test_quarters_are_those_of_the_finite_values(numbers):
    found = _study.quarters(np.array(numbers)[:, None])[:, 0]
    finite = [number for number in numbers if np.isfinite(number)]
    if not finite:
        assert np.isnan(found).all()
    else:
        np.testing.assert_allclose(found, np.quantile(finite, [0.25, 0.5, 0.75]), rtol=1e-12, atol=1e-9)


def record(name, data, **chosen):
    return drawn(name, data, backend="recording", **chosen)


def of_panel(recording, column, kind, row=0):
    (panel,) = (each for each in recording.sheet.panels if (each.row, each.column) == (row, column))
    return [mark for mark in panel.marks if isinstance(mark, kind)]


def median_lines(recording, column):
    """Median lines of a panel of the error horizon: (closed, without)."""
    lines, signs = (of_panel(recording, column, kind) for kind in (Line, Points))
    for line, sign in zip(lines, signs, strict=True):
        np.testing.assert_array_equal(line.y, sign.y)
    return {"closed" if sign.name == "curve or cycle" else "without": sign.y for sign in signs}


@pytest.mark.parametrize("quantity", ["phase_free_error", "error"])
def test_error_horizon_draws_medians_over_the_pairs_of_each_group(quantity):
    data = make_continuation(n_seeds=3)
    figure = record("error-horizon", data, quantity=quantity)
    for panel in range(3):
        values = data[quantity].values[3 * panel : 3 * panel + 3]
        lines = median_lines(figure, panel)
        np.testing.assert_allclose(lines["closed"], np.median(values[:, 0], axis=0))
        np.testing.assert_allclose(lines["without"], np.median(values[:, 1:3].reshape(6, 3), axis=0))
        closed, without = of_panel(figure, panel, Band)
        np.testing.assert_allclose(closed.low, np.quantile(values[:, 0], 0.25, axis=0))
        np.testing.assert_allclose(without.high, np.quantile(values[:, 1:3].reshape(6, 3), 0.75, axis=0))
    said = " ".join(figure.words)
    for word in ("curve or cycle: 3 pairs", "neither: 6 pairs", "a constant zero output", "(training lengths)"):
        assert word in said
    assert ("best phase" in said) == (quantity == "phase_free_error")


def test_error_horizon_of_inputs_outside_and_all():
    data = make_continuation(("lstm",), 1)
    outside = record("error-horizon", data, inputs="outside")
    assert "curve or cycle: 1 pair" in outside.words
    assert "neither" not in " ".join(outside.words)
    np.testing.assert_allclose(median_lines(outside, 0)["closed"], data["phase_free_error"].values[0, 3])
    everything = " ".join(record("error-horizon", data, inputs="all").words)
    assert "curve or cycle: 2 pairs" in everything
    assert "left out" not in everything


def test_error_horizon_leaves_out_what_is_not_finite_and_says_so():
    data = make_continuation(("lstm", "gru"), 2)
    data["phase_free_error"][0, 0, 1:] = np.inf
    data["phase_free_error"][1, 0, 2] = np.nan
    data["phase_free_error"][2:, 0] = np.nan
    figure = record("error-horizon", data)
    closed = median_lines(figure, 0)["closed"]
    errors = data["phase_free_error"].values
    np.testing.assert_allclose(closed, [(errors[0, 0, 0] + errors[1, 0, 0]) / 2, errors[1, 0, 1], np.nan])
    assert set(median_lines(figure, 1)) == {"without"}
    assert "left out: 3 of 18 not finite" in figure.words
    assert "left out: 6 of 18 not finite" in figure.words
    for backend in BACKENDS:
        assert "left out: 3 of 18 not finite" in words(rs.figures.error_horizon(data, backend=backend))
    with pytest.raises(ValueError, match="expected at least one positive finite error"):
        rs.figures.error_horizon(data.assign(error=data["error"] * np.nan), quantity="error")


def test_many_panels_name_their_axis_once_on_a_screen():
    few, many = (rs.figures.error_horizon(make_continuation(tuple("abcdefg")[:n], 1), backend="plotly") for n in (3, 7))
    assert words(few).count("horizon (training lengths)") == 3
    assert words(many).count("horizon (training lengths)") == 1


def test_error_horizon_misuse():
    data = make_continuation()
    wrong: Any = "errors"
    with pytest.raises(ValueError, match="unknown quantity 'errors': did you mean 'error'"):
        rs.figures.error_horizon(data, quantity=wrong)
    with pytest.raises(ValueError, match="unknown inputs 'inner'"):
        rs.figures.error_horizon(data, inputs="inner")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="expected at least one input with inside true for inputs='inside'"):
        rs.figures.error_horizon(data.isel(input=[3]))


def test_error_horizon_holds_errors_of_zero_at_its_lower_edge():
    data = make_continuation(("lstm",), 1)
    data["phase_free_error"][0, 0] = 0.0
    figure = record("error-horizon", data)
    np.testing.assert_allclose(median_lines(figure, 0)["closed"], figure.sheet.panels[0].y.range[0])


def median_of_models(recording, column):
    """The median lines of the accuracy by model, as rows (gap on the axis, accuracy)."""
    lines, signs = (of_panel(recording, column, kind) for kind in (Line, Points))
    assert [line.role for line in lines] == [sign.role for sign in signs]
    return {sign.name: np.stack([line.x, line.y], -1) for line, sign in zip(lines, signs, strict=True)}


def test_accuracy_draws_medians_over_seeds_and_a_point_per_network():
    data = make_accuracies(n_seeds=3)
    figure = record("accuracy", data)
    for panel in range(3):
        values = data["accuracy"].values[:, panel].reshape(2, 3, 3)
        for at, (model, line) in enumerate(median_of_models(figure, panel).items()):
            assert model == MODELS[at]
            np.testing.assert_allclose(line[:, 1], np.median(values[:, at], axis=1))
            np.testing.assert_allclose(line[:, 0], [10, 50], atol=2)
            np.testing.assert_array_equal(of_panel(figure, panel, Points)[at].y, values[:, at].ravel())
    for word in ("as long as trained\n(30 … 70 steps)", "2 × as long\n(60 … 140 steps)", "chance (0.125)"):
        assert word in figure.words
    assert "gap (steps)" in figure.words
    assert "not measured" not in " ".join(figure.words)


def test_accuracy_points_of_equal_accuracy_lie_beside_one_another():
    data = make_accuracies(n_seeds=3)
    data["accuracy"][:] = 1.0
    across = np.concatenate([points.x for points in of_panel(record("accuracy", data), 0, Points)])
    assert across.size == 18
    assert np.diff(np.sort(across)).min() > 0.05


def test_accuracies_that_are_missing_are_left_out_and_said():
    data = make_accuracies(n_seeds=2)
    data["accuracy"][0, 0] = np.nan
    data["accuracy"][2:4, 1] = np.nan
    figure = record("accuracy", data)
    values = data["accuracy"].values
    assert median_of_models(figure, 0)["lstm"][0, 1] == values[1, 0]
    assert len(median_of_models(figure, 1)["stable-lstm"]) == 1
    for backend in BACKENDS:
        assert "3 not measured" in words(rs.figures.accuracy(data, backend=backend))


def test_the_axis_of_the_gap_is_logarithmic_where_gaps_span_much():
    near, far = (rs.figures.accuracy(make_accuracies(gaps=gaps)).axes[0] for gaps in ((10, 50), (5, 50)))
    assert near.get_xticks().tolist() == [10, 50]
    np.testing.assert_allclose(far.get_xticks(), np.log10([5, 50]))
    assert [label.get_text() for label in far.get_xticklabels()] == ["5", "50"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_gaps_that_lie_close_are_not_labelled_over_one_another(backend):
    figure = rs.figures.accuracy(make_accuracies(gaps=(10, 11, 50, 200)), backend=backend)
    if backend == "matplotlib":
        labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    else:
        labels = list(figure.layout.xaxis.ticktext)
    assert labels == ["10", "", "50", "200"]


def test_accuracy_misuse():
    data = make_accuracies()
    with pytest.raises(ValueError, match=r"accuracies: expected accuracies from 0 to 1, came \[2.0"):
        rs.figures.accuracy(data.assign(accuracy=data["accuracy"] * 2))
    with pytest.raises(ValueError, match="at least one accuracy that is not NaN, came 'none'"):
        rs.figures.accuracy(data.assign(accuracy=data["accuracy"] * np.nan))
    with pytest.raises(ValueError, match=r"expected a Dataset that has chance \(a scalar\)"):
        rs.figures.accuracy(data.drop_vars("chance"))


def parts_of(figure, row):
    """The heights of the bars of a row of attractor counts by kind, from left to right."""
    found = {}
    if hasattr(figure, "to_json"):
        axis = "y" if row == 0 else f"y{row + 1}"
        for trace in figure.data:
            if trace.type == "bar" and trace.yaxis == axis and len(trace.y):
                found[trace.name] = list(trace.y)
        return found
    for patch in figure.axes[row].patches:
        colours = [theme.colour(kind) for kind in LIMIT_KINDS]
        kind = LIMIT_KINDS[colours.index(to_hex(patch.get_facecolor()))].replace("_", " ")
        found.setdefault(kind, []).append(patch.get_height())
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_attractor_counts_are_medians_over_distractors_in_parts_by_kind(backend):
    figure = rs.figures.attractor_counts(make_counts(), backend=backend)
    for row in range(2):
        parts = parts_of(figure, row)
        np.testing.assert_allclose(parts["fixed point"], [3 * 9 / 12] * 6)
        np.testing.assert_allclose(parts["closed curve"], [3 * 3 / 12] * 6)
    said = words(figure)
    for word in (
        "one for each class (4)", "median over distractor inputs", "gap 10 steps", "gap 50 steps", "1.00", "0.50",
        "fixed point", "closed curve", "quarters over inputs", "seed",
    ):  # fmt: skip
        assert word in said
    assert "chaos" not in said


@pytest.mark.parametrize("backend", BACKENDS)
def test_attractor_counts_at_relevant_and_at_all_inputs(backend):
    relevant = rs.figures.attractor_counts(make_counts(), inputs="relevant", backend=backend)
    assert parts_of(relevant, 0) == {"fixed point": [1.0] * 6}
    assert "quarters" not in words(relevant)
    everything = parts_of(rs.figures.attractor_counts(make_counts(), inputs="all", backend=backend), 1)
    np.testing.assert_allclose(everything["fixed point"], 11 / 14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_network_stands_in_the_same_place_at_every_gap(backend):
    data = make_counts(n_seeds=3).isel(run=[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 17])
    figure = rs.figures.attractor_counts(data, inputs="relevant", backend=backend)
    if backend == "matplotlib":
        rows = [[patch.get_x() + patch.get_width() / 2 for patch in axes.patches] for axes in figure.axes]
    else:
        rows = [list(trace.x) for trace in figure.data if trace.type == "bar"]
    np.testing.assert_allclose(rows[1], [rows[0][at] for at in (1, 4, 8)])


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_where_attractors_were_not_counted_are_left_out(backend):
    data = make_counts(("lstm",), 2, (10,))
    data["n_attractors"] = data["n_attractors"].astype(float)
    data["n_attractors"][0, 4, 0] = np.nan
    data["n_attractors"][1] = np.nan
    data["accuracy"][1] = np.nan
    figure = rs.figures.attractor_counts(data, backend=backend)
    assert parts_of(figure, 0) == {"fixed point": [2.0]}
    assert "–" in words(figure)


def test_attractor_counts_misuse():
    data = make_counts()
    with pytest.raises(ValueError, match="unknown inputs 'distractor': did you mean 'distractors'"):
        rs.figures.attractor_counts(data, inputs="distractor")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="at least one input with distractor true for inputs='distractors'"):
        rs.figures.attractor_counts(data.isel(input=[0, 1]))
    with pytest.raises(ValueError, match=r"expected kinds among fixed_point, .*, came 'vortex'"):
        rs.figures.attractor_counts(data.assign_coords(kind=["vortex", *LIMIT_KINDS[1:]]))
    with pytest.raises(ValueError, match="expected numbers of attractors of at least 0"):
        rs.figures.attractor_counts(data.assign(n_attractors=-data["n_attractors"]))


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.lists(st.lists(st.integers(0, 30), min_size=8, max_size=8), min_size=1, max_size=6))
def test_the_parts_of_a_bar_add_up_to_the_median(numbers):
    data = make_counts(("lstm",), 1, (10,)).isel(input=[2] * len(numbers))
    data["n_attractors"][:] = np.array(numbers)[None]
    parts = parts_of(rs.figures.attractor_counts(data, backend="plotly"), 0)
    total = sum(heights[0] for heights in parts.values())
    np.testing.assert_allclose(total, np.median(np.sum(numbers, axis=1)), atol=1e-12)


def test_frequency_in_out_draws_each_network_where_it_oscillates():
    data = make_frequencies()
    figure = record("frequency-in-out", data)
    learned = data["learned_frequency"].values[:, ::-1]
    for panel in range(3):
        equal, *lines = of_panel(figure, panel, Line)
        assert equal.x.tolist() == equal.y.tolist() == [0.1, 0.5]
        np.testing.assert_allclose([line.x for line in lines], np.tile([0.1, 0.2, 0.3, 0.4, 0.5], (2, 1)))
        np.testing.assert_allclose([line.y for line in lines], learned[2 * panel : 2 * panel + 2])
        signs = of_panel(figure, panel, Points)
        assert [sign.x.tolist() for sign in signs if sign.filled] == [[0.2, 0.3, 0.4]] * 2
        assert [sign.x.tolist() for sign in signs if not sign.filled] == [[0.5]] * 2
        ticks = of_panel(figure, panel, Points, row=1)
        assert [(tick.x.tolist(), tick.y.tolist()) for tick in ticks] == [([0.1], [0]), ([0.1], [1])]
        assert [(span.low, span.high) for span in of_panel(figure, panel, Span)] == [(0.2, 0.4)]
    for word in (
        "seed 0", "seed 1", "closed curve or cycle", "oscillates otherwise", "equal", "trained range",
        "does not\noscillate", "wanted frequency (rad/step)", "learned frequency (rad/step)",
    ):  # fmt: skip
        assert word in figure.words


def test_frequency_in_out_where_all_or_none_oscillate():
    data = make_frequencies()
    everywhere = record("frequency-in-out", data.isel(input=slice(4)))
    assert "does not\noscillate" not in everywhere.words
    nowhere = record("frequency-in-out", data.assign(learned_frequency=data["learned_frequency"] * np.nan))
    assert "closed curve or cycle" not in nowhere.words
    assert "does not\noscillate" in nowhere.words


def test_learned_frequencies_far_beyond_the_wanted_are_triangles_at_the_upper_edge():
    data = make_frequencies(("lstm", "gru"), 1)
    data["learned_frequency"][0, [0, 2]] = [np.pi, 0.76]  # wanted 0.5, neither, and 0.3, a closed curve
    figure = record("frequency-in-out", data)
    assert {panel.y.range[1] for panel in figure.sheet.panels if panel.row == 0} == {0.75}
    np.testing.assert_allclose(of_panel(figure, 0, Line)[1].y, [np.nan, 0.202, np.nan, 0.404, np.nan])
    above = {edge.filled: (edge.x.tolist(), edge.facts["learned"].tolist()) for edge in of_panel(figure, 0, Edge)}
    assert above == {True: ([0.3], [0.76]), False: ([0.5], [np.pi])}  # the true values, to be read on hovering
    assert not any(edge.x.size for edge in of_panel(figure, 1, Edge))
    assert "beyond the axis (clipped)" in figure.words
    assert "beyond the axis (clipped)" not in record("frequency-in-out", make_frequencies()).words


@given(st.lists(st.floats(1e-3, np.pi), min_size=5, max_size=5))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_every_learned_frequency_is_drawn_once_and_within_the_axis(learned):
    data = make_frequencies(("lstm",), 1)
    data["learned_frequency"][0] = learned
    figure = record("frequency-in-out", data)
    low, high = figure.sheet.panels[0].y.range
    signs, edges = of_panel(figure, 0, Points), of_panel(figure, 0, Edge)
    assert all(low < value < high for sign in signs for value in sign.y)
    assert sorted(value for mark in (*signs, *edges) for value in mark.facts["learned"]) == sorted(learned)
    assert any(edge.x.size for edge in edges) == (max(learned) > 0.75)


def test_more_than_six_seeds_share_a_colour():
    six, seven = (record("frequency-in-out", make_frequencies(n_seeds=n)) for n in (6, 7))
    assert "seed 5" in six.words
    assert "seed" not in " ".join(seven.legend)
    assert len({line.role for line in of_panel(six, 0, Line)[1:]}) == 6
    assert len({line.role for line in of_panel(seven, 0, Line)[1:]}) == 1


def test_frequency_in_out_misuse():
    data = make_frequencies()
    with pytest.raises(ValueError, match=r"expected trained_lowest of at most trained_highest, came \(0.9, 0.4\)"):
        rs.figures.frequency_in_out(data.assign(trained_lowest=0.9))
    unknown = data.assign_coords(wanted_frequency=("input", [0.1, np.nan, 0.3, 0.4, 0.5]))
    with pytest.raises(ValueError, match="expected wanted frequencies that are finite"):
        rs.figures.frequency_in_out(unknown)


@pytest.mark.parametrize("backend", BACKENDS)
def test_claims_tell_median_range_wanted_and_verdict(backend):
    said = words(rs.figures.claims(make_claims(n_seeds=3), backend=backend))
    for word in (
        "0.5 [0.25, 0.75]", "1.25 [1, 1.5]", "2 [1.75, 2.25]", "≥\u00a00.9", "≤\u00a00.7", "≥\u00a00.5",
        "not seen", "undecided", "share of inputs (1)", "of 3 seeds",
    ):  # fmt: skip
        assert word in said
    assert "3 of 3" not in said


@pytest.mark.parametrize("backend", BACKENDS)
def test_claims_of_one_seed_and_of_values_that_are_missing(backend):
    one = words(rs.figures.claims(make_claims(n_seeds=1), backend=backend))
    assert "0.25" in one
    assert "[" not in one
    data = make_claims(n_seeds=3)
    data["value"][0, 0] = np.nan
    data["value"][1] = np.inf
    data["threshold"][2] = np.nan
    said = words(rs.figures.claims(data, backend=backend))
    for word in ("0.625 [0.5, 0.75]", "2 of 3 seeds", "never", "–"):
        assert word in said
    assert "never [" not in said
    data["value"][1] = np.nan
    assert "not measured" in words(rs.figures.claims(data, backend=backend))


@pytest.mark.parametrize("verdict", ["seen", "not seen", "undecided"])
def test_verdicts_differ_by_sign_and_lightness(verdict):
    data = make_claims(("lstm",)).assign_coords(verdict=("claim", [verdict]))
    axes = rs.figures.claims(data).axes[0]
    strokes = [line.get_xydata() for line in axes.get_lines() if line.get_color() == "white"]
    assert [len(stroke) for stroke in strokes] == {"seen": [3], "not seen": [2, 2], "undecided": [6, 2]}[verdict]
    (disc,) = axes.patches
    assert all(disc.contains_point(disc.axes.transData.transform(point)) for stroke in strokes for point in stroke)


@pytest.mark.parametrize("backend", BACKENDS)
def test_statements_are_no_markup(backend, tmp_path):
    text = "Costs $x$ & <b>bold</b> $ " + "unbreakable" * 20
    data = make_claims(("lstm",)).assign_coords(statement=("claim", [text]))
    figure = rs.figures.claims(data, backend=backend)
    if backend == "matplotlib":
        assert all_inside(figure)
        assert "$x$ & <b>bold</b>" in words(figure)
    else:
        assert "&lt;b&gt;bold" in words(figure)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.text(alphabet="abc iW<$", max_size=120), st.floats(0.3, 4))
def test_wrapping_keeps_every_letter_and_the_width(text, width):
    lines = _wrapped(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    font = FontProperties(size=7.5)
    for line in lines:
        assert text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] <= 72 * width


def test_claims_misuse():
    data = make_claims()
    with pytest.raises(ValueError, match="unknown verdict 'maybe'"):
        rs.figures.claims(data.assign_coords(verdict=("claim", ["seen", "maybe", "seen"])))
    with pytest.raises(ValueError, match="unknown direction 'atleast': did you mean 'at least'"):
        rs.figures.claims(data.assign_coords(direction=("claim", ["atleast"] * 3)))
