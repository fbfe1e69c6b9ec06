"""Wide states, broken weights, derivatives that are not those of the map: what probes of the map make of them."""

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope.attractors import Attractors, FixedPoints, Lyapunov, Orbits
from rnnscope.base.errors import DerivativeError
from rnnscope.runs import Run
from rnnscope.systems import as_system
from rnnscope.training import Recorder


def test_a_wide_network_has_the_point_and_the_multipliers_of_its_own_iteration():
    """LSTM of 80 units, 160 coordinates: beyond those for which everything is done by dense matrices."""
    torch.manual_seed(0)
    module = nn.LSTM(1, 80).double()
    system = as_system(module)
    found = FixedPoints(inputs=[[0.5]], n_starts=64).measure(system)
    location = found["location"].values[0, 0]
    state = (torch.zeros(1, 1, 80, dtype=torch.float64),) * 2
    with torch.no_grad():
        for _ in range(2000):
            _, state = module(torch.full((1, 1, 1), 0.5, dtype=torch.float64), state)
    rest = torch.cat(state, -1).flatten().numpy()
    assert int(found["n_points"].sum()) == 1
    np.testing.assert_allclose(location, rest, atol=1e-12)
    x = torch.tensor(location)[None]
    jacobian = system.jacobian(system.weights, x, system.drive(system.weights, torch.tensor([[0.5]]).double()))[0]
    wanted = np.sort(np.abs(torch.linalg.eigvals(jacobian).numpy()))[::-1]
    came = np.hypot(found["multiplier_real"].values[0, 0], found["multiplier_imag"].values[0, 0])
    kept = np.sort(came[np.isfinite(came)])[::-1]
    np.testing.assert_allclose(kept, wanted[: len(kept)], atol=1e-8)
    kind = Attractors(inputs=[[0.5]], n_starts=3).measure(system)
    assert kind["kind"].values.tolist() == [[0]]


def test_epochs_with_broken_weights_are_marked_and_the_others_are_measured(tmp_path, capfd):
    torch.manual_seed(0)
    model = nn.LSTM(1, 4)
    with Recorder(tmp_path / "run", model) as recorder:
        recorder.epoch(0, loss=1.0)
        with torch.no_grad():
            model.get_parameter("weight_hh_l0").fill_(torch.nan)
        recorder.epoch(1, loss=torch.nan)
    run = Run(tmp_path / "run")
    with pytest.warns(UserWarning, match="not finite|no numbers|NaN"):
        points = run.probe(FixedPoints(inputs=[[0.2]], n_starts=16, n_orbits=4))
    assert (points["n_points"].sum(("input", "kind")).values > 0).tolist() == [True, True, False]
    for probe in (Orbits(inputs=[[0.2]]), Attractors(inputs=[[0.2]]), Lyapunov(inputs=[[0.2]], n_steps=50)):
        whole = Run(tmp_path / "run").probe(probe)
        assert whole.sizes["step"] == 3
        assert whole["weights_finite"].values.tolist() == [True, True, False] if probe.name != "lyapunov" else True
    assert "DLASCL" not in "".join(capfd.readouterr())


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(1, 3)

    def forward(self, u, x):
        return self.cell(u, x.detach())


@pytest.mark.parametrize("probe", [Attractors(), FixedPoints(), Lyapunov()])
def test_probes_that_differentiate_refuse_what_has_no_derivative(probe):
    system = as_system(Detached(), input_size=1, state=torch.zeros(1, 3))
    with pytest.raises(DerivativeError, match="Orbits need no derivatives"):
        probe.measure(system)
    assert Orbits(n_starts=2).measure(system).sizes["start"] == 2


def test_held_tokens_are_whole_and_in_range():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(5, 3), nn.GRU(3, 3, batch_first=True)

        def forward(self, tokens):
            return self.rnn(self.embedding(tokens))[0]

    system = as_system(Words())
    assert Orbits(inputs=[[4.0]], n_starts=2).measure(system).sizes["input"] == 1
    for wrong in (5.0, 1.5, -1.0):
        with pytest.raises(ValueError, match="tokens, whole numbers from 0 to 4"):
            Orbits(inputs=[[wrong]]).measure(system)
