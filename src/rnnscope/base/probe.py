"""The contract of a probe: frozen settings, one verb, a Dataset that says where it came from."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from rnnscope.base.errors import unknown

if TYPE_CHECKING:
    import xarray

REFERENCES = (
    "Ribeiro, Tiels, Aguirre & Schön, Beyond exploding and vanishing gradients: analysing RNN training using "
    "attractors and smoothness, AISTATS 2020 (PMLR 108, 2370-2380; arXiv 1906.08482). "
    "Ribeiro, Tiels, Umenberger, Schön & Aguirre, On the smoothness of nonlinear system identification, "
    "Automatica 121, 2020 (arXiv 1905.00820)."
)


HOW = {"how": True}
"""Metadata of a field that says how to compute and not what: it is no setting, and results do not depend on it."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A frozen description of one measurement.

    A probe is a frozen dataclass whose fields are its settings, each one a plain value (number, string, tuple), with a
    method ``measure(system, sequences=None)`` that returns an ``xarray.Dataset``; ``sequences`` are input sequences of
    the network's task (sequence, time, channel). A probe of the cost has ``measure(system, objective)`` instead, one of
    the whole path of training ``measure(path, objective)``. Misuse raises at construction; a failure to converge is
    data, not an exception.

    ``name`` is the one word used in Python, on the command line, in files and in the docs. ``version`` is the
    algorithm's: raise it when the same settings give other numbers, and stored results are measured anew.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1

    @property
    def needs_sequences(self) -> bool:
        """Whether input sequences decide what is measured: then their digest is part of what results are kept by."""
        return False

    @property
    def needs_objective(self) -> bool:
        """Whether it measures a cost: then data and loss are part of what results are kept by."""
        return False

    @property
    def needs_path(self) -> bool:
        """Whether it measures the path of training as a whole, instead of one snapshot after another."""
        return False

    @property
    def holds_inputs(self) -> bool:
        """Whether inputs are to be held that are still open: on a run, the constant inputs of its task."""
        return getattr(self, "inputs", ()) is None

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
            references=REFERENCES,
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
