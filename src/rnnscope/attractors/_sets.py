"""The distinct limit sets among those that several starts have come to."""

from dataclasses import replace

import numpy as np

from rnnscope.attractors._kinds import CHAOS, CONTINUUM, DIVERGENCE, UNDETERMINED
from rnnscope.attractors._limits import Limit
from rnnscope.attractors._same import same_cycle, same_set


def group_limits(limits: list[Limit]) -> tuple[list[Limit], np.ndarray]:
    """The distinct limit sets of several starts, and for each start the number of its own.

    Neutral sets are one continuum if there are several, side by side, or if the map keeps lengths; else a single one is
    undetermined, since it may as well attract too slowly to be seen. Exponents of a chaotic set are means over the
    starts that were followed.
    """
    found: list[list[Limit]] = []
    labels = np.zeros(len(limits), dtype=int)
    for at, limit in enumerate(limits):
        own = next((k for k, members in enumerate(found) if _same(members[0], limit)), len(found))
        labels[at] = own
        if own == len(found):
            found.append([])
        found[own].append(limit)
    sets = [_pooled(members) if members[0].kind == CHAOS else members[0] for members in found]
    neutral = [k for k, limit in enumerate(sets) if limit.kind == CONTINUUM]
    if len(neutral) == 1 and not sets[neutral[0]].keeps_lengths:
        sets[neutral[0]] = replace(sets[neutral[0]], kind=UNDETERMINED)
    labels[np.isin(labels, neutral)] = neutral[0] if neutral else 0
    undetermined = [k for k, limit in enumerate(sets) if limit.kind == UNDETERMINED]
    labels[np.isin(labels, undetermined)] = undetermined[0] if undetermined else 0
    used, labels = np.unique(labels, return_inverse=True)
    return [sets[k] for k in used], labels


def _same(a: Limit, b: Limit) -> bool:
    if a.kind != b.kind or a.period != b.period:
        return False
    if a.kind in (DIVERGENCE, UNDETERMINED):
        return True
    if a.period:
        return same_cycle(a.orbit[0], b.orbit)
    return same_set((a.features, b.features), (a.steadiness, b.steadiness), (a.size, b.size), (a.orbit, b.orbit))


def _pooled(members: list[Limit]) -> Limit:
    followed = [limit for limit in members if limit.followed]
    exponents = np.stack([limit.exponents for limit in followed])
    errors = np.stack([limit.exponent_errors for limit in followed])
    return replace(members[0], exponents=exponents.mean(0), exponent_errors=np.sqrt((errors**2).sum(0)) / len(followed))
