"""Recording one's own training loop, then looking at what the network's state settles to."""

import torch
from torch import nn


class Network(nn.Module):
    """An LSTM and a linear layer, as anyone would write it."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 16, batch_first=True)
        self.linear = nn.Linear(16, 1)

    def forward(self, x):
        """(batch, time, 1) -> (batch, time, 1)."""
        return self.linear(self.lstm(x)[0])


torch.manual_seed(0)
torch.set_num_threads(1)
model = Network()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


def train_one_epoch(model: nn.Module) -> float:
    """Remember the sign of the first input."""
    x = 0.3 * torch.randn(64, 20, 1)
    x[:, 0] = torch.sign(x[:, 0])
    loss = nn.functional.mse_loss(model(x), x[:, :1].expand(-1, 20, 1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# ---
import rnnscope as rs  # noqa: E402

recorder = rs.Recorder("runs/mine", model)  # any nn.Module with a recurrent core
for epoch in range(200):
    loss = train_one_epoch(model)
    recorder.epoch(epoch, loss=loss)  # a snapshot and scalars, nothing else is touched

run = rs.Run("runs/mine")
orbits = run.probe(rs.Orbits(inputs=[[0.0], [1.0]]))  # xarray.Dataset, cached in the run
rs.figures.orbit_diagram(orbits).savefig("orbits.pdf")
# ---
print("(" + ", ".join(f"{dim}: {size}" for dim, size in orbits.orbit.sizes.items()) + ")")
