"""The chaotic LSTM: two units, no input; its strange attractor, and its cost along a line and on a plane.

The target is the network's own orbit, steps 101 … 200 from h = c = 0.5, so that V = 0 at its own weights θ*. Along
θ(s) = s θ* the cost is smooth where the map settles, and has minima everywhere where it is chaotic.

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 3, figures 1 to 3; settings of their companion code.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from rnnscope.attractors import Lyapunov, Orbits
from rnnscope.base.errors import FolderTakenError
from rnnscope.base.probe import HOW, Needs, Probe
from rnnscope.base.randomness import make_generator
from rnnscope.runs import Run
from rnnscope.runs.folder import is_run
from rnnscope.smoothness import Objective, line_orbits, line_roughness, plane
from rnnscope.systems import System
from rnnscope.systems.textbook import chaotic_lstm
from rnnscope.training import Recorder

N_STEPS, N_TRANSIENT = 200, 100
START = (0.5, 0.5, 0.5, 0.5)
FIGURES = (
    ("strange-attractor", "state-plane", "attractor"),
    ("cost-line", "cost-line", "line"),
    ("cost-plane", "cost-plane", "plane"),
    ("cost-surface", "cost-surface", "plane"),
)


@dataclass(frozen=True, kw_only=True)
class ChaoticLine(Probe[System, Objective]):
    """Cost and orbits along θ(s) = s θ*, s from ``lowest`` to ``highest``; a finer grid for counting minima.

    Attributes:
        lowest, highest: the range of s.
        n_points: points of the figure; s = 1 is among them where n_points - 1 is a multiple of three.
        refinement: how many times finer the grid is on which minima are counted for several lengths.
        lengths: lengths N, all steps counted.
        compile: whether to use a compiled kernel for costs; what is measured is the same.

    """

    name: ClassVar[str] = "chaotic-line"

    lowest: float = 0.5
    highest: float = 2.0
    n_points: int = 5002
    refinement: int = 8
    lengths: tuple[int, ...] = (10, 20, 30, 50, 100, 200)
    compile: bool = field(default=False, metadata=HOW)

    @property
    def needs(self) -> Needs:
        """An objective: it is about a cost."""
        return "objective"

    def measure(self, system: System, objective: Objective) -> xr.Dataset:
        """Results of ``line_roughness`` and ``line_orbits``; with ``scaling_`` counts by length on the finer grid."""
        system = system.to(torch.float64)
        zero = {name: torch.zeros_like(p) for name, p in system.params.items()}
        s = np.linspace(self.lowest, self.highest, self.n_points)
        line = line_roughness(system, objective, system.params, s, origin=zero, compile=self.compile)
        line["orbit"] = line_orbits(system, objective, system.params, s, origin=zero)["orbit"]
        fine = np.linspace(self.lowest, self.highest, self.refinement * (self.n_points - 1) + 1)
        whole = replace(objective, n_transient=0)
        scaling = line_roughness(
            system, whole, system.params, fine, origin=zero, lengths=self.lengths, compile=self.compile
        )
        kept = scaling[["n_minima", "median_distance", "resolution"]].rename(length="scaling_length")
        kept = kept.rename({name: f"scaling_{name}" for name in kept.data_vars})
        return self.label(line.assign(n_fine_points=((), len(fine), {"units": "1"})).merge(kept))


@dataclass(frozen=True, kw_only=True)
class ChaoticPlane(Probe[System, Objective]):
    """Cost on θ(s1, s2) = s1 θ* + s2 R, with R drawn uniformly in [0, 1).

    Attributes:
        n_first, n_second: points along s1 in [0, 2] and s2 in [-0.5, 0.5].
        seed: for R.
        compile: whether to use a compiled kernel for costs; what is measured is the same.

    """

    name: ClassVar[str] = "chaotic-plane"

    n_first: int = 152
    n_second: int = 151
    seed: int = 0
    compile: bool = field(default=False, metadata=HOW)

    @property
    def needs(self) -> Needs:
        """An objective: it is about a cost."""
        return "objective"

    def measure(self, system: System, objective: Objective) -> xr.Dataset:
        """The result of ``plane``."""
        generator = make_generator(self.seed, self.name)
        drawn = {n: torch.rand(p.shape, generator=generator, dtype=p.dtype) for n, p in system.params.items()}
        zero = {name: torch.zeros_like(p) for name, p in system.params.items()}
        s1, s2 = np.linspace(0, 2, self.n_first), np.linspace(-0.5, 0.5, self.n_second)
        found = plane(system, objective, [system.params, drawn], s1, s2, origin=zero, compile=self.compile)
        return self.label(found)


def objective() -> Objective:
    """The network's own orbit from h = c = 0.5 as the target, its first hundred steps left out."""
    system = chaotic_lstm()
    inputs = torch.zeros(1, N_STEPS, 1, dtype=torch.float64)
    start = torch.tensor([START], dtype=torch.float64)
    target = system.simulate(start, inputs.movedim(1, 0), states=True).outputs.movedim(1, 0)
    return Objective(inputs=inputs, targets=target, state=start[0], n_transient=N_TRANSIENT)


