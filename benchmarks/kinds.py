"""``python -m benchmarks.kinds``: systems of known kind against the name that ``Attractors`` gives them.

Every system has a truth that does not come from the probe: algebra (multipliers, contraction, conjugacy to a rotation),
or a long orbit followed by other means (the exponent of a one-dimensional map from its derivative, the separation of
two nearby orbits). Prints the confusion table and keeps it in docs/results/attractor-kinds.md. Leaves with an error if
a name is wrong or more than one in ten is undetermined where it need not be.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from rnnscope import models
from rnnscope.attractors import Attractors, kind_names
from rnnscope.base.settings import Rows
from rnnscope.systems import System, as_system, textbook

PAGE = Path(__file__).parent.parent / "docs" / "results" / "attractor-kinds.md"
KINDS = ("fixed_point", "cycle", "closed_curve", "torus", "chaos", "continuum", "divergence", "undetermined")


@dataclass(frozen=True)
class Case:
    """A system whose starts all go to limit sets of one kind; ``trap`` if it is so near a bifurcation that
    "undetermined" is as good an answer; ``count`` is the number of distinct sets that the starts reach, if known."""

    name: str
    system: System
    truth: str
    starts: str | Rows = "normal(1)"
    trap: bool = False
    count: int | None = None
    period: int | None = None


def cases() -> Iterator[Case]:
    yield from _logistic()
    yield from _tanh_maps()
    yield from _rotations()
    yield from _plane_maps()
    yield from _linear_maps()
    yield from _networks()
    yield from _tori()


def _logistic() -> Iterator[Case]:
    line = [[x] for x in (0.11, 0.33, 0.52, 0.77)]
    for r in (1.2, 1.7, 2.2, 2.5, 2.8, 2.9, 2.97):
        yield Case(f"logistic {r}", textbook.logistic(r), "fixed_point", line, count=1, period=1)
    for r in (2.99, 2.999, 2.9999, 3.0):
        yield Case(f"logistic {r}", textbook.logistic(r), "fixed_point", line, trap=True, count=1)
    for r in (3.001, 3.0001):
        yield Case(f"logistic {r}", textbook.logistic(r), "cycle", line, trap=True, count=1)
    stretches = {2: (3.02, 3.1, 3.2, 3.3, 3.4), 4: (3.46, 3.48, 3.5, 3.53), 8: (3.547, 3.555, 3.56), 3: (3.83, 3.835)}
    for period, rs in stretches.items():
        for r in rs:
            yield Case(f"logistic {r}", textbook.logistic(r), "cycle", line, count=1, period=period)
    for r in (3.58, 3.6, 3.65, 3.7, 3.72, 3.75, 3.8, 3.87, 3.9, 3.92, 3.95, 3.97, 3.99, 4.0):
        x, total = 0.3, 0.0  # the exponent over half a million steps, by the derivative
        for t in range(500_000):
            total += np.log(abs(r * (1 - 2 * x))) if t >= 1000 else 0.0
            x = r * x * (1 - x)
        if total / 499_000 > 0.02:
            yield Case(f"logistic {r}", textbook.logistic(r), "chaos", line, count=1)


def _tanh_maps() -> Iterator[Case]:
    line = [[x] for x in (-1.3, -0.4, 0.6, 1.1)]
    for w in (-0.95, -0.7, -0.3, 0.2, 0.6, 0.9, 0.97):
        yield Case(f"tanh w={w}", textbook.tanh_map(w, 0.0), "fixed_point", line, count=1)
    for w in (1.05, 1.2, 1.5, 2.0, 3.0, 5.0):
        yield Case(f"tanh w={w}", textbook.tanh_map(w, 0.0), "fixed_point", line, count=2)
    for w in (-1.05, -1.2, -1.5, -2.0, -3.0, -5.0):
        yield Case(f"tanh w={w}", textbook.tanh_map(w, 0.0), "cycle", line, count=1, period=2)
    for w in (-1.0, -0.9995, 0.9995, 1.0):
        yield Case(f"tanh w={w}", textbook.tanh_map(w, 0.0), "fixed_point", line, trap=True, count=1)
    for b in (0.0, 0.3, 0.5):  # below the fold at 0.532840
        yield Case(f"tanh w=2, b={b}", textbook.tanh_map(2.0, b), "fixed_point", [[-1.3], [1.1]], count=2)
    for b in (0.54, 0.6, 1.0):
        yield Case(f"tanh w=2, b={b}", textbook.tanh_map(2.0, b), "fixed_point", line, count=1)
    for b in (0.53284, 0.53285, 0.5329):  # the ghost of the fold holds orbits up for thousands of steps
        yield Case(f"tanh w=2, b={b}", textbook.tanh_map(2.0, b), "fixed_point", [[-1.3]], trap=True)


def _rotations() -> Iterator[Case]:
    """tanh(ρ R(φ) x): a fixed point for ρ < 1, beyond it a closed curve; angles away from strong resonances."""
    plane = [[0.3, 0.1], [-1.0, 0.4], [0.02, 0.9]]
    for phi in (0.31, 0.7, 1.0, 1.234, 1.9, 2.6):
        for rho in (0.5, 0.8, 0.95, 0.99):
            yield Case(f"rotation {phi}, ρ={rho}", textbook.rotated_tanh(rho, phi), "fixed_point", plane, count=1)
        for rho in (1.02, 1.05, 1.1):
            yield Case(f"rotation {phi}, ρ={rho}", textbook.rotated_tanh(rho, phi), "closed_curve", plane, count=1)
    for rho, truth in (
        (0.999, "fixed_point"),
        (0.9999, "fixed_point"),
        (1.001, "closed_curve"),
        (1.0002, "closed_curve"),
    ):
        for phi in (0.7, 1.234):
            yield Case(f"rotation {phi}, ρ={rho}", textbook.rotated_tanh(rho, phi), truth, plane, trap=True, count=1)
    # strong resonances: at π/2 the coordinates take turns, x <- ∓tanh(ρ y); at 2π/3 an orbit of 300,000 steps comes
    # no nearer than 0.004 to where it was in any of the last 400
    yield Case("rotation π/2, ρ=1.3", textbook.rotated_tanh(1.3, np.pi / 2), "cycle", plane, period=4)
    yield Case("rotation 2π/3, ρ=1.3", textbook.rotated_tanh(1.3, 2 * np.pi / 3), "closed_curve", plane, count=1)


def _plane_maps() -> Iterator[Case]:
    near = [[0.05 * k, -0.03 * k] for k in range(1, 5)]
    for a in (0.0, 0.1, 0.25, 0.35):
        yield Case(f"Hénon a={a}", textbook.henon(a), "fixed_point", near, count=1)
    for a in (0.4, 0.6, 0.8, 0.9):
        yield Case(f"Hénon a={a}", textbook.henon(a), "cycle", near, count=1, period=2)
    for a in (0.93, 0.97, 1.0):
        yield Case(f"Hénon a={a}", textbook.henon(a), "cycle", near, count=1, period=4)
    yield Case("Hénon a=1.4", textbook.henon(1.4), "chaos", near, count=1)
    for a in (1.5, 1.7, 2.0):
        yield Case(f"Hénon a={a}", textbook.henon(a), "divergence", near)
    inside = [[0.4, 0.45], [0.3, 0.4], [0.5, 0.35]]
    for a in (1.3, 1.6, 1.9, 1.97):
        yield Case(f"delayed logistic a={a}", textbook.delayed_logistic(a), "fixed_point", inside, count=1)
    for a in (2.01, 2.03, 2.05, 2.1, 2.13):
        yield Case(f"delayed logistic a={a}", textbook.delayed_logistic(a), "closed_curve", inside, count=1)
    for a, truth in ((1.999, "fixed_point"), (2.0, "fixed_point"), (2.0005, "closed_curve")):
        yield Case(f"delayed logistic a={a}", textbook.delayed_logistic(a), truth, inside, trap=True)
    yield Case("delayed logistic a=2.27", textbook.delayed_logistic(2.27), "chaos", inside, count=1)
    yield Case("delayed logistic a=2.2", textbook.delayed_logistic(2.2), "cycle", inside, count=1, period=7)
    yield Case("chaotic LSTM", textbook.chaotic_lstm(), "chaos", count=1)


def _linear_maps() -> Iterator[Case]:
    for seed in range(12):
        generator = np.random.default_rng(seed)
        n = int(generator.integers(2, 12))
        matrix = generator.normal(size=(n, n))
        matrix /= np.abs(np.linalg.eigvals(matrix)).max()
        for growth, truth in ((0.6, "fixed_point"), (0.97, "fixed_point"), (1.05, "divergence")):
            yield Case(f"linear {n}, radius {growth}, seed {seed}", _linear(growth * matrix), truth, count=1)
        orthogonal = np.linalg.qr(generator.normal(size=(n, n)))[0]
        if n > 2:
            yield Case(f"orthogonal {n}, seed {seed}", _linear(orthogonal), "continuum", count=1)
        if seed < 4:
            basis = generator.normal(size=(n, n))
            line = basis @ np.diag([1.0, *generator.uniform(-0.9, 0.9, n - 1)]) @ np.linalg.inv(basis)
            yield Case(f"line of fixed points in {n}, seed {seed}", _linear(line), "continuum", count=1)


def _networks() -> Iterator[Case]:
    """Contractive networks have one fixed point; large random tanh networks are chaotic (two orbits part)."""
    for seed in range(12):
        for name in ("stable-lstm", "stable-rnn", "chaos-free"):
            torch.manual_seed(seed)
            bound: dict[str, Any] = {"input_bound": 1.0} if name == "stable-lstm" else {}
            model = models.build(name, input_size=1, hidden_size=4 + seed, output_size=1, **bound)
            model.after_step()
            yield Case(f"{name} {4 + seed}, seed {seed}", as_system(model), "fixed_point", count=1)
    for seed in range(12):
        generator = np.random.default_rng(seed)
        n = 40 + 5 * seed
        weights = generator.normal(size=(n, n)) * (1.8 + 0.1 * seed) / np.sqrt(n)
        if _parts(weights):
            yield Case(f"random tanh {n}, seed {seed}", as_system(_tanh_network(weights)), "chaos", count=None)
    for seed in range(6):  # memories: fixed points of W = Σ ξ ξᵀ g / n, at least the two ±ξ of a single pattern
        generator = np.random.default_rng(seed)
        pattern = generator.choice([-1.0, 1.0], 12)
        network = as_system(_tanh_network(2.0 * np.outer(pattern, pattern) / 12))
        starts = [(sign * (pattern + 0.1 * generator.normal(size=12))).tolist() for sign in (1, -1, 0.5, -0.5)]
        yield Case(f"one memory, seed {seed}", network, "fixed_point", starts, count=2)


def _tori() -> Iterator[Case]:
    """Oscillators side by side in a tanh network, with a third, damped block: one curve, or two that make a torus."""
    for seed, (first, second) in enumerate(((0.7, 1.1234), (0.31, 2.2), (1.0, 0.45), (1.234, 1.9), (0.52, 2.6))):
        for growth, truth in ((1.1, "torus"), (0.8, "closed_curve")):
            blocks = np.zeros((6, 6))
            blocks[:2, :2], blocks[2:4, 2:4] = 1.1 * _rotation(first), growth * _rotation(second)
            blocks[4:, 4:] = 0.5 * np.random.default_rng(seed).uniform(-1, 1, (2, 2))
            blocks[4:, :2] = 0.3  # driven by the first
            network = as_system(_tanh_network(blocks))
            yield Case(f"oscillators {first}, {second}, growth {growth}", network, truth, count=1)


def _rotation(phi: float) -> np.ndarray:
    return np.array([[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]])


def _linear(matrix: np.ndarray) -> System:
    return textbook.linear(torch.as_tensor(matrix, dtype=torch.float64))


def _tanh_network(weights: np.ndarray) -> nn.RNN:
    network = nn.RNN(1, len(weights), bias=False).double()
    values = {"weight_ih_l0": torch.zeros(len(weights), 1), "weight_hh_l0": torch.as_tensor(weights)}
    network.load_state_dict(values)
    return network


def _parts(weights: np.ndarray) -> bool:
    """Whether two orbits that begin 1e-9 apart part at a steady rate, put back to 1e-9 at every step (Benettin)."""
    x = 0.1 * np.ones(len(weights))
    for _ in range(1000):
        x = np.tanh(weights @ x)
    y, total = x + 1e-9 / np.sqrt(len(x)), 0.0
    for _ in range(4000):
        x, y = np.tanh(weights @ x), np.tanh(weights @ y)
        distance = np.linalg.norm(y - x)
        total += np.log(distance / 1e-9)
        y = x + (y - x) * 1e-9 / distance
    return total / 4000 > 0.01


def main() -> int:
    """Measure all cases, print and keep the table."""
    began = time.perf_counter()
    confusion: Counter[tuple[str, str]] = Counter()
    wrong, undetermined, traps_left, n, n_traps, miscounted = [], [], 0, 0, 0, []
    torch.set_num_threads(1)
    for case in cases():
        found = Attractors(starts=case.starts, n_starts=4).measure(case.system)
        names = [str(name) for name in kind_names(found.kind.values[0]) if name]
        named = str(kind_names(found.kind.values[0])[int(np.nanargmax(found.fraction.values[0]))])
        n += 1
        confusion[case.truth, named] += 1
        if any(name not in (case.truth, "undetermined") for name in names):
            wrong.append(f"{case.name}: {', '.join(names)} instead of {case.truth}")
        elif case.period is not None and case.truth in names and int(found.period[0, 0]) != case.period:
            wrong.append(f"{case.name}: period {int(found.period[0, 0])} instead of {case.period}")
        elif case.count is not None and "undetermined" not in names and len(names) != case.count:
            miscounted.append(f"{case.name}: {len(names)} sets instead of {case.count}")
        if "undetermined" in names:
            if case.trap:
                traps_left += 1
            else:
                undetermined.append(case.name)
        n_traps += case.trap
    text = _page(confusion, wrong, undetermined, miscounted, n, n_traps, traps_left)
    if "--no-page" not in sys.argv:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    print(f"{time.perf_counter() - began:.0f} s")
    return 1 if wrong or miscounted or len(undetermined) > (n - n_traps) / 10 else 0


def _page(
    confusion: Counter[tuple[str, str]],
    wrong: list[str],
    undetermined: list[str],
    miscounted: list[str],
    n: int,
    n_traps: int,
    traps_left: int,
) -> str:
    def words(kind: str) -> str:
        return kind.replace("_", " ")

    def listed(lines: list[str]) -> str:
        return "; ".join(lines) if lines else "none"

    head = "| truth | " + " | ".join(words(kind) for kind in KINDS) + " |"
    rows = [
        f"| {words(truth)} | " + " | ".join(str(confusion[truth, named] or "") for named in KINDS) + " |"
        for truth in KINDS[:-1]
    ]
    return "\n".join(
        [
            "# Does `Attractors` give limit sets the right name?",
            "",
            f"{n} systems of known kind, made by `python -m benchmarks.kinds` (which says how the truth is known),",
            f"with default settings. {n_traps} of them are traps: at a bifurcation or within a few thousandths of one,",
            'where "undetermined" is a right answer too. The name is that of the set which most starts reach.',
            "",
            head,
            "|---" * (len(KINDS) + 1) + "|",
            *rows,
            "",
            f"- wrong names, of any set at any start: {listed(wrong)}",
            f"- sets counted twice, or two counted as one: {listed(miscounted)}",
            f"- undetermined outside the traps: {listed(undetermined)}",
            f"- undetermined among the traps: {traps_left} of {n_traps}",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
