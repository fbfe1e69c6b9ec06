"""``python -m benchmarks.scaling``: what each probe costs as networks grow, from 16 to 1024 units.

One snapshot at one input with default settings: a GRU at rest (nn's default weights), and a tanh network in which two
units oscillate and drive the others. Probes of the cost: the GRU, 4 sequences of 50 steps. The exponent is that of a
power law through the last three sizes. A probe that takes more than a minute is not tried at larger sizes. Writes
docs/results/scaling.md and its picture.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from rnnscope.attractors import Attractors, FixedPoints, Lyapunov, Orbits
from rnnscope.smoothness import Growth, Landscape, Objective, Roughness, Smoothness
from rnnscope.systems import System, as_system

RESULTS = Path(__file__).parent.parent / "docs" / "results"
SIZES = (16, 32, 64, 128, 256, 512, 1024)
_ENOUGH = 60.0  # seconds, beyond which larger sizes are not tried

Measure = Callable[[System], object]


def resting(size: int) -> System:
    """A GRU with nn's default weights, and a head."""
    torch.manual_seed(0)
    return as_system((nn.GRU(1, size), nn.Linear(size, 1)))


def oscillating(size: int) -> System:
    """A tanh network whose first two units go round, x <- tanh(1.1 R(0.7) x), and drive the rest, which forget."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    c, s = 1.1 * np.cos(0.7), 1.1 * np.sin(0.7)
    matrix[:2, :2] = torch.tensor([[c, -s], [s, c]])
    matrix[2:, :2] = 0.5 * torch.randn(size - 2, 2, generator=generator, dtype=torch.float64)
    rest = torch.randn(size - 2, size - 2, generator=generator, dtype=torch.float64)
    matrix[2:, 2:] = 0.5 * rest / (size - 2) ** 0.5
    network = nn.RNN(1, size, bias=False).double()
    network.load_state_dict({"weight_ih_l0": torch.zeros(size, 1), "weight_hh_l0": matrix})
    return as_system(network)


def _objective() -> Objective:
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(2, 4, 50, 1, generator=generator, dtype=torch.float64)
    return Objective(inputs, targets)


def measures() -> dict[str, tuple[Callable[[int], System], Measure]]:
    """A network and a probe of it, by name."""
    objective = _objective()
    found: dict[str, tuple[Callable[[int], System], Measure]] = {}
    for kind, make in (("rest", resting), ("oscillation", oscillating)):
        found[f"orbits, {kind}"] = make, Orbits(starts="normal(1)").measure
        found[f"attractors, {kind}"] = make, Attractors(starts="normal(1)").measure
        found[f"lyapunov, {kind}"] = make, Lyapunov(starts="normal(1)").measure
    found["fixedpoints"] = resting, FixedPoints(starts="normal(1)").measure
    found["smoothness"] = resting, lambda system: Smoothness().measure(system, objective)
    found["growth"] = resting, lambda system: Growth(lengths=(10, 20, 50, 100)).measure(system, objective)
    found["landscape (25 × 25)"] = (
        resting,
        lambda system: Landscape(across="random", n_points=25).measure(system, objective),
    )
    found["roughness"] = resting, lambda system: Roughness().measure(system, objective)
    return found


def main() -> None:
    """Measure, write the table and the picture."""
    chosen = {name: own for name, own in measures().items() if not sys.argv[1:] or name.split(",")[0] in sys.argv[1:]}
    seconds: dict[str, list[float]] = {}
    for name, (make, measure) in chosen.items():
        seconds[name] = []
        for size in SIZES:
            system = make(size)
            began = time.perf_counter()
            measure(system)
            seconds[name].append(time.perf_counter() - began)
            print(f"{name}, {size} units: {seconds[name][-1]:.2f} s", flush=True)
            if seconds[name][-1] > _ENOUGH:
                break
    if not sys.argv[1:]:
        (RESULTS / "scaling.md").write_text(page(seconds), encoding="utf-8")
        draw(seconds)


def exponent(times: list[float]) -> float:
    """Of the power law through the last three sizes."""
    last = slice(max(0, len(times) - 3), len(times))
    return float(np.polyfit(np.log(SIZES[last]), np.log(times[last]), 1)[0])


def page(seconds: dict[str, list[float]]) -> str:
    """The table in Markdown."""
    rows = [
        f"| {name} | "
        + " | ".join(_shown(times[k]) if k < len(times) else "" for k in range(len(SIZES)))
        + f" | {exponent(times):.1f} |"
        for name, times in seconds.items()
    ]
    return "\n".join(
        [
            "# What each probe costs as networks grow",
            "",
            "Seconds for one snapshot at one input with default settings, two CPU cores; made by",
            "`python -m benchmarks.scaling`, which says what the networks are. The last column is the exponent of the",
            "cost in the number of units, from the last three sizes; one step of a network of n units costs n².",
            "",
            "| probe | " + " | ".join(f"{size} units" for size in SIZES) + " | exponent |",
            "|---" * (len(SIZES) + 2) + "|",
            *rows,
            "",
            "![seconds against units](images/scaling.png)",
            "",
        ]
    )


def _shown(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def draw(seconds: dict[str, list[float]]) -> None:
    """Seconds against units, both logarithmic, a panel for the map and one for the cost."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    of_map = [name for name in seconds if name.split(",")[0] in ("orbits", "attractors", "lyapunov", "fixedpoints")]
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True, layout="constrained")
    for panel, names in zip(panels, (of_map, [name for name in seconds if name not in of_map]), strict=True):
        for k, name in enumerate(names):
            times = seconds[name]
            style = "--" if name.endswith("oscillation") else "-"
            label = f"{name} ({exponent(times):.1f})"
            panel.plot(SIZES[: len(times)], times, style, marker="osD^vP*"[k % 7], markersize=3.5, lw=1.1, label=label)
        panel.set(xscale="log", yscale="log", xlabel="units")
        panel.set_xticks(SIZES, [str(size) for size in SIZES])
        panel.minorticks_off()
        panel.legend(fontsize=6.5, frameon=False, title="probe (exponent)", title_fontsize=6.5)
        panel.grid(visible=True, lw=0.3)
    panels[0].set(ylabel="one snapshot, one input (s)")
    figure.savefig(RESULTS / "images" / "scaling.png", dpi=200)


if __name__ == "__main__":
    main()
