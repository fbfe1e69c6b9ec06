"""Verifying runs, and a fuzz test: whatever bytes of whatever file are damaged, it is named or harmless."""

import contextlib
import io
import json
import random
import shutil
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from rnnscope.base.errors import DamagedFileError, RunError
from rnnscope.base.files import file_digest
from rnnscope.cli import main
from rnnscope.runs import Run, RunFolder, list_runs
from rnnscope.runs.checking import check_run
from rnnscope.runs.sequences import write_sequences
from rnnscope.runs.tensors import load_tensors
from rnnscope.systems import System
from rnnscope.training import Recorder

QUICK: dict[str, Any] = {"n_starts": 2, "n_transient": 60}
KINDS = (
    "config.toml",
    "model.toml",
    "provenance.json",
    "recording.json",
    "ended.json",
    "scalars.jsonl",
    "checkpoint.safetensors",
    "sequences.safetensors",
    "snapshots/*.safetensors",
    "probes/*/probe.json",
    "probes/*/*.nc",
    "probes/*/*.nc.sha256",
)


@pytest.fixture(scope="module")
def run_path(small_run, tmp_path_factory):
    """A run that was resumed and finished, with two sets of results in three blocks; left as it was by every test."""
    path = shutil.copytree(small_run.path, tmp_path_factory.mktemp("checked") / "run")
    RunFolder.reopen(path).end("finished", recorder_seconds=0.25)
    write_sequences(path, Run(path).sequences, 1)
    run = Run(path)
    run.probe("orbits", n_keep=20, epochs=[0, 2, 4], **QUICK)
    run.probe("orbits", n_keep=20, epochs=[1, 3], **QUICK)
    run.probe("orbits", n_keep=30, epochs=[5, 6], **QUICK)
    return path


@pytest.fixture
def quick_netcdf(monkeypatch):
    """A netCDF file whose bytes were read before is not parsed again: that takes 80 ms."""
    read, parse = {}, xr.open_dataset

    def open_dataset(path, **options):
        digest = file_digest(path)
        if digest not in read:
            with parse(path, **options) as dataset:
                read[digest] = dataset.load()
        return read[digest].copy(deep=True)

    monkeypatch.setattr(xr, "open_dataset", open_dataset)


def alter(path, old, new):
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def unsealed(run):
    """The run as a version without digests of text files would have written it."""
    for path in (run.path / "provenance.json", run.path / "ended.json", *run.path.glob("probes/*/probe.json")):
        content = json.loads(path.read_text())
        del content["sha256_of_files"]
        path.write_text(json.dumps(content))
    return run


def test_a_whole_run(run_path, capsys):
    checked = check_run(run_path)
    assert (checked.damaged, checked.notes) == ((), ())
    assert checked.n_files == 8 + 7 + 2 + 3
    assert Run(run_path).check() == []
    assert command("runs", "--check", run_path.parent) == 0
    with pytest.raises(SystemExit):
        main(["runs", "--check", str(run_path)])
    assert "20 files of 1 run verified: all as they were written" in capsys.readouterr().out


def test_damage_is_told_on_the_command_line(run_copy, capsys):
    alter(run_copy.path / "config.toml", "n_epochs = 6", "n_epochs = 7")
    (run_copy.path / "snapshots" / "0000000004.safetensors").write_bytes(b"")
    for as_json in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["runs", "--check", str(run_copy.path.parent), *as_json])
        shown = capsys.readouterr()
        assert ended.value.code == 2
        assert shown.err.endswith(f"error: 2 of 13 files under {run_copy.path.parent} are damaged\n")
        lines = json.loads(shown.out)[0]["damaged"] if as_json else shown.out.splitlines()
        assert len(lines) == 2
        assert "config.toml: differs from its SHA-256 in provenance.json; compare it with a copy" in lines[0]
        assert "0000000004.safetensors: cut short or not a safetensors file" in lines[1]
        assert lines[1].endswith("this epoch is left out, the others are read")
    assert command("runs", "--check", run_copy.path / "snapshots") == 0
    assert command("runs", "--check", run_copy.path / "nowhere") == 2


