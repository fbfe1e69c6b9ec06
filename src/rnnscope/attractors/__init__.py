"""Probes of the map: what the state settles to when the input is held."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.attractors.attractors import Attractors as Attractors
    from rnnscope.attractors.fixedpoints import FixedPoints as FixedPoints
    from rnnscope.attractors.limit_sets.table import kind_names as kind_names
    from rnnscope.attractors.lyapunov import Lyapunov as Lyapunov
    from rnnscope.attractors.numerics.exponents import Spectrum as Spectrum
    from rnnscope.attractors.numerics.exponents import kaplan_yorke as kaplan_yorke
    from rnnscope.attractors.numerics.exponents import lyapunov_spectrum as lyapunov_spectrum
    from rnnscope.attractors.numerics.multipliers import Multipliers as Multipliers
    from rnnscope.attractors.numerics.multipliers import multipliers_at as multipliers_at
    from rnnscope.attractors.numerics.newton import FixedPointSearch as FixedPointSearch
    from rnnscope.attractors.numerics.newton import find_fixed_points as find_fixed_points
    from rnnscope.attractors.numerics.newton import least_periods as least_periods
    from rnnscope.attractors.numerics.zero_one import zero_one_test as zero_one_test
    from rnnscope.attractors.orbits import Orbits as Orbits
    from rnnscope.attractors.points.distinct import distinct_points as distinct_points
    from rnnscope.attractors.starts import chosen_starts as chosen_starts
    from rnnscope.attractors.summary import summarise_orbits as summarise_orbits

PROBES = {
    "orbits": "orbits.Orbits",
    "attractors": "attractors.Attractors",
    "fixedpoints": "fixedpoints.FixedPoints",
    "lyapunov": "lyapunov.Lyapunov",
}
"""Where the class of each probe is, by the name of the probe: its only registration."""

_HOMES = {
    **{cls: module for module, cls in (home.rsplit(".", 1) for home in PROBES.values())},
    "FixedPointSearch": "numerics.newton",
    "Multipliers": "numerics.multipliers",
    "Spectrum": "numerics.exponents",
    "chosen_starts": "starts",
    "distinct_points": "points.distinct",
    "find_fixed_points": "numerics.newton",
    "kaplan_yorke": "numerics.exponents",
    "kind_names": "limit_sets.table",
    "least_periods": "numerics.newton",
    "lyapunov_spectrum": "numerics.exponents",
    "multipliers_at": "numerics.multipliers",
    "summarise_orbits": "summary",
    "zero_one_test": "numerics.zero_one",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
