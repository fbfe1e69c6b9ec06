"""The numbers that decide claims: hand-made tables with known answers."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from rnnscope import experiments
from rnnscope.attractors.limit_sets.kinds import CHAOS, CLOSED_CURVE, CONTINUUM, CYCLE, FIXED_POINT, TORUS, UNDETERMINED
from rnnscope.attractors.summary import OSCILLATES, RESTS
from rnnscope.attractors.summary import UNDETERMINED as UNKNOWN
from rnnscope.base.errors import RunError
from rnnscope.experiments import _tables, sine, symbols
from rnnscope.experiments._held_out import _matched
from rnnscope.experiments._verdicts import decide

LSTM, STABLE, ORTHOGONAL = sine.LSTM, sine.STABLE, sine.ORTHOGONAL


def losses_with_rises(*epochs, last=30):
    values = pd.Series(1.0, index=np.arange(1, last + 1))
    for epoch in epochs:
        values.loc[epoch:] *= 1.3
    return values


def kinds_that_change(*changes, last=30, n_inputs=2):
    """Rests to begin with; (epoch, input): from this epoch on the input does the other thing."""
    kinds = np.full((last + 1, n_inputs), RESTS)
    for epoch, input in changes:
        kinds[epoch:, input] = np.where(kinds[epoch:, input] == RESTS, OSCILLATES, RESTS)
    return np.arange(last + 1), kinds


def test_a_rise_coincides_at_the_epoch_of_the_event_and_the_next():
    epochs, kinds = kinds_that_change((10, 0), (20, 0))
    for rise, there in ((9, 0), (10, 1), (11, 1), (12, 0)):
        n_events, test = _tables.coincide(epochs, kinds, losses_with_rises(rise, 20))
        assert n_events == 2
        assert test.observed == 1 + there, rise
        assert test.n == (2 if rise >= 10 else 1)  # before the first event nothing is looked at


def test_orbits_at_every_other_epoch():
    epochs, kinds = kinds_that_change((11, 0), (20, 0))
    found = [
        _tables.coincide(epochs[::2], kinds[::2], losses_with_rises(rise, 20))[1].observed for rise in range(9, 16)
    ]
    assert found == [1, 1, 2, 2, 2, 1, 1]  # the birth is between 10 and 12


def test_a_birth_and_a_death_at_once_are_an_event():
    epochs, kinds = kinds_that_change((5, 0), (10, 0), (10, 1), (20, 1))
    assert _tables.coincide(epochs, kinds, losses_with_rises(10))[0] == 3


def test_what_is_undetermined_is_passed_over():
    epochs, kinds = kinds_that_change((10, 0), (20, 0))
    kinds[12:15, 0] = UNKNOWN
    kinds[17:23, 0] = UNKNOWN
    n_events, test = _tables.coincide(epochs, kinds, losses_with_rises(10, 23))
    assert (n_events, test.n, test.observed) == (2, 2, 2)  # the death is known at 23


def test_epochs_that_were_not_recorded_move_nothing():
    epochs, kinds = kinds_that_change((10, 0), (20, 0))
    losses = losses_with_rises(10, 20).drop([5, 15])
    assert _tables.coincide(epochs, kinds, losses)[1].observed == 2


def test_without_events_there_is_no_test():
    epochs, kinds = kinds_that_change()
    n_events, test = _tables.coincide(epochs, kinds, losses_with_rises(10))
    assert (n_events, test.n) == (0, 0)
    assert math.isnan(test.p)


def test_closed_curves_and_long_cycles():
    kinds = np.array([[CLOSED_CURVE], [CYCLE], [CYCLE], [FIXED_POINT], [TORUS], [CHAOS], [UNDETERMINED]])
    periods = np.array([[0], [3], [2], [1], [0], [0], [0]])
    found = xr.Dataset({name: (("input", "attractor"), v) for name, v in (("kind", kinds), ("period", periods))})
    assert _tables.closed_curves(found).tolist() == [True, True, False, False, False, False, False]


def over_runs(models, seeds=None, settings=None, **variables):
    n = len(models)
    return xr.Dataset(
        variables,
        {
            "model": ("run", list(models)),
            "seed": ("run", [0] * n if seeds is None else seeds),
            "setting": ("run", [""] * n if settings is None else settings),
        },
    )


def continuation(errors, curves, determined):
    table = over_runs(
        [LSTM] * len(errors),
        phase_free_error=(("run", "input", "window"), np.array(errors)[..., None]),
        closed_curve=(("run", "input"), np.array(curves)),
        determined=(("run", "input"), np.array(determined)),
    )
    return {"continuation": table.assign_coords(inside=("input", [True, True, True, False]))}


def test_who_goes_on():
    tables = continuation([[0.01, 0.5, 0.01, 0.01]], [[True, True, False, True]], [[True] * 4])
    assert sine.share_that_goes_on(tables, with_curve=True) == 0.5
    assert sine.share_that_goes_on(tables, with_curve=False) == 1.0
    unknown = continuation([[0.01, 0.5, 0.01, 0.01]], [[True, True, False, True]], [[True, True, False, True]])
    assert math.isnan(sine.share_that_goes_on(unknown, with_curve=False))


def test_an_input_without_oscillation_is_not_right():
    found = xr.Dataset(
        {"learned_frequency": (("run", "input"), [[0.2, np.nan, 0.303], [0.22, 0.2, 0.31]])},
        {"input_value": ("input", [0.2, 0.25, 0.3])},
    )
    np.testing.assert_allclose(sine.right(found, 0.02), [2 / 3, 0.0])


def counts(numbers, accuracy, model=LSTM):
    """(input, kind) of one network; the first input is no distractor."""
    table = over_runs(
        [model], n_attractors=(("run", "input", "kind"), np.array([numbers])), n_classes=((), 4),
        accuracy=("run", [accuracy]),
    )  # fmt: skip
    kinds = ["fixed_point", "closed_curve", "undetermined"]
    return {"counts": table.assign_coords(kind=kinds, distractor=("input", [False, True, True, True]))}


@pytest.mark.parametrize(
    ("numbers", "accuracy", "expected"),
    [
        ([[9, 0, 0], [1, 1, 0], [2, 0, 0], [2, 1, 0]], 1.0, 2.0),
        ([[9, 0, 0], [0, 0, 1], [0, 0, 1], [0, 3, 0]], 1.0, 3.0),  # what is undetermined has no number
        ([[9, 0, 0], [0, 0, 1], [1, 0, 1], [0, 0, 2]], 1.0, math.nan),
        ([[9, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]], 1.0, 0.0),  # continua are no attractors
        ([[9, 0, 0], [1, 1, 0], [2, 0, 0], [2, 1, 0]], 0.5, math.nan),  # it has not learned it
    ],
)
def test_attractors_under_distractors(numbers, accuracy, expected):
    tables = counts(numbers, accuracy)
    np.testing.assert_equal(symbols.attractors_under_distractors(tables, LSTM), expected)
    np.testing.assert_equal(symbols.attractors_under_distractors(tables, LSTM, per_class=True), expected / 4)
    assert math.isnan(symbols.attractors_under_distractors(tables, ORTHOGONAL))


def networks(rows, n_epochs=100):
    models, gaps, accuracy, longest, epochs = zip(*rows, strict=True)
    return {
        "networks": over_runs(
            models, settings=[f"gap {gap}" for gap in gaps], gap=("run", list(gaps)),
            accuracy=("run", list(accuracy)), accuracy_longest=("run", list(longest)),
            epochs_to_solve=("run", list(epochs)), n_epochs=("run", [n_epochs] * len(rows)),
        )
    }  # fmt: skip


def test_numbers_at_the_largest_gap_and_between_gaps():
    tables = networks([
        (LSTM, 20, 1.0, 0.9, 10.0), (LSTM, 50, 0.95, 0.45, 60.0), (ORTHOGONAL, 20, 1.0, 1.0, 5.0),
        (ORTHOGONAL, 50, 1.0, 0.0, 30.0), (STABLE, 20, 0.9, 0.9, math.inf), (STABLE, 50, 0.3, 0.3, math.inf),
    ])  # fmt: skip
    assert symbols.at_largest_gap(tables["networks"], LSTM)["accuracy"].values.tolist() == [0.95]
    assert symbols.fall_with_gap(tables) == pytest.approx(0.6)
    assert symbols.epochs_against_the_lstm(tables) == 0.5
    assert symbols.lost(tables, LSTM, "accuracy") == pytest.approx(0.3)
    assert symbols.lost(tables, ORTHOGONAL, "accuracy") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("own", "other", "expected"), [(30.0, math.inf, 0.3), (math.inf, 60.0, math.inf), (30.0, math.nan, math.nan)]
)
def test_who_never_learns(own, other, expected):
    tables = networks([(LSTM, 50, 1.0, 1.0, other), (ORTHOGONAL, 50, 1.0, 1.0, own)])
    np.testing.assert_equal(symbols.epochs_against_the_lstm(tables), expected)


class Recorded:
    """A network of which only the scalars are known."""

    def __init__(self, **scalars):
        self.run = self
        self.scalars = pd.DataFrame(scalars, index=range(1, 1 + len(next(iter(scalars.values())))))


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [([0.2, 0.95, 0.5, 0.9, 1.0], 4.0), ([1.0, 1.0], 1.0), ([1.0, 0.3], math.inf), ([0.95, math.nan], math.inf)],
)
def test_solved_for_good(accuracy, expected):
    of: Any = _tables.epoch_from_which("validation_accuracy", 0.9)
    assert of(Recorded(validation_accuracy=accuracy)) == expected
    assert math.isnan(of(Recorded(loss=accuracy)))


def test_renamed_answers_still_tell_the_classes():
    classes = torch.arange(4).repeat(10)
    assert _matched((classes + 1) % 4, classes, 4) == 1.0
    assert _matched(torch.zeros_like(classes), classes, 4) == 0.25
    assert _matched(classes.clamp(max=2), classes, 4) == 0.75


def test_a_seed_decides_nothing_where_a_network_is_missing():
    planned = [(model, gap, seed) for model in (LSTM, ORTHOGONAL) for gap in ("a", "b") for seed in (0, 1)]
    there = [network for network in planned if network != (LSTM, "b", 1)]
    models, settings, seeds = zip(*there, strict=True)
    table = over_runs(models, seeds=list(seeds), settings=list(settings), x=("run", np.ones(len(there))))
    claim = {"statement": "s", "measure": "m", "direction": "at least", "threshold": 0.5}
    claims = [
        experiments.Claim(name=name, about=about, value=lambda tables: float(tables["networks"]["x"].sum()), **claim)
        for name, about in (("lstm", (LSTM,)), ("orthogonal", (ORTHOGONAL,)), ("stable", (STABLE,)))
    ]
    found = decide(claims, {"networks": table}, planned)["value"].values
    np.testing.assert_array_equal(found, [[4.0, np.nan], [4.0, 3.0], [np.nan, np.nan]])


@pytest.mark.parametrize("change", ["task.gap=30", "gap=30", "task.length=70"])
def test_settings_that_the_experiment_sweeps_are_refused(change, tmp_path):
    with pytest.raises(ValueError, match="the experiment sets task"):
        experiments.plan(symbols.STUDY, tmp_path, changes=[change])


def test_what_cannot_be_measured_is_refused_before_any_training(tmp_path):
    with pytest.raises(ValueError, match="length: expected a whole number of at least 8"):
        experiments.plan(sine.STUDY, tmp_path, changes=["task.length=6"])
    plan = experiments.plan(sine.STUDY, tmp_path, changes=["task.lowest=0.1", "task.highest=3.0"])
    asked = sine.asked_frequencies(next(iter(plan.trainings.values())))
    assert 0 < asked[0] < 0.1 < 3.0 < asked[-1] < math.pi


def test_a_folder_holds_one_experiment(tmp_path):
    folder = tmp_path / "study"
    quick = experiments.plan(sine.STUDY, folder)
    experiments.claim_folder(quick, folder)
    experiments.claim_folder(quick, folder)
    for other in (
        experiments.plan(sine.STUDY, folder, preset="paper"),
        experiments.plan(symbols.STUDY, folder),
    ):
        with pytest.raises(RunError, match="holds the experiment 'Sine generation', preset quick"):
            experiments.claim_folder(other, folder)


def test_what_a_folder_holds_is_written_anew_where_it_is_damaged(tmp_path):
    plan = experiments.plan(sine.STUDY, tmp_path)
    for damaged in ("{", '{"experiment": "Sine generation"}', "[]"):
        (tmp_path / "study.json").write_text(damaged)
        experiments.claim_folder(plan, tmp_path)
        assert json.loads((tmp_path / "study.json").read_text())["preset"] == "quick"


def test_continuum_share():
    class Network:
        @staticmethod
        def found(name):
            kinds = np.array([[[0, 0], [0, 0]], [[CONTINUUM, -1], [CONTINUUM, FIXED_POINT]]])
            return xr.Dataset({"kind": (("step", "input", "attractor"), kinds)})

    assert _tables.share_without_attractor(Network) == 0.5  # pyright: ignore[reportArgumentType]
