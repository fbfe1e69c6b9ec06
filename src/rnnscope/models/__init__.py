"""Networks to train, by name with validated settings. One public file is one model: the next one is a new file.

A model's file holds a frozen dataclass ``Settings`` with a method ``build() -> nn.Module``.
"""

from typing import TYPE_CHECKING, Any

from rnnscope.base import catalogue
from rnnscope.base.errors import unknown

if TYPE_CHECKING:
    from rnnscope.models._network import NetworkSettings, SequenceNetwork


def names() -> list[str]:
    """The models there are.

    >>> names()
    ['gru', 'lstm', 'rnn']
    """
    return catalogue.names(__name__)


def settings(name: str, **values: Any) -> "NetworkSettings":
    """The validated settings of a model.

    >>> settings("lstm", input_size=1, hidden_size=8, output_size=1).num_layers
    1

    Raises:
        ValueError: unknown model or setting (names the nearest and all valid ones), or a value out of range.

    """
    from dataclasses import fields

    cls = catalogue.load(__name__, name).Settings
    valid = [field.name for field in fields(cls)]
    for key in values:
        if key not in valid:
            raise unknown(f"setting of model {name}", key, valid)
    return cls(**values)


def build(name: str, *, seed: int = 0, **values: Any) -> "SequenceNetwork":
    """A network with freshly drawn weights; the global random state is left alone.

    >>> build("lstm", input_size=1, hidden_size=8, output_size=1)
    SequenceNetwork(
      (core): LSTM(1, 8, batch_first=True)
      (head): Linear(in_features=8, out_features=1, bias=True)
    )
    """
    from rnnscope.base.randomness import seeded

    chosen = settings(name, **values)
    with seeded(seed, "model"):
        return chosen.build()
