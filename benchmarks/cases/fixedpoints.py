"""Fixed points: the search on a network that holds three bits."""

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import Timing, compare

_NETWORKS = Path(__file__).parents[2] / "tests" / "attractors" / "networks" / "train.py"


def search() -> list[Timing]:
    """1024 starts on a trained tanh network of 16 units, all to q < 1e-24; the reference is 0.3 s."""
    from rnnscope.attractors import distinct_points, find_fixed_points

    system, starts = _flipflop("rnn", 1024)

    def ours() -> Any:
        return find_fixed_points(system, starts)

    def check() -> None:
        found = ours()
        assert bool((found.q < 1e-24).all()), f"{int((found.q >= 1e-24).sum())} starts did not get there"
        assert len(distinct_points(found.location, found.residual, 1e-6)[0]) == 27

    name = "1024 searches, tanh network of 16 units, to q < 1e-24"
    return [compare(name, ours, lambda: time.sleep(0.3), at_most=1.0, equal=check)]


def probe() -> list[Timing]:
    """The whole probe on the same network at one input, 1024 starts; the reference is 0.5 s."""
    from rnnscope.attractors import FixedPoints

    system, _ = _flipflop("rnn", 1)
    sequences = _networks().tasks.build("flipflop", length=60, n_sequences=20).data()[0]
    measured = FixedPoints(n_starts=1024)
    name = "probe fixedpoints, tanh network of 16 units, 1024 starts"
    return [compare(name, lambda: measured.measure(system, sequences), lambda: time.sleep(0.5), at_most=1.0)]


CASES: dict[str, Callable[[], list[Timing]]] = {"fixedpoints": search, "fixedpoints-probe": probe}


def _flipflop(model: str, n_starts: int) -> tuple[Any, torch.Tensor]:
    """The network in float64, and states it visits, points between them and noise on both."""
    networks = _networks()
    system = networks.flipflop_system(model).to(torch.float64)
    inputs = networks.tasks.build("flipflop", length=60, n_sequences=100).data()[0].double()
    states = system.simulate(torch.zeros(100, system.state_size).double(), inputs.movedim(1, 0), states=True).states
    states = states.flatten(0, 1)
    generator = torch.Generator().manual_seed(0)
    first, second = states[torch.randint(len(states), (2, n_starts), generator=generator)]
    share = torch.rand(n_starts, 1, generator=generator).double()
    noise = torch.randn(n_starts, system.state_size, generator=generator).double() * states.std(0) / 2
    return system, first + share * (second - first) + noise


def _networks() -> Any:
    spec = importlib.util.spec_from_file_location("networks", _NETWORKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
