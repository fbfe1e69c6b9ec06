"""What training did to a network: two neighbouring snapshots of it, and the path through all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rnnscope.systems.system import Params, System


@dataclass(frozen=True, eq=False)
class Pair:
    """A network at two neighbouring snapshots of its training: the subject of a probe that compares them.

    Attributes:
        earlier, later: the network at each of them.
        steps: the optimiser step of each.

    """

    earlier: System
    later: System
    steps: tuple[int, int]


@dataclass(frozen=True, eq=False)
class TrainingPath:
    """The way that training took through parameter space.

    Attributes:
        system: the rule.
        points: parameters at each of the snapshots, in order.
        steps: the optimiser step of each snapshot.

    """

    system: System
    points: Sequence[Params]
    steps: Sequence[int]

    def thinned(self, n_points: int) -> "TrainingPath":
        """At most so many of the snapshots, evenly chosen, the first and the last always."""
        n = len(self.points)
        if n <= n_points:
            return self
        chosen = np.unique(np.round(np.linspace(0, n - 1, n_points)).astype(int)).tolist()
        return TrainingPath(self.system, [self.points[k] for k in chosen], [self.steps[k] for k in chosen])

    def to(self, dtype: torch.dtype) -> "TrainingPath":
        """The same in another floating-point type."""
        points = [{k: p.to(dtype) if p.is_floating_point() else p for k, p in point.items()} for point in self.points]
        return TrainingPath(self.system.to(dtype), points, self.steps)
