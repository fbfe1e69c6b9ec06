"""What was found in all networks of an experiment, put together: a Dataset over ``run`` for each question."""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple

import numpy as np
import xarray as xr

from rnnscope.attractors import summarise_orbits
from rnnscope.attractors._kinds import CHAOS, CLOSED_CURVE, CONTINUUM, CYCLE, FIXED_POINT, KINDS, TORUS, UNDETERMINED
from rnnscope.attractors.summary import OSCILLATES
from rnnscope.base.series import SMALLEST_JUMP, Coincidence, coincidence, loss_jumps
from rnnscope.experiments._description import Picture, Trained

ATTRACTOR_KINDS = (FIXED_POINT, CYCLE, CLOSED_CURVE, TORUS, CHAOS, UNDETERMINED)
"""Kinds that are counted: a continuum is no attractor, and what diverges has none."""
Number = Callable[[Trained], float]
CLAIMS_PICTURE = Picture(
    file="claims", figure="claims", table="claims", caption="Each claim, its number over seeds, and the verdict."
)


def over_runs(networks: Sequence[Trained], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """One Dataset for each network, joined over ``run``, which knows model, seed and setting."""
    joined = xr.concat(
        list(parts), "run", data_vars="all", coords="minimal", compat="override", join="exact", combine_attrs="override"
    )
    joined.attrs.clear()
    return joined.assign_coords(
        model=("run", [network.model for network in networks]),
        seed=("run", [network.seed for network in networks]),
        setting=("run", [network.setting for network in networks]),
    )


def numbers(networks: Sequence[Trained], **of: tuple[str, str, Number]) -> xr.Dataset:
    """Numbers of each network over ``run``: for each name what it is, its unit, and how it is had."""
    parts = [
        xr.Dataset(
            {
                name: ((), number(network), {"long_name": words, "units": units})
                for name, (words, units, number) in of.items()
            }
        )
        for network in networks
    ]
    return over_runs(networks, parts).assign_attrs(title="Networks after training")


def last_scalar(name: str) -> Number:
    """What was recorded under this name in the last epoch; NaN where it was not."""

    def of(network: Trained) -> float:
        scalars = network.run.scalars
        return float(scalars[name].iloc[-1]) if name in scalars and len(scalars) else math.nan

    return of


def first_epoch_at(name: str, least: float) -> Number:
    """The first epoch at which what was recorded under this name is ``least`` or more; infinity if it never was."""

    def of(network: Trained) -> float:
        scalars = network.run.scalars
        values = scalars[name].to_numpy(float) if name in scalars else np.empty(0)
        reached = scalars.index.to_numpy()[np.flatnonzero(values >= least)]
        return float(reached[0]) if reached.size else math.inf

    return of


def share_of_one_fixed_point(network: Trained) -> float:
    """The share of epochs × inputs at which there is exactly one limit set, a fixed point that all starts come to."""
    found = network.found("attractors")
    kinds = found["kind"].values
    return float(((kinds[..., 0] == FIXED_POINT) & ((kinds >= 0).sum(-1) == 1)).mean())


def share_without_attractor(network: Trained) -> float:
    """The share of inputs at which, at the last epoch, all that is there is a continuum of orbits side by side."""
    kinds = network.found("attractors").isel(step=-1)["kind"].values
    return float(((kinds == CONTINUUM) | (kinds < 0)).all(-1).mean())


def attractor_counts(networks: Sequence[Trained]) -> xr.Dataset:
    """How many attractors of each kind there are at the last epoch, (run, input, kind), and the largest λ1 of all
    limit sets there, (run, input)."""
    parts = []
    for network in networks:
        found = network.found("attractors").isel(step=-1, drop=True)
        counts = np.stack([(found["kind"].values == kind).sum(-1) for kind in ATTRACTOR_KINDS], axis=-1)
        attrs = {"long_name": "attractors under the constant input", "units": "1"}
        parts.append(
            xr.Dataset(
                {
                    "n_attractors": (("input", "kind"), counts, attrs),
                    "lyapunov_exponent": found["lyapunov_exponent"].isel(exponent=0, drop=True).max("attractor"),
                },
                {"kind": [KINDS[kind] for kind in ATTRACTOR_KINDS]},
            )
        )
    return over_runs(networks, parts)


def closed_curves(found: xr.Dataset) -> np.ndarray:
    """At which inputs a result of ``Attractors`` has a closed curve, or a cycle of at least three states: an
    oscillation whose frequency has locked to the step."""
    kinds, periods = found["kind"].values, found["period"].values
    return ((kinds == CLOSED_CURVE) | ((kinds == CYCLE) & (periods >= 3))).any(-1)


def coincidences(networks: Sequence[Trained]) -> xr.Dataset:
    """Loss jumps against births and deaths of oscillation, network by network: the circular-shift test.

    An event is a change of the number of inputs at which the state oscillates, between two epochs at which orbits were
    measured. A jump coincides with it where it is at one of the epochs after the first of the two, up to the one after
    the second. Two stretches are looked at: from the first event to the end of training, with the jumps that stand out
    among all changes of the loss (``loss_jumps``); and from the first event to the last, with every rise by a quarter.
    """
    words = {
        "n_events": "births and deaths",
        "n_jumps": "loss jumps since the first of them",
        "observed": "of these at a birth or death",
        "expected": "by chance",
        "p": "p",
        "n_rises": "rises by a quarter between the first and the last of them",
        "rises_observed": "of these at a birth or death",
        "rises_expected": "by chance",
        "rises_p": "p",
    }
    parts = []
    for network in networks:
        values = dict(zip(words, _coincide(network), strict=True))
        parts.append(
            xr.Dataset({key: ((), value, {"long_name": words[key], "units": "1"}) for key, value in values.items()})
        )
    return over_runs(networks, parts).assign_attrs(title="Loss jumps against births and deaths of oscillations")


def _coincide(network: Trained) -> tuple[float, ...]:
    summary = summarise_orbits(network.found("orbits"))
    epochs, oscillating = summary["epoch"].values, (summary["input_kind"].values == OSCILLATES).sum(-1)
    losses = network.run.scalars["loss"].to_numpy(float)
    jumps, events = np.zeros((2, len(losses)), dtype=bool)
    jumps[loss_jumps(losses)] = True
    rises = np.concatenate([[False], np.diff(np.log(losses)) >= np.log(SMALLEST_JUMP)])
    changes = np.flatnonzero(np.diff(oscillating))
    if not changes.size:
        return 0.0, *_numbers(coincidence(jumps, events)), *_numbers(coincidence(rises & False, events))
    for at in changes:
        events[epochs[at] : epochs[at + 1] + 1] = True  # position k of the losses is epoch k + 1
    first, last = int(epochs[changes[0]]), int(epochs[changes[-1] + 1]) + 1
    whole = coincidence(jumps[first:], events[first:])
    while_changing = coincidence(rises[first:last], events[first:last])
    return float(changes.size), *_numbers(whole), *_numbers(while_changing)


def _numbers(test: Coincidence) -> tuple[float, ...]:
    return tuple(float(value) for value in astuple(test))


def of_model(table: xr.Dataset, model: str) -> xr.Dataset:
    """The networks of one model."""
    return table.isel(run=np.flatnonzero(table["model"].values == model))


def median(values: xr.DataArray | np.ndarray) -> float:
    """The median of finite numbers; NaN where there are none."""
    flat = np.asarray(values, dtype=float).ravel()
    flat = flat[~np.isnan(flat)]
    return float(np.median(flat)) if flat.size else math.nan


def least(values: xr.DataArray) -> float:
    """The smallest number; NaN where there is none."""
    return float(values.min()) if values.size else math.nan


def ratio(part: float, whole: float) -> float:
    """``part`` over ``whole``; NaN where both are without limit, or the whole is nothing."""
    if whole == 0 or math.isnan(part) or (math.isinf(part) and math.isinf(whole)):
        return math.nan
    return float(part) / float(whole)


def with_settings(table: xr.Dataset, networks: Sequence[Trained], **units: str) -> xr.Dataset:
    """The same with settings of the task as coordinates over ``run``, given with their units."""
    return table.assign_coords(
        {name: ("run", [n.config.task[name] for n in networks], {"units": unit}) for name, unit in units.items()}
    )
