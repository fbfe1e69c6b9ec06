"""Keys of stored results, recorded from the first version: a change of code must not part results from their probe."""

from pathlib import Path

import pytest

from rnnscope.attractors import Attractors, FixedPoints, Lyapunov, Orbits
from rnnscope.experiments._continuation import Continuation
from rnnscope.experiments._held_out import HeldOut
from rnnscope.experiments.chaotic_lstm import ChaoticLine, ChaoticPlane
from rnnscope.runs.results import results_folder
from rnnscope.smoothness import Growth, Landscape, Roughness, Smoothness

PROBES = [
    Orbits(),
    Orbits(inputs=[[0.0], [0.5]], starts=[[0.1, 0.2], [0.3, 0.4]], n_keep=20, keep_states=True, dtype="float64"),
    Orbits(starts="normal(100)", tolerance=1e-5, seed=3),
    Attractors(),
    Attractors(inputs=[[1]], starts="visited(0.5)", n_extensions=1, escape=10),
    FixedPoints(),
    FixedPoints(periods=(2, 1), noise=(0, 0.5), n_starts=64, vectors=True, dtype=None),
    Lyapunov(),
    Lyapunov(drive=[[0.0], [1.0]], n_exponents="all", interval=5),
    Lyapunov(drive="closed", n_exponents=3, starts="normal(1)"),
    Smoothness(),
    Smoothness(n_eigenvalues=3, tolerance=0.01, n_sequences=2),
    Growth(),
    Growth(lengths=[10, 20, 50, 100], along="data", n_starts=8),
    Growth(input=[0.3], centre=[0.0, 1.0], target=1.5, starts_at_once=4),
    Landscape(),
    Landscape(compile=True),
    Landscape(across="random", n_points=11, extent=1, dtype="float64"),
    Roughness(),
    Roughness(direction="radial", extent=1, lengths=[20, 10], dtype=None),
    Continuation(frequencies=(0.2, 0.3), length=100),
    HeldOut(task="symbols", task_settings=(("gap", 5),), n_sequences=10),
    ChaoticLine(),
    ChaoticPlane(n_first=3, seed=2),
]
RECORDED = Path(__file__).with_name("recorded_keys.txt").read_text().splitlines()
"""The folder of its results and the canonical description of each probe."""


@pytest.mark.parametrize(("probe", "line"), list(zip(PROBES, RECORDED, strict=True)))
def test_folder_and_description_are_those_of_the_first_version(probe, line):
    folder, _, description = line.partition(" ")
    assert probe.description() == description
    assert probe.key == folder.rpartition("-")[2]
    assert results_folder(Path("run"), probe) == Path("run", "probes", folder)


def test_what_stands_apart_has_a_key_of_its_own():
    assert results_folder(Path("run"), Orbits(), "another model") == Path("run/probes/orbits-0d61d137d4")
