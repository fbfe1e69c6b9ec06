"""Inputs that are held where only sequences are known, and costs that are not the loss that was recorded."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnnscope.attractors import Orbits
from rnnscope.runs import Run
from rnnscope.runs.held import inputs_to_hold
from rnnscope.smoothness import Objective
from rnnscope.training import Recorder


def test_of_few_channels_each_is_varied_by_itself():
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(20, 50, 2, generator=generator) * torch.tensor([1.0, 3.0]) + torch.tensor([0.0, 10.0])
    found = inputs_to_hold(data)
    flat = data.double().flatten(0, 1).numpy()
    assert found.labels is not None
    at = dict(zip(found.labels, found.values, strict=True))
    assert list(at) == [
        "zero", "mean", "channel 0 at 5 %", "channel 0 at 95 %", "channel 1 at 5 %", "channel 1 at 95 %",
    ]  # fmt: skip
    np.testing.assert_allclose(at["mean"], flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(at["channel 1 at 95 %"], [flat[:, 0].mean(), np.quantile(flat[:, 1], 0.95)], rtol=1e-5)


def test_of_many_channels_the_directions_in_which_they_vary():
    generator = torch.Generator().manual_seed(0)
    along = torch.randn(2000, 1, 1, generator=generator, dtype=torch.float64)
    direction = torch.tensor([3.0, 0.0, 4.0, 0.0, 0.0], dtype=torch.float64) / 5
    found = inputs_to_hold(along * direction + 1e-3 * torch.randn(2000, 1, 5, generator=generator))
    assert found.labels is not None
    high = found.values[found.labels.index("direction 1 at 95 %")]
    np.testing.assert_allclose(high, 1.645 * direction.numpy(), atol=0.1)


def test_what_takes_few_values_is_held_one_by_one():
    one_hot = inputs_to_hold(torch.eye(3)[torch.tensor([[0, 1, 2, 1]])])
    assert one_hot.labels == ("one-hot 0", "one-hot 1", "one-hot 2")
    assert np.array_equal(one_hot.values, np.eye(3))
    pulses = inputs_to_hold(torch.tensor([[[0.0], [1.0], [-1.0], [0.0]]]))
    assert pulses.labels == ("-1", "zero", "1")
    tokens = inputs_to_hold(torch.tensor([[5, 5, 2, 2, 2, 9]])[..., None].double(), n_tokens=10)
    assert tokens.labels == ("token 2", "token 5", "token 9")


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    n=st.integers(1, 4),
    time=st.integers(1, 30),
    width=st.integers(1, 7),
    kind=st.sampled_from(["normal", "same", "pulse"]),
)
def test_whatever_the_data_the_inputs_lie_in_their_range_and_have_names(n, time, width, kind):
    generator = torch.Generator().manual_seed(n * 1000 + time * 10 + width)
    data = torch.randn(n, time, width, generator=generator)
    data = torch.full_like(data, 2.5) if kind == "same" else (data > 1).float() if kind == "pulse" else data
    found = inputs_to_hold(data)
    assert found.labels is not None
    assert len(set(found.labels)) == len(found.labels) == len(found.values) >= 1
    assert found.values.shape[1] == width
    assert np.isfinite(found.values).all()
    low, high = data.flatten(0, 1).amin(0).numpy(), data.flatten(0, 1).amax(0).numpy()
    if width <= 4:
        inside = (found.values >= np.minimum(low, 0) - 1e-4) & (found.values <= np.maximum(high, 0) + 1e-4)
        assert inside.all()


class Switch(nn.Module):
    """A plant that rests at zero input and oscillates at inputs of its data: x' = R(0.5) x (1 + u - |x|²)."""

    def __init__(self):
        super().__init__()
        c, s = np.cos(0.5), np.sin(0.5)
        self.turn = nn.Parameter(torch.tensor([[c, s], [-s, c]], dtype=torch.float32))

    def forward(self, u, x):
        grown = (0.85 + 0.2 * u - 0.1 * x.square().sum(-1, keepdim=True)).clamp(-1, 2)
        return (grown * x) @ self.turn


