"""What an experiment over seeds is: a description that is read before anything is trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import xarray as xr

from rnnscope.base.errors import require, unknown
from rnnscope.base.probe import Probe
from rnnscope.runs import Run
from rnnscope.runs.recorded import Epochs
from rnnscope.training import Config

Tables = Mapping[str, xr.Dataset]
"""What was found, by name; most have a dimension ``run`` with the coordinates model, seed and setting."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A probe of every trained network, at some of its epochs; ``probe`` a name for that which suits the task."""

    probe: Probe | str
    epochs: Epochs = None

    def of(self, run: Run) -> xr.Dataset:
        """Its result in a run: what is stored there, with what was missing."""
        return run.probe(self.probe, epochs=self.epochs)

    def missing(self, run: Run) -> list[int]:
        """The steps at which it has no stored result yet."""
        return run.missing(self.probe, epochs=self.epochs)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """One trained network of an experiment.

    Attributes:
        run: its run.
        config: what it was trained with.
        setting: the name of the settings that tell it from others of its model and seed; empty where there are none.
        measurements: what was measured, by name.

    """

    run: Run
    config: Config
    setting: str
    measurements: Mapping[str, Measurement]
    _results: dict[str, xr.Dataset] = field(default_factory=dict)

    def found(self, name: str) -> xr.Dataset:
        """The result of the measurement called ``name``."""
        if name not in self._results:
            self._results[name] = self.measurements[name].of(self.run)
        return self._results[name]

    @property
    def model(self) -> str:
        """The network's name."""
        return self.config.model["name"]

    @property
    def seed(self) -> int:
        """The seed of its weights."""
        return self.config.seed


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How large an experiment is.

    Attributes:
        task_preset: the task's own preset to begin with.
        seeds: which, unless others are asked for.
        measurements: what is measured at each network, by name, given its settings.
        settings: several settings by name, each a list of changes such as "task.gap=50"; one without a name by default.
        changes: changes of settings for all.

    """

    task_preset: str
    seeds: tuple[int, ...]
    measurements: Callable[[Config], Mapping[str, Measurement]]
    settings: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"": ()})
    changes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence that a measurement decides: one number for each seed, and where it has to lie.

    Attributes:
        name: one word or a few, joined by hyphens.
        statement: the claim.
        measure: what the number is, with its unit.
        about: the models that it is about; a seed at which one of their networks is missing decides nothing.
        value: that number, from tables of one seed; NaN where it cannot be measured.
        direction, threshold: the claim holds at a seed whose number is at least, or at most, the threshold.

    """

    name: str
    statement: str
    measure: str
    about: tuple[str, ...]
    value: Callable[[Tables], float]
    direction: Literal["at least", "at most"]
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure of the experiment: its file, its name in ``rnnscope.figures``, the table it shows, what one sees, and
    settings of the figure.

    ``table`` is "orbits" for the orbits of all networks of the lowest seed that most models have, side by side.
    """

    file: str
    figure: str
    table: str
    caption: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Study:
    """An experiment over seeds.

    Attributes:
        title: a heading.
        question: what it is for, in a few sentences.
        task: name of the task.
        models: the networks that are compared.
        presets: by name; "quick" is the default.
        tables: how what was found is put together, from the trained networks, by name.
        claims: what is decided.
        pictures: what is drawn.
        looked_at: seeds that were looked at before the claims had their final form: they support none of them.
        source: where the claims come from.

    """

    title: str
    question: str
    task: str
    models: tuple[str, ...]
    presets: Mapping[str, Preset]
    tables: Mapping[str, Callable[[Sequence[Trained]], xr.Dataset]]
    claims: tuple[Claim, ...]
    pictures: tuple[Picture, ...]
    looked_at: tuple[int, ...]
    source: str

    def preset(self, name: str) -> Preset:
        """The preset called ``name``; ValueError names those there are."""
        if name not in self.presets:
            raise unknown("preset", name, self.presets)
        return self.presets[name]

    def chosen_claims(self, names: Sequence[str] | None) -> tuple[Claim, ...]:
        """The claims called so, in the order of the description, or all; ValueError names those there are."""
        if names is None:
            return self.claims
        require(names, "claims", "at least one", names)
        known = {claim.name: claim for claim in self.claims}
        for name in names:
            if name not in known:
                raise unknown("claim", name, known)
        return tuple(claim for claim in self.claims if claim.name in names)
