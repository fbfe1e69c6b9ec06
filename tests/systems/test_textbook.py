"""Textbook maps: the contract of a System, and values known in closed form."""

import math
import pickle
from typing import Any

import pytest
import torch

from rnnscope.systems import System, textbook
from rnnscope.testing import check_system

MAPS = {
    "logistic": (lambda: textbook.logistic(3.7), 0.5),
    "henon": (textbook.henon, 0.0),
    "ikeda": (textbook.ikeda, 0.0),
    "delayed logistic": (textbook.delayed_logistic, 0.5),
    "tanh map": (lambda: textbook.tanh_map(-1.5, 0.2), 0.0),
    "rotated tanh": (textbook.rotated_tanh, 0.0),
    "linear": (lambda: textbook.linear([[0.5, 1.0, 0.0], [0.0, -0.3, 2.0], [0.1, 0.0, 0.9]]), 0.0),
    "lorenz": (textbook.lorenz, 5.0),
    "lorenz, substeps": (lambda: textbook.lorenz(dt=0.1, substeps=7), 5.0),
    "chaotic lstm": (textbook.chaotic_lstm, 0.0),
}


def column(*values):
    return torch.tensor([values], dtype=torch.float64)


def run(system: System, *state, n_steps=1, input=0.0):
    return system.simulate(column(*state), column(input), n_steps=n_steps).final[0]


@pytest.mark.parametrize(("make", "centre"), MAPS.values(), ids=MAPS)
def test_keeps_the_contract(make, centre):
    check_system(make(), scale=0.1, centre=centre)


@pytest.mark.parametrize(("make", "centre"), MAPS.values(), ids=MAPS)
def test_closed_form_jacobian_equals_forward_differentiation(make, centre):
    system = make()
    state = centre + torch.randn(4, system.state_size, dtype=torch.float64)
    drive = system.drive(system.weights, torch.randn(4, 1, dtype=torch.float64))
    jacobian = system.jacobian(system.weights, state, drive)
    plain: Any = Plain(system)
    default = System.jacobian(plain, system.weights, state, drive)
    torch.testing.assert_close(jacobian, default, rtol=1e-12, atol=1e-12)


class Plain:
    """Only the step of a system, so that its derivatives are those of the base class."""

    has_forward_mode = True

    def __init__(self, system):
        self.step, self.state_size = system.step, system.state_size

    def tangent(self: Any, *arguments):
        return System.tangent(self, *arguments)


def test_logistic_period_three_at_its_fold():
    """At r = 1 + √8 the points 0.1599288, 0.5143553, 0.9563178 follow one another."""
    system = textbook.logistic(1 + math.sqrt(8))
    for here, there in ((0.1599288, 0.5143553), (0.5143553, 0.9563178), (0.9563178, 0.1599288)):
        assert run(system, here).item() == pytest.approx(there, abs=2e-6)


def test_henon_fixed_point_and_determinant():
    a, b = 1.4, 0.3
    x = ((b - 1) + math.sqrt((1 - b) ** 2 + 4 * a)) / (2 * a)
    system = textbook.henon(a, b)
    torch.testing.assert_close(run(system, x, b * x), torch.tensor([x, b * x]).double())
    state = torch.randn(5, 2, dtype=torch.float64)
    torch.testing.assert_close(
        torch.linalg.det(system.jacobian(system.weights, state, state[:, :1])), torch.full((5,), -b).double()
    )


def test_ikeda_determinant_is_u_squared():
    system = textbook.ikeda(0.8)
    state = torch.randn(5, 2, dtype=torch.float64)
    determinant = torch.linalg.det(system.jacobian(system.weights, state, state[:, :1]))
    torch.testing.assert_close(determinant, torch.full((5,), 0.64).double())


def test_delayed_logistic_turns_by_a_sixth_at_its_bifurcation():
    """At a = 2 the multipliers of the rest (1/2, 1/2) are exp(±iπ/3)."""
    system = textbook.delayed_logistic(2.0)
    rest = column(0.5, 0.5)
    torch.testing.assert_close(system.step(system.weights, rest, column(0.0)), rest)
    multipliers = torch.linalg.eigvals(system.jacobian(system.weights, rest, column(0.0))[0])
    torch.testing.assert_close(multipliers.abs(), torch.ones(2).double())
    torch.testing.assert_close(multipliers.angle().abs(), torch.full((2,), math.pi / 3).double())


def test_tanh_map_has_a_fold_at_the_known_bias():
    """At w = 2, h² = 1 - 1/w: the fold is at b = artanh(h) - w h, and the multiplier there is 1."""
    h = math.sqrt(0.5)
    b = math.atanh(h) - 2 * h
    assert b == pytest.approx(-0.532840, abs=1e-6)
    system = textbook.tanh_map(2.0, b)
    torch.testing.assert_close(run(system, h), torch.tensor([h]).double())
    assert system.jacobian(system.weights, column(h), column(0.0)).item() == pytest.approx(1.0)


def test_input_is_added_where_it_is_said_to_be():
    torch.testing.assert_close(run(textbook.tanh_map(2.0, 0.1), 0.3, input=0.2), run(textbook.tanh_map(2.0, 0.3), 0.3))
    torch.testing.assert_close(
        run(textbook.linear(torch.eye(2)), 1.0, 2.0, input=3.0), torch.tensor([4.0, 5.0]).double()
    )
    assert run(textbook.logistic(3.0), 0.5, input=9.0).item() == 0.75


def test_lorenz_error_falls_with_the_fourth_power_of_the_step():
    exact = run(textbook.lorenz(dt=0.2, substeps=512), 1.0, 2.0, 20.0)
    coarse, fine = (
        float((run(textbook.lorenz(dt=0.2, substeps=n), 1.0, 2.0, 20.0) - exact).abs().max()) for n in (16, 32)
    )
    assert 12 < coarse / fine < 22
    rest = math.sqrt(8 / 3 * 27)
    torch.testing.assert_close(run(textbook.lorenz(), rest, rest, 27.0), torch.tensor([rest, rest, 27.0]).double())


def test_chaotic_lstm_is_torchs_lstm():
    system = textbook.chaotic_lstm()
    lstm = torch.nn.LSTM(1, 2, bias=False).double()
    lstm.load_state_dict(system.params)
    half = torch.full((1, 1, 2), 0.5, dtype=torch.float64)
    expected = lstm(torch.zeros(20, 1, 1, dtype=torch.float64), (half, half))[0][-1, 0]
    torch.testing.assert_close(run(system, 0.5, 0.5, 0.5, 0.5, n_steps=20)[:2], expected.detach())


def test_rules_with_other_options_are_told_apart_in_every_process():
    signatures = {textbook.lorenz(dt=dt, substeps=n).signature() for dt in (0.01, 0.02) for n in (1, 2)}
    assert len(signatures) == 4
    assert not any("0x" in signature for signature in signatures)
    copied = pickle.loads(pickle.dumps(textbook.lorenz()))
    assert copied.signature() == textbook.lorenz().signature()


def test_making_one_leaves_the_global_random_state():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    textbook.chaotic_lstm()
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: textbook.logistic(math.nan), "r: expected a finite number, came nan"),
        (lambda: textbook.linear([[1.0, 2.0]]), r"matrix: expected a square matrix, came \(1, 2\)"),
        (lambda: textbook.lorenz(dt=0.0), "dt: expected a positive number"),
        (lambda: textbook.lorenz(substeps=0), "substeps: expected a positive whole number"),
    ],
)
def test_odd_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
