"""A tanh network that contracts: singular values of W_hh are clipped after every optimiser step.

h -> tanh(W h + …) has Lipschitz constant ‖W‖₂ at most. Source: Miller & Hardt, Stable Recurrent Models, ICLR 2019.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from rnnscope.base.errors import require
from rnnscope.models._network import SequenceNetwork, TorchSettings


@dataclass(frozen=True, kw_only=True)
class Settings(TorchSettings):
    """Settings of the stable tanh network: ``rate`` < 1 is the largest singular value allowed."""

    torch_module: ClassVar[type[nn.RNNBase]] = nn.RNN
    not_of_torch: ClassVar[tuple[str, ...]] = ("rate",)

    rate: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.rate < 1, "rate", "a contraction rate in (0, 1)", self.rate)

    def build(self) -> SequenceNetwork:
        """The network; its first weights are drawn as those of torch.nn.RNN and clipped."""
        return StableRNN(self)


class StableRNN(SequenceNetwork):
    """A sequence network on torch.nn.RNN with clipped singular values."""

    def __init__(self, settings: Settings):
        super().__init__(settings.core(), settings.output_size)
        self.settings = settings
        self.after_step()

    @torch.no_grad()
    def after_step(self) -> None:
        """Clip the singular values of every layer's W_hh."""
        for name, weight in self.core.named_parameters():
            if name.startswith("weight_hh"):
                u, s, vh = torch.linalg.svd(weight.double())
                if s[0] > self.settings.rate:
                    weight.copy_((u * s.clamp(max=self.settings.rate * (1 - 1e-6))) @ vh)
