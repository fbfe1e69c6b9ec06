"""What the command line tells of a probe's results: a table to read, and the same as plain data."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    import xarray

    from rnnscope.report.point_story import PointPhase
    from rnnscope.report.story import Phase
    from rnnscope.runs import Run

_MANY_UNSEEN = 0.01  # of the searches


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
    """The same as a table, under which it says what was not looked at; None where there is none for this probe."""
    from rnnscope.report._series import coverage_words

    if name == "orbits":
        table = _orbit_table(run, dataset)
    elif name == "attractors":
        table = _attractor_table(dataset)
    elif name == "fixedpoints":
        table = _point_table(dataset)
    elif name == "lyapunov":
        table = _exponent_table(dataset)
    else:
        return None
    further = {"fixedpoints": _unseen_words, "attractors": _undetermined_words}
    said = [coverage_words(dataset), further[name](dataset) if name in further else ""]
    table.caption, table.caption_justify = "; ".join(filter(None, said)) or None, "left"
    return table


def _orbit_table(run: "Run", orbits: "xarray.Dataset") -> Table:
    """Epochs, what the state does at how many inputs, the loss."""
    from rnnscope.attractors import summarise_orbits
    from rnnscope.report import story

    n_inputs = orbits.sizes["input"]
    table = _table("epochs", f"state at {n_inputs} inputs" if n_inputs > 1 else "state", "loss", "holds for")
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
    varies = "" if least == most else ", oscillates at times" if most == 1 else f", {least}–{most} oscillate"
    return f"{phase.share:.0%}" + varies


def _attractor_table(attractors: "xarray.Dataset") -> Table:
    """Epochs, inputs, and for each limit set there its kind, the starts that reach it, λ1, |μ1| or the frequency."""
    from rnnscope.report._attractor_rows import COLUMNS, attractor_rows

    table = _table(*COLUMNS)
    for row in attractor_rows(attractors):
        table.add_row(row.epochs, row.inputs, row.limit, row.starts, row.exponent, row.rest)
    return table


def _undetermined_words(attractors: "xarray.Dataset") -> str:
    """How to run on what is undetermined."""
    from rnnscope.findings.reading import flags

    if not (attractors["kind"].values == flags(attractors["kind"])["undetermined"]).any():
        return ""
    settings = json.loads(attractors.attrs["settings"])["settings"] if "settings" in attractors.attrs else {}
    more = settings.get("n_extensions", 2) + 1
    return f"what is undetermined is run on, four times as long, with --set n_extensions={more}"


def _unseen_words(points: "xarray.Dataset") -> str:
    """Where many searches would lead to points that none has found."""
    if "unseen_share" not in points:
        return ""
    share, error = (points[f"unseen_{name}"].values.ravel() for name in ("share", "error"))
    worst = int(share.argmax())
    if share[worst] - 2 * error[worst] < _MANY_UNSEEN:
        return ""
    return (
        f"not all were found: up to {share[worst]:.0%} ± {error[worst]:.0%} of searches would lead to another point; "
        "--set unseen=0 --set n_starts=… searches on"
    )


def _point_table(points: "xarray.Dataset") -> Table:
    """Epochs, inputs, what there is, and the slowest time constant of a stable point."""
    from rnnscope.findings.reading import are_scalar
    from rnnscope.report._attractor_rows import inputs_words
    from rnnscope.report.point_story import point_phases

    n_inputs = points.sizes["input"]
    table = _table("epochs", "inputs", "in reach", "slowest (steps)")
    for phase in point_phases(points):
        epochs = _epochs(phase)
        for group in phase.groups:
            slowest = "" if group.slowest != group.slowest else f"{group.slowest:.3g}"
            table.add_row(epochs, inputs_words(group, n_inputs, scalar=are_scalar(points)), group.words(), slowest)
            epochs = ""
    return table


def _exponent_table(lyapunov: "xarray.Dataset") -> Table:
    """At ten epochs at most: λ1 and λ2 over inputs and starts, the Kaplan-Yorke dimension, how many converged."""
    import numpy as np

    from rnnscope.findings.reading import by_step, flags

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


def _epochs(phase: "Phase | PointPhase") -> str:
    first, last = phase.first_epoch, phase.last_epoch
    return f"{first} – {last}" if first != last else str(first)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name)
    return table
