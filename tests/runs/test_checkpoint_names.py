from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnscope.base.errors import RunError
from rnnscope.runs._checkpoint_files import Checkpoint
from rnnscope.runs._checkpoint_names import pattern_of, read_losses, read_names, without_suffixes
from rnnscope.runs._checkpoint_numbers import Told, choose_by_name, place

CLEAR = [
    ("epoch_1_loss_0.3000.pth", 1, None),
    ("model_epoch003.pt", 3, None),
    ("epoch=1-step=100.ckpt", 1, 100),
    ("epoch=1-step=100-v1.ckpt", 1, 100),
    ("m_ep12.pt", 12, None),
    ("E12.pt", 12, None),
    ("modelEp7.pt", 7, None),
    ("modelepoch12.pth", 12, None),
    ("snapshot.ep.12", 12, None),
    ("lr1e-3_ep4.pt", 4, None),
    ("epoch_3_of_100.pt", 3, None),
    ("model_10epochs.pt", 10, None),
    ("3-epoch.pt", 3, None),
    ("best-epoch=02-val_loss=0.31.ckpt", 2, None),
    ("model.epoch(3).pt", 3, None),
    ("rl_model_1000_steps.pt", None, 1000),
    ("global_step1200.pt", None, 1200),
    ("iter-5000.pt", None, 5000),
    ("step_10k.pt", None, 10_000),
    ("step1.5M.pt", None, 1_500_000),
    ("step=200-epoch=3.pt", 3, 200),
]
ALONE = [
    ("net-12.pt", 12),
    ("LSTM_rollout3.pth.tar", 3),
    ("deep12.pt", 12),  # ends in "ep", which is no word of its own
    ("stage3.pt", 3),
    ("weights.03-0.25.pt", 3),
    ("model_3_acc_91.pt", 3),
    ("RNN_hidden64_seed3_200.pt", 200),
    ("checkpoint-13", 13),
    ("0001", 1),
]


@pytest.mark.parametrize(("name", "epoch", "step"), CLEAR)
def test_numbers_after_a_clear_word(name, epoch, step):
    (numbers,) = read_names([[without_suffixes(name)]])
    assert (numbers.epoch, numbers.step) == (epoch, step)


@pytest.mark.parametrize(("name", "value"), ALONE)
def test_the_only_number_of_a_name(name, value):
    (numbers,) = read_names([[without_suffixes(name)]])
    assert (numbers.epoch, numbers.step) == (None, None)
    assert [number for _, number in numbers.plain] == [value]


@pytest.mark.parametrize(
    "name", ["best.pt", "last-v1.ckpt", "model_0.98.pt", "model_20240105123011.pt", "net_v2.pt", "fold3_seed1.pt"]
)
def test_names_without_a_number_that_could_be_an_epoch(name):
    assert not read_names([[without_suffixes(name)]])[0].any


def test_the_nearest_folder_counts_where_the_file_has_no_number():
    assert [n.plain for n in read_names([["model", "0001"], ["model", "0002"]])] == [(("", 1.0),), (("", 2.0),)]
    (numbers,) = read_names([["step_100", "epoch_1"]])
    assert (numbers.epoch, numbers.step) == (1, 100)


def test_best_and_last_have_only_clear_numbers_beside_numbered_ones():
    names = read_names([["net_3"], ["best_7"], ["best_epoch_5"]])
    assert [n.any for n in names] == [True, False, True]
    assert [n.any for n in read_names([["best_3"], ["best_7"]])] == [True, True]


@given(
    before=st.sampled_from(["lstm128-", "2024-01-05_run_", "seed3_", "a_1_2_"]),
    numbers=st.lists(st.integers(0, 10**6), min_size=2, max_size=6, unique=True),
    zeros=st.integers(0, 5),
)
def test_what_all_names_share_is_no_epoch(before, numbers, zeros):
    alike = all(f"_{n}_" not in f"_{before}_" for n in numbers)
    read = read_names([[f"{before}x{number:0{zeros}}"] for number in numbers])
    assert not alike or [n.plain[-1][1] for n in read] == numbers
    assert all(len(n.plain) == 1 for n in read)


