"""Orbits against closed forms, brute force and the traps of slow transients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnnscope.attractors import Attractors, FixedPoints, Lyapunov, Orbits, summarise_orbits
from rnnscope.attractors.orbits import DIVERGED, MOVING, SETTLED
from rnnscope.attractors.summary import DIVERGES, OSCILLATES, RESTS, UNDETERMINED, peak_frequency
from rnnscope.base.errors import UnsupportedModelError
from rnnscope.systems import as_system


def elman(matrix, bias=0.0, nonlinearity="tanh"):
    """h -> φ(W h + b), input ignored, float64."""
    matrix = torch.tensor(matrix, dtype=torch.float64)
    core = nn.RNN(1, len(matrix), nonlinearity=nonlinearity).double()
    with torch.no_grad():
        core.get_parameter("weight_hh_l0").copy_(matrix)
        core.get_parameter("weight_ih_l0").zero_()
        core.get_parameter("bias_ih_l0").fill_(bias)
        core.get_parameter("bias_hh_l0").zero_()
    return as_system(core)


def rotation(radius, angle):
    c, s = radius * math.cos(angle), radius * math.sin(angle)
    return elman([[c, -s], [s, c]])


def kinds(system, **settings):
    return summarise_orbits(Orbits(**settings).measure(system))["kind"].values.ravel()


def test_pitchfork_has_two_rests_at_plus_and_minus():
    """h = tanh(2h) at ±0.957504, and 0 is unstable."""
    orbits = Orbits(n_starts=8, seed=3).measure(elman([[2.0]]))
    assert (orbits.status == SETTLED).all()
    last = orbits.orbit.values[..., -1, 0].ravel()
    np.testing.assert_allclose(np.abs(last), 0.9575040240772688, atol=1e-6)
    assert set(np.sign(last)) == {-1.0, 1.0}


def test_flip_gives_a_two_cycle_with_frequency_pi():
    summary = summarise_orbits(Orbits().measure(elman([[-2.0]])))
    assert (summary.kind == OSCILLATES).all()
    np.testing.assert_allclose(summary.frequency, np.pi, atol=0.02)


@pytest.mark.parametrize("angle", [0.25, 0.6, 1.1, 2.5])
def test_neimark_sacker_gives_a_closed_curve_at_the_multipliers_angle(angle):
    assert set(kinds(rotation(0.98, angle), n_transient=2000)) == {RESTS}
    summary = summarise_orbits(Orbits(n_transient=2000).measure(rotation(1.02, angle)))
    assert (summary.kind == OSCILLATES).all()
    np.testing.assert_allclose(summary.frequency, angle, rtol=0.01)


def test_expanding_rectifier_diverges_at_the_step_that_the_growth_rate_says():
    """x[t] = 2^t exceeds 1e12 first at t = 40."""
    orbits = Orbits(starts=[[1.0], [-1.0], [0.0]]).measure(elman([[2.0]], nonlinearity="relu"))
    assert orbits.status.values.tolist() == [[DIVERGED, SETTLED, SETTLED]]
    assert orbits.diverged_at.values.tolist() == [[40, -1, -1]]
    assert orbits.orbit[0, 0].isnull().all()
    assert summarise_orbits(orbits).kind.values.tolist() == [[DIVERGES, RESTS, RESTS]]


def test_samples_before_divergence_are_kept():
    orbits = Orbits(starts=[[1.0]], n_transient=30, n_keep=20).measure(elman([[2.0]], nonlinearity="relu"))
    values = orbits.orbit[0, 0, :, 0].values
    np.testing.assert_array_equal(values[:9], 2.0 ** np.arange(31, 40))
    assert np.isnan(values[9:]).all()


def test_overflow_of_float32_is_divergence_not_an_error():
    orbits = Orbits(starts=[[1.0]], dtype="float32", escape=1e300).measure(elman([[1e9]], nonlinearity="relu"))
    assert orbits.status.values.tolist() == [[DIVERGED]]
    assert orbits.diverged_at.values.tolist() == [[5]]


def test_a_slow_transient_is_not_a_rest():
    """Multiplier 0.9999: from 0.5 the state moves by 1e-5 and more in each of 1600 steps."""
    system = elman([[0.9999]])
    orbits = Orbits(starts=[[0.5]], n_transient=1200).measure(system)
    assert orbits.status.values.tolist() == [[MOVING]]
    wide = Orbits(starts=[[0.5]], n_transient=100, n_keep=400).measure(system)
    assert summarise_orbits(wide).kind.values.tolist() == [[UNDETERMINED]]


def test_leaving_a_saddle_is_not_a_rest():
    """From 1e-9 beside the unstable point 0 the state creeps first, faster and faster."""
    orbits = Orbits(starts=[[1e-9]], n_transient=0, n_keep=3000, n_quiet=50).measure(elman([[1.02]]))
    assert orbits.status.values.tolist() == [[SETTLED]]
    assert orbits.settled_at.item() > 1000
    assert abs(orbits.orbit.values[0, 0, -1, 0]) == pytest.approx(0.2400, abs=1e-3)


def test_memory_that_grows_behind_a_constant_output_is_not_a_rest():
    """An LSTM with all gates open: c grows by one at every step while h = tanh(c) stands still."""
    core = nn.LSTM(1, 1).double()
    with torch.no_grad():
        for p in core.parameters():
            p.zero_()
        core.get_parameter("bias_ih_l0").fill_(50.0)
    orbits = Orbits(starts=[[0.0, 0.0]], keep_states=True).measure(as_system(core))
    assert orbits.status.values.tolist() == [[MOVING]]
    np.testing.assert_allclose(orbits.orbit[..., -1, 0], 1.0)
    np.testing.assert_allclose(orbits.state_orbit.sel(state="c[0]").isel(time=-1), 1600)
    assert summarise_orbits(orbits).kind.values.tolist() == [[UNDETERMINED]]


@pytest.mark.parametrize("core", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("keep_states", [False, True])
def test_equals_a_loop_over_the_cell(core, keep_states):
    """Brute force, float64: every kept sample, whether the start has settled or not."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module = core(1, 6).double()
        head = nn.Linear(6, 2).double()
    with torch.no_grad():
        module.weight_hh_l0.mul_(4)
    system = as_system((module, head))
    probe = Orbits(inputs=[[0.1], [-0.4]], n_starts=3, n_transient=230, n_keep=170, keep_states=keep_states)
    orbits = probe.measure(system)
    from rnnscope.attractors.starts import draw_starts

    starts = draw_starts("normal(1)", 3, system, 0, "orbits")
    for k, value in enumerate((0.1, -0.4)):
        x, outputs, states = starts, [], []
        drive = system.drive(system.weights, torch.full((3, 1), value, dtype=torch.float64))
        for _ in range(400):
            x, y = system.advance(system.weights, x, drive)
            outputs.append(y)
            states.append(x)
        expected = torch.stack(outputs[230:], 1).numpy()
        np.testing.assert_allclose(orbits.orbit[k].values, expected, atol=2e-5)
        if keep_states:
            np.testing.assert_allclose(orbits.state_orbit[k].values, torch.stack(states[230:], 1).numpy(), atol=2e-4)


