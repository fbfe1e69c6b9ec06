"""What a summary of orbits tells of a training, in plain words."""

import math
from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.events import Event, LossJump, events
from rnnscope.findings.kinds import KINDS
from rnnscope.findings.orbits import Headline, headline
from rnnscope.findings.reading import by_step, flags
from rnnscope.findings.series import counts_of, epochs_of, kinds_of
from rnnscope.findings.words import count_inputs, epochs_words, listed, number

if TYPE_CHECKING:
    import pandas
    import xarray


def sentences(
    summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None, *, first: Sequence[str] = ()
) -> list[str]:
    """What happened, most important first.

    Args:
        summary: result of ``summarise_orbits``.
        scalars: index epoch, column ``loss``.
        first: what is to be said before all else but that there were no weights.

    """
    facts = headline(summary, scalars)
    lost = _lost_epochs(facts)
    if facts.last_epoch in facts.not_finite:
        return [lost, _loss_sentence(facts)]
    happened = events(summary, scalars)
    changes = [event for event in happened if isinstance(event, Event)]
    jumps = [event for event in happened if isinstance(event, LossJump)]
    jumps.sort(key=lambda jump: jump.before / jump.after)
    lines = [lost, *first, _ending(facts) + _steady(summary, facts), _beginning(summary, facts)]
    lines += _jump_sentences(jumps, changes, facts)
    lines += _death_sentences(changes, jumps, facts.n_inputs)
    lines += [_restlessness(changes, facts), _frequency_sentence(facts), _loss_sentence(facts)]
    lines += [_diverging_sentence(by_step(summary), facts)]
    return [line for line in lines if line]


def _ending(facts: Headline) -> str:
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
        where = "" if facts.n_inputs == 1 else f" at {count_inputs(count, facts.n_inputs)}"
        if facts.n_looked_at == 1:
            parts.append(f"{verbs[kind]}{where}")
        elif throughout == count:
            parts.append(f"{verbs[kind]} throughout{where}")
        else:
            parts.append(f"mostly {verbs[kind]}{where}" + (f" (throughout at {throughout})" if throughout else ""))
    when = f"over the last {facts.n_window} epochs{_looked_at(facts)}"
    if facts.n_looked_at == 1:
        when = f"at epoch {facts.last_epoch}, the only one{_looked_at(facts)},"
    told = f"{when} the state {listed(parts)}"
    return f"At one input only, {facts.one_input}: {told}" if facts.one_input else told[0].upper() + told[1:]


def _looked_at(facts: Headline) -> str:
    """Said of epochs where these are not all that the run has."""
    return " looked at" if facts.n_looked_at + len(facts.not_finite) < facts.n_in_run else ""


def _steady(summary: "xarray.Dataset", facts: Headline) -> str:
    """The end of the first sentence: since when nothing has changed, where that is longer than the last epochs."""
    kinds = kinds_of(summary)
    changes = np.flatnonzero(np.any(np.diff(kinds, axis=0) != 0, axis=1))
    since = int(changes[-1]) + 1 if changes.size else 0
    if since == 0 or since >= facts.n_looked_at - facts.n_window:
        return "."
    return f", as at every epoch{_looked_at(facts)} since {epochs_of(summary)[since]}."


def _lost_epochs(facts: Headline) -> str:
    """Where the weights are not finite, which comes before all else."""
    if not facts.not_finite:
        return ""
    lost = list(facts.not_finite)
    text = f"At {epochs_words(lost)} the weights are not finite numbers, so there is no network to speak of"
    if facts.last_epoch in lost:
        return f"{text}."
    return f"{text}; all that follows is of the others."


def _restlessness(changes: list[Event], facts: Headline) -> str:
    epochs = sorted({event.epoch for event in changes})
    if len(epochs) < 5:
        return ""
    seen = "From one epoch looked at to the next" if _looked_at(facts) else "In all"
    return f"{seen}, oscillation is born or dies {len(epochs)} times, the last time at epoch {epochs[-1]}."


def _beginning(summary: "xarray.Dataset", facts: Headline) -> str:
    epochs, counts = counts_of(summary)
    looked_at = _looked_at(facts)
    if facts.n_looked_at == 1:
        return ""
    if facts.first_oscillation is None:
        anywhere = "" if facts.n_inputs == 1 else " at any input"
        return f"At none of the {facts.n_looked_at} epochs{looked_at} does it oscillate{anywhere}."
    at = int(np.searchsorted(epochs, facts.first_oscillation))
    n_first = int(counts[at, KINDS.index("oscillates")])
    where = count_inputs(n_first, facts.n_inputs)
    if at == 0:
        return f"It oscillates at {where} at the first epoch{looked_at}, {facts.first_oscillation}, already."
    resting = (counts[:at, KINDS.index("rests")] == facts.n_inputs).all()
    until = f"At every epoch looked at up to {epochs[at - 1]}" if looked_at else f"Until epoch {epochs[at - 1]}"
    until += f" it rests at {count_inputs(facts.n_inputs, facts.n_inputs)}" if resting else " it oscillates at no input"
    peak = int(counts[:, KINDS.index("oscillates")].max())
    most = ""
    if peak > n_first:
        at_peak = int(epochs[counts[:, KINDS.index("oscillates")].argmax()])
        most = f", and at {count_inputs(peak, facts.n_inputs)} for the first time at epoch {at_peak}"
    return f"{until}; at epoch {facts.first_oscillation} it oscillates at {where}{most}."


