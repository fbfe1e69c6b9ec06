"""What measuring a wide state takes: refused where it cannot be afforded, and the time said before it is spent."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from rnnscope.attractors.numerics.jacobians import WIDE
from rnnscope.systems import System

WIDEST = 4500  # coordinates: a batch of one Jacobian, its square and their factors then take a gigabyte
SAID_FROM = 20.0  # seconds
_AGAIN = 3.0  # times as long as was said

_log = logging.getLogger("rnnscope")
_said: dict[tuple[str, int], float] = {}


def need_jacobians(name: str, system: System) -> None:
    """Refuse to measure by Jacobians where they are too large, saying what can be measured.

    Raises:
        ValueError: more coordinates than ``WIDEST``.

    """
    n = system.state_size
    if n > WIDEST:
        others = ", or Lyapunov(inputs=…, n_exponents=3)" if system.has_forward_mode else ""
        raise ValueError(
            f"{name}: expected a state of at most {WIDEST} numbers, came {n}: one Jacobian of it takes "
            f"{8 * n**2 / 1e9:.2g} GB. What can be measured: Orbits(inputs=…){others}"
        )


def need_vectors(n_exponents: int | None, system: System) -> None:
    """Refuse more tangent vectors than fit in memory.

    Raises:
        ValueError: says how many do.

    """
    n = system.state_size
    if not system.has_forward_mode:
        need_jacobians("lyapunov (its step has no forward derivatives)", system)
    most = WIDEST**2 // n
    if (n if n_exponents is None else n_exponents) > most:
        came = "None, which is all of them" if n_exponents is None else n_exponents
        raise ValueError(
            f"n_exponents: expected at most {most} for a state of {n} numbers, came {came}: as many tangent vectors "
            f"take {8 * n * (n_exponents or n) / 1e9:.2g} GB. The largest few are enough for most ends: n_exponents=3"
        )


@dataclass(frozen=True)
class Forecast:
    """Says once for each probe and size of state how long is left, if that is long.

    ``shorter`` names the settings by which it would take less.
    """

    name: str
    system: System
    shorter: str

    @property
    def wide(self) -> bool:
        """Whether there is anything to say: narrow states take seconds."""
        return self.system.state_size > WIDE

    def say(self, seconds: float) -> None:
        """Tell what is left, on the logger ``rnnscope``; its warnings go to stderr unless it is told otherwise."""
        key = (self.name, self.system.state_size)
        if self.wide and seconds >= SAID_FROM and seconds > _AGAIN * _said.get(key, 0.0):
            _said[key] = seconds
            _log.warning(
                "%s: about %s to go (a state of %d numbers); %s take less",
                self.name, in_words(seconds), self.system.state_size, self.shorter,
            )  # fmt: skip


def seconds_of(compute: Callable[[], object]) -> float:
    """How long a computation takes, the second time."""
    compute()
    begun = time.perf_counter()
    compute()
    return time.perf_counter() - begun


def in_words(seconds: float) -> str:
    """A duration as it is said.

    >>> in_words(42), in_words(150), in_words(9000)
    ('42 s', '2.5 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.2g} min" if seconds < 6000 else f"{seconds / 3600:.2g} h"
