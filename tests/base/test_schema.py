"""Flags, schemas and settings: what is stored means what it says, and bad settings are refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from rnnscope.base import settings
from rnnscope.base.flags import Flags, codes_of
from rnnscope.base.schema import Schema, Variable

STATUS = Flags(("none", "rests", "moves"), first=-1)
SCHEMA = Schema(
    {"x": Variable("start time", "state", "m"), "status": Variable("start", "what it does", flags=STATUS)},
    {"time": Variable("time", "time", "s")},
)


def test_flags_come_back_from_a_file(tmp_path):
    status = np.array([1, -1], dtype=np.int8)
    SCHEMA.dataset({"status": status}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as found:
        assert codes_of(found.status.attrs) == {"none": -1, "rests": 0, "moves": 1}
        assert found.status.attrs["flag_values"].dtype == np.int8


def test_a_variable_without_flags_has_no_codes():
    assert codes_of({"long_name": "state"}) == {}


def test_a_dataset_has_the_order_names_and_units_that_are_said():
    values = {"status": np.zeros(2, np.int8), "x": torch.zeros(2, 3, requires_grad=True)}
    found = SCHEMA.dataset(values, time=[0.0, 0.5, 1.0], start=[7, 8])
    assert list(found.data_vars) == ["status", "x"]
    assert found.x.dims == ("start", "time")
    assert found.x.attrs == {"long_name": "state", "units": "m"}
    assert found.time.attrs == {"long_name": "time", "units": "s"}
    assert found.start.attrs == {}


def test_what_a_schema_does_not_have_is_refused():
    with pytest.raises(KeyError, match="speed"):
        SCHEMA.dataset({"speed": [1.0]})
    with pytest.raises(ValueError, match="Variable 'x'"):
        SCHEMA.dataset({"x": [1.0]})


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (lambda s: settings.whole(s, n=1), 0, "n: expected a positive whole number, came 0"),
        (lambda s: settings.whole(s, n=0), True, "n: expected a whole number of at least 0, came True"),
        (lambda s: settings.whole(s, n=0), 1.0, "n: expected a whole number of at least 0, came 1.0"),
        (lambda s: settings.positive(s, "n"), 0.0, "n: expected a positive number, came 0.0"),
        (lambda s: settings.positive(s, "n"), "1", "n: expected a positive number, came '1'"),
        (lambda s: settings.positive(s, "n"), float("inf"), "n: expected a positive number, came inf"),
        (lambda s: settings.at_least(s, n=0.5), float("nan"), "n: expected a number of at least 0.5, came nan"),
        (lambda s: settings.fraction(s, "n"), 1, "n: expected a number between 0 and 1, came 1"),
        (lambda s: settings.truth(s, "n"), 1, "n: expected true or false, came 1"),
        (lambda s: settings.one_of(s, "n", ("a", "b")), "c", "n: expected one of a, b, came 'c'"),
        (lambda s: settings.floating_point(s, "n"), "float16", "n: expected 'float32', 'float64' or None, came"),
    ],
)
def test_bad_settings_are_refused_in_words(check, value, message):
    with pytest.raises(ValueError, match=message):
        check(SimpleNamespace(n=value))


def test_numbers_become_floats():
    given = SimpleNamespace(n=2, m=0)
    settings.positive(given, "n")
    settings.at_least(given, m=0)
    assert (type(given.n), type(given.m)) == (float, float)


def test_lengths_are_put_in_order():
    assert settings.checked_lengths([30, 10, 30]) == (10, 30)
    assert settings.checked_lengths(None) is None
    with pytest.raises(ValueError, match="lengths: expected positive whole numbers"):
        settings.checked_lengths([0, 1])
