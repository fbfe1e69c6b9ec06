"""Groups, medians and shares over seeds, against numbers counted by hand."""

import json
import math

import pytest

from rnnscope.base.intervals import median_interval, share_interval
from rnnscope.cli import main
from rnnscope.findings.orbits import Counts, Headline
from rnnscope.report import compare_runs, write_report
from rnnscope.report.comparison import Facts, compare
from rnnscope.runs import Run
from rnnscope.training import Config, fit_several


def headline(oscillates, error):
    counts = Counts(rests=10 - oscillates, oscillates=oscillates)
    return Headline(
        10, 5, 5, 1, 5, 5, counts, counts, 1, 0.5, 0.1, 0.1, error, None, 0 if error is None else oscillates
    )


def facts(
    seed,
    *,
    model="lstm",
    status="finished",
    loss: float | None = 0.1,
    oscillates=None,
    error=None,
    probe="a",
    metrics=None,
    **settings,
):
    told = None if oscillates is None else headline(oscillates, error)
    settings = {"model": {"name": model, **settings}, "training": {"n_epochs": 5, "n_threads": "none"}}
    return Facts(f"runs/{model}-{seed}", settings, seed, status, loss, told, probe, metrics or {})


def test_numbers_counted_by_hand():
    oscillating = [10, 4, 5, 0, 7]
    runs = [
        facts(seed, loss=0.1 * (seed + 1), oscillates=count, error=float(seed) if count else None)
        for seed, count in enumerate(oscillating)
    ]
    runs += [facts(5, status="diverged", loss=None), facts(6, status="interrupted", loss=9.0)]
    (group,) = compare(runs)
    assert (group.label, group.seeds) == ("lstm", (0, 1, 2, 3, 4, 5, 6))
    assert (group.n_ended, group.n_diverged, group.n_unfinished) == (5, 1, 1)
    assert group.final_loss == median_interval([0.1, 0.2, 0.1 * 3, 0.4, 0.5])
    assert (group.oscillating.value, group.oscillating.low, group.oscillating.high) == (0.5, 0, 1)
    assert group.resting == median_interval([0, 0.6, 0.5, 1, 0.3])
    assert group.oscillating_runs == share_interval(3, 5)
    assert group.frequency_error == median_interval([0, 1, 2, 4])
    assert group.remarks == ()


def test_networks_are_told_apart_by_all_settings_but_the_seed():
    groups = compare([facts(0), facts(0, model="gru"), facts(1), facts(0, hidden_size=8), facts(1, model="gru")])
    assert [(group.label, group.seeds) for group in groups] == [
        ("lstm, hidden_size=None", (0, 1)),
        ("gru", (0, 1)),
        ("lstm, hidden_size=8", (0,)),
    ]


def test_what_makes_numbers_less_comparable_is_said():
    (group,) = compare([facts(0, oscillates=1), facts(1, oscillates=1, probe="b"), facts(2)])
    assert group.remarks == (
        "orbits not measured: rnnscope probe orbits runs/lstm-2",
        "their orbits were measured with differing settings",
    )
    (group,) = compare([facts(0, status="diverged", loss=None)])
    assert math.isnan(group.final_loss.value)
    with pytest.raises(ValueError, match=r"runs: expected each seed of lstm once, came 'runs/lstm-0 \(seed 0\), runs"):
        compare([facts(0), facts(0)])
    with pytest.raises(ValueError, match="runs: expected at least one run"):
        compare_runs([])


def test_medians_of_metrics_are_over_the_runs_that_ended_and_have_them():
    runs = [facts(seed, metrics={"accuracy": value}) for seed, value in enumerate([0.5, 0.9, 0.7, math.nan])]
    runs += [facts(4), facts(5, status="diverged", metrics={"accuracy": 0.0, "other": 1.0})]
    (group,) = compare(runs)
    assert group.metrics == {"accuracy": median_interval([0.5, 0.7, 0.9])}
    assert compare([facts(0)])[0].metrics == {}


def test_metrics_of_runs_on_disk_are_shown(tmp_path, capsys):
    changes = ["n_epochs=3", "hidden_size=4", "task.n_sequences=20", "task.delay=5"]
    trainings = {
        tmp_path / f"copy-{seed}": Config.assemble("copy-memory", model="gru", seed=seed, changes=changes)
        for seed in (0, 1)
    }
    fit_several(trainings)
    first, second = (Run(path).scalars["accuracy"].iloc[-1] for path in trainings)
    capsys.readouterr()
    call("show", *trainings, "--json")
    found = json.loads(capsys.readouterr().out)[0]["metrics"]["accuracy"]
    assert (found["value"], found["n"]) == (pytest.approx((first + second) / 2), 2)
    call("show", *trainings)
    shown = capsys.readouterr().out
    assert "in the last epoch" in shown
    assert f"[{min(first, second):.3g}, {max(first, second):.3g}]" in shown
    path = next(iter(trainings))
    call("show", path)
    assert f"last epoch  accuracy {first:.3g}" in capsys.readouterr().out
    call("show", path, "--json")
    assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"] == first
    page = write_report(Run(path), tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"Recorded in the last epoch: accuracy {first:.3g}" in page


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == 0


def test_runs_on_disk_on_the_command_line(tmp_path, capsys):
    changes = ["n_epochs=4", "hidden_size=4", "task.length=20", "n_frequencies=20"]
    trainings = {
        tmp_path / f"{model}-{seed}": Config.assemble("sine", model=model, seed=seed, changes=changes)
        for model in ("gru", "rnn")
        for seed in (0, 1)
    }
    fit_several(trainings)
    call("show", *trainings)
    assert f"gru: orbits not measured: rnnscope probe orbits {tmp_path / 'gru-0'}" in capsys.readouterr().out
    call("probe", "orbits", *trainings, "--epochs", "4,", "--set", "n_transient=60", "--set", "n_keep=40")
    assert capsys.readouterr().out.count("rests ×10") == 4
    call("show", *trainings)
    shown = " ".join(capsys.readouterr().out.split())
    assert "gru: medians of 2 seeds; the median over all seeds lies in […] with 50% confidence" in shown
    assert "0 of 2" in shown
    call("show", *trainings, "--json")
    groups = json.loads(capsys.readouterr().out)
    assert [group["label"] for group in groups] == ["gru", "rnn"]
    losses = [run_loss(path) for path in list(trainings)[:2]]
    assert groups[0]["final_loss"]["value"] == pytest.approx(sum(losses) / 2)
    assert groups[0]["oscillating_runs"]["high"] == pytest.approx(1 - 0.025**0.5)


def run_loss(path):
    return Run(path).scalars["loss"].iloc[-1]
