"""Work units over an executor, results as they come."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

from rnnscope.base.errors import RnnscopeError, require

T = TypeVar("T")


def map_units(function: Callable[..., T], units: Iterable[tuple[Any, ...]], executor: Executor | None) -> Iterator[T]:
    """Yield ``function(*unit)`` for every unit as it is done: in order in this process, or as executors finish.

    Leaving early (an error, Ctrl-C) cancels the units that have not begun.
    """
    if executor is None:
        for unit in units:
            yield function(*unit)
        return
    futures = [executor.submit(function, *unit) for unit in units]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def processes(n_workers: int) -> Iterator[Executor | None]:
    """An executor over ``n_workers`` processes with one torch thread each; None for one worker (this process).

    Raises:
        RnnscopeError: loky is not installed.

    """
    require(n_workers >= 1, "workers", "a positive whole number", n_workers)
    if n_workers == 1:
        yield None
        return
    try:
        from loky import ProcessPoolExecutor
    except ImportError:
        raise RnnscopeError("several workers need loky: pip install 'rnnscope[parallel]', or use --workers 1") from None
    executor = ProcessPoolExecutor(max_workers=n_workers, initializer=_one_thread)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, kill_workers=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
