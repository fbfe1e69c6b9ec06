"""What can be held: counts of stable fixed points, which result leads, and what pages and show begin with."""

import json
import re

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from rnnscope import Recorder, Run, write_report
from rnnscope.attractors import Attractors, FixedPoints
from rnnscope.cli import main
from rnnscope.findings.memory import memory_of_limit_sets, memory_of_points
from rnnscope.findings.memory_words import held_words, memory_sentence
from rnnscope.findings.sentences import TOLD, leading, story_of, telling
from rnnscope.systems import textbook

STATUS = {"flag_values": [-1, 0, 1, 2, 3], "flag_meanings": "none fixed_point cycle slow_point continuum"}
STABLE = {"flag_values": [-1, 0, 1, 2], "flag_meanings": "unknown unstable stable marginal"}
SORTS = {  # status, stable, period, reachable
    "s": (0, 1, 1, True), "u": (0, 0, 1, True), "x": (0, 1, 1, False), "2": (1, 1, 2, True), "c": (3, 2, 1, True),
    "v": (3, 0, 1, True), ".": (-1, -1, -1, False),
}  # fmt: skip


def points(rows, **coords):
    """A result of ``FixedPoints`` from a string for each epoch: per input, between blanks, a letter for each point:
    s stable, u unstable, x out of reach, 2 a cycle, c a continuum, v an unstable one."""
    cells = [row.split() for row in rows]
    most = max(len(cell) for row in cells for cell in row)
    table = np.array([[[SORTS[letter] for letter in cell.ljust(most, ".")] for cell in row] for row in cells])
    dims = ("step", "input", "point")
    status, stable, period, reachable = np.moveaxis(table, -1, 0)
    multipliers = np.where(status[..., None] >= 0, 0.5, np.nan)
    return xr.Dataset(
        {
            "status": (dims, status, STATUS),
            "stable": (dims, stable, STABLE),
            "period": (dims, period),
            "reachable": (dims, reachable.astype(bool)),
            "index": (dims, np.where(stable == 0, 1, 0)),
            "multiplier_real": ((*dims, "eigenvalue"), multipliers),
            "multiplier_imag": ((*dims, "eigenvalue"), 0 * multipliers),
        },
        {
            "epoch": ("step", np.arange(len(rows)) * 10),
            "input_value": (("input", "channel"), np.arange(status.shape[1])[:, None] / 2),
            **coords,
        },
    )


def orbits(kinds, n_epochs=4):
    """Orbits of so many inputs as there are letters: o goes round, r rests."""
    time = np.arange(200)
    samples = np.stack([np.sin(0.3 * time) if kind == "o" else np.zeros(200) for kind in kinds])
    samples = np.broadcast_to(samples[None, :, None, :, None], (n_epochs, len(kinds), 1, 200, 1))
    status = np.broadcast_to(np.array([kind == "r" for kind in kinds])[None, :, None], samples.shape[:3])
    dims = ("step", "input", "start")
    return xr.Dataset(
        {
            "orbit": ((*dims, "time", "output"), samples),
            "status": (
                dims,
                status.astype(int),
                {"flag_values": [0, 1, 2], "flag_meanings": "moving settled diverged"},
            ),
            "drift": (dims, np.where(status, 0.0, 0.1)),
        },
        {"epoch": ("step", np.arange(n_epochs) * 10), "input_value": (("input", "channel"), np.zeros((len(kinds), 1)))},
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            ["s"] * 2 + ["ssssssss"] * 6,
            "From epoch 20 on 8 stable fixed points are in reach, with the input held at zero: 3 bits; before, 1 at "
            "epochs 0 – 10.",
        ),
        (
            ["s"] * 20 + ["sus"] * 20 + ["ssssuu"] * 20,
            "From epoch 400 on 4 stable fixed points are in reach, with the input held at zero: 2 bits; before, 1 at "
            "epochs 0 – 190, then 2 at epochs 200 – 390.",
        ),
        (["ssx2u"], "At epoch 0, the only one looked at, 2 stable fixed points are in reach, with the input held at "
                    "zero: 1 bit."),
        (["ss s ss"] * 3, "At every epoch 2 stable fixed points are in reach at 2 of 3 inputs: 1 bit; at 1 of 3 inputs "
                          "1 stable fixed point is."),
        (["sss"] * 2, "At every epoch 3 stable fixed points are in reach, with the input held at zero: 1.6 bits."),
        (["c"] * 2, "At every epoch a continuum of fixed points is in reach, with the input held at zero, a line or "
                    "ring on which the state can stand anywhere."),
        (["u"] * 2, "At every epoch no stable fixed point is in reach, with the input held at zero."),
    ],
)  # fmt: skip
def test_what_can_be_held_in_words(rows, words):
    assert memory_sentence(memory_of_points(points(rows))) == words


