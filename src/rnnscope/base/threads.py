"""The number of threads that torch uses inside an operation."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Use ``n_threads`` inside the block; None leaves the number as it is.

    Sums are split over threads, so results repeat bit for bit only at the same number.
    """
    before = torch.get_num_threads()
    if n_threads is not None:
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Map(Protocol):
    """What ``map`` does with one iterable."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """The results, in the order of the items."""
        ...


@contextmanager
def map_over_threads(n_workers: int) -> Iterator[Map]:
    """Yield a ``map`` that calls a function on ``n_workers`` threads, each with one torch thread inside operations.

    Every new thread has to be told: oneDNN asks OpenMP, which begins again with a thread for each core, and they fight
    for the cores (an LSTM of 32 units took thirty times as long). One worker is this thread.

    >>> with map_over_threads(2) as mapped:
    ...     list(mapped(abs, [-1, 2]))
    [1, 2]
    """
    with torch_threads(1):
        if n_workers == 1:
            yield map
            return
        with ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Let numbers too small to be normal (below 1.2e-38 in float32) count as zero inside the block, on this thread.

    A state that decays to zero spends its time among them, and they take a processor tens of times longer.
    """
    before = bool(torch.tensor([1e-40]) * torch.tensor([1.0]) == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
