from collections.abc import Callable

from torch import Tensor

from rnnscope.cells._cell import Cell, Params, Weights, gate_shapes, linear_drive, only_hidden, total_bias


def elman_cell(name: str, activation: Callable[[Tensor], Tensor]) -> Cell:
    """h[t] = φ(W_hh h[t-1] + W_ih u[t] + b_ih + b_hh)."""

    def materialise(params: Params) -> Weights:
        return {"input": params["weight_ih"], "state": params["weight_hh"], **total_bias(params)}

    def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
        return activation(drive + state @ weights["state"].mT)

    return Cell(name, gate_shapes(1), materialise, linear_drive, step, only_hidden)
