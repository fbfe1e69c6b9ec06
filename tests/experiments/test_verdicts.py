"""When a claim is seen, not seen or undecided."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope.experiments import Claim, load
from rnnscope.experiments._verdicts import RULE, decide, verdict
from rnnscope.report.study import claim_rows, number_tables

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "direction", "expected"),
    [
        ([0.9, 0.9, 0.9], "at least", "seen"),
        ([0.5, 0.5, 0.5], "at least", "seen"),  # the threshold itself is on the right side
        ([0.1, 0.1, 0.1], "at least", "not seen"),
        ([0.9, 0.9, 0.1], "at least", "undecided"),
        ([0.9, 0.1, 0.1], "at least", "undecided"),
        ([0.9, 0.9, 0.9, 0.9, 0.1], "at least", "seen"),
        ([0.9, 0.1, 0.1, 0.1, 0.1], "at least", "not seen"),
        ([0.1, 0.1, 0.1], "at most", "seen"),
        ([0.9, 0.9], "at least", "undecided"),  # two seeds decide nothing
        ([0.9, 0.9, NAN], "at least", "undecided"),
        ([0.9, 0.9, 0.9, NAN], "at least", "seen"),
        ([INF, INF, INF], "at most", "not seen"),
        ([NAN, NAN, NAN], "at most", "undecided"),
        ([], "at most", "undecided"),
    ],
)
def test_verdicts(values, direction, expected):
    assert verdict(values, direction, 0.5) == expected


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12), st.floats(-1, 1))
def test_a_claim_and_its_opposite_are_never_both_seen(values, threshold):
    values = [value for value in values if value != threshold]
    both = verdict(values, "at least", threshold), verdict(values, "at most", threshold)
    assert both in {("seen", "not seen"), ("not seen", "seen"), ("undecided", "undecided")}


def test_each_seed_is_decided_from_its_own_networks():
    table = xr.Dataset(
        {"loss": ("run", [1.0, 2.0, 3.0, 10.0])},
        {"model": ("run", ["a", "a", "a", "b"]), "seed": ("run", [0, 1, 2, 2]), "setting": ("run", [""] * 4)},
    )
    planned = [("a", "", 0), ("a", "", 1), ("a", "", 2), ("b", "", 2)]

    def of_b(tables):
        found = tables["networks"]["loss"].values[tables["networks"]["model"].values == "b"]
        return float(found[0]) if found.size else NAN

    def total(tables):
        return float(tables["networks"]["loss"].sum())

    claims = [
        Claim(name="sum", statement="s", measure="m", about=("a",), value=total, direction="at most", threshold=5.0),
        Claim(name="b", statement="s", measure="m", about=("b",), value=of_b, direction="at least", threshold=1.0),
    ]  # fmt: skip
    found = decide(claims, {"networks": table}, planned)
    np.testing.assert_array_equal(found["value"], [[1.0, 2.0, 13.0], [NAN, NAN, 10.0]])
    assert found["verdict"].values.tolist() == ["undecided", "undecided"]
    assert found.attrs["rule"] == RULE
    first, second = claim_rows(found)
    assert (first.came, first.held, first.wanted) == ("2 [1, 13]", "2 of 3 seeds", "≤ 5")
    assert second.held == "1 of 1 seeds (2 could not be measured)"


@pytest.mark.parametrize("name", ["sine", "symbols"])
def test_descriptions_are_whole(name):
    from rnnscope import figures, models, tasks

    study = load(name).STUDY
    assert study.task in tasks.names()
    assert set(study.models) <= set(models.names())
    assert {"quick", "paper"} <= set(study.presets)
    assert len({claim.name for claim in study.claims}) == len(study.claims)
    for picture in study.pictures:
        assert picture.figure in figures.names()
        assert picture.table in {*study.tables, "claims", "orbits"}
    for preset in study.presets.values():
        assert len(preset.seeds) >= 3
        assert not set(preset.seeds) & set(study.looked_at)
    assert all(set(claim.about) <= set(study.models) for claim in study.claims)
    with pytest.raises(ValueError, match="unknown preset 'quik': did you mean 'quick'"):
        study.preset("quik")
    with pytest.raises(ValueError, match="unknown claim 'stable-one': did you mean 'stable-one-point'"):
        study.chosen_claims(["stable-one"])


def test_numbers_over_seeds_stand_by_model_and_setting():
    table = xr.Dataset(
        {"loss": ("run", [1.0, 3.0, 5.0, INF], {"long_name": "final loss", "units": "nat"}), "scalar": ((), 1.0)},
        {"model": ("run", ["a", "a", "b", "b"]), "seed": ("run", [0, 1, 0, 1]), "setting": ("run", ["", "", "x", "x"])},
        {"title": "Losses"},
    )

    class Findings:
        tables = {"networks": table.drop_vars("scalar"), "wide": table.expand_dims(input=2)}  # noqa: RUF012

    (found,) = number_tables(Findings)  # pyright: ignore[reportArgumentType]
    assert (found.title, found.columns) == ("Losses", ("a", "b, x"))
    assert found.rows == (("final loss (nat)", "2 [1, 3]", "5 [5, never]"),)
