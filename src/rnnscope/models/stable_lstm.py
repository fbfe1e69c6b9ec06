"""An LSTM that contracts: after every optimiser step its weights are put back where contraction is certain.

With z the cell candidate, |u| <= B_u, f = σ(‖W_f‖ + B_u ‖U_f‖ + ‖b_f‖) and ‖·‖ the largest absolute row sum:

    ‖W_i‖ < 1 - f,   ‖W_o‖ < 1 - f,   ‖W_z‖ <= (1 - f) / 4,   ‖W_f‖ < (1 - f)²

Source: Miller & Hardt, Stable Recurrent Models, ICLR 2019.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from rnnscope.base.errors import require, unknown
from rnnscope.models._network import SequenceNetwork, TorchSettings

PROJECTIONS = ("rows", "columns")
ROW_BUDGETS = {"i": 0.395, "f": 0.155, "g": 0.099, "o": 0.395}
INPUT_BUDGET = 0.25  # B_u ‖U_f‖
BIAS_BUDGET = 0.017  # largest entry of b_ih + b_hh of the forget gate
GATES = "ifgo"


@dataclass(frozen=True, kw_only=True)
class Settings(TorchSettings):
    """Settings of the stable LSTM.

    Attributes:
        input_bound: B_u, the largest absolute input; it comes from the task.
        projection: "rows" (default) scales only the rows that exceed their budget, also of the forget gate's input
            weights and bias, so that the conditions hold. "columns" is what the authors' code does: it scales every
            column of the first layer to the same budgets, always, and bounds neither biases nor inputs: the conditions
            need not hold.

    """

    torch_module: ClassVar[type[nn.RNNBase]] = nn.LSTM
    not_of_torch: ClassVar[tuple[str, ...]] = ("input_bound", "projection")

    input_bound: float
    projection: str = "rows"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projection not in PROJECTIONS:
            raise unknown("projection of the stable LSTM", self.projection, PROJECTIONS)
        require(self.input_bound > 0, "input_bound", "a positive number", self.input_bound)

    def build(self) -> SequenceNetwork:
        """The network; its first weights are drawn as those of torch.nn.LSTM and projected ("columns": not yet)."""
        return StableLSTM(self)


class StableLSTM(SequenceNetwork):
    """A sequence network on torch.nn.LSTM with a projection after each step."""

    def __init__(self, settings: Settings):
        super().__init__(settings.core(), settings.output_size)
        self.settings = settings
        if settings.projection == "rows":
            self.after_step()

    @torch.no_grad()
    def after_step(self) -> None:
        """Project the weights."""
        params = dict(self.core.named_parameters())
        if self.settings.projection == "columns":
            scale_columns(params["weight_hh_l0"])
            return
        for layer in range(self.settings.num_layers):
            bound = self.settings.input_bound if layer == 0 else 1.0  # a layer's output is within ±1
            project_rows({name: params[f"{name}_l{layer}"] for name in _NAMES}, bound)


_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def project_rows(params: dict[str, Tensor], input_bound: float) -> None:
    """Scale, in place, the rows of a layer that exceed their budget, and share out the forget gate's bias.

    Args:
        params: weight_ih (4H, input), weight_hh (4H, H), bias_ih and bias_hh (4H), gates in torch's order i, f, g, o.
        input_bound: B_u.

    """
    for gate, rows in zip(GATES, params["weight_hh"].chunk(4), strict=True):
        _shrink_rows(rows, ROW_BUDGETS[gate])
    forget = GATES.index("f")
    _shrink_rows(params["weight_ih"].chunk(4)[forget], INPUT_BUDGET / input_bound)
    bias_ih, bias_hh = (params[name].chunk(4)[forget] for name in ("bias_ih", "bias_hh"))
    total = bias_ih + bias_hh
    excess = total - total.clamp(max=BIAS_BUDGET, min=-BIAS_BUDGET)
    bias_ih -= excess / 2
    bias_hh -= excess / 2


def scale_columns(weight: Tensor) -> None:
    """The authors' scaling of weight_hh (4H, H) in place: each column of a gate to its budget; zero columns stay."""
    for gate, block in zip(GATES, weight.chunk(4), strict=True):
        sums = block.abs().sum(0, keepdim=True)
        block *= torch.where(sums > 0, ROW_BUDGETS[gate] / sums.clamp(min=torch.finfo(sums.dtype).tiny), 1.0)


def _shrink_rows(block: Tensor, budget: float) -> None:
    """Scale the rows whose absolute sum exceeds the budget; a hair below it, for the sum is rounded."""
    sums = block.abs().sum(1, keepdim=True)
    block *= torch.where(sums > budget, (1 - 1e-6) * budget / sums.clamp(min=torch.finfo(sums.dtype).tiny), 1.0)
