"""How the networks in this folder were trained: python tests/attractors/networks/train.py flipflop|integrator MODEL."""

import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from rnnscope import models, tasks
from rnnscope.base.randomness import seeded
from rnnscope.systems import System, as_system
from rnnscope.training import Config, fit

FOLDER = Path(__file__).parent
SIZE = 16


def flipflop_system(model: str) -> System:
    """The committed three-bit network: rnn, gru or lstm."""
    return _loaded(f"flipflop-{model}", model, 3)


def integrator_system(model: str) -> System:
    """The committed network that keeps the sum of its inputs: gru or lstm."""
    return _loaded(f"integrator-{model}", model, 1)


def train_flipflop(model: str, seed: int = 0) -> torch.nn.Module:
    """The preset quick of the task: 250 epochs, seconds."""
    config = Config.assemble("flipflop", model=model, changes=[f"hidden_size={SIZE}"], seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        run = fit(config, Path(folder) / "run")
        network = config.build_model()
        network.load_state_dict(dict(run.system(epoch=run.epochs[-1]).params))
    return network


def train_integrator(model: str, seed: int = 0, n_steps: int = 4000) -> torch.nn.Module:
    """Steps by which a value in [-1, 1] jumps now and then, to be summed."""
    with seeded(seed, "integrator"):
        network = models.build(model, input_size=1, output_size=1, hidden_size=SIZE, seed=seed)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
        loss = torch.tensor(torch.nan)
        for _ in range(n_steps):
            inputs, targets = integrator_data(64, 80)
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(network(inputs), targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        print(f"integrator: mean squared error {loss.item():.2e}")
    return network


def integrator_data(n_sequences: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and their sums (sequence, time, 1): a value in [-1, 1], drawn anew with probability 0.1 at each step."""
    drawn = 2 * torch.rand(n_sequences, length) - 1
    times = torch.arange(length).expand(n_sequences, -1)
    fresh = torch.rand(n_sequences, length) < 0.1
    fresh[:, 0] = True
    values = drawn.gather(1, torch.where(fresh, times, 0).cummax(1).values)
    steps = torch.diff(values, dim=1, prepend=torch.zeros(n_sequences, 1))
    return steps[..., None], values[..., None]


def held_accuracy(system: System, n_hold: int, n_sequences: int = 256) -> float:
    """The share of bits that are still right after so many steps without any pulse."""
    inputs, targets = tasks.build("flipflop", length=50, n_sequences=n_sequences, seed=99).data()
    inputs = torch.cat([inputs, torch.zeros(n_sequences, n_hold, 3)], 1).to(system.dtype)
    state = torch.zeros(n_sequences, system.state_size, dtype=system.dtype)
    outputs = system.simulate(state, inputs.movedim(1, 0)).outputs
    return float((outputs[-1].sign() == targets[:, -1]).float().mean())


def _loaded(name: str, model: str, width: int) -> System:
    network = models.build(model, input_size=width, output_size=width, hidden_size=SIZE)
    network.load_state_dict(load_file(FOLDER / f"{name}.safetensors"))
    return as_system(network)


if __name__ == "__main__":
    torch.set_num_threads(1)
    task, model = sys.argv[1:]
    if task == "integrator":
        trained = train_integrator(model)
    else:
        trained = train_flipflop(model)
        share = held_accuracy(as_system(trained), n_hold=200)
        print(f"{100 * share:.2f} % of the bits held over 200 steps")
    save_file(
        {key: value.contiguous() for key, value in trained.state_dict().items()}, FOLDER / f"{task}-{model}.safetensors"
    )
