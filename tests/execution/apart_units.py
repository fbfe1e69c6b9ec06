"""Work units for worker processes, which must be able to import them."""

import os
import signal
import time
from pathlib import Path


def square(x):
    return x * x


def fail(x):
    raise ValueError(f"no {x}")


def die_if_odd(x):
    """A unit that ends its own process the hard way where x is odd, once the even ones had time to end."""
    if x % 2:
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def work_long(folder, name):
    """Works until it is interrupted, and says so; a second interruption while it ends does not disturb it."""
    (Path(folder) / f"{name}.begun").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
        (Path(folder) / f"{name}.interrupted").touch()
        raise
