"""What is said of the results of each probe, one entry for each: phases, a table, what can be held, sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rnnscope import smoothness
from rnnscope.findings import limit_sets, memory_words, numbers, orbits, points, story
from rnnscope.findings.memory import Memory, memory_of_limit_sets, memory_of_points
from rnnscope.findings.reading import stored
from rnnscope.findings.tables import Table
from rnnscope.runs import probes

if TYPE_CHECKING:
    import pandas
    import xarray

    from rnnscope.runs import Run

    Scalars = pandas.DataFrame | None


def _nothing(*_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Telling:
    """What is said of results of one probe, given with the scalars of the run; what is None is not said.

    Attributes:
        phases: the phases of the training, as dataclasses.
        table: the same as a table, with the ``title`` and the ``reading`` that a page has over and under it.
        sentences: one line each, of a probe of the cost.
        memory: what can be held.
        beside: what else there is, in a sentence that follows the one of what can be held.

    """

    phases: "Callable[[xarray.Dataset, Scalars], Sequence[Any]]" = _nothing
    table: "Callable[[xarray.Dataset, Scalars], Table] | None" = None
    sentences: "Callable[[xarray.Dataset], Sequence[str]]" = _nothing
    memory: "Callable[[xarray.Dataset], Memory] | None" = None
    beside: "Callable[[xarray.Dataset, Memory], str] | None" = None
    title: str = ""
    reading: str = ""


def _of_summary(tell: "Callable[[xarray.Dataset, Scalars], Any]") -> "Callable[[xarray.Dataset, Scalars], Any]":
    def told(found: "xarray.Dataset", scalars: "Scalars") -> Any:
        from rnnscope.attractors import summarise_orbits

        return tell(summarise_orbits(found), scalars)

    return told


def _alone(tell: "Callable[[xarray.Dataset], Any]") -> "Callable[[xarray.Dataset, Scalars], Any]":
    return lambda found, scalars: tell(found)


_RANGES = "At ten of the epochs looked at, at most: from the least to the largest over inputs and starts"

TOLD = {
    "orbits": Telling(_of_summary(orbits.phases), _of_summary(orbits.table), title="What the state does, when"),
    "attractors": Telling(
        _alone(limit_sets.phases),
        _alone(limit_sets.table),
        memory=memory_of_limit_sets,
        title="Which limit sets, when",
        reading="Stretches of epochs over which as many inputs keep limit sets of the same kinds; in brackets, at what "
        "share of these epochs and inputs exactly so. Numbers are medians over them: share of the starts, largest "
        "Lyapunov exponent λ1 with its standard error (from the least to the largest input where these differ by more),"
        " and the size of the largest multiplier μ1, or the frequency",
    ),
    "fixedpoints": Telling(
        _alone(points.phases),
        _alone(points.table),
        memory=memory_of_points,
        beside=memory_words.beside_sentence,
        title="Which fixed points, when",
        reading="Stretches of epochs over which as many inputs keep as many points of each sort; in brackets, at what "
        "share of these epochs and inputs exactly so. In reach is what lies among the states that the network passes; "
        "a saddle of index k is unstable in k directions. The slowest time constant is that of a stable point, in the "
        "median",
    ),
    "lyapunov": Telling(
        table=_alone(numbers.exponents),
        title="Lyapunov exponents",
        reading=_RANGES,
    ),
    **{name: Telling(sentences=partial(smoothness.sentences, name)) for name in smoothness.PROBES},
}
"""By the name of the probe."""


def telling(name: str) -> Telling:
    """What is said of results of the probe called ``name``: of one that has no entry, its numbers over the epochs."""
    return TOLD.get(name) or Telling(table=_alone(numbers.ranges), title=name, reading=_RANGES)


@dataclass(frozen=True)
class Lead:
    """The result that a page begins with: the name of its probe, and what can be held, where that is what it tells."""

    probe: str
    memory: Memory | None = None


def leading(found: "Mapping[str, xarray.Dataset]") -> Lead:
    """Which of some results, by the name of their probe, tells most: where half of the inputs or more have stable fixed
    points beside each other, or a continuum of them, the one that has most; else the first.
    """
    memories = {name: tell(data) for name, data in found.items() if (tell := telling(name).memory) is not None}
    alone = "orbits" not in found
    held = {name: memory for name, memory in memories.items() if memory.leads or (alone and memory.rests)}
    if not held:
        return Lead(next(iter(found), ""))
    most = max(held, key=lambda name: (held[name].now.continuum, held[name].now.n_stable, held[name].n_looked_at))
    return Lead(most, held[most])


def results_of(run: "Run") -> "dict[str, xarray.Dataset]":
    """What a run has of the probes whose results are told in a table, in the order in which they are told."""
    found = {name: stored(run, name) for name in probes.names() if telling(name).table is not None}
    return {name: data for name, data in found.items() if data is not None}


def story_of(found: "Mapping[str, xarray.Dataset]", scalars: "Scalars" = None) -> list[str]:
    """What happened in a training, in plain words, most important first: of results by the name of their probe."""
    first = _of_memory(leading(found), found)
    if "orbits" not in found:
        return first
    return _of_summary(partial(story.sentences, first=first))(found["orbits"], scalars)


def _of_memory(lead: Lead, found: "Mapping[str, xarray.Dataset]") -> list[str]:
    if lead.memory is None:
        return []
    beside = telling(lead.probe).beside
    more = "" if beside is None else beside(found[lead.probe], lead.memory)
    return [memory_words.memory_sentence(lead.memory), *filter(None, [more])]
