"""rnnscope show RUN."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out, print_json

if TYPE_CHECKING:
    import xarray

    from rnnscope.report.story import Phase
    from rnnscope.runs import Run


def show(run: o.Run, *, json: o.Json = False, debug: o.Debug = False) -> None:
    """Say what is in a run and what happened in it."""
    from rnnscope.runs import Run

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
