"""Gated networks with slow units, tori near resonance and other motions that short averages misjudge."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from rnnscope.attractors import Attractors, kind_names
from rnnscope.attractors.limit_sets.chains import Chains, run_chains, sets_of
from rnnscope.systems import as_system, textbook


def kinds(found: xr.Dataset) -> list[str]:
    return [str(name) for name in kind_names(found.kind.values[0]) if name]


def doubts(found: xr.Dataset) -> list[str]:
    words = str(found.doubt.attrs["flag_meanings"]).split()
    return [words[code] for code in found.doubt.values[0] if code > 0]


def gated(kind, size, factor, seed):
    torch.manual_seed(seed)
    network = getattr(nn, kind)(1, size).double()
    with torch.no_grad():
        network.weight_hh_l0.mul_(factor)
    return network


def test_one_chaotic_set_of_a_slow_network_is_one():
    """The means of eight starts differ by half the spread after 2000 steps, and by 0.05 after 256,000."""
    found = Attractors(inputs=[[0.3]], starts="normal(1)").measure(gated("GRU", 64, 8, 2))
    assert kinds(found) == ["chaos"]
    assert int(found.n_run[0, 0]) > 10_000


def test_chaotic_transients_are_no_attractors():
    """After 10⁴ to more than 2·10⁵ steps all starts come to one set with λ1 = 0.012; before, λ1 = 0.04."""
    found = Attractors(inputs=[[0.3]], starts="normal(1)", n_extensions=1).measure(gated("GRU", 32, 8, 3))
    assert sorted(kinds(found)) in (["chaos", "undetermined"], ["undetermined"], ["chaos"])
    if "chaos" in kinds(found):
        assert float(found.lyapunov_exponent[0, kinds(found).index("chaos"), 0]) == pytest.approx(0.0122, abs=0.004)


@pytest.mark.parametrize(("size", "seed"), [(64, 1), (16, 0)])
def test_what_is_not_settled_in_a_short_run_is_said_so(size, seed):
    found = Attractors(inputs=[[0.3]], starts="normal(1)", n_extensions=0).measure(gated("GRU", size, 12, seed))
    assert "chaos" not in kinds(found)
    if size == 64:
        assert "moving_irregularly,_not_settled" in doubts(found)


def test_chaos_of_a_large_lstm_is_one_set():
    found = Attractors(inputs=[[0.5]], starts="normal(1)", n_starts=4).measure(gated("LSTM", 200, 6, 1))
    assert kinds(found) == ["chaos"]
    assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(0.083, abs=0.008)


def pair(first, second, coupling):
    matrix = np.zeros((4, 4))
    for at, angle, growth in ((0, first, 1.2), (2, second, 1.15)):
        matrix[at : at + 2, at : at + 2] = growth * np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        )
    matrix[0, 2], matrix[2, 0], matrix[3, 1] = coupling, -coupling, 0.7 * coupling
    network = nn.RNN(1, 4, bias=False).double()
    network.load_state_dict({"weight_ih_l0": torch.zeros(4, 1), "weight_hh_l0": torch.as_tensor(matrix)})
    return network


@pytest.mark.parametrize("coupling", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("second", [2.01, 2.0001])
def test_one_torus_near_a_resonance_is_never_several(second, coupling):
    found = Attractors(starts="normal(0.5)", n_starts=3, n_extensions=1, seed=1).measure(pair(1.0, second, coupling))
    assert set(kinds(found)) <= {"torus", "undetermined"}
    assert kinds(found).count("torus") <= 1


def test_two_curves_with_a_slow_phase_are_no_continuum():
    """The phases of the two oscillations drift by about 10⁻³ a step against each other."""
    found = Attractors(starts="normal(0.5)", n_extensions=1).measure(pair(1.0, 1.001, 0.0))
    assert set(kinds(found)) <= {"torus", "undetermined"}


class GrebogiOttPelikanYorke(nn.Module):
    """x <- 3 tanh(x) cos 2πθ, θ <- θ + golden mean: strange, and not chaotic."""

    def forward(self, u, state):
        x, angle = state[:, :1], state[:, 1:]
        return torch.cat([3 * x.tanh() * (2 * torch.pi * angle).cos(), (angle + (5**0.5 - 1) / 2) % 1], 1)


@pytest.mark.slow
def test_a_strange_nonchaotic_set_gets_no_name():
    system = as_system(GrebogiOttPelikanYorke(), input_size=0, state=torch.zeros(1, 2, dtype=torch.float64))
    found = Attractors(starts=[[0.1, 0.2]], n_steps=6000, n_extensions=0).measure(system)
    assert kinds(found) == ["undetermined"]
    assert float(found.lyapunov_exponent[0, 0, 1]) == pytest.approx(-1.06, abs=0.02)


def test_two_chaotic_sets_are_two():
    """x <- ±|r x (1 - x)|: the logistic map on each side of 0, at two values of r."""

    class TwoSides(nn.Module):
        def forward(self, u, x):
            r = torch.where(x > 0, 3.9, 3.8)
            return torch.sign(x) * r * x.abs() * (1 - x.abs())

    system = as_system(TwoSides(), input_size=0, state=torch.full((1, 1), 0.3, dtype=torch.float64))
    found = Attractors(starts=[[0.3], [-0.4], [0.6], [0.21]], n_transient=100, n_steps=600).measure(system)
    assert kinds(found) == ["chaos", "chaos"]
    assert sorted(found.fraction.values[0].tolist()) == [0.25, 0.75]
    exponents = sorted(found.lyapunov_exponent.values[0, :, 0].tolist())
    assert exponents == pytest.approx([0.431, 0.4945], abs=0.03)


def chains_of(values, origin) -> Chains:
    """Chains of one coordinate with block means ``values`` (chain, block)."""
    means = np.stack([values, values**2 + 1], -1)
    return Chains(means, np.array([1.0, 2.0]), np.array(origin), np.zeros(len(origin), bool), np.zeros(1))


def test_chains_of_noise_are_one_set_and_shifted_ones_are_two():
    rng = np.random.default_rng(0)
    origin = np.repeat([0, 1], 16)
    noise = 0.02 * rng.normal(size=(32, 8))
    assert chains_of(noise, origin).homogeneous
    assert sets_of(chains_of(noise, origin)) is not None
    shifted = noise + 1.0 * origin[:, None]
    labels = sets_of(chains_of(shifted, origin))
    assert labels is not None
    assert labels.tolist() == [0, 1]


def test_chains_with_a_trend_or_stuck_ones_are_not_stationary():
    rng = np.random.default_rng(0)
    origin, noise = np.repeat([0, 1], 16), 0.02 * rng.normal(size=(32, 8))
    assert sets_of(chains_of(noise + np.linspace(0, 1, 8), origin)) is None
    stuck = noise.copy()
    stuck[3:9] += 1.0
    assert sets_of(chains_of(stuck, origin)) is None


def test_copies_that_come_to_rest_have_left():
    """At r = 3.83 the logistic map has transients around its 3-cycle; at r = 4 it has none."""
    for r, leaves in ((3.83, True), (4.0, False)):
        system = textbook.logistic(r)
        state = torch.tensor([[0.31], [0.62]], dtype=torch.float64)
        drive = system.drive(system.weights, torch.zeros(2, system.input_size, dtype=torch.float64))
        found, _ = run_chains(
            system, system.weights, state, drive, input=np.zeros(2, int), n_copies=32, n_steps=1000, rate=0.3,
            escape=1e8, generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        assert bool(found[0].left.any()) == leaves
        assert (sets_of(found[0]) is None) == leaves


def test_a_wide_network_without_input():
    class Rotation(nn.Module):
        def forward(self, u, x):
            return torch.tanh(1.2 * torch.cat([x[:, 1:2], -x[:, :1], 0.5 * x[:, 2:]], 1))

    system = as_system(Rotation(), input_size=0, state=torch.zeros(1, 120, dtype=torch.float64))
    found = Attractors(starts="normal(1)", n_starts=2, n_extensions=0).measure(system)
    assert kinds(found) == ["cycle"]


def test_chaos_in_single_precision():
    starts = [[0.1], [0.7], [0.3]]
    found = Attractors(starts=starts, dtype="float32").measure(textbook.logistic(3.9))
    assert kinds(found) == ["chaos"]
    assert float(found.lyapunov_exponent[0, 0, 0]) == pytest.approx(0.4945, abs=0.03)
    slow = Attractors(inputs=[[0.3]], starts="normal(1)", n_starts=4, n_extensions=0, dtype="float32")
    assert set(kinds(slow.measure(gated("GRU", 64, 8, 2)))) <= {"chaos", "undetermined"}


def test_states_whose_squares_overflow_have_escaped():
    class Huge(nn.Module):
        def forward(self, u, x):
            return 3.9 * x * (1 - x / 1e200)

    system = as_system(Huge(), input_size=0, state=torch.full((1, 1), 3e199, dtype=torch.float64))
    starts = [[3e199], [6e199]]
    assert kinds(Attractors(starts=starts).measure(system)) == ["divergence"]
    with pytest.raises(ValueError, match="escape: expected at most 1e\\+100"):
        Attractors(starts=starts, escape=1e300)


def test_a_budget_too_small_to_tell_is_said():
    found = Attractors(inputs=[[0.3]], starts="normal(1)", n_starts=2, n_transient=0, n_steps=200, n_extensions=0)
    found = found.measure(gated("GRU", 64, 8, 2))
    assert kinds(found) == ["undetermined"]
    assert doubts(found) in (["moving_irregularly,_not_settled"], ["averages_not_converged"])


def test_a_large_chaotic_network_says_how_long_it_takes(monkeypatch, caplog):
    monkeypatch.setattr("rnnscope.attractors.numerics.forecast.SAID_FROM", 0.0)
    monkeypatch.setattr("rnnscope.attractors.numerics.forecast._said", {})
    probe = Attractors(starts="normal(1)", n_starts=1, n_transient=100, n_steps=200, n_extensions=0, n_copies=8)
    torch.manual_seed(0)
    network = nn.RNN(1, 1000, bias=False).double()
    with torch.no_grad():
        network.get_parameter("weight_hh_l0").normal_(0, 3 / 1000**0.5)
    with caplog.at_level("WARNING", logger="rnnscope"):
        found = probe.measure(network)
    assert set(kinds(found)) <= {"chaos", "undetermined"}
    assert "attractors: about" in caplog.text
    assert "a state of 1000 numbers" in caplog.text
