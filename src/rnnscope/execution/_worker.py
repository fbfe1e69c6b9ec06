import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

STOP_SECONDS = 20.0  # what an interrupted unit may take to close its files
_idle = threading.Event()
_idle.set()


def prepare(parent: int) -> None:
    """At the start of a worker: one torch thread; deaf to Ctrl-C, which is for the process that hands out the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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


def _end_with(parent: int) -> None:
    """End this process when ``parent`` was killed: it would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)
    _idle.wait(STOP_SECONDS)
    os._exit(1)
