"""What happened while a network trained, as plain data and plain words.

Everything here is computed from a summary of orbits (``rnnscope.attractors.summarise_orbits``) and, where there are
any, the scalars of the run (index epoch, column ``loss``). What happens at the same epoch is said to do so; nothing
here says that one thing is the reason for another.
"""

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from rnnscope.base.series import loss_jumps
from rnnscope.findings.endings import ending
from rnnscope.findings.kinds import KINDS
from rnnscope.findings.reading import by_step, looked_at, not_finite, only_input
from rnnscope.report import _words
from rnnscope.report._series import counts_of, frequency_errors, loss_at, losses_of
from rnnscope.report._words import inputs_words as inputs_words
from rnnscope.report._words import number as number

if TYPE_CHECKING:
    import pandas
    import xarray


@dataclass(frozen=True)
class Counts:
    """At how many inputs the state does what."""

    rests: int = 0
    oscillates: int = 0
    diverges: int = 0
    undetermined: int = 0

    def words(self) -> str:
        """The kinds that occur, most frequent first.

        >>> Counts(rests=6, oscillates=4).words(), Counts(rests=1).words()
        ('rests ×6, oscillates ×4', 'rests')
        """
        found = sorted(zip(KINDS, astuple(self), strict=True), key=lambda pair: -pair[1])
        if sum(astuple(self)) == 1:
            return found[0][0]
        return ", ".join(f"{kind} ×{count}" for kind, count in found if count) or "nothing"


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs over which the inputs keep doing much the same.

    ``counts`` are the commonest of its epochs, ``share`` is the fraction of its epochs looked at that have exactly
    these, and ``oscillates_least`` and ``oscillates_most`` bound the number of oscillating inputs over all of them. The
    losses are those at the first and at the last epoch; None where they are not known.
    """

    first_epoch: int
    last_epoch: int
    counts: Counts
    share: float
    oscillates_least: int
    oscillates_most: int
    loss_first: float | None = None
    loss_last: float | None = None

    def remark(self) -> str:
        """How far the counts hold; nothing where they hold throughout."""
        if self.share > 0.995:
            return ""
        least, most = self.oscillates_least, self.oscillates_most
        varies = f"; {least} to {most} oscillate" if least < most else ""
        return f"{100 * self.share:.0f} % of them{varies}"


@dataclass(frozen=True)
class Event:
    """Something that changed between two epochs looked at, ``since`` and ``epoch``.

    For a birth or a death ``before`` and ``after`` are the numbers of inputs at which the state oscillates; for a loss
    jump they are losses.
    """

    kind: Literal["birth", "death", "loss jump"]
    since: int
    epoch: int
    before: float
    after: float


@dataclass(frozen=True)
class Headline:
    """The numbers that sum up a run; None where there is nothing to say.

    Of the ``n_in_run`` epochs of the run ``n_looked_at`` were looked at, not counting ``not_finite``, those at which
    the weights are no numbers. ``one_input`` is the name of the only input held, empty where there are several or none.
    ``counts`` says what each input does most often over the last ``n_window`` epochs looked at, of two as frequent
    oscillates before rests before diverges; ``throughout`` how many of these do so at every one of them.
    ``frequency_error`` is the median, over the ``n_compared`` inputs that oscillate at at least half of these epochs,
    of |learned − wanted| / wanted, in %, with the learned frequency the median over those epochs and the starts that
    oscillate there; ``frequency_range`` are the least and the greatest of the wanted frequencies compared, rad/step.
    """

    n_inputs: int
    n_looked_at: int
    n_in_run: int
    first_epoch: int
    last_epoch: int
    n_window: int
    counts: Counts
    throughout: Counts
    first_oscillation: int | None
    loss_first: float | None
    loss_last: float | None
    loss_best: float | None
    frequency_error: float | None
    frequency_range: tuple[float, float] | None
    n_compared: int
    one_input: str = ""
    not_finite: tuple[int, ...] = ()


def phases(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None, *, max_phases: int = 8) -> list[Phase]:
    """The phases of a training, in order.

    Epochs looked at with the same counts in a row are one phase to begin with. What a phase misstates is the number of
    its epochs × inputs that do something else than its commonest counts say. Two neighbours are joined, always the
    pair that adds least to what is misstated, as long as there are more than ``max_phases`` or that pair adds at most
    0.5 % of all epochs × inputs.

    Args:
        summary: result of ``summarise_orbits``, with ``input_kind`` (step, input).
        scalars: index epoch, column ``loss``.
        max_phases: the most there may be.

    """
    epochs, counts = counts_of(summary)
    blocks = joined(counts, max_phases)
    losses = losses_of(summary, scalars)
    found = []
    for first, last in blocks:
        inside = counts[first : last + 1]
        ends = int(epochs[first]), int(epochs[last])
        oscillating = inside[:, KINDS.index("oscillates")]
        commonest, share = _commonest(inside)
        found.append(
            Phase(
                *ends,
                counts=Counts(*commonest),
                share=share,
                oscillates_least=int(oscillating.min()),
                oscillates_most=int(oscillating.max()),
                loss_first=loss_at(losses, ends[0]),
                loss_last=loss_at(losses, ends[1]),
            )
        )
    return found


def events(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None) -> list[Event]:
    """Births and deaths of oscillations, and loss jumps, in the order of the epochs.

    A birth (death) is any rise (fall) of the number of oscillating inputs from one epoch looked at to the next. A loss
    jump is a rise from one epoch to the next by a factor of at least 1.25 that is also at least five times the median
    change of the logarithm of the loss.
    """
    epochs, counts = counts_of(summary)
    oscillating = counts[:, KINDS.index("oscillates")]
    found: list[Event] = []
    for at in np.flatnonzero(np.diff(oscillating)):
        before, after = int(oscillating[at]), int(oscillating[at + 1])
        kind = "birth" if after > before else "death"
        found.append(Event(kind, int(epochs[at]), int(epochs[at + 1]), before, after))
    found += _loss_jumps(*losses_of(summary, scalars))
    return sorted(found, key=lambda event: (event.epoch, event.kind))


def headline(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None) -> Headline:
    """The numbers that sum up a run: what the inputs do at its end, since when, the loss, the learned frequency."""
    summary = by_step(summary)
    epochs, counts = counts_of(summary)
    end = ending(summary)
    oscillating = np.flatnonzero(counts[:, KINDS.index("oscillates")])
    _, losses = losses_of(summary, scalars)
    finite = losses[np.isfinite(losses)]
    errors, wanted = frequency_errors(summary)
    return Headline(
        n_inputs=len(end.kinds),
        n_looked_at=len(epochs),
        n_in_run=looked_at(summary)[1],
        first_epoch=int(epochs[0]),
        last_epoch=int(epochs[-1]),
        n_window=end.n_epochs,
        counts=_count_kinds(end.kinds),
        throughout=_count_kinds(end.kinds[end.throughout]),
        first_oscillation=int(epochs[oscillating[0]]) if oscillating.size else None,
        loss_first=float(losses[0]) if losses.size else None,
        loss_last=float(losses[-1]) if losses.size else None,
        loss_best=float(finite.min()) if finite.size else None,
        frequency_error=float(100 * np.median(errors)) if errors.size else None,
        frequency_range=(float(wanted.min()), float(wanted.max())) if wanted.size else None,
        n_compared=errors.size,
        one_input=only_input(summary),
        not_finite=tuple(not_finite(summary)),
    )


def sentences(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None) -> list[str]:
    """What happened, in plain words, most important first."""
    facts = headline(summary, scalars)
    lost = _words.lost_epochs(facts)
    if facts.last_epoch in facts.not_finite:
        return [lost, _words.loss_sentence(facts)]
    happened = events(summary, scalars)
    lines = [lost, _words.ending(facts) + _words.steady(summary, facts), _words.beginning(summary, facts)]
    jumps = sorted((event for event in happened if event.kind == "loss jump"), key=lambda e: e.before / e.after)
    changes = [event for event in happened if event.kind != "loss jump"]
    lines += _words.jump_sentences(jumps, changes, facts)
    lines += _words.death_sentences(changes, jumps, facts.n_inputs)
    lines += [_words.restlessness(changes, facts)]
    lines += [_words.frequency_sentence(facts), _words.loss_sentence(facts)]
    lines += [_words.diverging_sentence(by_step(summary), facts)]
    return [line for line in lines if line]


def _count_kinds(kinds: np.ndarray) -> Counts:
    return Counts(*map(int, np.bincount(kinds, minlength=len(KINDS))))


def _commonest(counts: np.ndarray) -> tuple[tuple[int, ...], float]:
    rows, first, times = np.unique(counts, axis=0, return_index=True, return_counts=True)
    most = np.lexsort((first, -times))[0]
    return tuple(map(int, rows[most])), float(times[most] / len(counts))


def _misstated(counts: np.ndarray) -> int:
    return int(np.abs(counts - np.array(_commonest(counts)[0])).sum() // 2)


def joined(counts: np.ndarray, max_phases: int) -> list[tuple[int, int]]:
    """First and last row of each phase of counts (epoch, sort), joined as ``phases`` says."""
    changes = np.flatnonzero(np.any(np.diff(counts, axis=0) != 0, axis=1))
    ends = [*map(int, changes), len(counts) - 1]
    blocks = list(zip([0, *(end + 1 for end in ends[:-1])], ends, strict=True))
    tolerated = 0.005 * counts.sum()

    def misstated(first: int, last: int) -> int:
        return _misstated(counts[first : last + 1])

    def added(at: int) -> int:
        return misstated(blocks[at][0], blocks[at + 1][1]) - misstated(*blocks[at]) - misstated(*blocks[at + 1])

    costs = [added(at) for at in range(len(blocks) - 1)]
    while costs and (len(blocks) > max_phases or min(costs) <= tolerated):
        at = costs.index(min(costs))
        blocks[at : at + 2] = [(blocks[at][0], blocks[at + 1][1])]
        del costs[at]
        for neighbour in (at - 1, at):
            if 0 <= neighbour < len(costs):
                costs[neighbour] = added(neighbour)
    return blocks


def _loss_jumps(epochs: np.ndarray, losses: np.ndarray) -> list[Event]:
    usable = np.isfinite(losses) & (losses > 0)
    epochs, losses = epochs[usable], losses[usable]
    return [
        Event("loss jump", int(epochs[at - 1]), int(epochs[at]), float(losses[at - 1]), float(losses[at]))
        for at in loss_jumps(losses)
    ]
