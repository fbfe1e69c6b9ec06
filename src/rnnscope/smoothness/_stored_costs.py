"""How costs at many points are stored: those that are finite numbers, and a status that says which are."""

import numpy as np

from rnnscope.base.flags import Flags
from rnnscope.base.schema import Variable

STATUS = Flags(("finite", "not_finite"))
FINITE, NOT_FINITE = STATUS.codes


def cost_schema(dims: str, prefix: str = "") -> dict[str, Variable]:
    """The variables ``cost`` and ``status`` over these dimensions."""
    return {
        f"{prefix}cost": Variable(dims, "cost"),
        f"{prefix}status": Variable(dims, "whether the cost is a finite number", flags=STATUS),
    }


def cost_values(found: np.ndarray, prefix: str = "") -> dict[str, np.ndarray]:
    """Their values, with what is not finite as NaN."""
    finite = np.isfinite(found)
    status = np.where(finite, FINITE, NOT_FINITE).astype(np.int8)
    return {f"{prefix}cost": np.where(finite, found, np.nan), f"{prefix}status": status}
