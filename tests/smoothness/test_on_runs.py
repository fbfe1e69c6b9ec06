"""Probes of the cost on recorded runs: the run's objective, what is kept, and the command line."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope.base.errors import DamagedFileError, RunError
from rnnscope.cli import main
from rnnscope.figures import orbit_diagram
from rnnscope.report import write_report
from rnnscope.report._cost import cost_figures
from rnnscope.runs import Run
from rnnscope.runs.objectives import FILE
from rnnscope.smoothness import Growth, Landscape, Objective, Roughness, Smoothness, cost, sentences
from rnnscope.smoothness.curvature import HessianOperator
from rnnscope.training import Recorder

SMALL = Landscape(n_points=5, n_between=2)


def own_run(path, objective=None):
    torch.manual_seed(0)
    model = nn.ModuleDict({"lstm": nn.LSTM(1, 2), "out": nn.Linear(2, 1)})
    recorder = Recorder(path, (model["lstm"], model["out"]), objective=objective)
    for epoch in range(4):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn_like(p))
        recorder.epoch(epoch, loss=1.0)
    recorder.close()
    return Run(path)


def some_objective(**changes):
    generator = torch.Generator().manual_seed(1)
    data = {name: torch.randn(3, 8, 1, generator=generator) for name in ("inputs", "targets")}
    return Objective(**{**data, **changes})


def test_cost_of_a_task_is_its_recorded_loss_to_be(small_run):
    objective = small_run.objective
    assert objective.n_sequences == 20
    system = small_run.system(epoch=3)
    task = small_run._task
    inputs, targets = task.data()
    outputs = system.simulate(torch.zeros(20, system.state_size), inputs.movedim(1, 0)).outputs.movedim(0, 1)
    wanted = task.reported(float(task.cost(outputs, targets)), targets.numel())
    assert abs(float(cost(system, system.params, objective)) - wanted) < 1e-6


def test_smoothness_over_epochs(run_copy):
    found = run_copy.probe(Smoothness(), epochs=[0, 3, 6])
    assert found["epoch"].values.tolist() == [0, 3, 6]
    operator = HessianOperator(run_copy.system(epoch=3), run_copy.objective)
    matrix = np.asarray(operator @ np.eye(operator.shape[0]))
    at = found.isel(step=1)
    np.testing.assert_allclose(at["cost"], operator.value, rtol=1e-12)
    np.testing.assert_allclose(at["gradient_norm"], float(operator.gradient.norm()), rtol=1e-9)
    np.testing.assert_allclose(at["hessian_eigenvalue"][0], np.linalg.eigvalsh(matrix)[-1], rtol=1e-3)
    assert (found["hessian_status"] == 0).all()
    assert Run(run_copy.path).probe(Smoothness(), epochs=[0, 3, 6]).identical(found)
    assert "cost" in sentences("smoothness", found)[0]


def test_landscape_is_measured_once_for_a_run(run_copy, monkeypatch):
    found = run_copy.probe(SMALL)
    assert found.sizes["step"] == 1
    assert found["snapshot_epoch"].values[0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert found["path_epoch"].values[0, 1] == 0.5
    own = [float(cost(s, s.params, run_copy.objective)) for s in (run_copy.system(epoch=k) for k in (0, 6))]
    np.testing.assert_allclose(found["path_cost"].values[0, [0, -1]], own, rtol=1e-5)
    monkeypatch.setattr(Landscape, "measure", lambda *_: pytest.fail("measured again"))
    assert Run(run_copy.path).probe(SMALL).identical(found)
    assert Run(run_copy.path).dataset("landscape", n_points=5).identical(found)


def test_landscape_of_other_epochs_is_another(run_copy):
    found = run_copy.probe(SMALL, epochs=3)
    assert found["snapshot_epoch"].values[0].tolist() == [0, 3, 6]
    assert run_copy.probe(SMALL)["snapshot_epoch"].size == 7
    few = run_copy.probe(Landscape(n_points=5, n_between=1, n_snapshots=4))
    assert few["snapshot_epoch"].values[0].tolist() == [0, 2, 4, 6]


def test_a_damaged_snapshot_is_left_out_of_the_path(run_copy):
    path = run_copy.path / "snapshots" / "0000000003.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    run = Run(run_copy.path)
    with pytest.warns(UserWarning, match="left out"):
        found = run.probe(SMALL)
    assert 3 not in found["snapshot_epoch"].values


@pytest.mark.filterwarnings("ignore:.*the cost measured is")
def test_objective_of_ones_own_loop(tmp_path):
    objective = some_objective(n_transient=1, state=[0.1, 0.2, 0.3, 0.4])
    run = own_run(tmp_path / "own", objective)
    assert run.objective is not None
    assert run.sequences is not None
    assert run.objective.digest == objective.digest
    assert torch.equal(run.sequences, objective.inputs)
    first = run.probe(Smoothness(), epochs=[3])
    other = run.probe(Smoothness(), epochs=[3], objective=some_objective())
    assert float(first["cost"][0]) != float(other["cost"][0])
    assert Run(run.path).probe(Smoothness(), epochs=[3]).identical(first)
    path = run.path / FILE
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedFileError):
        _ = Run(run.path).objective
    assert any(FILE in line for line in Run(run.path).check())


def test_without_an_objective(tmp_path):
    run = own_run(tmp_path / "own")
    with pytest.raises(RunError, match="its cost is not known"):
        run.probe(Smoothness())
    with pytest.raises(TypeError, match="probe orbits does not measure a cost"):
        run.probe("orbits", objective=some_objective())
    found = run.probe(Growth(input=[0.5], lengths=[4, 6, 8, 10], n_starts=2, n_transient=5, n_exponent=5), epochs=[3])
    assert found.sizes["step"] == 1


def test_an_objective_that_cannot_be_kept(tmp_path):
    with pytest.raises(ValueError, match="came a function"):
        own_run(tmp_path / "own", some_objective(loss=lambda y, target: (y - target).square().mean()))
    assert not (tmp_path / "own").exists()
    run = own_run(tmp_path / "own")
    own = some_objective(loss=lambda y, target: (y - target).square().mean())
    found = run.probe(Smoothness(), epochs=[3], objective=own)
    named = run.probe(Smoothness(), epochs=[3], objective=some_objective())
    np.testing.assert_allclose(found["cost"], named["cost"], rtol=1e-12)


def call(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


def test_command_line(run_copy, capsys):
    quick = [f"--set={each}" for each in ("lengths=[5,8,12,20]", "n_starts=4", "n_transient=50", "n_exponent=50")]
    call("probe", "growth", run_copy.path, "--epoch", 6, *quick)
    said = capsys.readouterr().out
    assert "λ1 = " in said
    assert "Gauss-Newton eigenvalue" in said
    call("probe", "landscape", run_copy.path, "--set", "n_points=4")
    assert "the plane explains" in capsys.readouterr().out
    call("probe", "roughness", run_copy.path, "--epoch", 6, "--set", "n_points=21", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["found"]["cost"]["dims"] == ["step", "length", "point"]
    call("probe", "smoothness", run_copy.path, "--epochs", 3)
    assert "at epoch 6: cost" in capsys.readouterr().out


def test_compiled_or_not_is_one_result(run_copy, capsys, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    call("probe", "landscape", run_copy.path, "--set", "n_points=4", "--compile")
    assert "warning: compile: there is no C++ compiler (no-such-compiler)" in capsys.readouterr().err
    monkeypatch.setattr(Landscape, "measure", lambda *_: pytest.fail("measured again"))
    call("probe", "landscape", run_copy.path, "--set", "n_points=4")
    assert "compile" not in json.loads(run_copy.dataset("landscape", n_points=4).attrs["settings"])["settings"]
    call("probe", "growth", run_copy.path, "--compile", status=2)
    said = " ".join(capsys.readouterr().err.split())
    assert "--compile: expected one of the probes landscape, roughness, came growth" in said


def test_one_epoch_or_several(run_copy, capsys):
    call("probe", "smoothness", run_copy.path, "--epoch", 6, "--epochs", 2, status=2)
    assert "--epoch, --epochs: expected one of them" in capsys.readouterr().err


def test_default_settings_come_from_the_run(run_copy):
    assert isinstance(run_copy.default_probe("roughness", n_points=11), Roughness)
    with pytest.raises(ValueError, match="unknown probe 'smothness': did you mean 'smoothness'"):
        run_copy.default_probe("smothness")


def test_report_has_the_cost_on_the_epochs_of_the_diagram(run_copy, tmp_path):
    run_copy.probe("orbits")
    run_copy.probe(Smoothness(), epochs=[0, 3, 6])
    run_copy.probe(SMALL)
    run_copy.probe(Roughness(n_points=21), epochs=[6])
    quick = Growth(lengths=[4, 6, 8, 10], n_starts=2, n_transient=5, n_exponent=5)
    run_copy.probe(quick, epochs=[6])
    page = write_report(run_copy, tmp_path / "page.html").read_text(encoding="utf-8")
    places = [page.index(f"{name}-0") for name in ("main", "smoothness", "landscape", "roughness", "growth")]
    assert places == sorted(places)
    for words in ("largest Hessian eigenvalue", "The plane explains", "local minima on 21 points", "λ1 = "):
        assert words in page


def test_report_shows_smoothness_on_the_same_epoch_axis(run_copy):
    run_copy.probe(Smoothness(), epochs=[2, 3])
    orbits = run_copy.probe("orbits")
    main = orbit_diagram(orbits, backend="plotly")
    ((_, figure, _),) = cost_figures(run_copy, main)
    assert tuple(figure.layout.xaxis.range) == tuple(main.layout.xaxis.range)
