"""torch.nn.LSTM and a linear head."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from rnnscope.models._network import TorchSettings


@dataclass(frozen=True, kw_only=True)
class Settings(TorchSettings):
    """Settings of the LSTM network."""

    torch_module: ClassVar[type[nn.RNNBase]] = nn.LSTM
