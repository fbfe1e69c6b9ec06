import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnscope import tasks
from rnnscope.tasks.symbols import Task


def classes_by_a_plain_loop(inputs, task):
    """From the symbols alone: where relevant ones stand, and their ordered pair."""
    positions, classes = [], []
    for sequence in inputs.tolist():
        found = [(t, u.index(1.0)) for t, u in enumerate(sequence) if u.index(1.0) < task.n_relevant]
        assert len(found) == 2
        positions.append([t for t, _ in found])
        classes.append(found[0][1] * task.n_relevant + found[1][1])
    return positions, classes


def test_classes_are_the_ordered_pairs_of_relevant_symbols_by_a_plain_loop():
    task = tasks.build("symbols", n_sequences=300)
    inputs, targets = task.data()
    assert inputs.shape == (300, 200, 6)
    assert bool((inputs.sum(-1) == 1).all())
    assert set(inputs.unique().tolist()) == {0.0, 1.0}
    positions, classes = classes_by_a_plain_loop(inputs, task)
    assert targets.tolist() == classes
    first, second = zip(*positions, strict=True)
    assert set(first) == set(range(9, 19))
    assert set(second) == set(range(39, 49))


def test_positions_symbols_and_classes_are_uniform_and_independent():
    """χ² of counts, each against its 99.99 % quantile: of 10 × 10 places, 4 pairs, and 4 distractors at all steps."""
    task = tasks.build("symbols", n_sequences=20_000, length=49)
    inputs, targets = task.data()
    relevant = inputs[..., :2].sum(-1).nonzero()[:, 1].reshape(-1, 2)
    places = (relevant[:, 0] - 9) * 10 + relevant[:, 1] - 39
    distractors = inputs[..., 2:].sum((0, 1))
    joint = targets * 100 + places
    for counts, quantile in (
        (torch.bincount(places, minlength=100), 160.1),
        (torch.bincount(targets, minlength=4), 21.2),
        (torch.bincount(joint, minlength=400), 512.4),
        (distractors, 21.2),
    ):
        expected = counts.double().mean()
        assert float((counts - expected).square().sum() / expected) < quantile
    assert float(distractors.sum()) == 20_000 * (49 - 2)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    start=st.integers(0, 5),
    width=st.integers(1, 4),
    gap=st.integers(0, 6),
    beyond=st.integers(0, 4),
    n_relevant=st.integers(2, 4),
    n_distractors=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_windows_are_where_the_settings_say(start, width, gap, beyond, n_relevant, n_distractors, seed):
    length = start + 2 * width + gap + beyond
    task = tasks.build(
        "symbols", length=length, window_start=start, window_width=width, gap=gap, n_classes=n_relevant**2,
        n_distractors=n_distractors, n_sequences=20, seed=seed,
    )  # fmt: skip
    inputs, targets = task.data()
    assert inputs.shape == (20, length, n_relevant + n_distractors)
    positions, classes = classes_by_a_plain_loop(inputs, task)
    assert targets.tolist() == classes
    for first, second in positions:
        assert start <= first < start + width
        assert start + width + gap <= second < start + 2 * width + gap


def test_equal_outputs_get_the_logarithm_of_the_number_of_classes_and_chance():
    task = tasks.build("symbols", n_sequences=1000)
    _, targets = task.data()
    outputs = torch.zeros(1000, 200, 4)
    assert task.reported(float(task.cost(outputs, targets)), targets.numel()) == pytest.approx(math.log(4))
    assert float(task.metrics(outputs, targets)["accuracy"]) == pytest.approx(0.25, abs=0.05)


def test_only_the_last_step_counts():
    task = tasks.build("symbols", n_sequences=8, length=50)
    _, targets = task.data()
    right = torch.full((8, 50, 4), -30.0)
    right[:, -1] = 30 * torch.nn.functional.one_hot(targets, 4).float()
    assert float(task.cost(right, targets)) < 1e-6
    assert float(task.metrics(right, targets)["accuracy"]) == 1.0
    wrong = right.roll(1, dims=-1)
    assert float(task.cost(wrong, targets)) == pytest.approx(8 * 30)
    assert float(task.metrics(wrong, targets)["accuracy"]) == 0.0
    half = torch.cat([right[:4], wrong[4:]])
    assert float(task.metrics(half, targets)["accuracy"]) == 0.5


def test_each_symbol_is_held_in_turn():
    constant = tasks.build("symbols").constant_inputs()
    np.testing.assert_array_equal(constant.values, np.eye(6))


def test_the_papers_settings():
    paper = tasks.preset("symbols", "paper")
    task = tasks.build("symbols", **paper["task"])
    assert isinstance(task, Task)
    assert (task.length, task.n_sequences, task.n_validation, task.batch_size) == (200, 1000, 1000, 100)
    assert (task.input_size, task.output_size, task.fresh) == (6, 4, False)
    assert paper["model"] == {"hidden_size": 50}
    assert paper["training"] == {
        "n_epochs": 10_000,
        "learning_rate": 1e-3,
        "max_gradient_norm": 0.25,
        "schedule": "steps",
        "milestones": [500, 1000, 2000],
        "decay": 0.25,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gap": 172}, "gap: expected at most 171 steps, for windows in 200 steps, came 172"),
        ({"gap": 300}, "gap: expected at most 171 steps"),
        ({"length": 48}, "gap: expected at most 19 steps, for windows in 48 steps, came 20"),
        ({"length": 20}, "length: expected at least 29 steps, the end of the second window"),
        ({"n_classes": 5}, r"n_classes: expected the number of ordered pairs of 2, 3, … symbols: 4, 9, …, came 5"),
        ({"n_classes": 1}, "n_classes"),
        ({"n_classes": 4.0}, "n_classes"),
        ({"n_distractors": 0}, "n_distractors: expected a positive whole number, came 0"),
        ({"window_start": -1}, "window_start: expected a whole number of at least 0, came -1"),
        ({"gap": -1}, "gap: expected a whole number of at least 0, came -1"),
        ({"window_width": 0}, "window_width"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        tasks.build("symbols", **changes)


def test_the_longest_gap_and_the_shortest_length_are_allowed():
    assert Task(gap=171).gap == 171
    assert Task(length=49).length == 49


@pytest.mark.slow
def test_an_lstm_solves_the_quick_preset(tmp_path):
    from rnnscope.training import Config, fit

    accuracy = fit(Config.assemble("symbols"), tmp_path / "run").scalars["accuracy"]
    assert accuracy.iloc[0] < 0.4
    assert accuracy.iloc[-5:].median() > 0.98
