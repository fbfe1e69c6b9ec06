import dataclasses
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rnnscope.findings.events import Event, LossJump, events
from rnnscope.findings.orbits import Counts, OrbitPhase, headline, phases
from rnnscope.findings.orbits import table as orbit_table
from rnnscope.findings.story import sentences

FLAGS = {"flag_values": [0, 1, 2, 3], "flag_meanings": "rests oscillates diverges undetermined"}


def told(kinds, *, epochs=None, learned=None, wanted=None):
    """A summary from one row of kinds per epoch: ``r``, ``o``, ``d`` or ``u`` for each input."""
    codes = np.array([["rodu".index(letter) for letter in row] for row in kinds], np.int8)
    coords = {"epoch": ("step", np.arange(1, len(kinds) + 1) if epochs is None else epochs)}
    if wanted is not None:
        coords["wanted_frequency"] = ("input", np.array(wanted))
    speed = np.full((*codes.shape, 1), 0.3 if learned is None else learned)
    return xr.Dataset(
        {
            "kind": (("step", "input", "start"), codes[..., None], FLAGS),
            "input_kind": (("step", "input"), codes, FLAGS),
            "frequency": (("step", "input", "start"), np.where(codes[..., None] == 1, speed, np.nan)),
        },
        coords,
    )


def table(losses, first=1):
    epochs = np.arange(first, first + len(losses))
    return pd.DataFrame({"step": epochs, "loss": losses}, index=pd.Index(epochs, name="epoch"))


def test_phases_of_a_birth():
    summary = told(["rr"] * 3 + ["ro"] * 2 + ["oo"] * 4)
    found = phases(summary, table([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]))
    assert found == [
        OrbitPhase(1, 3, Counts(rests=2), 1.0, 0, 0, 0.9, 0.7),
        OrbitPhase(4, 5, Counts(rests=1, oscillates=1), 1.0, 1, 1, 0.6, 0.5),
        OrbitPhase(6, 9, Counts(oscillates=2), 1.0, 2, 2, 0.4, 0.1),
    ]


def test_flicker_is_joined_and_the_share_says_so():
    rows = ["rrrr"] * 80 + ["orrr"] + ["rrrr"] * 19 + ["oooo"] * 300
    first, second = phases(told(rows))
    assert (first.first_epoch, first.last_epoch, first.counts) == (1, 100, Counts(rests=4))
    assert first.share == pytest.approx(0.99)
    assert (first.oscillates_least, first.oscillates_most) == (0, 1)
    assert orbit_table(told(rows)).rows[0] == ("1 – 100", "rests ×4", "", "99%, oscillates at times")
    assert (second.first_epoch, second.counts, second.share) == (101, Counts(oscillates=4), 1.0)
    assert second.loss_first is None


def test_a_short_death_of_everything_is_not_flicker():
    rows = ["o" * 10] * 100 + ["r" * 10] * 3 + ["o" * 10] * 100
    assert [(phase.first_epoch, phase.last_epoch) for phase in phases(told(rows))] == [(1, 100), (101, 103), (104, 203)]


@pytest.mark.parametrize("seed", range(5))
def test_phases_are_few_and_cover_every_epoch_whatever_happens(seed):
    random = np.random.default_rng(seed)
    rows = ["".join(random.choice(list("rodu"), 10)) for _ in range(1000)]
    found = phases(told(rows))
    assert 1 <= len(found) <= 8
    assert (found[0].first_epoch, found[-1].last_epoch) == (1, 1000)
    assert all(a.last_epoch + 1 == b.first_epoch for a, b in pairwise(found))
    assert all(sum(dataclasses.astuple(phase.counts)) == 10 for phase in found)


def test_the_initial_weights_have_no_loss_of_their_own():
    (phase,) = phases(told(["r"] * 4, epochs=[0, 1, 2, 3]), table([0.5, 0.4, 0.3]))
    assert (phase.loss_first, phase.loss_last) == (0.5, 0.3)


def test_events_are_births_deaths_and_jumps_in_order():
    summary = told(["rr", "ro", "oo", "rr", "rr", "oo"], epochs=[1, 2, 3, 5, 6, 7])
    found = events(summary, table([0.5, 0.49, 0.48, 0.47, 0.9, 0.89, 0.88]))
    assert found == [
        Event("birth", 1, 2, (1,)),
        Event("birth", 2, 3, (0,)),
        Event("death", 3, 5, (0, 1)),
        LossJump(4, 5, 0.47, 0.9),
        Event("birth", 6, 7, (0, 1)),
    ]


