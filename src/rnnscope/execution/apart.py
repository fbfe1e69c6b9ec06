"""Long units, each in a process of its own: what kills one of them costs that one only."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rnnscope.base.errors import WorkerKilledError
from rnnscope.base.settings import require_whole
from rnnscope.execution._worker import STOP_SECONDS, call_interruptibly
from rnnscope.execution.mapping import new_executor

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class _Running:
    """A unit at work: where it stands among the units, the executor that holds it, and its process."""

    position: int
    executor: Any
    process: "Future[int]"


def run_apart(
    function: Callable[..., Any],
    units: Sequence[tuple[Any, ...]],
    n_workers: int,
    *,
    ended: Callable[[int, Any], None],
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Call ``function(*unit)`` for every unit, ``n_workers`` at a time, each time in a process of one torch thread.

    Each worker is an executor of its own, so that the others go on when one is killed, and it is known which unit died
    with it. Nothing is tried again. Interrupted (an exception, Ctrl-C), the units at work receive SIGINT and may take
    20 seconds to end.

    Args:
        function: module-level, with picklable arguments and result.
        units: the arguments of each call.
        n_workers: how many at a time.
        ended: called with the position of a unit and its result, or the exception that ended it: WorkerKilledError
            where its process was killed.
        meanwhile: called twice a second.

    Raises:
        RnnscopeError: loky is not installed.

    """
    require_whole("workers", n_workers)
    left = list(range(len(units)))[::-1]
    idle: list[Any] = []
    running: dict[Future[Any], _Running] = {}
    try:
        while left or running:
            while left and len(running) < n_workers:
                executor = idle.pop() if idle else new_executor(1)
                position = left.pop()
                process = executor.submit(os.getpid)
                running[executor.submit(call_interruptibly, function, units[position])] = _Running(
                    position, executor, process
                )
            for future in wait(running, LOOK_SECONDS, FIRST_COMPLETED).done:
                unit = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenExecutor):
                    unit.executor.shutdown(wait=True, kill_workers=True)
                    error = WorkerKilledError("its worker process was killed (for lack of memory?)")
                else:
                    idle.append(unit.executor)
                ended(unit.position, future.result() if error is None else error)
            if meanwhile is not None:
                meanwhile()
    finally:
        try:
            _interrupt(running)
        finally:
            for executor in (*idle, *(unit.executor for unit in running.values())):
                executor.shutdown(wait=True, kill_workers=True)


def _interrupt(running: dict["Future[Any]", _Running]) -> None:
    """Send SIGINT to the processes of units at work until these have ended; a unit that is about to begin is deaf."""
    end = time.monotonic() + STOP_SECONDS
    begun = {future: unit for future, unit in running.items() if unit.process.done() and not unit.process.exception()}
    while (at_work := [future for future in begun if not future.done()]) and time.monotonic() < end:
        for future in at_work:
            with suppress(ProcessLookupError):
                os.kill(begun[future].process.result(), signal.SIGINT)
        wait(at_work, LOOK_SECONDS)