def test_leftovers_are_harmless_and_what_is_not_ours_is_ignored(run_copy):
    leftover = run_copy.path / "snapshots" / ".0000000007.safetensors.123.part"
    orphan = run_copy.path / "probes" / "orbits-0123456789" / "0000000000-0000000003.nc.sha256"
    orphan.parent.mkdir(parents=True)
    for path in (leftover, orphan, run_copy.path / "report.html", run_copy.path / "snapshots" / "mine.safetensors"):
        path.write_bytes(b"?")
    checked = check_run(run_copy.path)
    assert not checked.damaged
    assert [note.partition(":")[0] for note in checked.notes] == [str(leftover), str(orphan)]
    assert all("harmless" in note for note in checked.notes)
    assert command("runs", "--check", run_copy.path) == 0


def test_what_a_writer_at_work_has_not_finished_is_no_leftover(run_copy):
    folder = RunFolder.reopen(run_copy.path)
    owner = json.loads((run_copy.path / "recording.json").read_text())["process"]
    (run_copy.path / "snapshots" / f".0000000007.safetensors.{owner}.part").write_bytes(b"?")
    assert not check_run(run_copy.path).notes
    folder.end("finished")
    assert len(check_run(run_copy.path).notes) == 1


@pytest.mark.parametrize("name", ["config.toml", "model.toml", "provenance.json", "scalars.jsonl"])
def test_a_missing_file_is_named(run_copy, name):
    (run_copy.path / name).unlink()
    (line,) = run_copy.check()
    assert f"{name}: missing" in line


def test_a_renamed_snapshot_is_named(run_copy):
    snapshots = run_copy.path / "snapshots"
    shutil.copy(snapshots / "0000000002.safetensors", snapshots / "0000000003.safetensors")
    assert "holds the weights of step 2" in run_copy.check()[0]


@pytest.mark.parametrize("steps", [[0], [3], [6], [1, 2, 3, 4, 5, 6]])
def test_deleted_snapshots_are_missed(run_copy, steps):
    for step in steps:
        (run_copy.path / "snapshots" / f"{step:010d}.safetensors").unlink()
    (line,) = run_copy.check()
    listed = ", ".join(map(str, steps[:5])) + (", …" if len(steps) > 5 else "")
    assert f"snapshots: {len(steps)} of 7 files of weights are missing, of step {listed}; these epochs" in line


@pytest.mark.parametrize(("every", "due"), [(1, range(1, 8)), (3, (3, 6)), (None, range(1, 8))])
def test_only_snapshots_that_were_due_are_missed(tmp_path, every, due, monkeypatch):
    if every is None:
        monkeypatch.setattr("rnnscope.runs.schedule.EVERY_EPOCH_BELOW", 1)
    with Recorder(tmp_path / "run", torch.nn.GRU(1, 2), every=every) as recorder:
        for epoch in range(7):
            recorder.epoch(epoch, loss=0.5)
    assert check_run(tmp_path / "run").damaged == ()
    kept = sorted((tmp_path / "run" / "snapshots").iterdir())
    for path in kept:
        path.unlink()
    (line,) = check_run(tmp_path / "run").damaged
    assert f"{len(due) + 1} of {len(due) + 1} files of weights are missing, of step 0, {due[0]}" in line


def test_where_it_is_not_known_which_snapshots_were_due_none_is_missed(tmp_path):
    model = torch.nn.GRU(1, 2)
    for every, epochs in ((1, range(3)), (2, range(3, 7))):
        with Recorder(tmp_path / "run", model, every=every, resume=every == 2) as recorder:
            for epoch in epochs:
                recorder.epoch(epoch, loss=0.5)
    (tmp_path / "run" / "snapshots" / "0000000002.safetensors").unlink()
    assert check_run(tmp_path / "run").damaged == ()


