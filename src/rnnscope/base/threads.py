"""The number of threads that torch uses inside an operation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
