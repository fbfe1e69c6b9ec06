"""The settings of a figure as they are typed: names and types are checked before anything is drawn."""

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from rnnscope.base.errors import unknown

_WORDS = {int: "a whole number", float: "a number", str: "a name", bool: "true or false", NoneType: "none"}


def figure_settings(name: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The given settings of the figure called ``name``, of the types that the figure knows.

    >>> figure_settings("tunnel", {"value_range": [0, 1]}, {"value_range": tuple[float, float] | None})
    {'value_range': (0, 1)}

    Raises:
        ValueError: a setting that the figure does not have, or a value of another type.

    """
    for key, value in given.items():
        if not known:
            raise ValueError(f"--set {key}: figure {name} has no settings")
        if key not in known:
            raise unknown(f"setting of figure {name}", key, known)
        if not _fits(value, known[key]):
            raise ValueError(f"--set {key}: expected {_words(known[key])}, came {value!r}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def _fits(value: Any, kind: Any) -> bool:
    inner = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if get_origin(kind) is Literal:
        return value in inner
    if get_origin(kind) is tuple:
        return isinstance(value, list) and len(value) == len(inner) and all(map(_fits, value, inner))
    if get_origin(kind) is Sequence:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _words(kind: Any) -> str:
    inner = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(_words, inner))
    if get_origin(kind) is Literal:
        return " or ".join(inner)
    if get_origin(kind) is tuple:
        return f"{len(inner)} numbers such as [{', '.join('0123456789'[: len(inner)])}]"
    if get_origin(kind) is Sequence:
        return "names" if inner[0] is str else "whole numbers such as [0, 2]"
    return _WORDS[kind]
