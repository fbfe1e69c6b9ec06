"""Runs compared, network by network: what holds over seeds, and how sure it is."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rnnscope.attractors import summarise_orbits
from rnnscope.base.errors import RunError, require
from rnnscope.base.intervals import Interval, median_interval, share_interval
from rnnscope.findings.orbits import Headline, headline
from rnnscope.findings.series import last_metrics
from rnnscope.runs.advice import command
from rnnscope.training.config import flat

if TYPE_CHECKING:
    from rnnscope.runs import Run

_TELLING = ("task", "model", "training")


@dataclass(frozen=True)
class Facts:
    """One run: its settings, how it ended, its last loss and metrics, and the numbers of its orbits if measured."""

    name: str
    settings: dict[str, Any]
    seed: int | None
    status: str
    loss: float | None
    headline: Headline | None
    probe: str = ""
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it was trained to its end."""
        return self.status in ("finished", "recorded")


@dataclass(frozen=True)
class Group:
    """What runs of the same settings but for the seed have in common.

    Medians are over the runs trained to their end; of attractors, over those whose orbits were measured. What inputs do
    is what they do most often at the last 20 measured epochs. The inputs of one run are no independent trials, so a run
    counts as one number.

    Attributes:
        label: the network, with the settings in which it differs from others of the same name.
        runs, seeds: which.
        n_ended, n_diverged, n_unfinished: how many were trained to their end, diverged, or were interrupted or are at
            work.
        final_loss: median of the last loss.
        metrics: by name, median of the last value of each scalar that the task has recorded beside the loss.
        oscillating, resting: median of the share of inputs that do so.
        oscillating_runs: share of the runs that oscillate at half of the inputs or more.
        frequency_error: median of the relative error of the learned frequency, %, over the runs that have one.
        remarks: what makes the numbers less comparable.

    """

    label: str
    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]
    n_ended: int
    n_diverged: int
    n_unfinished: int
    final_loss: Interval
    metrics: dict[str, Interval]
    oscillating: Interval
    resting: Interval
    oscillating_runs: Interval
    frequency_error: Interval
    remarks: tuple[str, ...]


def compare_runs(runs: "Sequence[Run]") -> list[Group]:
    """Runs in groups of the same settings but for the seed, each with medians, shares and their intervals.

    Raises:
        ValueError: no run, or the same seed of the same settings twice.

    """
    require(runs, "runs", "at least one run", runs)
    return compare([facts_of(run) for run in runs])


def facts_of(run: "Run") -> Facts:
    """What a comparison is made from; orbits are taken as they are stored, nothing is measured."""
    config = run.config
    settings = {name: config[name] for name in _TELLING if name in config} or {"model": {"name": run.name}}
    seed = config.get("seed")
    losses = run.scalars["loss"].tolist() if "loss" in run.scalars else []
    loss = float(losses[-1]) if losses and math.isfinite(losses[-1]) else None
    told, probe = None, ""
    try:
        if run.has("orbits"):
            orbits = run.dataset("orbits")
            told = headline(summarise_orbits(orbits), run.scalars)
            probe = str(orbits.attrs.get("key", ""))
    except RunError:  # damaged, which the run has warned of
        pass
    return Facts(str(run.path), settings, seed, run.status, loss, told, probe, last_metrics(run.scalars))


def compare(runs: Sequence[Facts]) -> list[Group]:
    """The groups, in the order in which their first runs come."""
    groups: list[tuple[dict[str, Any], list[Facts]]] = []
    for run in runs:
        own = {key: value for key, value in flat(run.settings).items() if key != "training.n_threads"}
        mates = next((mates for settings, mates in groups if settings == own), None)
        if mates is None:
            groups.append((own, mates := []))
        mates.append(run)
    labels = _labels([settings for settings, _ in groups])
    return [_group(label, mates) for label, (_, mates) in zip(labels, groups, strict=True)]


def _group(label: str, runs: list[Facts]) -> Group:
    times = Counter(run.seed for run in runs if run.seed is not None)
    twice = [f"{run.name} (seed {run.seed})" for run in runs if run.seed is not None and times[run.seed] > 1]
    require(not twice, "runs", f"each seed of {label} once", ", ".join(twice))
    ended = [run for run in runs if run.ended]
    told = [run.headline for run in ended if run.headline is not None]
    names = dict.fromkeys(name for run in ended for name in run.metrics)
    oscillating = [facts.counts.oscillates / facts.n_inputs for facts in told]
    return Group(
        label=label,
        runs=tuple(run.name for run in runs),
        seeds=tuple(run.seed for run in runs),
        n_ended=len(ended),
        n_diverged=sum(run.status == "diverged" for run in runs),
        n_unfinished=sum(not run.ended and run.status != "diverged" for run in runs),
        final_loss=median_interval(run.loss for run in ended if run.loss is not None),
        metrics={name: median_interval(_finite(run.metrics.get(name) for run in ended)) for name in names},
        oscillating=median_interval(oscillating),
        resting=median_interval(facts.counts.rests / facts.n_inputs for facts in told),
        oscillating_runs=share_interval(sum(share >= 0.5 for share in oscillating), len(told)),
        frequency_error=median_interval(facts.frequency_error for facts in told if facts.frequency_error is not None),
        remarks=tuple(_remarks(ended)),
    )


def _finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _remarks(ended: list[Facts]) -> list[str]:
    remarks = []
    blank = [run.name for run in ended if run.headline is None]
    if blank:
        remarks.append(f"orbits not measured: {command('probe', 'orbits', *blank)}")
    if len({run.probe for run in ended if run.headline is not None}) > 1:
        remarks.append("their orbits were measured with differing settings")
    told = [run.headline for run in ended if run.headline is not None]
    alone = sorted({facts.one_input for facts in told if facts.one_input})
    if alone:
        remarks.append(f"at one input only: {', '.join(alone)}")
    sparse = {(facts.n_looked_at, facts.n_in_run) for facts in told if facts.n_looked_at < facts.n_in_run}
    if sparse:
        remarks.append(f"{', '.join(f'{n} of {of}' for n, of in sorted(sparse))} epochs looked at")
    return remarks


def _labels(groups: list[dict[str, Any]]) -> list[str]:
    """The model's name, and where several groups have it, the settings in which they differ."""
    names = [str(settings.get("model.name", "network")) for settings in groups]
    labels = []
    for name, settings in zip(names, groups, strict=True):
        mates = [other for other_name, other in zip(names, groups, strict=True) if other_name == name]
        differing = sorted(
            {key for other in mates for key in {*other, *settings} if other.get(key) != settings.get(key)}
        )
        told = [f"{key.removeprefix('model.').removeprefix('training.')}={settings.get(key)}" for key in differing[:3]]
        labels.append(", ".join([name, *told]))
    return labels
