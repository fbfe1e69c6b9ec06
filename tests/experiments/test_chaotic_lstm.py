"""The chaotic LSTM reproduced: figures, numbers, and what is used again."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest

from rnnscope import experiments
from rnnscope.base.errors import RunError
from rnnscope.cli import main
from rnnscope.experiments import chaotic_lstm
from rnnscope.runs import Run
from rnnscope.smoothness import cost


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


def test_target_is_the_own_orbit():
    objective = chaotic_lstm.objective()
    system = chaotic_lstm.chaotic_lstm()
    assert float(cost(system, system.params, objective)) == 0.0
    assert objective.n_steps == 200
    assert objective.n_transient == 100


def test_reproduced(tmp_path, capsys, monkeypatch):
    call("reproduce", "chaotic-lstm", "--run", tmp_path / "run", "--json")
    found = json.loads(capsys.readouterr().out)
    exponents = np.array(found["lyapunov_exponents"])[:, 0]
    np.testing.assert_allclose(exponents, [0.169, -0.385, -1.674, -4.62], atol=0.03)
    assert found["n_points"] == 5002
    assert 300 < found["n_minima"] < 900
    assert found["cost_at_own_weights"] < 1e-6
    by_length = {row["length"]: row["n_minima"] for row in found["minima_by_length"]}
    assert by_length[10] < 20 < by_length[20] < by_length[50] < by_length[200]
    by_grid = [row["n_minima"] for row in found["minima_by_grid"]]
    assert all(finer > 1.5 * coarser for coarser, finer in pairwise(by_grid))
    low, high = found["lowest_and_highest_cost_on_plane"]
    assert 0 < low < 0.01 < high < 0.2
    assert len(found["files"]) == 4
    for file in found["files"]:
        assert (tmp_path / "run" / file.rpartition("/")[2]).stat().st_size > 10_000
    monkeypatch.setattr(chaotic_lstm.ChaoticLine, "measure", lambda *_: pytest.fail("measured again"))
    call("reproduce", "chaotic-lstm", "--run", tmp_path / "run")
    said = capsys.readouterr().out
    assert "Lyapunov exponents 0.1" in said
    assert "local minima on 5002 points" in said
    assert Run(tmp_path / "run").check() == []


@pytest.mark.skipif(not shutil.which("c++") and not shutil.which("g++"), reason="no C++ compiler")
def test_plane_from_a_compiled_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system, objective = chaotic_lstm.chaotic_lstm(), chaotic_lstm.objective()
    plain, compiled = (
        chaotic_lstm.ChaoticPlane(n_first=41, n_second=21, compile=each).measure(system, objective)
        for each in (False, True)
    )
    settled = plain["s1"].values < 0.5
    np.testing.assert_allclose(
        compiled["cost"].values[:, settled], plain["cost"].values[:, settled], rtol=1e-8, atol=1e-14
    )
    assert abs(float(compiled["cost"].mean() / plain["cost"].mean()) - 1) < 0.02
    assert list((tmp_path / "cache").rglob("*.so"))


def test_another_run_is_left_as_it_is(run_copy):
    with pytest.raises(RunError, match="is another run and is left as it is"):
        chaotic_lstm.prepare(run_copy.path)


def test_unknown_experiment(capsys):
    call("reproduce", "chaotic-lstn", status=2)
    assert "did you mean 'chaotic-lstm'" in capsys.readouterr().err
    assert experiments.names() == ["chaotic-lstm", "sine", "symbols"]
