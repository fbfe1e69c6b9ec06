"""One run as the plain data that its page is written from."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.report import story
from rnnscope.report._series import KINDS, WINDOW, counts_of, epochs_of, kinds_of

if TYPE_CHECKING:
    import xarray

    from rnnscope.runs import Run

Rows = list[tuple[str, str]]


@dataclass
class View:
    """What the page says of one run. ``figures`` are (name, caption) pairs, filled in by the writer."""

    name: str
    path: str
    status: str
    trained: str
    headline: story.Headline | None
    sentences: list[str]
    phases: list[dict[str, str]]
    inputs: list[dict[str, str]]
    input_label: str
    method: str
    settings: Rows
    provenance: Rows
    command: str
    damaged: list[str]
    references: str
    figures: list[tuple[str, str]] = field(default_factory=list)


def view_of(run: "Run", orbits: "xarray.Dataset | None", summary: "xarray.Dataset | None") -> View:
    """Everything the page says of a run, but for the figures; without orbits only what training left behind."""
    scalars = run.scalars
    known = summary is not None
    attrs = orbits.attrs if orbits is not None else {}
    return View(
        name=run.name,
        path=run.path.name,
        status=run.status,
        trained=_trained(run, summary),
        headline=story.headline(summary, scalars) if known else None,
        sentences=story.sentences(summary, scalars) if known else [],
        phases=[_phase_row(phase) for phase in story.phases(summary, scalars)] if known else [],
        inputs=_input_rows(summary) if known else [],
        input_label=_input_label(summary) if known else "input",
        method=_method(orbits),
        settings=_flat(run.config),
        provenance=_flat({key: value for key, value in run.provenance.items() if key != "command"}),
        command=_command(run.provenance.get("command")),
        damaged=list(run.damaged),
        references=str(attrs.get("references", "")),
    )


def _trained(run: "Run", summary: "xarray.Dataset | None") -> str:
    model, task, training = (run.config.get(part) or {} for part in ("model", "task", "training"))
    size = model.get("hidden_size")
    network = f"{str(model['name']).upper()} network" if "name" in model else "network"
    article = "An" if network[0] in "AEIOLRMN" and network[0].isupper() else "A"
    parts = [f"{article} {network}" + (f" of {size} units" if size else "")]
    parts += [f"trained on the task “{task['name']}”"] if "name" in task else ["recorded while it trained"]
    n_epochs = len(run.scalars) or training.get("n_epochs")
    parts += [f"for {n_epochs} epochs"] if n_epochs else []
    rate = training.get("learning_rate")
    parts += [f"at learning rate {rate:g}"] if isinstance(rate, int | float) else []
    text = " ".join(parts)
    text += f", seed {run.config['seed']}" if "seed" in run.config else ""
    if summary is not None:
        text += f". Looked at {summary.sizes.get('step', 1)} epochs, {summary.sizes['input']} constant inputs"
        text += f" and {summary.sizes['start']} starts each"
    endings = {
        "running": "It is still training.",
        "interrupted": "Training was interrupted before its end.",
        "diverged": "Training stopped because the loss was no longer finite.",
    }
    return f"{text}. {endings.get(run.status, '')}".strip()


def _phase_row(phase: story.Phase) -> dict[str, str]:
    same = phase.first_epoch == phase.last_epoch
    loss = ""
    if phase.loss_first is not None and phase.loss_last is not None:
        first, last = story.number(phase.loss_first), story.number(phase.loss_last)
        loss = last if same else f"{first} → {last}"
    return {
        "epochs": str(phase.first_epoch) if same else f"{phase.first_epoch} – {phase.last_epoch}",
        "counts": phase.counts.words(),
        "remark": phase.remark(),
        "loss": loss,
    }


def _input_label(summary: "xarray.Dataset") -> str:
    if "input_value" not in summary.coords:
        return "input"
    attrs = summary.coords["input_value"].attrs
    units = str(attrs.get("units", ""))
    return str(attrs.get("long_name", "input")) + (f" ({units})" if units not in ("", "1") else "")


def _input_rows(summary: "xarray.Dataset") -> list[dict[str, str]]:
    """One row per input: what it does at the end, since when, how often, and how fast."""
    kinds = kinds_of(summary)
    epochs, _ = counts_of(summary)
    frequency = summary["frequency"]
    frequency = frequency if "step" in frequency.dims else frequency.expand_dims("step")
    order = np.argsort(epochs_of(summary), kind="stable")[-WINDOW:]
    learned = frequency.transpose("input", "step", "start").values[:, order]
    wanted = summary.coords["wanted_frequency"].values if "wanted_frequency" in summary.coords else None
    rows = []
    for at in range(kinds.shape[1]):
        codes = kinds[:, at]
        at_end = np.bincount(codes[-WINDOW:], minlength=len(KINDS)).argmax()
        oscillates = codes == KINDS.index("oscillates")
        found = learned[at][np.isfinite(learned[at])]
        row = {
            "input": _input_words(summary, at),
            "kind": KINDS[at_end],
            "since": str(int(epochs[np.flatnonzero(oscillates)[0]])) if oscillates.any() else "never",
            "share": f"{100 * oscillates.mean():.0f} %",
            "learned": "",
            "range": "",
            "wanted": "" if wanted is None else f"{wanted[at]:.4f}",
            "error": "",
        }
        if found.size:
            middle = float(np.median(found))
            row["learned"] = f"{middle:.4f}"
            row["range"] = f"{found.min():.4f} – {found.max():.4f}"
            if wanted is not None and wanted[at]:
                row["error"] = f"{100 * (middle - wanted[at]) / wanted[at]:+.2f} %"
        rows.append(row)
    return rows


def _input_words(summary: "xarray.Dataset", at: int) -> str:
    if "input_value" not in summary.coords:
        return str(at)
    values = np.atleast_1d(summary.coords["input_value"].values[at])
    shown = ", ".join(f"{value:.4g}" for value in values[:6])
    return shown if len(values) <= 6 else shown + ", …"


def _method(orbits: "xarray.Dataset | None") -> str:
    if orbits is None:
        return ""
    try:
        settings = json.loads(str(orbits.attrs.get("settings", "{}"))).get("settings", {})
    except ValueError:
        settings = {}
    n_keep = settings.get("n_keep", orbits.sizes["time"])
    n_transient = settings.get("n_transient")
    text = "The weights of each recorded epoch are held fixed and the network is run with a constant input"
    if n_transient is not None:
        text += f" for {n_transient + n_keep} steps, of which the first {n_transient} are the transient and left out"
    text += f"; the last {n_keep} are kept and drawn. This is done at {orbits.sizes['input']} inputs, each from"
    text += f" {orbits.sizes['start']} starts that are the same at every epoch"
    text += f" ({settings['starts']})." if isinstance(settings.get("starts"), str) else "."
    return text


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
