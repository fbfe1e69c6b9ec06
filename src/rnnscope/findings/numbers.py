"""Numbers over the epochs, as a table: exponents, and whatever a probe measures that nothing else is said of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.reading import by_step, flags, with_unit
from rnnscope.findings.tables import Table

if TYPE_CHECKING:
    import xarray

_MOST_ROWS, _MOST_COLUMNS = 10, 6


def exponents(lyapunov: "xarray.Dataset") -> Table:
    """Of a result of ``Lyapunov``, λ1, λ2 and the Kaplan-Yorke dimension over inputs and starts, how many converged."""
    data = by_step(lyapunov)
    values = {name: data[name].transpose("step", ...).values for name in ("status", "kaplan_yorke")}
    converged = values["status"] == flags(data["status"])["converged"]
    leading = data["lyapunov_exponent"].transpose("step", "exponent", ...).values
    columns = {"λ1 (nat/step)": [], "λ2": [""] * len(leading), "Kaplan–Yorke dimension": [], "converged": []}
    for at, name in enumerate(list(columns)[: min(2, leading.shape[1])]):
        columns[name] = [_range(row[at]) for row in leading]
    columns["Kaplan–Yorke dimension"] = [_range(row, "{:.2f}") for row in values["kaplan_yorke"]]
    columns["converged"] = [f"{row.sum()} of {row.size}" for row in converged]
    return _over_epochs(data, columns)


def ranges(found: "xarray.Dataset") -> Table:
    """Of any result, its numbers at each input and start, from the least to the largest of them."""
    data = by_step(found)
    columns = {}
    for name, variable in data.data_vars.items():
        a_number = variable.dtype.kind in "fiu" and "flag_meanings" not in variable.attrs
        if a_number and "step" in variable.dims and {*variable.dims} <= {"step", "input", "start"}:
            words = with_unit(str(variable.attrs.get("long_name", name)), str(variable.attrs.get("units", "")))
            columns[words] = [_range(row, "{:.4g}") for row in variable.transpose("step", ...).values]
    return _over_epochs(data, dict(list(columns.items())[:_MOST_COLUMNS]))


def _over_epochs(data: "xarray.Dataset", columns: Mapping[str, list[str]]) -> Table:
    """Columns with a cell for each step, at some of the epochs: the first, the last, and others as far apart."""
    n = data.sizes["step"]
    shown = np.unique(np.linspace(0, n - 1, min(_MOST_ROWS, n)).round().astype(int)).tolist()
    epochs = data["epoch"].values
    rows = tuple((str(int(epochs[at])), *(cells[at] for cells in columns.values())) for at in shown)
    return Table(("epoch", *columns), rows)


def _range(values: np.ndarray, form: str = "{:.4f}") -> str:
    """From the least to the largest of what is known."""
    known = values[values == values]
    if not known.size:
        return "not known"
    low, high = (form.format(value + 0.0).replace("-", "−") for value in (known.min(), known.max()))
    return low if low == high else f"{low} … {high}"
