"""What probes of the cost found, in plain words."""

import math
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.smoothness._laws import BOUNDED, EXPONENTIAL, LAWS, POLYNOMIAL

if TYPE_CHECKING:
    import xarray

_NAMES = {
    "output_sensitivity": "sensitivity ‖∂ŷ_N/∂θ‖",
    "gauss_newton": "Gauss-Newton eigenvalue",
    "gradient": "gradient ‖∇V_N‖",
    "hessian": "Hessian ‖∇²V_N‖",
}
_AT_ZERO = 0.005  # 1/step: how close to zero a finite orbit's exponent of a limit cycle comes


def sentences(name: str, found: "xarray.Dataset") -> list[str]:
    """What a result of the probe called ``name`` says, one line each; of several epochs the last."""
    last = found.isel(step=-1) if "step" in found.dims else found
    at = f"at epoch {int(last['epoch'])}: " if "epoch" in last.coords else ""
    return {"growth": _growth, "roughness": _roughness, "smoothness": _smoothness, "landscape": _landscape}[name](
        last, at
    )


def verdict(growth: "xarray.Dataset") -> str:
    """The regime that a result of ``Growth`` shows, with its interval, compared with the largest Lyapunov exponent.

    The regime is that of the output's sensitivity, the exponent a second measurement of the same thing; where the two
    disagree, it says so.

    Args:
        growth: result of ``Growth`` for one network.

    Raises:
        ValueError: several epochs at once.

    """
    if "step" in growth.dims:
        raise ValueError(
            "growth: expected the result for one network, such as found.isel(step=-1), came several epochs"
        )
    first = growth.sel(quantity="output_sensitivity")
    law = int(first["law"])
    exponent, (low, high) = float(growth["lyapunov_mean"]), growth["lyapunov_interval"].values
    if not math.isfinite(exponent):
        return _without_exponent(growth)
    lyapunov = f"λ1 = {exponent:.3f} ({low:.3f} to {high:.3f})"
    sign = "positive" if low > _AT_ZERO else "negative" if high < -_AT_ZERO else "zero"
    if law == EXPONENTIAL:
        rate, (below, above) = float(first["rate"]), first["rate_interval"].values
        text = f"exponential growth: the output's sensitivity grows like e^(rN), r = {rate:.3f}"
        text += f" ({below:.3f} to {above:.3f})"
        agree = below <= high + 0.02 and above >= low - 0.02
        text += f"; {lyapunov} {'agrees: chaos' if agree and sign == 'positive' else 'does not agree'}."
        ratio = float(growth["rate_ratio"])
        if math.isfinite(ratio):
            a, b = growth["rate_ratio_interval"].values
            text += (
                f" The Gauss-Newton eigenvalue grows {ratio:.2f} ({a:.2f} to {b:.2f}) times as fast: "
                "clipping the gradient leaves a curvature that explodes."
            )
        return text
    if law == POLYNOMIAL:
        power, (below, above) = float(first["power"]), first["power_interval"].values
        curved = growth.sel(quantity="gauss_newton")
        text = f"polynomial growth: the output's sensitivity grows like N^{power:.2f} ({below:.2f} to {above:.2f})"
        if int(curved["law"]) == POLYNOMIAL:
            text += f", the Gauss-Newton eigenvalue like N^{float(curved['power']):.2f}"
        agrees = "agrees: a limit cycle or another marginal motion" if sign == "zero" else "does not agree"
        return f"{text}; {lyapunov} {agrees}."
    if law == BOUNDED:
        agrees = "agrees: the motion contracts" if sign == "negative" else (
            "does not agree: longer lengths may tell"
        )  # fmt: skip
        return f"bounded: the output's sensitivity does not grow with N; {lyapunov} {agrees}."
    share = float(first["law_share"])
    return f"undetermined: no law holds in 90 % of the resamples (the commonest in {share:.0%}); {lyapunov}."


