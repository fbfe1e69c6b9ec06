"""Whether the cost that probes measure is the loss that was recorded, and what is known of why not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnscope.base.errors import RnnscopeError
from rnnscope.smoothness import Objective
from rnnscope.smoothness.objective import cost as cost_of
from rnnscope.systems import ModelSystem, System

_FAR = 5e-3  # relative: beyond what single precision and the last step of an epoch explain


def far_from_loss(
    found: xr.Dataset, objective: Objective, system: System, snapshot: Callable[[int], Mapping[str, Tensor]]
) -> str | None:
    """A line that says how far the cost measured is from the loss recorded, and what is known of why; None: it is near.

    Args:
        found: a result with ``cost`` and the coordinate ``loss``, along ``step``.
        objective: what the cost is of.
        system: the map that was measured.
        snapshot: the tensors that were recorded after a step.

    """
    if "cost" not in found or "loss" not in found.coords or found["cost"].dims != ("step",):
        return None
    cost, loss = found["cost"].values, found["loss"].values
    apart = np.abs(cost - loss) / np.maximum(np.abs(loss), 1e-12)
    seen = np.isfinite(apart)
    if not seen.any() or np.median(apart[seen]) <= _FAR:
        return None
    at = int(np.flatnonzero(seen)[-1])
    recorded = snapshot(int(found["step"].values[at]))
    known = []
    if _is_loss_of_exchanged(loss[at], cost[at], objective, system, recorded):
        return (
            f"the cost measured is {cost[at]:.4g}, the loss recorded {loss[at]:.4g}; that is the cost with the first "
            "two axes of the data exchanged: expected (sequence, time, channel), came (time, sequence, channel). "
            "inputs.movedim(0, 1) and targets.movedim(0, 1) will do"
        )
    if objective.state is None and not isinstance(system, ModelSystem) and _begins_at_zero(system, objective):
        known.append("x[0] = 0 was used")
    names = {getattr(system, "renamed", {}).get(name, name) for name in system.params}
    used = [recorded[name] for name in names & recorded.keys()]
    unused = [n for n, t in recorded.items() if n not in names and not any(torch.equal(t, other) for other in used)]
    if unused and used:
        shown = ", ".join(unused[:3]) + (f" and {len(unused) - 3} more" if len(unused) > 3 else "")
        known.append(f"the snapshots hold {shown}, which the map that was given does not use")
    remedy = ""
    if known:
        remedy = " What a model does besides is in its cost with Run(path, model=model); x[0] in Objective(…, state=…)."
    epoch = int(found["epoch"].values[at]) if "epoch" in found.coords else at
    because = "; or ".join(
        [*known, "a loss averaged over an epoch, dropout, other data or another formula explains it"]
    )
    return (
        f"the cost measured is {cost[at]:.4g} at epoch {epoch}, the loss recorded there {loss[at]:.4g}, "
        f"{_percent(float(np.median(apart[seen])))} away{' (median)' if seen.sum() > 1 else ''}: {because}.{remedy}"
    )


def _is_loss_of_exchanged(
    loss: float, cost: float, objective: Objective, system: System, recorded: Mapping[str, Tensor]
) -> bool:
    """Whether the loss recorded is the cost of the same numbers read as (time, sequence, channel), and clearly not the
    ``cost`` that was measured: a tenth of the way at most."""
    if objective.last_step_only or objective.state is not None or objective.n_sequences <= objective.n_transient:
        return False
    exchanged = replace(objective, inputs=objective.inputs.movedim(0, 1), targets=objective.targets.movedim(0, 1))
    try:
        with torch.no_grad():
            then = system.at(recorded)
            value = float(cost_of(then, then.params, exchanged))
    except (RnnscopeError, ValueError, RuntimeError):
        return False
    return abs(value - loss) <= min(0.1 * abs(cost - loss), _FAR * abs(loss))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _begins_at_zero(system: System, objective: Objective) -> bool:
    return not bool(objective.on(system).initial_state(system).any())
