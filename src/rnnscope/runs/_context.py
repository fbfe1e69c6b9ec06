from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

_EPOCH = {"long_name": "epoch", "units": "1"}


def with_epochs(dataset: xr.Dataset, epochs: Mapping[int, int], losses: pd.Series | None) -> xr.Dataset:
    """A result with the coordinates ``epoch`` and, where losses (by step) are known, ``loss``.

    One on the whole path of training gets the epochs of its snapshots and of the points between them too.
    """
    own = dataset["step"].values.tolist()
    dataset = dataset.assign_coords(epoch=("step", np.array([epochs.get(step, -1) for step in own]), _EPOCH))
    dataset["step"].attrs.update(long_name="optimiser step", units="1")
    if losses is not None:
        values = losses.reindex(own).to_numpy(float)
        dataset = dataset.assign_coords(loss=("step", values, {"long_name": "training loss", "units": "1"}))
    if "snapshot_step" not in dataset:
        return dataset
    steps = sorted(epochs)
    snapshots, path = dataset["snapshot_step"], dataset["path_step"]
    found = np.reshape([epochs.get(step, -1) for step in snapshots.values.ravel().tolist()], snapshots.shape)
    between = np.interp(path.values, steps, [epochs[step] for step in steps])
    return dataset.assign(snapshot_epoch=(snapshots.dims, found, _EPOCH), path_epoch=(path.dims, between, _EPOCH))


def with_task(dataset: xr.Dataset, task: Any) -> xr.Dataset:
    """A result at the constant inputs of a task, with what the task says of them."""
    constant = task.constant_inputs()
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
