"""Settings of a frozen dataclass, checked and put in order: whole and positive numbers, choices, tables."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

import numpy as np
from torch import Tensor

from rnnscope.base.errors import require

Rows = Sequence[Sequence[float]] | np.ndarray | Tensor
"""What may be given as a table of numbers."""

Table = tuple[tuple[float, ...], ...]
"""What is kept of it."""


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def is_whole(value: object, least: int) -> TypeGuard[int]:
    """Whether a value is a whole number of at least ``least``; True and False are none."""
    return type(value) is int and value >= least


def require_whole(name: str, value: object, least: int = 1) -> None:
    """Raise a ValueError unless a value is a whole number of at least ``least``.

    >>> require_whole("n_keep", 0)
    Traceback (most recent call last):
    ValueError: n_keep: expected a positive whole number, came 0
    """
    expected = "a positive whole number" if least == 1 else f"a whole number of at least {least}"
    require(is_whole(value, least), name, expected, value)


def whole(settings: object, **least: int) -> None:
    """Raise a ValueError unless each setting is a whole number of at least so much.

    >>> from types import SimpleNamespace
    >>> whole(SimpleNamespace(seed=-1), seed=0)
    Traceback (most recent call last):
    ValueError: seed: expected a whole number of at least 0, came -1
    """
    for name, smallest in least.items():
        require_whole(name, getattr(settings, name), smallest)


def positive(settings: object, *names: str) -> None:
    """Turn each setting into a float; raise a ValueError unless it is a positive number."""
    for name in names:
        value = getattr(settings, name)
        require(is_number(value) and value > 0, name, "a positive number", value)
        object.__setattr__(settings, name, float(value))


def at_least(settings: object, **least: float) -> None:
    """Turn each setting into a float; raise a ValueError unless it is a number of at least so much."""
    for name, smallest in least.items():
        value = getattr(settings, name)
        require(is_number(value) and value >= smallest, name, f"a number of at least {smallest:g}", value)
        object.__setattr__(settings, name, float(value))


def fraction(settings: object, *names: str) -> None:
    """Raise a ValueError unless each setting is a number between 0 and 1, neither of them."""
    for name in names:
        value = getattr(settings, name)
        require(is_number(value) and 0 < value < 1, name, "a number between 0 and 1", value)


def truth(settings: object, *names: str) -> None:
    """Raise a ValueError unless each setting is true or false."""
    for name in names:
        require(type(getattr(settings, name)) is bool, name, "true or false", getattr(settings, name))


def one_of(settings: object, name: str, choices: Iterable[str]) -> None:
    """Raise a ValueError unless the setting is one of the words."""
    value = getattr(settings, name)
    require(value in choices, name, f"one of {', '.join(choices)}", value)


def floating_point(settings: object, name: str = "dtype") -> None:
    """Raise a ValueError unless the setting names a floating-point type, or is None."""
    value = getattr(settings, name)
    require(value in (None, "float32", "float64"), name, "'float32', 'float64' or None", value)


def table(values: Any, name: str, shape: str) -> Table:
    """Rows of plain numbers from anything array-like; ValueError unless it is two-dimensional and finite."""
    try:
        array = np.array(values.tolist() if hasattr(values, "tolist") else values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected numbers of shape {shape}, came {values!r}") from None
    require(array.ndim == 2 and array.size > 0, name, f"numbers of shape {shape}, such as [[0.0], [1.0]]", values)
    require(np.isfinite(array).all(), name, "finite numbers", values)
    return tuple(tuple(row) for row in array.tolist())


def checked_lengths(values: Any) -> tuple[int, ...] | None:
    """Positive whole numbers, ascending, each once; None stays."""
    if values is None:
        return None
    given = np.asarray(values)
    fit = given.ndim == 1 and given.size > 0 and given.dtype.kind in "iu" and (given > 0).all()
    require(fit, "lengths", "positive whole numbers, such as [100, 200]", values)
    return tuple(sorted({int(n) for n in given.tolist()}))
