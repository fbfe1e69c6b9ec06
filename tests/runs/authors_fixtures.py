"""Folders in the layout of the authors' result folders, made here: a network whose weights wander, orbits as theirs."""

import argparse
import json
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

SINE = {
    "epochs": 4, "seq_len": 20, "batch_size": 10, "n_sequences": 20, "lr": 0.001, "clip_value": 0.25,
    "min_freq": 0.19634954084936207, "max_freq": 0.39269908169872414, "seed": 2, "gamma": 0.1,
    "milestones": [500, 1000], "interval_orbit": 2, "interval_save_orbit": 500, "n_sequences_orbit": 3,
    "seq_len_orbit": 90, "burnout_orbit": 30, "std_orbit": 100, "rnn_type": "LSTM", "hidden_size": 6,
    "num_layers": 1, "stabilize": False,
}  # fmt: skip
SYMBOLS = {
    "epochs": 4, "seq_len": 20, "seq_len_val": 20, "batch_size": 10, "n_sequences": 20, "n_sequences_val": 20,
    "n_symbols": 2, "n_distractors": 3, "lr": 0.001, "clip_value": 0.25, "seed": 3, "gamma": 0.25,
    "milestones": [500], "position_symbols_start": [2, 8], "position_symbols_len": 3, "interval_orbit": 1,
    "interval_save_orbit": 100, "n_sequences_orbit": 2, "seq_len_orbit": 40, "burnout_orbit": 10, "std_orbit": 100,
    "stabilize": False, "rnn_type": "LSTM",
}  # fmt: skip
WORDS = {
    "batch_size": 4, "epochs": 3, "lr": 0.001, "clip_value": 0.25, "seed": 5, "embed_size": 6, "tied_weights": False,
    "hidden_size": 6, "num_layers": 1, "seq_len": 10, "patience": 7, "min_lr": 1e-07, "lr_factor": 0.1,
    "dropout": 0.5, "lambada": False, "stabilize": False, "rnn_type": "LSTM", "interval_orbit": 1,
    "interval_save_orbit": 3, "n_sequences_orbit": 2, "seq_len_orbit": 20, "burnout_orbit": 0, "std_orbit": 100,
    "orbit_use_feedback": True,
}  # fmt: skip
PRESETS = {"sine-generator": SINE, "temporal-order": SYMBOLS, "word-language-model": WORDS}
N_WORDS = 90
WORD_IDS = [0, 16, 17, 13, 15, 22, 26, 35, 75, 25, 2, 9]
HEADINGS = {
    "sine-generator": ",epoch,loss",
    "temporal-order": ",epoch,train loss,train acc.,valid. loss,valid. acc.",
    "word-language-model": ",Epoch,Train Loss,Valid Loss,Valid PPL,Learning Rate",
}


