"""Probes on networks of 128 to 512 units; the references are the times that they have to beat, in seconds."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.harness import Timing, compare


def fixedpoints() -> list[Timing]:
    """Networks with one fixed point, and a chaotic one that has hundreds."""
    from rnnscope.attractors import FixedPoints

    probe = FixedPoints(starts="normal(1)")
    found = []
    for name, network, seconds in (
        ("LSTM 128", _network("lstm", 128), 1.5),
        ("LSTM 200", _network("lstm", 200), 4.0),
        ("GRU 512", _network("gru", 512), 20.0),
        ("LSTM 200, chaotic", _network("lstm", 200, 6.0), 45.0),
    ):
        repeats = 3 if seconds < 10 else 1
        found.append(_against(f"fixedpoints, {name}", lambda own=network: probe.measure(own), seconds, repeats))
    return found


def exponents() -> list[Timing]:
    """16 exponents, as by default, and all 512 of an LSTM of 256 units; the latter took 203 s."""
    from rnnscope.attractors import Lyapunov

    network = _network("lstm", 256)
    few, whole = Lyapunov(starts="normal(1)"), Lyapunov(starts="normal(1)", n_exponents="all")
    return [
        _against("lyapunov, LSTM 256, default", lambda: few.measure(network), 5.0, 3),
        _against("lyapunov, LSTM 256, all", lambda: whole.measure(network), 101.0, 1),
    ]


def attractors() -> list[Timing]:
    """An LSTM of 200 units that oscillates, 10 inputs × 8 starts."""
    from rnnscope.attractors import Attractors, kind_names

    network = oscillating_lstm(200)
    probe = Attractors(inputs=[[u] for u in np.linspace(-1, 1, 10)], starts="normal(1)")

    def check() -> None:
        names = set(kind_names(probe.measure(network).kind.values).ravel().tolist())
        assert names == {"closed_curve"}, names

    return [_against("attractors, LSTM 200 oscillating, 10 inputs", lambda: probe.measure(network), 10.0, 1, check)]


def oscillating_lstm(size: int) -> nn.LSTM:
    """Gates held open (i, o) and shut (f), so that h <- tanh(tanh(W h)); two units go round and drive the others."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    c, s = 1.3 * np.cos(1.0), 1.3 * np.sin(1.0)
    matrix[:2, :2] = torch.tensor([[c, -s], [s, c]])
    matrix[2:, :2] = 0.5 * torch.randn(size - 2, 2, generator=generator, dtype=torch.float64)
    matrix[2:, 2:] = 0.5 * torch.randn(size - 2, size - 2, generator=generator, dtype=torch.float64) / size**0.5
    torch.manual_seed(0)
    network = nn.LSTM(1, size).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.01)
        network.get_parameter("weight_hh_l0")[2 * size : 3 * size] = matrix
        bias = network.get_parameter("bias_ih_l0")
        bias[:size], bias[size : 2 * size], bias[3 * size :] = 10.0, -10.0, 10.0
    return network


def _network(kind: str, size: int, factor: float = 1.0) -> nn.Module:
    torch.manual_seed(0)
    network = nn.LSTM(1, size).double() if kind == "lstm" else nn.GRU(1, size).double()
    with torch.no_grad():
        network.get_parameter("weight_hh_l0").mul_(factor)
    return network


def _against(
    name: str, ours: Callable[[], object], seconds: float, repeats: int, equal: Callable[[], None] | None = None
) -> Timing:
    """How ours compares with a time to beat, without waiting for that."""
    began = time.perf_counter()
    timing = compare(name, ours, lambda: None, at_most=np.inf, equal=equal, repeats=repeats)
    ratio = timing.ours / seconds
    note = f"{time.perf_counter() - began:.0f} s in all"
    return Timing(name, timing.ours, seconds, ratio, "at most 1", ratio <= 1, note)


CASES: dict[str, Callable[[], list[Timing]]] = {
    "large-fixedpoints": fixedpoints,
    "large-exponents": exponents,
    "large-attractors": attractors,
}
