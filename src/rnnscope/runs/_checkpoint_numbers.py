"""Which epoch and optimiser step each checkpoint stands for, and the losses that it tells."""

import math
import operator
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rnnscope.base.errors import RunError
from rnnscope.runs._checkpoint_files import Checkpoint, Content
from rnnscope.runs._checkpoint_names import Numbers, of_weights, pattern_of, read_losses, read_names

Number = Callable[[str], Any] | Mapping[str, Any] | str
Column = list[float | None]  # a number for each checkpoint

_EPOCH_ENTRIES = ("epoch", "current_epoch", "last_epoch")
_STEP_ENTRIES = ("global_step", "step", "steps", "iteration", "iter", "n_iter", "current_step", "num_updates")
_NESTED = ("meta", "info", "extra", "trainer", "trainer_state", "training_state", "state", "progress", "metadata")
_SCORES = ("metrics", "logs", "losses", "scores")
_TRAINING_LOSS = {"loss", "trainloss", "trainingloss", "losstrain", "trainlossepoch", "epochloss", "avgloss"}
_TIMES = re.compile(r".*(_runtime|_per_second|_flos)$|total_flos")
_LARGEST = 9_999_999_999


@dataclass(frozen=True)
class Named:
    """A checkpoint with the numbers in its name, or those that were given for it."""

    checkpoint: Checkpoint
    numbers: Numbers
    given: bool


@dataclass(frozen=True)
class Told:
    """What the content of one checkpoint says: epoch, which may be a fraction, step, and numbers by name."""

    epoch: float | None
    step: float | None
    scalars: Mapping[str, float]


@dataclass(frozen=True)
class Place:
    """Where in the training a checkpoint stands; ``exact_epoch`` where it says a fraction."""

    step: int
    epoch: int
    exact_epoch: float


def choose_by_name(checkpoints: Sequence[Checkpoint], number: Number | None) -> tuple[list[Named], list[Checkpoint]]:
    """The checkpoints to read with the numbers that their names give, and those that are left out: where some have a
    number and others, such as "best.pt", have none, it is not known where these stand.

    Raises:
        RunError: ``number`` gives no number for any.
        ValueError: it gives something else.

    """
    given = {one: told for one in checkpoints if (told := _given(number, one)) is not None}
    unnamed = [one for one in checkpoints if one not in given]
    if given and not any(told.any for told in given.values()) and not unnamed:
        raise RunError(f"number: gives no number for any of {len(given)} files, such as {checkpoints[0].name!r}")
    names = dict(zip(unnamed, read_names([one.parts for one in unnamed]), strict=True))
    clear = any(told.clear for told in names.values())
    numbered = [one for one in unnamed if names[one].any and (names[one].clear or not clear)]
    if numbered:
        again = dict(zip(numbered, read_names([one.parts for one in numbered]), strict=True))
        names |= {one: told for one, told in again.items() if told.any}  # what only these share says nothing
        copies = {one for one in numbered if _is_copy(one)}
        numbered = [
            one
            for one in numbered
            if one not in copies
            or not any(_same(names[one], names[other]) for other in numbered if other not in copies)
        ]
    else:
        numbered = unnamed
    own = set(numbered)
    kept = [one for one in checkpoints if one in own or (one in given and given[one].any)]
    chosen = [Named(one, given.get(one) or names[one], one in given) for one in kept]
    return chosen, [one for one in unnamed if one not in own]


def read_told(content: Content, checkpoint: Checkpoint) -> Told:
    """Epoch, step and scalars in the content of a checkpoint."""
    tree = content.tree if isinstance(content.tree, dict) else {}
    facts = {key: value for key, value in content.facts.items() if key != "log_history"}
    sources: list[Mapping[str, Any]] = [facts, tree]
    sources += [tree[key] for key in _NESTED if isinstance(tree.get(key), dict)]
    scalars = read_losses(checkpoint.parts[0])
    step = _entry(sources, _STEP_ENTRIES)
    scalars |= _lightning_scores(tree.get("callbacks"))
    scalars |= _numbers({key: v for key, v in tree.items() if not (isinstance(v, Tensor) and _is_weight(key, tree))})
    for key in _SCORES:
        scalars |= _numbers(tree.get(key))
    scalars |= _logged(content.facts.get("log_history"), step)
    taken = (*_EPOCH_ENTRIES, *_STEP_ENTRIES, "crc")
    scalars = {name: value for name, value in scalars.items() if name not in taken}
    return Told(_entry(sources, _EPOCH_ENTRIES), step, _with_loss(scalars))


