import argparse
import ast
import importlib
import json
import os
import pickle
import re
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from rnnscope.attractors import Orbits
from rnnscope.base.errors import FolderTakenError, RunError
from rnnscope.runs import Run, RunFolder, checkpoints
from rnnscope.runs._checkpoint_weights import weights_of
from rnnscope.systems import as_system


class Model(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.core, self.head = nn.LSTM(1, n, batch_first=True), nn.Linear(n, 1)

    def forward(self, x):
        return self.head(self.core(x)[0])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.core = nn.Embedding(7, 4), nn.GRU(4, 4, batch_first=True)
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.tokens.weight

    def forward(self, tokens):
        return self.out(self.core(self.tokens(tokens))[0])


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Model()

    def forward(self, x):
        return self.net(x)


WEIGHTS = Model().state_dict()


def write(folder, files):
    for name, content in files.items():
        path = folder / "ck" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path)
    return str(folder / "ck" / "*")


def run_of(tmp_path, files, pattern=None, **arguments):
    arguments.setdefault("build", Model)
    return Run.from_checkpoints(pattern or write(tmp_path, files), path=tmp_path / "run", **arguments)


def refusal(tmp_path, files, **arguments):
    """The reason for which these are refused; nothing was written."""
    with pytest.raises(RunError) as caught:
        run_of(tmp_path, files, **arguments)
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".*.part"))
    return str(caught.value)


def prefixed(prefix, weights=WEIGHTS):
    return {prefix + name: tensor for name, tensor in weights.items()}


def same(run, weights, **where):
    snapshot = run.snapshot(**where)
    return snapshot.keys() == weights.keys() and all(torch.equal(snapshot[n], weights[n]) for n in weights)


def test_checkpoints_become_a_run(tmp_path):
    models = {epoch: Model() for epoch in (2, 10, 30)}
    files = {
        f"ckpt_{epoch}.pt": {"model_state_dict": model.state_dict(), "loss": 1 / epoch}
        for epoch, model in models.items()
    }
    run = run_of(tmp_path, files)
    assert run.epochs.tolist() == run.steps.tolist() == [2, 10, 30]
    assert run.scalars["loss"].tolist() == [0.5, 0.1, pytest.approx(1 / 30)]
    assert all(same(run, model.state_dict(), epoch=epoch) for epoch, model in models.items())
    assert run.probe(Orbits(n_transient=5, n_keep=5)).epoch.values.tolist() == [2, 10, 30]
    assert run_of(tmp_path, files={}).has("orbits")  # the same files: the same run
    assert run.check() == []
    assert run.provenance["checkpoints_from"] == str((tmp_path / "ck").resolve())


def test_changed_files_are_another_run_which_may_replace_it(tmp_path):
    run_of(tmp_path, {"e1.pt": WEIGHTS}).probe(Orbits(n_transient=5, n_keep=5))
    other = Model().state_dict()
    for arguments in ({"files": {"e2.pt": other}}, {"files": {}, "number": {"e1.pt": 5}}):
        with pytest.raises(FolderTakenError, match=r"run of other checkpoints.*choose another folder.*overwrite=True"):
            run_of(tmp_path, **arguments)
    run = run_of(tmp_path, {}, overwrite=True)
    assert run.epochs.tolist() == [1, 2]
    assert not run.has("orbits")
    assert not list(tmp_path.glob(".*"))
    assert Run.from_checkpoints(str(tmp_path / "ck"), build=Model, path=tmp_path / "another").epochs.tolist() == [1, 2]


def test_a_folder_in_the_way_is_left_as_it_is(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FolderTakenError, match="is not empty and not a run"):
            run_of(tmp_path, {"e1.pt": WEIGHTS}, overwrite=overwrite)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_an_import_that_is_interrupted_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "write_scalars", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_of(tmp_path, {"e1.pt": WEIGHTS})
    assert [path.name for path in tmp_path.iterdir()] == ["ck"]


