"""The distinct limit sets among those that several starts have come to."""

from dataclasses import replace

import numpy as np

from rnnscope.attractors.limit_sets.kinds import CHAOS, CONTINUUM, DIVERGENCE, NEUTRAL, UNDETERMINED
from rnnscope.attractors.limit_sets.limit import Limit
from rnnscope.attractors.limit_sets.observables import SAME, same_set

_SAME_POINT = 1e-5  # between confirmed points of one cycle, relative to 1 + |x|
_ERRORS = 5.0  # that the means of chaotic sets must be apart


def group_limits(limits: list[Limit]) -> tuple[list[Limit], np.ndarray]:
    """The distinct limit sets of several starts, and for each start the number of its own.

    Neutral sets are one continuum if there are several, side by side, or if the map keeps lengths; else a single one is
    undetermined, since it may as well attract too slowly to be seen.
    """
    found: list[list[Limit]] = []
    labels = np.zeros(len(limits), dtype=int)
    for at, limit in enumerate(limits):
        own = next((k for k, members in enumerate(found) if same_limit_set(members[0], limit)), len(found))
        labels[at] = own
        if own == len(found):
            found.append([])
        found[own].append(limit)
    sets = [members[0] for members in found]
    neutral = [k for k, limit in enumerate(sets) if limit.kind == CONTINUUM]
    if len(neutral) == 1 and not sets[neutral[0]].keeps_lengths:
        sets[neutral[0]] = replace(sets[neutral[0]], kind=UNDETERMINED, doubt=NEUTRAL)
    labels[np.isin(labels, neutral)] = neutral[0] if neutral else 0
    undetermined = [k for k, limit in enumerate(sets) if limit.kind == UNDETERMINED]
    labels[np.isin(labels, undetermined)] = undetermined[0] if undetermined else 0
    used, labels = np.unique(labels, return_inverse=True)
    return [sets[k] for k in used], labels


def same_limit_set(a: Limit, b: Limit) -> bool:
    """Whether two orbits have come to one set: of the same kind and period, and with the same points or averages."""
    if a.kind != b.kind or a.period != b.period:
        return False
    if a.kind in (DIVERGENCE, UNDETERMINED):
        return True
    if a.period:
        return _same_cycle(a.orbit[0], b.orbit)
    if a.kind == CHAOS:
        tolerance = _ERRORS * np.hypot(a.errors, b.errors) + SAME * max(a.size, b.size)
        return bool((np.abs(a.features - b.features) <= tolerance).all())
    return same_set((a.features, b.features), (a.size, b.size), (a.steadiness, b.steadiness), (a.wander, b.wander))


def _same_cycle(point: np.ndarray, cycle: np.ndarray) -> bool:
    """Whether a point (state) is one of a cycle (time, state)."""
    return bool((np.abs(cycle - point).max(-1) <= _SAME_POINT * (1 + np.abs(point).max())).any())