@given(
    form=st.sampled_from(["epoch_{}", "net-epoch={}-x", "{}_epoch", "Ep{}", "e{}_h64", "ckpt.{}", "{}", "w_{}_0.5"]),
    numbers=st.lists(st.integers(0, 10**6), min_size=1, max_size=6, unique=True),
)
def test_epochs_of_any_form_come_out(form, numbers):
    checkpoints = [made(form.format(number) + ".pt") for number in numbers]
    chosen, left_out = choose_by_name(checkpoints, None)
    assert not left_out
    assert [p.epoch for p in place(chosen, [Told(None, None, {})] * len(chosen))] == numbers


def test_losses_in_names():
    assert read_losses("epoch_1_loss_0.3000") == {"loss": 0.3}
    assert read_losses("epoch=3-val_loss=0.21") == {"val_loss": 0.21}
    assert read_losses("epoch-003-train-loss-1.5e-4") == {"train_loss": 1.5e-4}
    assert read_losses("model_loss_3") == {}  # an index, or a rounded loss: nobody knows


def test_the_pattern_that_is_proposed_takes_the_number_that_it_is_proposed_for():
    import re

    assert re.findall(pattern_of("a_1_20.pt", 20), "a_3_47.pt")[0] == "47"
    assert re.findall(pattern_of("a_1_20.pt", 1), "a_3_47.pt")[0] == "3"


def made(name):
    return Checkpoint(Path(name), name, (without_suffixes(name),))


def placed(table):
    """Where checkpoints stand by name, (epoch, step) in their content."""
    chosen, _ = choose_by_name([made(name) for name in table], None)
    told = [Told(epoch, step, {}) for epoch, step in (table[own.checkpoint.name] for own in chosen)]
    return [(p.epoch, p.step) for p in place(chosen, told)]


def test_steps_stand_beside_epochs_where_they_grow_with_them():
    assert placed({"a1.pt": (0, 50), "a2.pt": (1, 100)}) == [(0, 50), (1, 100)]
    assert placed({"epoch=0-step=50.pt": (0, 50), "epoch=0-step=90.pt": (0, 90)}) == [(0, 50), (0, 90)]
    assert placed({"epoch_1.pt": (1, 99), "epoch_2.pt": (2, 99)}) == [(1, 1), (2, 2)]  # a counter within the epoch
    assert placed({"epoch_1.pt": (1, 99), "epoch_2.pt": (2, 50)}) == [(1, 1), (2, 2)]
    assert placed({"a1.pt": (0.5, 13), "a2.pt": (0.9, 26)}) == [(0, 13), (0, 26)]
    assert placed({"step_10.pt": (None, None), "step_20.pt": (None, None)}) == [(10, 10), (20, 20)]
    assert placed({"ckpt_100.pt": (0, None), "ckpt_200.pt": (0, None)}) == [(0, 100), (0, 200)]


def test_a_count_from_0_and_one_from_1_do_not_contradict_each_other():
    assert placed({"epoch_1.pt": (0, None), "epoch_2.pt": (1, None)}) == [(1, 1), (2, 2)]
    assert placed({"m1.pt": (0, None), "m2.pt": (1, None)}) == [(0, 0), (1, 1)]
    assert placed({"epoch_1.pt": (100, None), "epoch_2.pt": (100, None)}) == [(1, 1), (2, 2)]  # how many there are


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"epoch_1.pt": (5, None), "epoch_2.pt": (1, None)}, "its name says 1, its content 5"),
        ({"m1.pt": (None, None), "m2.pt": (1, None)}, "its name says 2, its content 1"),
        ({"a_1_7.pt": (None, None), "a_2_8.pt": (None, None)}, r"that may be the epoch: 1 \(after 'a'\), 7"),
        ({"a.pt": (None, None), "b.pt": (None, None)}, "a.pt, b.pt: neither name nor content says an epoch"),
        ({"a.pt": (3, None), "b.pt": (None, None)}, "b.pt: neither .* as that of a.pt does"),
        ({"a.pt": (3, None), "b.pt": (3, None)}, "several files stand for epoch 3: a.pt, b.pt"),
        ({"a.pt": (1.5, None), "b.pt": (2, None)}, "epoch 1.5 is not a whole number"),
        ({"a.pt": (-1, None), "b.pt": (2, None)}, "a.pt: expected epoch 0 or more"),
        ({"epoch=-1.pt": (None, None)}, "expected epoch 0 or more"),
    ],
)
def test_what_is_not_clear_is_refused(table, message):
    with pytest.raises(RunError, match=message):
        placed(table)
