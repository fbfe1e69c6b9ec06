"""Parameters as vectors, and directions in their space that are worth looking along."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from rnnscope.base.errors import require
from rnnscope.base.randomness import make_generator
from rnnscope.systems import System
from rnnscope.systems.system import Params


@dataclass(frozen=True)
class ParameterSpace:
    """The parameters of a system that training moves, as one vector: θ ∈ R^p, in the order of ``names``.

    >>> from rnnscope.systems import as_system
    >>> space = ParameterSpace.of(as_system(torch.nn.RNN(1, 2, bias=False)))
    >>> space.size, space.names
    (6, ('weight_ih_l0', 'weight_hh_l0'))
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, system: System) -> "ParameterSpace":
        """Floating-point parameters that are not frozen.

        Raises:
            ValueError: there are none.

        """
        names = tuple(n for n, p in system.params.items() if p.is_floating_point() and n not in system.frozen)
        require(names, "system", "at least one parameter that training moves", "none")
        return cls(names, tuple(tuple(system.params[name].shape) for name in names))

    @property
    def sizes(self) -> list[int]:
        """Numbers in each parameter."""
        return [math.prod(shape) for shape in self.shapes]

    @property
    def size(self) -> int:
        """p."""
        return sum(self.sizes)

    def flatten(self, params: Params) -> Tensor:
        """Parameters as a vector (p,)."""
        return torch.cat([params[name].reshape(-1) for name in self.names])

    def unflatten(self, vectors: Tensor) -> dict[str, Tensor]:
        """Vectors (..., p) as parameters (..., *shape)."""
        parts = vectors.split(self.sizes, dim=-1)
        return {
            name: part.unflatten(-1, shape) if shape else part[..., 0]
            for name, shape, part in zip(self.names, self.shapes, parts, strict=True)
        }

    def at(self, system: System, vector: Tensor) -> dict[str, Tensor]:
        """All parameters of the system, those that move taken from a vector (p,)."""
        return {**system.params, **self.unflatten(vector)}


def radial(system: System) -> dict[str, Tensor]:
    """θ itself: the line s θ, along which all weights grow together."""
    return {name: system.params[name] for name in ParameterSpace.of(system).names}


def towards(a: Params, b: Params) -> dict[str, Tensor]:
    """b - a: the line through two points, s = 0 at a and s = 1 at b."""
    return {name: b[name] - a[name] for name in a if a[name].is_floating_point()}


def random_direction(system: System, generator: Generator | int | None = None) -> dict[str, Tensor]:
    """A random direction, normalised by filters.

    Normal numbers; then each row of a matrix is scaled to the norm of that row of θ, any other parameter as a whole to
    its own norm: so that a step of 1 is as large as the weights, whatever their scale.

    Source: Li, Xu, Taylor, Studer & Goldstein, Visualizing the loss landscape of neural nets, NeurIPS 2018.
    """
    generator = make_generator(generator, "direction")
    found = {}
    for name in ParameterSpace.of(system).names:
        own = system.params[name]
        drawn = torch.randn(own.shape, generator=generator, dtype=torch.float64).to(own)
        if own.dim() < 2:
            drawn, own = drawn.reshape(1, -1), own.reshape(1, -1)
        scale = own.flatten(1).norm(dim=1) / drawn.flatten(1).norm(dim=1)
        found[name] = (drawn * scale.view(-1, *[1] * (own.dim() - 1))).reshape(system.params[name].shape)
    return found


def unit(direction: Params) -> dict[str, Tensor]:
    """The direction scaled to Euclidean norm 1.

    Raises:
        ValueError: it is zero or not finite.

    """
    norm = math.sqrt(sum(float(part.double().square().sum()) for part in direction.values()))
    require(0 < norm < math.inf, "direction", "a direction other than zero, of finite numbers", f"norm {norm}")
    return {name: part / norm for name, part in direction.items()}


@dataclass(frozen=True, eq=False)
class PrincipalPlane:
    """The plane that a path of parameter points is nearest to, through its last point.

    Attributes:
        axes: orthonormal directions (2, p), that of largest variance first.
        along: coordinates of the points in it (point, 2).
        distance: of each point from the plane (point,).
        explained_variance: share of the sum of squared distances from the last point that each axis explains (2,).

    """

    axes: Tensor
    along: Tensor
    distance: Tensor
    explained_variance: Tensor


def principal_plane(points: Sequence[Tensor] | Tensor) -> PrincipalPlane:
    """Principal components of θ_i - θ_last.

    By the eigenvectors of the matrix of inner products (point, point), as there are fewer points than parameters.

    >>> plane = principal_plane(torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
    >>> [round(float(v), 4) for v in plane.explained_variance]
    [0.6923, 0.3077]
    >>> float(plane.distance.max()) < 1e-6
    True

    Args:
        points: vectors (point, p), at least two different ones.

    Raises:
        ValueError: fewer than two different points.

    Source: Li, Xu, Taylor, Studer & Goldstein, NeurIPS 2018, section 7.

    """
    stacked = torch.stack(list(points)) if not isinstance(points, Tensor) else points
    stacked = stacked.double()
    moved = stacked - stacked[-1]
    total = moved.square().sum()
    require(len(stacked) > 1 and float(total) > 0, "points", "at least two different parameter points", len(stacked))
    values, vectors = torch.linalg.eigh(moved @ moved.mT)
    axes = []
    for value, vector in zip(values.flip(0)[:2].tolist(), vectors.flip(1).mT[:2], strict=True):
        axis = vector @ moved / math.sqrt(max(value, 1e-300))
        if value <= 1e-14 * float(total):  # a straight path: any second axis will do
            axis = _orthogonal_to(axes[0])
        axes.append(axis / axis.norm())
    plane = torch.stack(axes)
    along = moved @ plane.mT
    distance = (moved - along @ plane).norm(dim=1)
    return PrincipalPlane(plane, along, distance, along.square().sum(0) / total)


def _orthogonal_to(axis: Tensor) -> Tensor:
    if axis.numel() == 1:
        raise ValueError("points: expected at least two parameters for a plane, came one")
    drawn = torch.randn(axis.shape, generator=make_generator(0, "second axis"), dtype=axis.dtype)
    drawn = drawn - (drawn @ axis) * axis
    return drawn / drawn.norm()
