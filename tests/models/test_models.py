import pytest
import torch

from rnnscope import models


@pytest.mark.parametrize("name", [name for name in models.names() if name != "stable-lstm"])
def test_shapes_and_seeds(name):
    build = lambda seed: models.build(name, seed=seed, input_size=2, hidden_size=4, output_size=3, num_layers=2)  # noqa: E731
    before = torch.random.get_rng_state()
    model = build(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model(torch.zeros(5, 7, 2)).shape == (5, 7, 3)
    weights = [torch.nn.utils.parameters_to_vector(build(seed).parameters()) for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("lstn", {}, "unknown model 'lstn': did you mean 'lstm'"),
        ("lstm", {"hiden_size": 3}, "unknown setting of model lstm 'hiden_size': did you mean 'hidden_size'"),
        ("gru", {"hidden_size": 0}, "hidden_size: expected a positive whole number, came 0"),
        ("gru", {"hidden_size": 2.5}, "hidden_size: expected a positive whole number, came 2.5"),
        ("gru", {"hidden_size": True}, "hidden_size: expected a positive whole number, came True"),
        ("gru", {"dropout": 1.0, "num_layers": 2}, "dropout: expected a probability"),
        ("gru", {"dropout": 0.5}, "dropout: expected 0 with one layer"),
        ("gru", {"dropout": "some"}, "dropout: expected a number, came 'some'"),
        ("stable-lstm", {"input_bound": "wide"}, "input_bound: expected a number, came 'wide'"),
        ("stable-lstm", {"input_bound": 0.0}, "input_bound: expected a positive number, came 0.0"),
        ("stable-lstm", {"input_bound": float("nan")}, "input_bound: expected a number, came nan"),
        ("stable-lstm", {"input_bound": 1.0, "projection": "row"}, "unknown projection of the stable LSTM 'row'"),
        ("stable-rnn", {"rate": "fast"}, "rate: expected a number, came 'fast'"),
        ("stable-rnn", {"rate": 1.0}, r"rate: expected a contraction rate in \(0, 1\), came 1.0"),
        ("cornn", {"step_size": True}, "step_size: expected a number, came True"),
        (
            "orthogonal",
            {"rebase_every": 0},
            "rebase_every: expected a positive whole number of optimiser steps, came 0",
        ),
        ("orthogonal", {"skew_rate": "fast"}, "skew_rate: expected a number, came 'fast'"),
        ("orthogonal", {"parametrisation": "dtri"}, "unknown parametrisation .* 'dtri': did you mean 'dtriv'"),
        ("orthogonal", {"initialisation": "henaf"}, "unknown initialisation .* 'henaf': did you mean 'henaff'"),
        ("orthogonal", {"nonlinearity": "relu"}, "unknown nonlinearity of the orthogonal network 'relu'"),
        ("orthogonal", {"map": "exp"}, "unknown setting of model orthogonal 'map'"),
        ("rnn", {"nonlinearity": "sine"}, "nonlinearity: expected 'tanh' or 'relu', came 'sine'"),
    ],
)
def test_bad_settings_say_what_was_expected(name, settings, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, **{"input_size": 1, "hidden_size": 3, "output_size": 1, **settings})
