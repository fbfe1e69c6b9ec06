"""The result of following: branches over snapshots, and events, as one Dataset."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from rnnscope.attractors.following.branches import Branch, Follower
from rnnscope.attractors.following.events import Event
from rnnscope.base.flags import Flags
from rnnscope.base.schema import Schema, Variable

KINDS = Flags(
    (
        "fold",
        "flip",
        "neimark_sacker",
        "pitchfork",
        "transcritical",
        "border_collision",
        "lost",
    )
)
CRITICALITY = Flags(("none", "subcritical", "supercritical"), first=-1)
_MOST_CONCERNED = 4  # branches that an event names: two cross at a fold, three at a pitchfork
BIFURCATIONS = Schema(
    {
        "branch_input": Variable("branch", "position of the constant input"),
        "branch_period": Variable("branch", "period", "step"),
        "index": Variable("branch snapshot", "multipliers outside of the unit circle, -1: no such branch"),
        "modulus": Variable("branch snapshot", "|μ| of the leading multiplier"),
        "angle": Variable("branch snapshot", "|arg μ| of the leading multiplier", "rad/step"),
        "output_value": Variable("branch snapshot output", "output at the fixed point, or at a point of the cycle"),
        "event_kind": Variable("event", "type of bifurcation", flags=KINDS),
        "event_input": Variable("event", "position of the constant input"),
        "event_period": Variable("event", "period of the branch", "step"),
        "event_branch": Variable("event concerned", "ids of the branches concerned, -1 for none"),
        "event_snapshot": Variable("event", "position of the snapshot before it"),
        "event_step": Variable("event", "optimiser step, on the straight way between two snapshots"),
        "place": Variable("event", "s, place on the way from the snapshot before it (0) to the next (1)"),
        "place_low": Variable("event", "lower end of the interval of s that holds it"),
        "place_high": Variable("event", "upper end of the interval of s that holds it"),
        "multiplier_real": Variable("event", "critical multiplier, real part"),
        "multiplier_imag": Variable("event", "critical multiplier, imaginary part"),
        "event_angle": Variable("event", "|arg μ| of the critical multiplier", "rad/step"),
        "coefficient_real": Variable("event", "coefficient of the normal form, real part"),
        "coefficient_imag": Variable("event", "coefficient of the normal form, imaginary part"),
        "criticality": Variable("event", "stability of what is born", flags=CRITICALITY),
        "rate": Variable("event", "d|μ|/ds on the branch"),
        "exists": Variable("event", "of a fold: -1 where its two points are there before it, 1 after it"),
        "index_before": Variable("event", "index before it; of a fold the lower of its two points"),
        "index_after": Variable("event", "index after it; of a fold the higher of its two points"),
        "resonance": Variable("event", "q where the angle is within 0.01 of 2π/q, q up to 4; else 0"),
        "gap": Variable("event", "|log|μ|| where it was located"),
        "event_state": Variable("event state", "state at the bifurcation"),
        "event_output": Variable("event output", "output at the bifurcation"),
    },
    {
        "input_value": Variable("input channel", "constant input"),
        "snapshot_step": Variable("snapshot", "optimiser step"),
        "branch": Variable("branch", "id of a branch at its input"),
    },
)


def table(follower: Follower, inputs: np.ndarray, steps: Sequence[int], kept: Sequence[int]) -> xr.Dataset:
    """All that was followed, of snapshots at these optimiser steps, of which those at the positions ``kept`` have
    finite weights. Branches are numbered anew, by input and in the order in which they begin."""
    branches = sorted(follower.branches.values(), key=lambda each: (each.input, min(each.nodes), each.id))
    names = {branch.id: at for at, branch in enumerate(branches)}
    events = sorted(follower.events, key=lambda event: (event.segment + event.s, event.input))
    system = follower.system
    n_steps = len(steps)
    return BIFURCATIONS.dataset(
        {**_of_branches(follower, branches, n_steps, kept), **_of_events(follower, events, names, steps, kept)},
        branch=np.arange(len(branches)),
        snapshot_step=np.asarray(steps, dtype=np.int64),
        input=np.arange(len(inputs)),
        input_value=inputs,
        state=list(system.state_labels),
        output=np.arange(system.output_size),
    )


def _of_branches(
    follower: Follower, branches: list[Branch], n_steps: int, kept: Sequence[int]
) -> dict[str, np.ndarray]:
    shape = (len(branches), n_steps)
    index = np.full(shape, -1, dtype=np.int16)
    modulus, angle = np.full(shape, np.nan), np.full(shape, np.nan)
    output = np.full((*shape, follower.system.output_size), np.nan, dtype=np.float32)
    for row, branch in enumerate(branches):
        for k, node in branch.nodes.items():
            at = kept[k]
            index[row, at] = node.index
            modulus[row, at] = node.moduli[0]
            angle[row, at] = abs(np.angle(node.multipliers[0]))
    for k, there in follower.by_snapshot().items():
        rows = [row for row, branch in enumerate(branches) if branch.id in there]
        output[rows, kept[k]] = follower.outputs(k, [branches[row] for row in rows])
    return {
        "branch_input": np.array([branch.input for branch in branches], dtype=np.int32),
        "branch_period": np.array([branch.period for branch in branches], dtype=np.int32),
        "index": index,
        "modulus": modulus,
        "angle": angle,
        "output_value": output,
    }


def _of_events(
    follower: Follower, events: list[Event], names: dict[int, int], steps: Sequence[int], kept: Sequence[int]
) -> dict[str, np.ndarray]:
    at = np.array([event.segment for event in events], dtype=np.int64)
    place = np.array([event.s for event in events])
    before = np.array([steps[kept[k]] for k in at], dtype=float)
    after = np.array([steps[kept[min(k + 1, len(kept) - 1)]] for k in at], dtype=float)
    concerned = np.full((len(events), _MOST_CONCERNED), -1, dtype=np.int32)
    for row, event in enumerate(events):
        ids = list(dict.fromkeys(names[follower.resolved(id)] for id in event.branches))[:_MOST_CONCERNED]
        concerned[row, : len(ids)] = ids
    n_states, n_outputs = follower.system.state_size, follower.system.output_size
    states = np.array([event.state.numpy() for event in events]).reshape(len(events), n_states)
    outputs = np.array([follower.output_at(event).numpy() for event in events]).reshape(len(events), n_outputs)
    criticality = [-1 if event.supercritical is None else int(event.supercritical) for event in events]
    return {
        "event_kind": np.array([KINDS.words.index(event.kind) for event in events], dtype=np.int8),
        "event_input": np.array([event.input for event in events], dtype=np.int32),
        "event_period": np.array([event.period for event in events], dtype=np.int32),
        "event_branch": concerned,
        "event_snapshot": np.array([kept[k] for k in at], dtype=np.int64),
        "event_step": before + place * (after - before),
        "place": place,
        "place_low": np.array([event.low for event in events]),
        "place_high": np.array([event.high for event in events]),
        "multiplier_real": np.array([event.multiplier.real for event in events]),
        "multiplier_imag": np.array([event.multiplier.imag for event in events]),
        "event_angle": np.array([event.angle for event in events]),
        "coefficient_real": np.array([event.coefficient.real for event in events]),
        "coefficient_imag": np.array([event.coefficient.imag for event in events]),
        "criticality": np.array(criticality, dtype=np.int8),
        "rate": np.array([event.rate for event in events]),
        "exists": np.array([event.exists for event in events], dtype=np.int8),
        "index_before": np.array([event.index_before for event in events], dtype=np.int16),
        "index_after": np.array([event.index_after for event in events], dtype=np.int16),
        "resonance": np.array([event.resonance for event in events], dtype=np.int8),
        "gap": np.array([event.gap for event in events]),
        "event_state": states,
        "event_output": outputs,
    }
