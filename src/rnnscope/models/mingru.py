"""Minimal gated units and a linear head."""

from dataclasses import dataclass
from typing import ClassVar

from rnnscope.models._network import CellSettings


@dataclass(frozen=True, kw_only=True)
class Settings(CellSettings):
    """Settings of the network; see ``rnnscope.cells.mingru``."""

    cell: ClassVar[str] = "mingru"
