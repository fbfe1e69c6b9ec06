"""The weights of one network in what a checkpoint holds, under the names that the network itself has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from rnnscope.base.errors import RunError
from rnnscope.runs._checkpoint_files import Checkpoint
from rnnscope.runs._checkpoint_names import of_weights
from rnnscope.runs._torch_files import foreign_name, whole_object
from rnnscope.systems import System, unwrapped

_WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "_forward_module.", "model.", "net.")
_INSERTED = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # by torch, anywhere in a name
_NO_NETWORK = re.compile(
    r"optim|sched|scaler|rng|random_state|callback|^loops$|hyper_?param|hparams|^args$|^config$|criterion|loss", re.I
)
_COPIES = {
    "ema",
    "averaged",
    "average",
    "avg",
    "swa",
    "shadow",
    "teacher",
    "target",
    "momentum",
    "best",
    "initial",
    "init",
}
_DEPTH = 5
_FEW = 3


class _MisfitError(ValueError):
    """Tensors do not have the names and shapes that are wanted, or have them in several ``places``."""

    def __init__(self, problem: str, places: Sequence[str] = ()):
        super().__init__(problem)
        self.places = places


@dataclass(frozen=True, eq=False)
class Wanted:
    """The tensors that a network takes: their shapes (None: not known yet) and which of them are one and the same."""

    shapes: Mapping[str, tuple[int, ...] | None]
    same: Mapping[str, Sequence[str]]
    constants: Mapping[str, Tensor]

    @classmethod
    def of(cls, model: nn.Module | System) -> "Wanted":
        """What a network takes; ``constants`` are its buffers that no state dict holds."""
        if isinstance(model, System):
            own = {k: v for k, v in model.params.items() if k not in getattr(model, "constants", ())}
            return cls({name: tuple(tensor.shape) for name, tensor in own.items()}, {}, {})
        inner = unwrapped(model)
        tensors = {k: v for k, v in inner.state_dict(keep_vars=True).items() if isinstance(v, Tensor)}
        not_yet = (nn.UninitializedParameter, nn.UninitializedBuffer)
        shapes = {k: None if isinstance(v, not_yet) else tuple(v.shape) for k, v in tensors.items()}
        owners: dict[int, list[str]] = {}
        for name, tensor in tensors.items():
            owners.setdefault(id(tensor), []).append(name)
        same = {name: names for names in owners.values() if len(names) > 1 for name in names}
        buffers = dict(inner.named_buffers(remove_duplicate=False))
        return cls(shapes, same, {name: b.detach() for name, b in buffers.items() if name not in tensors})


def weights_of(
    tree: Any, checkpoint: Checkpoint, *, key: str | None, wanted: Mapping[str, Wanted] | None
) -> dict[str, Tensor]:
    """The network's weights among what a checkpoint holds.

    Args:
        tree: the content of the file.
        checkpoint: where it came from.
        key: of several networks, the one under this key, with dots where it lies deeper.
        wanted: what the network takes; of one in parts (core, head), what each part takes, by its name. Without it, the
            prefixes that wrappers are known to put before all names are taken away.

    Raises:
        RunError: there is no network, one of several has to be named, or it does not fit.

    """
    place, tensors = _chosen(tree, checkpoint, key, wanted)
    if wanted is None:
        weights = _without_wrappers(tensors)
    else:
        weights = {}
        for part, own in wanted.items():
            try:
                names = _fit(own, tensors)
            except _MisfitError as error:
                where = "".join(f", {word}" for word in (place, part) if word)
                remedy = ""
                if error.places and part:
                    remedy = ". build() has to make the whole network instead of (core, head)"
                elif error.places:
                    remedy = f". Say which: key={error.places[0]!r} (--key {error.places[0]})"
                raise RunError(f"{checkpoint.path}{where}: {error}{remedy}") from None
            before = f"{part}." if part else ""
            weights |= {before + name: tensors[there] for name, there in names.items()}
            weights |= {before + name: tensor for name, tensor in own.constants.items()}
    for name, tensor in weights.items():
        if problem := _unusable(tensor):
            raise RunError(
                f"{checkpoint.path}: {name} is {problem}; expected a dense tensor of plain numbers: save the network "
                "before it is converted, or without that part"
            )
    return weights


def networks(tree: Any) -> dict[str, dict[str, Tensor]]:
    """The state dicts in what a file holds, by their keys with dots between; "" is the whole content.

    States of optimisers and the like are none; nor are a few tensors without the names of weights, where there are
    state dicts that have these.
    """
    found = dict(_search(tree, "", 0, _NO_NETWORK))
    if not found:  # under a key that says something else
        found = {key: own for key, own in _search(tree, "", 0, None) if any(map(of_weights, own))}
    named = {key: tensors for key, tensors in found.items() if any(map(of_weights, tensors))}
    if found:
        return named or found
    if isinstance(tree, dict):  # weights and numbers side by side
        flat = {key: v for key, v in tree.items() if isinstance(v, Tensor) and of_weights(str(key))}
        if any(tensor.dim() for tensor in flat.values()):
            return {"": flat}
    return {}


def _search(
    value: Any, key: str, depth: int, without: re.Pattern[str] | None
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    tensors = _state_dict(value)
    if tensors is not None:
        yield key, tensors
        return
    if depth == _DEPTH or not isinstance(value, dict | list | tuple) or _is_optimizer(value):
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        if isinstance(name, str | int) and (without is None or not without.search(str(name))):
            yield from _search(item, f"{key}.{name}" if key else str(name), depth + 1, without)


def _is_copy(name: str) -> bool:
    """Whether weights of this name are a copy of the network's, such as its average over the training."""
    return any(word in _COPIES for word in re.findall("[a-z]+", name.lower()))


