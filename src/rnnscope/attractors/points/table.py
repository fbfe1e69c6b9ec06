"""The Dataset of ``FixedPoints``: what was collected, with the multipliers of each point, labelled."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.attractors.map_probe import INPUT_VALUE
from rnnscope.attractors.numerics.iterated_map import IteratedMap
from rnnscope.attractors.numerics.multipliers import multipliers_at
from rnnscope.attractors.numerics.newton import STATUS as SEARCHES
from rnnscope.attractors.numerics.newton import FixedPointSearch
from rnnscope.attractors.points.distinct import unseen_share
from rnnscope.attractors.points.found import CONTINUUM, CYCLE, FIXED_POINT, STATUS, Points
from rnnscope.attractors.points.visited import Visited
from rnnscope.base.flags import Flags
from rnnscope.base.schema import Schema, Variable
from rnnscope.systems import System

STABILITY = Flags(("unknown", "unstable", "stable", "marginal"), first=-1)
UNKNOWN, UNSTABLE, STABLE, MARGINAL = STABILITY.codes

_OF_POINTS = {
    "location": Variable("input point state", "state"),
    "residual": Variable("input point", "‖F^k(x) - x‖"),
    "q": Variable("input point", "½‖F^k(x) - x‖²"),
    "period": Variable("input point", "least period k", "step"),
    "status": Variable("input point", "what the point is", flags=STATUS),
    "multiplier_real": Variable("input point eigenvalue", "eigenvalue of DF^k, real part"),
    "multiplier_imag": Variable("input point eigenvalue", "eigenvalue of DF^k, imaginary part"),
    "time_constant": Variable("input point eigenvalue", "-k / ln|μ|; negative where it grows", "step"),
    "index": Variable("input point", "number of |μ| > 1"),
    "stable": Variable("input point", "whether all |μ| < 1", flags=STABILITY),
    "reachable": Variable("input point", "in the widened box of states passed"),
    "n_found": Variable("input point", "searches that ended there"),
    "n_members": Variable("input point", "points that a continuum was seen at"),
    "extent": Variable("input point", "largest distance within a continuum"),
    "length": Variable("input point", "length of the tree that joins a continuum's points"),
    "neutral_low": Variable("input point", "smallest real part of the multiplier nearest 1"),
    "neutral_high": Variable("input point", "largest real part of the multiplier nearest 1"),
    "fastest": Variable("input point", "largest ‖F(x) - x‖ along a continuum"),
    "output_value": Variable("input point output", "output at the point"),
}
_OF_VECTORS = {
    f"{side}_{part}": Variable("input point state eigenvalue", f"{side} eigenvector, {told} part")
    for side in ("right", "left")
    for part, told in (("real", "real"), ("imag", "imaginary"))
}
_OF_CYCLES = {"cycle": Variable("input point phase state", "states of the cycle, one after another")}
_OF_INPUTS = {
    "n_points": Variable("input kind", "reachable points"),
    "n_stable": Variable("input", "reachable stable fixed points and cycles"),
    "degree": Variable("input", "sum over fixed points of the sign of det(1 - DF)"),
    "n_unreachable": Variable("input", "points out of reach, not counted"),
    "n_outcomes": Variable("input searched_period outcome", "searches that ended so"),
    "residual_quantile": Variable("input searched_period quantile", "residual of the searches where the map is finite"),
    "unseen_share": Variable(
        "input searched_period", "share of searches that would lead to a zero not found (Good-Turing)"
    ),
    "unseen_error": Variable("input searched_period", "standard error of that share"),
    "visited_low": Variable("input state", "lowest state passed"),
    "visited_high": Variable("input state", "highest state passed"),
    "scale": Variable("input", "spread of visited states"),
}
POINTS = Schema({**_OF_POINTS, **_OF_VECTORS, **_OF_CYCLES, **_OF_INPUTS}, {"input_value": INPUT_VALUE})
_ON_THE_CIRCLE = 1e-6  # | |μ| - 1 | that cannot be told from 0
_QUANTILES = (0.0, 0.5, 0.9, 1.0)


def points_dataset(
    system: System,
    held: Tensor,
    points: list[Points],
    searches: dict[int, list[FixedPointSearch]],
    visited: list[Visited],
    *,
    distinct: float,
    neutral: float,
    vectors: bool,
) -> xr.Dataset:
    """What was collected at each of the inputs ``held`` (input, channel), as one Dataset."""
    phases, most = max(searches), max(1, *(len(each) for each in points))
    rows = [_at_one_input(system, u, each, phases, neutral, vectors) for u, each in zip(held, points, strict=True)]
    told = [*_OF_POINTS, *(_OF_VECTORS if vectors else ()), *(_OF_CYCLES if phases > 1 else ())]
    values = {name: np.stack([_filled(row[name], most) for row in rows]) for name in told}
    by_input = list(zip(*searches.values(), strict=True))
    alive = [any(bool(torch.isfinite(found.residual).any()) for found in own) for own in by_input]
    radii = [distinct * each.scale for each in visited]
    values |= _counts(points, rows, alive) | _outcomes(by_input, radii) | _visited(visited)
    return POINTS.dataset(
        values,
        input=np.arange(len(held)),
        input_value=held.double(),
        point=np.arange(most),
        state=list(system.state_labels),
        output=[f"y[{i}]" for i in range(system.output_size)],
        eigenvalue=np.arange(system.state_size),
        kind=list(STATUS.words[1:]),
        searched_period=list(searches),
        outcome=list(SEARCHES.words),
        quantile=list(_QUANTILES),
    )


def _at_one_input(
    system: System, input: Tensor, points: Points, phases: int, neutral: float, vectors: bool
) -> dict[str, np.ndarray]:
    count, size = len(points), system.state_size
    multipliers = np.full((count, size), np.nan + 0j)
    sides = {side: np.full((count, size, size), np.nan + 0j) for side in (("right", "left") if vectors else ())}
    cycle = np.full((count, phases, size), np.nan)
    output = np.full((count, system.output_size), np.nan)
    for period in np.unique(points.period).tolist():
        rows = np.flatnonzero(points.period == period)
        location = torch.as_tensor(points.location[rows]).to(dtype=system.dtype, device=system.device)
        found = multipliers_at(system, location, input, period=period, vectors=vectors)
        multipliers[rows] = found.values
        if found.right is not None and found.left is not None:
            sides["right"][rows], sides["left"][rows] = found.right, found.left.swapaxes(1, 2)
        map_ = IteratedMap(system, system.drive(system.weights, input[None]), period).held(len(rows))
        path = map_.path(location)
        cycle[rows, :period] = path.movedim(0, 1).double().cpu().numpy()
        output[rows] = system.advance(map_.weights, path[-1], map_.drive)[1].double().cpu().numpy()
    rounding = max(_ON_THE_CIRCLE, 1e3 * torch.finfo(system.dtype).eps)
    index, stable = _stability(multipliers, np.where(points.status == CONTINUUM, neutral, rounding)[:, None])
    with np.errstate(divide="ignore"):
        rate = np.log(np.abs(multipliers))
        time_constant = np.where(rate == 0, np.inf, -points.period[:, None] / rate)
    return {
        **vars(points),
        **{f"{side}_{part}": getattr(values, part) for side, values in sides.items() for part in ("real", "imag")},
        "q": points.residual**2 / 2,
        "multiplier_real": np.real(multipliers),
        "multiplier_imag": np.imag(multipliers),
        "time_constant": time_constant,
        "index": index,
        "stable": stable,
        "cycle": cycle,
        "output_value": output,
    }


def _stability(multipliers: np.ndarray, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many |μ| are beyond 1 + margin, and whether all are within 1 - margin."""
    size = np.abs(multipliers)
    known = np.isfinite(size).all(1)
    index = np.where(known, (size > 1 + margin).sum(1), -1).astype(np.int32)
    attracts = (size < 1 - margin).all(1)
    stable = np.select([~known, index > 0, attracts], [UNKNOWN, UNSTABLE, STABLE], MARGINAL)
    return index, stable.astype(np.int8)


