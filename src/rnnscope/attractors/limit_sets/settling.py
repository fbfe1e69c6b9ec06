"""Rows that have come to a fixed point or a cycle are settled; what is unstable is left, what is on its way waits."""

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.limit_sets.batch import Batch
from rnnscope.attractors.limit_sets.cycles import Cycles, find_cycles, margin, settled
from rnnscope.attractors.limit_sets.kinds import CONTINUUM, CYCLE, FIXED_POINT
from rnnscope.attractors.limit_sets.limit import Limit
from rnnscope.attractors.numerics.running import MOST_NUMBERS, final_state

_ROUNDS = 500  # steps after which a displacement at a kink is looked at,
_RETURNS, _STAYS = 0.01, 3.0  # and how much of it there may be if it shrinks, or neither shrinks nor grows


def settle_on_cycles(batch: Batch, max_period: int) -> Tensor:
    """Settle the active rows that have come to a cycle; returns those of the others that are on their way to one."""
    n_steps = max(512, 8 * max_period)
    batch.elapsed += n_steps
    at_once = max(1, MOST_NUMBERS // (n_steps * batch.system.state_size))
    return torch.cat([_settle(batch, rows, n_steps, max_period) for rows in batch.active.split(at_once)])


def _settle(batch: Batch, rows: Tensor, n_steps: int, max_period: int) -> Tensor:
    window = batch.states(rows, n_steps)
    batch.retire_escaped()
    finite = torch.isin(rows, batch.active)
    rows, window = rows[finite], window[:, finite]
    if not len(rows):
        return rows
    cycles = find_cycles(batch.system, window, batch.inputs[rows], max_period)
    leading = cycles.multipliers[:, 0].abs()
    near_one = margin(window.dtype)
    there = (cycles.distance <= settled(window.dtype)) & (cycles.period > 0)
    neutral = there & ~cycles.attracts & ((leading - 1).abs() <= near_one)
    unstable = there & (leading > 1 + near_one)
    for at in torch.nonzero(there & leading.isnan())[:, 0].tolist():
        grown = _grown(batch, cycles, at, int(rows[at]))
        cycles.attracts[at] = grown <= _RETURNS
        neutral[at] = _RETURNS < grown <= _STAYS
        unstable[at] = grown > _STAYS
    speed = ((window[-1] - window[-2]).abs().amax(-1) / (1 + window[-1].abs().amax(-1))).cpu().numpy()
    done = cycles.attracts | neutral
    for at, row in enumerate(rows.tolist()):
        batch.limits[row].drift = float(speed[at])
        if done[at]:
            batch.limits[row] = _cycle(batch, cycles, at, row, bool(neutral[at]), float(speed[at]))
    batch.nudge(rows[unstable])
    batch.active = batch.active[~torch.isin(batch.active, rows[done])]
    return rows[~done & cycles.approaches]


def _grown(batch: Batch, cycles: Cycles, at: int, row: int) -> float:
    """By how much the worst of a few small displacements grows in many rounds: the answer at a kink of the map."""
    period, point = int(cycles.period[at]), cycles.points[at]
    noise = torch.randn(8, len(point), generator=batch.generator, dtype=torch.float64).to(point)
    begun = 100 * settled(point.dtype) * (1 + point.abs().amax()) * noise
    n_steps = period * -(-_ROUNDS // period)
    final = final_state(batch.system, point + begun, batch.inputs[row].expand(len(begun), -1), n_steps)
    grown = (final - point).abs().amax(-1) / begun.abs().amax(-1)
    return float(grown.nan_to_num(nan=torch.inf).max())


def _cycle(batch: Batch, cycles: Cycles, at: int, row: int, neutral: bool, speed: float) -> Limit:
    period = int(cycles.period[at])
    orbit, state = [], cycles.points[at : at + 1]
    for _ in range(period):
        state = batch.system.step(batch.weights, state, batch.drive[row : row + 1])
        orbit.append(state[0])
    multipliers = cycles.multipliers[at].cpu().numpy()
    with np.errstate(divide="ignore"):
        exponents = (np.log(np.abs(multipliers)) / period)[: batch.effort.n_exponents]
    return Limit(
        CONTINUUM if neutral else FIXED_POINT if period == 1 else CYCLE,
        period=period,
        orbit=torch.stack(orbit).cpu().numpy(),
        exponents=exponents,
        exponent_errors=np.zeros(len(exponents)),
        multipliers=multipliers,
        frequency=2 * np.pi / period if period > 1 else np.nan,
        residual=float(cycles.residual[at]),
        drift=max(speed if period == 1 else 0.0, float(cycles.distance[at])),
        n_steps=batch.elapsed,
    )
