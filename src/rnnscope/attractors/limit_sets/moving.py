"""Rows that move on: which are on the same set, and what kind of motion that is by averages and tangents."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.limit_sets.batch import FOLLOWED, Batch
from rnnscope.attractors.limit_sets.believing import believe
from rnnscope.attractors.limit_sets.kinds import CLOSED_CURVE, CONTINUUM, DIVERGENCE, NONE, SLOW, TORUS, UNDETERMINED
from rnnscope.attractors.limit_sets.limit import Limit
from rnnscope.attractors.limit_sets.motion import judge
from rnnscope.attractors.limit_sets.observables import Ensemble
from rnnscope.attractors.numerics.exponents import log_stretches
from rnnscope.attractors.numerics.frequency import dominant_frequency
from rnnscope.attractors.numerics.running import MOST_NUMBERS

_CHUNK = MOST_NUMBERS // 2  # numbers of orbits in memory at once; what is made of them takes three times that
_SAMPLES = 1000  # of an orbit that are kept


def look_at_motion(batch: Batch, n_steps: int) -> None:
    """Run on, see which rows move on the same set, judge each set by the tangents of one or two of its rows, and
    keep as active what is not believed."""
    batch.nudge(batch.active)
    n_transient = n_steps // 4
    batch.tell(n_transient + n_steps, min(batch.effort.n_exponents, batch.system.state_size))
    batch.elapsed += n_transient + n_steps
    at_once = max(1, _CHUNK // ((n_transient + n_steps) * batch.system.state_size))
    rows = torch.cat([_judge(batch, rows, n_transient, n_steps) for rows in batch.active.split(at_once)])
    believed = believe(batch, rows, max(2 * batch.effort.n_steps, n_steps)).to(rows.device)
    batch.active = rows[~believed]


def _judge(batch: Batch, rows: Tensor, n_transient: int, n_steps: int) -> Tensor:
    """Judge these rows; returns those that have not diverged."""
    beginning = batch.state[rows]
    states = batch.states(rows, n_transient + n_steps)
    bounded = (states.abs().amax((0, 2)) <= batch.effort.escape) & torch.isfinite(states).all(2).all(0)
    for row in rows[~bounded].tolist():
        batch.limits[row] = Limit(DIVERGENCE, n_steps=batch.elapsed)
    rows, beginning, states = rows[bounded], beginning[bounded], states[n_transient:, bounded]
    if not len(rows):
        return rows
    ensemble = Ensemble(states.transpose(0, 1).cpu().numpy())
    families = ensemble.families(batch.group[rows.cpu().numpy()])
    followed = np.concatenate([np.flatnonzero(families == k)[:FOLLOWED] for k in range(families.max() + 1)])
    stretches = log_stretches(
        batch.system, batch.weights, beginning[followed], batch.drive[rows[followed]],
        k=min(batch.effort.n_exponents, batch.system.state_size), n_transient=n_transient, n_steps=n_steps,
    )  # fmt: skip
    frequencies = dominant_frequency(_widest_output(batch, states[:, followed], rows[followed]))
    agreement, steadiness = ensemble.agreement, ensemble.steadiness
    motions = {
        at: judge(ensemble.rows[at], stretches[k], agreement=float(agreement[at]), steadiness=float(steadiness[at]))
        for k, at in enumerate(followed.tolist())
    }
    every = max(1, ensemble.rows.shape[1] // _SAMPLES)
    for at, row in enumerate(rows.tolist()):
        of = at if at in motions else int(np.flatnonzero(families == families[at])[0])
        motion = motions[of]
        periodic = motion.kind in (CLOSED_CURVE, TORUS, CONTINUUM)
        batch.limits[row] = Limit(
            motion.kind,
            orbit=ensemble.rows[at, ::-every][::-1],
            exponents=motion.exponents,
            exponent_errors=motion.exponent_errors,
            features=ensemble.features[at],
            steadiness=float(steadiness[at]),
            wander=float(ensemble.wander[at]),
            size=float(ensemble.size[at]),
            frequency=float(frequencies[followed.tolist().index(of)]) if periodic else np.nan,
            keeps_lengths=motion.keeps_lengths,
            drift=batch.limits[row].drift,
            doubt=SLOW if motion.kind == UNDETERMINED else NONE,
            n_steps=batch.elapsed,
        )
    return rows


def _widest_output(batch: Batch, states: Tensor, rows: Tensor) -> np.ndarray:
    """The output that moves most, (row, time)."""
    at_once = max(1, _CHUNK // (len(rows) * batch.system.output_size))

    def pieces() -> Iterator[Tensor]:
        for part in states.split(at_once):
            yield batch.system.outputs_on(batch.weights, part, batch.drive[rows].expand(len(part), -1, -1))

    bounds = [(part.amin(0), part.amax(0)) for part in pieces()]
    low, high = torch.stack([low for low, _ in bounds]).amin(0), torch.stack([high for _, high in bounds]).amax(0)
    widest = (high - low).argmax(-1)
    each = torch.arange(len(rows), device=widest.device)
    return torch.cat([part[:, each, widest] for part in pieces()]).T.cpu().numpy()
