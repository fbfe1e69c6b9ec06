"""Probes of the cost: how rough it is around a θ, along lines and planes, and how that grows with length."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.smoothness.curvature import GaussNewtonOperator as GaussNewtonOperator
    from rnnscope.smoothness.curvature import HessianOperator as HessianOperator
    from rnnscope.smoothness.curvature import top_eigenpairs as top_eigenpairs
    from rnnscope.smoothness.growth import Growth as Growth
    from rnnscope.smoothness.landscape import Landscape as Landscape
    from rnnscope.smoothness.landscape import TrainingPath as TrainingPath
    from rnnscope.smoothness.landscape import line as line
    from rnnscope.smoothness.landscape import line_orbits as line_orbits
    from rnnscope.smoothness.landscape import plane as plane
    from rnnscope.smoothness.objective import Objective as Objective
    from rnnscope.smoothness.objective import cost as cost
    from rnnscope.smoothness.points import costs as costs
    from rnnscope.smoothness.roughness import Roughness as Roughness
    from rnnscope.smoothness.roughness import line_roughness as line_roughness
    from rnnscope.smoothness.sensitivity import sensitivities as sensitivities
    from rnnscope.smoothness.smoothness import Smoothness as Smoothness
    from rnnscope.smoothness.words import sentences as sentences
    from rnnscope.smoothness.words import verdict as verdict

PROBES = {
    "smoothness": "smoothness.Smoothness",
    "growth": "growth.Growth",
    "landscape": "landscape.Landscape",
    "roughness": "roughness.Roughness",
}
"""Where the class of each probe is, by the name of the probe: its only registration."""

_HOMES = {
    **{cls: module for module, cls in (home.rsplit(".", 1) for home in PROBES.values())},
    "GaussNewtonOperator": "curvature",
    "HessianOperator": "curvature",
    "Objective": "objective",
    "TrainingPath": "landscape",
    "cost": "objective",
    "costs": "points",
    "line": "landscape",
    "line_orbits": "landscape",
    "plane": "landscape",
    "line_roughness": "roughness",
    "sensitivities": "sensitivity",
    "sentences": "words",
    "top_eigenpairs": "curvature",
    "verdict": "words",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
