"""Elman network with tanh, as ``torch.nn.RNN(nonlinearity="tanh")``."""

import torch

from rnnscope.cells._elman import elman_cell

CELL = elman_cell("rnn-tanh", torch.tanh, lambda h: 1 - h * h)
