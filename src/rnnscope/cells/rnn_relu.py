"""Elman network with a rectifier, as ``torch.nn.RNN(nonlinearity="relu")``."""

import torch

from rnnscope.cells._elman import elman_cell

CELL = elman_cell("rnn-relu", torch.relu, lambda h: (h > 0).to(h.dtype))
