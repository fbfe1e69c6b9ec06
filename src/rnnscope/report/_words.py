"""What happened in plain words: the sentences of a story."""

import math
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.kinds import KINDS
from rnnscope.report._series import counts_of, epochs_of, epochs_words, kinds_of

if TYPE_CHECKING:
    import xarray

    from rnnscope.report.story import Event, Headline


def number(value: float) -> str:
    """A loss or a frequency, short.

    >>> number(0.48213), number(3.2e-7), number(float("nan"))
    ('0.482', '3.2e-07', 'not finite')
    """
    return f"{value:.3g}" if math.isfinite(value) else "not finite"


def inputs_words(count: int, total: int) -> str:
    """How many of the inputs.

    >>> inputs_words(4, 10), inputs_words(10, 10), inputs_words(1, 1)
    ('4 of 10 inputs', 'all 10 inputs', 'the one input')
    """
    if total == 1:
        return "the one input" if count else "no input"
    if count == total:
        return "both inputs" if total == 2 else f"all {total} inputs"
    return f"{count} of {total} inputs" if count else f"none of the {total} inputs"


def ending(facts: "Headline") -> str:
    verbs = {
        "rests": "rests",
        "oscillates": "oscillates",
        "diverges": "diverges",
        "undetermined": "remains undetermined",
    }
    shown = list(zip(KINDS, astuple(facts.counts), astuple(facts.throughout), strict=True))
    shown.sort(key=lambda told: told[0] != "oscillates")
    parts = []
    for kind, count, throughout in shown:
        if not count:
            continue
        where = "" if facts.n_inputs == 1 else f" at {inputs_words(count, facts.n_inputs)}"
        if facts.n_looked_at == 1:
            parts.append(f"{verbs[kind]}{where}")
        elif throughout == count:
            parts.append(f"{verbs[kind]} throughout{where}")
        else:
            parts.append(f"mostly {verbs[kind]}{where}" + (f" (throughout at {throughout})" if throughout else ""))
    when = f"over the last {facts.n_window} epochs{_looked_at(facts)}"
    if facts.n_looked_at == 1:
        when = f"at epoch {facts.last_epoch}, the only one{_looked_at(facts)},"
    told = f"{when} the state {_listed(parts)}"
    return f"At one input only, {facts.one_input}: {told}" if facts.one_input else told[0].upper() + told[1:]


def _looked_at(facts: "Headline") -> str:
    """Said of epochs where these are not all that the run has."""
    return " looked at" if facts.n_looked_at + len(facts.not_finite) < facts.n_in_run else ""


def steady(summary: "xarray.Dataset", facts: "Headline") -> str:
    """The end of the first sentence: since when nothing has changed, where that is longer than the last epochs."""
    kinds = kinds_of(summary)
    changes = np.flatnonzero(np.any(np.diff(kinds, axis=0) != 0, axis=1))
    since = int(changes[-1]) + 1 if changes.size else 0
    if since == 0 or since >= facts.n_looked_at - facts.n_window:
        return "."
    return f", as at every epoch{_looked_at(facts)} since {epochs_of(summary)[since]}."


def lost_epochs(facts: "Headline") -> str:
    """Where the weights are not finite, which comes before all else."""
    if not facts.not_finite:
        return ""
    lost = list(facts.not_finite)
    text = f"At {epochs_words(lost)} the weights are not finite numbers, so there is no network to speak of"
    if facts.last_epoch in lost:
        return f"{text}."
    return f"{text}; all that follows is of the others."


def restlessness(changes: "list[Event]", facts: "Headline") -> str:
    if len(changes) < 5:
        return ""
    last = changes[-1].epoch
    seen = "From one epoch looked at to the next" if _looked_at(facts) else "In all"
    return f"{seen}, the number of oscillating inputs changes {len(changes)} times, the last time at epoch {last}."


def beginning(summary: "xarray.Dataset", facts: "Headline") -> str:
    epochs, counts = counts_of(summary)
    looked_at = _looked_at(facts)
    if facts.n_looked_at == 1:
        return ""
    if facts.first_oscillation is None:
        anywhere = "" if facts.n_inputs == 1 else " at any input"
        return f"At none of the {facts.n_looked_at} epochs{looked_at} does it oscillate{anywhere}."
    at = int(np.searchsorted(epochs, facts.first_oscillation))
    n_first = int(counts[at, KINDS.index("oscillates")])
    where = inputs_words(n_first, facts.n_inputs)
    if at == 0:
        return f"It oscillates at {where} at the first epoch{looked_at}, {facts.first_oscillation}, already."
    resting = (counts[:at, KINDS.index("rests")] == facts.n_inputs).all()
    until = f"At every epoch looked at up to {epochs[at - 1]}" if looked_at else f"Until epoch {epochs[at - 1]}"
    until += f" it rests at {inputs_words(facts.n_inputs, facts.n_inputs)}" if resting else " it oscillates at no input"
    peak = int(counts[:, KINDS.index("oscillates")].max())
    most = ""
    if peak > n_first:
        at_peak = int(epochs[counts[:, KINDS.index("oscillates")].argmax()])
        most = f", and at {inputs_words(peak, facts.n_inputs)} for the first time at epoch {at_peak}"
    return f"{until}; at epoch {facts.first_oscillation} it oscillates at {where}{most}."


