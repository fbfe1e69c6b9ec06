"""rnnscope show RUN..."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out, print_json

if TYPE_CHECKING:
    import xarray

    from rnnscope.base.intervals import Interval
    from rnnscope.report.story import Phase
    from rnnscope.runs import Run


def show(runs: o.Runs, *, json: o.Json = False, debug: o.Debug = False) -> None:
    """Say what is in a run and what happened in it, or what several runs have in common."""
    from rnnscope.runs import Run

    if len(runs) > 1:
        _show_several([Run(path) for path in runs], json=json)
        return
    (run,) = runs
    recorded = Run(run)
    with named_warnings():
        orbits = _stored_orbits(recorded)
        facts = _facts(recorded)
        if json:
            happened = {"phases": phases_data(recorded, orbits), "story": _story(recorded, orbits)} if orbits else {}
            print_json({**facts, **happened, "config": recorded.config, "damaged": recorded.damaged})
            return
        for name, value in facts.items():
            out.print(f"{name:>10}  {value}")
        if orbits is None:
            out.print(f"\nnothing was probed yet: rnnscope probe orbits {run}")
            return
        out.print()
        out.print(phases_table(recorded, orbits))
        for sentence in _story(recorded, orbits):
            out.print(sentence)


def _show_several(runs: "list[Run]", *, json: bool) -> None:
    """A row for each network: medians over its seeds, with the interval under each."""
    from rnnscope.report import compare_runs

    with named_warnings():
        groups = compare_runs(runs)
    if json:
        print_json([asdict(group) for group in groups])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("network", "ended", "last loss", "inputs that\noscillate", "inputs that\nrest", "frequency\noff by"):
        table.add_column(column)
    table.add_column("oscillate at half\nthe inputs or more")
    for group in groups:
        n = group.n_ended
        runs_that_do = group.oscillating_runs
        share = _interval(runs_that_do, n, "{:.0%}") if runs_that_do.n else ""
        count = f"{round(runs_that_do.value * runs_that_do.n)} of {runs_that_do.n}\n" if runs_that_do.n else ""
        table.add_row(
            group.label,
            f"{n} of {len(group.runs)}" + (f"\n{group.n_diverged} diverged" if group.n_diverged else ""),
            _interval(group.final_loss, n, "{:.3g}"),
            _interval(group.oscillating, n, "{:.0%}"),
            _interval(group.resting, n, "{:.0%}"),
            _interval(group.frequency_error, n, "{:.2g} %"),
            count + share.partition("\n")[2],
        )
    out.print(table)
    for group in groups:
        loss, share = group.final_loss, group.oscillating_runs
        if loss.n > 1:
            out.print(
                f"{group.label}: medians of {loss.n} seeds; the median over all seeds lies in […] with "
                f"{loss.coverage:.0%} confidence" + (f", the share of seeds with {share.coverage:.0%}" * bool(share.n))
            )
        if group.n_unfinished:
            out.print(f"{group.label}: {group.n_unfinished} not trained to the end, and left out")
        for remark in group.remarks:
            out.print(f"{group.label}: {remark}")


def _interval(interval: "Interval", n_usual: int, form: str) -> str:
    """A number with its interval under it, and from how many runs where these are not all."""
    if not interval.n:
        return ""
    of = f" (of {interval.n})" if interval.n != n_usual else ""
    ends = f"[{form.format(interval.low)}, {form.format(interval.high)}]" if interval.n > 1 else ""
    return f"{form.format(interval.value)}{of}\n{ends}".strip()


def _stored_orbits(run: "Run") -> "xarray.Dataset | None":
    """The run's orbits; None, after a warning, where they were measured but no file can be read."""
    from rnnscope.base.errors import RunError

    try:
        return run.dataset("orbits") if run.has("orbits") else None
    except RunError:
        return None


def phases_data(run: "Run", orbits: "xarray.Dataset") -> list[dict[str, Any]]:
    """The phases of a training as plain data."""
    from rnnscope.attractors import summarise_orbits
    from rnnscope.report import story

    return [asdict(phase) for phase in story.phases(summarise_orbits(orbits), run.scalars)]


def phases_table(run: "Run", orbits: "xarray.Dataset") -> Table:
    """The phases of a training as a table: epochs, what the state does at how many inputs, the loss."""
    from rnnscope.attractors import summarise_orbits
    from rnnscope.report import story

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("epochs")
    table.add_column(f"state at {orbits.sizes['input']} inputs")
    table.add_column("loss")
    table.add_column("holds for")
    for phase in story.phases(summarise_orbits(orbits), run.scalars):
        first, last = phase.first_epoch, phase.last_epoch
        losses = (phase.loss_first, phase.loss_last)
        table.add_row(
            f"{first} – {last}" if first != last else str(first),
            phase.counts.words(),
            "" if None in losses else " → ".join(story.number(loss) for loss in losses if loss is not None),
            _holds_for(phase),
        )
    return table


def _holds_for(phase: "Phase") -> str:
    """In what part of its epochs the counts are these, and between which numbers of oscillating inputs they vary."""
    least, most = phase.oscillates_least, phase.oscillates_most
    return f"{phase.share:.0%}" + (f", {least}–{most} oscillate" if least < most else "")


def _story(run: "Run", orbits: "xarray.Dataset") -> list[str]:
    from rnnscope.attractors import summarise_orbits
    from rnnscope.report import story

    return story.sentences(summarise_orbits(orbits), run.scalars)


def _facts(run: "Run") -> dict[str, Any]:
    tables = (run.config.get(key) for key in ("task", "model"))
    task, model = (table if isinstance(table, dict) else {} for table in tables)
    reason = run.ended.get("reason", "")
    return {
        "run": str(run.path),
        "status": run.status + (f" ({reason})" if reason else ""),
        "trained": f"{model.get('name', 'a network')} on {task.get('name', 'a task of its own')}",
        "epochs": f"{len(run.scalars)}, {len(run.steps)} snapshots",
        "created": run.provenance.get("created", "unknown"),
    }
