"""What an axis of epochs and a row of inputs say of what was looked at."""

import numpy as np
import pytest
import xarray as xr

import rnnscope as rs
from rnnscope.attractors import summarise_orbits
from rnnscope.findings.reading import by_step, epoch_label, input_name, input_words, looked_at, only_input


def seen(orbits, n_in_run):
    """The same orbits, of a run of so many epochs."""
    epoch = orbits["epoch"]
    return orbits.assign_coords(epoch=(epoch.dims, epoch.values, {**epoch.attrs, "epochs_in_run": n_in_run}))


def lettered(values, labels):
    rows = np.array(values, dtype=float)
    return xr.Dataset(
        coords={
            "input": np.arange(len(rows)),
            "input_value": (("input", "channel"), rows, {"long_name": "held input", "units": "1"}),
            "input_label": ("input", list(labels)),
            "epoch": ("step", [0]),
        }
    )


def test_an_axis_says_how_many_of_the_epochs_it_stands_for(orbits):
    orbits = orbits(n_epochs=20)
    n = orbits.sizes["step"]
    assert epoch_label(by_step(orbits)) == "epoch"
    assert epoch_label(by_step(seen(orbits, n))) == "epoch"
    assert epoch_label(by_step(seen(orbits, 301))) == f"epoch ({n} of 301 looked at)"
    assert epoch_label(by_step(seen(orbits, 301)), 5) == f"epoch (5 drawn, {n} of 301 looked at)"
    assert epoch_label(by_step(orbits), 5) == f"epoch (5 of {n} drawn)"


@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_diagram_tunnel_and_map_carry_it(orbits, backend):
    orbits = orbits(n_epochs=20)
    data, wanted = seen(orbits, 301), f"{orbits.sizes['step']} of 301 looked at"

    def words(figure):
        if backend == "plotly":
            return figure.to_json()
        return " ".join([*(axes.get_xlabel() for axes in figure.axes), *(axes.get_ylabel() for axes in figure.axes)])

    assert wanted in words(rs.figures.orbit_diagram(data, backend=backend))
    assert wanted in words(rs.figures.tunnel(data, backend=backend))
    assert wanted in words(rs.figures.kind_map(summarise_orbits(data), backend=backend))


def test_epochs_whose_weights_are_no_numbers_are_left_out_and_counted(orbits):
    orbits = orbits(n_epochs=20)
    n = orbits.sizes["step"]
    finite = np.ones(n, dtype=bool)
    finite[1:3] = False
    data = orbits.assign_coords(weights_finite=("step", finite))
    kept = by_step(data)
    assert kept.sizes["step"] == n - 2
    assert looked_at(kept) == (n, n)
    assert epoch_label(kept) == "epoch (weights not finite at 2)"
    assert "not_finite" not in data["epoch"].attrs
    assert by_step(kept).identical(kept)
    nothing = by_step(orbits.assign_coords(weights_finite=("step", np.zeros(n, dtype=bool))))
    assert nothing.sizes["step"] == n


def test_inputs_are_called_by_their_names_with_the_value_where_it_says_more():
    data = lettered([[-0.5], [0.0], [0.25], [3.0]], ["25 %", "zero and mean", "0.25", "token 3"])
    assert [input_name(data, at) for at in range(4)] == ["25 % (−0.5)", "zero and mean", "0.25", "token 3"]
    assert input_words(data, 0) == "held input 25 % (−0.5)"
    assert input_words(data, 0, short=True) == "25 % (−0.5)"
    several = lettered([[0.0, 1.0], [2.0, 3.0]], ["one-hot 1", "channel 0 at 5 %"])
    assert [input_name(several, at) for at in range(2)] == ["one-hot 1", "channel 0 at 5 %"]
    assert input_name(several.drop_vars("input_label"), 1) == "(2, 3)"
    assert input_name(several.drop_vars(["input_label", "input_value"]), 1) == "1"


def test_of_a_long_input_of_zeros_only_what_is_not_zero_is_written():
    rows = [[0.0] * 9, [0.0] * 6 + [1.0, 0.0, 0.0], list(range(9))]
    data = lettered(rows, "abc").drop_vars("input_label")
    assert [input_name(data, at) for at in range(3)] == ["zero", "channel 6: 1", "(0, 1, 2, 3, …)"]
    assert input_words(data, 1) == "input 1: channel 6: 1"


def test_a_single_input_is_known_as_such_and_no_input_is_none():
    data = lettered([[0.0]], ["x"]).drop_vars("input_label")
    assert only_input(data) == "zero"
    assert only_input(data.assign_coords(input_value=(("input", "channel"), [[0.5]]))) == "0.5"
    assert only_input(lettered([[0.0], [1.0]], "ab")) == ""
    none = data.drop_vars("input_value").assign_coords(input_value=(("input", "channel"), np.empty((1, 0))))
    assert only_input(none) == ""


def test_rows_of_a_map_bear_the_names(orbits):
    orbits = orbits(n_epochs=20)
    n = orbits.sizes["input"]
    data = orbits.assign_coords(input_label=("input", [f"name {at}" for at in range(n)]))
    figure = rs.figures.kind_map(summarise_orbits(data))
    assert {label.get_text() for label in figure.axes[0].get_yticklabels()} == {f"name {at}" for at in range(n)}
