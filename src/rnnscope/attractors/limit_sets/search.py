"""Where each row of a batch of states goes under its constant input: the loop that runs on until it is known."""

import torch
from torch import Tensor

from rnnscope.attractors.limit_sets.batch import Batch
from rnnscope.attractors.limit_sets.kinds import APPROACHING, UNDETERMINED
from rnnscope.attractors.limit_sets.limit import Effort, Limit
from rnnscope.attractors.limit_sets.moving import look_at_motion
from rnnscope.attractors.limit_sets.settling import settle_on_cycles
from rnnscope.attractors.numerics.forecast import Forecast
from rnnscope.systems import System, require_deterministic


def find_limits(
    system: System, inputs: Tensor, starts: Tensor, effort: Effort, forecast: Forecast | None = None
) -> list[Limit]:
    """The limit of each row of starts (row, state) under inputs (row, channel) held constant.

    ``forecast`` says of wide states how long the transient takes, and later, if need be, the look at motion.

    Raises:
        NonDeterministicError: the same state and input gave two different answers.

    """
    require_deterministic(system)
    batch = Batch(system, inputs, starts, effort, forecast)
    for attempt in range(effort.n_extensions + 1):
        factor = 4**attempt
        batch.tell(factor * (effort.n_transient + 8 * effort.max_period))
        batch.advance(factor * effort.n_transient)
        waiting = settle_on_cycles(batch, factor * effort.max_period) if len(batch.active) else batch.active
        if attempt < effort.n_extensions:
            batch.active = batch.active[~torch.isin(batch.active, waiting)]
        else:
            waiting = waiting[:0]
        if len(batch.active):
            look_at_motion(batch, factor * effort.n_steps)
        batch.active = torch.cat([batch.active, waiting]).sort().values
        if not len(batch.active):
            break
    for row in batch.active.tolist():
        limit = batch.limits[row]
        limit.kind, limit.n_steps = UNDETERMINED, batch.elapsed
        limit.doubt = limit.doubt or APPROACHING
    return batch.limits
