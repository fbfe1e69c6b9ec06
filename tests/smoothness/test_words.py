"""The verdict in words: the regime, its interval, and whether the exponent agrees."""

from typing import Any

import pytest
import torch

from rnnscope import models
from rnnscope.smoothness import Growth, Objective, Roughness, sentences, verdict
from rnnscope.systems import as_system, textbook

QUICK: dict[str, Any] = {"n_starts": 32, "n_iterations": 2, "n_bootstrap": 50, "n_exponent": 400}


@pytest.mark.parametrize(
    ("system", "changes", "words"),
    [
        (textbook.chaotic_lstm(), {"lengths": [20, 60, 110, 160]}, ["exponential growth", "r = 0.1", "agrees: chaos"]),
        (textbook.tanh_map(0.9, 0.3), {"lengths": [10, 20, 30, 40], "n_transient": 200}, ["bounded", "contracts"]),
        (
            textbook.linear([[1.0]]),
            {"lengths": [10, 20, 30, 40], "n_transient": 0, "centre": [1.0], "spread": 0.0},
            ["polynomial growth", "N^1.00", "like N^1.9", "agrees: a limit cycle or another marginal motion"],
        ),
    ],
    ids=["chaos", "rest", "marginal"],
)
def test_verdict_names_the_regime(system, changes, words):
    found = Growth(**QUICK, **changes).measure(system)
    said = verdict(found)
    assert all(each in said for each in words), said
    assert f"λ1 = {float(found['lyapunov_mean']):.3f}" in said
    lines = sentences("growth", found)
    assert lines[0] == said
    assert len(lines) == 5


def test_exponent_that_disagrees_is_said_so():
    found = Growth(**QUICK, lengths=[10, 20, 30, 40], n_transient=200).measure(textbook.tanh_map(0.9, 0.3))
    found["lyapunov_mean"] = 0.2
    found["lyapunov_interval"] = ("bound", [0.19, 0.21])
    assert "does not agree" in verdict(found)


def test_a_dead_network_has_no_exponent_and_that_is_said_in_words():
    model = models.build("rnn", input_size=1, output_size=1, hidden_size=3, seed=0, nonlinearity="relu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(-1.0)
    found = Growth(**QUICK, lengths=[10, 20, 30, 40], n_transient=20).measure(as_system(model))
    lines = sentences("growth", found)  # the bias of the output is felt, no unit is
    assert lines[0].startswith("the growth of the output's sensitivity with N is bounded; λ1 cannot be told from 32 of")
    assert "vanishes altogether" in lines[0]
    for name in ("output_sensitivity", "gauss_newton", "gradient", "hessian"):
        found[name][:] = 0.0
    lines = sentences("growth", found)
    assert lines[0].startswith("no growth: the output does not depend on the parameters at all, every derivative is")
    assert [line.endswith(": zero at every length") for line in lines] == [False, True, True, True, True]
    assert "nan" not in " ".join(lines)
    found["lyapunov"][:30] = -1.0
    assert "λ1 cannot be told from 2 of 32 starts" in verdict(found)


def test_too_few_finite_lengths_are_undetermined():
    probe = Growth(**QUICK, lengths=[10, 700, 800, 900], n_transient=0, centre=[1.0], spread=0.0)
    assert verdict(probe.measure(textbook.linear([[8.0]]))).startswith("undetermined")


def test_several_epochs_at_once():
    found = Growth(**QUICK, lengths=[2, 3, 4, 5], n_transient=5).measure(textbook.tanh_map(0.5))
    with pytest.raises(ValueError, match="came several epochs"):
        verdict(found.expand_dims("step"))


def test_a_coarse_grid_is_said_to_be():
    data = Objective(inputs=torch.zeros(1, 60, 1), targets=torch.zeros(1, 60, 2), state=[0.5] * 4)
    found = Roughness(direction="radial", extent=0.02, n_points=201, lengths=[60]).measure(
        textbook.chaotic_lstm(), data
    )
    (line,) = sentences("roughness", found)
    assert "too coarse to count them" in line
    assert f"N = 60: {int(found['n_minima'][0, 0])} local minima on 201 points" in line