def test_some_epochs_of_many_are_said_and_flicker_is_mostly():
    found = points(["s"] * 40 + (["s"] + ["ss"] * 9) * 20)
    found["epoch"].attrs["epochs_in_run"] = 1000
    assert memory_sentence(memory_of_points(found)) == (
        "From epoch 410 on (240 of 1000 epochs looked at) 2 stable fixed points are mostly in reach, with the input "
        "held at zero: 1 bit; before, 1 at epochs 0 – 400."
    )


def test_an_unstable_continuum_and_cycles_hold_nothing():
    memory = memory_of_points(points(["v2s"] * 2))
    assert (memory.now.n_stable, memory.now.continuum, memory.leads, memory.rests) == (1, False, False, True)
    assert held_words(memory) == "1 stable fixed point"


def limit_sets(kinds, periods):
    names = "fixed_point cycle closed_curve torus chaos continuum divergence undetermined"
    dims = ("step", "input", "attractor")
    return xr.Dataset(
        {
            "kind": (dims, kinds, {"flag_values": np.arange(8), "flag_meanings": names}),
            "period": (dims, periods),
        },
        {"epoch": ("step", [0]), "input_value": (("input", "channel"), np.zeros((1, 1)))},
    )


def test_of_limit_sets_a_line_of_fixed_points_is_a_continuum_and_orbits_side_by_side_are_none():
    line = memory_of_limit_sets(limit_sets([[[5]]], [[[1]]]))
    assert (line.now.continuum, line.leads, held_words(line)) == (True, True, "a continuum of fixed points")
    beside = memory_of_limit_sets(limit_sets([[[5]]], [[[0]]]))
    assert (beside.now.continuum, beside.leads, beside.rests) == (False, False, False)
    two = memory_of_limit_sets(limit_sets([[[0, 0, 2]]], [[[1, 1, 0]]]))
    assert (two.now.n_stable, two.leads) == (2, True)


def test_networks_that_keep_a_number_or_turn():
    line = textbook.linear([[0.5, 0.5], [0.5, 0.5]])
    assert memory_of_points(FixedPoints(n_starts=64).measure(line)).now.continuum
    assert memory_of_limit_sets(Attractors(starts="normal(1)").measure(line)).now.continuum
    turning = textbook.linear([[0.96, -0.28], [0.28, 0.96]])
    assert not memory_of_limit_sets(Attractors(starts="normal(1)").measure(turning)).leads


@pytest.mark.parametrize(
    ("rows", "kinds", "lead"),
    [
        ("ss ss", "rr", "fixedpoints"),
        ("ss s", "ro", "fixedpoints"),  # half of the inputs
        ("ss s s", "roo", "orbits"),
        ("s s", "rr", "orbits"),
        ("c", "r", "fixedpoints"),
    ],
)
def test_what_was_found_decides_what_leads(rows, kinds, lead):
    found = {"orbits": orbits(kinds), "fixedpoints": points([rows] * 4)}
    assert leading(found).probe == lead
    first = story_of(found)[0]
    assert ("in reach" in first) == (lead == "fixedpoints")
    assert leading({"orbits": orbits(kinds)}).probe == "orbits"
    assert leading({"fixedpoints": points([rows])}).probe == "fixedpoints"
    assert leading({}).probe == ""


def test_of_two_results_the_one_that_has_more_is_told_once():
    few = limit_sets([[[0, 0]]], [[[1, 1]]])
    found = {"attractors": few, "fixedpoints": points(["ssssu"])}
    lines = story_of(found)
    assert leading(found).probe == "fixedpoints"
    assert len(lines) == 2
    assert lines[1] == "Beside that, 1 saddle of index 1; the slowest time constant of a stable one is 1.44 steps."
    assert leading({"attractors": few, "fixedpoints": points(["s"])}).probe == "attractors"


