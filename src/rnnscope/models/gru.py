"""torch.nn.GRU and a linear head."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from rnnscope.models._network import TorchSettings


@dataclass(frozen=True, kw_only=True)
class Settings(TorchSettings):
    """Settings of the GRU network."""

    torch_module: ClassVar[type[nn.RNNBase]] = nn.GRU
