"""What a network can hold while its input is held: stable fixed points beside each other, or a continuum of them."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.phases import Phase, Same, phases_of
from rnnscope.findings.reading import by_step, flags, looked_at, only_input

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Group:
    """Inputs with as many stable fixed points over a phase; ``continuum``: there is a line or ring of neutral ones."""

    inputs: tuple[int, ...]
    n_stable: int
    continuum: bool
    share: float

    @property
    def holds(self) -> bool:
        """Whether what was is remembered in which of them the state is."""
        return self.n_stable >= 2 or self.continuum

    @property
    def bits(self) -> float:
        """log2 of the number of stable fixed points.

        >>> Group((0,), 8, False, 1.0).bits
        3.0
        """
        return math.log2(self.n_stable) if self.n_stable else 0.0


@dataclass(frozen=True)
class Memory:
    """Phases of a training by what can be held.

    Attributes:
        phases: in order.
        n_inputs: how many inputs were held.
        one_input: the name of the only one, empty where there are several or none.
        n_looked_at, n_in_run: epochs.

    """

    phases: tuple[Phase[Group], ...]
    n_inputs: int
    one_input: str
    n_looked_at: int
    n_in_run: int

    @property
    def now(self) -> Group:
        """The inputs that hold most in the last phase."""
        return max(self.phases[-1].groups, key=lambda group: (group.continuum, group.n_stable))

    @property
    def leads(self) -> bool:
        """Whether this is what a page begins with: in the last phase, half of the inputs or more hold something."""
        holding = sum(len(group.inputs) for group in self.phases[-1].groups if group.holds)
        return 2 * holding >= self.n_inputs

    @property
    def rests(self) -> bool:
        """Whether in the last phase there is something to rest at under every input."""
        return all(group.n_stable or group.continuum for group in self.phases[-1].groups)


def memory_of_points(points: "xarray.Dataset") -> Memory:
    """What can be held in the points that a result of ``FixedPoints`` has within reach."""
    data = by_step(points)
    dims = ("step", "input", "point")
    status, stable = flags(data["status"]), flags(data["stable"])
    at = {name: data[name].transpose(*dims).values for name in ("status", "stable", "period", "reachable")}
    rests = (at["period"] == 1) & (at["reachable"] > 0)
    attracting = rests & (at["status"] == status["fixed_point"]) & (at["stable"] == stable["stable"])
    neutral = rests & (at["status"] == status["continuum"]) & (at["stable"] != stable["unstable"])
    return _memory(data, attracting.sum(-1), neutral.any(-1))


def memory_of_limit_sets(attractors: "xarray.Dataset") -> Memory:
    """What can be held in the limit sets of a result of ``Attractors`` at which the state rests."""
    data = by_step(attractors)
    kinds = flags(data["kind"])
    kind, period = (data[name].transpose("step", "input", "attractor").values for name in ("kind", "period"))
    neutral = (kind == kinds["continuum"]) & (period == 1)
    return _memory(data, (kind == kinds["fixed_point"]).sum(-1), neutral.any(-1))


def _memory(data: "xarray.Dataset", n_stable: np.ndarray, continuum: np.ndarray) -> Memory:
    found = [
        [(int(n), bool(line)) for n, line in zip(*row, strict=True)] for row in zip(n_stable, continuum, strict=True)
    ]

    def group(same: Same[tuple[int, bool]]) -> Group:
        return Group(same.inputs, *same.found, same.share)

    n_looked_at, n_in_run = looked_at(data)
    return Memory(
        tuple(phases_of(data, found, group)),
        data.sizes["input"],
        only_input(data),
        n_looked_at,
        n_in_run,
    )
