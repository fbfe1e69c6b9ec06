"""A rate network of excitatory and inhibitory units that decides between two stimuli, and the states it decides by.

Continuous time with dt/τ, noise while training, Dale's law, a state encoder, (time, batch, input), as in the tutorials.
Run it: python examples/rate_network.py [folder]
"""

import math
import sys
from pathlib import Path

import torch
from torch import nn

import rnnscope as rs


class RateLayer(nn.Module):
    """x' = (1 - α) x + α (W r + B u + b) + noise, r = relu(x), α = dt/τ; columns of W have one sign each."""

    def __init__(self, n_inputs: int, n: int, dt: float = 20.0, tau: float = 100.0, noise: float = 0.1):
        super().__init__()
        self.alpha, self.noise = dt / tau, noise
        self.input, self.weight = nn.Linear(n_inputs, n), nn.Parameter(torch.rand(n, n) / n)
        sign = torch.where(torch.arange(n) < 0.8 * n, 1.0, -4.0)
        self.sign: torch.Tensor
        self.register_buffer("sign", sign * (1 - torch.eye(n)))

    def forward(self, inputs, x):
        states = []
        for u in inputs:
            x = (1 - self.alpha) * x + self.alpha * (torch.relu(x) @ (self.weight.abs() * self.sign).T + self.input(u))
            if self.training:
                x = x + math.sqrt(2 * self.alpha) * self.noise * torch.randn_like(x)
            states.append(x)
        return torch.stack(states), x


class Decides(nn.Module):
    """Inputs (time, batch, 3), a cue and two stimuli -> scores of waiting, left and right."""

    def __init__(self, n: int = 30):
        super().__init__()
        self.encoder, self.layer, self.out = nn.Linear(3, n), RateLayer(3, n), nn.Linear(n, 3)

    def forward(self, inputs):
        x, _ = self.layer(inputs, torch.tanh(self.encoder(inputs[0])))
        return self.out(torch.relu(x))


def trials(n: int):
    """A cue for 18 steps, two noisy stimuli for 10 of them; then to be said which was stronger."""
    side, strength = torch.randint(2, (n,)), 0.1 + 0.7 * torch.rand(n)
    inputs, targets = torch.zeros(24, n, 3), torch.zeros(24, n, dtype=torch.long)
    inputs[:18, :, 0] = 1
    inputs[3:13, :, 1] = 0.5 + 0.5 * strength * (1 - 2 * side)
    inputs[3:13, :, 2] = 1 - inputs[3:13, :, 1]
    inputs[3:13, :, 1:] += 0.1 * torch.randn(10, n, 2)
    targets[18:] = side + 1
    return inputs, targets


def main(folder: Path) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Decides()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    example, answers = trials(32)

    # from here on: rnnscope
    objective = rs.Objective(example.movedim(0, 1), answers.T, loss="cross-entropy")
    with rs.Recorder(folder / "decides", model, objective=objective) as recorder:
        for epoch in range(100):
            model.train()
            losses = []
            for _ in range(5):
                inputs, targets = trials(32)
                loss = nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
            recorder.epoch(epoch, loss=sum(losses) / len(losses))
    run = rs.Run(folder / "decides", model=model)
    waiting = [[1.0, 0.0, 0.0]]
    points = run.probe("fixedpoints", epochs=[99], inputs=waiting).isel(step=0, input=0)
    rs.figures.orbit_diagram(run.probe("orbits", epochs=10, inputs=waiting)).savefig(folder / "decides.png")

    model.double().eval()
    inputs = example.double()
    print(
        f"decides rightly in {float((model(inputs)[-1].argmax(-1) == answers[-1]).double().mean()):.0%} of the trials"
    )
    worst = 0.0
    for location in points["location"].values:
        if math.isfinite(location[0]):
            x = torch.tensor(location)[None]
            again = model.layer(torch.tensor(waiting, dtype=torch.double)[None], x)[1]
            worst = max(worst, float((again - x).detach().abs().max()))
    stable = points["n_stable"].item()
    print(
        f"while it waits: {int(points['n_points'].sum())} points, {stable} stable; the model moves them by {worst:.1e}"
    )


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/rate-network")
    where.mkdir(parents=True, exist_ok=True)
    main(where)
