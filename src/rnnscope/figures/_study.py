"""What the figures of a study have in common: its Dataset checked, its models in a fixed order, quarters and words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require, unknown
from rnnscope.figures.sheet import Shape

if TYPE_CHECKING:
    import xarray

RUN = {"model": ("run",), "seed": ("run",)}
SHAPES: tuple[Shape, ...] = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
QUARTERS = (0.25, 0.5, 0.75)


def checked(data: "xarray.Dataset", argument: str, shapes: Mapping[str, tuple[str, ...]]) -> "xarray.Dataset":
    """The Dataset with its dimensions in the order in which ``shapes`` names them.

    Raises:
        ValueError: no Dataset, a variable or coordinate of ``shapes`` that it lacks or that has other dimensions, or a
            dimension of size 0.

    """
    import xarray

    require(isinstance(data, xarray.Dataset), argument, "an xarray.Dataset", type(data).__name__)
    for name, dims in shapes.items():
        described = f"{name} ({', '.join(dims)})" if dims else f"{name} (a scalar)"
        require(name in data.variables, argument, f"a Dataset that has {described}", _names(data))
        require(
            set(data[name].dims) == set(dims), argument, described, f"{name} ({', '.join(map(str, data[name].dims))})"
        )
    order = list(dict.fromkeys(dim for dims in shapes.values() for dim in dims))
    for dim in order:
        require(data.sizes[dim], argument, f"at least one {dim}", data.sizes[dim])
    return data.transpose(*order, ..., missing_dims="ignore")


def _names(data: "xarray.Dataset") -> str:
    return ", ".join(sorted(map(str, data.variables))) or "an empty one"


def models_of(data: "xarray.Dataset") -> list[str]:
    """The models by name, in the order in which the runs name them: the order of panels, bars and colours."""
    return list(dict.fromkeys(str(model) for model in data["model"].values))


def is_of(data: "xarray.Dataset", model: str) -> np.ndarray:
    """Which runs (run) are of a model."""
    return np.array([str(each) == model for each in data["model"].values])


def chosen(data: "xarray.Dataset", argument: str, flag: str, inputs: str, words: tuple[str, str]) -> np.ndarray:
    """Which inputs (input) are meant by ``words[0]`` (those of the flag), ``words[1]`` (the others) or ``"all"``.

    Raises:
        ValueError: another word, or no such input.

    """
    if inputs not in (*words, "all"):
        raise unknown("inputs", inputs, (*words, "all"))
    flags = data[flag].values.astype(bool)
    found = flags | ~flags if inputs == "all" else flags == (inputs == words[0])
    described = f"at least one input with {flag} {'true' if inputs == words[0] else 'false'} for inputs={inputs!r}"
    require(found.any(), argument, described, f"{flag} {'true' if flags.all() else 'false'} at all {flags.size}")
    return found


def quarters(values: np.ndarray) -> np.ndarray:
    """Quarter, median and third quarter (3, …) of the finite values along the first axis, NaN where there is none.

    >>> quarters(np.array([[1.0, np.nan], [3.0, np.inf], [2.0, np.nan]])).tolist()
    [[1.5, nan], [2.0, nan], [2.5, nan]]
    """
    finite = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(values).any(0)
    found = np.full((len(QUARTERS), *known.shape), np.nan)
    found[:, known] = np.nanquantile(finite[:, known], QUARTERS, axis=0)
    return found


def plural(n: int, word: str) -> str:
    """A number with its noun.

    >>> plural(1, "pair"), plural(7, "pair")
    ('1 pair', '7 pairs')
    """
    return f"{n} {word}{'' if n == 1 else 's'}"
