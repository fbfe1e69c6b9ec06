"""Work units over an executor, results as they come."""

import multiprocessing.resource_tracker
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

from rnnscope.base.errors import RnnscopeError, WorkerKilledError
from rnnscope.base.settings import require_whole
from rnnscope.execution._worker import born_deaf, prepare

T = TypeVar("T")
_killed_on_leaving: WeakSet[Executor] = WeakSet()  # when loky kills, it fails on futures that were cancelled


def map_units(function: Callable[..., T], units: Iterable[tuple[Any, ...]], executor: Executor | None) -> Iterator[T]:
    """Yield ``function(*unit)`` for every unit as it is done: in order in this process, or as executors finish.

    Leaving early (an error, Ctrl-C) cancels the units that have not begun; those of ``processes`` end with its block.

    Raises:
        WorkerKilledError: a worker process was killed, after everything that was done has been yielded. Nothing is
            tried again: what killed it, lack of memory for one, would do so again.

    """
    if executor is None:
        for unit in units:
            yield function(*unit)
        return
    futures = [executor.submit(function, *unit) for unit in units]
    killed: BrokenExecutor | None = None
    try:
        for future in as_completed(futures):
            try:
                result = future.result()
            except BrokenExecutor as error:
                killed = error
            else:
                yield result
        if killed is not None:
            raise WorkerKilledError(
                "a worker process was killed before it was done (for lack of memory?). What was done before is kept: "
                "the same call again does the rest; fewer workers need less memory"
            ) from killed
    finally:
        if executor not in _killed_on_leaving:
            for future in futures:
                future.cancel()


@contextmanager
def processes(n_workers: int) -> Iterator[Executor | None]:
    """An executor over ``n_workers`` processes with one torch thread each; None for one worker (this process).

    Leaving the block kills the processes, whatever they are doing.

    Raises:
        RnnscopeError: loky is not installed.

    """
    require_whole("workers", n_workers)
    if n_workers == 1:
        yield None
        return
    executor = new_executor(n_workers)
    _killed_on_leaving.add(executor)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, kill_workers=True)


def new_executor(n_workers: int) -> Any:
    """A loky executor whose workers use one torch thread each and end with this process.

    Raises:
        RnnscopeError: loky is not installed.

    """
    try:
        from loky import ProcessPoolExecutor
        from loky.backend import resource_tracker
    except ImportError:
        raise RnnscopeError("several workers need loky: pip install 'rnnscope[parallel]', or use --workers 1") from None
    executor = ProcessPoolExecutor(max_workers=n_workers, initializer=prepare, initargs=(os.getpid(),))
    for tracker in (resource_tracker, multiprocessing.resource_tracker):
        tracker.ensure_running()  # to begin one lets signals through again
    with born_deaf():
        executor.submit(os.getpid)  # begins the processes
    return executor