def test_plain_state_dicts_and_safetensors_and_an_epoch_inside(tmp_path):
    write(tmp_path, {"a.pt": {"state_dict": WEIGHTS, "epoch": 7, "lr": 0.1}, "b.pt": {**WEIGHTS, "epoch": 9}})
    safetensors.torch.save_file(WEIGHTS, tmp_path / "ck" / "c.safetensors", {"epoch": "11", "format": "pt"})
    run = run_of(tmp_path, {}, str(tmp_path / "ck"), build=None)
    assert run.epochs.tolist() == [7, 9, 11]
    assert all(same(run, WEIGHTS, epoch=epoch) for epoch in (7, 9, 11))
    assert set(run.scalars.columns) == {"step", "lr"}
    with pytest.raises(Exception, match="no model was given"):
        run.system()
    assert Run(run.path, model=Model()).system().output_size == 1


def test_best_and_last_beside_numbered_ones_are_left_out_in_one_warning_that_helps(tmp_path):
    files = dict.fromkeys(("epoch_1.pt", "epoch_2.pt", "best.pt", "last.ckpt"), WEIGHTS)
    with pytest.warns(UserWarning, match=r"left out.*: best\.pt, last\.ckpt\. number=\{'best\.pt'") as told:
        assert run_of(tmp_path, files).epochs.tolist() == [1, 2]
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = run_of(tmp_path, {}, number={"best.pt": 7, "last.ckpt": None}, overwrite=True)
    assert run.epochs.tolist() == [1, 2, 7]


def test_a_single_file_without_any_epoch_says_so(tmp_path):
    with pytest.warns(UserWarning, match=r"stands as epoch 0. number=\{'model.pt': epoch\} says another"):
        assert run_of(tmp_path, {"model.pt": WEIGHTS}).epochs.tolist() == [0]
    assert run_of(tmp_path, {}, number={"model.pt": 4}, overwrite=True).epochs.tolist() == [4]


def test_unclear_names_are_refused_and_each_advice_works(tmp_path):
    files = {f"a_{k}_{7 * k}.pt": WEIGHTS for k in (2, 10)}
    message = refusal(tmp_path, files)
    pattern = ast.literal_eval(re.findall(r"number=('.*?')", message)[0])
    assert run_of(tmp_path, {}, number=pattern).epochs.tolist() == [14, 70]
    by_name = run_of(tmp_path, {}, number={"a_2_14.pt": (2, 50), "a_10_70.pt": (10, 99)}, overwrite=True)
    assert by_name.steps.tolist() == [50, 99]
    by_function = run_of(tmp_path, {}, number=lambda name: int(name.split("_")[1]), overwrite=True)
    assert by_function.epochs.tolist() == [2, 10]
    for path in (tmp_path / "ck").iterdir():
        path.rename(path.with_name(path.name.replace("a_", "epoch")))
    assert run_of(tmp_path, {}, overwrite=True).epochs.tolist() == [2, 10]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("a(", "not a regular expression"),
        ("a", "expected a pattern with the number in brackets"),
        (lambda name: 1.5, "expected a whole number"),
        ({"e1.pt": "3"}, "expected a whole number"),
    ],
)
def test_a_number_that_is_none_is_refused(tmp_path, number, message):
    with pytest.raises(ValueError, match=message):
        run_of(tmp_path, {"e1.pt": WEIGHTS}, number=number)
    assert "gives no number for any of 1 files" in refusal(tmp_path, {}, number=lambda name: None)


def test_the_same_epoch_twice_names_the_files(tmp_path):
    message = refusal(tmp_path, {"one/epoch_1.pt": WEIGHTS, "two/epoch_1.pt": WEIGHTS})
    assert "several files stand for epoch 1: one/epoch_1.pt, two/epoch_1.pt" in message