@given(st.floats(-3, 3), st.floats(-2, 2))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_whatever_rests_is_a_fixed_point(w, b):
    orbits = Orbits(n_starts=3, n_transient=500, n_keep=100).measure(elman([[w]], b))
    summary = summarise_orbits(orbits)
    x = orbits.orbit.values[..., -1, 0][summary.kind.values == RESTS]
    np.testing.assert_allclose(np.tanh(w * x + b), x, atol=1e-3)
    settled = orbits.orbit.values[..., -1, 0][orbits.status.values == SETTLED]
    np.testing.assert_allclose(np.tanh(w * settled + b), settled, atol=2e-6)


def test_starts_are_the_same_at_every_input_and_independent_of_the_global_seed():
    system = elman([[0.5]])
    torch.manual_seed(0)
    a = Orbits(inputs=[[0.0], [1.0]], n_transient=0, n_keep=3).measure(system)
    torch.manual_seed(1)
    b = Orbits(inputs=[[0.0], [1.0]], n_transient=0, n_keep=3).measure(system)
    np.testing.assert_array_equal(a.orbit, b.orbit)
    np.testing.assert_array_equal(a.orbit[0], a.orbit[1])


def test_visited_starts_are_states_on_the_given_sequences():
    """Brute force: a loop over the cell; without noise each start is a state of it, with noise it is that far off."""
    from rnnscope.attractors.starts import draw_starts

    with torch.random.fork_rng():
        torch.manual_seed(2)
        system = as_system(nn.LSTM(2, 5).double())
    sequences = torch.randn(7, 30, 2, generator=torch.Generator().manual_seed(0))
    x, visited = torch.zeros(7, 10, dtype=torch.float64), []
    for t in range(30):
        x = system.step(system.weights, x, system.drive(system.weights, sequences[:, t].double()))
        visited.append(x)
    visited = torch.cat(visited)
    starts = draw_starts("visited(0)", 40, system, 0, "orbits", sequences)
    assert (starts[:, None] - visited).abs().amax(-1).amin(1).max() < 1e-12
    assert len(starts.unique(dim=0)) > 30
    noisy = draw_starts("visited(0.5)", 40, system, 0, "orbits", sequences) - starts
    assert (noisy.std(0) / (0.5 * visited.std(0)) - 1).abs().max() < 0.6
    orbits = Orbits(n_transient=0, n_keep=1).measure(system, sequences)
    assert '"starts":"visited"' in orbits.attrs["settings"]
    assert '"starts":"normal(1)"' in Orbits(n_transient=0, n_keep=1).measure(system).attrs["settings"]
    with pytest.raises(ValueError, match="starts: 'visited' needs input sequences"):
        Orbits(starts="visited").measure(system)
    with pytest.raises(ValueError, match=r"sequences: expected shape \(sequence, time, 2\), came \(7, 30, 1\)"):
        Orbits(starts="visited").measure(system, sequences[..., :1])


