"""torch.nn.RNN (tanh or relu) and a linear head."""

from dataclasses import dataclass

from torch import nn

from rnnscope.base.errors import require
from rnnscope.models._network import NetworkSettings


@dataclass(frozen=True, kw_only=True)
class Settings(NetworkSettings):
    """Settings of the Elman network."""

    nonlinearity: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.nonlinearity in ("tanh", "relu"), "nonlinearity", "'tanh' or 'relu'", self.nonlinearity)

    def core(self) -> nn.RNNBase:
        """The recurrent layers."""
        return nn.RNN(self.input_size, self.hidden_size, **self.layer_options())