def test_a_run_of_an_older_version_opens_without_a_word(run_copy):
    run_copy.probe("orbits", n_keep=20, epochs=[0], **QUICK)
    run = unsealed(run_copy)
    reading = Run(run.path)
    assert (reading.status, len(reading.scalars), reading.dataset("orbits").sizes["step"]) == ("finished", 6, 1)
    assert reading.template.state_size == 4
    assert reading.damaged == []
    (note,) = check_run(run.path).notes
    assert "written by an older rnnscope" in note
    (path,) = run.path.glob("probes/*/probe.json")
    alter(path, '"n_keep": 20', '"n_keep": 21')
    assert "probe.json: differs from what its results say" in run.check()[0]


def test_digests_of_a_damaged_file_accuse_no_other(run_copy):
    path = run_copy.path / "provenance.json"
    digest = json.loads(path.read_text())["sha256_of_files"]["model.toml"]
    alter(path, digest, digest[::-1])
    (line,) = run_copy.check()
    assert "provenance.json: differs from its own SHA-256" in line
    assert run_copy.system(step=2).state_size == 4


def test_an_altered_model_is_refused_until_it_is_given(run_copy):
    alter(run_copy.path / "model.toml", 'cell = "gru"', 'cell = "lstm"')
    with pytest.raises(DamagedFileError, match=r"model.toml: differs from its SHA-256 in provenance.json. Put it back"):
        run_copy.system()
    assert Run(run_copy.path, model=torch.nn.GRU(1, 4)).system().state_size == 4


@pytest.mark.parametrize(
    "table", ["task = 3", "[task]\nname = 'sine'\nlength = -1", "[task]\nname = []", "[task.name]"]
)
def test_results_are_read_whatever_the_config_says(run_copy, table):
    run_copy.probe("orbits", n_keep=20, epochs=[0, 1], **QUICK)
    (run_copy.path / "config.toml").write_text(table)
    run = Run(run_copy.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert run.dataset("orbits").sizes["step"] == 2
    assert "config.toml: differs from its SHA-256 in provenance.json" in run.damaged[0]
    assert command("show", run.path) == command("runs", run.path) == 0


def test_lines_lost_while_recording_are_named(run_copy):
    """A killed run has no digest of its scalars: but weights of an epoch are followed by its line."""
    (run_copy.path / "ended.json").unlink()
    path = run_copy.path / "scalars.jsonl"
    content = path.read_bytes()
    for end in range(0, len(content), 37):
        path.write_bytes(content[:end])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert Run(run_copy.path).check() or len(Run(run_copy.path).scalars) >= 5


@pytest.mark.parametrize("line", range(6))
def test_epochs_stay_when_a_line_is_lost(run_copy, line):
    path = run_copy.path / "scalars.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:line] + lines[line + 1 :]))
    with pytest.warns(UserWarning, match=r"scalars.jsonl: differs from its SHA-256 in ended.json"):
        assert run_copy.epochs.tolist() == list(range(7))


@dataclass
class Reading:
    """All that can be read from a run, by name; RunError where it is refused, and what was said of damage."""

    parts: dict = field(default_factory=dict)
    said: list = field(default_factory=list)


def read(path) -> Reading:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        (run,) = list_runs(path)
        reading = Reading()

        def note(name, get):
            try:
                reading.parts[name] = get()
            except RunError as error:
                reading.parts[name] = error
                reading.said.append(str(error))

        for name in ("config", "provenance", "ended", "status", "scalars", "steps", "epochs", "sequences"):
            note(name, lambda name=name: getattr(run, name))
        for step in range(7):
            note(f"snapshot {step}", lambda step=step: run.snapshot(step=step))
        for n_keep in (20, 30):
            note(f"orbits {n_keep}", lambda n_keep=n_keep: run.dataset("orbits", n_keep=n_keep))
        note("template", lambda: run.template)
        note("checkpoint", lambda: load_tensors(path / "checkpoint.safetensors"))
        reading.said += run.damaged
        return reading


def same(a, b) -> bool:
    if type(a) is not type(b) or isinstance(a, RunError):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, System):
        return a.signature() == b.signature()
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, pd.DataFrame):
        return a.equals(b)
    if isinstance(a, xr.Dataset):
        return a.identical(b)
    return a == b


