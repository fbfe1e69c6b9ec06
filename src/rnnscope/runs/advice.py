"""What a run says to do, in words that can be typed, and damaged files with the same cause told of at once."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnscope.base.probe import plain
from rnnscope.runs import probes

_SHOWN = 3
_MANY = 50


def command(*words: object) -> str:
    """A command line as it is typed, with quotes where the shell needs them.

    >>> command("show", Path("runs/my run"))
    "rnnscope show 'runs/my run'"
    """
    return shlex.join(["rnnscope", *map(str, words)])


def to_measure(run: Path, probe: str, settings: Mapping[str, Any], epochs: Sequence[int] = ()) -> str:
    """How to measure a probe with these settings: at the last epoch where a figure shows one only, else at 50 or so.

    >>> to_measure(Path("a"), "orbits", {"keep_states": True}, range(31))
    "run.probe('orbits', epochs=[30], keep_states=True), or rnnscope probe orbits a --epoch 30 --set keep_states=true"
    >>> to_measure(Path("runs/a"), "attractors", {}, range(1001))
    "run.probe('attractors', epochs=20), or rnnscope probe attractors runs/a --epochs 20"
    """
    given, options = "", few_epochs(probe, epochs, one=bool(settings.get("keep_states")))
    if options:
        given = f", epochs=[{options[1]}]" if options[0] == "--epoch" else f", epochs={options[1]}"
    given += "".join(f", {key}={value!r}" for key, value in settings.items())
    options += [word for key, value in settings.items() for word in ("--set", f"{key}={_toml(value)}")]
    return f"run.probe({probe!r}{given}), or {command('probe', probe, run, *options)}"


def few_epochs(probe: str, epochs: Sequence[int], *, one: bool = False) -> list[object]:
    """Options that measure at the last epoch only, for a probe or a figure of ``one``, else at 50 or so of many."""
    known = None if probes.about(probe) is None else probes.load(probe)
    if (one or (known is not None and known.one_epoch)) and len(epochs) > 1:
        return ["--epoch", epochs[-1]]
    if (known is None or known().subject != "path") and len(epochs) > _MANY:
        return ["--epochs", round(len(epochs) / _MANY)]
    return []


def to_give_cost(run: Path, probe: str) -> str:
    """How to give a run the cost of its task, or a probe a cost for once."""
    typed = command("data", run, "--inputs", "u.npy", "--targets", "y.npy")
    return (
        "give it to the run: run.give(objective=rnnscope.Objective(inputs, targets)), or "
        f"{typed}; or for this time only: run.probe({probe!r}, objective=rnnscope.Objective(inputs, targets))"
    )


def grouped(problems: Iterable[str]) -> list[str]:
    """Lines "FILE: what is wrong with it", those with the same cause as one: how many files, the first few, the cause.

    >>> grouped(["a/1.nc: missing", "a/2.nc: missing", "a/3.nc: empty"])
    ['a: 2 files (1.nc, 2.nc): missing', 'a/3.nc: empty']
    """
    causes: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        found = re.match(r"(?s)(.*?\.(?:safetensors|nc)): (.*)", problem)
        path, cause = (Path(found[1]), found[2]) if found else (Path(), problem)
        key = (str(path.parent), cause.replace(path.name, "FILE") if found else cause)
        causes.setdefault(key, []).append(problem)
    lines = []
    for (folder, cause), same in causes.items():
        if len(same) == 1:
            lines.append(same[0])
            continue
        names = [Path(problem.partition(": ")[0]).name for problem in same]
        listed = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        lines.append(f"{folder}: {len(names)} files ({listed}): {cause}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(plain(value))
