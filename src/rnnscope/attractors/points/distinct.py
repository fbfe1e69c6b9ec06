"""Which points are the same, and how many there may be that no search has found."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rnnscope.attractors.numerics.iterated_map import N_THREADS
from rnnscope.attractors.numerics.newton import FixedPointSearch
from rnnscope.base.threads import torch_threads


def distinct_points(
    location: Float[Tensor, "point state"],
    residual: Float[Tensor, " point"],
    radius: float | Float[Tensor, " point"],
    *,
    images: Float[Tensor, "phase point state"] | None = None,
) -> tuple[Int64[Tensor, " distinct"], Int64[Tensor, " point"]]:
    """Which points are the same: the rows of the distinct ones, and for every point the number of its distinct one.

    Going through the points from the smallest residual on, each takes all those that are left within its radius plus
    theirs. For cycles, ``images`` holds x, F(x), … of every point: a point is the same as another if it is near any of
    them.

    >>> points = torch.tensor([[0.0], [1.0], [1e-9]])
    >>> distinct_points(points, torch.tensor([1e-15, 0.0, 1e-14]), 1e-6)
    (tensor([1, 0]), tensor([1, 0, 1]))
    """
    radii = torch.as_tensor(radius, dtype=location.dtype, device=location.device).expand(len(location))
    images = location[None] if images is None else images
    label = torch.full((len(location),), -1, dtype=torch.int64, device=location.device)
    chosen: list[int] = []
    with torch_threads(N_THREADS):
        for row in torch.argsort(residual, stable=True).tolist():
            if label[row] >= 0:
                continue
            free = (label < 0).nonzero()[:, 0]
            distance = (location[free][None] - images[:, row][:, None]).norm(dim=-1).amin(0)
            label[free[distance <= radii[free] + radii[row]]] = len(chosen)
            label[row] = len(chosen)
            chosen.append(row)
    return torch.tensor(chosen, dtype=torch.int64, device=location.device), label


def unseen_share(found: FixedPointSearch, radius: float) -> tuple[float, float]:
    """The share of searches that would lead to a zero which none of these has found, and its standard error.

        U = f1 / n ± (√(f1 (1 - f1 / n) + 2 f2) + 1) / n

    with f1 and f2 the zeros, the same within ``radius``, that one and two of the n searches have found.

    >>> places = torch.tensor([[0.0], [0.0], [0.0], [1.0]])
    >>> nothing = torch.zeros(4)
    >>> found = FixedPointSearch(places, nothing, nothing, torch.ones(4, dtype=torch.int8), nothing.long())
    >>> unseen_share(found, 1e-6)[0]
    0.25

    Source: Good, Biometrika 40, 1953.

    """
    n = len(found.status)
    zero = found.converged
    once = twice = 0
    if zero.any():
        _, label = distinct_points(found.location[zero], found.residual[zero], radius)
        counts = torch.bincount(label)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / n, float(np.sqrt(once * (1 - once / n) + 2 * twice) + 1) / n
