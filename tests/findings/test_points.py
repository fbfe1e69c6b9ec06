"""Phases of fixed points, from networks that have them."""

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope.attractors import FixedPoints
from rnnscope.cli import main
from rnnscope.findings.points import Group, phases
from rnnscope.systems import as_system


def memory(n=3, gain=2.0):
    """n units that remember a bit each: 2ⁿ stable fixed points, 3ⁿ in all."""
    network = nn.RNN(1, n, bias=False).double()
    network.load_state_dict({"weight_ih_l0": torch.zeros(n, 1), "weight_hh_l0": gain * torch.eye(n)})
    return as_system(network)


def test_a_memory_of_three_bits():
    found = FixedPoints(starts="normal(1)", n_starts=300).measure(memory())
    (phase,) = phases(found)
    (group,) = phase.groups
    assert dict(group.counts) == {
        "stable fixed point": 8,
        "saddle of index 1": 12,
        "saddle of index 2": 6,
        "saddle of index 3": 1,
    }
    assert group.words().startswith("8 stable fixed points, 12 saddles of index 1")
    x = 0.9575040240772688  # x = tanh(2 x)
    assert group.slowest == pytest.approx(-1 / np.log(2 * (1 - x**2)))


def test_words_of_few_and_of_none():
    assert Group((0,), (0.0,), ("0",), (("continuum", 2),), 1.0, 1.0).words() == "2 continua"
    assert Group((0,), (0.0,), ("0",), (), 1.0, 1.0).words() == "none"


def test_the_command_line_tells_points_and_exponents(run_copy, capsys):
    with pytest.raises(SystemExit):
        main(["probe", "fixedpoints", str(run_copy.path), "--epochs", "6", "--set", "n_starts=16"])
    assert "1 stable fixed point" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(
            ["probe", "lyapunov", str(run_copy.path), "--epochs", "6", "--set", "n_steps=200", "--set", "n_exponents=2"]
        )
    told = capsys.readouterr().out
    assert "λ1 (nat/step)" in told
    assert "Kaplan–Yorke" in told
