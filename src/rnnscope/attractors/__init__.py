"""Probes of the map: what the state settles to when the input is held."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.attractors._points import Multipliers as Multipliers
    from rnnscope.attractors._points import distinct_points as distinct_points
    from rnnscope.attractors._points import least_periods as least_periods
    from rnnscope.attractors._points import multipliers_at as multipliers_at
    from rnnscope.attractors._search import FixedPointSearch as FixedPointSearch
    from rnnscope.attractors._search import find_fixed_points as find_fixed_points
    from rnnscope.attractors._spectrum import Spectrum as Spectrum
    from rnnscope.attractors._spectrum import kaplan_yorke as kaplan_yorke
    from rnnscope.attractors._spectrum import lyapunov_spectrum as lyapunov_spectrum
    from rnnscope.attractors._starts import chosen_starts as chosen_starts
    from rnnscope.attractors._tabulate import kind_names as kind_names
    from rnnscope.attractors.attractors import Attractors as Attractors
    from rnnscope.attractors.fixedpoints import FixedPoints as FixedPoints
    from rnnscope.attractors.lyapunov import Lyapunov as Lyapunov
    from rnnscope.attractors.orbits import Orbits as Orbits
    from rnnscope.attractors.summary import summarise_orbits as summarise_orbits
    from rnnscope.attractors.zero_one import zero_one_test as zero_one_test

_HOMES = {
    "Attractors": "attractors",
    "FixedPointSearch": "_search",
    "FixedPoints": "fixedpoints",
    "Lyapunov": "lyapunov",
    "Multipliers": "_points",
    "Orbits": "orbits",
    "Spectrum": "_spectrum",
    "chosen_starts": "_starts",
    "distinct_points": "_points",
    "find_fixed_points": "_search",
    "kind_names": "_tabulate",
    "kaplan_yorke": "_spectrum",
    "least_periods": "_points",
    "lyapunov_spectrum": "_spectrum",
    "multipliers_at": "_points",
    "summarise_orbits": "summary",
    "zero_one_test": "zero_one",
}
PROBES = {"orbits": "Orbits", "attractors": "Attractors", "fixedpoints": "FixedPoints", "lyapunov": "Lyapunov"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
