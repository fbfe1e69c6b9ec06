"""What is asked of every result: whether there is one, at which epochs, inputs and output, and the words for them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import RunError, require
from rnnscope.base.flags import codes_of

if TYPE_CHECKING:
    import pandas
    import xarray

    from rnnscope.runs import Run


_PLAIN = ("held input", "constant input")


def stored(run: "Run", probe: str, **settings: Any) -> "xarray.Dataset | None":
    """Results of a probe that a run holds; None if there are none, or, after a warning, if no file can be read."""
    if not run.has(probe, **settings):
        return None
    try:
        return run.dataset(probe, **settings)
    except RunError:
        return None


def by_step(data: "xarray.Dataset") -> "xarray.Dataset":
    """The Dataset with a ``step`` dimension and an ``epoch`` for each step, in the order of the epochs.

    What a probe found for a single network has neither; it becomes one step, of epoch 0 unless it says
    otherwise. Epochs at which the weights are not finite are left out, and noted in an attribute of ``epoch``, unless
    there are no others.
    """
    if "step" not in data.dims:
        single = {name: data.coords[name].item() for name in ("epoch", "loss") if name in data.coords}
        data = data.drop_vars(single).expand_dims("step")
        data = data.assign_coords({name: ("step", [value]) for name, value in single.items()})
    if "epoch" not in data.coords:
        steps = data["step"].values if "step" in data.coords else np.arange(data.sizes["step"])
        data = data.assign_coords(epoch=("step", steps))
    epochs = data["epoch"].values
    if np.any(np.diff(epochs) < 0):
        data = data.isel(step=np.argsort(epochs, kind="stable"))
    return _of_finite_weights(data)


def _of_finite_weights(data: "xarray.Dataset") -> "xarray.Dataset":
    if "weights_finite" not in data.coords or bool(data["weights_finite"].all()):
        return data
    finite = data["weights_finite"].values
    lost = data["epoch"].values[~finite].tolist()
    data = data.isel(step=finite) if finite.any() else data.drop_vars("weights_finite")
    epoch = data["epoch"]
    return data.assign_coords(epoch=(epoch.dims, epoch.values, {**epoch.attrs, "not_finite": lost}))


def not_finite(data: "xarray.Dataset") -> list[int]:
    """The epochs that were looked at, but whose weights are not finite, of what ``by_step`` gives."""
    return [int(epoch) for epoch in np.atleast_1d(data["epoch"].attrs.get("not_finite", []))]


def looked_at(data: "xarray.Dataset") -> tuple[int, int]:
    """At how many epochs it was measured, and how many the run has: as many, where nobody says."""
    n = len({*data["epoch"].values.tolist(), *not_finite(data)})
    return n, max(int(data["epoch"].attrs.get("epochs_in_run", n)), n)


def epoch_label(data: "xarray.Dataset", n_drawn: int | None = None) -> str:
    """The label of an axis of epochs: it says how many of them were looked at, and drawn, where it is not all."""
    n_looked_at, n_in_run = looked_at(data)
    n_lost = len(not_finite(data))
    parts = [f"{n_drawn} drawn"] if n_drawn is not None and n_drawn < n_looked_at - n_lost else []
    if n_looked_at < n_in_run:
        parts.append(f"{n_looked_at} of {n_in_run} looked at")
    elif parts:
        parts = [f"{n_drawn} of {n_looked_at} drawn"]
    if n_lost:
        parts.append(f"weights not finite at {n_lost}")
    return f"epoch ({', '.join(parts)})" if parts else "epoch"


def column(data: "xarray.Dataset", name: str) -> np.ndarray:
    """A coordinate along ``input``, one number each; the position of an input of several channels."""
    values = data[name].values if name in data.coords else np.empty((0, 2))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return values if values.ndim == 1 else np.arange(data.sizes["input"], dtype=float)


def are_scalar(data: "xarray.Dataset") -> bool:
    """Whether inputs are single numbers that are known."""
    return "input_value" in data.coords and data["input_value"].shape[1:] in ((), (1,))


def choose_inputs(data: "xarray.Dataset", inputs: int | Sequence[int] | None, *, everything: bool) -> list[int]:
    """Positions along ``input`` of the chosen input indices; by default all, or lowest, middle and highest.

    Raises:
        ValueError: an index that the Dataset does not have.

    """
    order = [int(position) for position in np.argsort(column(data, "input_value"), kind="stable")]
    if inputs is None:
        if everything:
            return order
        return [order[at] for at in sorted({0, len(order) // 2, len(order) - 1})]
    known = [int(index) for index in data["input"].values] if "input" in data.coords else list(range(len(order)))
    chosen = [inputs] if isinstance(inputs, int | np.integer) else list(inputs)
    listed = ", ".join(map(str, known))
    require(chosen and all(index in known for index in chosen), "inputs", f"indices among {listed}", inputs)
    return [known.index(index) for index in chosen]


def same_input(data: "xarray.Dataset", like: "xarray.Dataset", position: int) -> int | None:
    """Where ``data`` has the input that ``like`` has at a position; None where it was measured at others."""
    if "input_value" not in data.coords or "input_value" not in like.coords:
        return position if position < data.sizes["input"] else None
    wanted = np.atleast_1d(like["input_value"].values[position])
    known = data["input_value"].values.reshape(data.sizes["input"], -1)
    if known.shape[1] != wanted.size:
        return None
    same = np.flatnonzero(np.isclose(known, wanted).all(1))
    return int(same[0]) if same.size else None


def choose_output(orbits: "xarray.Dataset", output: int | str) -> int:
    """Position along ``output`` of an index or a label.

    Raises:
        ValueError: no such output.

    """
    size = orbits.sizes["output"]
    labels = [str(label) for label in orbits["output"].values] if "output" in orbits.coords else []
    if isinstance(output, str):
        require(output in labels, "output", f"one of {', '.join(labels) or 'the indices'}", output)
        return labels.index(output)
    require(0 <= output < size, "output", f"an index from 0 to {size - 1}", output)
    return int(output)


def with_unit(name: str, units: str) -> str:
    """The name with its unit, where it has one."""
    return f"{name} ({units})" if units not in ("", "1") else name


def value_label(orbits: "xarray.Dataset", output: int) -> str:
    """The axis label of the chosen output, with its unit."""
    attrs = orbits["orbit"].attrs
    name = str(attrs.get("long_name", "output"))
    if orbits.sizes["output"] > 1:
        name = str(orbits["output"].values[output]) if "output" in orbits.coords else f"{name} {output}"
    return with_unit(name, str(attrs.get("units", "")))


def input_axis_label(data: "xarray.Dataset") -> str:
    """The axis label of the inputs, with their unit; ``input`` with no more to say where they are vectors."""
    values = data.coords.get("input_value")
    if values is None or (values.ndim == 2 and values.shape[1] != 1):
        return "input"
    return with_unit(str(values.attrs.get("long_name", "input")), str(values.attrs.get("units", "")))


def input_words(data: "xarray.Dataset", position: int, *, short: bool = False) -> str:
    """What an input is: ``input frequency ω = 0.196 rad/step``, or when short ``ω = 0.196 rad/step``; its name, where
    inputs have names."""
    if "input_label" in data.coords:
        what = "" if short or "input_value" not in data.coords else data["input_value"].attrs.get("long_name", "")
        return f"{what} {input_name(data, position)}" if what in _PLAIN else input_name(data, position)
    index = int(data["input"].values[position]) if "input" in data.coords else position
    if "input_value" not in data.coords:
        return f"input {index}"
    coordinate = data["input_value"]
    values = np.atleast_1d(coordinate.values[position])
    if values.size > 1:
        return f"input {index}: {_vector(values)}"
    name = str(coordinate.attrs.get("long_name", "input"))
    symbol = name.split()[-1]
    if short and len(symbol) == 1:
        name = symbol
    units = str(coordinate.attrs.get("units", ""))
    return f"{name} = {values[0]:.3g}{'' if units in ('', '1') else ' ' + units}"


def only_input(data: "xarray.Dataset") -> str:
    """The name of the input where a single one is held; nothing where there are several, or the network has none."""
    none = "input_value" in data.coords and data["input_value"].shape[1:] == (0,)
    return input_name(data, 0) if data.sizes.get("input") == 1 and not none else ""


def input_name(data: "xarray.Dataset", position: int, *, value: bool = True) -> str:
    """What an input is called, shortly: its own name, with its value where it has one and the name does not tell it;
    else its value, or its index where that is not known."""
    values = np.atleast_1d(data["input_value"].values[position]) if "input_value" in data.coords else np.empty(0)
    number = f"{values[0] + 0.0:.3g}" if values.size == 1 else ""
    if values.size and not values.any() and data.sizes.get("input") == 1:
        return "zero"
    if "input_label" in data.coords:
        label = str(data["input_label"].values[position])
        told = not value or not number or number in label or label.startswith("zero")
        return label if told else f"{label} ({_signed(number)})"
    if values.size > 1:
        return _signed(_vector(values))
    return _signed(number) or str(int(data["input"].values[position]) if "input" in data.coords else position)


def _vector(values: np.ndarray) -> str:
    """A short vector as it is, of a longer one that is mostly zeros what is not, else how it begins.

    >>> _vector(np.array([0.0, 1.5])), _vector(np.zeros(8)), _vector(np.eye(8)[5])
    ('(0, 1.5)', 'zero', 'channel 5: 1')
    """
    there = np.flatnonzero(values)
    if values.size > 4 and there.size <= 2:
        return ", ".join(f"channel {at}: {values[at]:.3g}" for at in there) or "zero"
    return "(" + ", ".join(f"{value:.3g}" for value in values[:4]) + (", …)" if values.size > 4 else ")")


def _signed(number: str) -> str:
    return number.replace("-", "−")


def loss_curve(
    scalars: "pandas.DataFrame | None", data: "xarray.Dataset | None" = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Epochs and losses, from the scalars if there are any, else the Dataset; None where nobody knows."""
    if scalars is not None and "loss" in scalars and len(scalars):
        epochs, losses = scalars.index.to_numpy(), scalars["loss"].to_numpy(dtype=float)
    elif data is not None and "loss" in data.coords:
        epochs, losses = data["epoch"].values, data["loss"].values.astype(float)
    else:
        return None
    return (epochs, losses) if np.isfinite(losses).any() else None


def log_scale(losses: Iterable[np.ndarray]) -> bool:
    """Whether every finite loss is positive, so that a logarithmic axis shows all of them."""
    return all((values[np.isfinite(values)] > 0).all() for values in losses)


def flags(variable: "xarray.DataArray") -> dict[str, int]:
    """The meaning of each flag value of a status."""
    return codes_of(variable.attrs)
