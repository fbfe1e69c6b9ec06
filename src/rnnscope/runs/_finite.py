"""At which epochs the weights are numbers: elsewhere a result says nothing of a network, whatever it is called."""

from pathlib import Path

import numpy as np
import torch
import xarray as xr

from rnnscope.base.errors import DamagedFileError
from rnnscope.base.flags import codes_of
from rnnscope.runs.folder import snapshot_path
from rnnscope.runs.tensors import load_tensors

_GONE = ("diverged", "divergence")


def with_finite_weights(run: Path, dataset: xr.Dataset) -> xr.Dataset:
    """A result with the coordinate ``weights_finite`` (step), where the weights of some of its steps are not.

    Only snapshots at which nothing but divergence, or nothing at all, was found are opened.
    """
    suspected = dataset["step"].values[_nothing_found(dataset)].tolist()
    lost = [step for step in suspected if not _are_finite(run, step)]
    if not lost:
        return dataset
    attrs = {"long_name": "whether all weights are finite numbers"}
    return dataset.assign_coords(weights_finite=("step", ~np.isin(dataset["step"].values, lost), attrs))


def _nothing_found(dataset: xr.Dataset) -> np.ndarray:
    name = next((name for name in ("kind", "status") if name in dataset and "step" in dataset[name].dims), None)
    if name is None:
        return np.zeros(dataset.sizes["step"], dtype=bool)
    variable = dataset[name]
    gone = [code for word, code in codes_of(variable.attrs).items() if word in _GONE]
    values = variable.transpose("step", ...).values.reshape(dataset.sizes["step"], -1)
    return np.asarray(((values < 0) | np.isin(values, gone)).all(1))


def _are_finite(run: Path, step: int) -> bool:
    try:
        tensors = load_tensors(snapshot_path(run, step))[0]
    except (DamagedFileError, FileNotFoundError):
        return True
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values() if tensor.is_floating_point())