def test_steps_that_begin_anew_at_each_epoch_can_be_said(tmp_path):
    files = {f"epoch_{e}_step_{s}.pt": WEIGHTS for e in (0, 1) for s in (100, 200)}
    assert "(epoch, step)" in refusal(tmp_path, files)

    def place(name):
        epoch, step = map(int, re.findall(r"\d+", name))
        return epoch, 200 * epoch + step

    run = run_of(tmp_path, {}, number=place)
    assert run.steps.tolist() == [100, 200, 300, 400]
    assert run.epochs.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "net.", "model.", "module._orig_mod.", "a.b.", "lightning.module.net."]
)
def test_one_common_prefix_is_taken_away(tmp_path, prefix):
    assert same(run_of(tmp_path, {"e1.pt": prefixed(prefix)}), WEIGHTS)


def test_a_prefix_is_added_where_the_model_has_one(tmp_path):
    run = run_of(tmp_path, {"e1.pt": WEIGHTS, "e2.pt": prefixed("model."), "e3.pt": prefixed("net.")}, build=Outer)
    assert all(same(run, prefixed("net."), epoch=epoch) for epoch in (1, 2, 3))
    assert run.system().output_size == 1


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile])
def test_a_wrapped_model_takes_names_without_its_wrapper(tmp_path, wrap):
    run = run_of(tmp_path, {"e1.pt": WEIGHTS}, build=lambda: wrap(Model()))
    assert same(run, WEIGHTS)
    assert run.system().state_size == 6


def test_wrappers_within_names_are_taken_away(tmp_path):
    compiled = {name.replace("core.", "core._orig_mod."): tensor for name, tensor in WEIGHTS.items()}
    assert same(run_of(tmp_path, {"e1.pt": compiled}), WEIGHTS)


def test_known_wrappers_are_taken_away_without_a_model(tmp_path):
    averaged = {**prefixed("module._orig_mod."), "n_averaged": torch.tensor(3)}
    run = run_of(tmp_path, {"e1.pt": averaged, "e2.pt": prefixed("other.")}, build=None)
    assert same(run, WEIGHTS, epoch=1)
    assert same(run, prefixed("other."), epoch=2)  # may be the network's own


def test_further_names_in_the_file_are_all_right(tmp_path):
    further = {"criterion.weight": torch.ones(2), **prefixed("ema.net.")}
    assert same(run_of(tmp_path, {"e1.pt": {**prefixed("net."), **further}}), WEIGHTS)


def test_parts_of_one_state_dict_need_a_key(tmp_path):
    other = Model().state_dict()
    message = refusal(tmp_path, {"e1.pt": {**prefixed("generator."), **prefixed("critic.", other)}})
    key = re.findall(r"'generator', 'critic'. Say which: key='(\w+)'", message)[0]
    assert same(run_of(tmp_path, {}, key=key), WEIGHTS)
    assert same(run_of(tmp_path, {}, key="critic", overwrite=True), other)


def test_tied_weights_of_which_one_name_is_saved(tmp_path):
    model = Tied()
    (tmp_path / "ck").mkdir()
    safetensors.torch.save_model(model, tmp_path / "ck" / "e1.safetensors")  # drops one of the two names
    run = run_of(tmp_path, {}, str(tmp_path / "ck"), build=Tied)
    assert same(run, model.state_dict())


def test_core_and_head_and_systems_as_models(tmp_path):
    files = {"e1.pt": {"lstm." + name.removeprefix("core."): t for name, t in WEIGHTS.items() if "core" in name}}
    files["e1.pt"] |= {"out.weight": WEIGHTS["head.weight"], "out.bias": WEIGHTS["head.bias"]}
    pair = run_of(tmp_path, files, build=lambda: (Model().core, Model().head))
    assert same(pair, WEIGHTS)
    twice = {"e1.pt": {**files["e1.pt"], "gate.weight": WEIGHTS["head.weight"], "gate.bias": WEIGHTS["head.bias"]}}
    message = refusal(tmp_path / "b", twice, build=lambda: (Model().core, Model().head))
    assert "head: the model that build() made fits in several places: 'out', 'gate'. build() has to make" in message
    cell = nn.GRUCell(1, 3)
    torch.save(prefixed("net.", cell.state_dict()), tmp_path / "e1.pt")

    def step():
        return as_system(nn.GRUCell(1, 3), input_size=1, state=torch.zeros(1, 3))

    run = Run.from_checkpoints(str(tmp_path / "e1.pt"), build=step, path=tmp_path / "stepped")
    assert torch.equal(run.system().params["weight_hh"], cell.weight_hh)


