"""Shapes in signatures are checked while the tests run; slow tests run where RNNSCOPE_SLOW is set."""

import os
import warnings

import pytest
import torch
from jaxtyping import install_import_hook

if not os.environ.get("RNNSCOPE_PEERS"):  # a step takes five times as long with it, and make test has had it
    install_import_hook(["rnnscope.systems", "rnnscope.cells"], "beartype.beartype")


def pytest_configure(config):
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")


def pytest_collection_modifyitems(config, items):
    if os.environ.get("RNNSCOPE_SLOW"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: set RNNSCOPE_SLOW=1"))


@pytest.fixture(autouse=True)
def one_thread():
    """Bit-identity is claimed for one torch thread only, and two test processes share two cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """A finished run: GRU with 4 units on short sines, 6 epochs; do not change it."""
    from rnnscope.training import Config, fit

    path = tmp_path_factory.mktemp("runs") / "small"
    changes = ["n_epochs=6", "hidden_size=4", "task.length=20", "n_frequencies=20", "n_probed=3"]
    changes += ["n_transient=100", "n_keep=50", "n_starts=2"]
    return fit(Config.assemble("sine", model="gru", changes=changes), path)


@pytest.fixture
def run_copy(small_run, tmp_path):
    """A copy of the small run, to be changed."""
    import shutil

    from rnnscope.runs import Run

    shutil.copytree(small_run.path, tmp_path / "copy")
    return Run(tmp_path / "copy")
