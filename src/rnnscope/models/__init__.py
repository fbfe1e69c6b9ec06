"""Networks to train, by name with validated settings. One public file is one model: the next one is a new file.

A model's file holds a frozen dataclass ``Settings`` with a method ``build() -> nn.Module``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rnnscope.base import catalogue
from rnnscope.base.errors import unknown

if TYPE_CHECKING:
    from rnnscope.models._network import NetworkSettings
    from rnnscope.models._network import SequenceNetwork as SequenceNetwork
    from rnnscope.models._recurrent import Recurrent as Recurrent

_HOMES = {"Recurrent": "_recurrent", "SequenceNetwork": "_network"}


def names() -> list[str]:
    """The models there are.

    >>> names()
    ['antisymmetric', 'chaos-free', 'cornn', 'gru', 'lru', 'lstm', 'mingru', 'orthogonal', 'rnn',
     'stable-lstm', 'stable-rnn']
    """
    return catalogue.names(__name__)


def settings(name: str, **values: Any) -> "NetworkSettings":
    """The validated settings of a model.

    >>> settings("lstm", input_size=1, hidden_size=8, output_size=1).num_layers
    1

    Raises:
        ValueError: unknown model or setting (names the nearest and all valid ones), or a value out of range.

    """
    valid = setting_names(name)
    for key in values:
        if key not in valid:
            raise unknown(f"setting of model {name}", key, valid)
    return catalogue.load(__name__, name).Settings(**values)


def setting_names(name: str) -> list[str]:
    """The settings that a model has; ValueError if there is no such model."""
    from dataclasses import fields

    return [field.name for field in fields(catalogue.load(__name__, name).Settings)]


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


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
