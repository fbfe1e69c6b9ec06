"""The Dataset of ``FixedPoints``: what was collected, with the multipliers of each point, labelled."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.attractors._collect import CONTINUUM, CYCLE, FIXED_POINT, STATUS, Points
from rnnscope.attractors._points import multipliers_at, unseen_share
from rnnscope.attractors._search import SEARCH_STATUS, FixedPointSearch, IteratedMap
from rnnscope.attractors._visited import Visited
from rnnscope.systems import System

UNSTABLE, STABLE, MARGINAL, UNKNOWN = 0, 1, 2, -1

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
    variables: dict[str, tuple] = {}
    for name, (dims, attrs) in _schema(phases, vectors).items():
        filled = np.stack([_filled(row[name], most) for row in rows])
        variables[name] = (("input", "point", *dims), filled, attrs)
    by_input = list(zip(*searches.values(), strict=True))
    alive = [any(bool(torch.isfinite(found.residual).any()) for found in own) for own in by_input]
    radii = [distinct * each.scale for each in visited]
    variables |= _counts(points, rows, alive) | _outcomes(by_input, radii) | _visited(visited)
    values = held.double().cpu().numpy()
    coords = {
        "input": np.arange(len(held)),
        "input_value": (("input", "channel"), values, {"long_name": "constant input", "units": "1"}),
        "point": np.arange(most),
        "state": list(system.state_labels),
        "output": [f"y[{i}]" for i in range(system.output_size)],
        "eigenvalue": np.arange(system.state_size),
        "kind": list(STATUS),
        "searched_period": list(searches),
        "outcome": list(SEARCH_STATUS),
        "quantile": list(_QUANTILES),
    }
    return xr.Dataset(variables, coords)


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


def _outcomes(by_input: list[tuple[FixedPointSearch, ...]], radii: list[float]) -> dict[str, tuple]:
    """What became of the searches, by input and period, and what share would lead to zeros not found."""
    grid = (len(by_input), len(by_input[0]))
    counts, quantiles = np.zeros((*grid, len(SEARCH_STATUS)), np.int32), np.full((*grid, len(_QUANTILES)), np.nan)
    unseen = np.zeros((2, *grid))
    for i, own in enumerate(by_input):
        for j, found in enumerate(own):
            counts[i, j] = np.bincount(found.status.cpu().numpy(), minlength=len(SEARCH_STATUS))
            residual = found.residual.double().cpu().numpy()
            finite = residual[np.isfinite(residual)]
            if len(finite):
                quantiles[i, j] = np.quantile(finite, _QUANTILES)
            unseen[:, i, j] = unseen_share(found, radii[i])
    dims = ("input", "searched_period")
    told = "residual of the searches where the map is finite"
    share = "share of searches that would lead to a zero not found (Good-Turing)"
    return {
        "n_outcomes": ((*dims, "outcome"), counts, {"long_name": "searches that ended so", "units": "1"}),
        "residual_quantile": ((*dims, "quantile"), quantiles, {"long_name": told, "units": "1"}),
        "unseen_share": (dims, unseen[0], {"long_name": share, "units": "1"}),
        "unseen_error": (dims, unseen[1], {"long_name": "standard error of that share", "units": "1"}),
    }


def _visited(visited: list[Visited]) -> dict[str, tuple]:
    """The box of states passed at each input, and their spread."""
    low, high = (
        torch.stack([getattr(each, side) for each in visited]).double().cpu().numpy() for side in ("low", "high")
    )
    scale = np.array([each.scale for each in visited])
    return {
        "visited_low": (("input", "state"), low, {"long_name": "lowest state passed", "units": "1"}),
        "visited_high": (("input", "state"), high, {"long_name": "highest state passed", "units": "1"}),
        "scale": (("input",), scale, {"long_name": "spread of visited states", "units": "1"}),
    }


def _schema(phases: int, vectors: bool) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
    schema = {name: (dims, {"long_name": told, "units": units}) for name, (dims, told, units) in _VARIABLES.items()}
    schema["status"][1].update(_flags(("none", *STATUS)))
    schema["stable"][1].update(_flags(("unknown", "unstable", "stable", "marginal")))
    if vectors:
        for side in ("right", "left"):
            for part, told in (("real", "real"), ("imag", "imaginary")):
                attrs = {"long_name": f"{side} eigenvector, {told} part", "units": "1"}
                schema[f"{side}_{part}"] = (("state", "eigenvalue"), attrs)
    if phases > 1:
        attrs = {"long_name": "states of the cycle, one after another", "units": "1"}
        schema["cycle"] = (("phase", "state"), attrs)
    return schema


_VARIABLES = {
    "location": (("state",), "state", "1"),
    "residual": ((), "‖F^k(x) - x‖", "1"),
    "q": ((), "½‖F^k(x) - x‖²", "1"),
    "period": ((), "least period k", "step"),
    "status": ((), "what the point is", "1"),
    "multiplier_real": (("eigenvalue",), "eigenvalue of DF^k, real part", "1"),
    "multiplier_imag": (("eigenvalue",), "eigenvalue of DF^k, imaginary part", "1"),
    "time_constant": (("eigenvalue",), "-k / ln|μ|; negative where it grows", "step"),
    "index": ((), "number of |μ| > 1", "1"),
    "stable": ((), "whether all |μ| < 1", "1"),
    "reachable": ((), "in the widened box of states passed", "1"),
    "n_found": ((), "searches that ended there", "1"),
    "n_members": ((), "points that a continuum was seen at", "1"),
    "extent": ((), "largest distance within a continuum", "1"),
    "length": ((), "length of the tree that joins a continuum's points", "1"),
    "neutral_low": ((), "smallest real part of the multiplier nearest 1", "1"),
    "neutral_high": ((), "largest real part of the multiplier nearest 1", "1"),
    "fastest": ((), "largest ‖F(x) - x‖ along a continuum", "1"),
    "output_value": (("output",), "output at the point", "1"),
}


def _flags(meanings: tuple[str, ...]) -> dict[str, Any]:
    """Attributes of whole numbers from -1 on."""
    return {"flag_values": np.arange(-1, len(meanings) - 1, dtype=np.int8), "flag_meanings": " ".join(meanings)}


def _filled(values: np.ndarray, count: int) -> np.ndarray:
    """Rows added at the end, of NaN, -1 or False."""
    fill = np.nan if values.dtype.kind == "f" else False if values.dtype.kind == "b" else -1
    return np.pad(values, [(0, count - len(values)), *[(0, 0)] * (values.ndim - 1)], constant_values=fill)


def _counts(points: list[Points], rows: list[dict[str, np.ndarray]], alive: list[bool]) -> dict[str, tuple]:
    kinds = np.array([np.bincount(each.status[each.reachable], minlength=len(STATUS)) for each in points])
    stable = [
        int((each.reachable & np.isin(each.status, (FIXED_POINT, CYCLE)) & (row["stable"] == STABLE)).sum())
        for each, row in zip(points, rows, strict=True)
    ]
    beyond = [int((~each.reachable).sum()) for each in points]
    degree = [_degree(each, row) if finite else np.nan for each, row, finite in zip(points, rows, alive, strict=True)]
    return {
        "n_points": (("input", "kind"), kinds.astype(np.int32), {"long_name": "reachable points", "units": "1"}),
        "n_stable": (
            ("input",),
            np.array(stable, np.int32),
            {"long_name": "reachable stable fixed points and cycles", "units": "1"},
        ),
        "degree": (
            ("input",),
            np.array(degree),
            {"long_name": "sum over fixed points of the sign of det(1 - DF)", "units": "1"},
        ),
        "n_unreachable": (
            ("input",),
            np.array(beyond, np.int32),
            {"long_name": "points out of reach, not counted", "units": "1"},
        ),
    }
