"""Lyapunov exponents per step of one start, against autograd's dense Jacobian followed by a QR decomposition."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.harness import Timing, compare
from rnnscope.systems import System


class _Case(NamedTuple):
    name: str
    hidden_size: int
    n_exponents: int | None
    at_most: float
    n_steps: int


_CASES = (
    _Case("full spectrum, LSTM 64 (128 states), a step", 64, None, 1 / 30, 640),
    _Case("10 leading exponents, LSTM 200 (400 states), a step", 200, 10, 1 / 100, 640),
)


def spectra() -> list[Timing]:
    """Time of a step, for one start and for a batch of 16 (per start); the reference's by autograd, one start.

    Both with one torch thread: on so small matrices a second one gains nothing and waits where the machine is shared.
    """
    from rnnscope.base.threads import torch_threads

    with torch_threads(1):
        return [timing for case in _CASES for timing in _timings(case)]


def _timings(case: _Case) -> list[Timing]:
    from rnnscope.attractors import lyapunov_spectrum

    system, starts = _lstm(case.hidden_size)

    def ours(batch: int, n_steps: int, interval: int = 10) -> Tensor:
        found = lyapunov_spectrum(
            system, starts[:batch], n_exponents=case.n_exponents, n_transient_tangent=0, n_steps=n_steps,
            interval=interval,
        )  # fmt: skip
        return found.exponents[0]

    def reference(n_steps: int = 2) -> Tensor:
        return by_autograd(system, starts[0], case.n_exponents, n_steps)

    def equal() -> None:
        expected = reference(20).sort(descending=True).values
        for interval in (1, 10):
            torch.testing.assert_close(ours(1, 20, interval), expected, rtol=1e-6, atol=1e-6)

    timings = []
    for batch, n_steps, check in ((1, case.n_steps, equal), (16, case.n_steps // 8, None)):
        timing = compare(case.name, partial(ours, batch, n_steps), reference, at_most=1.0, equal=check, repeats=5)
        a, b = timing.ours / (n_steps * batch), timing.reference / 2
        ratio = timing.ratio * 2 / (n_steps * batch)
        note = f"{1 / ratio:.0f} times faster, " + ("one start" if batch == 1 else f"per start of {batch}")
        target = f"at most {case.at_most:.3f}"
        timings.append(Timing(case.name, a, b, ratio, target, ratio <= case.at_most, note))
    return timings


def by_autograd(system: System, state: Tensor, n_exponents: int | None, n_steps: int) -> Tensor:
    """The usual way: the Jacobian row by row from the adjoint, and QR at every step."""
    from rnnscope.base.randomness import make_generator

    n = system.state_size
    generator = make_generator(0, "lyapunov/frame")
    frame = torch.linalg.qr(torch.randn(n, n_exponents or n, dtype=torch.float64, generator=generator)).Q
    weights = system.weights
    drive = system.drive(weights, state.new_zeros(system.input_size))
    total = torch.zeros(n_exponents or n, dtype=torch.float64)
    for _ in range(n_steps):
        jacobian = torch.autograd.functional.jacobian(lambda x: system.step(weights, x, drive), state)
        assert isinstance(jacobian, Tensor)
        state = system.step(weights, state, drive)
        frame, r = torch.linalg.qr(jacobian @ frame)
        total += r.diagonal().abs().log()
    return total / n_steps


CASES: dict[str, Callable[[], list[Timing]]] = {"lyapunov": spectra}


def _lstm(hidden_size: int) -> tuple[System, Tensor]:
    """A network whose motion does not die out, and states on its way."""
    from rnnscope.systems import as_system

    torch.manual_seed(0)
    core = nn.LSTM(1, hidden_size).double()
    with torch.no_grad():
        dict(core.named_parameters())["weight_hh_l0"].mul_(6)
    system = as_system(core)
    starts = torch.randn(16, 2 * hidden_size, dtype=torch.float64)
    return system, system.simulate(starts, torch.zeros(16, 1, dtype=torch.float64), n_steps=200).final