def _degree(points: Points, row: dict[str, np.ndarray]) -> float:
    fixed = points.status == FIXED_POINT
    one_minus = 1 - row["multiplier_real"][fixed] - 1j * row["multiplier_imag"][fixed]
    hyperbolic = np.all(np.abs(one_minus) > _ON_THE_CIRCLE, axis=1)  # NaN is not
    continuum = (points.status == CONTINUUM) & (points.period == 1) & points.reachable
    if continuum.any() or not hyperbolic[points.reachable[fixed]].all():
        return np.nan
    return float(np.sign(np.real(one_minus[hyperbolic].prod(1))).sum())


def _outcomes(by_input: list[tuple[FixedPointSearch, ...]], radii: list[float]) -> dict[str, np.ndarray]:
    """What became of the searches, by input and period, and what share would lead to zeros not found."""
    grid = (len(by_input), len(by_input[0]))
    counts, quantiles = np.zeros((*grid, len(SEARCHES.words)), np.int32), np.full((*grid, len(_QUANTILES)), np.nan)
    unseen = np.zeros((2, *grid))
    for i, own in enumerate(by_input):
        for j, found in enumerate(own):
            counts[i, j] = np.bincount(found.status.cpu().numpy(), minlength=len(SEARCHES.words))
            residual = found.residual.double().cpu().numpy()
            finite = residual[np.isfinite(residual)]
            if len(finite):
                quantiles[i, j] = np.quantile(finite, _QUANTILES)
            unseen[:, i, j] = unseen_share(found, radii[i])
    return {
        "n_outcomes": counts,
        "residual_quantile": quantiles,
        "unseen_share": unseen[0],
        "unseen_error": unseen[1],
    }


def _visited(visited: list[Visited]) -> dict[str, np.ndarray]:
    """The box of states passed at each input, and their spread."""
    low, high = (
        torch.stack([getattr(each, side) for each in visited]).double().cpu().numpy() for side in ("low", "high")
    )
    return {"visited_low": low, "visited_high": high, "scale": np.array([each.scale for each in visited])}


def _filled(values: np.ndarray, count: int) -> np.ndarray:
    """Rows added at the end, of NaN, -1 or False."""
    fill = np.nan if values.dtype.kind == "f" else False if values.dtype.kind == "b" else -1
    return np.pad(values, [(0, count - len(values)), *[(0, 0)] * (values.ndim - 1)], constant_values=fill)


def _counts(points: list[Points], rows: list[dict[str, np.ndarray]], alive: list[bool]) -> dict[str, np.ndarray]:
    """How many points there are of each kind, and what their signs sum to."""
    kinds = np.array([np.bincount(each.status[each.reachable], minlength=len(STATUS.words) - 1) for each in points])
    stable = [
        int((each.reachable & np.isin(each.status, (FIXED_POINT, CYCLE)) & (row["stable"] == STABLE)).sum())
        for each, row in zip(points, rows, strict=True)
    ]
    beyond = [int((~each.reachable).sum()) for each in points]
    degree = [_degree(each, row) if finite else np.nan for each, row, finite in zip(points, rows, alive, strict=True)]
    return {
        "n_points": kinds.astype(np.int32),
        "n_stable": np.array(stable, np.int32),
        "degree": np.array(degree),
        "n_unreachable": np.array(beyond, np.int32),
    }
