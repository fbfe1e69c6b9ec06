"""Exceptions with a remedy: each message says what was expected, what came and what to do."""

import difflib
import math
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any


class RnnscopeError(Exception):
    """Base of the errors that have a name here; bad arguments raise plain ValueError or TypeError."""


class UnsupportedModelError(RnnscopeError, TypeError):
    """A network cannot be read as a map x[t] = f(x[t-1], u[t])."""


class NonDeterministicError(RnnscopeError):
    """The same state and input gave two different answers."""


class DerivativeError(RnnscopeError):
    """The derivatives of a step are not those of its map, so exponents and multipliers would belong to another one."""


class RunError(RnnscopeError):
    """A run folder is missing, in the way, or lacks what was asked for."""


class FolderTakenError(RunError):
    """Something is where a run is to be written, and is left as it is.

    Attributes:
        path: which folder.
        problem: what is there, as the end of a sentence that begins with the path.
        resumable: whether a training there can be gone on with.
        replaceable: whether it is a run that ``overwrite=True`` would put another one in the place of.

    """

    def __init__(self, path: Path, problem: str, resumable: bool = False, replaceable: bool = False):
        super().__init__(path, problem, resumable, replaceable)  # one from another process is made anew from these
        self.path, self.problem, self.resumable, self.replaceable = path, problem, resumable, replaceable

    def __str__(self) -> str:
        remedies = ["choose another folder"]
        remedies += ["go on with it (resume=True)"] * self.resumable
        remedies += ["replace it (overwrite=True)"] * self.replaceable
        return f"{self.path} {self.problem}; {', or '.join(remedies)}"


class DamagedFileError(RunError):
    """A file of a run was cut short, changed on disk, or is not what its name says."""


class TrainingDivergedError(RnnscopeError):
    """The loss stopped being a finite number; the run up to that epoch is kept."""


class WorkerKilledError(RnnscopeError):
    """A worker process ended before its work was done: killed from outside, or for lack of memory."""


def unknown(kind: str, name: str, valid: Iterable[str]) -> ValueError:
    """A ValueError for a name that is not there: the nearest valid one, and all of them.

    >>> print(unknown("model", "lstn", ["gru", "lstm", "rnn"]))
    unknown model 'lstn': did you mean 'lstm'? Valid: gru, lstm, rnn
    """
    valid = sorted(valid)
    near = difflib.get_close_matches(str(name), valid, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return ValueError(f"unknown {kind} {name!r}:{hint} Valid: {', '.join(valid)}")


def require(condition: object, argument: str, expected: str, came: object) -> None:
    """Raise a ValueError that names the argument, what was expected and what came, unless the condition holds.

    >>> require(3 > 0, "n_keep", "a positive whole number", 3)
    >>> require(False, "n_keep", "a positive whole number", -3)
    Traceback (most recent call last):
    ValueError: n_keep: expected a positive whole number, came -3
    """
    if not condition:
        raise ValueError(f"{argument}: expected {expected}, came {came!r}")


def require_derivatives(what: str, problem: str | None) -> None:
    """Raise a DerivativeError, saying what can be measured instead, unless ``problem`` is None.

    Args:
        what: the probe or function that differentiates a step.
        problem: why derivatives of the step are not those of its map; None: they are.

    """
    if problem is not None:
        raise DerivativeError(
            f"{what}: expected a step whose derivatives are those of its map; {problem}. Orbits need no derivatives: "
            "Orbits(inputs=…).measure(system), or run.probe('orbits')"
        )


def require_numbers(settings: Any) -> None:
    """Raise a ValueError unless every field of a dataclass that is declared as ``float`` holds a finite number.

    To be called before a setting is compared with anything: a word from a file or a command line cannot be.
    """
    for field in fields(settings):
        if field.type is float:
            value = getattr(settings, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            require(number, field.name, "a number", value)
