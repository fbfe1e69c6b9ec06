"""The foundation: simulation, orbits, recording, opening a run, the command line."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.harness import Timing, compare


def simulation() -> list[Timing]:
    """Plain simulation against calling nn.LSTM directly: 40 starts, 1600 steps, as in the paper's orbits."""
    from rnnscope.systems import as_system

    timings = []
    for hidden_size in (32, 200):
        lstm, x, u = _lstm(hidden_size)
        system = as_system(lstm)

        def ours(system=system, x=x, u=u) -> torch.Tensor:
            return system.simulate(x, u, n_steps=1600).outputs

        def direct(lstm=lstm, x=x, u=u, h=hidden_size) -> torch.Tensor:
            with torch.no_grad():
                parts = (x[None, :, :h].contiguous(), x[None, :, h:].contiguous())
                return lstm(u.expand(1600, -1, -1).contiguous(), parts)[0]

        name = f"simulate, LSTM {hidden_size}, 40 × 1600 steps, against nn.LSTM"
        timings.append(compare(name, ours, direct, at_most=1.1, equal=lambda a=ours, b=direct: _same(a(), b())))
    return timings


def orbits() -> list[Timing]:
    """The probe, with its tests for rest and divergence, against nn.LSTM alone: oscillating and resting networks."""
    from rnnscope.attractors import Orbits
    from rnnscope.systems import as_system

    timings = []
    for hidden_size, kind in ((32, "oscillating"), (200, "oscillating"), (200, "resting")):
        lstm, _, _ = _lstm(hidden_size)
        if kind == "oscillating":
            with torch.no_grad():
                dict(lstm.named_parameters())["weight_hh_l0"].mul_(12 if hidden_size == 32 else 30)
        inputs = np.linspace(0.2, 0.4, 10)[:, None]
        probe = Orbits(inputs=inputs, starts="normal(100)")
        system = as_system(lstm)
        starts = _starts(probe, system)
        u = torch.tensor(inputs, dtype=torch.float32).repeat_interleave(4, 0).expand(1600, -1, -1).contiguous()

        def ours(probe=probe, system=system) -> object:
            return probe.measure(system)

        def direct(lstm=lstm, starts=starts, u=u, h=hidden_size) -> torch.Tensor:
            with torch.no_grad():
                return lstm(u, (starts[None, :, :h].contiguous(), starts[None, :, h:].contiguous()))[0]

        status = probe.measure(system)["status"]
        share = float((status == 0).mean())
        note = f"{100 * share:.0f} % of the starts never settle"
        timings.append(
            compare(
                f"orbits, LSTM {hidden_size}, {kind}, against nn.LSTM",
                ours,
                direct,
                at_most=1.1 if hidden_size > 100 else 2.0,
                note=note,
            )
        )
    return timings


def recorder() -> list[Timing]:
    """An epoch of the sine task's paper preset with a Recorder, against the same without; and its own time."""
    from rnnscope.training import Config, Recorder

    config = Config.assemble("sine", preset="paper")
    task, model = config.build_task(), config.build_model()
    optimizer = torch.optim.Adam(model.parameters())
    batches = task.batches()

    def epoch() -> float:
        total = 0.0
        for inputs, targets in batches:
            optimizer.zero_grad()
            cost = task.cost(model(inputs), targets)
            cost.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
            total += float(cost.detach())
        return total

    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "run", model, optimizer=optimizer)
        recorder.seconds = 0.0
        calls, began = 0, time.perf_counter()
        epoch()
        for number in range(8):
            loss = epoch()
            recorder.epoch(number, loss=loss)
            calls += 1
        whole = (time.perf_counter() - began) / (calls + 1)
    inside = recorder.seconds / calls
    ratio = inside / whole
    name = "recorder, share of an epoch of sine paper"
    return [Timing(name, inside, whole, ratio, "at most 0.02", ratio <= 0.02, "time inside the recorder")]


def orthogonal() -> list[Timing]:
    """Orthogonal layers, hidden 200, batch 10, 400 steps, forward and backward, against a plain loop over the cell."""
    from rnnscope import models
    from rnnscope.models._recurrent import Recurrent

    network = models.build("orthogonal", input_size=1, hidden_size=200, output_size=1)
    core = network.core
    plain = Recurrent("orthogonal", 1, 200, options={"nonlinearity": "modrelu", "map": "exp"})
    plain.load_state_dict({name: t for name, t in core.state_dict().items() if name != "steps"})
    inputs = torch.randn(10, 400, 1)

    def gradients(layers: nn.Module) -> list[torch.Tensor]:
        layers.zero_grad()
        (layers(inputs)[0] ** 2).mean().backward()
        return [p.grad.clone() for p in layers.parameters() if p.grad is not None]

    def equal() -> None:
        for ours, theirs in zip(gradients(core), gradients(plain), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3 * float(theirs.abs().max()))

    name = "orthogonal 200, batch 10 × 400, forward + backward, against a plain loop"
    return [compare(name, lambda: gradients(core), lambda: gradients(plain), at_most=0.45, equal=equal)]


def opening() -> list[Timing]:
    """Opening a run of 1000 recorded epochs with its packed orbits; the reference is one second."""
    from rnnscope.attractors import Orbits
    from rnnscope.runs import Run
    from rnnscope.training import Recorder

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        recorder = Recorder(path, (nn.LSTM(1, 32), nn.Linear(32, 1)))
        for epoch in range(1000):
            recorder.epoch(epoch, loss=1.0)
        probe = Orbits(inputs=np.linspace(0, 1, 10)[:, None], n_transient=60, n_keep=400)
        Run(path).probe(probe)

        def ours() -> int:
            run = Run(path)
            return len(run.scalars) + len(run.epochs) + run.dataset("orbits").sizes["step"]

        assert ours() == 1000 + 1001 + 1001
        return [compare("open a run of 1000 epochs", ours, lambda: time.sleep(1), at_most=1.0, repeats=3)]


def help_time() -> list[Timing]:
    """``rnnscope --help`` in a new process; the reference is 0.4 s."""
    command = [str(Path(sys.executable).with_name("rnnscope")), "--help"]

    def ours() -> object:
        return subprocess.run(command, capture_output=True, check=True)

    return [compare("rnnscope --help", ours, lambda: time.sleep(0.4), at_most=1.0)]


CASES: dict[str, Callable[[], list[Timing]]] = {
    "simulation": simulation,
    "orbits": orbits,
    "recorder": recorder,
    "orthogonal": orthogonal,
    "opening": opening,
    "help": help_time,
}


def _lstm(hidden_size: int) -> tuple[nn.LSTM, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return nn.LSTM(1, hidden_size), 100 * torch.randn(40, 2 * hidden_size), torch.randn(40, 1)


def _starts(probe, system) -> torch.Tensor:
    from rnnscope.attractors.starts import draw_starts

    return draw_starts(probe.starts, probe.n_starts, system, probe.seed, probe.name).repeat(10, 1)


def _same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b)
