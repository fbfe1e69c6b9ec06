"""The codes of a status and the word for each, as netCDF files say them (CF conventions)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Flags:
    """Words, numbered from ``first`` on: what a status is stored as, and what its codes mean.

    >>> status = Flags(("moving", "settled", "diverged"))
    >>> moving, settled, diverged = status.codes
    >>> settled, status.attrs["flag_meanings"]
    (1, 'moving settled diverged')

    Attributes:
        words: one for each code, without blanks.
        first: the code of the first.

    """

    words: tuple[str, ...]
    first: int = 0

    @property
    def codes(self) -> range:
        """The code of each word, in order."""
        return range(self.first, self.first + len(self.words))

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of a variable that holds such codes."""
        return {"flag_values": np.array(self.codes, dtype=np.int8), "flag_meanings": " ".join(self.words)}


def codes_of(attrs: Mapping[Any, Any]) -> dict[str, int]:
    """The code of each word, from the attributes of a stored variable; empty where it has no flags.

    >>> codes_of(Flags(("none", "cycle"), first=-1).attrs)
    {'none': -1, 'cycle': 0}
    """
    words = str(attrs.get("flag_meanings", "")).split()
    return dict(zip(words, map(int, np.atleast_1d(attrs.get("flag_values", []))), strict=True))
