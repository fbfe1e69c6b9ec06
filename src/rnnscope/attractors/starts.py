"""Where probes of the map begin: drawn about states that the network visits, at random, or given."""

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.numerics.running import picked_and_spread
from rnnscope.base.errors import require
from rnnscope.base.randomness import make_generator
from rnnscope.systems import System

EXPECTED = "'visited', 'visited(noise)', 'normal(std)' such as 'normal(100)', 'zero', or states (start, state)"
_NOISE = 0.1  # of 'visited', relative to the spread of each coordinate
_SPREAD_OVER = 16  # sequences at least, to know how far each coordinate spreads


def check_starts(starts: object) -> None:
    """Raise unless ``starts`` is None, a distribution or a table of numbers."""
    if isinstance(starts, str):
        require(_parsed(starts) is not None, "starts", EXPECTED, starts)
    elif starts is not None:
        require(isinstance(starts, tuple) and starts and isinstance(starts[0], tuple), "starts", EXPECTED, starts)


def chosen_starts(starts: Any, *, sequences_known: bool) -> Any:
    """What starts=None stands for: the states visited on input sequences where they are known, else normal(1)."""
    if starts is not None:
        return starts
    return "visited" if sequences_known else "normal(1)"


def need_sequences(starts: Any) -> bool:
    """Whether input sequences decide where these starts are."""
    return isinstance(starts, str) and starts.startswith("visited")


def draw_starts(
    starts: Any, n_starts: int, system: System, seed: int, name: str, sequences: Tensor | np.ndarray | None = None
) -> Tensor:
    """States (start, state_size) to begin from; the same random numbers for every system.

    'normal(std)': each coordinate independently. 'visited(noise)': from the state in which it begins (zero, unless it
    has learned another) the system runs along input sequences (sequence, time, channel) drawn at random, and stops at a
    random time; noise is added, normal, with a standard deviation of ``noise`` times that of the coordinate over all
    states visited. Where it has left the range of numbers by then, the start is where it began. 'zero': the zero state.
    Otherwise states as given.

    Raises:
        ValueError: states or sequences of the wrong width; 'visited' without sequences.

    """
    starts = chosen_starts(starts, sequences_known=sequences is not None)
    if isinstance(starts, str):
        kind, value = _parsed(starts) or ("", 0.0)
        generator = make_generator(seed, f"{name}/starts")
        drawn = torch.randn(n_starts, system.state_size, dtype=torch.float64, generator=generator)
        if kind in ("normal", "zero"):
            states = value * drawn
        else:
            states = _visited(system, checked_sequences(sequences, system), value * drawn, generator)
    else:
        states = torch.tensor(starts, dtype=torch.float64)
        require(
            states.shape[-1] == system.state_size,
            "starts",
            f"states of {system.state_size} numbers ({system.state_labels[0]} … {system.state_labels[-1]})",
            f"{states.shape[-1]} numbers",
        )
    return states.to(dtype=system.dtype, device=system.device)


def _visited(system: System, sequences: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
    n_starts, n_steps = len(noise), sequences.shape[1]
    which = torch.randint(len(sequences), (max(n_starts, _SPREAD_OVER),), generator=generator)
    when = torch.randint(n_steps, (n_starts,), generator=generator)
    inputs = sequences[which].movedim(1, 0).to(dtype=system.dtype, device=system.device)
    picked, spread = picked_and_spread(system, inputs, when)
    states = (picked + noise * spread).to(system.dtype)  # what is finite in double precision need not be so in single
    finite = torch.isfinite(states).all(-1, keepdim=True)
    if finite.all():
        return states
    with torch.no_grad():
        begin = system.initial_state(system.weights, inputs)[:n_starts].to(device="cpu", dtype=system.dtype)
    return torch.where(finite, states, begin.nan_to_num(0.0))


def checked_sequences(
    sequences: Tensor | np.ndarray | None,
    system: System,
    setting: str = "starts: 'visited'",
    otherwise: str = "starts='normal(1)'",
) -> Tensor:
    """Sequences as a tensor; ValueError if there are none, or of another shape, saying which ``setting`` needs them."""
    if sequences is None:
        raise ValueError(
            f"{setting} needs input sequences (sequence, time, channel): measure(system, sequences), or of a run "
            f"run.give(sequences=sequences), rnnscope data RUN --sequences u.npy; without any {otherwise}"
        )
    sequences = torch.as_tensor(sequences)
    fits = sequences.dim() == 3 and min(sequences.shape[:2]) > 0 and sequences.shape[2] == system.input_size
    expected = f"shape (sequence, time, {system.input_size})"
    require(fits, "sequences", expected, tuple(sequences.shape))
    require(bool(torch.isfinite(sequences).all()), "sequences", "finite numbers", "some that are not")
    check_tokens(sequences, system, "sequences")
    return sequences


def check_tokens(values: Tensor | np.ndarray, system: System, name: str) -> None:
    """ValueError unless values are tokens, where the system's input is one."""
    if system.n_tokens is not None:
        given = torch.as_tensor(values)
        good = (given >= 0) & (given < system.n_tokens) & (given == given.round())
        wrong = given[~good].reshape(-1)[:1].tolist()
        expected = f"tokens, whole numbers from 0 to {system.n_tokens - 1}, such as [[0], [1]]"
        require(not wrong, name, expected, *wrong or [None])


def _parsed(text: str) -> tuple[str, float] | None:
    """'normal(2)' as ("normal", 2.0), 'visited' as ("visited", 0.1), 'zero' as ("zero", 0.0); None if it is none."""
    if text == "zero":
        return "zero", 0.0
    match = re.fullmatch(r"(normal|visited)(?:\(\s*([0-9.eE+-]+)\s*\))?", text)
    if match is None:
        return None
    kind, number = match.groups()
    if number is None:
        return ("visited", _NOISE) if kind == "visited" else None
    try:
        value = float(number)
    except ValueError:
        return None
    least_is_met = value >= 0 if kind == "visited" else value > 0
    return (kind, value) if least_is_met and np.isfinite(value) else None