def test_dataset_says_what_it_is():
    orbits = Orbits(inputs=[[0.5]], keep_states=True, n_transient=10, n_keep=5).measure(rotation(1.0, 0.3))
    assert orbits.orbit.dims == ("input", "start", "time", "output")
    assert orbits.time.values.tolist() == [11, 12, 13, 14, 15]
    assert orbits.state.values.tolist() == ["h[0]", "h[1]"]
    assert all({"long_name", "units"} <= variable.attrs.keys() for variable in orbits.data_vars.values())
    assert all(isinstance(value, str | int | float) for value in orbits.attrs.values())
    assert "AISTATS" in orbits.attrs["references"]
    assert '"n_keep":5' in orbits.attrs["settings"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": [0.0, 1.0]}, r"inputs: expected numbers of shape \(input, channel\)"),
        ({"inputs": [[float("nan")]]}, "inputs: expected finite numbers"),
        ({"inputs": []}, "inputs: expected numbers of shape"),
        ({"inputs": "zero"}, "inputs: expected numbers of shape"),
        ({"starts": "normal"}, r"starts: expected 'visited', 'visited\(noise\)', 'normal\(std\)'"),
        ({"starts": "normal(-1)"}, r"starts: expected 'visited', .* came 'normal\(-1\)'"),
        ({"starts": "visited(-1)"}, r"starts: expected 'visited', .* came 'visited\(-1\)'"),
        ({"starts": "visited(nan)"}, "starts: expected 'visited', "),
        ({"starts": 3}, "starts: expected numbers"),
        ({"n_starts": 0}, "n_starts: expected a positive whole number, came 0"),
        ({"n_keep": 2.5}, "n_keep: expected a positive whole number"),
        ({"n_transient": -1}, "n_transient: expected a whole number of at least 0, came -1"),
        ({"tolerance": 0}, "tolerance: expected a positive number"),
        ({"dtype": "half"}, "dtype: expected 'float32', 'float64' or None"),
    ],
)
def test_misuse_raises_at_construction(settings, message):
    with pytest.raises(ValueError, match=message):
        Orbits(**settings)


def test_wrong_widths_are_named():
    system = rotation(1.0, 0.3)
    with pytest.raises(ValueError, match="inputs: expected 1 numbers for each input, came 2"):
        Orbits(inputs=[[1.0, 2.0]]).measure(system)
    with pytest.raises(ValueError, match=r"starts: expected states of 2 numbers \(h\[0\] … h\[1\]\)"):
        Orbits(starts=[[1.0]]).measure(system)
    with pytest.raises(ValueError, match="unknown setting of probe orbits 'n_kept': did you mean 'n_keep'"):
        Orbits.from_settings({"n_kept": 3})


def test_key_depends_on_settings_only():
    assert Orbits(inputs=[[1]]).key == Orbits(inputs=np.array([[1.0]])).key == Orbits(inputs=torch.ones(1, 1)).key
    assert Orbits(n_keep=400).key == Orbits().key != Orbits(n_keep=401).key


@pytest.mark.parametrize("n", [60, 200, 401])
@pytest.mark.parametrize("frequency", [0.2, 0.31, 1.0, 2.9])
def test_peak_frequency_of_sines(n, frequency):
    phases = np.linspace(0, 6, 7)[:, None]
    came = peak_frequency(np.sin(frequency * np.arange(n) + phases) + 3.0)
    np.testing.assert_allclose(came, frequency, atol=0.6 / n)


def test_summary_of_a_growing_a_decaying_and_a_drifting_orbit_is_undetermined():
    orbits = Orbits(starts=[[1.0, 0.0]] * 4, n_transient=0, n_keep=200).measure(rotation(1.0, 0.3))
    t = np.arange(200)
    values = np.stack([np.exp(0.01 * t) * np.sin(t), np.exp(-0.01 * t) * np.sin(t), 0.01 * t, np.sin(0.3 * t)])
    orbits["orbit"].values[:] = np.stack([values] * 2, -1)[None]
    orbits["status"].values[:] = MOVING
    assert summarise_orbits(orbits).kind.values.tolist() == [[UNDETERMINED] * 3 + [OSCILLATES]]


