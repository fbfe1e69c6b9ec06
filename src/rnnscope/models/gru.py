"""torch.nn.GRU and a linear head."""

from dataclasses import dataclass

from torch import nn

from rnnscope.models._network import NetworkSettings


@dataclass(frozen=True, kw_only=True)
class Settings(NetworkSettings):
    """Settings of the GRU network."""

    def core(self) -> nn.RNNBase:
        """The recurrent layers."""
        return nn.GRU(self.input_size, self.hidden_size, **self.layer_options())