def place(named: Sequence[Named], told: Sequence[Told]) -> list[Place]:
    """Where each checkpoint stands, from its name and its content.

    A number after a clear word in the name comes first, then entries of the content, then another number of the name.
    Where all have steps that grow with the epochs, these are kept beside them; else the epoch is the step too.

    Raises:
        RunError: it is not clear, or two stand for the same.

    """
    checkpoints, names = [own.checkpoint for own in named], [own.numbers for own in named]
    nothing: Column = [None] * len(names)
    loose = _loose_numbers(checkpoints, names, told)
    by_name = [own.epoch for own in names]
    by_content = [
        None if one.given and one.numbers.epoch is not None else own.epoch for one, own in zip(named, told, strict=True)
    ]
    by_both = [one.step if one.step is not None else own.step for one, own in zip(names, told, strict=True)]
    steps_by = [[own.step for own in names], by_both, [own.step for own in told]]
    if all(one.path.is_dir() and one.parts[0].lower().startswith("checkpoint-") for one in checkpoints):
        steps_by, loose = [*steps_by, loose], nothing  # as transformers calls them
    if any(map(_complete, steps_by)):
        loose = nothing
    for column in (by_name, by_content, loose):
        _check_range(checkpoints, column, "epoch")
    epochs = _agreed(checkpoints, by_name, by_content, loose)
    if len(set(epochs)) < len(epochs) and epochs == by_content:
        steps_by.append(loose)
    for steps in steps_by:
        _check_range(checkpoints, steps, "step")
        if _grows(steps, epochs):
            return _by_step(checkpoints, _known(steps), epochs)
    if not _complete(epochs):
        _refuse_unplaced(checkpoints, epochs, steps_by)
    whole = _known(epochs)
    _refuse_twice(checkpoints, whole, "epoch")
    for one, epoch in zip(checkpoints, whole, strict=True):
        if epoch != int(epoch):
            raise RunError(f"{one.path}: epoch {epoch:g} is not a whole number, and no step is known; {_REMEDY}")
    return [Place(int(epoch), int(epoch), epoch) for epoch in whole]


_REMEDY = (
    "number={'file name': epoch, …}, or (epoch, step), says it, or a function of the name; on the command line "
    "--number NAME=EPOCH or NAME=EPOCH,STEP"
)


def _given(number: Number | None, checkpoint: Checkpoint) -> Numbers | None:
    """What ``number`` says of one checkpoint: an epoch, (epoch, step), or neither: it is to be left out. None where a
    dict does not name it, so that it is as its own name says."""
    name = checkpoint.name
    value: Any = None
    if number is None:
        return None
    if isinstance(number, str):
        try:
            pattern = re.compile(number)
        except re.error as error:
            raise ValueError(f"number: {number!r} is not a regular expression: {error}") from None
        if pattern.groups != 1:
            raise ValueError(
                f"number: expected a pattern with the number in brackets, such as epoch(\\d+), came {number!r}"
            )
        found = pattern.search(name)
        value = int(found[1]) if found is not None and (found[1] or "").isdecimal() else None
    elif isinstance(number, Mapping):
        keys = [key for key in (name, checkpoint.path.name, str(checkpoint.path)) if key in number]
        if not keys:
            return None
        value = number[keys[0]]
    else:
        value = number(name)
    pair: Any = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    try:
        epoch, step = [None if each is None else float(operator.index(each)) for each in pair]
    except TypeError:
        raise ValueError(
            f"number: expected a whole number, (epoch, step) or None for {name!r}, came {value!r}"
        ) from None
    return Numbers(epoch=epoch, step=step)


