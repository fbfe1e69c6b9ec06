"""``python -m benchmarks.gated``: gated, slow and nearly resonant networks against the names that ``Attractors`` gives.

For each network the probe with its default settings is compared with a reference that does not use it: sixteen starts
run for 200,000 steps, a hundred times as long as the probe's first averages; a point or cycle is where the state comes
back to itself to rounding; else the exponents are those of four neighbours, put back beside the orbit every few steps
(Benettin), chaos has a positive one, a curve one that is zero, a torus two; two orbits are on one set if their long
means and spreads agree. What still changes between the third and the last quarter of a run is "unsettled": there
"undetermined" is the right answer.

Networks and references are kept in runs/gated, so that the next time only the probe is run. Prints the table and keeps
it in docs/results/gated-attractors.md. Leaves with an error if a name is wrong or a set counted twice. Options: --part
K/N for a share of the networks, --known for those that have a reference, --references for nothing but these, --kept for
names that an earlier run has found, --no-page.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from rnnscope import models
from rnnscope.attractors import Attractors, kind_names
from rnnscope.runs import Run
from rnnscope.systems import System, as_system
from rnnscope.training import Config, fit

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "runs" / "gated"
PAGE = ROOT / "docs" / "results" / "gated-attractors.md"
KINDS = ("fixed_point", "cycle", "closed_curve", "torus", "chaos", "continuum", "divergence", "undetermined")
N_STARTS, N_STEPS = 16, 200_000


@dataclass(frozen=True)
class Case:
    """A network under one constant input."""

    family: str
    name: str
    make: Callable[[], System]
    input: tuple[float, ...]
    scale: float = 1.0  # of the starts


def cases() -> Iterator[Case]:
    yield from _random()
    yield from _pairs()
    yield from _trained()


def _random() -> Iterator[Case]:
    inputs = (0.0, 0.3, 1.0)
    for kind in ("gru", "lstm"):
        for size in (16, 32, 64, 128, 256):
            for factor in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0):
                for seed in range(2 if size < 256 else 1):
                    value = inputs[(seed + int(factor) + size // 16) % 3]
                    name = f"{kind} {size} x{factor:g} seed {seed} u={value}"
                    yield Case(kind, name, _scaled(kind, size, factor, seed), (value,))
    for size in (16, 64, 256):
        for factor in (1.0, 3.0, 6.0, 12.0):
            yield Case("mingru", f"mingru {size} x{factor:g}", _scaled("mingru", size, factor, 0), (0.3,))
    for size in (16, 64, 256):
        for leak in (0.02, 0.1, 0.5):
            for gain in (0.9, 1.2, 1.8, 3.0):
                name = f"leaky {size} leak {leak} gain {gain}"
                yield Case("leaky tanh", name, lambda a=(size, leak, gain): as_system(
                    LeakyTanh(*a), input_size=0, state=torch.zeros(1, a[0], dtype=torch.float64)), ())  # fmt: skip
    for size in (16, 64):
        for seed in range(6):
            yield Case("orthogonal", f"orthogonal {size} seed {seed}", _scaled("orthogonal", size, 1.0, seed), (0.3,))


def _scaled(kind: str, size: int, factor: float, seed: int) -> Callable[[], System]:
    def make() -> System:
        torch.manual_seed(seed)
        if kind in ("gru", "lstm"):
            plain = nn.GRU(1, size).double() if kind == "gru" else nn.LSTM(1, size).double()
            with torch.no_grad():
                plain.get_parameter("weight_hh_l0").mul_(factor)
            return as_system(plain)
        network = models.build(kind, input_size=1, hidden_size=size, output_size=1, seed=seed).double()
        with torch.no_grad():
            for parameter in network.parameters() if factor != 1 else ():
                parameter.mul_(factor)
        return as_system(network)

    return make


class LeakyTanh(nn.Module):
    """x <- (1 - leak) x + leak tanh(W x), W of spectral radius about ``gain``: slow where the leak is small."""

    def __init__(self, size: int, leak: float, gain: float):
        super().__init__()
        generator = torch.Generator().manual_seed(size)
        matrix = torch.randn(size, size, generator=generator, dtype=torch.float64)
        self.weight = nn.Parameter(gain * matrix / size**0.5)
        self.leak = leak

    def forward(self, u: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return (1 - self.leak) * x + self.leak * torch.tanh(x @ self.weight.T)


def _pairs() -> Iterator[Case]:
    """Two rotations in a tanh network without bias, side by side or weakly coupled, near low resonances."""
    ratios = ((1.0, 2.0), (0.7, 2.1), (0.5, 1.5), (0.9, 1.35), (1.1, 1.1), (2 * np.pi / 5, 1.0), (0.61, 2.44))
    for first, second in ratios:
        for detuning in (0.1, 0.01, 0.001, 0.0001):
            for coupling in (0.0, 0.01, 0.05):
                name = f"pair {first:.4g}, {second + detuning:.5g} coupling {coupling}"
                yield Case(
                    "pairs", name, lambda a=(first, second + detuning, coupling): as_system(_pair(*a)), (0.0,), 0.5
                )


def _pair(first: float, second: float, coupling: float) -> nn.RNN:
    matrix = np.zeros((4, 4))
    for at, angle, growth in ((0, first, 1.2), (2, second, 1.15)):
        c, s = growth * np.cos(angle), growth * np.sin(angle)
        matrix[at : at + 2, at : at + 2] = [[c, -s], [s, c]]
    matrix[0, 2], matrix[2, 0], matrix[3, 1] = coupling, -coupling, 0.7 * coupling
    network = nn.RNN(1, 4, bias=False).double()
    network.load_state_dict({"weight_ih_l0": torch.zeros(4, 1), "weight_hh_l0": torch.as_tensor(matrix)})
    return network


def _trained() -> Iterator[Case]:
    tasks: tuple[tuple[str, str, tuple[str, ...], tuple[float, ...]], ...] = (
        ("sine", "lstm", ("n_epochs=300",), (0.3,)),
        ("sine", "gru", ("n_epochs=300",), (0.5,)),
        ("sine", "rnn", ("n_epochs=300",), (0.3,)),
        ("flipflop", "gru", ("hidden_size=24",), (0.0, 0.0, 0.0)),
        ("flipflop", "lstm", ("hidden_size=24",), (0.0, 0.0, 0.0)),
        ("flipflop", "rnn", ("hidden_size=24",), (0.0, 0.0, 0.0)),
        ("symbols", "lstm", (), ()),
        ("copy-memory", "gru", ("n_epochs=40",), ()),
        ("copy-memory", "lstm", ("n_epochs=40",), ()),
    )
    for task, model, changes, value in tasks:
        for seed in range(2):
            for share in (0.1, 0.3, 0.6, 1.0):
                yield Case("trained", f"{task} {model} seed {seed} at {share:.0%} of the epochs",
                           lambda a=(task, model, changes, seed, share): _snapshot(*a), value)  # fmt: skip


def _snapshot(task: str, model: str, changes: tuple[str, ...], seed: int, share: float) -> System:
    folder = FOLDER / f"{task}-{model}-{seed}"
    if not (folder / "model.toml").exists() or not len(Run(folder).epochs):
        fit(Config.assemble(task, model=model, changes=list(changes), seed=seed), folder)
    run = Run(folder)
    steps = run.steps
    return run.system(step=int(steps[round(share * (len(steps) - 1))])).to(torch.float64)


# the reference


def reference(case: Case) -> dict[str, Any]:
    """What long runs of the plain map say: a kind for each start, and the number of its set."""
    system = case.make()
    n = system.state_size
    generator = torch.Generator().manual_seed(1)
    state = case.scale * torch.randn(N_STARTS, n, generator=generator, dtype=torch.float64)
    value = torch.as_tensor(case.input or (0.0,) * system.input_size, dtype=torch.float64)
    held = value.expand(N_STARTS, system.input_size)
    weights = system.weights
    drive = system.drive(weights, held)
    moments, sampled = [], []
    with torch.no_grad():
        for _ in range(40):
            total, squares, kept = torch.zeros_like(state), torch.zeros_like(state), []
            for t in range(N_STEPS // 40):
                state = system.step(weights, state, drive)
                total, squares = total + state, squares + state.square()
                if t >= N_STEPS // 40 - 2600:
                    kept.append(state)
            moments.append(torch.stack([total, squares]) * 40 / N_STEPS)
            sampled = kept
            window = torch.stack(kept)
            if bool(((window[-1] - window[-2]).abs().amax(-1) <= 1e-14 * (1 + state.abs().amax(-1))).all()):
                break  # all at rest to rounding
        window = torch.stack(sampled)
        gone = ~torch.isfinite(state).all(-1) | (state.abs().amax(-1) > 1e8)
        exponents = _neighbours(system, weights, state, drive, 0 if bool(_returns(window)[0].all()) else 20_000)
    period = _returns(window)[0]
    blocks = torch.stack(moments).numpy()  # (block, 2, row, state)
    kinds, location = [], []
    for row in range(N_STARTS):
        mean = blocks[-20:, 0, row].mean(0)
        spread = np.sqrt(np.maximum(blocks[-20:, 1, row].mean(0) - mean**2, 0))
        if period[row]:  # the mean over one round
            mean, spread = window[-int(period[row]) :, row].mean(0).numpy(), np.zeros_like(mean)
        location.append(np.concatenate([mean, spread]))
        if gone[row]:
            kinds.append("divergence")
        elif period[row]:
            kinds.append("fixed_point" if period[row] == 1 else "cycle")
        else:
            kinds.append(_moving(blocks[:, :, row], exponents[:, row]))
    return {"kinds": kinds, "period": period.tolist(), "location": np.array(location).tolist(),
            "exponents": exponents.mean(0).tolist(), "state": window[-1].tolist()}  # fmt: skip


def _returns(window: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Period, up to 2048, of each row of a window (time, row, state) that comes back to itself to rounding; else 0."""
    period = torch.zeros(window.shape[1], dtype=torch.int64)
    size = 1 + window[-1].abs().amax(-1)
    for k in range(2048, 0, -1):
        same = (window[-512:] - window[-512 - k : len(window) - k]).abs().amax((0, 2)) <= 1e-11 * size
        period[same] = k
    return period, size


