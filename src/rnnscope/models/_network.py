from dataclasses import dataclass, fields

from torch import Tensor, nn

from rnnscope.base.errors import require


class SequenceNetwork(nn.Module):
    """Recurrent layers and a linear head, over whole sequences, batch first.

    (batch, time, input_size) -> (batch, time, output_size), from the zero state.
    """

    def __init__(self, core: nn.RNNBase, output_size: int):
        super().__init__()
        self.core = core
        self.head = nn.Linear(core.proj_size or core.hidden_size, output_size)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.core(inputs)[0])


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Settings common to all models; ``input_size`` and ``output_size`` come from the task."""

    input_size: int
    output_size: int
    hidden_size: int
    num_layers: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("input_size", "output_size", "hidden_size", "num_layers"):
            value = getattr(self, name)
            require(type(value) is int and value > 0, name, "a positive whole number", value)
        require(0 <= self.dropout < 1, "dropout", "a probability in [0, 1)", self.dropout)
        require(
            self.dropout == 0 or self.num_layers > 1,
            "dropout",
            "0 with one layer (it acts between layers)",
            self.dropout,
        )

    def core(self) -> nn.RNNBase:
        raise NotImplementedError(f"{type(self).__module__}.Settings must say which recurrent layers it is made of")

    def build(self) -> SequenceNetwork:
        return SequenceNetwork(self.core(), self.output_size)

    def layer_options(self) -> dict[str, int | float | bool]:
        """What torch.nn's recurrent modules take, besides the sizes of input and state."""
        own = {field.name for field in fields(self)} - {"input_size", "output_size", "hidden_size"}
        return {"batch_first": True, **{name: getattr(self, name) for name in own}}