def _jump_sentences(jumps: list[LossJump], changes: list[Event], facts: Headline) -> list[str]:
    """The largest loss jump, and the next two where oscillation is born or dies around them."""
    lines = []
    for rank, jump in enumerate(jumps[:3]):
        text = f"{'A' if rank else 'The largest'} loss jump is at epoch {jump.epoch}: "
        text += f"{number(jump.before)} → {number(jump.after)}"
        near = [event for event in changes if event.since <= jump.epoch <= event.epoch]
        near = near or [event for event in changes if event.since - 1 <= jump.epoch <= event.epoch + 1]
        if near:
            largest = max(near, key=lambda event: len(event.inputs))
            told = [event for event in near if event.epoch == largest.epoch]
            lines.append(f"{text}; {_when(largest, jump.epoch)} {change_words(told, facts.n_inputs)}.")
        elif rank == 0:
            lines.append(f"{text}; {_no_change(jump.epoch, facts)}.")
    return lines


def change_words(events: list[Event], n_inputs: int) -> str:
    """Births and deaths at once, and at how many inputs.

    >>> change_words([Event("birth", 3, 4, (0, 2)), Event("death", 3, 4, (1,))], 3)
    'oscillation is born at 2 of 3 inputs and dies at 1 of 3 inputs'
    """
    verbs = {"birth": "is born", "death": "dies"}
    return "oscillation " + listed(
        [f"{verbs[event.kind]} at {count_inputs(len(event.inputs), n_inputs)}" for event in events]
    )


def _no_change(epoch: int, facts: Headline) -> str:
    if not facts.first_epoch <= epoch <= facts.last_epoch:
        return "no epoch was looked at on one side of it"
    if _looked_at(facts):
        return "between the epochs looked at before and after it no oscillation is born or dies"
    return "no oscillation is born or dies around it"


def _when(change: Event, epoch: int) -> str:
    if change.epoch == epoch:
        return "at the same epoch"
    if change.epoch - change.since > 1 and change.since < epoch < change.epoch:
        return f"between epochs {change.since} and {change.epoch}"
    return f"at epoch {change.epoch}"


def _death_sentences(changes: list[Event], jumps: list[LossJump], n_inputs: int) -> list[str]:
    """The two largest deaths at a fifth of the inputs or more that the three largest loss jumps did not tell of."""
    least = max(1, math.ceil(n_inputs / 5))
    deaths = [event for event in changes if event.kind == "death" and len(event.inputs) >= least]
    deaths = [death for death in deaths if not _at_once(death, jumps[:3])]
    deaths.sort(key=lambda death: -len(death.inputs))
    lines = []
    for death in deaths[:2]:
        when = f"At epoch {death.epoch}" if death.epoch - death.since == 1 else _between(death)
        line = f"{when} {change_words([death], n_inputs)}"
        meanwhile = _at_once(death, jumps)
        if meanwhile:
            jump = max(meanwhile, key=lambda event: event.after / event.before)
            line += f"; the loss jumps from {number(jump.before)} to {number(jump.after)} at epoch {jump.epoch}"
        lines.append(line + ".")
    return lines


def _at_once(change: Event, jumps: list[LossJump]) -> list[LossJump]:
    return [jump for jump in jumps if change.since <= jump.epoch <= change.epoch]


def _between(change: Event) -> str:
    return f"Between epochs {change.since} and {change.epoch}"


def _frequency_sentence(facts: Headline) -> str:
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


def _loss_sentence(facts: Headline) -> str:
    if facts.loss_first is None or facts.loss_last is None:
        return "The loss is not known."
    if facts.loss_best is None:
        return "The loss was never finite."
    best = f"; its least was {number(facts.loss_best)}" if facts.loss_best < 0.9 * facts.loss_last else ""
    if facts.loss_first == facts.loss_last and not best:
        return f"The loss is {number(facts.loss_last)}."
    return f"The loss goes from {number(facts.loss_first)} to {number(facts.loss_last)}{best}."


def _diverging_sentence(summary: "xarray.Dataset", facts: Headline) -> str:
    kind = summary["kind"]
    diverging = kind.values == flags(kind)["diverges"]
    n = int(diverging.sum())
    if not n:
        return ""
    share = 100 * n / diverging.size
    everywhere = f"over all epochs{_looked_at(facts)}, inputs and starts"
    return f"{n} of {diverging.size} orbits ({share:.2g} %, {everywhere}) diverge."
