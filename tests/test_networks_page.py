"""The programs in docs/networks.md run as they stand, one by one."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from rnnscope.testing import check_system

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
PROGRAMS = dict(re.findall(r"^### (.+?)\n.*?^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
PACKAGES = ("torchrecurrent", "mambapy", "minGRU_pytorch", "ncps", "xlstm", "s5", "snntorch", "LRU_pytorch")


def test_every_family_has_its_program():
    rows = re.findall(r"^\| \[(.+?)\]\(#", PAGE.read_text(), re.MULTILINE)
    assert rows == list(PROGRAMS)
    assert PAGE.read_text().count("```python") == len(PROGRAMS)
    assert all(any(package in program for program in PROGRAMS.values()) for package in PACKAGES)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name, tmp_path, monkeypatch):
    program = PROGRAMS[name]
    for package in PACKAGES:
        if re.search(rf"^(from|import) {package}\b", program, re.MULTILINE) and not importlib.util.find_spec(package):
            pytest.skip(f"{package} is not installed: make test-peers")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "program.py"  # a file, for torch.jit.script reads the source
    file.write_text(program)
    torch.manual_seed(0)
    spec = importlib.util.spec_from_file_location("program", file)
    assert spec is not None
    assert spec.loader is not None
    left = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "program", left)
    spec.loader.exec_module(left)
    assert left.found.sizes
    system = getattr(left, "system", None)
    if system is not None and system.derivative_problem is None and system.n_tokens is None:
        check_system(system, scale=0.1, centre=1.0)