def test_a_birth_and_a_death_at_once_do_not_cancel():
    summary = told(["ro"] * 12 + ["or"] * 12)
    assert events(summary) == [Event("birth", 12, 13, (0,)), Event("death", 12, 13, (1,))]
    lines = sentences(summary, table([0.5] * 12 + [0.9] * 12))
    assert (
        "The largest loss jump is at epoch 13: 0.5 → 0.9; at the same epoch oscillation is born at 1 of 2 inputs and "
        "dies at 1 of 2 inputs."
    ) in lines


def test_what_is_undetermined_or_diverges_is_passed_over():
    found = events(told(["rro", "uro", "uuo", "ouu", "rod", "ror"], epochs=[0, 10, 20, 30, 40, 50]))
    assert found == [
        Event("birth", 0, 30, (0,)),
        Event("birth", 10, 40, (1,)),
        Event("death", 30, 40, (0,)),
        Event("death", 20, 50, (2,)),
    ]
    assert events(told(["uo", "ou", "ud"])) == []  # nothing was known before, or is known after


@pytest.mark.parametrize("seed", range(5))
def test_births_and_deaths_are_the_changes_input_by_input_whatever_happens(seed):
    random = np.random.default_rng(seed)
    rows = ["".join(random.choice(list("rodu"), 4)) for _ in range(30)]
    found = events(told(rows))
    for input in range(4):
        known = [(epoch, row[input]) for epoch, row in enumerate(rows, 1) if row[input] in "ro"]
        changes = [
            ("birth" if now == "o" else "death", epoch) for (_, was), (epoch, now) in pairwise(known) if was != now
        ]
        assert sorted((e.kind, e.epoch) for e in found if isinstance(e, Event) and input in e.inputs) == sorted(changes)


def test_a_noisy_loss_does_not_jump_at_every_epoch():
    noise = np.exp(np.random.default_rng(0).normal(0, 0.2, 400))
    jumps = [event for event in events(told(["r"] * 400), table(noise)) if isinstance(event, LossJump)]
    assert len(jumps) < 3


@pytest.mark.parametrize("losses", [[np.nan] * 3, [0.0, 0.0, 0.0], [1.0, np.inf, 2.0], [-1.0, 1.0, 3.0]])
def test_losses_that_are_not_positive_numbers(losses):
    summary = told(["r", "r", "o"])
    events(summary, table(losses))
    assert phases(summary, table(losses))
    assert sentences(summary, table(losses))


def test_the_headline_of_a_learned_oscillation():
    rows = ["rr"] * 10 + ["or"] * 30
    facts = headline(told(rows, learned=0.303, wanted=[0.3, 0.4]), table(np.linspace(0.5, 0.1, 40)))
    assert facts.counts == Counts(rests=1, oscillates=1)
    assert facts.n_window == 20
    assert facts.first_oscillation == 11
    assert (facts.loss_first, facts.loss_last, facts.loss_best) == (0.5, 0.1, 0.1)
    assert facts.frequency_error == pytest.approx(1.0)
    assert facts.frequency_range == (0.3, 0.3)
    assert facts.n_compared == 1


def test_no_oscillation_no_loss():
    facts = headline(told(["rd"] * 5, wanted=[0.3, 0.4]))
    assert facts.counts == Counts(rests=1, diverges=1)
    assert (facts.first_oscillation, facts.loss_last, facts.frequency_error, facts.n_window) == (None, None, None, 5)
    assert sentences(told(["rd"] * 5)) == [
        "Over the last 5 epochs the state rests throughout at 1 of 2 inputs and diverges throughout at 1 of 2 inputs.",
        "At none of the 5 epochs does it oscillate at any input.",
        "The loss is not known.",
        "5 of 10 orbits (50 %, over all epochs, inputs and starts) diverge.",
    ]


def test_the_sentences_of_a_birth_and_a_death():
    rows = ["rrr"] * 10 + ["rro"] * 5 + ["ooo"] * 10 + ["rro"] * 2 + ["ooo"] * 23
    losses = np.linspace(0.5, 0.4, 50)
    losses[25:] += 0.6
    lines = sentences(told(rows, learned=0.3, wanted=[0.3, 0.3, 0.3]), table(losses))
    assert lines[0] == (
        "Over the last 20 epochs the state oscillates throughout at all 3 inputs, as at every epoch since 28."
    )
    assert lines[1] == (
        "Until epoch 10 it rests at all 3 inputs; at epoch 11 it oscillates at 1 of 3 inputs, "
        "and at all 3 inputs for the first time at epoch 16."
    )
    assert lines[2] == (
        "The largest loss jump is at epoch 26: 0.451 → 1.05; at the same epoch oscillation dies at 2 of 3 inputs."
    )
    assert not any(word in line for line in lines for word in ("because", "cause", "due to", "leads to"))


