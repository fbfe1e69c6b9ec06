"""rnnscope show RUN..."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rnnscope.cli import _options as o
from rnnscope.cli._results import found_table, phases_data, plain_table
from rnnscope.cli._terminal import named_warnings, out, print_json
from rnnscope.runs.advice import command, few_epochs

if TYPE_CHECKING:
    import xarray

    from rnnscope.base.intervals import Interval
    from rnnscope.report.comparison import Group
    from rnnscope.runs import Run


def show(runs: o.Runs, *, json: o.Json = False, debug: o.Debug = False) -> None:
    """Say what is in a run and what happened in it, or what several runs have in common."""
    from rnnscope.findings.reading import only_input
    from rnnscope.findings.sentences import leading, results_of, story_of
    from rnnscope.findings.words import metrics_words
    from rnnscope.runs import Run

    if len(runs) > 1:
        _show_several([Run(path) for path in runs], json=json)
        return
    (run,) = runs
    recorded = Run(run)
    with named_warnings():
        found = results_of(recorded)
        facts = _facts(recorded)
        story = story_of(found, recorded.scalars)
        if json:
            phases = {name: phases_data(recorded, name, dataset) for name, dataset in found.items()}
            happened = {"phases" if name == "orbits" else name: own for name, own in phases.items() if own}
            print_json({**facts, **happened, "story": story, "config": recorded.config, "damaged": recorded.damaged})
            return
        if metrics := facts.pop("metrics"):
            facts["last epoch"] = metrics_words(metrics)
        for name, value in facts.items():
            out.print(f"{name:>10}  {value}")
        if not found:
            epochs = recorded.epochs.tolist()
            out.print("\nnothing was probed yet; a first look, then what the attractors are:")
            for name in ("orbits", "attractors"):
                out.print(f"    {command('probe', name, run, *few_epochs(name, epochs))}")
        lead = leading(found).probe
        _print_tables(recorded, dict(sorted(found.items(), key=lambda named: named[0] != lead)))
        if story:
            out.print()
        for sentence in story:
            out.print(sentence)
        if any(only_input(dataset) for dataset in found.values()):
            for line in _other_inputs(recorded):
                out.print(line)


def _print_tables(run: "Run", found: "dict[str, xarray.Dataset]") -> None:
    """The tables one under the other; what they say of their epochs and inputs once, where it is the same."""
    made = (found_table(run, name, dataset) for name, dataset in found.items())
    tables = [table for table in made if table is not None]
    for at, table in enumerate(tables):
        following = tables[at + 1] if at + 1 < len(tables) else None
        if following is not None and table.caption == following.caption:
            table.caption = None
        out.print()
        out.print(table)


def _other_inputs(run: "Run") -> list[str]:
    """How to look at more than one input."""
    from rnnscope.base.errors import RnnscopeError

    try:
        width = run.template.input_size
    except RnnscopeError:
        width = 1
    rows = str([[0.0] * width, [1.0] * width]).replace(" ", "")
    given = command("probe", "orbits", run.path, "--set", f"inputs={rows}")
    if run.sequences is not None:
        return ["", "At other inputs the state may do something else:", f"    {given}"]
    return [
        "",
        "At other inputs the state may do something else. Give data that they are chosen from, and probe again:",
        f"    {command('data', run.path, '--sequences', 'u.npy')}",
        "or give the inputs:",
        f"    {given}",
    ]


def _show_several(runs: "list[Run]", *, json: bool) -> None:
    """A row for each network: medians over its seeds, with the interval under each."""
    from rnnscope.report import compare_runs

    with named_warnings():
        groups = compare_runs(runs)
    if json:
        print_json([asdict(group) for group in groups])
        return
    table = plain_table(
        *("network", "ended", "last loss", "inputs that\noscillate", "inputs that\nrest", "frequency\noff by"),
        "oscillate at half\nthe inputs or more",
    )
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
            (count + share.partition("\n")[2]).strip(),
        )
    out.print(table)
    _print_metrics(groups)
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


def _print_metrics(groups: "list[Group]") -> None:
    """A row for each network, a column for each metric of a task, where there are any."""
    names = list(dict.fromkeys(name for group in groups for name in group.metrics))
    if not names:
        return
    columns = (name.replace("_", "\n", 1).replace("_", " ") for name in names)
    table = plain_table("network", *columns, title="in the last epoch", title_justify="left")
    for group in groups:
        shown = (group.metrics.get(name) for name in names)
        table.add_row(group.label, *(_interval(each, group.n_ended, "{:.3g}") if each else "" for each in shown))
    out.print()
    out.print(table)


def _interval(interval: "Interval", n_usual: int, form: str) -> str:
    """A number with its interval under it, and from how many runs where these are not all."""
    if not interval.n:
        return ""
    of = f" (of {interval.n})" if interval.n != n_usual else ""
    ends = f"[{form.format(interval.low)}, {form.format(interval.high)}]" if interval.n > 1 else ""
    return f"{form.format(interval.value)}{of}\n{ends}".strip()


def _facts(run: "Run") -> dict[str, Any]:
    from rnnscope.findings.series import last_metrics

    tables = (run.config.get(key) for key in ("task", "model"))
    task, model = (table if isinstance(table, dict) else {} for table in tables)
    reason = run.ended.get("reason", "")
    return {
        "run": str(run.path),
        "status": run.status + (f" ({reason})" if reason else ""),
        "trained": f"{model.get('name', 'a network')} on {task.get('name', 'a task of its own')}",
        "epochs": f"{len(run.scalars)}, {len(run.steps)} snapshot{'s' * (len(run.steps) != 1)}",
        "created": run.provenance.get("created", "unknown"),
        "metrics": last_metrics(run.scalars),
    }
