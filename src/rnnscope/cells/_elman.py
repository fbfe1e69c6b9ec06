"""The Elman step h = φ(W h + U u + b), for any activation."""

from collections.abc import Callable

from torch import Tensor

from rnnscope.cells._cell import (
    Cell,
    Params,
    Weights,
    each_row,
    gate_shapes,
    linear_drive,
    only_hidden,
    recurrent_products,
    total_bias,
)


def elman_cell(name: str, activation: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]) -> Cell:
    """h[t] = φ(W_hh h[t-1] + W_ih u[t] + b_ih + b_hh); ``slope`` gives φ'(z) from φ(z)."""

    def materialise(params: Params) -> Weights:
        return {"input": params["weight_ih"], "state": params["weight_hh"], **total_bias(params)}

    def step(weights: Weights, state: Tensor, drive: Tensor) -> Tensor:
        return activation(drive + state @ weights["state"].mT)

    def linearised(
        weights: Weights, state: Tensor, drive: Tensor, rows: Tensor, forcing: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        product, pushed = recurrent_products(weights, state, rows, forcing)
        state = activation(drive + product)
        return state, each_row(slope(state)) * pushed

    return Cell(name, gate_shapes(1), materialise, linear_drive, step, only_hidden, linearised=linearised)
