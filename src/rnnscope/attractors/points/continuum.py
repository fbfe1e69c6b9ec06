"""Lines and rings of slow points: which points hang together along a direction that is all but neutral."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist
from torch import Tensor

from rnnscope.attractors.numerics.iterated_map import N_THREADS, IteratedMap
from rnnscope.attractors.numerics.jacobians import WIDE, nearest_eigenvalue, pieces
from rnnscope.base.threads import torch_threads

_BETWEEN = 3  # places looked at between two points
_CORRECTIONS = 6  # steps back to the slow set, or fewer,
_STILL = 1e-9  # where none moves any point further than this
_NEIGHBOURS = 3  # of each point that are tried, besides a spanning tree
_MOST = 200  # points looked at; more of them only fill up the same set
_CUT = 2.0  # singular values of J below this times the neutral range belong to the slow direction


@dataclass(frozen=True)
class Continuum:
    """A connected set of slow points: its members' rows, the one in the middle, and what is known along it."""

    members: np.ndarray
    middle: int
    extent: float  # largest distance between members
    length: float  # of the tree that joins the members
    neutral: tuple[float, float]  # smallest and largest real part of the multiplier nearest 1
    fastest: float  # largest ‖f(x) - x‖ on the way between members


def find_continua(
    map_: IteratedMap,
    points: Tensor,
    near: np.ndarray,
    inside: np.ndarray,
    *,
    neutral: float,
    speed: float,
    extent: float,
) -> list[Continuum]:
    """Chains of points, each with a multiplier within ``neutral`` of 1 (``near``), that are joined by slow points.

    Two points are joined where points between them, moved back onto the slow set by Gauss-Newton steps that leave the
    slow directions alone, stay between them, move by less than ``speed`` in a step, and have a multiplier within
    ``neutral`` of 1 too. A chain is a continuum if those of its members that are ``inside`` (all, if none is) are as
    far as ``extent`` from each other: two or three fixed points just after a fold or a pitchfork are not.
    """
    rows = np.flatnonzero(np.abs(near - 1) <= neutral)
    if len(rows) < 2:
        return []
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MOST)).astype(int)]
    location = points[torch.as_tensor(chosen)].double().cpu().numpy()
    distance = cdist(location, location)
    if distance.max() < extent:
        return []
    edges = _candidates(distance)
    good, fastest, values = _joined(map_, points, chosen[edges], neutral, speed)
    graph = coo_matrix((np.ones(good.sum()), edges[good].T), shape=distance.shape)
    n_parts, part = connected_components(graph, directed=False)
    found = []
    for number in range(n_parts):
        own = np.flatnonzero(part == number)
        counted = own[inside[chosen[own]]] if inside[chosen[own]].any() else own
        reach = distance[np.ix_(counted, counted)]
        if len(counted) < 2 or reach.max() < extent:
            continue
        between = good & (part[edges[:, 0]] == number)
        multipliers = np.concatenate([near[chosen[counted]], values[between].ravel()])
        found.append(
            Continuum(
                _absorbed(location, part, number, points, rows),
                int(chosen[counted[reach.max(1).argmin()]]),
                float(reach.max()),
                float(minimum_spanning_tree(reach).sum()),
                (float(np.real(multipliers).min()), float(np.real(multipliers).max())),
                float(fastest[between].max()),
            )
        )
    return found


def nearest_to_one(map_: IteratedMap, points: Tensor) -> np.ndarray:
    """The multiplier nearest 1 at each point, complex; infinite where the Jacobian is not finite."""
    near = np.full(len(points), np.inf + 0j)
    with torch.no_grad(), torch_threads(N_THREADS):
        for piece in pieces(len(points), points.shape[1]):
            matrices = map_.held(len(points[piece])).derivative(points[piece]).double().cpu().numpy()
            for k in np.flatnonzero(np.isfinite(matrices).all((1, 2))):
                near[piece.start + k] = nearest_eigenvalue(matrices[k], 1.0)
    return near


