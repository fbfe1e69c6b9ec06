"""The leading Lyapunov exponents at the input chosen: where small differences grow, die out, or neither."""

from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures.tracks import Track, View
from rnnscope.figures.tracks._rates import LIMIT_ROLES, Rates, rates_track
from rnnscope.findings.kinds import limit_codes
from rnnscope.findings.reading import by_step, flags

if TYPE_CHECKING:
    import xarray

SOURCES = ("attractors", "lyapunov")
_STATUS_ROLES = {"converged": "converged", "not_converged": "not converged", "diverged": "diverged"}


def track(found: "xarray.Dataset", view: View) -> Track:
    """The exponents of a result of ``Attractors`` (by attractor) or of ``Lyapunov`` (by start)."""
    data = by_step(found)
    of_sets = "kind" in data
    member = "attractor" if of_sets else "start"
    require(
        {"lyapunov_exponent", "lyapunov_error"} <= {*data.data_vars} and member in data["lyapunov_exponent"].dims,
        "exponents", "a result of the probe attractors or lyapunov", sorted(map(str, data.data_vars)),
    )  # fmt: skip
    n, dims = view.settings.get("n_exponents", 3), ("step", "input", member, "exponent")
    values, errors = (data[f"lyapunov_{name}"].transpose(*dims).values[..., :n] for name in ("exponent", "error"))
    names = tuple(f"λ{k + 1}" for k in range(values.shape[-1]))
    words = " ≥ ".join(names) if len(names) < 4 else f"λ1 … λ{len(names)}"
    alone = view.settings.get("alone")
    label = f"{words} (nat/step)" if alone else "nat/step" if view.paper else f"{words}\n(nat/step)"
    rates = Rates(
        data, values, errors, limit_codes(data) if of_sets else _by_status(data),
        LIMIT_ROLES if of_sets else _STATUS_ROLES, names, 0.0, label,
    )  # fmt: skip
    if alone:
        return rates_track(rates, view, lambda input_words: input_words, height=1.05 if view.paper else 1.4)
    return rates_track(rates, view, lambda input_words: f"{words} at {input_words}")


def _by_status(data: "xarray.Dataset") -> np.ndarray:
    """Positions in the status roles (step, input, start)."""
    status = data["status"].transpose("step", "input", "start").values
    meaning = flags(data["status"])
    return np.select([status == meaning["converged"], status == meaning["diverged"]], [0, 2], 1)
