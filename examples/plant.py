"""A GRU with input scaling and a sigmoid, fitted to a plant that rests at weak inputs and oscillates at strong ones.

Run it: python examples/plant.py [folder]
"""

import sys
from pathlib import Path

import torch
from torch import nn

import rnnscope as rs


class Model(nn.Module):
    """Inputs in volt (batch, time, 1) -> level between 0 and 1."""

    def __init__(self, n: int = 12):
        super().__init__()
        self.register_buffer("mean", torch.tensor([5.0]))
        self.deviation = torch.tensor([3.0])
        self.gru, self.out = nn.GRU(1, n, batch_first=True), nn.Linear(n, 1)

    def forward(self, u):
        return torch.sigmoid(self.out(self.gru((u - self.mean) / self.deviation)[0]))


def plant(u):
    """z' = e^(0.4 i) z (0.5 + u/10 - 0.3 |z|²) + 0.3, seen as a level: a fixed point, or beyond a voltage a cycle."""
    z, levels = torch.full(u.shape[:1], 0.5 + 0j), []
    for step in u[..., 0].T:
        z = z * torch.exp(torch.tensor(0.4j)) * (0.6 + step / 10 - 0.3 * z.abs() ** 2) + 0.1
        levels.append(torch.sigmoid(z.real))
    return torch.stack(levels, 1)[..., None]


def main(folder: Path) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    u = (10 * torch.rand(16, 6, 1)).repeat_interleave(25, 1)
    y = plant(u)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    # from here on: rnnscope
    with rs.Recorder(folder / "plant", model, objective=rs.Objective(u, y)) as recorder:
        for epoch in range(150):
            loss = nn.functional.mse_loss(model(u), y)
            recorder.epoch(epoch, loss=loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    run = rs.Run(folder / "plant", model=model)
    found = run.probe("attractors", epochs=75)
    rs.figures.orbit_diagram(run.probe("orbits", epochs=10)).savefig(folder / "plant.png")
    cost = run.probe("smoothness", epochs=[149], max_products=40)

    last, worst = found.isel(step=-1), 0.0
    print("held input (V)   what the model comes to")
    for at, (volt,) in enumerate(last["input_value"].values):
        kind = str(rs.attractors.kind_names(last["kind"].isel(input=at))[0])
        print(f"{volt:8.2f} {last['input_label'].values[at]:>14}   {kind}")
        if kind == "fixed_point":
            saved = Model()
            saved.load_state_dict(run.snapshot())
            rest = saved.double()(torch.full((1, 5000, 1), float(volt), dtype=torch.double))[0, -1]
            worst = max(worst, float((rest - last["output_low"].values[at, 0, 0]).detach().abs()))
    print(f"fixed points: the model's own output after 5000 steps is within {worst:.1e}")
    print(f"cost {cost['cost'].item():.6f}, recorded loss {cost['loss'].item():.6f}")


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/plant")
    where.mkdir(parents=True, exist_ok=True)
    main(where)
