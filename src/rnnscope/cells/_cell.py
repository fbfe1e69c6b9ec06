from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

Params = Mapping[str, Tensor]
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Cell:
    """One recurrent layer as pure functions of its weights; the output of a layer is the first part of its state.

    materialise(params) -> weights               once per θ: stacks gates, adds biases, evaluates parametrisations
    drive(weights, input) -> drive               once per distinct input: (..., input_size) -> (..., drive_size)
    step(weights, state, drive) -> state         (..., state_size), flat: the parts one after another
    part_sizes(hidden_size, output_size)         the parts of the state and their sizes, the layer's output first
    """

    name: str
    materialise: Callable[[Params], Weights]
    drive: Callable[[Weights, Tensor], Tensor]
    step: Callable[[Weights, Tensor, Tensor], Tensor]
    part_sizes: Callable[[int, int], dict[str, int]]


def only_hidden(hidden_size: int, output_size: int) -> dict[str, int]:
    return {"h": hidden_size}


def linear_drive(weights: Weights, input: Tensor) -> Tensor:
    """W u + b, with b the sum of the input's and, where it can be added beforehand, the state's bias."""
    drive = input @ weights["input"].mT
    return drive + weights["bias"] if "bias" in weights else drive


def total_bias(params: Params) -> Weights:
    return {"bias": params["bias_ih"] + params["bias_hh"]} if "bias_ih" in params else {}
