"""What the state does at each input while a network trains, told from a summary of orbits: phases and a headline.

What happens at the same epoch is said to do so; nothing here says that one thing is the reason for another.
"""

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.endings import ending
from rnnscope.findings.kinds import KINDS
from rnnscope.findings.phases import MAX_PHASES, commonest_counts, join_epochs
from rnnscope.findings.reading import by_step, looked_at, not_finite, only_input
from rnnscope.findings.series import counts_of, frequency_errors, loss_at, losses_of
from rnnscope.findings.tables import Table
from rnnscope.findings.words import epoch_range, number

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
class OrbitPhase:
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


def phases(
    summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None, *, max_phases: int = MAX_PHASES
) -> list[OrbitPhase]:
    """The phases of a training by the numbers of inputs of each kind, in order.

    Args:
        summary: result of ``summarise_orbits``, with ``input_kind`` (step, input).
        scalars: index epoch, column ``loss``.
        max_phases: the most there may be; epochs are joined as ``rnnscope.findings.phases.join_epochs`` says.

    """
    epochs, counts = counts_of(summary)
    losses = losses_of(summary, scalars)
    found = []
    for first, last in join_epochs(counts, max_phases):
        inside = counts[first : last + 1]
        ends = int(epochs[first]), int(epochs[last])
        oscillating = inside[:, KINDS.index("oscillates")]
        commonest, share = commonest_counts(inside)
        found.append(
            OrbitPhase(
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


def _count_kinds(kinds: np.ndarray) -> Counts:
    return Counts(*map(int, np.bincount(kinds, minlength=len(KINDS))))


def table(summary: "xarray.Dataset", scalars: "pandas.DataFrame | None" = None) -> Table:
    """Epochs, what the state does at how many inputs, the loss."""
    n_inputs = summary.sizes["input"]
    rows = tuple(
        (epoch_range(phase.first_epoch, phase.last_epoch), phase.counts.words(), _losses(phase), _holds_for(phase))
        for phase in phases(summary, scalars)
    )
    return Table(("epochs", f"state at {n_inputs} inputs" if n_inputs > 1 else "state", "loss", "holds for"), rows)


def _losses(phase: OrbitPhase) -> str:
    if phase.loss_first is None or phase.loss_last is None:
        return ""
    first, last = number(phase.loss_first), number(phase.loss_last)
    return last if phase.first_epoch == phase.last_epoch else f"{first} → {last}"


def _holds_for(phase: OrbitPhase) -> str:
    """In what part of its epochs the counts are these, and between which numbers of oscillating inputs they vary."""
    least, most = phase.oscillates_least, phase.oscillates_most
    varies = "" if least == most else ", oscillates at times" if most == 1 else f", {least}–{most} oscillate"
    return f"{phase.share:.0%}" + varies
