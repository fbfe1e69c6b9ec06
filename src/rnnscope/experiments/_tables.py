"""What was found in all networks of an experiment, put together: a Dataset over ``run`` for each question."""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple

import numpy as np
import pandas as pd
import xarray as xr

from rnnscope.attractors import summarise_orbits
from rnnscope.attractors.limit_sets.kinds import (
    CHAOS,
    CLOSED_CURVE,
    CONTINUUM,
    CYCLE,
    FIXED_POINT,
    KINDS,
    TORUS,
    UNDETERMINED,
)
from rnnscope.base.series import SMALLEST_JUMP, Coincidence, coincidence
from rnnscope.experiments._description import Picture, Trained
from rnnscope.findings.events import births_and_deaths
from rnnscope.findings.series import epochs_of, kinds_of

ATTRACTOR_KINDS = (FIXED_POINT, CYCLE, CLOSED_CURVE, TORUS, CHAOS, UNDETERMINED)
"""Kinds that are counted: a continuum is no attractor, and what diverges has none."""
REACH = 25  # epochs
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


def epoch_from_which(name: str, least: float) -> Number:
    """The epoch from which on what was recorded under this name is ``least`` or more; infinity if it is not at the end,
    NaN if it was not recorded."""

    def of(network: Trained) -> float:
        scalars = network.run.scalars
        if name not in scalars or not len(scalars):
            return math.nan
        below = np.flatnonzero(~(scalars[name].to_numpy(float) >= least))
        first = int(below[-1]) + 1 if below.size else 0
        return float(scalars.index.to_numpy()[first]) if first < len(scalars) else math.inf

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
    """How many attractors of each kind there are at the last epoch, (run, input, kind)."""
    parts = []
    for network in networks:
        found = network.found("attractors").isel(step=-1, drop=True)
        counts = np.stack([(found["kind"].values == kind).sum(-1) for kind in ATTRACTOR_KINDS], axis=-1)
        attrs = {"long_name": "attractors under the constant input", "units": "1"}
        labels = {"input_label": found["input_label"]} if "input_label" in found.coords else {}
        parts.append(
            xr.Dataset(
                {"n_attractors": (("input", "kind"), counts, attrs)},
                {"kind": [KINDS[kind] for kind in ATTRACTOR_KINDS], **labels},
            )
        )
    return over_runs(networks, parts)


def closed_curves(found: xr.Dataset) -> np.ndarray:
    """At which inputs a result of ``Attractors`` has a closed curve, or a cycle of at least three states: an
    oscillation whose frequency has locked to the step. A torus is none."""
    kinds, periods = found["kind"].values, found["period"].values
    return ((kinds == CLOSED_CURVE) | ((kinds == CYCLE) & (periods >= 3))).any(-1)


def coincidences(networks: Sequence[Trained]) -> xr.Dataset:
    """Rises of the loss against births and deaths of oscillation, network by network: the circular-shift test.

    Births and deaths are those of ``rnnscope.findings.events``, of any input. A rise, by a quarter or more from one
    epoch to the next, coincides with one where it is at one of the epochs after the first of the two that it lies
    between, up to the one after the second. The stretch from the first event to the last is looked at: before there is
    nothing to coincide with, and after it the loss is of another size. Shifts reach no further than ``REACH`` epochs,
    since both become more frequent.
    """
    words = {
        "n_events": "epochs with a birth or death",
        "n_rises": "rises of the loss by a quarter between the first and the last of them",
        "observed": "of these at a birth or death",
        "expected": "as many by chance",
        "p": "p",
    }
    parts = []
    for network in networks:
        summary = summarise_orbits(network.found("orbits"))
        scalars = network.run.scalars
        losses = pd.Series(scalars["loss"].to_numpy(float), scalars.index)
        n_events, test = coincide(epochs_of(summary), kinds_of(summary), losses)
        values = dict(zip(words, (n_events, *astuple(test)), strict=True))
        parts.append(
            xr.Dataset({key: ((), float(v), {"long_name": words[key], "units": "1"}) for key, v in values.items()})
        )
    return over_runs(networks, parts).assign_attrs(title="Rises of the loss against births and deaths of oscillations")


def coincide(epochs: np.ndarray, kinds: np.ndarray, losses: pd.Series) -> tuple[int, Coincidence]:
    """At how many epochs there are events, and the test: from kinds of motion (epoch, input) and losses by epoch."""
    known_epochs = losses.index.to_numpy()
    last_epoch = int(max(epochs[-1], known_epochs[-1]))
    found = births_and_deaths(epochs, kinds)
    events = np.zeros(last_epoch + 2, dtype=bool)
    for event in found:
        events[event.since + 1 : event.epoch + 2] = True
    values = np.full(last_epoch + 1, np.nan)
    values[known_epochs] = losses.to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rises = np.concatenate([[False], np.diff(np.log(values)) >= np.log(SMALLEST_JUMP)])
    stretch = np.flatnonzero(events[: last_epoch + 1])
    if not stretch.size:
        return 0, coincidence(np.zeros(1, dtype=bool), np.zeros(1, dtype=bool))
    inside = slice(int(stretch[0]), int(stretch[-1]) + 1)
    n_events = len({event.epoch for event in found})
    return n_events, coincidence(rises[inside], events[: last_epoch + 1][inside], reach=REACH)


def of_model(table: xr.Dataset, model: str) -> xr.Dataset:
    """The networks of one model."""
    return table.isel(run=np.flatnonzero(table["model"].values == model))


def median(values: xr.DataArray | np.ndarray) -> float:
    """The median of what is a number; NaN where nothing is."""
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
