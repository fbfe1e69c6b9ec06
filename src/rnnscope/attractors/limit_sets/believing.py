"""Whether what a look at motion has found is so: regular sets apart from each other, chaos on sets of its own."""

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.limit_sets.batch import Batch
from rnnscope.attractors.limit_sets.chains import Chains, run_chains, sets_of
from rnnscope.attractors.limit_sets.kinds import (
    ALIKE,
    CHAOS,
    CLOSED_CURVE,
    CONTINUUM,
    IRREGULAR,
    TORUS,
    UNDETERMINED,
)
from rnnscope.attractors.limit_sets.observables import apart, same_set
from rnnscope.attractors.numerics.forecast import seconds_of

_FROZEN = 1e-4  # drift of averages over neutral motions, beyond which it may be that of a slow phase
_APART = 100.0  # drifts of their averages, at least, that two sets must be from each other


def believe(batch: Batch, rows: Tensor, n_steps: int) -> Tensor:
    """Which of the rows that were looked at are as they seem: a mask.

    Regular motions under one input are one set, or differ by far more than their averages drift; chaos is on sets
    of its own.
    """
    kinds = np.array([batch.limits[row].kind for row in rows.tolist()])
    believed = torch.as_tensor(kinds != UNDETERMINED)
    for group in np.unique(batch.group[rows.cpu().numpy()]):
        believed[_too_much_alike(batch, rows, group)] = False
    chaotic = torch.as_tensor(kinds == CHAOS)
    if chaotic.any():
        believed[chaotic] = _believe_chaos(batch, rows[chaotic.to(rows.device)], n_steps)
    return believed


def _too_much_alike(batch: Batch, rows: Tensor, group: int) -> list[int]:
    """Places of regular motions under an input that can neither be told from another set there nor be the same."""
    among = [at for at, row in enumerate(rows.tolist())
             if batch.group[row] == group and batch.limits[row].kind in (CLOSED_CURVE, TORUS, CONTINUUM)
             and not batch.limits[row].keeps_lengths]  # fmt: skip
    doubtful = set()
    for k, at in enumerate(among):
        for other in among[:k]:
            a, b = batch.limits[int(rows[at])], batch.limits[int(rows[other])]
            features, size = (a.features, b.features), (a.size, b.size)
            steadiness, wander = (a.steadiness, b.steadiness), (a.wander, b.wander)
            if not same_set(features, size, steadiness, wander):
                moments, waves = apart(features, size)
                if moments < _APART * sum(steadiness) and waves < _APART * sum(wander):
                    doubtful |= {at, other}
    for at in among:
        limit = batch.limits[int(rows[at])]
        if limit.kind == CONTINUUM and limit.wander > _FROZEN:
            doubtful.add(at)
    for at in doubtful:
        batch.limits[int(rows[at])].doubt = ALIKE
    return sorted(doubtful)


def _believe_chaos(batch: Batch, rows: Tensor, n_steps: int) -> Tensor:
    """Which rows are on chaotic sets of their own, by the statistics of many copies of them."""
    group = batch.group[rows.cpu().numpy()]
    rate = min(float(batch.limits[row].exponents[0]) for row in rows.tolist())
    _tell_of_copies(batch, rows, n_steps + n_steps // 4)
    chains, batch.state[rows] = run_chains(
        batch.system,
        batch.weights,
        batch.state[rows],
        batch.drive[rows],
        input=group,
        n_copies=batch.effort.n_copies,
        n_steps=n_steps,
        rate=rate,
        escape=batch.effort.escape,
        generator=batch.generator,
    )
    batch.elapsed += n_steps + n_steps // 4
    believed = torch.zeros(len(rows), dtype=torch.bool)
    for own, found in chains.items():
        here = np.flatnonzero(group == own)
        labels = sets_of(found)
        if labels is not None and (labels.max() == 0 or _as_before(batch, own, rows[here].cpu().numpy(), labels)):
            believed[here] = True
            _on_sets(batch, rows, here, found, labels)
        else:
            for at in here:
                batch.limits[int(rows[at])].doubt = IRREGULAR
    return believed


def _tell_of_copies(batch: Batch, rows: Tensor, n_steps: int) -> None:
    """How long the copies of these rows are run."""
    if batch.forecast is None or not batch.forecast.wide:
        return
    n = max(batch.effort.n_copies * len(np.unique(batch.group[rows.cpu().numpy()])), 2 * len(rows))
    state, drive = (each[rows[:1]].expand(n, -1).contiguous() for each in (batch.state, batch.drive))
    batch.forecast.say(n_steps * seconds_of(lambda: batch.system.step(batch.weights, state, drive)))


def _as_before(batch: Batch, group: int, rows: np.ndarray, labels: np.ndarray) -> bool:
    """Whether rows fell into the same sets when they were looked at for a shorter time."""
    before = batch.partitions.get(group)
    batch.partitions[group] = rows, labels
    return before is not None and np.array_equal(before[0], rows) and np.array_equal(before[1], labels)


def _on_sets(batch: Batch, rows: Tensor, here: np.ndarray, chains: Chains, labels: np.ndarray) -> None:
    for label in range(labels.max() + 1):
        members = here[labels == label]
        features, errors = chains.of(members).moments
        limits = [batch.limits[int(rows[at])] for at in members]
        exponents, found = (
            np.stack([getattr(one, name) for one in limits]) for name in ("exponents", "exponent_errors")
        )
        for limit in limits:
            limit.features, limit.errors = features, errors
            limit.size = max(one.size for one in limits)
            limit.exponents = exponents.mean(0)
            limit.exponent_errors = np.sqrt((found**2).sum(0)) / len(limits)
            limit.n_steps = batch.elapsed