def own_parts(path, run_path) -> set[str]:
    """The parts that stand in a file, and may be lost with it."""
    name = path.relative_to(run_path).as_posix()
    if name.startswith("snapshots"):
        return {f"snapshot {int(path.stem)}"}
    if name.startswith("probes") and path.name != "probe.json":
        content = json.loads((path.parent / "probe.json").read_text())
        return {f"orbits {content['settings']['n_keep']}"}
    return {
        "config.toml": {"config"},
        "model.toml": {"template"},
        "provenance.json": {"provenance"},
        "ended.json": {"ended", "status"},
        "scalars.jsonl": {"scalars"},
        "checkpoint.safetensors": {"checkpoint"},
        "sequences.safetensors": {"sequences"},
    }.get(name, set())


def assert_rest_is_as_before(name, before, after, own):
    for part, value in before.items():
        now = after[part]
        if part not in own:
            if isinstance(value, xr.Dataset) and name in ("config.toml", "scalars.jsonl"):
                value, now = (  # what the task and the scalars say of results is said as far as they can be read
                    one.drop_vars(["loss", "wanted_frequency"], errors="ignore") for one in (value, now)
                )
                assert value.equals(now), part
            else:
                assert same(value, now), part
        elif isinstance(value, xr.Dataset) and isinstance(now, xr.Dataset):
            assert value.sel(step=now["step"]).identical(now), part
        elif isinstance(value, pd.DataFrame):
            left = now.dropna(axis=1, how="all")
            assert value.loc[left.index, left.columns].equals(left), part


def damaged_copies(content: bytes, chance: random.Random, n: int) -> list[tuple[str, bytes]]:
    """Truncations, flipped bits, other bytes, a block of zeros: n of each."""
    copies = []
    for _ in range(n):
        copies.append(("cut", content[: chance.randrange(len(content))]))
        for n_flips in (1, chance.randint(2, 4)):
            changed = bytearray(content)
            for _ in range(n_flips):
                changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            copies.append((f"{n_flips} bits", bytes(changed)))
        changed = bytearray(content)
        changed[chance.randrange(len(content))] = chance.randrange(256)
        copies.append(("byte", bytes(changed)))
        begin = chance.randrange(len(content))
        end = min(len(content), begin + chance.choice((1, 16, 512)))
        copies.append(("zeros", content[:begin] + bytes(end - begin) + content[end:]))
    return [(how, copy) for how, copy in copies if copy != content]


def command(*arguments) -> int:
    with (
        pytest.raises(SystemExit) as ended,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as said,
    ):
        main([str(argument) for argument in arguments])
    assert ended.value.code in (0, 2), said.getvalue()
    return ended.value.code


def fuzz(run_path, kind, seed, n, every_command) -> int:
    """Damage files of one kind in many ways; returns in how many."""
    chance = random.Random(f"{kind} {seed}")
    before = read(run_path)
    assert not before.said
    files = sorted(run_path.glob(kind))
    n_cases = 0
    for case in range(n):
        path = files[case % len(files)]
        content, own = path.read_bytes(), own_parts(path, run_path)
        try:
            for how, copy in damaged_copies(content, chance, 1):
                path.write_bytes(copy)
                n_cases += 1
                lines, after = check_run(run_path).damaged, read(run_path)
                told = f"{path.name}, {how}: {lines}, {after.said}"
                assert len(lines) <= 1, told
                assert_rest_is_as_before(path.name, before.parts, after.parts, own)
                changed = [part for part in own if not same(before.parts[part], after.parts[part])]
                assert not changed or (lines and path.name in lines[0]), told
                assert not changed or any(path.name in line for line in after.said), told
                if n_cases % every_command == 0:
                    command("show", run_path)
                    command("runs", run_path)
                    assert command("runs", "--check", run_path) == (2 if lines else 0)
        finally:
            path.write_bytes(content)
    assert not read(run_path).said
    assert not check_run(run_path).damaged
    return n_cases


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_or_harmless(run_path, quick_netcdf, kind):
    assert fuzz(run_path, kind, seed=0, n=10, every_command=12) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_much_more_damage_is_named_or_harmless(run_path, quick_netcdf, kind):
    assert fuzz(run_path, kind, seed=1, n=40, every_command=10) >= 160
