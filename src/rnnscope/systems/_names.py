"""What a snapshot calls the parameters of a network that was handed over under other names."""

from collections.abc import Mapping
from typing import Any

from rnnscope.base.errors import UnsupportedModelError

Shapes = Mapping[str, tuple[int, ...]]


def find_names(wanted: Shapes, there: Shapes, *, parts: bool) -> dict[str, str]:
    """For each wanted name that in a snapshot: its own, or one behind other prefixes.

    A wrapper puts one prefix before all names (``net.``, ``module.``, ``_orig_mod.``), here or there. Of a network put
    together of ``parts`` (core, encoder, head, initial), each part has its own.

    Raises:
        UnsupportedModelError: they are not there, or in several places.

    """
    if all(name in there for name in wanted):
        return {name: name for name in wanted}
    found = _behind_one_prefix(wanted, there)
    if not found and parts:
        return _behind_prefixes_of_parts(wanted, there)
    if len(found) == 1:
        return found[0]
    several = f"in {len(found)} places" if found else "not there"
    raise UnsupportedModelError(
        f"the snapshot has other names than the model that was given: {shown(wanted)} are {several} among "
        f"{shown(there)}, not behind one prefix either; give the model that was recorded, or a step module that holds "
        "it as an attribute"
    )


def _behind_one_prefix(wanted: Shapes, there: Shapes) -> list[dict[str, str]]:
    found = []
    for own in _leading(wanted):
        if not all(name.startswith(own) for name in wanted):
            continue
        first = next(iter(wanted)).removeprefix(own)
        for prefix in dict.fromkeys(name.removesuffix(first) for name in there if name.endswith(first)):
            names = {name: prefix + name.removeprefix(own) for name in wanted}
            if (prefix == "" or prefix.endswith(".")) and _fit(names, wanted, there):
                found.append(names)
        if found:
            return found
    return found


def _leading(names: Shapes) -> list[str]:
    """No prefix, and the leading parts of the first name."""
    pieces = next(iter(names)).split(".")[:-1]
    return ["".join(f"{piece}." for piece in pieces[:k]) for k in range(len(pieces) + 1)]


def _behind_prefixes_of_parts(wanted: Shapes, there: Shapes) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in dict.fromkeys(name.split(".")[0] for name in wanted):
        own = {name: shape for name, shape in wanted.items() if name.split(".")[0] == part}
        left = {name: shape for name, shape in there.items() if name not in found.values()}
        if list(own) == [part]:  # one tensor by itself, such as an initial state: known by its shape alone
            same = [{part: name} for name, shape in left.items() if shape == own[part]]
        else:
            same = _behind_one_prefix(own, left)
        if len(same) != 1:
            several = f"in {len(same)} places" if same else "not there"
            raise UnsupportedModelError(
                f"{part}: its parameters {shown(own)} are {several} among those of the snapshot, {shown(left)}; give "
                "the whole model that was recorded: Run(path, model=model)"
            )
        found |= same[0]
    return found


def _fit(names: Mapping[str, str], wanted: Shapes, there: Shapes) -> bool:
    return all(there.get(other) == tuple(wanted[name]) for name, other in names.items())


def shapes_of(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def shown(shapes: Shapes, most: int = 4) -> str:
    """A few of the names with their shapes, and how many more."""
    names = [f"{name} {tuple(shape)}" for name, shape in list(shapes.items())[:most]]
    more = f" and {len(shapes) - most} more" if len(shapes) > most else ""
    return ", ".join(names) + more