def _is_copy(checkpoint: Checkpoint) -> bool:
    return re.search(r"best|last|latest|final", checkpoint.parts[0], re.I) is not None


def _same(one: Numbers, other: Numbers) -> bool:
    return one.clear and (one.epoch, one.step) == (other.epoch, other.step)


def _entry(sources: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> float | None:
    for source in sources:
        for key in keys:
            value = _number(source.get(key))
            if value is not None and math.isfinite(value):
                return value
    return None


def _number(value: Any) -> float | None:
    """A number, also from a tensor of one element or from text; None for anything else."""
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex() and not value.is_meta:
        value = value.item()
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
        value = float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers(table: Any) -> dict[str, float]:
    if not isinstance(table, dict):
        return {}
    found = {key: _number(value) for key, value in table.items() if isinstance(key, str) and not isinstance(value, str)}
    return {key: value for key, value in found.items() if value is not None}


def _is_weight(key: Any, tree: Mapping[Any, Any]) -> bool:
    """Whether a tensor belongs to weights that are the whole content, or stand in it side by side with numbers."""
    return of_weights(str(key)) or all(isinstance(value, Tensor) for value in tree.values())


def _lightning_scores(callbacks: Any) -> dict[str, float]:
    """What Lightning's ModelCheckpoint monitors: its value at this checkpoint, and the best one so far."""
    found: dict[str, float] = {}
    for state in callbacks.values() if isinstance(callbacks, dict) else ():
        monitor = state.get("monitor") if isinstance(state, dict) else None
        if not isinstance(monitor, str):
            continue
        for name, key in ((monitor, "current_score"), (f"best_{monitor}", "best_model_score")):
            if (value := _number(state.get(key))) is not None:
                found[name] = value
    return found


def _logged(history: Any, step: float | None) -> dict[str, float]:
    """What transformers logged last of each name, at or before this step."""
    found: dict[str, float] = {}
    for line in history if isinstance(history, list) else ():
        if not isinstance(line, dict) or "train_runtime" in line:
            continue  # the last line sums the training up
        at = _number(line.get("step"))
        if at is not None and step is not None and at > step:
            continue
        found |= {name: value for name, value in _numbers(line).items() if not _TIMES.fullmatch(name)}
    return found


def _with_loss(scalars: dict[str, float]) -> dict[str, float]:
    """The training loss under the name ``loss``, where it is known under another."""
    if "loss" in scalars:
        return scalars
    for name in scalars:
        if re.sub("[^a-z]", "", name.lower()) in _TRAINING_LOSS:
            return {"loss" if own == name else own: value for own, value in scalars.items()}
    return scalars


def _loose_numbers(checkpoints: Sequence[Checkpoint], names: Sequence[Numbers], told: Sequence[Told]) -> Column:
    """The one number of each name that stands after no clear word; RunError where there are several and nothing else
    says which."""
    loose: Column = []
    for one, name, own in zip(checkpoints, names, told, strict=True):
        unclear = not name.clear and own.epoch is None and own.step is None
        if len(name.plain) > 1 and unclear:
            shown = [f"{value:g} (after {word!r})" if word else f"{value:g}" for word, value in name.plain]
            last = name.plain[-1][1]
            pattern = pattern_of(one.name, last)
            raise RunError(
                f"{one.path}: its name has several numbers that may be the epoch: {', '.join(shown)}. Rename the files "
                f"so that it stands after 'epoch', or say it: number={pattern!r}, --number {shlex.quote(pattern)} on "
                f"the command line, if it is {last:g}"
            )
        loose.append(name.plain[0][1] if len(name.plain) == 1 else None)
    return loose


def _agreed(checkpoints: Sequence[Checkpoint], by_name: Column, by_content: Column, loose: Column) -> Column:
    """The epochs, where names and contents do not contradict each other; a count from 0 here and from 1 there is none,
    nor is one and the same number in all of them."""
    if _complete(by_name) and (len(set(by_name)) > 1 or len(by_name) == 1 or not _tells_apart(by_content)):
        off = {a - b for a, b in zip(by_name, by_content, strict=True) if a is not None and b is not None}
        if len(off) > 1 and _tells_apart(by_content):
            _refuse_contradiction(checkpoints, by_name, by_content)
        return by_name
    if _complete(by_content) and not any(epoch is not None for epoch in by_name):
        return by_content
    for name, content in ((by_name, by_content), (loose, by_content)):
        if any(None not in pair and pair[0] != pair[1] for pair in zip(name, content, strict=True)):
            _refuse_contradiction(checkpoints, name, content)
    rows = zip(by_name, by_content, loose, strict=True)
    return [next((value for value in row if value is not None), None) for row in rows]


def _complete(column: Column) -> bool:
    return all(value is not None for value in column)


def _tells_apart(column: Column) -> bool:
    return len(set(column) - {None}) > 1


def _known(column: Column) -> list[float]:
    return [value for value in column if value is not None]


def _grows(steps: Column, epochs: Column) -> bool:
    """Whether every checkpoint has a step of its own, and later steps are of no earlier epochs."""
    if any(step is None for step in steps) or len(set(steps)) < len(steps):
        return False
    if all(epoch is None for epoch in epochs):
        return True
    if any(epoch is None for epoch in epochs):
        return False
    in_order = [epoch for _, epoch in sorted(zip(_known(steps), _known(epochs), strict=True))]
    return in_order == sorted(in_order)


def _by_step(checkpoints: Sequence[Checkpoint], steps: Sequence[float], epochs: Column) -> list[Place]:
    for one, step in zip(checkpoints, steps, strict=True):
        if step != int(step):
            raise RunError(f"{one.path}: expected a whole number of steps, came {step:g}")
    exact = [step if epoch is None else epoch for step, epoch in zip(steps, epochs, strict=True)]
    return [Place(int(step), int(epoch), epoch) for step, epoch in zip(steps, exact, strict=True)]


def _check_range(checkpoints: Sequence[Checkpoint], column: Column, what: str) -> None:
    for one, value in zip(checkpoints, column, strict=True):
        if value is not None and not 0 <= value <= _LARGEST:
            raise RunError(f"{one.path}: expected {what} 0 or more, and at most {_LARGEST}, came {value:g}; {_REMEDY}")


def _refuse_contradiction(checkpoints: Sequence[Checkpoint], by_name: Column, by_content: Column) -> None:
    pairs = zip(checkpoints, by_name, by_content, strict=True)
    one, name, content = next(each for each in pairs if None not in each[1:] and each[1] != each[2])
    raise RunError(
        f"{one.path}: it is not clear which epoch it is: its name says {name:g}, its content {content:g}; {_REMEDY}"
    )


def _refuse_unplaced(checkpoints: Sequence[Checkpoint], epochs: Column, steps_by: Sequence[Column]) -> None:
    for steps in steps_by:
        if _complete(steps):
            _refuse_twice(checkpoints, _known(steps), "step")
    without = [one.name for one, epoch in zip(checkpoints, epochs, strict=True) if epoch is None]
    others = [one.name for one, epoch in zip(checkpoints, epochs, strict=True) if epoch is not None]
    beside = f", as that of {others[0]} does" if others else ""
    raise RunError(
        f"{', '.join(without[:3])}{f' and {len(without) - 3} more' if len(without) > 3 else ''}: neither name nor "
        f"content says an epoch{beside}. Rename them, such as epoch_3.pt; {_REMEDY}"
    )


def _refuse_twice(checkpoints: Sequence[Checkpoint], values: Sequence[float], what: str) -> None:
    for value in sorted(set(values)):
        same = [one.name for one, own in zip(checkpoints, values, strict=False) if own == value]
        if len(same) > 1:
            raise RunError(
                f"several files stand for {what} {value:g}: {', '.join(same[:4])}{', …' if len(same) > 4 else ''}; "
                f"expected one for each. Leave the others out of the pattern, or {_REMEDY}"
            )
