"""The kinds of limit sets, by number."""

FIXED_POINT, CYCLE, CLOSED_CURVE, TORUS, CHAOS, CONTINUUM, DIVERGENCE, UNDETERMINED = range(8)
KINDS = (
    "fixed_point", "cycle", "closed_curve", "torus", "chaos", "continuum", "divergence", "undetermined",
)  # fmt: skip

NONE, APPROACHING, SLOW, IRREGULAR, NEUTRAL, ALIKE = range(6)
DOUBTS = (
    "none", "still_on_its_way", "averages_not_converged", "moving_irregularly,_not_settled",
    "neutral,_or_attracting_too_slowly_to_be_seen", "hardly_apart_from_another_set",
)  # fmt: skip
"""Why a set is undetermined."""
