import argparse
import collections
import dataclasses
import datetime
import enum
import functools
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope.base.errors import RunError
from rnnscope.runs._torch_files import foreign_name, open_torch

WEIGHTS = {"w": torch.arange(6.0).reshape(2, 3)}


class AttributeDict(dict):
    pass


class Items(list):
    pass


@dataclasses.dataclass(slots=True)
class Settings:
    lr: float = 0.1


class Kind(enum.Enum):
    A = 1


class Calls:
    """Pickled as a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def saved(path, beside, *, legacy=False):
    torch.save({"weights": WEIGHTS, "beside": beside}, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("beside", "name"),
    [
        (argparse.Namespace(lr=0.1), "argparse.Namespace"),
        (pathlib.PurePosixPath("a"), "PurePosixPath"),
        (Settings(), "Settings"),
        (Kind.A, "Kind"),
        (datetime.datetime(2020, 1, 1), "datetime.datetime"),
        (functools.partial(torch.tanh), "functools.partial"),
        (torch.nn.functional.relu, "torch.nn.functional.relu"),
        (Calls, "Calls"),
        (np.arange(3), "numpy.ndarray"),
        (Items.append, "builtins.getattr"),
        (Calls(functools.reduce, 1, 2), "functools.reduce"),
    ],
)
def test_what_stands_beside_the_weights_is_left_aside(tmp_path, beside, name, legacy):
    content = open_torch(saved(tmp_path / "a.pt", beside, legacy=legacy), {})
    assert torch.equal(content["weights"]["w"], WEIGHTS["w"])
    assert (foreign_name(content["beside"]) or "").endswith(name)


@pytest.mark.parametrize(
    ("beside", "value"),
    [
        (np.float32(0.25), 0.25),
        (np.float64(1.5), 1.5),
        (np.int64(-3), -3),
        (np.bool_(True), True),
        (np.dtype(">f8").type(2.5), 2.5),
        (collections.defaultdict(list, {"loss": [1.0]}), {"loss": [1.0]}),
        (AttributeDict(lr=0.1), {"lr": 0.1}),
        (Items([1, 2]), [1, 2]),
        (collections.deque([1, 2]), [1, 2]),
    ],
)
def test_numbers_of_numpy_and_filled_containers_keep_their_values(tmp_path, beside, value):
    came = open_torch(saved(tmp_path / "a.pt", beside), {})["beside"]
    assert came == value
    assert type(came) in (float, int, bool, list, collections.OrderedDict)


def test_stand_ins_serve_further_files_and_leave_torch_as_it_was(tmp_path):
    saved(tmp_path / "a.pt", argparse.Namespace(a=Kind.A))
    stand_ins = {}
    before = set(torch.serialization.get_safe_globals())
    for _ in range(2):
        open_torch(tmp_path / "a.pt", stand_ins)
        assert sorted(stand_ins) == ["argparse.Namespace", f"{Kind.__module__}.Kind"]
    assert set(torch.serialization.get_safe_globals()) == before


def test_what_someone_allowed_themselves_stays_allowed(tmp_path):
    saved(tmp_path / "a.pt", argparse.Namespace(lr=0.5))
    with torch.serialization.safe_globals([argparse.Namespace]):
        assert open_torch(tmp_path / "a.pt", {})["beside"].lr == 0.5
        assert argparse.Namespace in torch.serialization.get_safe_globals()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "call",
    [
        (print, "executed"),
        (exec, "print('executed')"),
        (os.system, "echo executed"),
        (subprocess.check_call, ["echo", "executed"]),
        (pickle.loads, pickle.dumps(1)),
    ],
)
def test_what_runs_code_is_refused_and_not_run(tmp_path, capfd, call, legacy):
    path = saved(tmp_path / "a.pt", Calls(*call), legacy=legacy)
    with pytest.raises(RunError, match=rf"refused: it asks for \w+\.{call[0].__name__}, which runs code"):
        open_torch(path, {})
    assert "executed" not in capfd.readouterr().out


def test_functions_of_the_file_itself_are_not_run_even_where_it_is_read(tmp_path, capfd):
    module = tmp_path / "danger.py"
    module.write_text("print('imported')\ndef act(*_):\n    print('executed')\n")
    program = (
        "import sys, torch; sys.path.insert(0, '.'); import danger\n"
        "class C:\n    def __reduce__(self): return danger.act, (1,)\n"
        "torch.save({'weights': torch.ones(2), 'x': C()}, 'a.pt')"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    assert foreign_name(open_torch(tmp_path / "a.pt", {})["x"]) == "danger.act"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04", "cut short, damaged or not a file of torch.save"),
        (b"no checkpoint at all", "not a file of torch.save"),
        (pickle.dumps(WEIGHTS["w"].tolist(), protocol=4), "pickled in another way than that does"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(RunError, match=message) as caught:
        open_torch(tmp_path / "a.pt", {})
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_every_cut_and_flip_of_a_file_is_an_error_or_is_read(tmp_path):
    path = saved(tmp_path / "a.pt", argparse.Namespace(lr=0.1), legacy=True)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for at in generator.integers(0, len(whole), 150):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            path.write_bytes(content)
            try:
                open_torch(path, {})
            except RunError:
                continue


def test_torchscript_is_named(tmp_path):
    with pytest.warns(DeprecationWarning, match="jit"):
        torch.jit.save(torch.jit.script(nn.Linear(1, 1)), tmp_path / "a.pt")
    with pytest.raises(RunError, match="a TorchScript archive"):
        open_torch(tmp_path / "a.pt", {})
