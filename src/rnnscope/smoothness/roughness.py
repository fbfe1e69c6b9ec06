"""How rough the cost is along a line: its strict local minima, their distances and depths, its total variation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import nn

from rnnscope.base.errors import require
from rnnscope.base.flags import Flags
from rnnscope.base.probe import HOW, Needs, Probe
from rnnscope.base.randomness import make_generator
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import checked_lengths, floating_point, one_of, positive, truth, whole
from rnnscope.smoothness._stored_costs import cost_schema, cost_values
from rnnscope.smoothness.curvature import HessianOperator, top_eigenpairs
from rnnscope.smoothness.directions import ParameterSpace, radial, random_direction, unit
from rnnscope.smoothness.objective import Objective, examine
from rnnscope.smoothness.points import MEMORY, Affine, costs
from rnnscope.systems import System, as_system
from rnnscope.systems.system import Params

DIRECTIONS = ("gradient", "eigenvector", "random", "radial")
STRIDES = (1, 2, 4, 8)  # every so many points of the line: coarser grids, to see whether the finest one is fine enough
RESOLUTION = Flags(("resolved", "too_coarse"))
RESOLVED, TOO_COARSE = RESOLUTION.codes
MINIMA = Schema(
    {
        **cost_schema("length point"),
        "n_minima": Variable("length stride", "strict local minima on the line"),
        "median_distance": Variable("length", "median distance between neighbouring minima"),
        "median_depth": Variable("length", "median depth of the minima"),
        "total_variation": Variable("length", "total variation of the cost along the line"),
        "resolution": Variable("length", "whether the grid tells the minima apart", flags=RESOLUTION),
        "minimum_s": Variable("minimum", "place of a minimum"),
        "minimum_depth": Variable("minimum", "depth of a minimum"),
    },
    {
        "s": Variable("point", "place along the line"),
        "length": Variable("length", "length N", "step"),
        "stride": Variable("stride", "every so many points of the line"),
    },
)
_GROWS = 1.1  # as many more minima on the whole grid than on half of it: there are others between the points


class Minima(NamedTuple):
    """Strict local minima of sampled values, and how deep each is.

    at: (minimum,), which samples.   depth: (minimum,), up to the lower of the two highest values that part it from its
    neighbours (or from the end of the line).
    """

    at: np.ndarray
    depth: np.ndarray


def strict_minima(values: Any) -> Minima:
    """Samples that are lower than both of their neighbours.

    The ends of the line, and samples beside one that is not finite, are none: nobody knows what is beyond.

    >>> found = strict_minima([3.0, 1.0, 2.0, 0.5, 4.0])
    >>> found.at, found.depth
    (array([1, 3]), array([1. , 1.5]))

    Args:
        values: (point,).

    Raises:
        ValueError: not one-dimensional.

    """
    values = np.asarray(values, dtype=float)
    require(values.ndim == 1, "values", "one dimension (point,)", values.shape)
    known = np.isfinite(values)
    middle = values[1:-1]
    with np.errstate(invalid="ignore"):
        lower = (middle < values[:-2]) & (middle < values[2:])
    index = np.flatnonzero(lower & known[1:-1] & known[:-2] & known[2:]) + 1
    depth = np.empty(len(index))
    gaps = np.flatnonzero(~known)
    for k, at in enumerate(index):
        left = max(index[k - 1] if k else 0, *(gaps[gaps < at][-1:] + 1), 0)
        right = min(
            index[k + 1] if k + 1 < len(index) else len(values) - 1, *(gaps[gaps > at][:1] - 1), len(values) - 1
        )
        depth[k] = min(values[left : at + 1].max(), values[at : right + 1].max()) - values[at]
    return Minima(index, depth)


def total_variation(values: Any) -> float:
    """Σ |V_(k+1) - V_k| over neighbours that are both finite.

    >>> total_variation([0.0, 1.0, 0.5])
    1.5
    """
    steps = np.abs(np.diff(np.asarray(values, dtype=float)))
    return float(steps[np.isfinite(steps)].sum())


def line_roughness(
    system: System,
    objective: Objective,
    direction: Params,
    s: Any,
    *,
    origin: Params | None = None,
    lengths: Sequence[int] | None = None,
    memory: int = MEMORY,
    compile: bool = False,
) -> xr.Dataset:
    """Local minima of V_N along the line origin + s direction, for several lengths N and on coarser grids too.

    A grid is too coarse where the whole one shows over a tenth more minima than every second point of it: between the
    points there are others still, and their number and distances are those of the grid, not of the cost.

    Args:
        system: the rule, computed in the floating-point type of its parameters.
        objective: data, loss and initial state.
        direction: parameters by name.
        s: (point,) places along the line, ascending and evenly spaced.
        origin: where s = 0; None: the parameters of the system.
        lengths: of V_N; None: that of the data alone.
        memory: bytes that may be used at a time.
        compile: whether to use a compiled kernel; see ``costs``.

    Returns:
        Dataset with ``cost`` and ``status`` (length, point), ``n_minima`` (length, stride: on every so many points),
        ``median_distance`` and ``median_depth`` (length; NaN where there are too few), ``total_variation`` (length),
        ``resolution`` (length: whether the grid is too coarse), and of the greatest length ``minimum_s`` and
        ``minimum_depth`` (minimum).

    Raises:
        ValueError: places that are not ascending and even, lengths beyond the data.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 3 and figure 2.

    """
    places = np.asarray(s, dtype=float)
    even = (
        places.ndim == 1
        and len(places) > 2
        and np.allclose(np.diff(places), (places[-1] - places[0]) / (len(places) - 1))
    )
    require(even and places[-1] > places[0], "s", "at least 3 places, ascending and evenly spaced", places)
    objective = examine(system, objective)
    chosen = [objective.n_steps] if lengths is None else sorted({*lengths})
    shortened = [objective if n == objective.n_steps else objective.first(n) for n in chosen]
    points = Affine(system.params if origin is None else origin, (direction,), torch.as_tensor(places)[:, None])
    found = np.stack([costs(system, points, data, memory=memory, compile=compile).numpy() for data in shortened])
    minima = [strict_minima(row) for row in found]
    counts = np.array([[len(strict_minima(row[::stride]).at) for stride in STRIDES] for row in found])
    gaps = [np.diff(places[each.at]) for each in minima]
    coarse = counts[:, 0] > _GROWS * counts[:, 1] + 1
    last = minima[-1]
    values = {
        **cost_values(found),
        "n_minima": counts,
        "median_distance": [np.median(gap) if len(gap) else np.nan for gap in gaps],
        "median_depth": [np.median(each.depth) if len(each.depth) else np.nan for each in minima],
        "total_variation": [total_variation(row) for row in found],
        "resolution": np.where(coarse, TOO_COARSE, RESOLVED).astype(np.int8),
        "minimum_s": places[last.at],
        "minimum_depth": last.depth,
    }
    return MINIMA.dataset(values, s=places, length=np.array(chosen), stride=np.array(STRIDES))


@dataclass(frozen=True, kw_only=True)
class Roughness(Probe[System | nn.Module, Objective]):
    """Local minima of the cost along a line through θ, and how their number grows with length and resolution.

        V_N(θ + s d),  s in [-extent, extent],  d of the norm of θ

    >>> Roughness(direction="radial").n_points
    2001

    Attributes:
        direction: 'gradient'; 'eigenvector', the leading one of the Hessian; 'random', normalised by filters; or
            'radial', θ itself: the line (1 + s) θ.
        extent: how far the line goes to both sides, in units of the norm of θ.
        n_points: points on it.
        lengths: lengths N of the sequences; None: a quarter, a half and the whole of the data's.
        memory: bytes that may be used at a time.
        dtype: 'float32' or 'float64' (rounding makes minima of its own where the cost is flat); None: the network's.
        seed: for the random direction.
        compile: whether to use a compiled kernel, see ``costs``; what is measured is the same.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 3.

    """

    name: ClassVar[str] = "roughness"
    one_epoch: ClassVar[bool] = True

    direction: str = "gradient"
    extent: float = 0.1
    n_points: int = 2001
    lengths: Any = None
    memory: int = MEMORY
    dtype: str | None = "float64"
    seed: int = 0
    compile: bool = field(default=False, metadata=HOW)

    def __post_init__(self) -> None:
        one_of(self, "direction", DIRECTIONS)
        positive(self, "extent")
        whole(self, n_points=9, memory=1, seed=0)
        object.__setattr__(self, "lengths", checked_lengths(self.lengths))
        floating_point(self)
        truth(self, "compile")

    @property
    def needs(self) -> Needs:
        """An objective: it is about a cost."""
        return "objective"

    def measure(self, system: System | nn.Module, objective: Objective) -> xr.Dataset:
        """Minima along the line through one θ; see ``line_roughness`` for the result.

        Raises:
            ValueError: data that do not fit, lengths beyond the data, a gradient that is zero or not finite.

        """
        system = as_system(system)
        if self.dtype is not None:
            system = system.to(getattr(torch, self.dtype))
        n = objective.n_steps
        lengths = self.lengths
        if lengths is None:
            short = [] if objective.last_step_only else [n // 4, n // 2]
            lengths = sorted({*(length for length in short if length > objective.n_transient), n})
        space = ParameterSpace.of(system)
        norm = float(space.flatten(system.params).norm())
        direction = {name: p.to(system.dtype) * norm for name, p in unit(self._direction(system, objective)).items()}
        s = np.linspace(-self.extent, self.extent, self.n_points)
        found = line_roughness(
            system, objective, direction, s, lengths=lengths, memory=self.memory, compile=self.compile
        )
        return self.label(found)

    def _direction(self, system: System, objective: Objective) -> Params:
        if self.direction == "radial":
            return radial(system)
        if self.direction == "random":
            return random_direction(system, make_generator(self.seed, self.name))
        operator = HessianOperator(system, objective)
        if self.direction == "gradient":
            return operator.space.unflatten(operator.gradient)
        vector = top_eigenpairs(operator, 1, seed=self.seed).vectors[0]
        return operator.space.unflatten(torch.as_tensor(vector).to(operator.gradient))
