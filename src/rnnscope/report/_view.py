"""One run as the plain data that its page is written from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.findings.endings import ending
from rnnscope.findings.kinds import KINDS
from rnnscope.findings.memory import Memory
from rnnscope.findings.memory_words import held_words
from rnnscope.findings.orbits import Headline, headline
from rnnscope.findings.reading import by_step, input_name, looked_at, loss_curve, only_input
from rnnscope.findings.sentences import leading, story_of, telling
from rnnscope.findings.series import epochs_of, kinds_of, last_metrics
from rnnscope.findings.tables import Table
from rnnscope.findings.words import count_inputs, coverage_words, metrics_words, number

if TYPE_CHECKING:
    import pandas
    import xarray

    from rnnscope.runs import Run

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class ToldTable:
    """A table of what a probe found, with what stands over and under it."""

    title: str
    table: Table
    under: str


@dataclass
class View:
    """What the page says of one run. ``figures`` are (name, caption) pairs, filled in by the writer."""

    name: str
    trained: str
    headline: Headline | None
    ending: str
    numbers: Rows
    sentences: list[str]
    first: list[ToldTable]
    inputs: list[dict[str, str]]
    input_label: str
    method: str
    settings: Rows
    provenance: Rows
    command: str
    metrics: str
    damaged: list[str]
    references: list[str]
    tables: list[ToldTable]
    limit_method: str
    figures: list[tuple[str, str]] = field(default_factory=list)


def view_of(run: "Run", found: "Mapping[str, xarray.Dataset]", summary: "xarray.Dataset | None") -> View:
    """Everything the page says of a run, but for the figures; without results only what training left behind.

    ``found`` are its results by the name of the probe, ``summary`` that of its orbits.
    """
    scalars, orbits, lead = run.scalars, found.get("orbits"), leading(found)
    known = summary is not None
    facts = None if summary is None else headline(summary, scalars)
    tables = {name: _told(name, data, scalars) for name, data in found.items()}
    return View(
        name=run.name,
        trained=_trained(run, summary),
        headline=facts,
        ending=_ending(lead.memory, facts),
        numbers=_numbers(lead.memory, facts, scalars),
        sentences=story_of(found, scalars),
        first=[tables.pop(name) for name in (lead.probe if lead.memory else "", "orbits") if name in tables],
        inputs=_input_rows(summary) if known else [],
        input_label=_input_label(summary) if known else "input",
        method=_method(orbits),
        settings=_flat(run.config),
        provenance=_flat({key: value for key, value in run.provenance.items() if key != "command"}),
        command=_command(run.provenance.get("command")),
        metrics=metrics_words(last_metrics(scalars)),
        damaged=list(run.damaged),
        references=[text for data in found.values() if (text := str(data.attrs.get("references", "")))],
        tables=list(tables.values()),
        limit_method=_limit_method(found.get("attractors")),
    )


def _told(name: str, found: "xarray.Dataset", scalars: "pandas.DataFrame") -> ToldTable:
    tell = telling(name)
    assert tell.table is not None
    table = tell.table(found, scalars)
    under = ". ".join(filter(None, [coverage_words(found), table.note, tell.reading]))
    return ToldTable(tell.title, table, under + "." if under else "")


def _ending(memory: Memory | None, facts: Headline | None) -> str:
    """What a run came to, for a cell of a table."""
    if memory is not None:
        return held_words(memory)
    if facts is None:
        return ""
    return facts.counts.words() + (f", at one input only: {facts.one_input}" if facts.one_input else "")


def _numbers(memory: Memory | None, facts: Headline | None, scalars: "pandas.DataFrame") -> Rows:
    """The few numbers that a page begins with, and what each of them is."""
    rows: Rows = []
    if memory is not None:
        group, since = memory.now, memory.phases[-1].first_epoch
        where = f"at one input only: {memory.one_input}" if memory.one_input else ""
        if memory.n_inputs > 1:
            where = f"at {count_inputs(len(group.inputs), memory.n_inputs)}"
        rows.append((held_words(memory), ", ".join(filter(None, ["in the end", where]))))
        if len(memory.phases) > 1:
            rows.append((f"epoch {since}", "since when" + (" seen" if memory.n_looked_at < memory.n_in_run else "")))
    if facts is not None:
        first = facts.first_oscillation
        seen = " seen" if facts.n_looked_at < facts.n_in_run else ""
        if memory is None:
            rows.append(_oscillating(facts))
        if memory is None or first is not None:
            rows.append(("never" if first is None else f"epoch {first}", f"first oscillation{seen}"))
    if facts is not None and facts.loss_first is not None and facts.loss_last is not None:
        rows.append((f"{number(facts.loss_first)} → {number(facts.loss_last)}", "loss, first → last epoch"))
    elif rows and facts is None and (curve := loss_curve(scalars)) is not None:
        rows.append((f"{number(curve[1][0])} → {number(curve[1][-1])}", "loss, first → last epoch"))
    if facts is not None and facts.frequency_error is not None:
        rows.append((f"{facts.frequency_error:.2g} %", "off the wanted frequency (median)"))
    return rows


def _oscillating(facts: Headline) -> tuple[str, str]:
    if facts.n_inputs == 1:
        mostly = "mostly " if facts.throughout.words() == "nothing" else ""
        where = f", at one input only: {facts.one_input}" if facts.one_input else ""
        return facts.counts.words(), f"{mostly}in the end{where}"
    mostly = "mostly " if facts.throughout.oscillates < facts.counts.oscillates else ""
    return f"{facts.counts.oscillates} of {facts.n_inputs}", f"inputs {mostly}oscillate in the end"


def _trained(run: "Run", summary: "xarray.Dataset | None") -> str:
    model, task, training = (_part(run.config, name) for name in ("model", "task", "training"))
    size, layers = model.get("hidden_size"), model.get("num_layers", 1)
    network = f"{_model_words(str(model['name']))} network" if "name" in model else "network"
    parts = [f"{_article(network)} {network}"]
    if size:
        parts += [f"of {layers} layers of {size} units" if layers != 1 else f"of {size} units"]
    parts += [f"trained on the task “{task['name']}”"] if "name" in task else ["recorded while it trained"]
    n_epochs = len(run.scalars) or training.get("n_epochs")
    parts += [f"for {n_epochs} epochs"] if n_epochs else []
    rate = training.get("learning_rate")
    parts += [f"at learning rate {rate:g}"] if isinstance(rate, int | float) else []
    text = " ".join(parts)
    text += f", seed {run.config['seed']}" if "seed" in run.config else ""
    if summary is not None:
        n_inputs = summary.sizes["input"]
        only = only_input(summary)
        inputs = f"{n_inputs} constant inputs" if n_inputs > 1 else f"one constant input only ({only})" if only else ""
        starts = summary.sizes["start"]
        parts = [inputs, f"{starts} start{'s' * (starts > 1)}" + " each" * (n_inputs > 1)]
        text += f". Looked at {_of_epochs(summary)}, {' and '.join(filter(None, parts))}"
    endings = {
        "running": "It is still training." if training else "Its recording is still open.",
        "interrupted": "Training was interrupted before its end.",
        "diverged": "Training stopped because the loss was no longer finite.",
    }
    return f"{text}. {endings.get(run.status, '')}".strip()


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    """A table of the settings; a plain value, as someone else's settings may have, is its name."""
    found = config.get(name) or {}
    return found if isinstance(found, dict) else {"name": found}


