"""``make test-peers`` tests every package that is pinned: one that is missing would only be skipped elsewhere."""

import os
from importlib.metadata import distribution
from pathlib import Path

import pytest

PINNED = (Path(__file__).parents[2] / "constraints-peers.txt").read_text().splitlines()


@pytest.mark.skipif(not os.environ.get("RNNSCOPE_PEERS"), reason="the packages are there in make test-peers only")
@pytest.mark.parametrize("line", [line for line in PINNED if not line.startswith("#")])
def test_pinned_packages_are_installed_beside_one_torch(line):
    name, version = line.split("==")
    found = distribution(name)
    assert found.version == version
    beside = Path(str(found.locate_file("")))
    assert not (beside / "torch").exists(), "torch is there twice"
