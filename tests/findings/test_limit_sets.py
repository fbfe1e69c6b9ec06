"""Phases of attractors: hand-made results, and those of a real network."""

import math

import numpy as np
import pytest
import xarray as xr

from rnnscope.attractors import Attractors
from rnnscope.attractors.limit_sets.kinds import KINDS
from rnnscope.cli import main
from rnnscope.findings.limit_sets import phases
from rnnscope.systems import textbook

CODES = {"f": "fixed_point", "c": "closed_curve", "x": "chaos", "2": "cycle"}


def found(rows, exponents=None):
    """A result from a string for each epoch: per input (separated by blanks) a letter for each attractor."""
    cells = [row.split() for row in rows]
    most = max(len(cell) for row in cells for cell in row)
    shape = (len(rows), len(cells[0]), most)
    kind, period = np.full(shape, -1, np.int8), np.full(shape, -1, np.int32)
    numbers = {name: np.full(shape, np.nan) for name in ("fraction", "frequency")}
    wide = {n: np.full((*shape, 1), np.nan) for n in ("lyapunov_exponent", "lyapunov_error", "multiplier_real",
                                                     "multiplier_imag")}  # fmt: skip
    for step, row in enumerate(cells):
        for at, cell in enumerate(row):
            for place, letter in enumerate(cell):
                where = step, at, place
                kind[where] = KINDS.index(CODES[letter])
                period[where] = {"f": 1, "2": 2}.get(letter, 0)
                numbers["fraction"][where] = 1 / len(cell)
                value = -0.1 * (at + 1) if letter in "f2" else 0.0
                wide["lyapunov_exponent"][where] = value
                wide["lyapunov_error"][where] = 0.0
                if letter in "f2":
                    wide["multiplier_real"][where], wide["multiplier_imag"][where] = 0.0, math.exp(value)
                if letter == "c":
                    numbers["frequency"][where] = 0.2 + 0.1 * at
    dims = ("step", "input", "attractor")
    flags = {"flag_values": np.arange(len(KINDS)), "flag_meanings": " ".join(KINDS)}
    return xr.Dataset(
        {"kind": (dims, kind, flags), "period": (dims, period)}
        | {name: (dims, values) for name, values in numbers.items()}
        | {name: ((*dims, "exponent" if "lyap" in name else "multiplier"), values) for name, values in wide.items()},
        {
            "epoch": ("step", np.arange(len(rows)) * 10),
            "input_value": (("input", "channel"), np.arange(shape[1])[:, None] / 2),
        },
    )


def test_a_birth_at_one_input_after_another():
    first, second, third = phases(found(["f f"] * 4 + ["f c"] * 3 + ["c c"] * 5))
    assert (first.first_epoch, first.last_epoch) == (0, 30)
    (group,) = first.groups
    assert (group.inputs, group.values, group.names, group.share) == ((0, 1), (0.0, 0.5), ("0", "0.5"), 1.0)
    (limit,) = group.sets
    assert limit.words() == "fixed point"
    assert limit.exponent == pytest.approx(-0.15)
    assert limit.exponent_range == pytest.approx((-0.2, -0.1))
    assert limit.multiplier_range == pytest.approx((math.exp(-0.2), math.exp(-0.1)))
    assert limit.frequency_range is None
    assert [(g.inputs, g.sets[0].kind) for g in second.groups] == [((0,), "fixed_point"), ((1,), "closed_curve")]
    assert third.groups[0].sets[0].frequency_range == pytest.approx((0.2, 0.3))


def test_several_attractors_at_an_input():
    (phase,) = phases(found(["fc 2"] * 3))
    both, cycle = phase.groups
    assert [limit.words() for limit in both.sets] == ["fixed point", "closed curve"]
    assert [limit.fraction for limit in both.sets] == [0.5, 0.5]
    assert cycle.sets[0].words() == "2-cycle"


def test_flicker_is_joined_and_the_share_says_so():
    (phase,) = phases(found(["f f f f"] * 60 + ["c f f f"] + ["f f f f"] * 60))
    assert phase.groups[0].share == pytest.approx(1 - 1 / (121 * 4))


def test_one_network_without_a_run():
    attractors = Attractors(starts=[[0.1], [0.4]]).measure(textbook.logistic(3.2))
    (phase,) = phases(attractors)
    assert phase.groups[0].sets[0].words() == "2-cycle"
    assert phase.groups[0].sets[0].exponent == pytest.approx(math.log(0.16) / 2)


def test_the_command_line_tells_kinds_by_epoch_and_input(run_copy, capsys):
    settings = ["--set", "n_starts=2", "--set", "n_transient=200", "--set", "n_steps=400"]
    with pytest.raises(SystemExit):
        main(["probe", "attractors", str(run_copy.path), "--epochs", "3", *settings])
    told = capsys.readouterr().out
    assert "limit set" in told
    assert "fixed point" in told
    assert "|μ1| = 0." in told
    with pytest.raises(SystemExit):
        main(["show", str(run_copy.path)])
    assert "limit set" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["show", str(run_copy.path), "--json"])
    assert '"attractors": [' in capsys.readouterr().out