def jump_sentences(jumps: "list[Event]", changes: "list[Event]", facts: "Headline") -> list[str]:
    """The largest loss jump, and the next two where the number of oscillating inputs changes around them."""
    lines = []
    for rank, jump in enumerate(jumps[:3]):
        text = f"{'A' if rank else 'The largest'} loss jump is at epoch {jump.epoch}: "
        text += f"{number(jump.before)} → {number(jump.after)}"
        near = [event for event in changes if event.since <= jump.epoch <= event.epoch]
        near = near or [event for event in changes if event.since - 1 <= jump.epoch <= event.epoch + 1]
        if near:
            change = max(near, key=lambda event: abs(event.after - event.before))
            when = _where(change, jump.epoch)
            lines.append(f"{text}; {when} the number of oscillating inputs goes from {_from_to(change)}.")
        elif rank == 0:
            lines.append(f"{text}; {_no_change(jump.epoch, facts)}.")
    return lines


def _no_change(epoch: int, facts: "Headline") -> str:
    if not facts.first_epoch <= epoch <= facts.last_epoch:
        return "no epoch was looked at on one side of it"
    if _looked_at(facts):
        return "the number of oscillating inputs is the same at the epochs looked at before and after it"
    return "the number of oscillating inputs does not change around it"


def _where(change: "Event", epoch: int) -> str:
    if change.epoch == epoch:
        return "at the same epoch"
    if change.epoch - change.since > 1 and change.since < epoch < change.epoch:
        return f"between the epochs looked at, {change.since} and {change.epoch},"
    return f"at epoch {change.epoch}"


def death_sentences(changes: "list[Event]", jumps: "list[Event]", n_inputs: int) -> list[str]:
    """The two largest deaths of at least a fifth of the inputs that the three largest loss jumps did not tell of."""
    least = max(1, math.ceil(n_inputs / 5))
    deaths = [event for event in changes if event.kind == "death" and event.before - event.after >= least]
    deaths = [death for death in deaths if not _at_once(death, jumps[:3])]
    deaths.sort(key=lambda death: death.after - death.before)
    lines = []
    for death in deaths[:2]:
        when = f"At epoch {death.epoch}" if death.epoch - death.since == 1 else _between(death)
        line = f"{when} the number of oscillating inputs falls from {_from_to(death)}"
        meanwhile = _at_once(death, jumps)
        if meanwhile:
            jump = max(meanwhile, key=lambda event: event.after / event.before)
            line += f"; the loss jumps from {number(jump.before)} to {number(jump.after)} at epoch {jump.epoch}"
        lines.append(line + ".")
    return lines


def _at_once(change: "Event", jumps: "list[Event]") -> "list[Event]":
    return [jump for jump in jumps if change.since <= jump.epoch <= change.epoch]


def _between(change: "Event") -> str:
    return f"Between epochs {change.since} and {change.epoch}"


def frequency_sentence(facts: "Headline") -> str:
    if facts.frequency_error is None or facts.frequency_range is None:
        return ""
    low, high = facts.frequency_range
    last = f"the last {facts.n_window} epochs{_looked_at(facts)}"
    often = "" if facts.n_looked_at == 1 else f" at half or more of {last}"
    if facts.n_compared == 1:
        return (
            f"At the one input that oscillates{often} the learned frequency is {facts.frequency_error:.2g} % off the "
            f"wanted {number(low)} rad/step."
        )
    return (
        f"Where it oscillates{often}, the learned frequency is off the wanted one by {facts.frequency_error:.2g} % "
        f"(median over {facts.n_compared} inputs, wanted {number(low)} to {number(high)} rad/step)."
    )


def loss_sentence(facts: "Headline") -> str:
    if facts.loss_first is None or facts.loss_last is None:
        return "The loss is not known."
    if facts.loss_best is None:
        return "The loss was never finite."
    best = f"; its least was {number(facts.loss_best)}" if facts.loss_best < 0.9 * facts.loss_last else ""
    if facts.loss_first == facts.loss_last and not best:
        return f"The loss is {number(facts.loss_last)}."
    return f"The loss goes from {number(facts.loss_first)} to {number(facts.loss_last)}{best}."


def diverging_sentence(summary: "xarray.Dataset", facts: "Headline") -> str:
    kind = summary["kind"]
    codes = dict(zip(str(kind.attrs["flag_meanings"]).split(), np.atleast_1d(kind.attrs["flag_values"]), strict=True))
    diverging = kind.values == codes["diverges"]
    n = int(diverging.sum())
    if not n:
        return ""
    share = 100 * n / diverging.size
    everywhere = f"over all epochs{_looked_at(facts)}, inputs and starts"
    return f"{n} of {diverging.size} orbits ({share:.2g} %, {everywhere}) diverge."


def _from_to(change: "Event") -> str:
    return f"{change.before:g} to {change.after:g}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
