import re

import torch
from torch import Tensor

from rnnscope.base.errors import require
from rnnscope.base.randomness import make_generator
from rnnscope.systems import System

EXPECTED = "'normal(std)' with std > 0, such as 'normal(100)', or states (start, state)"


def check_starts(starts: object) -> None:
    """Raise unless ``starts`` is 'normal(std)' or a table of numbers."""
    if isinstance(starts, str):
        require(_standard_deviation(starts) is not None, "starts", EXPECTED, starts)
    else:
        require(isinstance(starts, tuple) and starts and isinstance(starts[0], tuple), "starts", EXPECTED, starts)


def draw_starts(starts: str | tuple, n_starts: int, system: System, seed: int, name: str) -> Tensor:
    """States (start, state_size) to begin from: drawn in float64 once per (seed, probe), or as given."""
    if isinstance(starts, str):
        std = _standard_deviation(starts)
        assert std is not None, starts
        drawn = torch.randn(
            n_starts, system.state_size, dtype=torch.float64, generator=make_generator(seed, f"{name}/starts")
        )
        states = std * drawn
    else:
        states = torch.tensor(starts, dtype=torch.float64)
        require(
            states.shape[-1] == system.state_size,
            "starts",
            f"states of {system.state_size} numbers ({system.state_labels[0]} … {system.state_labels[-1]})",
            f"{states.shape[-1]} numbers",
        )
    return states.to(dtype=system.dtype, device=system.device)


def _standard_deviation(text: str) -> float | None:
    match = re.fullmatch(r"normal\(\s*([0-9.eE+-]+)\s*\)", text)
    try:
        value = float(match.group(1)) if match else 0.0
    except ValueError:
        return None
    return value if value > 0 else None
