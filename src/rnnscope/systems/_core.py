"""Recurrent modules of torch and of ours, described by their cell."""

from torch import nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.models import Recurrent
from rnnscope.systems.recurrent import Core

CoreModule = nn.RNNBase | nn.RNNCellBase | Recurrent
_TORCH = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn", nn.LSTMCell: "lstm", nn.GRUCell: "gru", nn.RNNCell: "rnn"}


def describe_core(core: CoreModule, prefix: str = "") -> Core:
    """The cell, sizes and parameter names of a recurrent module.

    A subclass is what it inherits from as long as it has that class's ``forward``.

    Raises:
        UnsupportedModelError: bidirectional, with hooks, or of a class whose forward is its own.

    """
    kind = type(core).__name__
    if getattr(core, "bidirectional", False):
        raise UnsupportedModelError(
            f"{kind}(bidirectional=True): the backward half reads the future, so there is no map from x[t-1] to x[t]; "
            "hand over a network that runs forwards only"
        )
    if isinstance(core, Recurrent):
        return Core(
            cell=core.cell,
            input_size=core.input_size,
            hidden_size=core.hidden_size,
            num_layers=core.num_layers,
            prefix=prefix,
            options=core.options,
        )
    base = next((base for base in _TORCH if isinstance(core, base) and type(core).forward is base.forward), None)
    if base is None:
        raise UnsupportedModelError(f"{kind}: a subclass of torch's recurrent modules with a forward of its own")
    layers = isinstance(core, nn.RNNBase)
    return Core(
        cell=f"rnn-{core.nonlinearity}" if _TORCH[base] == "rnn" else _TORCH[base],
        input_size=core.input_size,
        hidden_size=core.hidden_size,
        num_layers=core.num_layers if layers else 1,
        bias=bool(core.bias),
        proj_size=core.proj_size if layers else 0,
        prefix=prefix,
        suffixed=layers,
    )
