"""What symbols, copy-memory and adding have in common: sets drawn from the seed, fixed or fresh at every epoch."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import tasks
from rnnscope.attractors import Orbits
from rnnscope.runs import Run
from rnnscope.runs.objectives import objective_of_task
from rnnscope.smoothness.objective import cost
from rnnscope.systems import as_system
from rnnscope.training import Config, fit

DRAWN = ["adding", "copy-memory", "symbols"]
SMALL: dict[str, dict[str, int]] = {
    "adding": {"length": 6},
    "copy-memory": {"n_symbols": 3, "n_copied": 2, "delay": 3},
    "symbols": {"length": 8, "window_start": 1, "window_width": 2, "gap": 1},
}


def small(name, **more) -> Any:  # a task of any name, with the settings of its own
    return tasks.build(name, **{**SMALL[name], "n_sequences": 25, "batch_size": 10, **more})


def config(name, *changes, **arguments):
    own = [f"task.{key}={value}" for key, value in SMALL[name].items()]
    sizes = ["n_sequences=25", "batch_size=10", "hidden_size=4", "n_epochs=5", "recording.every=1"]
    return Config.assemble(name, changes=[*own, *sizes, *changes], **arguments)


def same(ours, theirs):
    return all(
        torch.equal(a, b) for one, other in zip(ours, theirs, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("name", DRAWN)
def test_every_set_is_a_function_of_seed_and_epoch_and_no_two_are_equal(name):
    task = small(name, fresh=True, n_validation=25)
    sets = {
        "epoch 1": task.fresh_batches(1),
        "epoch 2": task.fresh_batches(2),
        "data": task.batches(),
        "validation": task.validation_batches(),
        "other seed": small(name, fresh=True, seed=1).fresh_batches(1),
    }
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    assert same(small(name, fresh=True).fresh_batches(2), sets["epoch 2"])
    assert same(small(name, fresh=True).fresh_batches(1), sets["epoch 1"])
    assert torch.equal(torch.random.get_rng_state(), before)
    names = list(sets)
    for at, first in enumerate(names):
        for second in names[at + 1 :]:
            assert not same(sets[first], sets[second]), (first, second)


@pytest.mark.parametrize("name", DRAWN)
def test_a_fixed_set_is_the_same_at_every_epoch_and_batches_cover_it_in_order(name):
    task = small(name, fresh=False)
    assert task.fresh_batches(1) is None
    assert task.validation_batches() == []
    batches, (inputs, targets) = task.batches(), task.data()
    assert [len(batch) for batch, _ in batches] == [10, 10, 5]
    assert torch.equal(torch.cat([batch for batch, _ in batches]), inputs)
    assert torch.equal(torch.cat([batch for _, batch in batches]), targets)
    assert inputs.dtype == torch.float32
    assert inputs.shape == (25, task.length, task.input_size)
    assert float(inputs.abs().max()) <= task.input_bound()


@pytest.mark.parametrize("name", DRAWN)
def test_the_reported_loss_is_the_objective_that_probes_of_the_cost_look_at(name):
    task = small(name)
    model = config(name).build_model()
    inputs, targets = task.data()
    total = sum(float(task.cost(model(u).detach(), y)) for u, y in task.batches())
    system = as_system(model)
    expected = cost(system, system.params, objective_of_task(task))
    assert task.reported(total, targets.numel()) == pytest.approx(expected.item(), rel=1e-5)
    assert objective_of_task(task).n_sequences == len(inputs)


@pytest.mark.parametrize("name", DRAWN)
def test_metrics_over_batches_are_those_over_the_whole(tmp_path, name):
    """A batch of 5 beside two of 10: a plain mean over batches would differ."""
    run = fit(
        config(name, "fresh=false", "learning_rate=1e-12", "schedule=constant", "n_validation=25"), tmp_path / "run"
    )
    model = config(name).build_model()
    task = small(name, fresh=False, n_validation=25)
    for prefix, batches in (("", task.batches()), ("validation_", task.validation_batches())):
        inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
        with torch.no_grad():
            outputs = model(inputs)
        whole = task.metrics(outputs, targets)
        assert run.scalars[f"{prefix}accuracy"].iloc[0] == pytest.approx(float(whole["accuracy"]))
        loss = task.reported(float(task.cost(outputs, targets)), targets.numel())
        assert run.scalars[f"{prefix}loss"].iloc[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("name", DRAWN)
def test_interrupted_and_resumed_with_fresh_sequences_it_ends_with_the_same_bits(tmp_path, name):
    changes = ["fresh=true", "n_validation=25", "model.num_layers=2", "model.dropout=0.2", "n_threads=1"]

    def interrupt(epoch):
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(config(name, *changes), tmp_path / "broken", on_epoch=interrupt)
    resumed = fit(config(name, *changes), tmp_path / "broken", resume=True)
    whole = fit(config(name, *changes), tmp_path / "whole")
    assert resumed.scalars.equals(whole.scalars)
    for step in whole.steps.tolist():
        ours, theirs = resumed.snapshot(step=step), whole.snapshot(step=step)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs), step


def test_fresh_epochs_are_trained_on_data_of_their_own(tmp_path):
    """With a learning rate of nearly nothing the loss changes by the data alone."""
    changes = ["learning_rate=1e-12", "schedule=constant"]
    fixed = fit(config("symbols", "fresh=false", *changes), tmp_path / "fixed").scalars["loss"]
    fresh = fit(config("symbols", "fresh=true", *changes), tmp_path / "fresh").scalars["loss"]
    assert fixed.to_numpy().std() < 1e-6
    assert fresh.to_numpy().std() > 1e-4
    task, model = small("symbols", fresh=True), config("symbols").build_model()
    with torch.no_grad():
        total = sum(float(task.cost(model(u), y)) for u, y in task.fresh_batches(4))
    assert fresh.loc[4] == pytest.approx(task.reported(total, 25), rel=1e-5)


def test_validation_changes_nothing_in_training(tmp_path):
    changes = ["fresh=true", "model.num_layers=2", "model.dropout=0.2", "n_threads=1"]
    without = fit(config("symbols", *changes), tmp_path / "without")
    with_it = fit(config("symbols", *changes, "n_validation=25"), tmp_path / "with")
    assert torch.equal(without.snapshot()["core.weight_hh_l0"], with_it.snapshot()["core.weight_hh_l0"])
    assert set(with_it.scalars) - set(without.scalars) == {"validation_loss", "validation_accuracy"}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_presets_build_and_their_settings_come_back_from_a_file(tmp_path, name, preset):
    changes = ["n_epochs=1", "n_sequences=4", "batch_size=2", "hidden_size=3", "n_threads=1"]
    config = Config.assemble(name, preset=preset, changes=changes)
    run = fit(config, tmp_path / "run")
    assert Config.assemble(file=run.path / "config.toml") == config
    probe = run.default_probe("orbits")
    assert isinstance(probe, Orbits)
    assert probe.inputs is not None
    assert len(probe.inputs[0]) == config.build_task().input_size
    assert math.isfinite(run.scalars["accuracy"].iloc[-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_sequences": 0}, "n_sequences: expected a positive whole number, came 0"),
        ({"n_sequences": True}, "n_sequences: expected a positive whole number, came True"),
        ({"batch_size": 2.5}, "batch_size: expected a positive whole number, came 2.5"),
        ({"n_validation": -1}, "n_validation: expected a whole number of at least 0, came -1"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, came -1"),
        ({"fresh": "yes"}, "fresh: expected true or false, came 'yes'"),
        ({"lenth": 3}, "unknown setting of task"),
    ],
)
@pytest.mark.parametrize("name", DRAWN)
def test_bad_settings(name, changes, message):
    with pytest.raises(ValueError, match=message):
        tasks.build(name, **changes)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.sampled_from(DRAWN), st.integers(1, 40), st.integers(1, 40), st.integers(0, 50), st.integers(1, 9))
def test_batches_hold_each_sequence_once(name, n_sequences, batch_size, seed, epoch):
    task = small(name, n_sequences=n_sequences, batch_size=batch_size, seed=seed, fresh=True)
    batches = task.fresh_batches(epoch)
    assert sum(len(inputs) for inputs, _ in batches) == n_sequences
    assert all(len(inputs) == len(targets) <= batch_size for inputs, targets in batches)


def test_the_whole_way_of_symbols_on_the_command_line(tmp_path, capsys):
    from rnnscope.cli import main

    own = [f"task.{key}={value}" for key, value in SMALL["symbols"].items()]
    changes = [*own, "n_sequences=25", "n_validation=10", "hidden_size=4", "n_epochs=3", "n_transient=60", "n_keep=40"]
    arguments = ["train", "symbols", "--run", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, *(word for change in changes for word in ("--set", change))])
    assert ended.value.code == 0
    shown = capsys.readouterr()
    run = Run(tmp_path / "run")
    accuracy = run.scalars["validation_accuracy"].iloc[-1]
    assert f"over 3 epochs, accuracy {run.scalars['accuracy'].iloc[-1]:.3g}, validation loss" in shown.out
    assert f"validation accuracy {accuracy:.3g}" in shown.out
    assert "validation accuracy" in shown.err
    orbits = run.probe("orbits")
    assert orbits.sizes["input"] == 6
    assert orbits["input_value"].attrs["long_name"] == "symbol held, one-hot"
    assert orbits["input_label"].values[[1, 2]].tolist() == ["relevant symbol 1", "distractor 2"]


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_names_every_task(capsys, arguments):
    from rnnscope.cli import main

    with pytest.raises(SystemExit):
        main(arguments)
    shown = capsys.readouterr().out
    assert all(name in shown for name in tasks.names())
