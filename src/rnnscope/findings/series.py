"""Kinds, epochs and losses as arrays, in the order of the epochs."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.endings import ending
from rnnscope.findings.kinds import KINDS, kind_codes
from rnnscope.findings.reading import by_step

if TYPE_CHECKING:
    import pandas
    import xarray

_OF_EVERY_TRAINING = {"step", "loss", "gradient_norm", "learning_rate"}


def kinds_of(summary: "xarray.Dataset") -> np.ndarray:
    """Positions in ``KINDS`` (step, input), in the order of the epochs."""
    return kind_codes(by_step(summary))


def epochs_of(summary: "xarray.Dataset") -> np.ndarray:
    """Epochs looked at, ascending."""
    return by_step(summary)["epoch"].values


def counts_of(summary: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """Epochs looked at, ascending, and the number of inputs of each kind (step, kind)."""
    kinds = kinds_of(summary)
    return epochs_of(summary), np.stack([(kinds == code).sum(1) for code in range(len(KINDS))], axis=1)


def losses_of(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None") -> tuple[np.ndarray, np.ndarray]:
    """Epochs and losses, ascending; empty where the loss is not known."""
    if scalars is not None and "loss" in scalars and len(scalars):
        epochs, losses = scalars.index.to_numpy(), scalars["loss"].to_numpy(dtype=float)
        order = np.argsort(epochs, kind="stable")
        return epochs[order], losses[order]
    if "loss" in summary.coords:
        epochs, losses = epochs_of(summary), by_step(summary)["loss"].values.astype(float)
        known = ~np.isnan(losses)
        return epochs[known], losses[known]
    return np.empty(0, int), np.empty(0)


def loss_at(losses: tuple[np.ndarray, np.ndarray], epoch: int) -> float | None:
    """The loss at an epoch, or at the nearest one after it that has a loss: initial weights have none."""
    epochs, values = losses
    if not epochs.size:
        return None
    return float(values[min(np.searchsorted(epochs, epoch), len(values) - 1)])


def last_metrics(scalars: "pandas.DataFrame") -> dict[str, float]:
    """The last value of each scalar that is recorded beside what every training has."""
    if not len(scalars):
        return {}
    return {str(name): float(value) for name, value in scalars.iloc[-1].items() if name not in _OF_EVERY_TRAINING}


def frequency_errors(summary: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """|learned - wanted| / wanted and the wanted frequency of each input that has a learned one in the end."""
    if "wanted_frequency" not in summary.coords:
        return np.empty(0), np.empty(0)
    wanted = summary.coords["wanted_frequency"].values.astype(float)
    learned = ending(summary).frequency
    compared = np.isfinite(learned) & (wanted != 0)
    return np.abs(learned - wanted)[compared] / np.abs(wanted)[compared], wanted[compared]