def _state_dict(value: Any) -> dict[str, Tensor] | None:
    """The tensors of a state dict; None for anything else."""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        return None
    tensors = {name: item for name, item in value.items() if isinstance(item, Tensor)}
    further = [name for name in value if name not in tensors]
    whole = all(name.endswith("_extra_state") or "_packed_params" in name for name in further)
    return tensors if whole and any(tensor.dim() for tensor in tensors.values()) else None


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, dict) and "param_groups" in value


def _chosen(
    tree: Any, checkpoint: Checkpoint, key: str | None, wanted: Mapping[str, Wanted] | None
) -> tuple[str, dict[str, Tensor]]:
    """The key of the network that is meant, and its tensors."""
    found = networks(tree)
    if key is not None:
        return key, _under(tree, key, found, checkpoint)
    if not found:
        raise RunError(f"{checkpoint.path}: {_why_none(tree, checkpoint)}")
    if len(found) == 1:
        return next(iter(found.items()))
    originals = [name for name in found if not _is_copy(name.rpartition(".")[2])]
    if len(originals) == 1:
        return originals[0], found[originals[0]]
    fitting = [name for name in found if wanted is not None and _fits(wanted, found[name])]
    example = (fitting or originals or list(found))[0]
    fits = f"; {', '.join(map(repr, fitting))} would fit the model that build() made" if fitting else ""
    raise RunError(
        f"{checkpoint.path}: several networks in it: {', '.join(map(repr, found))}{fits}. Say which: key={example!r} "
        f"(--key {example})"
    )


