from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from rnnscope import cells
from rnnscope.base.errors import require, require_numbers
from rnnscope.base.settings import whole
from rnnscope.models._recurrent import Recurrent

_SIZES = ("input_size", "output_size", "hidden_size", "num_layers")


class SequenceNetwork(nn.Module):
    """Recurrent layers and a linear head, over whole sequences, batch first.

    (batch, time, input_size) -> (batch, time, output_size), from the zero state.
    """

    def __init__(self, core: nn.RNNBase | Recurrent, output_size: int):
        super().__init__()
        self.core = core
        width = core.output_size if isinstance(core, Recurrent) else core.proj_size or core.hidden_size
        self.head = nn.Linear(width, output_size)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.core(inputs)[0])

    def after_step(self) -> None:
        """To be called after every optimiser step: re-establishes what the weights must satisfy."""
        if isinstance(self.core, Recurrent):
            self.core.after_step()

    def learning_rate_factors(self) -> dict[str, float]:
        """Parameters whose learning rate is the common one times a factor other than 1."""
        return {}


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(ABC):
    """Settings common to all models; ``input_size`` and ``output_size`` come from the task."""

    input_size: int
    output_size: int
    hidden_size: int
    num_layers: int = 1

    def __post_init__(self) -> None:
        require_numbers(self)
        whole(self, **dict.fromkeys(_SIZES, 1))

    @abstractmethod
    def build(self) -> SequenceNetwork:
        """The network, its weights drawn from torch's global generator."""


@dataclass(frozen=True, kw_only=True)
class TorchSettings(NetworkSettings):
    """Settings of networks on torch's own recurrent modules; dropout acts between layers."""

    torch_module: ClassVar[type[nn.RNNBase]]

    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.dropout < 1, "dropout", "a probability in [0, 1)", self.dropout)
        expected = "0 with one layer (it acts between layers)"
        require(self.dropout == 0 or self.num_layers > 1, "dropout", expected, self.dropout)

    def core(self) -> nn.RNNBase:
        own = {field.name for field in fields(self)} - {"input_size", "output_size", "hidden_size", *self.not_of_torch}
        options: dict[str, Any] = {name: getattr(self, name) for name in own}
        make = cast(Callable[..., nn.RNNBase], self.torch_module)
        return make(self.input_size, self.hidden_size, batch_first=True, **options)

    not_of_torch: ClassVar[tuple[str, ...]] = ()
    """Settings that the torch module does not take."""

    def build(self) -> SequenceNetwork:
        return SequenceNetwork(self.core(), self.output_size)


@dataclass(frozen=True, kw_only=True)
class CellSettings(NetworkSettings):
    """Settings of networks on one of our cells, run in plain operations; further fields are the cell's options."""

    cell: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        cells.load(self.cell, **self.options())  # the cell knows which of its options are out of range

    def options(self) -> dict[str, float | str]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _SIZES}

    def core(self) -> Recurrent:
        return Recurrent(
            self.cell, self.input_size, self.hidden_size, num_layers=self.num_layers, options=self.options()
        )

    def build(self) -> SequenceNetwork:
        return SequenceNetwork(self.core(), self.output_size)
