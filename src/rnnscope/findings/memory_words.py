"""What can be held, in plain words."""

from dataclasses import replace
from typing import TYPE_CHECKING

from rnnscope.findings import points
from rnnscope.findings.memory import Group, Memory
from rnnscope.findings.phases import Phase
from rnnscope.findings.words import count_inputs, epoch_range, listed

if TYPE_CHECKING:
    import xarray


def memory_sentence(memory: Memory) -> str:
    """What can be held in the end, since when, and what could be before."""
    phase, group = memory.phases[-1], memory.now
    when = f"From epoch {phase.first_epoch} on" if len(memory.phases) > 1 else "At every epoch"
    if memory.n_looked_at == 1:
        when = f"At epoch {phase.first_epoch}, the only one looked at,"
    elif memory.n_looked_at < memory.n_in_run:
        when += f" ({memory.n_looked_at} of {memory.n_in_run} epochs looked at)"
    where = f", with the input held at {memory.one_input}" if memory.one_input else ""
    if memory.n_inputs > 1:
        where = f" at {count_inputs(len(group.inputs), memory.n_inputs)}"
    mostly = "" if group.share > 0.995 else "mostly "
    text = f"{when} {rest_words(group)} {mostly}in reach{where}"
    if group.continuum:
        text += ", a line or ring on which the state can stand anywhere"
    elif group.holds:
        text += f": {bits_words(group)}"
    for other in phase.groups:
        if other is not group:
            text += f"; at {count_inputs(len(other.inputs), memory.n_inputs)} {rest_words(other)}"
    before = [_before(past) for past in memory.phases[:-1][-3:]]
    return f"{text}; before, {', then '.join(before)}." if before else f"{text}."


def rest_words(group: Group) -> str:
    """What there is for the state to rest at.

    >>> rest_words(Group((0,), 8, False, 1.0)), rest_words(Group((0,), 0, True, 1.0))
    ('8 stable fixed points are', 'a continuum of fixed points is')
    """
    points = f"{group.n_stable or 'no'} stable fixed point{'s' * (group.n_stable > 1)}"
    if group.continuum:
        return f"a continuum of fixed points and {points} are" if group.n_stable else "a continuum of fixed points is"
    return f"{points} {'are' if group.n_stable > 1 else 'is'}"


def held_words(memory: Memory) -> str:
    """What can be held in the end, shortly."""
    group = memory.now
    if group.continuum:
        return "a continuum of fixed points"
    points = f"{group.n_stable or 'no'} stable fixed point{'s' * (group.n_stable > 1)}"
    return f"{points}: {bits_words(group)}" if group.holds else points


def bits_words(group: Group) -> str:
    """How much the number of stable fixed points can tell apart.

    >>> bits_words(Group((0,), 8, False, 1.0)), bits_words(Group((0,), 2, False, 1.0))
    ('3 bits', '1 bit')
    """
    return f"{group.bits:.2g} bit{'s' * (group.bits != 1)}"


def _before(past: Phase[Group]) -> str:
    found = dict.fromkeys("a continuum" if group.continuum else str(group.n_stable) for group in past.groups)
    one = past.first_epoch == past.last_epoch
    return f"{listed([*found])} at epoch{'s' * (not one)} {epoch_range(past.first_epoch, past.last_epoch)}"


def beside_sentence(found: "xarray.Dataset", memory: Memory) -> str:
    """What else a result of ``FixedPoints`` has where most is held in the end, and how slow the slowest of it is."""
    place = memory.now.inputs[0]
    group = next(group for group in points.phases(found)[-1].groups if place in group.inputs)
    others = replace(group, counts=tuple(row for row in group.counts if row[0] != "stable fixed point"))
    parts = [f"beside that, {others.words()}"] * bool(others.counts)
    if group.slowest == group.slowest:
        parts.append(f"the slowest time constant of a stable one is {group.slowest:.3g} steps")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