def test_buffers_that_no_state_dict_holds_come_from_the_model(tmp_path):
    class Masked(Model):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.full((2,), 4.0), persistent=False)

    run = run_of(tmp_path, {"e1.pt": WEIGHTS}, build=Masked)
    assert run.snapshot()["mask"].tolist() == [4.0, 4.0]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Model(5), r"core.weight_ih_l0 is \(12, 1\) in the file and \(20, 1\) in the model.* and 2 more"),
        (lambda: nn.GRU(1, 3), r"is \(12, 1\) in the file and \(9, 1\) in the model"),
        (Tied, "not in the file: tokens.weight, out.weight; it has core.weight_ih_l0, .* and 3 more"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_names_and_shapes(tmp_path, build, message):
    said = refusal(tmp_path, {"e1.pt": WEIGHTS}, build=build)
    assert "does not fit the model that build() made" in said
    assert re.search(message, said)
    assert len(said) < 700


def test_files_with_several_networks_need_a_key(tmp_path):
    encoder, decoder = Model().state_dict(), Model(5).state_dict()
    files = {f"e{k}.pt": {"encoder_state_dict": encoder, "decoder_state_dict": decoder} for k in (1, 2)}
    message = refusal(tmp_path, files)
    assert "several networks in it: 'encoder_state_dict', 'decoder_state_dict'" in message
    assert "'encoder_state_dict' would fit" in message
    assert same(run_of(tmp_path, {}, key=re.findall("key='(.*?)'", message)[0]), encoder)
    assert same(run_of(tmp_path, {}, key="decoder_state_dict", build=lambda: Model(5), overwrite=True), decoder)


def test_keys_may_be_dotted_and_lie_deeper(tmp_path):
    adam = torch.optim.Adam(Model().parameters()).state_dict()
    parts = [Model().state_dict() for _ in range(4)]
    content = {
        "generator": {"model": parts[0], "optimizer": adam},
        "critic": {"model": parts[1]},
        "all": [parts[2], parts[3]],
    }
    message = refusal(tmp_path, {"e1.pt": content})
    assert "'generator.model', 'critic.model', 'all.0', 'all.1'" in message
    for key, part in (("generator.model", 0), ("generator", 0), ("critic.model", 1), ("all.1", 3)):
        assert same(run_of(tmp_path, {}, key=key, overwrite=True), parts[part])
    message = refusal(tmp_path / "b", {"e1.pt": content}, key="nowhere")
    assert "state dicts are under: generator.model, critic.model, all.0, all.1" in message
    assert "'all.0', 'all.1'; expected key= one of these" in refusal(tmp_path / "c", {"e1.pt": content}, key="all")


def test_the_only_state_dict_is_found_under_any_name(tmp_path):
    optimizer = torch.optim.Adam(Model().parameters())
    torch.stack([p.sum() for group in optimizer.param_groups for p in group["params"]]).sum().backward()
    optimizer.step()
    content = {
        "rnn_params_v2": WEIGHTS,
        "adam": optimizer.state_dict(),
        "norm": {"mean": torch.ones(3), "std": torch.ones(3)},
        "criterion": {"weight": torch.ones(3)},
        "history": {"loss": [0.1, 0.2]},
    }
    assert same(run_of(tmp_path, {"e1.pt": content}), WEIGHTS)


def test_averaged_copies_are_not_taken_for_the_network(tmp_path):
    content = {"model": WEIGHTS, "model_ema": Model().state_dict(), "best_model": Model().state_dict()}
    assert same(run_of(tmp_path, {"e1.pt": content}), WEIGHTS)
    assert same(run_of(tmp_path, {}, key="model_ema", overwrite=True), content["model_ema"])
    content = {"e1.pt": {0: WEIGHTS, 1: content["model_ema"], "optimizer": {"semantics": torch.ones(2)}}}
    key = re.findall("key='(.*?)'", refusal(tmp_path / "b", content))[0]
    assert same(run_of(tmp_path / "b", content, key=key), WEIGHTS)


def test_a_network_under_a_key_that_is_usually_another_thing(tmp_path):
    assert same(run_of(tmp_path, {"e1.pt": {"loss_net": WEIGHTS, "optim": {"state": {}, "param_groups": []}}}), WEIGHTS)


def test_lightning(tmp_path):
    def checkpoint(epoch, step, score):
        monitor = {"monitor": "val_loss", "current_score": torch.tensor(score), "best_model_score": torch.tensor(0.1)}
        return {
            "epoch": epoch,
            "global_step": step,
            "state_dict": prefixed("net."),
            "callbacks": {
                "ModelCheckpoint{'monitor': 'val_loss'}": {**monitor, "best_k_models": {"a.ckpt": torch.ones(1)}},
                "EarlyStopping{}": {"best_score": torch.tensor(0.1), "wait_count": 0},
            },
            "optimizer_states": [torch.optim.Adam(Model().parameters()).state_dict()],
            "loops": {"fit_loop": {"state_dict": {}}},
            "hyper_parameters": {"args": argparse.Namespace(lr=0.1), "activation": nn.Tanh, "act": torch.tanh},
        }

    numbers = [(0, 50, 0.5), (0, 100, 0.25), (1, 150, 0.125)]
    files = {f"version_0/checkpoints/epoch={e}-step={s}.ckpt": checkpoint(e, s, x) for e, s, x in numbers}
    files["version_0/checkpoints/last.ckpt"] = files["version_0/checkpoints/epoch=1-step=150.ckpt"]
    write(tmp_path, files)
    (tmp_path / "ck" / "version_0" / "hparams.yaml").write_text("lr: 0.1")
    with pytest.warns(UserWarning, match=r"left out.*: last\.ckpt"):
        run = run_of(tmp_path, {}, str(tmp_path / "ck"))
    assert run.steps.tolist() == [50, 100, 150]
    assert run.epochs.tolist() == [0, 0, 1]
    assert run.scalars["val_loss"].tolist() == [0.5, 0.25, 0.125]
    assert same(run, WEIGHTS, step=100)
    assert "argparse.Namespace" in run.provenance["not_loaded"]
    assert run.probe(Orbits(n_transient=5, n_keep=5)).sizes["step"] == 3


def hugging_face(folder, steps, write_weights, per_epoch=26):
    """Folders as transformers' Trainer writes them."""
    history = []
    for step in steps:
        history += [{"loss": 10.0 / step, "step": step - 3, "epoch": (step - 3) / per_epoch, "learning_rate": 0.1}]
        history += [{"eval_loss": 20.0 / step, "eval_runtime": 1.0, "step": step, "epoch": step / per_epoch}]
        path = folder / f"checkpoint-{step}"
        path.mkdir(parents=True)
        write_weights(path)
        torch.save({"state": {}, "param_groups": []}, path / "optimizer.pt")
        torch.save(argparse.Namespace(lr=0.1), path / "training_args.bin")
        torch.save({"cpu": torch.get_rng_state()}, path / "rng_state.pth")
        (path / "config.json").write_text("{}")
        late = {"loss": 99.0, "step": 10_000, "epoch": 300.0}
        state = {"global_step": step, "epoch": step / per_epoch, "log_history": [*history, late]}
        (path / "trainer_state.json").write_text(json.dumps(state))


def test_folders_of_transformers_are_their_steps(tmp_path):
    folder = tmp_path / "out"
    hugging_face(folder, [13, 26, 117], lambda path: safetensors.torch.save_file(WEIGHTS, path / "model.safetensors"))
    safetensors.torch.save_file(Model().state_dict(), folder / "model.safetensors")  # the best, or the last
    with pytest.warns(UserWarning, match=r"left out.*: model\.safetensors"):
        run = run_of(tmp_path, {}, folder)
    assert run.steps.tolist() == [13, 26, 117]
    assert run.epochs.tolist() == [0, 1, 4]
    assert run.scalars["loss"].tolist() == [10 / 13, 10 / 26, 10 / 117]
    assert run.scalars["eval_loss"].tolist() == [20 / 13, 20 / 26, 20 / 117]
    assert run.scalars["exact_epoch"].tolist() == [0.5, pytest.approx(np.nan, nan_ok=True), 4.5]
    assert "eval_runtime" not in run.scalars
    for pattern in ("checkpoint-*", "checkpoint-*/model.safetensors", "checkpoint-*/*"):
        assert run_of(tmp_path, {}, str(folder / pattern), overwrite=True).steps.tolist() == [13, 26, 117]
    assert run_of(tmp_path, {}, folder / "checkpoint-26", overwrite=True).steps.tolist() == [26]


def test_folders_of_transformers_without_their_state_are_still_steps(tmp_path):
    write(tmp_path, {f"checkpoint-{step}/pytorch_model.bin": WEIGHTS for step in (13, 26)})
    run = run_of(tmp_path, {})
    assert run.steps.tolist() == run.epochs.tolist() == [13, 26]


def test_checkpoints_in_several_files(tmp_path):
    def write_shards(path):
        parts = {"model-00001-of-00002.safetensors": "core", "model-00002-of-00002.safetensors": "head"}
        for name, part in parts.items():
            safetensors.torch.save_file({n: t for n, t in WEIGHTS.items() if part in n}, path / name)
        places = {n: name for name, part in parts.items() for n in WEIGHTS if part in n}
        (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))

    hugging_face(tmp_path / "ck", [13, 26], write_shards)
    assert same(run_of(tmp_path, {}), WEIGHTS, step=13)
    first = tmp_path / "ck" / "checkpoint-13"
    index = first / "model.safetensors.index.json"
    (first / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors: cannot be read" in refusal(tmp_path / "b", {}, pattern=str(first))
    index.write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}))
    assert "expected files beside it" in refusal(tmp_path / "b", {}, pattern=str(first))
    index.write_text("{")
    assert "cannot be read as JSON" in refusal(tmp_path / "b", {}, pattern=str(first))


