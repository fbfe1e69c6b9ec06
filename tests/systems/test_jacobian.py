"""Jacobians against closed forms, so that a transposed or incomplete one would fail."""

import torch
from torch import nn

from rnnscope.systems import as_system


def test_linear_network_has_its_matrix_as_jacobian():
    core = nn.RNN(1, 3, nonlinearity="relu", bias=False).double()
    system = as_system(core)
    state = 5 + torch.rand(2, 3, dtype=torch.float64)
    with torch.no_grad():
        core.weight_hh_l0.abs_()
    system = as_system(core)
    drive = system.drive(system.weights, torch.zeros(2, 1, dtype=torch.float64))
    torch.testing.assert_close(system.jacobian(system.weights, state, drive)[0], core.weight_hh_l0.detach())


def test_lstm_jacobian_has_all_four_blocks():
    """∂c/∂c = f, ∂h/∂c = o (1 - tanh² c) f, written out by hand."""
    core = nn.LSTM(1, 3).double()
    system = as_system(core)
    x = torch.randn(6, dtype=torch.float64)
    u = torch.randn(1, dtype=torch.float64)
    w = system.weights
    jacobian = system.jacobian(w, x, system.drive(w, u))
    gates = core.weight_ih_l0 @ u + core.bias_ih_l0 + core.weight_hh_l0 @ x[:3] + core.bias_hh_l0
    i, f, g, o = gates.detach().split(3)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * x[3:] + i * g
    torch.testing.assert_close(jacobian[3:, 3:], torch.diag(f))
    torch.testing.assert_close(jacobian[:3, 3:], torch.diag(o * (1 - c.tanh() ** 2) * f))
    w_i, w_f, w_g, w_o = core.weight_hh_l0.detach().split(3)
    dc = (x[3:] * f * (1 - f))[:, None] * w_f + (g * i * (1 - i))[:, None] * w_i + (i * (1 - g**2))[:, None] * w_g
    dh = (c.tanh() * o * (1 - o))[:, None] * w_o + (o * (1 - c.tanh() ** 2))[:, None] * dc
    torch.testing.assert_close(jacobian[3:, :3], dc)
    torch.testing.assert_close(jacobian[:3, :3], dh)
