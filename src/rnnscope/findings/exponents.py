"""The leading exponents over the epochs, told from a result of ``Lyapunov``."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.reading import by_step, flags
from rnnscope.findings.tables import Table

if TYPE_CHECKING:
    import xarray

_MOST_ROWS = 10


def table(lyapunov: "xarray.Dataset") -> Table:
    """At ten epochs at most: λ1 and λ2 over inputs and starts, the Kaplan-Yorke dimension, how many converged."""
    data = by_step(lyapunov)
    converged = data["status"].values == flags(data["status"])["converged"]
    n_rows = min(_MOST_ROWS, data.sizes["step"])
    shown = np.unique(np.linspace(0, data.sizes["step"] - 1, n_rows).round().astype(int))
    rows = []
    for step in shown.tolist():
        at = data.isel(step=step)
        exponents = [at["lyapunov_exponent"].isel(exponent=k).values for k in range(min(2, data.sizes["exponent"]))]
        rows.append(
            (
                str(int(at["epoch"])),
                *[_range(values) for values in exponents],
                *[""] * (2 - len(exponents)),
                _range(at["kaplan_yorke"].values, "{:.2f}"),
                f"{converged[step].sum()} of {converged[step].size}",
            )
        )
    return Table(("epoch", "λ1 (nat/step)", "λ2", "Kaplan–Yorke dimension", "converged"), tuple(rows))


def _range(values: np.ndarray, form: str = "{:.4f}") -> str:
    """From the least to the largest of what is known."""
    known = values[values == values]
    if not known.size:
        return "not known"
    low, high = (form.format(value + 0.0).replace("-", "−") for value in (known.min(), known.max()))
    return low if low == high else f"{low} … {high}"