def test_numbered_folders_and_a_run_among_the_checkpoints(tmp_path):
    files = {"0001/model.pt": WEIGHTS, "0002/model.pt": WEIGHTS, "0002/optimizer.pt": {"state": {}}}
    write(tmp_path, files)
    (tmp_path / "ck" / "logs").mkdir()
    (tmp_path / "ck" / "notes.txt").write_text("notes")
    for pattern in ("ck", "ck/*", "ck/*/model.pt"):
        run = Run.from_checkpoints(str(tmp_path / pattern), build=Model, path=tmp_path / "ck" / "run", overwrite=True)
        assert run.epochs.tolist() == [1, 2]
    with pytest.raises(RunError, match="is a run of rnnscope"):
        Run.from_checkpoints(run.path, build=Model, path=tmp_path / "other")


def test_losses_come_from_names_and_entries(tmp_path):
    files = {
        "epoch_1_loss_0.3000.pth": WEIGHTS,
        "epoch_2_loss_0.2000.pth": {"model": WEIGHTS, "loss": np.float64(0.1999), "val_loss": torch.tensor([0.5])},
        "epoch_3_loss_nan.pth": {"model": WEIGHTS, "loss": float("nan"), "metrics": {"acc": 0.5}, "ok": True},
    }
    scalars = run_of(tmp_path, files).scalars
    assert scalars["loss"].tolist()[:2] == [0.3, 0.1999]
    assert np.isnan(scalars["loss"].tolist()[2])
    assert scalars["val_loss"].tolist()[1] == 0.5
    assert scalars["acc"].tolist()[2] == 0.5
    assert "ok" not in scalars


