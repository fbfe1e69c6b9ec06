"""Phases of a training: stretches of epochs over which the inputs keep doing much the same."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from rnnscope.findings.reading import are_scalar, column, input_name

if TYPE_CHECKING:
    import xarray

MAX_PHASES = 8
Found = TypeVar("Found", bound=Hashable)
Group = TypeVar("Group")


@dataclass(frozen=True)
class Phase(Generic[Group]):
    """A stretch of epochs over which the inputs keep much the same; inputs of which the same is found are a group."""

    first_epoch: int
    last_epoch: int
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Same(Generic[Found]):
    """Inputs of which the same is found, most often, over a phase.

    ``holds`` are the (step, input) at which exactly this is found, ``share`` is what part of all they are.
    """

    found: Found
    inputs: tuple[int, ...]
    values: tuple[float, ...]
    names: tuple[str, ...]
    holds: tuple[tuple[int, int], ...]
    share: float


def phases_of(
    data: "xarray.Dataset",
    found: Sequence[Sequence[Found]],
    group: Callable[[Same[Found]], Group],
    max_phases: int = MAX_PHASES,
) -> list[Phase[Group]]:
    """The phases of a training by what is found at its inputs, in order.

    Epochs looked at with as many inputs of each sort are joined as ``join_epochs`` says. Within a phase each input has
    what is found there most often.

    Args:
        data: a result as ``by_step`` gives it.
        found: what there is, by step and input.
        group: what is told of inputs of which the same is found.
        max_phases: the most there may be.

    """
    sorts = list(dict.fromkeys(own for row in found for own in row))
    counts = np.array([[row.count(sort) for sort in sorts] for row in map(list, found)])
    epochs = data["epoch"].values
    return [
        Phase(int(epochs[first]), int(epochs[last]), tuple(map(group, _same(data, found, first, last))))
        for first, last in join_epochs(counts, max_phases)
    ]


def _same(data: "xarray.Dataset", found: Sequence[Sequence[Found]], first: int, last: int) -> list[Same[Found]]:
    n_inputs, values = data.sizes["input"], column(data, "input_value")
    commonest = [Counter(row[at] for row in found[first : last + 1]).most_common(1)[0][0] for at in range(n_inputs)]
    groups = []
    for sort in dict.fromkeys(commonest):
        inputs = tuple(at for at in range(n_inputs) if commonest[at] == sort)
        holds = tuple((step, at) for step in range(first, last + 1) for at in inputs if found[step][at] == sort)
        groups.append(
            Same(
                sort,
                inputs,
                tuple(float(values[at]) for at in inputs),
                tuple(input_name(data, at) for at in inputs),
                holds,
                len(holds) / ((last - first + 1) * len(inputs)),
            )
        )
    return groups


def inputs_words(data: "xarray.Dataset", inputs: Sequence[int], share: float) -> str:
    """Which inputs, and in what part of the epochs looked at what is said of them holds exactly.

    Neighbours are a range where inputs are single numbers, in the order of their values.
    """
    n_inputs, names = data.sizes["input"], [input_name(data, at) for at in inputs]
    if len(inputs) == n_inputs:
        words = "all" if n_inputs > 1 else names[0]
    elif are_scalar(data) and inputs[-1] - inputs[0] == len(inputs) - 1 > 1:
        words = f"{names[0]} … {names[-1]}"
    elif len(inputs) <= 3:
        words = ", ".join(names)
    else:
        words = f"{len(inputs)} of {n_inputs}"
    return words if share > 0.995 else f"{words} ({share:.0%})"


def join_epochs(counts: np.ndarray, max_phases: int = MAX_PHASES) -> list[tuple[int, int]]:
    """First and last row of each phase of the numbers of inputs of each sort (epoch, sort).

    Epochs looked at with the same counts in a row are one phase to begin with. What a phase misstates is the number of
    its epochs × inputs of another sort than its commonest counts say. Two neighbours are joined, always the pair that
    adds least to what is misstated, as long as there are more than ``max_phases`` or that pair adds at most 0.5 % of
    all epochs × inputs.

    >>> join_epochs(np.array([[2, 0], [2, 0], [1, 1], [0, 2]]))
    [(0, 1), (2, 2), (3, 3)]
    """
    changes = np.flatnonzero(np.any(np.diff(counts, axis=0) != 0, axis=1))
    ends = [*map(int, changes), len(counts) - 1]
    blocks = list(zip([0, *(end + 1 for end in ends[:-1])], ends, strict=True))
    tolerated = 0.005 * counts.sum()

    def misstated(first: int, last: int) -> int:
        inside = counts[first : last + 1]
        return int(np.abs(inside - np.array(commonest_counts(inside)[0])).sum() // 2)

    def added(at: int) -> int:
        return misstated(blocks[at][0], blocks[at + 1][1]) - misstated(*blocks[at]) - misstated(*blocks[at + 1])

    costs = [added(at) for at in range(len(blocks) - 1)]
    while costs and (len(blocks) > max_phases or min(costs) <= tolerated):
        at = costs.index(min(costs))
        blocks[at : at + 2] = [(blocks[at][0], blocks[at + 1][1])]
        del costs[at]
        for neighbour in (at - 1, at):
            if 0 <= neighbour < len(costs):
                costs[neighbour] = added(neighbour)
    return blocks


def commonest_counts(counts: np.ndarray) -> tuple[tuple[int, ...], float]:
    """The commonest row, of two as common the one that comes first, and the share of all rows that are like it.

    >>> commonest_counts(np.array([[0, 2], [2, 0], [2, 0], [0, 2]]))
    ((0, 2), 0.5)
    """
    rows, first, times = np.unique(counts, axis=0, return_index=True, return_counts=True)
    most = np.lexsort((first, -times))[0]
    return tuple(map(int, rows[most])), float(times[most] / len(counts))