_ACRONYMS = {name.lower(): name for name in ("LSTM", "GRU", "RNN", "LRU", "coRNN", "minGRU")}


def _model_words(name: str) -> str:
    """The name of a model as it is written in a sentence; a name that rnnscope does not give stays as it is.

    >>> [_model_words(name) for name in ("lstm", "stable-rnn", "chaos-free", "MyNet")]
    ['LSTM', 'stable RNN', 'chaos-free', 'MyNet']
    """
    *before, last = name.split("-")
    return " ".join(["-".join(before)] * bool(before) + [_ACRONYMS[last]]) if last in _ACRONYMS else name


def _article(words: str) -> str:
    spelled = words[:2].isupper()  # an acronym: said letter by letter
    return "An" if words[0] in ("AEFHILMNORSX" if spelled else "AEIOUaeiou") else "A"


def _input_label(summary: "xarray.Dataset") -> str:
    if "input_value" not in summary.coords:
        return "input"
    attrs = summary.coords["input_value"].attrs
    units = str(attrs.get("units", ""))
    return str(attrs.get("long_name", "input")) + (f" ({units})" if units not in ("", "1") else "")


def _input_rows(summary: "xarray.Dataset") -> list[dict[str, str]]:
    """One row per input: what it does in the end, since when without a break, how often it oscillates, and how fast."""
    kinds, epochs, end = kinds_of(summary), epochs_of(summary), ending(summary)
    wanted = summary.coords["wanted_frequency"].values if "wanted_frequency" in summary.coords else None
    rows = []
    for at, kind in enumerate(end.kinds):
        breaks = np.flatnonzero(kinds[:, at] != kind)
        since = int(breaks[-1]) + 1 if breaks.size else 0
        row = {
            "input": input_name(summary, at),
            "kind": KINDS[kind],
            "mostly": "" if end.throughout[at] else "mostly ",
            "since": str(int(epochs[since])) if since < len(epochs) else "",
            "share": f"{100 * (kinds[:, at] == KINDS.index('oscillates')).mean():.0f} %",
            "learned": "",
            "range": "",
            "wanted": "" if wanted is None else f"{wanted[at]:.4f}",
            "error": "",
        }
        learned = end.frequency[at]
        if np.isfinite(learned):
            row["learned"] = f"{learned:.4f}"
            row["range"] = f"{end.lowest[at]:.4f} – {end.highest[at]:.4f}"
            if wanted is not None and wanted[at]:
                row["error"] = f"{100 * (learned - wanted[at]) / wanted[at]:+.2f} %"
        rows.append(row)
    return rows