class Kernel(nn.Module):
    base: torch.Tensor

    def __init__(self, n):
        super().__init__()
        skew = torch.zeros(n, n)
        places = torch.arange(0, n - 1, 2)
        skew[places, places + 1] = torch.empty(n // 2).uniform_(-torch.pi, torch.pi)
        self._A = nn.Parameter(skew - skew.T)
        self.register_buffer("base", torch.eye(n))

    def matrix(self):
        upper = self._A.triu(1)
        return self.base @ torch.matrix_exp(upper - upper.T)


class Bias(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.b = nn.Parameter(torch.empty(n).uniform_(-0.01, 0.01))


class Cell(nn.Module):
    def __init__(self, n_in, n):
        super().__init__()
        self.recurrent_kernel = Kernel(n)
        self.input_kernel = nn.Linear(n_in, n, bias=False)
        self.nonlinearity = Bias(n)
        nn.init.kaiming_normal_(self.input_kernel.weight, nonlinearity="relu")


class Orthogonal(nn.Module):
    def __init__(self, n_in, n):
        super().__init__()
        self.rnn_cell = Cell(n_in, n)

    def forward(self, inputs, state):
        matrix, outputs = self.rnn_cell.recurrent_kernel.matrix(), []
        for u in inputs:
            z = self.rnn_cell.input_kernel(u) + state @ matrix
            state = z.sign() * (z.abs() + self.rnn_cell.nonlinearity.b).clamp(min=0)
            outputs.append(state)
        return torch.stack(outputs), state


class Wrap(nn.Module):
    def __init__(self, n_in, n, rnn_type, n_layers):
        super().__init__()
        self.rnn = Orthogonal(n_in, n) if rnn_type == "exprnn" else getattr(nn, rnn_type)(n_in, n, n_layers)


class Network(nn.Module):
    def __init__(self, rnn_type, n_in, n, n_out, n_layers):
        super().__init__()
        self.rnn = Wrap(n_in, n, rnn_type, n_layers)
        self.linear = nn.Linear(n, n_out)

    def forward(self, inputs, state):
        return self.linear(self.rnn.rnn(inputs, state)[0])


class WordNetwork(nn.Module):
    def __init__(self, rnn_type, n_in, n, n_out, n_layers):
        super().__init__()
        self.encoder = nn.Embedding(n_out, n_in)
        self.rnn = Wrap(n_in, n, rnn_type, n_layers)
        self.decoder = nn.Linear(n, n_out)

    def forward(self, ids, state):
        return self.decoder(self.rnn.rnn(self.encoder(ids), state)[0])

    def closed_loop(self, ids, state, n_steps):
        outputs, ids = [], ids[:1]
        for _ in range(n_steps):
            output, state = self.rnn.rnn(self.encoder(ids), state)
            outputs.append(self.decoder(output))
            ids = outputs[-1].argmax(-1)
        return torch.cat(outputs)


def write_folder(
    path,
    experiment="sine-generator",
    *,
    weights_epoch=None,
    n_diagrams=None,
    device="cpu",
    legacy=False,
    change=None,
    namespace=True,
    **settings,
):
    """Write a folder; ``change(model, diagrams)`` may spoil the two dicts before they are saved."""
    path = Path(path)
    path.mkdir(parents=True)
    settings = {**PRESETS[experiment], **settings}
    weights_epoch = settings["epochs"] - 1 if weights_epoch is None else weights_epoch
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model, diagrams = simulate(experiment, settings, weights_epoch, n_diagrams)
    model["config"] = argparse.Namespace(**settings) if namespace else None
    if change is not None:
        change(model, diagrams)
    save(model, path / "model.pth", device=device, legacy=legacy)
    if diagrams is not None:
        save(diagrams, path / "orbit_per_epoch_diagram.pth", device=device, legacy=legacy)
    (path / "train.pyconfig.json").write_text(json.dumps(settings, indent="\t"))
    n_columns = HEADINGS[experiment].count(",")
    lines = [
        f"{k},{k}," + ",".join(f"{0.5 / (k + c + 1):.6f}" for c in range(n_columns - 1))
        for k in range(settings["epochs"])
    ]
    (path / "history.csv").write_text("\n".join([HEADINGS[experiment], *lines]) + "\n")
    return path


def save(content, path, *, device="cpu", legacy=False):
    """``torch.save``, on request as PyTorch 1.1 did and with storages that say they were on a GPU."""
    with patch("torch.serialization.location_tag", lambda storage: device):
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)


def simulate(experiment, settings, weights_epoch, n_diagrams):
    torch.manual_seed(settings["seed"])
    rnn_type, layers = settings["rnn_type"], settings.get("num_layers", 1)
    own = {name: settings[name] for name in ("rnn_type", "hidden_size", "num_layers") if name in settings}
    projections = None
    if experiment == "sine-generator":
        kwargs, n = own, settings["hidden_size"]
        network = Network(rnn_type, 1, n, 1, layers)
        inputs = torch.linspace(torch.pi / 16, torch.pi / 8, 10, dtype=torch.float64).float()[:, None]
    elif experiment == "temporal-order":
        n, n_in, n_out = 50, settings["n_symbols"] + settings["n_distractors"], 4
        kwargs = {"rnn_type": rnn_type, "n_classes": n_out, "input_size": n_in}
        network = Network(rnn_type, n_in, n, n_out, layers)
        inputs = torch.eye(n_in)
    else:
        n, n_in = settings["hidden_size"], settings["embed_size"]
        kwargs = {**own, "embed_size": n_in, "n_words": N_WORDS, "tied_weights": False, "dropout": 0.5}
        network = WordNetwork(rnn_type, n_in, n, N_WORDS, layers)
        inputs = torch.randint(n_in, (2, 1))
        projections = projection_matrix()
    rows = len(inputs) * settings["n_sequences_orbit"]
    shape = (rows, n) if rnn_type == "exprnn" else (layers, rows, n)
    parts = [settings["std_orbit"] * torch.randn(shape) for _ in range(2 if rnn_type == "LSTM" else 1)]
    start = tuple(parts) if len(parts) > 1 else parts[0]
    n_steps, dropped = settings["seq_len_orbit"], settings["burnout_orbit"]
    held = inputs.repeat(n_steps, settings["n_sequences_orbit"], 1)
    wander = torch.Generator().manual_seed(1)
    kept, stored, state = [], None, {}
    for epoch in range(settings["epochs"]):
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=wander)
        if settings["interval_orbit"] > 0 and (epoch + 1) % settings["interval_orbit"] == 0:
            if projections is None:
                orbits = network(held, start)
            else:
                assert isinstance(network, WordNetwork)
                loops = [network(held[..., 0], start), network.closed_loop(held[..., 0], start, n_steps)]
                orbits = torch.cat([loop @ projections.T for loop in loops], -1)
            kept.append(orbits[dropped:].unflatten(1, (settings["n_sequences_orbit"], len(inputs))))
        if epoch == weights_epoch:
            state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    if kept:
        trajectory = torch.stack(kept[:n_diagrams], -1)
        stored = {"frequency": settings["interval_orbit"], "trajectory": trajectory}
    optimizer = {"state": {0: {"step": torch.tensor(2.0 * (weights_epoch + 1))}}, "param_groups": [{"lr": 0.001}]}
    model = {
        "epoch": weights_epoch,
        "model": state,
        "model_kwargs": kwargs,
        "optimizer": optimizer,
        "total_loss": torch.tensor(0.5),
        "experiment_name": experiment,
    }
    return model, stored


def projection_matrix():
    nn.Linear(N_WORDS, 1, bias=False)
    nn.Linear(N_WORDS, 2, bias=False)
    uniform = 1 / N_WORDS * torch.ones(2, N_WORDS).uniform_(0, 2)
    nn.Linear(N_WORDS, 12, bias=False)
    single = torch.zeros(12, N_WORDS)
    single[torch.arange(12), WORD_IDS] = 1
    return torch.cat([torch.full((1, N_WORDS), 1 / N_WORDS), uniform, single])
