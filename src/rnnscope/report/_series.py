"""What a story is told from: kinds, epochs and losses as arrays, in the order of the epochs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.endings import ending
from rnnscope.findings.kinds import KINDS, kind_codes
from rnnscope.findings.reading import by_step, input_name, looked_at, not_finite, only_input

if TYPE_CHECKING:
    import pandas
    import xarray

_NAMED = 8
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


def last_metrics(scalars: "pandas.DataFrame") -> dict[str, float]:
    """The last value of each scalar that is recorded beside what every training has."""
    if not len(scalars):
        return {}
    return {str(name): float(value) for name, value in scalars.iloc[-1].items() if name not in _OF_EVERY_TRAINING}


def coverage_words(data: "xarray.Dataset") -> str:
    """How much of what might have been looked at was: of the epochs, where not all; which inputs, where there is one
    only or they have names."""
    parts = []
    data = by_step(data)
    n_looked_at, n_in_run = looked_at(data)
    if n_looked_at < n_in_run:
        parts.append(f"{n_looked_at} of {n_in_run} epochs looked at; what happens at the others is not known")
    if lost := not_finite(data):
        parts.append(f"at {epochs_words(lost)} the weights are not finite")
    n_inputs = data.sizes["input"]
    if only := only_input(data):
        parts.append(f"at one input only: {only}")
    elif n_inputs > 1 and "input_label" in data.coords:
        names = [input_name(data, at) for at in range(n_inputs)]
        more = f", … ({n_inputs} in all)" if n_inputs > _NAMED else ""
        parts.append(f"inputs held: {', '.join(names[:_NAMED])}{more}")
    return "; ".join(parts)


def epochs_words(epochs: list[int]) -> str:
    """Some epochs, those in a row as a range.

    >>> epochs_words([3]), epochs_words([3, 4, 5, 9])
    ('epoch 3', 'epochs 3 – 5, 9')
    """
    rows: list[list[int]] = []
    for epoch in sorted(epochs):
        if rows and epoch == rows[-1][-1] + 1:
            rows[-1].append(epoch)
        else:
            rows.append([epoch])
    shown = [f"{row[0]} – {row[-1]}" if len(row) > 1 else str(row[0]) for row in rows]
    more = f" and {len(shown) - 4} more stretches" if len(shown) > 5 else ""
    return f"epoch{'s' * (len(epochs) > 1)} {', '.join(shown[:4] if more else shown)}{more}"


def metrics_words(metrics: Mapping[str, float]) -> str:
    """Metrics as they are said.

    >>> metrics_words({"accuracy": 0.8125, "validation_loss": 0.02})
    'accuracy 0.812, validation loss 0.02'
    """
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in metrics.items())


def loss_at(losses: tuple[np.ndarray, np.ndarray], epoch: int) -> float | None:
    """The loss at an epoch, or at the nearest one after it that has a loss: initial weights have none."""
    epochs, values = losses
    if not epochs.size:
        return None
    return float(values[min(np.searchsorted(epochs, epoch), len(values) - 1)])


def frequency_errors(summary: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """|learned - wanted| / wanted and the wanted frequency of each input that has a learned one in the end."""
    if "wanted_frequency" not in summary.coords:
        return np.empty(0), np.empty(0)
    wanted = summary.coords["wanted_frequency"].values.astype(float)
    learned = ending(summary).frequency
    compared = np.isfinite(learned) & (wanted != 0)
    return np.abs(learned - wanted)[compared] / np.abs(wanted)[compared], wanted[compared]
