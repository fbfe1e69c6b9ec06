"""The kinds of limit sets, by number."""

from rnnscope.base.flags import Flags

KIND = Flags(("fixed_point", "cycle", "closed_curve", "torus", "chaos", "continuum", "divergence", "undetermined"))
KINDS = KIND.words
FIXED_POINT, CYCLE, CLOSED_CURVE, TORUS, CHAOS, CONTINUUM, DIVERGENCE, UNDETERMINED = KIND.codes

DOUBT = Flags((
    "none", "still_on_its_way", "averages_not_converged", "moving_irregularly,_not_settled",
    "neutral,_or_attracting_too_slowly_to_be_seen", "hardly_apart_from_another_set",
))  # fmt: skip
NONE, APPROACHING, SLOW, IRREGULAR, NEUTRAL, ALIKE = DOUBT.codes
"""Why a set is undetermined."""
