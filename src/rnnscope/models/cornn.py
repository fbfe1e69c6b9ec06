"""Coupled oscillatory recurrent layers and a linear head."""

from dataclasses import dataclass
from typing import ClassVar

from rnnscope.models._network import CellSettings


@dataclass(frozen=True, kw_only=True)
class Settings(CellSettings):
    """Settings of the network; see ``rnnscope.cells.cornn``."""

    cell: ClassVar[str] = "cornn"

    step_size: float = 0.1
    stiffness: float = 1.0
    damping: float = 1.0