def test_the_training_loss_is_called_loss(tmp_path):
    files = {f"e{k}.pt": {"model": WEIGHTS, "train_loss": 1 / k, "val_loss": 2.0} for k in (1, 2)}
    scalars = run_of(tmp_path, files).scalars
    assert scalars["loss"].tolist() == [1.0, 0.5]
    assert set(scalars.columns) == {"step", "loss", "val_loss"}


def test_half_precision_nan_and_other_devices_are_kept(tmp_path, monkeypatch):
    half = {name: tensor.half() for name, tensor in WEIGHTS.items()}
    bfloat = {name: tensor.bfloat16() * float("nan") for name, tensor in WEIGHTS.items()}
    mixed = {name: tensor.double() if "head" in name else tensor for name, tensor in WEIGHTS.items()}
    write(tmp_path, {"e1.pt": half, "e2.pt": bfloat, "e3.pt": mixed})
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:1")
    write(tmp_path, {"e4.pt": WEIGHTS})
    monkeypatch.undo()
    assert b"cuda:1" in (tmp_path / "ck" / "e4.pt").read_bytes()
    run = run_of(tmp_path, {})
    assert same(run, half, epoch=1)
    assert run.snapshot(epoch=2)["core.weight_hh_l0"].dtype == torch.bfloat16
    assert bool(run.snapshot(epoch=2)["core.weight_hh_l0"].isnan().all())
    assert same(run, mixed, epoch=3)
    assert same(run, WEIGHTS, epoch=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.to_sparse(), "head.weight is a sparse or nested tensor"),
        (lambda t: t.to("meta"), "head.weight is a tensor without numbers"),
        (lambda t: t.to(torch.complex128), "head.weight is of type torch.complex128"),
    ],
)
def test_tensors_that_cannot_be_kept_are_refused_by_name(tmp_path, change, message):
    content = {name: change(tensor) if name == "head.weight" else tensor for name, tensor in WEIGHTS.items()}
    assert message in refusal(tmp_path, {"e1.pt": content})
    further = {**WEIGHTS, "other.weight": change(WEIGHTS["head.weight"])}  # nobody asks for it
    assert same(run_of(tmp_path, {"e1.pt": further}), WEIGHTS)


