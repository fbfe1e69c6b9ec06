"""Inside a worker process: when Ctrl-C interrupts it and when it does not, and that it ends with its parent."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOP_SECONDS = 20.0  # what an interrupted unit may take to close its files
_idle = threading.Event()
_idle.set()


@contextmanager
def born_deaf() -> Iterator[None]:
    """Processes begun inside hold back SIGINT until ``prepare``; one that comes to this process is answered later."""
    _mask(signal.SIG_BLOCK)
    try:
        yield
    finally:
        _mask(signal.SIG_UNBLOCK)


def prepare(parent: int) -> None:
    """At the start of a worker: one torch thread; deaf to Ctrl-C, which is for the process that hands out the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _mask(signal.SIG_UNBLOCK)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import torch

    torch.set_num_threads(1)


def call_interruptibly(function: Callable[..., Any], unit: tuple[Any, ...]) -> Any:
    """Call; the first SIGINT interrupts it, further ones do not disturb how it ends."""

    def interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    _idle.clear()
    signal.signal(signal.SIGINT, interrupt)
    try:
        return function(*unit)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _idle.set()


def _mask(how: int) -> None:
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(how, {signal.SIGINT})


def _end_with(parent: int) -> None:
    """End this process when ``parent`` was killed: it would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)
    _idle.wait(STOP_SECONDS)
    os._exit(1)
