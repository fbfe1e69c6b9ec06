"""Networks that are fed their own output."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from rnnscope import models
from rnnscope.systems import as_system, closed_loop, textbook
from rnnscope.testing import check_system


def doubled(output):
    return torch.cat([output, 2 * output], dim=-1)


class Step(nn.Module):
    """A fused cell: no forward differentiation, and an output that comes with the new state."""

    def __init__(self):
        super().__init__()
        self.core, self.head = nn.GRU(1, 3), nn.Linear(3, 1)

    def forward(self, input, state):
        output, new = self.core(input[None], state[None])
        return self.head(output[0]), new[0]


SYSTEMS = {
    "lstm": lambda: closed_loop(as_system((nn.LSTM(2, 3, 2), nn.Linear(3, 2)))),
    "no head": lambda: closed_loop(as_system(nn.GRU(3, 3))),
    "orthogonal": lambda: closed_loop(
        as_system(models.build("orthogonal", input_size=1, hidden_size=4, output_size=1))
    ),
    "mingru": lambda: closed_loop(as_system(models.build("mingru", input_size=1, hidden_size=4, output_size=1))),
    "a function between": lambda: closed_loop(as_system((nn.GRU(2, 3), nn.Linear(3, 1))), doubled),
    "textbook": lambda: closed_loop(textbook.tanh_map()),
    "step module": lambda: closed_loop(as_system(Step(), input_size=1, state=torch.zeros(1, 3))),
}


@pytest.mark.parametrize("make", SYSTEMS.values(), ids=SYSTEMS)
def test_keeps_the_contract(make):
    check_system(make())


def test_equals_a_loop_over_the_module():
    torch.manual_seed(0)
    cell, head = nn.LSTMCell(1, 4).double(), nn.Linear(4, 1).double()
    system = closed_loop(as_system((cell, head)))
    parts, y, outputs = (torch.zeros(1, 4).double(), torch.zeros(1, 4).double()), torch.zeros(1, 1).double(), []
    with torch.no_grad():
        for _ in range(30):
            parts = cell(y + 0.3, parts)
            y = head(parts[0])
            outputs.append(y)
    start = torch.zeros(1, 9, dtype=torch.float64)
    came = system.simulate(start, torch.tensor([[0.3]], dtype=torch.float64), n_steps=30)
    torch.testing.assert_close(came.outputs, torch.stack(outputs), rtol=0, atol=1e-13)
    torch.testing.assert_close(came.final[:, 8:], y, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["lstm", "no head", "mingru"])
def test_closed_form_equals_forward_differentiation(name):
    system = SYSTEMS[name]().to(torch.float64)
    plain: Any = copy.copy(system)
    plain.feedback = torch.clone
    state = torch.randn(5, system.state_size, dtype=torch.float64)
    drive = system.drive(system.weights, torch.randn(5, system.input_size, dtype=torch.float64))
    jacobian = system.jacobian(system.weights, state, drive)
    torch.testing.assert_close(jacobian, plain.jacobian(system.weights, state, drive), rtol=0, atol=1e-13)
    assert (torch.linalg.matrix_rank(jacobian) <= system.state_size - system.output_size).all()


def test_feedback_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match=r"as wide as the input, 2, came 1 numbers; give feedback="):
        closed_loop(as_system((nn.GRU(2, 3), nn.Linear(3, 1))))


def test_feedback_is_part_of_the_signature():
    pair = as_system((nn.GRU(2, 3), nn.Linear(3, 1)))
    signature = closed_loop(pair, doubled).signature()
    assert "doubled" in signature
    assert "0x" not in signature
    assert pair.signature() in signature
