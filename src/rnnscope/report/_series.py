"""What a story is told from: kinds, epochs and losses as arrays, in the order of the epochs."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas
    import xarray

KINDS = ("rests", "oscillates", "diverges", "undetermined")
WINDOW = 20


def kinds_of(summary: "xarray.Dataset") -> np.ndarray:
    """Positions in ``KINDS`` (step, input), in the order of the epochs."""
    found = summary["input_kind"]
    values = found.values[None] if "step" not in found.dims else found.transpose("step", "input").values
    meanings = str(found.attrs["flag_meanings"]).split()
    codes = np.full(values.shape, KINDS.index("undetermined"))
    for meaning, value in zip(meanings, np.atleast_1d(found.attrs["flag_values"]), strict=True):
        codes[values == value] = KINDS.index(meaning)
    return codes[np.argsort(epochs_of(summary), kind="stable")]


def epochs_of(summary: "xarray.Dataset") -> np.ndarray:
    n_steps = summary.sizes.get("step", 1)
    known = summary.coords["epoch"].values if "epoch" in summary.coords else np.arange(n_steps)
    return np.atleast_1d(known)


def counts_of(summary: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """Recorded epochs, ascending, and the number of inputs of each kind (step, kind)."""
    kinds = kinds_of(summary)
    return np.sort(epochs_of(summary)), np.stack([(kinds == code).sum(1) for code in range(len(KINDS))], axis=1)


def losses_of(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None") -> tuple[np.ndarray, np.ndarray]:
    """Epochs and losses, ascending; empty where the loss is not known."""
    if scalars is not None and "loss" in scalars and len(scalars):
        epochs, losses = scalars.index.to_numpy(), scalars["loss"].to_numpy(dtype=float)
    elif "loss" in summary.coords:
        epochs, losses = epochs_of(summary), np.atleast_1d(summary.coords["loss"].values).astype(float)
        known = ~np.isnan(losses)
        epochs, losses = epochs[known], losses[known]
    else:
        return np.empty(0, int), np.empty(0)
    order = np.argsort(epochs, kind="stable")
    return epochs[order], losses[order]


def loss_at(losses: tuple[np.ndarray, np.ndarray], epoch: int) -> float | None:
    """The loss at an epoch, or at the nearest one after it that has a loss: initial weights have none."""
    epochs, values = losses
    if not epochs.size:
        return None
    return float(values[min(np.searchsorted(epochs, epoch), len(values) - 1)])


def frequency_errors(summary: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """|learned - wanted| / wanted and the wanted frequency of each input that oscillates at the end."""
    if "wanted_frequency" not in summary.coords:
        return np.empty(0), np.empty(0)
    found = summary["frequency"]
    found = found if "step" in found.dims else found.expand_dims("step")
    order = np.argsort(epochs_of(summary), kind="stable")[-WINDOW:]
    learned = found.transpose("input", "step", "start").values[:, order]
    wanted = summary.coords["wanted_frequency"].values.astype(float)
    at_end = kinds_of(summary)[-WINDOW:]
    often = (at_end == KINDS.index("oscillates")).mean(0) >= 0.5
    errors, compared = [], []
    for values, target, oscillates in zip(learned, wanted, often, strict=True):
        finite = values[np.isfinite(values)]
        if oscillates and finite.size and target:
            errors.append(abs(float(np.median(finite)) - target) / abs(target))
            compared.append(target)
    return np.array(errors), np.array(compared)