def _of_epochs(data: "xarray.Dataset") -> str:
    """How many epochs were looked at, of how many."""
    n_looked_at, n_in_run = looked_at(by_step(data))
    if n_looked_at < n_in_run:
        return f"{n_looked_at} of {n_in_run} epochs"
    return f"{n_looked_at} epoch{'s' * (n_looked_at > 1)}"


def _method(orbits: "xarray.Dataset | None") -> str:
    if orbits is None:
        return ""
    try:
        settings = json.loads(str(orbits.attrs.get("settings", "{}"))).get("settings", {})
    except ValueError:
        settings = {}
    n_keep = settings.get("n_keep", orbits.sizes["time"])
    n_transient = settings.get("n_transient")
    text = "The weights of each epoch looked at are held fixed and the network is run with a constant input"
    if n_transient is not None:
        text += f" for {n_transient + n_keep} steps, of which the first {n_transient} are the transient and left out"
    n_inputs = orbits.sizes["input"]
    text += f"; the last {n_keep} are kept and drawn. This is done at {n_inputs} input{'s' * (n_inputs > 1)}, each from"
    text += f" {orbits.sizes['start']} starts that are the same at every epoch"
    text += f" ({settings['starts']})." if isinstance(settings.get("starts"), str) else "."
    return text


def _limit_method(attractors: "xarray.Dataset | None") -> str:
    if attractors is None:
        return ""
    n_inputs = attractors.sizes["input"]
    starts = f", from {attractors.sizes['start']} starts each" if "start" in attractors.sizes else ""
    return (
        f"Limit sets were looked for at {_of_epochs(attractors)} and {n_inputs} constant "
        f"input{'s' * (n_inputs > 1)}{starts}: a fixed point or cycle is confirmed by Newton’s method and by its "
        "multipliers |μ| < 1, all others by their Lyapunov exponents and by whether averages over two halves of an "
        "orbit agree. What could not be shown is undetermined. The shares are those of the starts, not of all states."
    )


def _flat(table: dict[str, Any], prefix: str = "") -> Rows:
    """Nested settings as (dotted name, value) rows."""
    rows: Rows = []
    for key, value in table.items():
        name = f"{prefix}{key}"
        rows += _flat(value, f"{name}.") if isinstance(value, dict) else [(name, _shown(value))]
    return rows


def _shown(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def _command(command: Any) -> str:
    return " ".join(map(str, command)) if isinstance(command, list | tuple) else str(command or "")