def test_single_kept_step_and_single_start():
    orbits = Orbits(n_starts=1, n_transient=5, n_keep=1).measure(elman([[0.5]]))
    assert orbits.orbit.shape == (1, 1, 1, 1)
    assert summarise_orbits(orbits).kind.shape == (1, 1)


def test_a_plateau_far_from_the_attractor_is_not_a_rest():
    """A leak of 5e-7 per step: each step is below the tolerance, and 135 is still to go."""
    core = nn.LSTM(1, 1).double()
    with torch.no_grad():
        for p in core.parameters():
            p.zero_()
        core.get_parameter("bias_ih_l0").copy_(torch.tensor([-50.0, math.log((1 - 5e-7) / 5e-7), 0.0, 50.0]))
    orbits = Orbits(starts=[[0.0, 135.0]], n_transient=200, n_keep=50).measure(as_system(core))
    assert orbits.status.values.tolist() == [[MOVING]]


def test_a_decaying_direction_does_not_hide_a_growing_one():
    system = elman([[1.02, 0.0], [0.0, 0.95]])
    orbits = Orbits(starts=[[1e-9, 1e-5]], n_transient=3000, n_keep=50).measure(system)
    assert orbits.settled_at.item() > 900
    assert abs(orbits.orbit.values[0, 0, -1, 0]) == pytest.approx(0.24, abs=0.01)
    single = Orbits(starts=[[1e-6, 0.0]], dtype="float32", n_transient=3000, n_keep=50).measure(system)
    assert abs(single.orbit.values[0, 0, -1, 0]) == pytest.approx(0.24, abs=0.01)


def test_an_untrained_gru_that_creeps_is_not_said_to_rest():
    """From wide starts its gates saturate, and it creeps for tens of thousands of steps."""
    from rnnscope import models

    system = as_system(models.build("gru", input_size=1, hidden_size=16, output_size=1)).to(torch.float64)
    probe = Orbits(inputs=[[0.2], [0.4]], starts="normal(100)", n_transient=800, n_keep=200, keep_states=True)
    orbits = probe.measure(system)
    kind = summarise_orbits(orbits).kind.values.ravel()
    last = torch.from_numpy(orbits.state_orbit.isel(time=-1).values.reshape(8, -1))
    inputs = torch.tensor([[0.2], [0.4]], dtype=torch.float64).repeat_interleave(4, 0)
    later = system.simulate(last, inputs, n_steps=1000).final
    moved = ((later - last).abs() / (1 + last.abs())).amax(-1).numpy()
    assert (moved[kind == RESTS] < 1.5e-3).all()
    assert (kind == UNDETERMINED).sum() >= 4


def test_a_rest_is_seen_in_the_last_steps_whatever_the_grid():
    for n_keep in (250, 273, 300):
        orbits = Orbits(n_transient=0, n_keep=n_keep).measure(rotation(0.9, 0.3))
        assert (orbits.status == SETTLED).all()


@pytest.mark.parametrize("decay", [600, 1500, -1500])
def test_slow_decay_and_growth_are_undetermined(decay):
    t = np.arange(400)
    assert kind_of(np.exp(-t / decay) * np.sin(0.3 * t)) == UNDETERMINED


def test_a_ramp_with_a_swing_on_it_is_undetermined():
    t = np.arange(200)
    assert kind_of(2 * t / 200 + 0.6 * np.sin(0.3 * t)) == UNDETERMINED


@pytest.mark.parametrize("frequency", [0.2, 0.39, 1.0, 2.5])
@pytest.mark.parametrize("n", [100, 200, 400])
def test_steady_oscillations_are_not_missed(frequency, n):
    t = np.arange(n)
    assert kind_of(0.3 + np.sin(frequency * t + 1)) == OSCILLATES
    assert kind_of(np.sin(frequency * t) + 0.3 * np.sin(2 * frequency * t)) == OSCILLATES


def kind_of(signal):
    orbits = Orbits(n_starts=1, n_transient=0, n_keep=len(signal)).measure(elman([[0.5]]))
    orbits["orbit"].values[0, 0, :, 0] = signal
    orbits["status"].values[:] = MOVING
    orbits["drift"].values[:] = 0.1
    return summarise_orbits(orbits).kind.item()


def test_a_network_is_read_as_a_map_and_anything_else_is_named():
    network = nn.LSTM(1, 2)
    others = (Attractors(n_starts=2, n_transient=60), FixedPoints(n_starts=4), Lyapunov(n_transient=60, n_steps=60))
    for probe in (Orbits(n_starts=2, n_transient=60, n_keep=40), *others):
        direct, through = probe.measure(network), probe.measure(as_system(network))
        assert direct.identical(through)
        with pytest.raises(UnsupportedModelError, match=r"expected a recurrent torch module, .* came int"):
            probe.measure(3)  # pyright: ignore[reportArgumentType]
