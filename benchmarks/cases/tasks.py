"""Data of tasks that are drawn anew at every epoch."""

import statistics
import time
from collections.abc import Callable

from benchmarks.harness import Timing


def drawing() -> list[Timing]:
    """1000 sequences of 200 steps, on one thread, against the 50 ms that an epoch of training has to spare for them."""
    from rnnscope import tasks
    from rnnscope.base.threads import torch_threads

    timings = []
    for name, settings in (("symbols", {"length": 200}), ("copy-memory", {"delay": 180}), ("adding", {"length": 200})):
        task = tasks.build(name, n_sequences=1000, fresh=True, **settings)
        times = []
        with torch_threads(1):
            for epoch in range(20):
                began = time.perf_counter()
                task.fresh_batches(epoch)
                times.append(time.perf_counter() - began)
        seconds = statistics.median(times)
        ratio = seconds / 0.05
        timings.append(Timing(f"{name}, 1000 × 200 drawn", seconds, 0.05, ratio, "at most 1", ratio <= 1, ""))
    return timings


CASES: dict[str, Callable[[], list[Timing]]] = {"drawing": drawing}
