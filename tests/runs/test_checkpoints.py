import pickle

import pytest
import safetensors.torch
import torch
from torch import nn

from rnnscope.attractors import Orbits
from rnnscope.base.errors import RunError
from rnnscope.runs import Run


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.core, self.head = nn.LSTM(1, 3), nn.Linear(3, 1)

    def forward(self, x):
        return self.head(self.core(x)[0])


def test_checkpoints_become_a_run(tmp_path):
    models = {epoch: Model() for epoch in (2, 10, 30)}
    for epoch, model in models.items():
        torch.save({"model_state_dict": model.state_dict(), "loss": 1 / epoch}, tmp_path / f"ckpt_{epoch}.pt")
    run = Run.from_checkpoints(str(tmp_path / "*.pt"), build=Model, path=tmp_path / "run")
    assert run.epochs.tolist() == [2, 10, 30]
    assert run.scalars["loss"].tolist() == [0.5, 0.1, pytest.approx(1 / 30)]
    for epoch, model in models.items():
        assert torch.equal(run.snapshot(epoch=epoch)["core.weight_hh_l0"], model.core.weight_hh_l0)
    assert run.probe(Orbits(n_transient=5, n_keep=5)).epoch.values.tolist() == [2, 10, 30]
    again = Run.from_checkpoints(str(tmp_path / "*.pt"), build=Model, path=tmp_path / "run")
    assert again.has("orbits")
    torch.save(Model().state_dict(), tmp_path / "ckpt_40.pt")
    with pytest.raises(RunError, match="is a run already"):
        Run.from_checkpoints(str(tmp_path / "*.pt"), build=Model, path=tmp_path / "run")


def test_plain_state_dicts_and_safetensors_and_an_epoch_inside(tmp_path):
    torch.save(Model().state_dict(), tmp_path / "a.pt")
    torch.save({"state_dict": Model().state_dict(), "epoch": 7}, tmp_path / "b.pt")
    safetensors.torch.save_file(Model().state_dict(), tmp_path / "c.safetensors")
    run = Run.from_checkpoints(str(tmp_path / "[abc].*"), path=tmp_path / "run")
    assert sorted(run.epochs.tolist()) == [0, 2, 7]
    with pytest.raises(Exception, match="no model was given"):
        run.system()
    assert Run(run.path, model=Model()).system().output_size == 1


class Malicious:
    def __reduce__(self):
        return (print, ("executed",))


def test_bad_files_are_refused_with_the_reason(tmp_path, capsys):
    def attempt(name, **arguments):
        Run.from_checkpoints(str(tmp_path / name), path=tmp_path / "run", **arguments)

    with pytest.raises(RunError, match="no such files"):
        attempt("*.none")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Malicious()))
    torch.save({"model": Malicious()}, tmp_path / "evil2.pt")
    for name in ("evil.pt", "evil2.pt"):
        with pytest.raises(RunError, match="without executing a pickle"):
            attempt(name)
    assert "executed" not in capsys.readouterr().out
    (tmp_path / "short.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(RunError, match=r"short.pt: cannot be opened"):
        attempt("short.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(RunError, match="came list"):
        attempt("list.pt")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(RunError, match="no state dict in it"):
        attempt("empty.pt")
    torch.save(Model().state_dict(), tmp_path / "m1.pt")
    torch.save({"model": Model().state_dict(), "epoch": 1}, tmp_path / "m2.pt")
    with pytest.raises(RunError, match="several files stand for epoch 1"):
        attempt("m?.pt")
    with pytest.raises(RunError, match="does not fit the model that build"):
        attempt("m1.pt", build=lambda: nn.GRU(1, 2))
    assert not (tmp_path / "run").exists()