def _without_exponent(growth: "xarray.Dataset") -> str:
    """The regime where λ1 is not a number, so that nothing can be said of whether the two agree."""
    if not growth["output_sensitivity"].values.any():
        text = "no growth: the output does not depend on the parameters at all, every derivative is zero"
    else:
        law = LAWS[int(growth["law"].sel(quantity="output_sensitivity"))]
        text = f"the growth of the output's sensitivity with N is {law}"
    starts = np.isfinite(growth["lyapunov"].values)
    return (
        f"{text}; λ1 cannot be told from {(~starts).sum()} of {starts.size} starts: there a difference between two "
        "states vanishes altogether (as where every unit is off), or goes beyond all numbers."
    )


def _growth(found: "xarray.Dataset", at: str) -> list[str]:
    lines = [f"{at}{verdict(found)}"]
    for quantity, name in _NAMES.items():
        chosen = found.sel(quantity=quantity)
        law = int(chosen["law"])
        values = found[quantity].median("start").values
        said = LAWS[law]
        if law == EXPONENTIAL:
            low, high = chosen["rate_interval"].values
            said += f" e^({float(chosen['rate']):.4f} N), {low:.4f} to {high:.4f}"
        elif law == POLYNOMIAL:
            low, high = chosen["power_interval"].values
            said += f" N^{float(chosen['power']):.2f}, {low:.2f} to {high:.2f}"
        n = found["length"].values
        if not found[quantity].values.any():
            lines.append(f"  {name}: zero at every length")
            continue
        lines.append(f"  {name}: {said}; median {values[0]:.3g} at N = {n[0]}, {values[-1]:.3g} at N = {n[-1]}")
    return lines


def _roughness(found: "xarray.Dataset", at: str) -> list[str]:
    lines = []
    for n in found["length"].values:
        row = found.sel(length=n)
        counts = row["n_minima"].values
        line = f"{at}N = {n}: {counts[0]} local minima on {found.sizes['point']} points"
        if np.isfinite(float(row["median_distance"])):
            line += f", median distance {float(row['median_distance']):.3g}, depth {float(row['median_depth']):.3g}"
        if int(row["resolution"]):
            grids = zip(found["stride"].values[1:], counts[1:], strict=True)
            fewer = ", ".join(f"{count} with 1 in {stride}" for stride, count in grids)
            line += f"; the grid is too coarse to count them ({fewer})"
        lines.append(line)
    return lines


def _smoothness(found: "xarray.Dataset", at: str) -> list[str]:
    value, residual = float(found["hessian_eigenvalue"][0]), float(found["hessian_residual"][0])
    curvature = f"{value:.3g} (residual {residual:.1e})" if math.isfinite(value) else "not converged"
    logs = found["log_state_sensitivity"].values / math.log(10)
    spread = f"10^{np.median(logs):.1f} (10^{logs.min():.1f} to 10^{logs.max():.1f})"
    return [
        f"{at}cost {float(found['cost']):.3g}, ‖∇V‖ {float(found['gradient_norm']):.3g}, "
        f"largest Hessian eigenvalue {curvature}, "
        f"‖∂x[T]/∂x[0]‖ {spread} at T = {int(found['length'])}"
    ]


def _landscape(found: "xarray.Dataset", at: str) -> list[str]:
    values = found["cost"].values
    masked = int((~np.isfinite(values)).sum())
    known = values[np.isfinite(values)]
    span = f"{known.min():.3g} to {known.max():.3g}" if known.size else "nowhere finite"
    lines = [f"cost on a plane of {values.shape[1]} × {values.shape[0]} points: {span}, {masked} of them not finite"]
    if "path_cost" in found:
        share = found["explained_variance"].values
        lines.append(
            f"the plane explains {share.sum():.1%} of the path's squared distances ({share[0]:.1%} + {share[1]:.1%}); "
            f"snapshots are up to {float(found['out_of_plane'].max()):.3g} out of it, "
            f"on a way of {float(found['path_distance'][-1]):.3g}"
        )
    else:
        lines[0] = at + lines[0]
    return lines
