"""The cost along lines and across planes of parameter space."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.base.errors import require
from rnnscope.base.probe import HOW, Needs, Probe, Subject
from rnnscope.base.randomness import make_generator
from rnnscope.base.references import ATTRACTORS_AND_SMOOTHNESS
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import at_least, floating_point, one_of, truth, whole
from rnnscope.smoothness._stored_costs import cost_schema, cost_values
from rnnscope.smoothness.curvature import HessianOperator, top_eigenpairs
from rnnscope.smoothness.directions import ParameterSpace, PrincipalPlane, principal_plane, random_direction
from rnnscope.smoothness.objective import Objective
from rnnscope.smoothness.points import MEMORY, Affine, costs, outputs_at
from rnnscope.systems import System, TrainingPath
from rnnscope.systems.system import Params, stack_params

PLANES = ("path", "snapshots", "random", "eigenvectors")
LINE = Schema(
    {**cost_schema("point"), "orbit": Variable("point time output", "output")},
    {"s": Variable("point", "place along the line"), "time": Variable("time", "step", "step")},
)
PLANE = Schema(
    cost_schema("s2 s1"),
    {
        "s1": Variable("s1", "place along the first direction"),
        "s2": Variable("s2", "place along the second direction"),
    },
)
PATH = Schema(
    {
        "snapshot_step": Variable("snapshot", "optimiser step"),
        "snapshot_s1": Variable("snapshot", "distance in parameter space"),
        "snapshot_s2": Variable("snapshot", "distance in parameter space"),
        "out_of_plane": Variable("snapshot", "distance of a snapshot from the plane"),
        "explained_variance": Variable("axis", "share of the squared distances that an axis explains"),
        **cost_schema("point", "path_"),
        "path_step": Variable("point", "optimiser step"),
        "path_distance": Variable("point", "way gone in parameter space"),
    }
)


def line(
    system: System,
    objective: Objective,
    direction: Params,
    s: Any,
    *,
    origin: Params | None = None,
    memory: int = MEMORY,
    compile: bool = False,
) -> xr.Dataset:
    """The cost along a line, V(origin + s direction).

    >>> from rnnscope.systems import textbook
    >>> data = Objective(inputs=torch.zeros(1, 1, 1), targets=torch.zeros(1, 1, 1), state=[1.0])
    >>> system = textbook.linear([[1.0]])
    >>> line(system, data, system.params, [0.0, 1.0]).cost.values  # (1 + s)²
    array([1., 4.])

    Args:
        system: the rule, computed in the floating-point type of its parameters.
        objective: data, loss and initial state.
        direction: parameters by name; those that are not named stay.
        s: (point,) places along the line.
        origin: where s = 0; None: the parameters of the system.
        memory: bytes that may be used at a time.
        compile: whether to use a compiled kernel; see ``costs``.

    Returns:
        Dataset with ``cost`` (point), NaN where it is not finite, ``status`` (point), and the coordinate ``s``.

    Raises:
        ValueError: data that do not fit, or memory too small for one point.

    """
    places = torch.as_tensor(np.asarray(s, dtype=float))
    require(places.dim() == 1 and len(places) > 0, "s", "places (point,)", tuple(places.shape))
    points = Affine(system.params if origin is None else origin, (direction,), places[:, None])
    found = costs(system, points, objective, memory=memory, compile=compile).numpy()
    return LINE.dataset(cost_values(found), s=places)


def line_orbits(
    system: System,
    objective: Objective,
    direction: Params,
    s: Any,
    *,
    origin: Params | None = None,
    memory: int = MEMORY,
) -> xr.Dataset:
    """Outputs along a line: the orbit diagram that belongs to the cost of ``line``.

    Arguments and errors are those of ``line``; of several sequences the first is taken.

    Returns:
        Dataset with ``orbit`` (point, time, output), the steps that count, and the coordinate ``s``.

    """
    places = torch.as_tensor(np.asarray(s, dtype=float))
    require(places.dim() == 1 and len(places) > 0, "s", "places (point,)", tuple(places.shape))
    points = Affine(system.params if origin is None else origin, (direction,), places[:, None])
    found = outputs_at(system, points, objective, memory=memory)[:, 0].numpy()
    times = np.arange(objective.n_transient + 1, objective.n_steps + 1)
    return LINE.dataset({"orbit": found}, s=places, time=times, output=[f"y[{i}]" for i in range(found.shape[2])])


def plane(
    system: System,
    objective: Objective,
    directions: Sequence[Params],
    s1: Any,
    s2: Any,
    *,
    origin: Params | None = None,
    memory: int = MEMORY,
    compile: bool = False,
) -> xr.Dataset:
    """The cost on a plane, V(origin + s1 direction_1 + s2 direction_2).

    Args:
        system: the rule, computed in the floating-point type of its parameters.
        objective: data, loss and initial state.
        directions: two of them, as for ``line``.
        s1: (s1,) places along the first.
        s2: (s2,) places along the second.
        origin: where both are 0; None: the parameters of the system.
        memory: bytes that may be used at a time.
        compile: whether to use a compiled kernel; see ``costs``.

    Returns:
        Dataset with ``cost`` (s2, s1), NaN where it is not finite, and ``status`` (s2, s1).

    Raises:
        ValueError: other than two directions, data that do not fit, or memory too small for one point.

    """
    require(len(directions) == 2, "directions", "two directions", len(directions))
    first, second = (torch.as_tensor(np.asarray(s, dtype=float)) for s in (s1, s2))
    grid = torch.cartesian_prod(second, first).reshape(-1, 2).flip(1)
    points = Affine(system.params if origin is None else origin, tuple(directions), grid)
    found = costs(system, points, objective, memory=memory, compile=compile).numpy()
    return PLANE.dataset(cost_values(found.reshape(len(second), len(first))), s1=first, s2=second)


@dataclass(frozen=True, kw_only=True)
class Landscape(Probe[System | TrainingPath, Objective]):
    """The cost along the path of training and across it, or around one θ.

        along:  V(θ(s)), θ(s) from snapshot to snapshot;   across:  V(θ_0 + s1 d1 + s2 d2)

    With 'path' the plane is that of the first two principal components of the snapshots, through the last one: for each
    snapshot the result says where in it it lies and how far from it. With 'snapshots' it is the one through the first,
    the middle and the last. Both are measured once for a run. Around a single θ, for each epoch, it is spanned by two
    random directions normalised by filters, or by the two leading eigenvectors of the Hessian, scaled to the norm of θ.

    >>> Landscape(n_points=11).subject
    'path'

    Attributes:
        across: 'path', 'snapshots', 'random' or 'eigenvectors'.
        n_points: points along each axis of the plane.
        margin: how far beyond the path the plane reaches, as a part of the path's extent in it.
        extent: how far the plane reaches from θ, in units of the norm of θ ('random', 'eigenvectors').
        n_snapshots: at most so many of the run's snapshots, evenly chosen, the first and the last always.
        n_between: points along the path from one of them to the next.
        memory: bytes that may be used at a time.
        dtype: 'float32' or 'float64'; None for the network's own.
        seed: for random directions.
        compile: whether to use a compiled kernel, see ``costs``; what is measured is the same.

    Source: Li, Xu, Taylor, Studer & Goldstein, Visualizing the loss landscape of neural nets, NeurIPS 2018.

    """

    name: ClassVar[str] = "landscape"
    references: ClassVar[tuple[str, ...]] = (
        "Li, Xu, Taylor, Studer & Goldstein, Visualizing the loss landscape of neural nets, NeurIPS 2018.",
        ATTRACTORS_AND_SMOOTHNESS,
    )

    across: str = "path"
    n_points: int = 41
    margin: float = 0.25
    extent: float = 0.5
    n_snapshots: int = 101
    n_between: int = 4
    memory: int = MEMORY
    dtype: str | None = None
    seed: int = 0
    compile: bool = field(default=False, metadata=HOW)

    def __post_init__(self) -> None:
        one_of(self, "across", PLANES)
        whole(self, n_points=2, n_snapshots=2, n_between=1, memory=1, seed=0)
        at_least(self, margin=0.0, extent=1e-12)
        floating_point(self)
        truth(self, "compile")

    @property
    def needs(self) -> Needs:
        """An objective: it is about a cost."""
        return "objective"

    @property
    def subject(self) -> Subject:  # pyright: ignore[reportIncompatibleVariableOverride]: here a matter of settings
        """The whole path for the planes that lie along it, else one snapshot after another."""
        return "path" if self.across in ("path", "snapshots") else "snapshot"

    def measure(self, subject: System | TrainingPath, objective: Objective) -> xr.Dataset:
        """The cost around one θ, or along and across a path.

        Args:
            subject: a ``TrainingPath`` for 'path' and 'snapshots', else the network.
            objective: data, loss and initial state.

        Returns:
            Dataset with ``cost`` and ``status`` (s2, s1). For a path besides: ``path_cost``, ``path_status``,
            ``path_distance`` (point; the way gone, in parameter distance) and ``path_step``; for each snapshot its
            ``snapshot_step``, its place ``snapshot_s1``, ``snapshot_s2``, and ``out_of_plane``, how far it is from the
            plane; and ``explained_variance`` (axis).

        Raises:
            TypeError: a network where a path is needed, or the other way round.
            ValueError: data that do not fit, memory too small, a path that does not move.

        """
        dtype = None if self.dtype is None else getattr(torch, self.dtype)
        if isinstance(subject, TrainingPath):
            if self.subject != "path":
                raise TypeError(f"subject: expected one network for across={self.across!r}, came a path")
            path = subject.thinned(self.n_snapshots)
            return self.label(self._of_path(path if dtype is None else path.to(dtype), objective))
        if self.subject == "path":
            raise TypeError(
                f"subject: expected a TrainingPath for across={self.across!r}, came {type(subject).__name__}"
            )
        return self.label(self._around(subject if dtype is None else subject.to(dtype), objective))

    def _around(self, system: System, objective: Objective) -> xr.Dataset:
        if self.across == "random":
            generator = make_generator(self.seed, self.name)
            directions = [random_direction(system, generator) for _ in range(2)]
        else:
            operator = HessianOperator(system, objective)
            require(operator.space.size > 1, "across", "'random', or a network of at least two parameters", self.across)
            pairs = top_eigenpairs(operator, 2, seed=self.seed)
            found = np.isfinite(pairs.vectors).all()
            require(found, "across", "a Hessian whose two leading eigenvectors can be found", "none that converged")
            theta = operator.space.flatten(operator.system.params)
            vectors = torch.as_tensor(pairs.vectors).to(theta.device) * theta.norm()
            directions = [operator.space.unflatten(vector) for vector in vectors]
        s = np.linspace(-self.extent, self.extent, self.n_points)
        return plane(system, objective, directions, s, s, memory=self.memory, compile=self.compile)

    def _of_path(self, path: TrainingPath, objective: Objective) -> xr.Dataset:
        system, space = path.system, ParameterSpace.of(path.system)
        vectors = torch.stack([space.flatten(point).double() for point in path.points])
        require(len(vectors) > 1, "path", "at least two snapshots", len(vectors))
        require(bool(torch.isfinite(vectors).all()), "path", "finite weights at every snapshot", "others among them")
        moving = [n for n in system.frozen if any(not torch.equal(p[n], path.points[-1][n]) for p in path.points)]
        require(
            not moving, "across", "'random': a path on which what is kept in buffers moves too lies in no plane", moving
        )
        frame = self._frame(vectors)
        low, high = frame.along.amin(0), frame.along.amax(0)
        space_around = self.margin * (high - low).clamp(min=float((high - low).max()) / 4)
        s1, s2 = (
            np.linspace(float(low[k] - space_around[k]), float(high[k] + space_around[k]), self.n_points)
            for k in range(2)
        )
        found = plane(
            system,
            objective,
            [space.unflatten(axis) for axis in frame.axes],
            s1,
            s2,
            origin={**system.params, **path.points[-1]},
            memory=self.memory,
            compile=self.compile,
        )
        for name, nth in (("s1", "first"), ("s2", "second")):
            found[name].attrs["long_name"] = f"place along the {nth} axis, in parameter distance"
        snapshots = {
            "snapshot_step": np.asarray(path.steps),
            "snapshot_s1": frame.along[:, 0],
            "snapshot_s2": frame.along[:, 1],
            "out_of_plane": frame.distance,
            "explained_variance": frame.explained_variance,
        }
        return found.assign(PATH.dataset({**snapshots, **self._along(path, vectors, objective)}).variables)

    def _frame(self, vectors: Tensor) -> PrincipalPlane:
        if self.across == "path":
            return principal_plane(vectors)
        require(len(vectors) > 2, "path", "at least three snapshots for a plane through them", len(vectors))
        chosen = vectors[[0, len(vectors) // 2, -1]]
        return _seen_in(principal_plane(chosen).axes, vectors)

    def _along(self, path: TrainingPath, vectors: Tensor, objective: Objective) -> dict[str, np.ndarray]:
        between = np.arange(self.n_between) / self.n_between
        points, steps, distances, gone = [], [], [], 0.0
        for k in range(len(vectors) - 1):
            length = float((vectors[k + 1] - vectors[k]).norm())
            points += [path.system.interpolate(path.points[k], path.points[k + 1], float(s)) for s in between]
            steps += [path.steps[k] + s * (path.steps[k + 1] - path.steps[k]) for s in between]
            distances += [gone + s * length for s in between]
            gone += length
        stacked = stack_params([*points, path.points[-1]])
        found = costs(path.system, stacked, objective, memory=self.memory, compile=self.compile).numpy()
        return {
            **cost_values(found, "path_"),
            "path_step": np.array([*steps, path.steps[-1]], dtype=float),
            "path_distance": np.array([*distances, gone]),
        }


def _seen_in(axes: Tensor, vectors: Tensor) -> PrincipalPlane:
    moved = vectors - vectors[-1]
    along = moved @ axes.mT
    return PrincipalPlane(axes, along, (moved - along @ axes).norm(dim=1), along.square().sum(0) / moved.square().sum())