def _candidates(distance: np.ndarray) -> np.ndarray:
    """Pairs worth trying, (pair, 2): the edges of a minimum spanning tree and each point's nearest neighbours."""
    # a distance of exactly 0 would be no edge
    tree = minimum_spanning_tree(distance + 1e-300).tocoo()
    pairs = [np.stack([tree.row, tree.col], 1)]
    order = np.argsort(distance, axis=1)[:, 1 : 1 + _NEIGHBOURS]
    pairs.append(np.stack([np.repeat(np.arange(len(distance)), order.shape[1]), order.ravel()], 1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _joined(
    map_: IteratedMap, points: Tensor, pairs: np.ndarray, neutral: float, speed: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pair whether slow points join it, the fastest of them, and their multipliers nearest 1 (pair, place)."""
    first, second = (points[torch.as_tensor(pairs[:, k])] for k in (0, 1))
    gap = (second - first).norm(dim=-1)
    share = torch.linspace(0, 1, _BETWEEN + 2).to(points)[1:-1]
    chord = first + share[:, None, None] * (second - first)
    x, moved = chord.clone(), torch.full_like(chord[..., 0], torch.inf)
    left = torch.arange(len(pairs), device=points.device)
    middle = _BETWEEN // 2
    for places in ([middle], [k for k in range(_BETWEEN) if k != middle]):  # most fail in the middle
        if not len(left):
            break
        begin = chord[places][:, left]
        found = _onto_slow_set(map_, begin.flatten(0, 1), _CUT * neutral, gap[left].repeat(len(places)))
        with torch.no_grad():
            speeds = (map_.held(len(found))(found) - found).norm(dim=-1).reshape(len(places), -1)
        found = found.reshape(begin.shape)
        for at, place in enumerate(places):
            x[place, left], moved[place, left] = found[at], speeds[at]
        stays = ((found - begin).norm(dim=-1) <= 0.5 * gap[left]) & (speeds <= speed)
        left = left[stays.all(0)]
    whole = torch.cat([first[None], x, second[None]])
    near = (whole.diff(dim=0).norm(dim=-1) <= 0.75 * gap).all(0)
    slow = left[near[left]].cpu().numpy()
    values = np.full((len(pairs), _BETWEEN), np.inf + 0j)
    values[slow] = nearest_to_one(map_, x[:, torch.as_tensor(slow)].flatten(0, 1)).reshape(_BETWEEN, -1).T
    fastest = moved.double().cpu().numpy().max(0)
    return np.asarray((np.abs(values - 1) <= neutral).all(1)), fastest, values


def _onto_slow_set(map_: IteratedMap, x: Tensor, cut: float, gap: Tensor) -> Tensor:
    with torch.no_grad(), torch_threads(N_THREADS):
        if x.shape[1] <= WIDE:
            return torch.cat([_corrected(map_, x[piece], cut) for piece in pieces(len(x), x.shape[1])])
        return torch.cat([_corrected_wide(map_, x[piece], cut, gap[piece]) for piece in pieces(len(x), x.shape[1])])


def _corrected_wide(map_: IteratedMap, begin: Tensor, cut: float, gap: Tensor) -> Tensor:
    """The same, by damped steps, and only for points that stay within their gap: the others join nothing."""
    x, rows = begin.clone(), torch.arange(len(begin), device=begin.device)
    for _ in range(_CORRECTIONS):
        held, here = map_.held(len(rows)), x[rows]
        normal = held.normal(here, held(here) - here)
        shift, _ = normal.solve(torch.full_like(normal.size, cut**2), normal.gradient)
        x[rows] = here - shift
        near = (x[rows] - begin[rows]).norm(dim=-1) <= gap[rows]  # NaN is not
        rows = rows[near & (shift.abs().amax(-1) > _STILL)]
        if not len(rows):
            break
    return x


def _corrected(map_: IteratedMap, x: Tensor, cut: float) -> Tensor:
    held = map_.held(len(x))
    identity = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    for _ in range(_CORRECTIONS):
        r, matrix = held(x) - x, held.derivative(x) - identity
        sane = torch.isfinite(matrix).all(-1).all(-1) & torch.isfinite(r).all(-1)
        u, s, vh = torch.linalg.svd(torch.where(sane[:, None, None], matrix, identity))
        inverse = torch.where(s > cut, 1 / s, 0)
        shift = (vh.mT @ (inverse[..., None] * (u.mT @ r[..., None])))[..., 0]
        x = torch.where(sane[:, None], x - shift, x)
        if shift.abs().max() <= _STILL:
            break
    return x


def _absorbed(location: np.ndarray, part: np.ndarray, number: int, points: Tensor, rows: np.ndarray) -> np.ndarray:
    """All rows that belong to a chain: those chosen, and of the others those whose nearest chosen one does."""
    nearest = cdist(points[torch.as_tensor(rows)].double().cpu().numpy(), location).argmin(1)
    return rows[part[nearest] == number]
