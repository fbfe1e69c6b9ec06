"""Runs that stand still: what a report asks of a Run, without one on disk."""

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import xarray as xr

from rnnscope.base.errors import RunError


def _synthetic() -> ModuleType:
    """The synthetic orbits of the figures' tests."""
    name = "rnnscope_synthetic_orbits"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "figures" / "conftest.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@dataclass
class StillRun:
    """The attributes of ``rnnscope.Run`` that a report reads."""

    orbits: xr.Dataset | None
    scalars: pd.DataFrame
    name: str = "sine-lstm-0"
    attractors: xr.Dataset | None = None
    status: str = "finished"
    damaged: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(
        default_factory=lambda: {
            "seed": 0,
            "device": "cpu",
            "task": {"name": "sine", "length": 100},
            "model": {"name": "lstm", "hidden_size": 32},
            "training": {"n_epochs": 60, "learning_rate": 0.01},
        }
    )
    provenance: dict[str, Any] = field(
        default_factory=lambda: {"command": "rnnscope train sine --seed 0", "versions": {"torch": "2.13.0"}}
    )

    @property
    def path(self) -> Path:
        return Path("runs") / self.name

    def has(self, name: str, **settings) -> bool:
        return self._stored(name) is not None and not settings

    def dataset(self, name: str) -> xr.Dataset:
        stored = self._stored(name)
        if stored is None:
            raise RunError(f"{name} was never measured")
        return stored

    def _stored(self, name: str) -> xr.Dataset | None:
        return {"orbits": self.orbits, "attractors": self.attractors}.get(name)


def make_run(
    *, n_epochs: int = 60, measured: bool = True, limits: bool = False, name: str = "sine-lstm-0", **settings: Any
) -> StillRun:
    synthetic = _synthetic()
    orbits = synthetic.make_orbits(n_epochs=n_epochs, **settings) if measured else None
    attractors = synthetic.make_attractors(n_epochs=12, n_inputs=settings.get("n_inputs", 10)) if limits else None
    return StillRun(orbits, synthetic.make_scalars(n_epochs), name=name, attractors=attractors)


@pytest.fixture
def still_run() -> Any:
    return make_run


@pytest.fixture
def synthetic() -> ModuleType:
    return _synthetic()
