"""Every registered probe keeps the contract: its name, what it cites, a subject, and data that a run can give."""

import pytest

from rnnscope.base.probe import Probe
from rnnscope.runs import probes


@pytest.mark.parametrize("name", probes.names())
def test_a_registered_probe_keeps_the_contract(name):
    cls = probes.load(name)
    assert issubclass(cls, Probe)
    assert cls.name == name
    assert cls.references
    assert all(reference.endswith((".", ".)")) for reference in cls.references)
    probe = cls()
    assert probe.subject in ("snapshot", "pair", "path")
    assert probe.needs in (None, "sequences", "objective")
    assert (probe.needs == "objective") == (probes.about(name) == "cost")
    assert cls.from_settings(probe.settings()).key == probe.key


def test_no_name_is_registered_twice():
    assert len(set(probes.names())) == len(probes.names()) == len(probes.names("map")) + len(probes.names("cost"))


def test_an_unknown_probe_names_the_nearest():
    with pytest.raises(ValueError, match="unknown probe 'lyapunow': did you mean 'lyapunov'"):
        probes.load("lyapunow")