def _neighbours(system: System, weights: Any, state: torch.Tensor, drive: torch.Tensor, n_steps: int) -> np.ndarray:
    """Exponents of three neighbours by differences, made orthogonal every 5 steps: (block of ten, row, 3)."""
    k, begun, every = min(3, state.shape[1]), 1e-7, 5
    rows = len(state)
    frame = torch.linalg.qr(torch.randn(rows, state.shape[1], k, generator=torch.Generator().manual_seed(2),
                                        dtype=torch.float64)).Q  # fmt: skip
    logs = []
    held = drive.repeat(k + 1, 1)
    for t in range(n_steps // every):
        size = begun * (1 + state.abs().amax(-1))
        both = torch.cat([state, *(state + size[:, None] * frame[..., j] for j in range(k))])
        for _ in range(every):
            both = system.step(weights, both, held)
        state = both[:rows]
        differences = torch.stack([both[(j + 1) * rows : (j + 2) * rows] - state for j in range(k)], -1)
        frame, r = torch.linalg.qr(differences / size[:, None, None])
        if t >= n_steps // every // 5:
            logs.append(r.diagonal(dim1=-2, dim2=-1).abs().clamp(min=1e-12).log() / every)
    if not logs:
        return np.full((10, rows, k), np.nan)
    return np.stack([part.mean(0).numpy() for part in torch.stack(logs).tensor_split(10)])


def _moving(moments: np.ndarray, exponents: np.ndarray) -> str:
    """The kind of what neither rests nor comes back, from moments (block, 2, state) and exponents (block, 3)."""
    size = np.sqrt((moments[-20:, 1].mean(0) - moments[-20:, 0].mean(0) ** 2).max())
    third, last = moments[-20:-10, 0], moments[-10:, 0]
    noise = np.sqrt((third.var(0, ddof=1) + last.var(0, ddof=1)) / 10)
    changed = np.abs(third.mean(0) - last.mean(0)) > 8 * noise + 2e-3 * size
    if changed.any():
        return "unsettled"
    mean, error = exponents.mean(0), exponents.std(0, ddof=1) / np.sqrt(len(exponents))
    if mean[0] > max(5 * error[0], 5e-4):
        return "chaos" if (exponents[:, 0] > 0).all() else "unsettled"
    zero = np.abs(mean) <= np.maximum(5 * error, 1e-4)
    if not zero[0]:
        return "unsettled"
    n_zero = int(zero.cumprod().sum())
    return ("closed_curve", "torus", "many")[min(n_zero, 3) - 1]


def count_sets(found: dict[str, Any], kind: str) -> int:
    """How many distinct sets of a kind the reference has."""
    rows = [k for k, own in enumerate(found["kinds"]) if own == kind]
    if kind in ("divergence", "continuum"):
        return min(len(rows), 1)
    location = np.array(found["location"])
    distinct: list[int] = []
    for row in rows:
        size = max(location[row][len(location[row]) // 2 :].max(), 1e-9)
        near = {"fixed_point": 1e-4 * (1 + np.abs(location[row]).max()), "cycle": 1e-4}.get(kind, 0.1 * size)
        if not any(np.abs(location[row] - location[k]).max() <= near for k in distinct):
            distinct.append(row)
    return len(distinct)


def probe(case: Case) -> dict[str, Any]:
    """What ``Attractors`` says, from the first eight of the same starts."""
    system = case.make()
    value = case.input or (0.0,) * system.input_size
    generator = torch.Generator().manual_seed(1)
    starts = case.scale * torch.randn(N_STARTS, system.state_size, generator=generator, dtype=torch.float64)
    began = time.perf_counter()
    inputs = [list(value)] if value else None
    found = Attractors(inputs=inputs, starts=starts[:8].tolist()).measure(system)
    kinds = [str(name) for name in kind_names(found.kind.values[0]) if name]
    return {
        "kinds": kinds,
        "stands": [
            kind in ("fixed_point", "cycle") and _stands(system, value, found.isel(input=0, attractor=k))
            for k, kind in enumerate(kinds)
        ],
        "fractions": found.fraction.values[0].tolist(),
        "period": found.period.values[0].tolist(),
        "exponent": found.lyapunov_exponent.values[0, :, 0].tolist(),
        "n_run": int(found.n_run.values[0].max()),
        "seconds": time.perf_counter() - began,
    }


def _stands(system: System, value: tuple[float, ...], found: xr.Dataset) -> bool:
    """Whether the plain map brings states beside a point of a cycle back to it, after 20,000 steps or so."""
    period = int(found.period)
    point = torch.as_tensor(found.location.values)[None]
    noise = torch.randn(8, point.shape[1], generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    state = torch.cat([point, point + 1e-6 * noise / noise.norm(dim=-1, keepdim=True)])
    held = torch.as_tensor(value, dtype=torch.float64).expand(len(state), system.input_size)
    with torch.no_grad():
        state = system.simulate(state, held, n_steps=period * -(-20_000 // period)).final
    distance = (state - point).norm(dim=-1)
    return bool((distance <= 3e-7).all())


_MAY_BE = {"many": {"torus", "continuum"}, "torus": {"torus", "continuum"}}
"""Names that are right where the reference sees two exponents at zero, or more: sets side by side, or a torus."""


def compare(truth: dict[str, Any], said: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Names that no start of the reference comes to, and kinds that are counted oftener than in the reference.

    A point or cycle that no other start comes to is there all the same if the plain map stays at it and comes back.
    """
    allowed = set().union(*(_MAY_BE.get(kind, {kind}) for kind in truth["kinds"])) | {"undetermined"}
    wrong = sorted(
        {kind for kind, stands in zip(said["kinds"], said["stands"], strict=True) if kind not in allowed and not stands}
    )
    counts = Counter(said["kinds"])
    twice = [
        f"{n} {kind} for {count_sets(truth, kind)}"
        for kind, n in counts.items()
        if kind not in ("undetermined", "continuum", "fixed_point", "cycle")
        and kind in truth["kinds"]
        and n > count_sets(truth, kind)
    ]
    return wrong, twice


def main() -> int:
    """References where there are none yet, the probe, the table."""
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    part, of = 0, 1
    if "--part" in sys.argv:
        part, of = (int(word) for word in sys.argv[sys.argv.index("--part") + 1].split("/"))
    chosen = [case for k, case in enumerate(cases()) if k % of == part % of]
    lines, table = [], []
    for case in chosen:
        file = FOLDER / f"{case.name.replace('/', '-').replace(' ', '_').replace('%', '')}.json"
        if file.exists():
            truth = json.loads(file.read_text(encoding="utf-8"))
        elif "--known" in sys.argv:
            continue
        else:
            truth = reference(case)
            file.write_text(json.dumps(truth), encoding="utf-8")
        if "--references" in sys.argv:
            continue
        kept = file.with_suffix(".said")
        said = json.loads(kept.read_text(encoding="utf-8")) if "--kept" in sys.argv and kept.exists() else probe(case)
        kept.write_text(json.dumps(said), encoding="utf-8")
        wrong, twice = compare(truth, said)
        table.append((case, truth, said, wrong, twice))
        line = f"{case.name}: {dict(Counter(truth['kinds']))} | {said['kinds']} {said['n_run']} {said['seconds']:.1f} s"
        print(line + (f" WRONG {wrong}" if wrong else "") + (f" TWICE {twice}" if twice else ""), flush=True)
        lines.append(line)
    if table and "--no-page" not in sys.argv:
        PAGE.write_text(page(table), encoding="utf-8")
    return int(any(wrong or twice for *_, wrong, twice in table))


def page(table: list[tuple[Case, dict[str, Any], dict[str, Any], list[str], list[str]]]) -> str:
    """The table by family in Markdown."""
    rows = []
    for family in dict.fromkeys(case.family for case, *_ in table):
        own = [line for line in table if line[0].family == family]
        named = Counter(kind for _, _, said, _, _ in own for kind in said["kinds"])
        whole = sum("undetermined" not in said["kinds"] for _, _, said, _, _ in own)
        unsettled = sum(
            "unsettled" in truth["kinds"] and "undetermined" in said["kinds"] for _, truth, said, _, _ in own
        )
        left = len(own) - whole - unsettled
        wrong, twice = (sum(bool(line[k]) for line in own) for k in (3, 4))
        seconds = np.median([said["seconds"] for _, _, said, _, _ in own])
        counts = ", ".join(f"{named[kind]} {kind.replace('_', ' ')}" for kind in KINDS[:-1] if named[kind])
        rows.append(
            f"| {family} | {len(own)} | {counts} | {whole} | {unsettled} | {left} | {wrong} | {twice} | {seconds:.1f} |"
        )
    bad = [f"- {case.name}: {', '.join(wrong + twice)}; the reference has {dict(Counter(truth['kinds']))}"
           for case, truth, _, wrong, twice in table if wrong or twice]  # fmt: skip
    waiting = [case.name for case, truth, said, _, _ in table
               if "undetermined" in said["kinds"] and "unsettled" not in truth["kinds"]]  # fmt: skip
    return "\n".join(
        [
            "# Gated and slow networks: does `Attractors` give the right names?",
            "",
            f"{len(table)} networks, made and judged by `python -m benchmarks.gated`, which says how. The reference",
            f"runs {N_STARTS} starts for {N_STEPS:,} steps and does not use the classifier. A network is undetermined",
            "if any of its eight starts is; that is right where the reference is unsettled after its whole run.",
            "",
            "| networks | n | sets named | all starts named | undetermined, as the reference is unsettled "
            "| undetermined, though it settles | wrong names | counted twice | median time (s) |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            *(bad or ["No name is wrong, and no set is counted twice."]),
            "",
            f"Undetermined although the reference settles: {'; '.join(waiting) if waiting else 'none'}.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
