"""The kinds of limit sets, by number."""

FIXED_POINT, CYCLE, CLOSED_CURVE, TORUS, CHAOS, CONTINUUM, DIVERGENCE, UNDETERMINED = range(8)
KINDS = (
    "fixed_point", "cycle", "closed_curve", "torus", "chaos", "continuum", "divergence", "undetermined",
)  # fmt: skip
