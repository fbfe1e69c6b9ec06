"""What the command line tells of a probe's results: a table to read, and the same as plain data."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    import xarray

    from rnnscope.report.attractor_story import AttractorPhase, Group, LimitSet
    from rnnscope.report.point_story import PointGroup, PointPhase
    from rnnscope.report.story import Phase
    from rnnscope.runs import Run


def phases_data(run: "Run", name: str, dataset: "xarray.Dataset") -> list[dict[str, Any]]:
    """The phases of a training by what a probe found, as plain data."""
    if name == "orbits":
        from rnnscope.attractors import summarise_orbits
        from rnnscope.report import story

        return [asdict(phase) for phase in story.phases(summarise_orbits(dataset), run.scalars)]
    if name == "attractors":
        from rnnscope.report.attractor_story import attractor_phases

        return [asdict(phase) for phase in attractor_phases(dataset)]
    if name == "fixedpoints":
        from rnnscope.report.point_story import point_phases

        return [asdict(phase) for phase in point_phases(dataset)]
    return []


def phases_table(run: "Run", name: str, dataset: "xarray.Dataset") -> Table | None:
    """The same as a table; None where there is no table for this probe."""
    if name == "orbits":
        return _orbit_table(run, dataset)
    if name == "attractors":
        return _attractor_table(dataset)
    if name == "fixedpoints":
        return _point_table(dataset)
    if name == "lyapunov":
        return _exponent_table(dataset)
    return None


def _orbit_table(run: "Run", orbits: "xarray.Dataset") -> Table:
    """Epochs, what the state does at how many inputs, the loss."""
    from rnnscope.attractors import summarise_orbits
    from rnnscope.report import story

    table = _table("epochs", f"state at {orbits.sizes['input']} inputs", "loss", "holds for")
    for phase in story.phases(summarise_orbits(orbits), run.scalars):
        losses = (phase.loss_first, phase.loss_last)
        table.add_row(
            _epochs(phase),
            phase.counts.words(),
            "" if None in losses else " → ".join(story.number(loss) for loss in losses if loss is not None),
            _holds_for(phase),
        )
    return table


def _holds_for(phase: "Phase") -> str:
    """In what part of its epochs the counts are these, and between which numbers of oscillating inputs they vary."""
    least, most = phase.oscillates_least, phase.oscillates_most
    return f"{phase.share:.0%}" + (f", {least}–{most} oscillate" if least < most else "")


def _attractor_table(attractors: "xarray.Dataset") -> Table:
    """Epochs, inputs, and for each limit set there its kind, the starts that reach it, λ1, |μ1| or the frequency."""
    from rnnscope.report.attractor_story import attractor_phases

    n_inputs = attractors.sizes["input"]
    table = _table("epochs", "inputs", "limit set", "starts", "λ1 (nat/step)", "|μ1|, frequency (rad/step)")
    for phase in attractor_phases(attractors):
        epochs = _epochs(phase)
        for group in phase.groups:
            inputs = _inputs(group, n_inputs)
            for limit in group.sets:
                table.add_row(epochs, inputs, limit.words(), f"{limit.fraction:.0%}", _exponent(limit), _rest(limit))
                epochs = inputs = ""
    return table


def _point_table(points: "xarray.Dataset") -> Table:
    """Epochs, inputs, what there is, and the slowest time constant of a stable point."""
    from rnnscope.report.point_story import point_phases

    n_inputs = points.sizes["input"]
    table = _table("epochs", "inputs", "in reach", "slowest (steps)")
    for phase in point_phases(points):
        epochs = _epochs(phase)
        for group in phase.groups:
            slowest = "" if group.slowest != group.slowest else f"{group.slowest:.3g}"
            table.add_row(epochs, _inputs(group, n_inputs), group.words(), slowest)
            epochs = ""
    return table


def _exponent_table(lyapunov: "xarray.Dataset") -> Table:
    """At ten epochs at most: λ1 and λ2 over inputs and starts, the Kaplan-Yorke dimension, how many converged."""
    import numpy as np

    from rnnscope.figures._data import by_step, flags

    data = by_step(lyapunov)
    table = _table("epoch", "λ1 (nat/step)", "λ2", "Kaplan–Yorke dimension", "converged")
    converged = data["status"].values == flags(data["status"])["converged"]
    shown = np.unique(np.linspace(0, data.sizes["step"] - 1, min(10, data.sizes["step"])).round().astype(int))
    for step in shown.tolist():
        at = data.isel(step=step)
        exponents = [at["lyapunov_exponent"].isel(exponent=k).values for k in range(min(2, data.sizes["exponent"]))]
        table.add_row(
            str(int(at["epoch"])),
            *[_range(values) for values in exponents],
            *[""] * (2 - len(exponents)),
            _range(at["kaplan_yorke"].values, "{:.2f}"),
            f"{converged[step].sum()} of {converged[step].size}",
        )
    return table


def _range(values: Any, form: str = "{:.4f}") -> str:
    """From the least to the largest of what is known."""
    known = values[values == values]
    if not known.size:
        return "not known"
    low, high = (form.format(value + 0.0).replace("-", "−") for value in (known.min(), known.max()))
    return low if low == high else f"{low} … {high}"


def _inputs(group: "Group | PointGroup", n_inputs: int) -> str:
    """Which inputs, and in what part of the epochs these are exactly their sets."""
    if len(group.inputs) == n_inputs:
        words = "all" if n_inputs > 1 else f"{group.values[0]:.3g}"
    elif group.inputs[-1] - group.inputs[0] == len(group.inputs) - 1 > 0:
        words = f"{group.values[0]:.3g} … {group.values[-1]:.3g}"
    elif len(group.inputs) <= 3:
        words = ", ".join(f"{value:.3g}" for value in group.values)
    else:
        words = f"{len(group.inputs)} of {n_inputs}"
    return words if group.share > 0.995 else f"{words} ({group.share:.0%})"


def _exponent(limit: "LimitSet") -> str:
    """The median of λ1 with its standard error; where inputs differ by more, from the least to the largest."""
    low, high = limit.exponent_range
    if limit.exponent != limit.exponent:
        return ""
    if high - low > max(4 * limit.exponent_error, 5e-5):
        return f"{_signed(low)} … {_signed(high)}"
    error = f" ± {limit.exponent_error:.1g}" if limit.exponent_error > 0 else ""
    return _signed(limit.exponent) + error


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("-", "−") if abs(value) >= 5e-5 else "0.0000"


def _rest(limit: "LimitSet") -> str:
    if limit.frequency_range is not None and limit.kind != "cycle":
        low, high = (f"{value:.3g}" for value in limit.frequency_range)
        return low if low == high else f"{low} … {high}"
    return f"|μ1| = {limit.multiplier:.3f}" if limit.multiplier == limit.multiplier else ""


def _epochs(phase: "Phase | AttractorPhase | PointPhase") -> str:
    first, last = phase.first_epoch, phase.last_epoch
    return f"{first} – {last}" if first != last else str(first)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name)
    return table
