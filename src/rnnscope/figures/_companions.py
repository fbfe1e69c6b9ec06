"""What stands under an orbit diagram where the attractors are known: their kinds, exponents and multipliers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.figures._rates import Rates, exponent_rates, multiplier_rates
from rnnscope.figures._stacks import Stacks
from rnnscope.findings.kinds import LIMIT_KINDS, limit_words
from rnnscope.findings.reading import by_step, same_input

if TYPE_CHECKING:
    import xarray

_SHARED = {
    "fixed_point": "rests",
    "closed_curve": "oscillates",
    "divergence": "diverges",
    "undetermined": "undetermined",
}


@dataclass(frozen=True, eq=False)
class Companions:
    """Panels on the epochs of the attractors; those of ``rates`` go with the panels of the diagram, one each."""

    attractors: "xarray.Dataset"
    stacks: Stacks
    rates: list[Rates]

    @property
    def shared_kinds(self) -> dict[str, str]:
        """The words of the kinds that have the colour of something in the diagram above, by its name there."""
        names = {_SHARED.get(LIMIT_KINDS[code]): limit_words(code) for code in self.stacks.kinds}
        return {shared: words for shared, words in names.items() if shared is not None}

    @property
    def other_kinds(self) -> list[int]:
        """The kinds that have a colour of their own."""
        return [code for code in self.stacks.kinds if LIMIT_KINDS[code] not in _SHARED]


def make_companions(attractors: "xarray.Dataset", orbits: "xarray.Dataset", positions: Sequence[int]) -> Companions:
    """The companions of a diagram of orbits at these inputs; panels are left out for which no number is known."""
    attractors = by_step(attractors)
    same = [same_input(attractors, orbits, position) for position in positions]
    rates = [exponent_rates(attractors, same, 3), multiplier_rates(attractors, same)]
    known = [each for each in rates if any(np.isfinite(panel.value).any() for panel in each.panels)]
    return Companions(attractors, Stacks.of(attractors), known)