def test_quantised_tensors_are_refused_by_name(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(WEIGHTS["head.weight"], 0.1, 0, torch.qint8)
        assert "head.weight is quantised" in refusal(tmp_path, {"e1.pt": {**WEIGHTS, "head.weight": quantised}})


class Malicious:
    def __reduce__(self):
        return (print, ("executed",))


def test_bad_files_are_refused_with_the_reason(tmp_path, capsys):
    assert "no such files" in refusal(tmp_path, {}, pattern=str(tmp_path / "*.none"))
    (tmp_path / "ck").mkdir()
    assert "no checkpoints there" in refusal(tmp_path, {}, pattern=str(tmp_path / "ck"))
    path = tmp_path / "ck" / "e1.pt"
    path.write_bytes(pickle.dumps(Malicious(), protocol=2))
    assert "it asks for builtins.print" in refusal(tmp_path, {})
    assert "it asks for builtins.print" in refusal(tmp_path, {"e1.pt": {"model": WEIGHTS, "x": Malicious()}})
    assert "executed" not in capsys.readouterr().out
    torch.save(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:-500])
    assert "cut short" in refusal(tmp_path, {})
    path.write_bytes(b"")
    assert "the file is empty" in refusal(tmp_path, {})
    assert "came list" in refusal(tmp_path, {"e1.pt": [1, 2]})
    assert "no state dict in it" in refusal(tmp_path, {"e1.pt": {"epoch": 3}})
    assert "W (numpy.ndarray)" in refusal(tmp_path, {"e1.pt": {"W": np.ones(3)}})
    path.unlink()
    path.symlink_to(tmp_path / "nowhere.pt")
    assert re.search(r"e1.pt: a link to .*nowhere.pt, which is not there", refusal(tmp_path, {}))
    with pytest.raises(TypeError, match=r"expected a function that makes an nn\.Module"):
        Run.from_checkpoints(str(path), build=lambda: 3, path=tmp_path / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_are_named(tmp_path):
    pattern = write(tmp_path, {"e1.pt": WEIGHTS})
    (tmp_path / "ck" / "e1.pt").chmod(0)
    assert "cannot be read: Permission denied" in refusal(tmp_path, {}, pattern=pattern)


def test_links_to_others_of_the_files_are_not_read_twice(tmp_path):
    write(tmp_path, {"epoch_1.pt": WEIGHTS, "epoch_2.pt": WEIGHTS})
    (tmp_path / "ck" / "latest.pt").symlink_to("epoch_2.pt")
    (tmp_path / "elsewhere.pt").write_bytes((tmp_path / "ck" / "epoch_1.pt").read_bytes())
    (tmp_path / "ck" / "epoch_3.pt").symlink_to(tmp_path / "elsewhere.pt")
    assert run_of(tmp_path, {}).epochs.tolist() == [1, 2, 3]


def test_a_whole_pickled_module_is_refused_with_a_program_that_converts_it(tmp_path, monkeypatch):
    (tmp_path / "networks.py").write_text(
        "from torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.core, self.head = nn.LSTM(1, 3, batch_first=True), nn.Linear(3, 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    net = importlib.import_module("networks").Net()
    files = {"e4.pt": net, "e5.pt": {"epoch": 5, "model": net}}
    write(tmp_path, files)
    torch.save(net, tmp_path / "ck" / "e6.pt", _use_new_zipfile_serialization=False)
    programs = []
    for name in ("e4.pt", "e5.pt", "e6.pt"):
        message = refusal(tmp_path, {}, pattern=str(tmp_path / "ck" / name))
        assert "a whole pickled module, networks.Net" in message
        assert 'torch.save({"epoch": epoch, "state_dict": model.state_dict()}, file)' in message
        programs.append([line.strip() for line in message.splitlines() if line.startswith("    ")])
    assert [len(program) for program in programs] == [2, 2, 2]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    program = "\n".join(line for program in programs for line in program)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=environment)
    run = run_of(tmp_path, {}, str(tmp_path / "ck" / "*.weights"))
    assert run.epochs.tolist() == [4, 5, 6]
    assert all(same(run, net.state_dict(), epoch=epoch) for epoch in (4, 5, 6))


def test_of_many_files_one_is_in_memory_at_a_time(tmp_path, monkeypatch):
    write(tmp_path, {f"e{k}.pt": {"model": WEIGHTS} for k in range(20)})
    seen, most_alive = [], []

    def counted(*arguments, **named):
        weights = weights_of(*arguments, **named)
        seen.extend(weakref.ref(tensor) for tensor in weights.values())
        most_alive.append(sum(each() is not None for each in seen))
        return weights

    monkeypatch.setattr(checkpoints, "weights_of", counted)
    assert len(run_of(tmp_path, {}).steps) == 20
    assert len(seen) == 2 * 20 * len(WEIGHTS)  # looked at, then copied
    assert max(most_alive) <= 2 * len(WEIGHTS)


def test_a_file_that_is_written_again_meanwhile_is_noticed(tmp_path, monkeypatch):
    write_snapshot = RunFolder.write_snapshot

    def training_goes_on(self, *arguments):
        write_snapshot(self, *arguments)
        torch.save({"model": Model().state_dict(), "further": 1}, tmp_path / "ck" / "e2.pt")

    monkeypatch.setattr(RunFolder, "write_snapshot", training_goes_on)
    assert "e2.pt: was written again meanwhile" in refusal(tmp_path, {"e1.pt": WEIGHTS, "e2.pt": WEIGHTS})


def test_the_run_is_called_after_the_folder_of_the_checkpoints(tmp_path, monkeypatch):
    write(tmp_path, {"e1.pt": WEIGHTS})
    monkeypatch.chdir(tmp_path)
    assert Run.from_checkpoints("ck/*.pt", build=Model).path == Path("runs/ck")
    several = ["ck/e1.pt", "ck"]
    assert Run.from_checkpoints(several, build=Model).epochs.tolist() == [1]