def test_a_plant_that_rests_at_zero_is_asked_at_its_own_inputs(tmp_path):
    from rnnscope.systems import as_system

    inputs = torch.linspace(0, 2, 81)[None, :, None].repeat(3, 1, 1)
    module = Switch()
    with pytest.warns(UserWarning, match="cannot be probed as it is"):
        recorder = Recorder(tmp_path / "plant", module, sequences=inputs)
    recorder.epoch(0, loss=1.0)
    recorder.close()
    system = as_system(module, input_size=1, state=torch.zeros(1, 2))
    run = Run(tmp_path / "plant", model=system)
    found = run.probe("attractors", epochs=[0], starts=[[0.5, 0.5]], n_transient=300, n_steps=300, n_extensions=0)
    labels = found["input_label"].values.tolist()
    assert labels == ["zero", "1 %", "25 %", "mean", "75 %", "99 %"]
    kinds = found["kind"].isel(step=0, attractor=0).values
    closed = {label for label, kind in zip(labels, kinds.tolist(), strict=True) if kind != kinds[0]}
    assert closed == {"mean", "75 %", "99 %"}  # beyond u = 0.75, where 0.85 + 0.2 u passes 1


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.norm, self.out = nn.GRU(1, 4, batch_first=True), nn.LayerNorm(4), nn.Linear(4, 1)

    def forward(self, x):
        return self.out(self.norm(self.gru(x)[0]))


def recorded(path, model, objective, loss):
    with Recorder(path, model, objective=objective) as recorder:
        recorder.epoch(0, loss=loss)
    return path


def test_a_cost_that_is_not_the_recorded_loss_is_said(tmp_path, recwarn):
    torch.manual_seed(0)
    model, x, y = Net(), torch.randn(6, 8, 1), torch.randn(6, 8, 1)
    loss = nn.functional.mse_loss(model(x), y)
    path = recorded(tmp_path / "run", model, Objective(x, y), loss)
    found = Run(path, model=model).probe("smoothness", epochs=[0], max_products=20)
    assert abs(found["cost"].item() - float(loss.detach())) < 1e-6
    assert not [w for w in recwarn if "the cost measured" in str(w.message)]
    with pytest.warns(
        UserWarning, match=r"% away: x\[0\] = 0 was used; or the snapshots hold norm\.bias, norm\.weight"
    ):
        Run(path, model=(model.gru, model.out)).probe("smoothness", epochs=[0], max_products=20)


def test_a_learned_initial_state_belongs_to_the_cost(tmp_path):
    class Begins(Net):
        def __init__(self):
            super().__init__()
            self.h0 = nn.Parameter(3 * torch.randn(1, 1, 4))

        def forward(self, x):
            return self.out(self.gru(x, self.h0.expand(-1, len(x), -1).contiguous())[0])

    torch.manual_seed(0)
    model, x, y = Begins(), torch.randn(6, 8, 1), torch.randn(6, 8, 1)
    loss = nn.functional.mse_loss(model(x), y)
    path = recorded(tmp_path / "run", model, Objective(x, y), loss)
    whole = Run(path, model=model).probe("smoothness", epochs=[0], max_products=20)
    assert abs(whole["cost"].item() - float(loss.detach())) < 1e-6
    with pytest.warns(UserWarning, match=r"x\[0\] = 0 was used"):
        part = Run(path, model=(model.gru, model.out)).probe("smoothness", epochs=[0], max_products=20)
    assert abs(part["cost"].item() - float(loss.detach())) > 1e-3
    states = Run(path, model=model).probe(Orbits(starts="visited(0)", n_starts=2, n_transient=0, n_keep=2))
    assert states.sizes["input"] > 1
