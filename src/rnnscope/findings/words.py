"""Words that are said of any result: numbers, inputs, epochs, and how much of a run was looked at."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rnnscope.findings.reading import by_step, input_name, looked_at, not_finite, only_input

if TYPE_CHECKING:
    import xarray

_NAMED = 8


def number(value: float) -> str:
    """A loss or a frequency, short.

    >>> number(0.48213), number(3.2e-7), number(float("nan"))
    ('0.482', '3.2e-07', 'not finite')
    """
    return f"{value:.3g}" if math.isfinite(value) else "not finite"


def signed(value: float) -> str:
    """An exponent, with a minus sign that is as wide as a plus.

    >>> signed(-0.25), signed(-1e-9)
    ('−0.2500', '0.0000')
    """
    return f"{value:.4f}".replace("-", "−") if abs(value) >= 5e-5 else "0.0000"


def count_inputs(count: int, total: int) -> str:
    """How many of the inputs.

    >>> count_inputs(4, 10), count_inputs(10, 10), count_inputs(1, 1)
    ('4 of 10 inputs', 'all 10 inputs', 'the one input')
    """
    if total == 1:
        return "the one input" if count else "no input"
    if count == total:
        return "both inputs" if total == 2 else f"all {total} inputs"
    return f"{count} of {total} inputs" if count else f"none of the {total} inputs"


def listed(parts: Sequence[str]) -> str:
    """Some things in a row.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def epoch_range(first: int, last: int) -> str:
    """A stretch of epochs.

    >>> epoch_range(3, 3), epoch_range(3, 5)
    ('3', '3 – 5')
    """
    return f"{first} – {last}" if first != last else str(first)


def epochs_words(epochs: Sequence[int]) -> str:
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
    shown = [epoch_range(row[0], row[-1]) for row in rows]
    more = f" and {len(shown) - 4} more stretches" if len(shown) > 5 else ""
    return f"epoch{'s' * (len(epochs) > 1)} {', '.join(shown[:4] if more else shown)}{more}"


def metrics_words(metrics: Mapping[str, float]) -> str:
    """Metrics as they are said.

    >>> metrics_words({"accuracy": 0.8125, "validation_loss": 0.02})
    'accuracy 0.812, validation loss 0.02'
    """
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in metrics.items())


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
