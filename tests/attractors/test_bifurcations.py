"""Bifurcations against closed forms, against values computed elsewhere, and against simulation."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

from rnnscope.attractors import Bifurcations
from rnnscope.base.probe import Given
from rnnscope.findings.bifurcations import kinds_of_events
from rnnscope.runs import Run
from rnnscope.systems import TrainingPath, as_system, textbook
from rnnscope.systems.system import Params
from rnnscope.systems.textbook import MapSystem
from rnnscope.training import Config, fit

NAMES = ("fold", "flip", "neimark_sacker", "pitchfork", "transcritical", "border_collision", "lost")


def along(system: MapSystem, name: str, values: Sequence[float]) -> TrainingPath:
    """A path on which one parameter takes these values."""
    points = [{**system.params, name: torch.tensor(value, dtype=torch.float64)} for value in values]
    return TrainingPath(system, points, tuple(range(len(values))))


def followed(system: MapSystem, name: str, values: Sequence[float], starts: object, **settings: object) -> xr.Dataset:
    return Bifurcations(starts=starts, **settings).measure(along(system, name, values))  # type: ignore[arg-type]


def events(found: xr.Dataset, values: Sequence[float], kind: str) -> list[tuple[float, xr.Dataset]]:
    """The parameter at each event of a kind, and the event."""
    of_kind = np.flatnonzero(found["event_kind"].values == NAMES.index(kind))
    at = np.interp(found["event_step"].values, np.arange(len(values)), values)
    return [(float(at[row]), found.isel(event=row)) for row in of_kind]


def only(found: xr.Dataset, values: Sequence[float], kind: str) -> tuple[float, xr.Dataset]:
    (event,) = events(found, values, kind)
    return event


def test_flip_of_the_logistic_map_and_of_its_two_cycle():
    values = [2.6, 2.9, 3.2, 3.5]
    found = followed(textbook.logistic(), "r", values, [[0.3]])
    (first, flip), (second, again) = events(found, values, "flip")
    assert first == pytest.approx(3, abs=1e-10)
    assert float(flip["coefficient_real"]) == pytest.approx(9, abs=1e-6)
    assert second == pytest.approx(1 + math.sqrt(6), abs=1e-10)
    by_place = {0.4399602: 69.7026, 0.8499378: 406.2566}
    place = min(by_place, key=lambda x: abs(x - float(again["event_state"][0])))
    assert float(again["coefficient_real"]) == pytest.approx(by_place[place], rel=1e-5)
    assert flip["criticality"] == again["criticality"] == 1
    born = int(flip["event_branch"][1])
    assert found["branch_period"].values[born] == 2
    assert found["index"].values[born].tolist() == [-1, -1, 0, 1]


def test_period_three_is_born_in_a_fold():
    values = [3.8, 3.84]
    found = followed(textbook.logistic(), "r", values, [[0.3]], n_searches=8)
    folds = [(at, event) for at, event in events(found, values, "fold") if event["event_period"] == 3]
    ((at, fold),) = folds
    assert at == pytest.approx(1 + math.sqrt(8), abs=1e-10)
    assert float(fold["event_state"][0]) == pytest.approx(
        min((0.1599288, 0.5143553, 0.9563178), key=lambda x: abs(x - float(fold["event_state"][0]))), abs=1e-6
    )
    assert fold["exists"] == 1
    assert sorted(found["index"].values[fold["event_branch"].values[:2], -1].tolist()) == [0, 1]


def test_henon():
    values = [0.2, 0.6]
    found = followed(textbook.henon(b=0.3), "a", values, [[0.1, 0.1]])
    at, flip = only(found, values, "flip")
    assert at == pytest.approx(0.3675, abs=1e-10)
    assert float(flip["coefficient_real"]) == pytest.approx(0.1361591, abs=1e-6)
    values = [-0.05, -0.2]
    found = followed(textbook.henon(b=0.3), "a", values, [[0.1, 0.1]])
    at, fold = only(found, values, "fold")
    assert at == pytest.approx(-0.1225, abs=1e-10)
    assert abs(float(fold["coefficient_real"])) == pytest.approx(0.0902567, abs=1e-6)
    assert fold["exists"] == -1


def test_neimark_sacker_of_the_delayed_logistic_map():
    values = [1.8, 2.1]
    found = followed(textbook.delayed_logistic(), "a", values, [[0.4, 0.4]])
    at, event = only(found, values, "neimark_sacker")
    assert at == pytest.approx(2, abs=1e-10)
    assert float(event["event_angle"]) == pytest.approx(math.pi / 3, abs=1e-9)
    assert float(event["coefficient_real"]) == pytest.approx(-1, abs=1e-6)
    assert float(event["coefficient_imag"]) == pytest.approx(-math.sqrt(3), abs=1e-6)
    assert float(event["rate"]) / 0.3 == pytest.approx(0.5, abs=1e-5)
    assert (int(event["index_before"]), int(event["index_after"]), int(event["criticality"])) == (0, 2, 1)


@pytest.mark.parametrize(("angle", "resonance"), [(1.0, 0), (math.pi / 2, 4), (2 * math.pi / 3, 3)])
def test_strong_resonances_are_flagged(angle: float, resonance: int):
    values = [0.9, 1.2]
    found = followed(textbook.rotated_tanh(phi=angle), "rho", values, [[0.1, 0.1]])
    at, event = only(found, values, "neimark_sacker")
    assert at == pytest.approx(1, abs=1e-10)
    assert int(event["resonance"]) == resonance
    if not resonance:
        assert float(event["coefficient_real"]) == pytest.approx(-0.5, abs=1e-6)


def test_pitchfork_is_no_fold_and_its_branches_are_followed():
    values = [0.5, 0.8, 1.1, 1.5]
    found = followed(textbook.tanh_map(b=0.0), "w", values, [[0.0]], n_seeds=1)
    at, event = only(found, values, "pitchfork")
    assert at == pytest.approx(1, abs=1e-8)
    assert float(event["coefficient_real"]) == pytest.approx(-1 / 3, abs=1e-6)
    born = event["event_branch"].values[1:3]
    assert found["index"].values[born].tolist() == [[-1, -1, 0, 0]] * 2
    rest = found["output_value"].values[born, -1, 0]
    assert sorted(rest) == pytest.approx([-0.8586, 0.8586], abs=1e-3)


def test_folds_of_tanh_with_an_offset():
    values = [-1.0, 1.0]
    found = followed(textbook.tanh_map(w=2.0), "b", values, [[0.0]], n_seeds=2)
    folds = sorted(events(found, values, "fold"), key=lambda pair: pair[0])
    assert [at for at, _ in folds] == pytest.approx([-0.532840, 0.532840], abs=1e-6)
    for _, fold in folds:
        assert abs(float(fold["coefficient_real"])) == pytest.approx(math.sqrt(2), abs=1e-6)


def _quintic(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return -(1 + params["mu"]) * state - state**3 + state**5


def test_subcritical_flip_and_the_fold_of_its_cycles():
    system = MapSystem("quintic", _quintic, {"mu": torch.tensor(0.0, dtype=torch.float64)}, ("x",))
    values = [-0.4, -0.1, 0.1]
    found = followed(system, "mu", values, [[0.0], [0.8]], n_seeds=3)
    ((at, flip),) = [each for each in events(found, values, "flip") if each[1]["event_period"] == 1]
    assert at == pytest.approx(0, abs=1e-9)
    assert float(flip["coefficient_real"]) == pytest.approx(-1, abs=1e-6)
    assert flip["criticality"] == 0
    cycles = [(at, fold) for at, fold in events(found, values, "fold") if fold["event_period"] == 2]
    ((at, fold),) = cycles
    assert at == pytest.approx(-0.25, abs=1e-9)
    assert abs(float(fold["event_state"][0])) == pytest.approx(1 / math.sqrt(2), abs=1e-6)


def _driving_pair(params: Params, state: Tensor, input: Tensor, n_driven: int) -> Tensor:
    """tanh(1.2 R(0.1) h + (s, 0)), and units that it drives without an answer."""
    cos, sin = 1.2 * math.cos(0.1), 1.2 * math.sin(0.1)
    x, y, rest = state[..., 0], state[..., 1], state[..., 2:]
    pair = torch.stack([torch.tanh(cos * x - sin * y + params["s"]), torch.tanh(sin * x + cos * y)], dim=-1)
    if not n_driven:
        return pair
    weights = torch.linspace(-0.5, 0.5, n_driven, dtype=state.dtype)
    driven = torch.tanh(0.6 * rest.roll(1, -1) * weights + weights * x[..., None] - 0.3 * y[..., None])
    return torch.cat([pair, driven], dim=-1)


@pytest.mark.parametrize(
    ("n_states", "n_snapshots"), [(2, 2), (2, 31), (64, 4), pytest.param(400, 2, marks=pytest.mark.slow)]
)
def test_a_path_with_four_kinds_of_event(n_states: int, n_snapshots: int):
    """The local ones of them: both folds and the Neimark-Sacker bifurcation, in whatever network they stand."""
    rule = partial(_driving_pair, n_driven=n_states - 2)
    labels = tuple(f"h[{i}]" for i in range(n_states))
    system = MapSystem(f"pair of {n_states}", rule, {"s": torch.tensor(0.0, dtype=torch.float64)}, labels)
    values = np.linspace(0, 0.15, n_snapshots).tolist()
    found = followed(system, "s", values, "normal(1)", n_seeds=5, n_starts=4, n_searches=16)
    (born, birth), (gone, death) = sorted(events(found, values, "fold"), key=lambda pair: pair[0])
    assert born == pytest.approx(0.0322235306, abs=1e-8)
    assert gone == pytest.approx(0.1164959960, abs=1e-8)
    assert (int(birth["exists"]), int(death["exists"])) == (1, -1)
    assert birth["event_state"].values[:2] == pytest.approx([0.3883040, 0.7183558], abs=1e-6)
    at, event = only(found, values, "neimark_sacker")
    assert at == pytest.approx(0.0968680476, abs=1e-8)
    assert event["event_state"].values[:2] == pytest.approx([-0.4444432, 0.3669013], abs=1e-6)
    assert float(event["event_angle"]) == pytest.approx(0.0926311, abs=1e-6)
    assert float(event["rate"]) * (n_snapshots - 1) / 0.15 == pytest.approx(-5.8383, abs=1e-3)
    if n_states == 2:  # the vectors of a larger network are of another length
        assert float(event["coefficient_real"]) == pytest.approx(-0.957936, abs=1e-5)
        assert float(event["coefficient_imag"]) == pytest.approx(-0.606448, abs=1e-5)
    assert (int(event["index_before"]), int(event["index_after"]), int(event["criticality"])) == (2, 0, 1)
    assert not events(found, values, "lost")


def _relu(params: Params, state: Tensor, input: Tensor) -> Tensor:
    return params["w"] * torch.relu(state) - 0.5 * torch.relu(-state) + params["b"]


def test_a_kink_has_no_normal_form():
    """x → w max(x, 0) - ½ max(-x, 0) + b: the slope at the fixed point jumps from -1.5 to ½ where b passes 0."""
    params = {"w": torch.tensor(-1.5, dtype=torch.float64), "b": torch.tensor(0.0, dtype=torch.float64)}
    system = MapSystem("kinked", _relu, params, ("x",))
    values = [-0.3, 0.4]
    found = followed(system, "b", values, [[0.1]])
    ((at, event),) = [each for each in events(found, values, "border_collision") if each[1]["event_period"] == 1]
    assert at == pytest.approx(0, abs=1e-6)
    assert np.isnan(event["coefficient_real"])
    assert (int(event["index_before"]), int(event["index_after"])) == (0, 1)


@pytest.mark.parametrize("kind", ["tanh", "gru", "lstm"])
def test_stable_points_between_two_networks_are_those_of_simulation(kind: str):
    """Every fixed point that orbits come to, at every point of a path, lies on a branch that is stable there."""
    torch.manual_seed(3)
    make = {"tanh": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind]
    ends = [make(1, 4).double() for _ in range(2)]
    for end in ends:
        for name, parameter in end.named_parameters():
            parameter.data.mul_(3 if "weight_hh" in name else 1.5)
    one, two = (as_system(end) for end in ends)
    points = [one.interpolate(one.params, two.params, s) for s in np.linspace(0, 1, 21).tolist()]
    found = Bifurcations(starts="normal(1)").measure(TrainingPath(one, points, tuple(range(21))))
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(8, one.state_size, dtype=torch.float64, generator=generator)
    for k, point in enumerate(points):
        system = one.at(point)
        run = system.simulate(state, torch.zeros(8, 1, dtype=torch.float64), n_steps=3000)
        once_more = system.simulate(run.final, torch.zeros(8, 1, dtype=torch.float64), n_steps=1)
        resting = (once_more.final - run.final).norm(dim=-1) < 1e-11
        stable = found["output_value"].values[found["index"].values[:, k] == 0, k]
        for output in run.outputs[-1][resting].numpy():
            assert np.abs(stable - output).max(-1).min() < 1e-5


def test_equal_snapshots_single_ones_and_weights_that_are_not_finite():
    system = textbook.logistic(2.5)
    nan = {"r": torch.tensor(math.nan, dtype=torch.float64)}
    found = Bifurcations(starts=[[0.3]]).measure(
        TrainingPath(system, [system.params, system.params, nan, system.params], (0, 1, 2, 3))
    )
    assert found.sizes["event"] == 0
    stable = found["index"].values[(found["index"].values == 0).any(-1)]
    assert stable.tolist() == [[0, 0, -1, 0]]
    single = Bifurcations(starts=[[0.3]]).measure(TrainingPath(system, [system.params], (7,)))
    assert single["snapshot_step"].values.tolist() == [7]
    assert (single["index"].values == 0).sum() == 1
    with pytest.raises(ValueError, match="finite weights"):
        Bifurcations().measure(TrainingPath(system, [nan], (0,)))
    with pytest.raises(TypeError, match="TrainingPath"):
        Bifurcations().measure(system)  # type: ignore[arg-type]


def test_an_interrupted_measurement_goes_on_where_it_was(tmp_path, monkeypatch):
    values = [2.6, 2.9, 3.2, 3.5, 3.6, 3.83, 3.84]
    path = along(textbook.logistic(), "r", values)
    probe = Bifurcations(starts=[[0.3]])
    whole = probe.measure(path)
    monkeypatch.setattr("rnnscope.attractors.bifurcations._KEEP_EVERY", 0.0)

    def interrupt(n_done: int, n: int) -> None:
        if n_done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe.measure_given(path, Given(None, progress=interrupt, scratch=tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["followed.npz"]
    monkeypatch.setattr(Bifurcations, "_seed", None)  # nothing is looked for once more
    again = probe.measure_given(path, Given(None, scratch=tmp_path))
    xr.testing.assert_identical(again, whole)


def test_what_cannot_be_read_is_followed_anew(tmp_path):
    path = along(textbook.logistic(), "r", [2.6, 2.9, 3.2])
    (tmp_path / "followed.npz").write_bytes(b"cut short")
    found = Bifurcations(starts=[[0.3]]).measure_given(path, Given(None, scratch=tmp_path))
    assert (found["event_kind"] == NAMES.index("flip")).sum() == 1


def test_a_run_is_followed_through_all_its_snapshots(run_copy):
    found = run_copy.probe("bifurcations", n_starts=4, n_searches=4, n_seeds=2, n_steps=100)
    assert found["snapshot_epoch"].values.tolist() == run_copy.epochs.tolist()
    assert found.sizes["input"] == len(run_copy.held_inputs.values)
    assert ((found["index"] >= 0).any("branch")).all().item()
    assert Run(run_copy.path).dataset("bifurcations").identical(found)


def test_what_is_shown_is_followed_with_the_default_settings_through_all_snapshots(run_copy):
    changes: dict[str, Any] = {"n_starts": 4, "n_searches": 4, "n_seeds": 2, "n_steps": 100}
    several = run_copy.probe("bifurcations", epochs=[0, 3, 6], **changes)
    run_copy.probe("bifurcations", epochs=[6], **changes)
    assert Run(run_copy.path).dataset("bifurcations").identical(several)
    whole = run_copy.probe("bifurcations")
    run_copy.probe("bifurcations", **changes)
    assert Run(run_copy.path).dataset("bifurcations").identical(whole)


@pytest.mark.slow
def test_the_points_of_a_trained_flipflop_are_those_that_searching_finds(tmp_path):
    run = fit(Config.assemble("flipflop", seed=0, changes=["training.n_epochs=120"]), tmp_path / "bits")
    found = run.probe("bifurcations").isel(step=-1)
    searched = run.probe("fixedpoints", epochs=[120]).isel(step=-1)
    last = found["index"].values[:, -1]
    assert (last == 0).sum() == searched["n_stable"].values.sum()
    reachable = (searched["status"].values >= 0) & (searched["reachable"].values > 0)
    assert (last >= 0).sum() == reachable.sum()
    assert "lost" not in kinds_of_events(found)
