"""Verdicts: whether a claim was seen, from one number for each seed."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from rnnscope.experiments._description import Claim, Tables

Network = tuple[str, str, int]  # model, setting, seed
Verdict = Literal["seen", "not seen", "undecided"]
FEWEST_SEEDS = 3
CLEAR_MAJORITY = 0.8
RULE = (
    f"A claim is seen where its number is on the right side of the threshold at {CLEAR_MAJORITY:.0%} of the seeds or "
    f"more, not seen where at {1 - CLEAR_MAJORITY:.0%} or fewer; else, or where fewer than {FEWEST_SEEDS} seeds could "
    "be measured, it is undecided."
)


def verdict(values: Sequence[float], direction: str, threshold: float) -> Verdict:
    """What numbers of different seeds say; NaN is a seed at which it could not be measured.

    >>> verdict([0.97, 1.0, 0.99], "at least", 0.95), verdict([0.97, 0.2, 0.99], "at least", 0.95)
    ('seen', 'undecided')
    """
    held = holds(values, direction, threshold)
    if len(held) < FEWEST_SEEDS:
        return "undecided"
    share, tolerance = float(np.mean(held)), 1e-9
    if share >= CLEAR_MAJORITY - tolerance:
        return "seen"
    return "not seen" if share <= 1 - CLEAR_MAJORITY + tolerance else "undecided"


def holds(values: Sequence[float], direction: str, threshold: float) -> list[bool]:
    """Whether the claim holds, at each seed at which it could be measured."""
    measured = [value for value in values if not math.isnan(value)]
    return [value >= threshold if direction == "at least" else value <= threshold for value in measured]


def decide(claims: Sequence[Claim], tables: Tables, planned: Sequence[Network]) -> xr.Dataset:
    """The claims with the number of each seed and the verdict, over (claim, seed).

    Args:
        claims: which.
        tables: what was found; every one has the coordinates model, setting and seed over ``run``.
        planned: model, setting and seed of every network that there was to be.

    """
    seeds = sorted({seed for _, _, seed in planned})
    there = set(zip(*(tables["networks"][name].values.tolist() for name in ("model", "setting", "seed")), strict=True))
    values = np.full((len(claims), len(seeds)), np.nan)
    for row, claim in enumerate(claims):
        for column, seed in enumerate(seeds):
            wanted = {network for network in planned if network[0] in claim.about and network[2] == seed}
            if {model for model, _, _ in wanted} == set(claim.about) and wanted <= there:
                values[row, column] = claim.value(_of_seed(tables, seed))
    verdicts = [
        verdict(row.tolist(), claim.direction, claim.threshold) for row, claim in zip(values, claims, strict=True)
    ]
    attrs = {"long_name": "what decides the claim", "units": "see measure"}

    def words(name: str) -> tuple[str, list[str]]:
        return "claim", [str(getattr(claim, name)) for claim in claims]

    return xr.Dataset(
        {"value": (("claim", "seed"), values, attrs)},
        {
            "claim": [claim.name for claim in claims],
            "seed": seeds,
            "statement": words("statement"),
            "measure": words("measure"),
            "direction": words("direction"),
            "threshold": ("claim", [float(claim.threshold) for claim in claims]),
            "verdict": ("claim", verdicts),
        },
        {"rule": RULE},
    )


def _of_seed(tables: Tables, seed: int) -> dict[str, xr.Dataset]:
    return {name: table.isel(run=np.flatnonzero(table["seed"].values == seed)) for name, table in tables.items()}