def test_a_jump_away_from_any_change_says_so():
    lines = sentences(told(["r"] * 30), table([0.5] * 15 + [0.9] * 15))
    assert "The largest loss jump is at epoch 16: 0.5 → 0.9; no oscillation is born or dies around it." in (lines)


def test_restless_epochs_are_one_phase_that_says_how_far_it_varies():
    rows = ["rrrr"] * 50 + ["oooo", "rrrr", "rrrr"] * 40 + ["oooo"] * 100
    quiet, restless = phases(told(rows))
    assert (quiet.first_epoch, quiet.last_epoch, restless.first_epoch) == (1, 170, 171)
    assert quiet.counts == Counts(rests=4)
    assert orbit_table(told(rows)).rows[0][-1] == "76%, 0–4 oscillate"
    lines = sentences(told(rows))
    assert lines[0].endswith("at all 4 inputs, as at every epoch since 171.")
    assert "In all, oscillation is born or dies 81 times, the last time at epoch 171." in lines


def test_every_death_is_told_with_the_loss_that_jumps_with_it():
    rows = (["oo"] * 10 + ["rr"] * 10) * 5
    losses = [1.0] * 100
    for at, factor in ((10, 2.0), (30, 3.0), (50, 4.0), (70, 5.0)):
        losses[at] = factor
    lines = sentences(told(rows), table(losses))
    assert "At epoch 11 oscillation dies at both inputs; the loss jumps from 1 to 2 at epoch 11." in (lines)
    assert "At epoch 91 oscillation dies at both inputs." in lines


def test_a_death_between_sparse_epochs():
    summary = told(["oo", "rr"], epochs=[0, 100])
    lines = sentences(summary, table([0.5] * 50 + [0.9] * 50))
    assert any("between epochs 0 and 100 oscillation dies at both inputs" in line for line in lines)


def test_one_epoch_one_input_and_a_network_alone():
    summary = told(["o"])
    expected = "At one input only, 0: at epoch 1, the only one, the state oscillates."
    assert sentences(summary, table([0.5])) == [expected, "The loss is 0.5."]
    alone = summary.isel(step=0)
    assert sentences(alone, table([0.5]))[0] == expected
    assert headline(alone.drop_vars("epoch")).n_looked_at == 1


def test_the_last_epochs_are_told_as_throughout_only_if_they_are():
    begins = "Over the last 20 epochs the state "
    assert sentences(told(["ooo"] * 19 + ["oro"]))[0] == (
        begins + "mostly oscillates at all 3 inputs (throughout at 2)."
    )
    assert sentences(told(["or"] * 10 + ["ro"] * 10))[0] == begins + "mostly oscillates at both inputs."
    assert sentences(told(["oru"] * 15 + ["oou"] * 5))[0] == (
        begins + "oscillates throughout at 1 of 3 inputs, mostly rests at 1 of 3 inputs "
        "and remains undetermined throughout at 1 of 3 inputs."
    )


def test_inputs_that_change_places_are_not_steady():
    assert sentences(told(["or", "ro"] * 30))[0].endswith("mostly oscillates at both inputs.")


def test_the_frequency_counts_only_epochs_at_which_the_input_oscillates():
    rows = ["o"] * 12 + ["r"] * 8
    summary = told(rows, learned=0.303, wanted=[0.3])
    summary["frequency"][12:] = 0.9
    facts = headline(summary)
    assert (facts.counts, facts.throughout) == (Counts(oscillates=1), Counts())
    assert facts.frequency_error == pytest.approx(1.0)
    assert headline(told(["r"] * 11 + ["o"] * 9, wanted=[0.3])).n_compared == 0


def test_oscillating_from_the_start():
    assert "It oscillates at both inputs at the first epoch, 1, already." in sentences(told(["oo"] * 3))


def test_the_loss_of_the_summary_is_used_where_there_are_no_scalars():
    summary = told(["r"] * 3).assign_coords(loss=("step", [np.nan, 0.4, 0.3]))
    assert headline(summary).loss_first == 0.4
    assert phases(summary)[0].loss_last == 0.3


def test_epochs_out_of_order_are_put_in_order():
    summary = told(["oo", "rr"], epochs=[2, 1])
    assert [phase.counts for phase in phases(summary)] == [Counts(rests=2), Counts(oscillates=2)]


def test_the_names_that_a_report_gives_to_python_are_these():
    from rnnscope.report import story

    assert (story.phases, story.headline, story.events, story.sentences) == (phases, headline, events, sentences)
    assert (story.Phase, story.Counts, story.Event) == (OrbitPhase, Counts, Event)
