"""``python -m benchmarks.bifurcations``: paths between two networks, what ``Bifurcations`` says against simulation.

On each path, from one random network to another, orbits are run at every point of a grid: from random states, and from
where the orbits of both neighbours ended, again and again, so that what coexists is carried along in both directions.
Every fixed point and cycle that they come to has to lie on a branch that is stable there. And between two neighbouring
points the stable branches change if and only if an event that concerns a stable one was told there. Prints the table
and keeps it in docs/results/bifurcations.md. Leaves with an error if anything is missed or told without cause.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.func import vmap

from rnnscope.attractors import Bifurcations
from rnnscope.findings.bifurcations import kinds_of_events, meanings
from rnnscope.models import orthogonal
from rnnscope.systems import System, TrainingPath, as_system
from rnnscope.systems.system import stack_params

PAGE = Path(__file__).parent.parent / "docs" / "results" / "bifurcations.md"
N_POINTS = 100
N_STARTS = 8
N_STEPS = 1500
N_SWEEPS = 4
LONGEST = 12
RESTS, SAME = 1e-9, 1e-5  # of 1 + ‖x‖: distance after a period of what has come to rest, and of what is one


@dataclass(frozen=True)
class Way:
    """A path from one network to another."""

    kind: str
    n_units: int
    start: System
    end: System


@dataclass
class Found:
    """What came of one path."""

    kinds: Counter
    n_seen: int
    n_missed: int
    n_locked: int
    n_unexplained: int
    n_idle: int
    seconds: float


def paths() -> Iterator[Way]:
    """LSTM, GRU, tanh and orthogonal tanh networks of 2 to 32 units, with large recurrent weights."""
    gains = {"lstm": 5.0, "gru": 4.0, "tanh": 2.5}
    for seed in range(4):
        for n in (2, 4, 8, 32):
            for kind, gain in gains.items():
                one, two = (_network(kind, n, 100 * n + seed + more, gain) for more in (0, 50))
                yield Way(kind, n, one, two)
            one, two = (_orthogonal(n, 100 * n + seed + more) for more in (0, 50))
            yield Way("orthogonal tanh", n, one, two)


def _network(kind: str, n: int, seed: int, gain: float) -> System:
    torch.manual_seed(seed)
    network = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN}[kind](1, n).double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.mul_(gain if "weight_hh" in name else gain**0.5)
    return as_system(network)


def _orthogonal(n: int, seed: int) -> System:
    torch.manual_seed(seed)
    settings = orthogonal.Settings(input_size=1, output_size=1, hidden_size=n, nonlinearity="tanh")
    return as_system(settings.build().double())


def compare(path: Way) -> Found:
    """The branches of a path against orbits."""
    points = [path.start.interpolate(path.start.params, path.end.params, k / N_POINTS) for k in range(N_POINTS + 1)]
    began = time.perf_counter()
    found = Bifurcations(starts="normal(1)").measure(TrainingPath(path.start, points, tuple(range(N_POINTS + 1))))
    seconds = time.perf_counter() - began
    seen = simulated(path.start, points)
    curves = _round_something(found)
    n_seen = n_missed = n_locked = 0
    for k, sets in enumerate(seen):
        system = path.start.at(points[k])
        for cycle in sets:
            n_seen += 1
            if not _is_on(_outputs(system, cycle), found, k):
                locked = len(cycle) > 2 and curves[k]
                n_locked, n_missed = n_locked + int(locked), n_missed + int(not locked)
    changes, told = _changes(found), _told(found)
    unexplained, idle = changes & (told == 0), (told == 1) & ~changes
    counted = Counter(kinds_of_events(found).tolist())
    return Found(counted, n_seen, n_missed, n_locked, int(unexplained.sum()), int(idle.sum()), seconds)


def simulated(system: System, points: list) -> list[list[Tensor]]:
    """Fixed points and cycles (phase, state) that orbits come to at each of the points."""
    weights = vmap(system.materialise)(stack_params(points))
    inputs = torch.zeros(len(points), system.input_size, dtype=torch.float64)
    drive = vmap(system.drive)(weights, inputs)[:, None].expand(-1, N_STARTS, -1)
    generator = torch.Generator().manual_seed(7)
    fresh = torch.randn(N_STARTS, system.state_size, dtype=torch.float64, generator=generator)
    step = vmap(system.step)
    state = fresh.expand(len(points), -1, -1).clone()
    found: list[list[Tensor]] = [[] for _ in points]
    for sweep in range(N_SWEEPS):
        for _ in range(N_STEPS):
            state = step(weights, state, drive)
        orbit = [state]
        for _ in range(LONGEST):
            orbit.append(step(weights, orbit[-1], drive))
        stacked = torch.stack(orbit)
        _collect(stacked, found)
        carried = torch.roll(state, 1 if sweep % 2 else -1, 0)
        edge = 0 if sweep % 2 else -1
        carried[edge] = state[edge]
        state = carried
    return found


def _collect(orbit: Tensor, found: list[list[Tensor]]) -> None:
    """Take up what has come to rest, of orbits (time, point, start, state)."""
    last = orbit[0]
    near = 1 + last.norm(dim=-1)
    for k in range(last.shape[0]):
        for start in range(last.shape[1]):
            for period in range(1, LONGEST + 1):
                if float((orbit[period, k, start] - last[k, start]).norm()) <= RESTS * float(near[k, start]):
                    cycle = orbit[:period, k, start]
                    if period > 1 and float((cycle[1:] - cycle[0]).norm(dim=-1).min()) <= SAME * float(near[k, start]):
                        break  # on its way to a point, alternating
                    if not any(len(own) == period and _same(own[0], cycle) for own in found[k]):
                        found[k].append(cycle)
                    break


def _same(state: Tensor, cycle: Tensor) -> bool:
    return float((cycle - state).norm(dim=-1).min()) <= SAME * (1 + float(state.norm()))


def _outputs(system: System, cycle: Tensor) -> np.ndarray:
    """The outputs at the phases of a cycle, (phase, output)."""
    weights = system.weights
    drive = system.drive(weights, torch.zeros(len(cycle), system.input_size, dtype=torch.float64))
    return system.outputs_on(weights, cycle, drive).numpy()


def _is_on(outputs: np.ndarray, found: xr.Dataset, k: int) -> bool:
    """Whether a stable branch of the same period has one of these outputs at a point."""
    own = (found["index"].values[:, k] == 0) & (found["branch_period"].values == len(outputs))
    known = found["output_value"].values[own, k]
    near = SAME * (1 + np.abs(outputs).max())
    return bool(len(known)) and bool((np.abs(known[:, None] - outputs[None]).max(-1) <= near).any())


def _round_something(found: xr.Dataset) -> np.ndarray:
    """At which points there is a point that has lost its stability by a pair of multipliers: a curve goes round it."""
    turning = (found["angle"].values > 1e-3) & (found["angle"].values < np.pi - 1e-3)
    return np.any((found["index"].values >= 2) & turning, axis=0)


def _changes(found: xr.Dataset) -> np.ndarray:
    """Between which neighbours a branch becomes stable or ceases to be so, or to be there."""
    stable = found["index"].values == 0
    return (stable[:, 1:] != stable[:, :-1]).any(0)


def _told(found: xr.Dataset) -> np.ndarray:
    """How many events that concern something stable were told between neighbours."""
    told = np.zeros(found.sizes["snapshot"] - 1, dtype=int)
    for at, meaning in zip(found["event_snapshot"].values.tolist(), meanings(found), strict=True):
        told[at] += meaning.rank == 0
    return told


def main() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    chosen = list(paths())
    if sys.argv[1:]:  # K/N: the K-th of N parts
        part, n_parts = map(int, sys.argv[1].split("/"))
        chosen = chosen[part - 1 :: n_parts]
    results = []
    for path in chosen:
        found = compare(path)
        results.append((path, found))
        print(path.kind, path.n_units, found, flush=True)
    text = page(results)
    print(text)
    if not sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    sys.exit(any(found.n_missed or found.n_unexplained or found.n_idle for _, found in results))


def page(results: list[tuple[Way, Found]]) -> str:
    """The table, by kind of network."""
    lines = [
        "# Bifurcations against simulation",
        "",
        "`python -m benchmarks.bifurcations`: straight paths (orthogonal weights: geodesics) between two random",
        f"networks of 2 to 32 units, {N_POINTS + 1} points on each. *Seen*: fixed points and cycles that orbits come",
        "to, point by point, from random states and from where those of the neighbouring points ended. *Missed*: those",
        "on no stable branch. *Locked*: cycles of three states or more beside a point that has lost its stability by a",
        "pair of multipliers: a closed curve that has locked to the step is not followed yet. *Unexplained*: a branch",
        "becomes stable, or ceases to be, between two points without an event. *Idle*: one event that concerns",
        "something stable, and no change.",
        "",
        "| network | paths | seen | missed | locked | unexplained | idle | events | not located | median time |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(path.kind for path, _ in results):
        own = [found for path, found in results if path.kind == kind]
        kinds = sum((found.kinds for found in own), Counter())
        lost = kinds.pop("lost", 0)
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in kinds.most_common())
        sums = [sum(getattr(found, name) for found in own) for name in ("n_seen", "n_missed", "n_locked")]
        sums += [sum(getattr(found, name) for found in own) for name in ("n_unexplained", "n_idle")]
        seconds = np.median([found.seconds for found in own])
        cells = [kind, len(own), *sums, told or "none", lost, f"{seconds:.1f} s"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
