import importlib
import json
import math
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rnnscope.base.errors import RunError

_WIDE = None if sys.stdout.isatty() else 200
out = Console(highlight=False, soft_wrap=True, markup=False, width=_WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def command_line() -> str:
    """The command that was given, to give it again."""
    return shlex.join(["rnnscope", *sys.argv[1:]])


def print_json(content: Any) -> None:
    """Standard JSON: what is not a number is null."""
    print(json.dumps(_standard(content), indent=1, allow_nan=False))


def _standard(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, dict):
        return {str(key): _standard(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_standard(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[..., None]]:
    """Yield report(done, total, note="") for a bar with speed and time left on stderr; lines if that is no terminal."""
    if not err.is_terminal:
        yield _plain_progress(what, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed}/{task.total} " + unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=err, transient=False) as bar:
        task = bar.add_task(what, total=None, note="", rate="")

        def report(done: int, total: int, note: str = "") -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            rate = f"{speed:.0f}/s" if speed and speed >= 10 else f"{speed:.1f}/s" if speed else ""
            bar.update(task, completed=done, total=total, note=note, rate=rate)

        yield report


def _plain_progress(what: str, unit: str) -> Callable[..., None]:
    """A line at every tenth, however large the steps are in which it is told, with the time that is left."""
    began, told = time.monotonic(), 0

    def report(done: int, total: int, note: str = "") -> None:
        nonlocal told
        tenth = total // 10
        due = done == total or (total >= 20 and tenth and done // tenth > told // tenth)
        if due and done > told:
            seconds = time.monotonic() - began
            left = f", about {_duration(seconds * (total - done) / done)} left" if done < total and seconds > 10 else ""
            print(f"{what}: {unit} {done}/{total} {note}".rstrip() + left, file=sys.stderr, flush=True)
            told = done

    return report


def _duration(seconds: float) -> str:
    """A duration as it is said.

    >>> _duration(42), _duration(150), _duration(9000)
    ('42 s', '2.5 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.2g} min" if seconds < 6000 else f"{seconds / 3600:.2g} h"


@contextmanager
def named_warnings() -> Iterator[None]:
    """Print warnings (damaged files that were left out, say) as one line each, the same one once."""
    told: set[str] = set()

    def tell(message: Warning | str, *_: Any) -> None:
        if str(message) not in told:
            told.add(str(message))
            err.print(f"warning: {message}", style="yellow")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = tell
        yield


def parse_epochs(text: str | None) -> int | slice | list[int] | None:
    """'10' every 10th, '100:200' a range, '1,5,9' some; None all."""
    if text is None:
        return None
    try:
        if ":" in text:
            return slice(*(int(part) if part else None for part in text.split(":")))
        if "," in text:
            return [int(part) for part in text.split(",") if part]
        return int(text)
    except (ValueError, TypeError):
        raise ValueError(f"--epochs: expected 10, 100:200 or 1,50,100, came {text!r}") from None


def parse_seeds(text: str) -> list[int]:
    """'5' the seeds 0 to 4, '5:8' 5 to 7, '0,3,7' these.

    >>> parse_seeds("3"), parse_seeds("5:8"), parse_seeds("7,")
    ([0, 1, 2], [5, 6, 7], [7])
    """
    try:
        if ":" in text:
            first, last = text.split(":")
            seeds = list(range(int(first or 0), int(last)))
        elif "," in text:
            seeds = [int(part) for part in text.split(",") if part.strip()]
        else:
            seeds = list(range(int(text)))
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"--seeds: expected how many (5), a range (5:8) or different seeds (0,3,7), came {text!r}")
    return seeds


def parse_settings(changes: list[str] | None) -> dict[str, Any]:
    """The settings of a probe or figure from --set key=value."""
    from rnnscope.training.config import parse_change

    return dict(parse_change(change) for change in changes or ())


def make_model(reference: str | None) -> Any:
    """The network that package.module:make builds."""
    if reference is None:
        return None
    module, colon, name = reference.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        make = getattr(importlib.import_module(module), name) if colon else None
    except (ImportError, AttributeError) as error:
        raise RunError(f"--model {reference}: {error}") from error
    if make is None:
        raise RunError(f"--model: expected package.module:make, came {reference!r}")
    if not callable(make):
        raise RunError(f"--model {reference}: expected a function that builds the network, came {type(make).__name__}")
    return make()
