"""What is known of a run that has been opened: ``Run`` is one, and nothing here needs more of it."""

from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from rnnscope.base.probe import Probe
from rnnscope.smoothness import Objective
from rnnscope.systems import System
from rnnscope.tasks import ConstantInputs


class OpenedRun(Protocol):
    """The folder of a run, its network, snapshots and data; see ``Run``, whose cached properties these are."""

    path: Path

    @cached_property
    def steps(self) -> np.ndarray: ...

    @cached_property
    def epochs(self) -> np.ndarray: ...

    @cached_property
    def template(self) -> System: ...

    @property
    def model_signature(self) -> str: ...

    @cached_property
    def sequences(self) -> Tensor | None: ...

    @cached_property
    def objective(self) -> Objective | None: ...

    @cached_property
    def held_inputs(self) -> ConstantInputs | None: ...

    def default_probe(self, name: str, **settings: Any) -> Probe: ...