def _under(tree: Any, key: str, found: Mapping[str, dict[str, Tensor]], checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors under a key: of a dict, or all names of a state dict that begin with it."""
    value, rest = _descend(tree, key)
    if rest == "":
        if (name := foreign_name(value)) is not None:
            taken = "".join(f"[{part!r}]" for part in key.split("."))
            told = whole_object(name, is_module=value.is_module, path=checkpoint.weights, taken=taken)
            raise RunError(f"{checkpoint.path}: {key}: {told}")
        tensors = _state_dict(value)
        inner = networks(value) if tensors is None else {}
        if tensors is not None or len(inner) == 1:
            return next(iter(inner.values())) if tensors is None else tensors
        if inner:
            names = ", ".join(repr(f"{key}.{name}") for name in inner)
            raise RunError(f"{checkpoint.path}: several networks under {key!r}: {names}; expected key= one of these")
    for tensors in (_state_dict(value), *found.values()):
        for before in (f"{rest}.", f"{key}."):
            part = {n.removeprefix(before): t for n, t in (tensors or {}).items() if n.startswith(before)}
            if part:
                return part
    there = [name or "(the whole file)" for name in found]
    fields = list(tree) if isinstance(tree, dict) and "" not in found else []
    raise RunError(
        f"{checkpoint.path}: no network under key={key!r}; state dicts are under: {', '.join(there) or 'none'}; "
        f"the file has {_shown([str(name) for name in fields]) or 'weights alone'}"
    )


def _descend(tree: Any, key: str) -> tuple[Any, str]:
    """As far down as dicts and lists go by the parts of a dotted key, and what is left of the key."""
    value, rest = tree, key
    while rest:
        if isinstance(value, list | tuple):
            head, _, left = rest.partition(".")
            if not head.isdecimal() or int(head) >= len(value):
                return value, rest
            value, rest = value[int(head)], left
            continue
        items = {str(name): item for name, item in value.items()} if isinstance(value, dict) else {}
        ends = [*(match.start() for match in re.finditer(r"\.", rest)), len(rest)]
        end = next((end for end in reversed(ends) if rest[:end] in items), None)
        if end is None or isinstance(items[rest[:end]], Tensor):
            return value, rest
        value, rest = items[rest[:end]], rest[end + 1 :]
    return value, ""


def _why_none(tree: Any, checkpoint: Checkpoint) -> str:
    """Why no state dict was found, and what to save instead."""
    entries = {"": tree} if not isinstance(tree, dict) else tree
    for key, value in entries.items():
        if (name := foreign_name(value)) is not None and (getattr(value, "is_module", False) or key == ""):
            taken = f"[{key!r}]" if key else ""
            return whole_object(name, is_module=value.is_module, path=checkpoint.weights, taken=taken)
    kinds = [f"{key} ({foreign_name(value) or type(value).__name__})" for key, value in entries.items()]
    came = type(tree).__name__ if not isinstance(tree, dict) else f"a dict with {_shown(kinds) or 'nothing'}"
    return (
        f"no state dict in it; expected one, or a dict that holds one, came {came}. Save it so: torch.save("
        '{"epoch": epoch, "state_dict": model.state_dict()}, file)'
    )


def _without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = {_plain(name): tensor for name, tensor in tensors.items()}
    while True:
        names = [name for name in tensors if name != "n_averaged"]
        wrapper = next((w for w in _WRAPPERS if names and all(name.startswith(w) for name in names)), None)
        if wrapper is None:
            return tensors
        tensors = {name.removeprefix(wrapper): tensors[name] for name in names}


def _fits(wanted: Mapping[str, Wanted], tensors: Mapping[str, Tensor]) -> bool:
    try:
        return all(bool(_fit(own, tensors)) or not own.shapes for own in wanted.values())
    except _MisfitError:
        return False


def _fit(wanted: Wanted, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """For each name of the network the one in the file: the same, or all of them behind one other prefix.

    Where one tensor has several names, as tied weights have, one of these in the file will do.
    """
    own = {_plain(name): name for name in wanted.shapes}
    there = {_plain(name): name for name in tensors}
    names = {name: [_plain(other) for other in wanted.same.get(own[name], (own[name],))] for name in own}
    fitting: dict[tuple[str, ...], str] = {}
    nearest: tuple[tuple[int, int], list[str], list[str]] | None = None
    for ours, theirs in _prefixes(names, there):
        found, missing, differing = {}, [], []
        for name, others in names.items():
            places = [theirs + other.removeprefix(ours) for other in (name, *others)]
            place = next((place for place in places if place in there), None)
            if place is None or not name.startswith(ours):
                missing.append(name)
                continue
            shape, came = wanted.shapes[own[name]], tuple(tensors[there[place]].shape)
            if shape is not None and shape != came:
                differing.append(f"{name} is {came} in the file and {shape} in the model")
            found[own[name]] = there[place]
        if not missing and not differing:
            if theirs == ours:
                return found
            fitting.setdefault(tuple(found.values()), theirs)
            continue
        unlike = (len(missing) + len(differing), len(missing))
        if nearest is None or unlike < nearest[0]:
            nearest = unlike, missing, differing
    originals = {places: prefix for places, prefix in fitting.items() if prefix == ""} or {
        places: prefix for places, prefix in fitting.items() if not _is_copy(prefix)
    }
    originals = originals or fitting
    if len(originals) > 1:
        parts = [prefix.rstrip(".") for prefix in originals.values()]
        raise _MisfitError(f"the model that build() made fits in several places: {', '.join(map(repr, parts))}", parts)
    if originals:
        return dict(zip(own.values(), next(iter(originals)), strict=True))
    _, missing, differing = nearest or ((0, 0), list(own), [])
    raise _MisfitError(
        f"does not fit the model that build() made: {'; '.join(_misfit(missing, differing, list(there)))}. build() has "
        "to make the network that the file was saved from"
    )


def _misfit(missing: list[str], differing: list[str], came: list[str]) -> Iterator[str]:
    if differing:
        yield _shown(differing, "other shapes: ")
    if missing:
        yield f"not in the file: {_shown(missing)}; it has {_shown(came)}"


def _prefixes(names: Mapping[str, Sequence[str]], there: Mapping[str, str]) -> list[tuple[str, str]]:
    """Prefixes (of the network's names, of the file's) that may stand for each other; none for none is the first."""
    found: dict[tuple[str, str], None] = {("", ""): None}
    first = next(iter(names), "")
    for own in dict.fromkeys((first, *names.get(first, ()))):
        for other in there:
            mine, theirs = own.split("."), other.split(".")
            shared = 0
            while shared < min(len(mine), len(theirs)) and mine[-1 - shared] == theirs[-1 - shared]:
                shared += 1
                pair = (mine[: len(mine) - shared], theirs[: len(theirs) - shared])
                found.setdefault(tuple("".join(f"{part}." for part in side) for side in pair))  # type: ignore[arg-type]
    return list(found)


def _plain(name: str) -> str:
    """A name without what torch puts into it when it wraps a part of a network."""
    return ".".join(part for part in name.split(".") if part not in _INSERTED)


def _shown(names: Sequence[str], before: str = "") -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return before + ", ".join(names[:_FEW]) + more


def _unusable(tensor: Tensor) -> str | None:
    """Why a tensor cannot be kept; None if it can."""
    if tensor.is_meta:
        return "a tensor without numbers (of device 'meta')"
    if tensor.is_quantized:
        return f"quantised ({tensor.dtype})"
    if tensor.layout != torch.strided or tensor.is_nested:
        return f"a sparse or nested tensor ({tensor.layout})"
    try:
        safetensors.torch.save({"": torch.zeros(1, dtype=tensor.dtype)})
    except Exception:
        return f"of type {tensor.dtype}, which no snapshot can hold"
    return None
