"""A run and results that the first version wrote: they stay readable, and what is measured now equals them."""

import warnings
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from rnnscope.attractors import Orbits
from rnnscope.cli import main
from rnnscope.runs import Run

ARCHIVE = Path(__file__).with_name("first_version.zip")
SETTINGS = {
    "orbits": {},
    "attractors": {"n_starts": 2, "n_transient": 100, "n_steps": 200, "n_extensions": 0},
    "fixedpoints": {"n_orbits": 4, "n_starts": 16, "n_steps": 30},
    "lyapunov": {"n_starts": 2, "n_transient": 50, "n_transient_tangent": 20, "n_steps": 60},
    "smoothness": {"n_sequences": 2},
    "growth": {"lengths": [3, 5, 8, 12], "n_starts": 3, "n_transient": 10, "n_exponent": 20, "n_bootstrap": 20},
    "landscape": {"n_points": 3, "n_between": 2},
    "roughness": {"n_points": 9},
}
RAISED = {"attractors": 2}
"""Probes whose version was raised since, with that of the first version."""


@pytest.fixture
def first(tmp_path):
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path / "first")
    return Run(tmp_path / "first")


def test_every_file_is_whole(first):
    assert first.check() == []
    assert first.status == "finished"
    assert first.epochs.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in RAISED])
def test_results_are_found_by_what_asks_for_them_now(first, name):
    assert first.missing(name, **SETTINGS[name]) == []
    found = first.probe(name, **SETTINGS[name])
    assert found.identical(first.dataset(name))


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_measured_now_equals_them(first, name):
    with pytest.warns(UserWarning, match="by version 2") if name in RAISED else nullcontext():
        stored = first.dataset(name)
    for path in first.path.glob(f"probes/{name}-*/*"):
        path.unlink()
    measured = Run(first.path).probe(name, **SETTINGS[name])
    if name not in RAISED:
        assert list(measured.variables) == list(stored.variables)
    for key, variable in stored.variables.items():
        now = measured.variables[key]
        assert now.dims == variable.dims, key
        assert now.dtype == variable.dtype, key
        assert {**now.attrs, "flag_values": None} == {**variable.attrs, "flag_values": None}, key
        np.testing.assert_array_equal(now.attrs.get("flag_values", 0), variable.attrs.get("flag_values", 0), str(key))
        if now.dtype.kind == "f":
            np.testing.assert_allclose(now.values, variable.values, rtol=1e-4, atol=1e-6, err_msg=str(key))
        else:
            np.testing.assert_array_equal(now.values, variable.values, str(key))


def test_it_is_shown(first, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["show", str(first.path)])
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert "4 snapshots" in shown.out
    assert "rest" in shown.out
    assert "by version 2 of the probe, this rnnscope has version 3; run.probe('attractors'" in shown.err


@pytest.mark.parametrize("name", RAISED)
def test_results_of_a_raised_version_are_measured_again(first, name):
    assert first.missing(name, **SETTINGS[name]) == [0, 1, 2, 3]
    with pytest.warns(UserWarning, match=f"results of version {RAISED[name]} of probe {name} are kept"):
        found = first.probe(name, **SETTINGS[name])
    with warnings.catch_warnings(action="error"):
        assert first.dataset(name, **SETTINGS[name]).identical(found)
        assert first.probe(name, **SETTINGS[name]).identical(found)


def test_results_of_an_older_version_of_a_probe_are_measured_again_and_that_is_said_once(first, monkeypatch):
    monkeypatch.setattr(Orbits, "version", 3)
    line = r"first: results of version 2 of probe orbits are kept; version 3 is measured anew"
    with pytest.warns(UserWarning, match=line) as told:
        again = first.probe("orbits")
    assert len(told) == 1
    assert '"version":3' in again.attrs["settings"]
    assert first.dataset("orbits").attrs["settings"] == again.attrs["settings"]
    assert first.dataset("orbits").equals(again)
    assert len(list(first.path.glob("probes/orbits-*"))) == 2


def test_results_of_a_version_that_is_not_known_are_given_and_that_is_said(first, monkeypatch):
    monkeypatch.setattr(Orbits, "version", 1)
    with pytest.warns(
        UserWarning, match=r"orbits were measured by version 2 of the probe, this rnnscope has version 1"
    ):
        found = first.dataset("orbits")
    assert found.sizes["step"] == 4
