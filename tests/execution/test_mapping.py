import math
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from rnnscope.execution import map_units, processes


def test_in_this_process_results_come_in_order_and_lazily():
    results = map_units(math.sqrt, [(4,), (9,), (-1,)], None)
    assert next(results) == 2
    assert next(results) == 3
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative"):
        next(results)


def test_over_processes_with_one_torch_thread_each():
    with processes(2) as executor:
        assert sorted(map_units(math.sqrt, [(k * k,) for k in range(5)], executor)) == [0, 1, 2, 3, 4]
        assert executor is not None
        assert executor.submit(torch.get_num_threads).result() == 1
        with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative"):
            list(map_units(math.sqrt, [(-1,)], executor))


def test_leaving_early_cancels_what_has_not_begun_but_not_what_is_killed_anyway():
    with ThreadPoolExecutor(1) as executor:
        futures = leave_early(executor)
    assert any(future.cancelled() for future in futures)
    with processes(2) as executor:
        futures = leave_early(executor)
    assert not any(future.cancelled() for future in futures)
    assert all(future.done() for future in futures)


def leave_early(executor):
    """Futures of units of which the first result was taken and no other."""
    futures, submit = [], executor.submit
    executor.submit = lambda *work: futures.append(submit(*work)) or futures[-1]
    results = map_units(time.sleep, [(0.05,) for _ in range(40)], executor)
    next(results)
    assert isinstance(results, Generator)
    results.close()
    return futures


def test_one_worker_is_this_process():
    with processes(1) as executor:
        assert executor is None
    with pytest.raises(ValueError, match="workers: expected a positive whole number, came 0"), processes(0):
        pass
