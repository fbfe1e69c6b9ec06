"""How the networks in this folder were trained: python tests/attractors/networks/train.py NAME [SEED]."""

import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from rnnscope import models, tasks
from rnnscope.systems import System, as_system
from rnnscope.training import Config, fit

FOLDER = Path(__file__).parent
SIZE = 16


def flipflop_system(model: str) -> System:
    """The committed three-bit network of that kind."""
    from safetensors.torch import load_file

    network = models.build(model, input_size=3, output_size=3, hidden_size=SIZE)
    network.load_state_dict(load_file(FOLDER / f"flipflop-{model}.safetensors"))
    return as_system(network)


def train_flipflop(model: str, seed: int = 0, **changes: object) -> torch.nn.Module:
    settings = [f"{key}={value}" for key, value in ({"hidden_size": SIZE} | changes).items()]
    config = Config.assemble("flipflop", model=model, changes=settings, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        run = fit(config, Path(folder) / "run", on_epoch=report)
        network = config.build_model()
        network.load_state_dict(dict(run.system(epoch=run.epochs[-1]).params))
    return network


def held_accuracy(system: System, n_hold: int = 200, n_sequences: int = 256) -> float:
    """The share of bits that are still right after so many steps without any pulse."""
    task = tasks.build("flipflop", length=50, n_sequences=n_sequences, seed=99)
    inputs, targets = task.data()
    inputs = torch.cat([inputs, torch.zeros(n_sequences, n_hold, 3)], 1).to(system.dtype)
    state = torch.zeros(n_sequences, system.state_size, dtype=system.dtype)
    outputs = system.simulate(state, inputs.movedim(1, 0)).outputs
    return float((outputs[-1].sign() == targets[:, -1]).float().mean())


def report(epoch) -> None:
    if epoch.epoch % 25 == 0:
        print(epoch.epoch, f"{epoch.loss:.5f}", flush=True)


if __name__ == "__main__":
    name, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    trained = train_flipflop(name, seed)
    share = held_accuracy(as_system(trained))
    print(f"{name}, seed {seed}: {100 * share:.2f} % of the bits held over 200 steps")
    save_file(
        {key: value.contiguous() for key, value in trained.state_dict().items()},
        FOLDER / f"flipflop-{name}.safetensors",
    )
