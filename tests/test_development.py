"""What the Makefile chooses and installs, and that the files which name versions and checks agree."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make")


def make(folder, *arguments, path=None):
    """Run make as from a fresh shell: without what a make around the tests, or its user, has set."""
    own = ("MAKE", "PYTHON", "TORCH_INDEX", "VENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    environment["PATH"] = str(path or environment["PATH"])
    return subprocess.run(
        [str(MAKE), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def pins(name) -> dict[str, Version]:
    """The versions that a file of constraints holds, by name."""
    lines = re.findall(r"^([\w-]+)==(\S+)", (ROOT / name).read_text(), re.M)
    return {canonicalize_name(package): Version(version) for package, version in lines}


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def fake_python(path, version, *, has_venv=True):
    """A program that says of itself that it is this version; None is one that only complains, as pyenv's do."""
    if version is None:
        return script(path, f'echo "{path.name}: command not found" >&2; exit 127')
    minus = "" if has_venv else 'sys.modules["ensurepip"] = None; '
    code = f"import sys; sys.version_info = {version}; {minus}exec(sys.argv[2])"
    return script(path, f"exec {sys.executable} -ISc '{code}' \"$@\"")


@pytest.fixture
def checkout(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "constraints-oldest.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def programs(tmp_path):
    """A folder that holds the only programs there are."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("echo", "sed", "touch"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


NEWEST_FIRST = {f"python3.{minor}": (3, minor) for minor in (14, 13, 12, 11)}


@pytest.mark.parametrize(
    ("there", "without_venv", "chosen"),
    [
        (NEWEST_FIRST, (), "python3.13"),
        (NEWEST_FIRST, ("python3.13", "python3.12"), "python3.11"),
        ({"python3": (3, 12)}, (), "python3"),
        ({"python3": (3, 10), "python3.14": (3, 14)}, (), "python3.14"),
        ({"python3.13": None, "python3.12": None, "python3.11": (3, 11), "python3": (3, 13)}, (), "python3.11"),
    ],
)
def test_the_first_suitable_python_is_taken(checkout, programs, there, without_venv, chosen):
    for name, version in there.items():
        fake_python(programs / name, version, has_venv=name not in without_venv)
    told = make(checkout, "python", path=programs)
    assert (told.stdout, told.stderr) == (f"{chosen}\n", "")
    assert make(checkout, "-n", "demo", path=programs).stdout.startswith(f"{chosen} -m venv .venv\n")


@pytest.mark.parametrize(
    ("there", "arguments", "tried"),
    [
        ({}, (), "python3.13 python3.12 python3.11 python3.14 python3"),
        ({"python3": (3, 10)}, (), "python3.13 python3.12 python3.11 python3.14 python3"),
        ({"python3": (3, 15)}, (), "python3.13 python3.12 python3.11 python3.14 python3"),
        ({"python3.13": (3, 13), "python3.9": (3, 9)}, ("PYTHON=python3.9",), "python3.9"),
    ],
)
def test_without_a_suitable_python_one_line_says_what_to_do(checkout, programs, there, arguments, tried):
    for name, version in there.items():
        fake_python(programs / name, version)
    for target in ("demo", "test"):
        told = make(checkout, target, *arguments, path=programs)
        assert told.returncode == 2
        assert told.stdout == ""
        assert told.stderr.count("\n") == 1
        assert f"no Python 3.11 to 3.14 with venv (python3-venv on Debian and Ubuntu) among: {tried}." in told.stderr
        assert "make PYTHON=/path/to/python" in told.stderr


@pytest.mark.parametrize(
    ("offered", "system", "arguments", "warned"),
    [
        ("{torch}+cpu, {torch}", "Linux", (), False),
        ("{torch}, {torch}+cpu", "Linux", ("TORCH_INDEX=file:///wheels",), False),
        ("{torch}", "Linux", (), True),
        ("99.0+cpu, {torch}", "Linux", (), True),
        ("{torch}", "Darwin", (), False),
    ],
)
def test_the_cuda_build_is_announced_where_there_is_no_other(checkout, programs, offered, system, arguments, warned):
    torch = str(pins("constraints.txt")["torch"])
    script(checkout / ".venv/bin/python", "")
    script(checkout / ".venv/bin/pip", f'echo "$@" >> pip.log; echo "torch {offered.format(torch=torch)}"')
    script(programs / "uname", f"echo {system}")
    told = make(checkout, "setup", *arguments, path=programs)
    assert told.returncode == 0, told.stderr
    lines = [line for line in told.stdout.splitlines() if "CUDA build" in line]
    assert len(lines) == warned
    assert all(f"torch {torch}: " in line and "make TORCH_INDEX=" in line for line in lines)
    looked_up, installed = (checkout / "pip.log").read_text().splitlines()
    assert looked_up.startswith("index versions torch ")
    assert installed.endswith("-c constraints.txt -e .[parallel]")
    for line in (looked_up, installed):
        assert ("--extra-index-url file:///wheels" in line) == bool(arguments)


def test_a_commit_is_checked_by_what_make_test_checks_first(checkout):
    for name in ("bin/python", "installed", "installed-dev"):
        script(checkout / ".venv" / name, "")
    lint, test = (make(checkout, "-n", target).stdout for target in ("lint", "test"))
    assert test.startswith(lint)
    assert [line.removeprefix(".venv/bin/").split()[0] for line in test.splitlines()] == [
        "ruff", "ruff", "lint-imports", "pyright", "pytest",
    ]  # fmt: skip
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"^ *(?:- )?(repo|entry|language): (.*)$", hooks, re.M) == [
        ("repo", "local"), ("entry", "make lint"), ("language", "system"),
    ]  # fmt: skip


def test_the_oldest_versions_tested_are_the_minima():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["parallel"]]
    minima = {
        canonicalize_name(name): Version(version)
        for name, version in (requirement.split(">=") for requirement in wanted)
    }
    oldest, tested = pins("constraints-oldest.txt"), pins("constraints.txt")
    assert {name: oldest.get(name) for name in minima} == minima
    assert all(tested[name] >= minima[name] for name in minima)


def test_the_oldest_versions_have_an_environment_of_their_own(checkout):
    told = make(checkout, "-n", "test-oldest").stdout
    assert " -c constraints-oldest.txt -e '.[test]'\n" in told
    assert "\n.venv-oldest/bin/pytest " in told
    assert ".venv/" not in told
