"""The contract of a probe: frozen settings, one subject, a Dataset that says where it came from."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np

from rnnscope.base.errors import unknown
from rnnscope.base.references import ATTRACTORS_AND_SMOOTHNESS

if TYPE_CHECKING:
    import xarray

HOW = {"how": True}
"""Metadata of a field that says how to compute and not what: it is no setting, and results do not depend on it."""

Subject = Literal["snapshot", "pair", "path"]
Needs = Literal["sequences", "objective"]
Progress = Callable[[int, int], None]
S = TypeVar("S")
D = TypeVar("D")


@dataclass(frozen=True, eq=False)
class Given(Generic[D]):
    """What a run gives to a measurement besides its subject.

    Attributes:
        data: what the probe ``needs``: input sequences (None where they are not known), an objective, or None.
        progress: called with (done, to do) as one long measurement goes on; None where nobody watches.
        scratch: a folder for the state of one long measurement, of a probe of the whole path only. What is written
            there is there again when a measurement that was interrupted or killed is begun again, and is removed when
            it has ended. None: nothing can be kept.

    """

    data: D
    progress: Progress | None = None
    scratch: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Probe(ABC, Generic[S, D]):
    """A frozen description of one measurement, of a subject ``S`` with data ``D``.

    A probe is a frozen dataclass whose fields are its settings, each one a plain value (number, string, tuple), with a
    method ``measure(subject, data)`` that returns an ``xarray.Dataset``. Misuse raises at construction; a failure to
    converge is data, not an exception.

    Attributes:
        name: the one word used in Python, on the command line, in files and in the docs.
        version: the algorithm's: raise it when the same settings give other numbers, and stored results are measured
            anew.
        subject: what one measurement is about, and what a run hands to ``measure``. 'snapshot': a ``System``, the
            network at one epoch. 'pair': a ``Pair`` of neighbouring ones; its result is kept at the later step. 'path':
            a ``TrainingPath``, all of them at once, or as many as a setting ``n_snapshots`` says.
        one_epoch: whether figures show it at one epoch, so that the last is what to measure first.
        references: the papers to cite for what it measures.

    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    subject: ClassVar[Subject] = "snapshot"
    one_epoch: ClassVar[bool] = False
    references: ClassVar[tuple[str, ...]] = (ATTRACTORS_AND_SMOOTHNESS,)

    @property
    def needs(self) -> Needs | None:
        """The data that decide what is measured, so that results are kept by them too: input sequences of the network's
        task (sequence, time, channel), an objective (data and loss of its cost), or none."""
        return None

    @property
    def left_open(self) -> frozenset[str]:
        """Those of ``inputs`` and ``starts`` that are None until a run, which knows its task, says what they are."""
        names = {field.name for field in fields(self)} & {"inputs", "starts"}
        return frozenset(name for name in names if getattr(self, name) is None)

    @abstractmethod
    def measure(self, subject: S, data: D, /) -> "xarray.Dataset":
        """Measure one subject; each probe says what its data are called and when they may be left out."""

    def measure_given(self, subject: S, given: Given[D]) -> "xarray.Dataset":
        """What a run calls: ``measure``, unless the probe reports its progress or keeps its state in ``scratch``."""
        return self.measure(subject, given.data)

    def settings(self) -> dict[str, Any]:
        """The settings as plain values that JSON and TOML can hold, without those that only say how to compute."""
        how = {field.name for field in fields(self) if field.metadata == HOW}
        return {name: plain(value) for name, value in asdict(self).items() if name not in how}

    @property
    def key(self) -> str:
        """Ten hexadecimal digits that stand for name, algorithm version and all settings."""
        return hashlib.sha256(self.description().encode()).hexdigest()[:10]

    def description(self) -> str:
        """Canonical JSON of name, version and settings."""
        content = {"probe": self.name, "version": self.version, "settings": self.settings()}
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """A probe from plain values, as they stand in a config file.

        Raises:
            ValueError: a setting that this probe does not have, or a value it does not take.

        """
        valid = [field.name for field in fields(cls)]
        for name in settings:
            if name not in valid:
                raise unknown(f"setting of probe {cls.name}", name, valid)
        return cls(**settings)

    def label(self, dataset: "xarray.Dataset") -> "xarray.Dataset":
        """Write onto a result what it was measured with: probe, settings, versions, references."""
        dataset.attrs.update(
            probe=self.name,
            key=self.key,
            settings=self.description(),
            **_versions(),
            references=" ".join(self.references),
        )
        return dataset


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("rnnscope", "torch")}


def plain(value: Any) -> Any:
    """Arrays, tuples and NumPy numbers as plain lists and numbers."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