def test_every_probe_has_its_entry_and_of_any_other_its_numbers_are_told():
    from rnnscope import attractors, smoothness

    assert set(TOLD) == {*attractors.PROBES, *smoothness.PROBES}
    other = telling("speed")
    assert other.table is not None
    dims = ("step", "input", "start")
    found = xr.Dataset(
        {
            "speed": (
                dims,
                [[[0.5, -0.25]], [[np.nan, 3.0]], [[np.nan, np.nan]]],
                {"long_name": "v", "units": "1/step"},
            ),
            "where": ((*dims, "state"), np.zeros((3, 1, 2, 4))),
            "status": (dims, np.zeros((3, 1, 2), int), STABLE),
        },
        {"epoch": ("step", [0, 10, 20])},
    )
    table = other.table(found, None)
    assert table.columns == ("epoch", "v (1/step)")
    assert table.rows == (("0", "−0.25 … 0.5"), ("10", "3"), ("20", "not known"))


@pytest.fixture
def memory_run(tmp_path):
    """A network that comes to hold three bits: x[t] = tanh(a x[t-1]), with a beyond 1 from the third epoch on."""
    model = nn.RNN(1, 3, bias=False).double()
    with Recorder(tmp_path / "run", model) as recorder:
        for epoch, gain in enumerate([0.5, 0.6, 2.0, 2.0, 2.0]):
            model.load_state_dict({"weight_ih_l0": torch.zeros(3, 1), "weight_hh_l0": gain * torch.eye(3)})
            recorder.epoch(epoch, loss=1.0 / (epoch + 1))
    run = Run(tmp_path / "run")
    run.probe("orbits", epochs=range(5), n_transient=100, n_keep=20)
    run.probe("fixedpoints", epochs=range(5), starts="normal(1)", n_starts=300)
    return run


def shown(*arguments, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0
    return capsys.readouterr().out


HELD = (
    "From epoch 2 on (5 of 6 epochs looked at) 8 stable fixed points are in reach, with the input held at zero: 3 "
    "bits; before, 1 at epochs 0 – 1."
)


def test_show_begins_with_the_stable_points_of_a_memory(memory_run, capsys):
    told = shown("show", str(memory_run.path), capsys=capsys)
    assert HELD in told
    assert told.index("in reach ") < told.index("state ")  # the tables: points, then orbits
    assert told.index(HELD) < told.index("the state rests throughout")
    found = json.loads(shown("show", str(memory_run.path), "--json", capsys=capsys))
    assert found["story"][0] == HELD
    assert [phase["first_epoch"] for phase in found["fixedpoints"]] == [0, 2]


def test_a_page_begins_with_the_stable_points_of_a_memory(memory_run, tmp_path):
    source = write_report(memory_run, tmp_path / "page.html").read_text()
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", source, flags=re.S)
    text = " ".join(re.sub(r"<[^>]+>", " ", body).split())
    happened = text.partition("What happened ")[2]
    assert happened.startswith(
        "8 stable fixed points: 3 bits in the end, at one input only: zero epoch 2 since when seen "
        f"1 → 0.2 loss, first → last epoch {HELD} Beside that, 12 saddles of index 1"
    )
    assert "2 – 4 zero 8 stable fixed points, 12 saddles of index 1" in happened
    assert "inputs oscillate" not in text
    assert "first oscillation" not in happened
    both = write_report([memory_run, memory_run], tmp_path / "both.html").read_text()
    assert "<td>8 stable fixed points: 3 bits</td>" in both


def test_a_page_without_orbits_speaks_of_fixed_points_as_well(memory_run, tmp_path):
    for folder in (memory_run.path / "probes").glob("orbits-*"):
        for file in folder.iterdir():
            file.unlink()
    text = write_report(Run(memory_run.path), tmp_path / "page.html").read_text()
    assert HELD in text
    assert "so only its limit sets are known" in text
    assert "<strong>1 → 0.2</strong>" in text
