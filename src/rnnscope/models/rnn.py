"""torch.nn.RNN (tanh or relu) and a linear head."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from rnnscope.base.errors import require
from rnnscope.models._network import TorchSettings


@dataclass(frozen=True, kw_only=True)
class Settings(TorchSettings):
    """Settings of the Elman network."""

    torch_module: ClassVar[type[nn.RNNBase]] = nn.RNN

    nonlinearity: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.nonlinearity in ("tanh", "relu"), "nonlinearity", "'tanh' or 'relu'", self.nonlinearity)
