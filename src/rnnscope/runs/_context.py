"""What a run adds to a result: epochs, losses, and what its task calls the inputs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rnnscope import tasks
from rnnscope.tasks import ConstantInputs

_EPOCH = {"long_name": "epoch", "units": "1"}


def with_epochs(dataset: xr.Dataset, snapshots: Mapping[int, int], scalars: pd.DataFrame) -> xr.Dataset:
    """A result with the coordinates ``epoch`` and, where losses are known, ``loss``.

    ``snapshots`` has the epoch of each step of which there are weights. The attribute ``epochs_in_run`` of ``epoch`` is
    how many epochs the run has, looked at or not. One on the whole path of training gets the epochs of its snapshots
    and of the points between them too.
    """
    own = dataset["step"].values.tolist()
    epochs = {**dict(zip(scalars["step"].tolist(), scalars.index.tolist(), strict=True)), **snapshots}
    attrs = {**_EPOCH, "epochs_in_run": len({*epochs.values()})}
    dataset = dataset.assign_coords(epoch=("step", np.array([epochs.get(step, -1) for step in own]), attrs))
    dataset["step"].attrs.update(long_name="optimiser step", units="1")
    if "loss" in scalars:
        values = pd.Series(scalars["loss"].to_numpy(), index=scalars["step"].to_numpy()).reindex(own).to_numpy(float)
        dataset = dataset.assign_coords(loss=("step", values, {"long_name": "training loss", "units": "1"}))
    if "earlier_step" in dataset.coords:
        found = [epochs.get(step, -1) for step in dataset["earlier_step"].values.tolist()]
        attrs = {**_EPOCH, "long_name": "earlier epoch of the pair"}
        dataset = dataset.assign_coords(earlier_epoch=("step", np.array(found, dtype=np.int64), attrs))
    if "snapshot_step" not in dataset:
        return dataset
    steps = sorted(epochs)
    kept, path = dataset["snapshot_step"], dataset["path_step"]
    found = np.reshape([epochs.get(step, -1) for step in kept.values.ravel().tolist()], kept.shape)
    between = np.interp(path.values, steps, [epochs[step] for step in steps])
    return dataset.assign(snapshot_epoch=(kept.dims, found, _EPOCH), path_epoch=(path.dims, between, _EPOCH))


def task_of(config: Mapping[str, Any]) -> Any:
    """The task that a run's configuration names; None where it names none of ours.

    Raises:
        ValueError, TypeError: its settings are not those of the task.

    """
    table = config.get("task", {})
    table = dict(table) if isinstance(table, dict) else {}
    name = table.pop("name", None)
    return tasks.build(name, **table) if name in tasks.names() else None


def with_inputs(dataset: xr.Dataset, constant: ConstantInputs) -> xr.Dataset:
    """A result at the inputs that are held by default, with what their task, or their choice, says of them."""
    if "input_value" not in dataset or not np.array_equal(dataset["input_value"].values, constant.values):
        return dataset
    dataset["input_value"].attrs.update(long_name=constant.long_name, units=constant.units)
    if constant.labels is not None:
        attrs = {"long_name": constant.long_name}
        dataset = dataset.assign_coords(input_label=("input", list(constant.labels), attrs))
    if constant.wanted_frequency is None:
        return dataset
    attrs = {"long_name": "wanted frequency", "units": "rad/step"}
    return dataset.assign_coords(wanted_frequency=("input", constant.wanted_frequency, attrs))
