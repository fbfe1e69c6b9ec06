"""What has been followed so far, as one file of arrays: an interrupted measurement goes on from there."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnscope.attractors.following.branches import Branch, Follower
from rnnscope.attractors.following.corrector import Node
from rnnscope.attractors.following.events import Event
from rnnscope.base.files import write_bytes

_NUMBERS = ("segment", "input", "period", "s", "low", "high", "rate", "exists", "index_before", "index_after", "gap")
_FORMAT = 1


def keep(follower: Follower, path: Path) -> None:
    """Write all that a follower knows, in one step."""
    nodes = [(branch.id, k, node) for branch in follower.branches.values() for k, node in branch.nodes.items()]
    events = follower.events
    arrays: dict[str, Any] = {
        "format": np.array(_FORMAT),
        "branches": _whole([(b.id, b.input, b.period) for b in follower.branches.values()], 3),
        "node_place": _whole([(id, k, node.index, *node.odd) for id, k, node in nodes], 5),
        "node_s": np.array([node.s for _, _, node in nodes]),
        "node_state": _stacked([node.state.numpy() for _, _, node in nodes], follower.system.state_size),
        "node_multipliers": _padded([node.multipliers for _, _, node in nodes], complex(np.nan)),
        "pending": _whole(follower.pending(), 3),
        "ended": _whole(sorted(follower.ended), 2),
        "joined": _whole(sorted(follower.joined.items()), 2),
        "n_made": np.array(follower.n_made),
        "event_kind": np.array([event.kind for event in events], dtype="U24"),
        "event_numbers": np.array([[float(getattr(e, name)) for name in _NUMBERS] for e in events], dtype=float),
        "event_complex": np.array([[e.multiplier, e.coefficient] for e in events], dtype=complex),
        "event_branches": _padded([np.array(event.branches) for event in events], -1),
        "event_state": _stacked([event.state.numpy() for event in events], follower.system.state_size),
    }
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_bytes(path, content.getvalue())


def recall(follower: Follower, path: Path) -> bool:
    """Take up what ``keep`` has written; False where there is nothing, or nothing that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            kept = {name: file[name] for name in file.files}
        if int(kept["format"]) != _FORMAT or kept["node_state"].shape[1] != follower.system.state_size:
            return False
    except (OSError, ValueError, KeyError, EOFError):
        return False
    dtype = follower.system.dtype
    follower.branches = {int(id): Branch(int(id), int(at), int(period)) for id, at, period in kept["branches"]}
    rows = zip(kept["node_place"], kept["node_s"], kept["node_state"], kept["node_multipliers"], strict=True)
    for (id, k, index, plus, minus), s, state, multipliers in rows:
        known = multipliers[~np.isnan(multipliers)]
        node = Node(float(s), torch.tensor(state, dtype=dtype), known, int(index), (bool(plus), bool(minus)))
        follower.put(follower.branches[int(id)], int(k), node)
    for direction, k, id in kept["pending"].tolist():
        follower.wait(direction, k, id)
    follower.ended = {(id, k) for id, k in kept["ended"].tolist()}
    follower.joined = dict(kept["joined"].tolist())
    follower.n_made = int(kept["n_made"])
    follower.events = [_event(kept, row, dtype) for row in range(len(kept["event_kind"]))]
    return True


def _event(kept: dict[str, np.ndarray], row: int, dtype: torch.dtype) -> Event:
    numbers = dict(zip(_NUMBERS, kept["event_numbers"][row].tolist(), strict=True))
    whole = {name: int(numbers[name]) for name in _NUMBERS if name not in ("s", "low", "high", "rate", "gap")}
    multiplier, coefficient = kept["event_complex"][row].tolist()
    return Event(
        kind=str(kept["event_kind"][row]),
        branches=tuple(int(id) for id in kept["event_branches"][row] if id >= 0),
        state=torch.tensor(kept["event_state"][row], dtype=dtype),
        multiplier=multiplier,
        coefficient=coefficient,
        **{**numbers, **whole},
    )


def _whole(rows: Sequence[Sequence[int]], width: int) -> np.ndarray:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _stacked(rows: Sequence[np.ndarray], width: int) -> np.ndarray:
    return np.array(rows, dtype=float).reshape(len(rows), width)


def _padded(rows: Sequence[np.ndarray], fill: complex) -> np.ndarray:
    """Rows of different lengths, filled up."""
    width = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), width), fill)
    for at, row in enumerate(rows):
        padded[at, : len(row)] = row
    return padded