def prepare(path: Path) -> Run:
    """A run at ``path`` with the network's weights as its only snapshot; one that is there is used again.

    Raises:
        RunError: something else is there.

    """
    own = objective()
    if is_run(path):
        run = Run(path)
        if run.objective is None or run.objective.digest != own.digest:
            raise FolderTakenError(path, "is another run and is left as it is")
        return run
    core = torch.nn.LSTM(1, 2, bias=False).double()
    core.load_state_dict(chaotic_lstm().params)
    Recorder(path, core, objective=own, config={"experiment": "chaotic-lstm"}).close("finished")
    return Run(path)


def measure(run: Run, *, compile: bool = False) -> dict[str, xr.Dataset]:
    """The attractor, its exponents, the line and the plane; what is in the run already is not measured again.

    With ``compile`` costs come from a compiled kernel, see ``smoothness.costs``.
    """
    attractor = Orbits(inputs=[[0.0]], starts=[list(START)], n_transient=100, n_keep=4900, keep_states=True)
    exponents = Lyapunov(inputs=[[0.0]], starts="normal(0.5)", n_starts=32, n_transient=300, n_steps=1500)
    line, plane_of = ChaoticLine(compile=compile), ChaoticPlane(compile=compile)
    probes = {"attractor": attractor, "lyapunov": exponents, "line": line, "plane": plane_of}
    return {name: run.probe(probe).isel(step=-1) for name, probe in probes.items()}


def facts(results: dict[str, xr.Dataset]) -> dict[str, Any]:
    """What is told, as plain data."""
    line, values = results["line"].isel(length=-1), results["plane"]["cost"].values
    n, n_fine = line.sizes["point"], int(line["n_fine_points"])
    strides = line["stride"].values.tolist()
    finest = line["scaling_n_minima"].isel(scaling_length=-1)
    return {
        "lyapunov_exponents": exponents_of(results["lyapunov"]),
        "n_points": n,
        "n_minima": int(line["n_minima"].sel(stride=1)),
        "median_distance": float(line["median_distance"]),
        "cost_at_own_weights": float(line["cost"].values[np.abs(line["s"].values - 1).argmin()]),
        "minima_by_length": [
            {
                "length": int(length),
                "n_minima": int(line["scaling_n_minima"].sel(scaling_length=length, stride=1)),
                "median_distance": float(line["scaling_median_distance"].sel(scaling_length=length)),
                "grid_too_coarse": bool(line["scaling_resolution"].sel(scaling_length=length)),
            }
            for length in line["scaling_length"].values
        ],
        "minima_by_grid": [
            {"n_points": -(-n_fine // stride), "n_minima": int(finest.sel(stride=stride))} for stride in strides[::-1]
        ],
        "lowest_and_highest_cost_on_plane": [float(np.nanmin(values)), float(np.nanmax(values))],
    }


def tell(results: dict[str, xr.Dataset]) -> list[str]:
    """What came out, a line each."""
    known, line, plane_of = facts(results), results["line"], results["plane"]
    spectrum = ", ".join(f"{value:.3f} ± {error:.3f}" for value, error in known["lyapunov_exponents"])
    first, last = line["s"].values[[0, -1]]
    low, high = known["lowest_and_highest_cost_on_plane"]
    lines = [
        f"Lyapunov exponents {spectrum} nat/step",
        f"cost along s θ*, s from {first:g} to {last:g}: {known['n_minima']} local minima on {known['n_points']} points"
        f", median distance {known['median_distance']:.2g}; V = {known['cost_at_own_weights']:.1e} at s = 1",
        "the same, all steps counted, by length:",
    ]
    for row in known["minima_by_length"]:
        text = f"  N = {row['length']}: {row['n_minima']} minima on {known['minima_by_grid'][-1]['n_points']} points"
        if np.isfinite(row["median_distance"]):
            text += f", median distance {row['median_distance']:.2g}"
        lines.append(text + ("; more between the points" if row["grid_too_coarse"] else ""))
    grids = ", ".join(f"{row['n_minima']} on {row['n_points']}" for row in known["minima_by_grid"])
    lines.append(f"by grid, N = {known['minima_by_length'][-1]['length']}: {grids} points")
    lines.append(
        f"cost on the plane of {plane_of.sizes['s1']} × {plane_of.sizes['s2']} points: {low:.2g} to {high:.2g}"
    )
    return lines


def exponents_of(found: xr.Dataset) -> list[tuple[float, float]]:
    """Exponents, mean over starts, and the standard error of the mean."""
    values = found["lyapunov_exponent"].isel(input=0).transpose("start", "exponent").values
    errors = values.std(0, ddof=1) / np.sqrt(len(values))
    return list(zip(values.mean(0).tolist(), errors.tolist(), strict=True))
