"""From a result of ``orbits`` to what a diagram draws, and the one value axis of several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._companions import make_companions
from rnnscope.figures._orbit_layers import Diagram, Orbits, make_columns
from rnnscope.findings.reading import (
    by_step,
    choose_inputs,
    choose_output,
    epoch_label,
    looked_at,
    loss_curve,
    value_label,
)

if TYPE_CHECKING:
    import pandas
    import xarray

MAX_POINTS = {"matplotlib": 100_000, "plotly": 20_000}  # an svg point costs a browser more than a pixel


def make_diagram(
    orbits: "xarray.Dataset",
    *,
    scalars: "pandas.DataFrame | None",
    summary: "xarray.Dataset | None",
    attractors: "xarray.Dataset | None" = None,
    inputs: int | Sequence[int] | None,
    output: int | str,
    value_range: tuple[float, float] | None,
    everything: bool,
    max_points: int,
) -> Diagram:
    """The diagram of one run; ``everything``: at all inputs unless some are chosen."""
    orbits = by_step(orbits)
    chosen = choose_inputs(orbits, inputs, everything=everything)
    at_output = choose_output(orbits, output)
    samples = Orbits.of(orbits, at_output)
    if value_range is None:
        value_range = samples.value_range(chosen)
    require(value_range[0] < value_range[1], "value_range", "a lowest value below the highest", value_range)
    columns = make_columns(orbits["epoch"].values)
    binned = columns if samples.count_moving(chosen) > max_points else None
    return Diagram(
        panels=[samples.layers(position, value_range, binned) for position in chosen],
        columns=columns,
        value_range=value_range,
        value_label=value_label(orbits, at_output),
        loss=loss_curve(scalars, orbits),
        summary=None if summary is None or attractors is not None else by_step(summary),
        companions=None if attractors is None else make_companions(attractors, orbits, chosen),
        n_samples=samples.values.shape[2] * samples.values.shape[3],
        epoch_label=_epoch_label(orbits, attractors),
    )


def _epoch_label(orbits: "xarray.Dataset", attractors: "xarray.Dataset | None") -> str:
    """Of orbits, and of the attractors under them where these were looked at less or more often."""
    own, n_in_run = looked_at(orbits)
    other = own if attractors is None else looked_at(by_step(attractors))[0]
    if own == other:
        return epoch_label(orbits)
    return f"epoch (of {n_in_run} looked at: orbits at {own}, attractors at {other})"


def common_range(results: "list[xarray.Dataset]") -> tuple[float, float]:
    """One value axis for several runs: all their values, unless a few epochs of one would flatten all the others.

    Then it is a third wider than what their outputs span at the median epoch of the second half of training.
    """
    spans = []
    for orbits in results:
        values = orbits["orbit"].transpose("step", ...).values.reshape(orbits.sizes["step"], -1)
        values = np.where(np.isfinite(values), values, np.nan)
        values = values[np.isfinite(values).any(1)]
        if len(values):
            spans.append(np.stack([np.nanmin(values, 1), np.nanmax(values, 1)], 1))
    if not spans:
        return -1.0, 1.0
    low, high = min(float(span[:, 0].min()) for span in spans), max(float(span[:, 1].max()) for span in spans)
    late = np.array([np.median(span[len(span) // 2 :], axis=0) for span in spans])
    usual_low, usual_high = float(late[:, 0].min()), float(late[:, 1].max())
    margin = (usual_high - usual_low) / 6
    if margin > 0 and high - low > 2.5 * (usual_high - usual_low):
        low, high = usual_low - margin, usual_high + margin
    space = 0.05 * (high - low) or 1.0
    return low - space, high + space
