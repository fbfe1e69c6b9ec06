"""What a cell is: one step as pure functions of its weights, with its tangent product."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Generator, Tensor

Params = Mapping[str, Tensor]
Weights = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
Linearised = Callable[[Weights, Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Sizes:
    """Sizes of one layer; ``output_size`` differs from ``hidden_size`` only where there is a projection."""

    input_size: int
    hidden_size: int
    output_size: int
    bias: bool = True


def linear_drive(weights: Weights, input: Tensor) -> Tensor:
    """W u + b, with b the sum of the input's and, where it can be added beforehand, the state's bias."""
    drive = input @ weights["input"].mT
    return drive + weights["bias"] if "bias" in weights else drive


def linear_drive_linearised(weights: Weights, drive: Tensor, rows: Tensor) -> Tensor:
    """W times each row."""
    return rows @ weights["input"].mT


@dataclass(frozen=True)
class Cell:
    """One recurrent layer as pure functions of its weights; the output of a layer is the first part of its state.

    param_shapes(sizes) -> shapes                names and shapes of the parameters, in the order of torch's kernels
    materialise(params) -> weights               once per θ: stacks gates, adds biases, evaluates parametrisations
    drive(weights, input) -> drive               once per distinct input: (..., input_size) -> (..., drive_size)
    step(weights, state, drive) -> state         (..., state_size), flat: the parts one after another
    part_sizes(sizes)                            the parts of the state and their sizes, the layer's output first
    initialise(params, generator)                draws the parameters in place; None: uniform in ±1/sqrt(hidden_size)
    interpolate(a, b, s) -> params               a path between two parameter points; None: the straight line
    frozen                                       names of parameters that training does not move (kept as buffers)
    linearised(weights, state, drive, rows, forcing) -> state, rows
                                                 the step, and in the same pass what it makes of small differences: of
                                                 those in the state (..., k, state_size), one in each row, and in the
                                                 drive (..., k, drive_size; None: there are none); rows may lack
                                                 leading dimensions. None: by forward differentiation
    jacobian(weights, state, drive)              ∂step/∂state (..., state_size, state_size), rows for the new state;
                                                 None: as ``linearised`` gives it
    second_part_is_diagonal                      whether the second part of the state enters the new one unit by unit
    drive_linearised(weights, drive, rows)       what ``drive`` makes of differences in the input (..., k, input_size)
    """

    name: str
    param_shapes: Callable[[Sizes], Shapes]
    materialise: Callable[[Params], Weights]
    drive: Callable[[Weights, Tensor], Tensor]
    step: Callable[[Weights, Tensor, Tensor], Tensor]
    part_sizes: Callable[[Sizes], dict[str, int]]
    initialise: Callable[[dict[str, Tensor], Generator], None] | None = None
    interpolate: Callable[[Params, Params, float], dict[str, Tensor]] | None = None
    frozen: tuple[str, ...] = ()
    linearised: Linearised | None = None
    jacobian: Callable[[Weights, Tensor, Tensor], Tensor] | None = None
    second_part_is_diagonal: bool = False
    drive_linearised: Callable[[Weights, Tensor, Tensor], Tensor] = linear_drive_linearised


def gate_shapes(n_gates: int) -> Callable[[Sizes], Shapes]:
    """Parameters of torch's cells with so many stacked gates."""

    def shapes(sizes: Sizes) -> Shapes:
        rows = n_gates * sizes.hidden_size
        found: Shapes = {"weight_ih": (rows, sizes.input_size), "weight_hh": (rows, sizes.output_size)}
        if sizes.bias:
            found |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if sizes.output_size != sizes.hidden_size:
            found["weight_hr"] = (sizes.output_size, sizes.hidden_size)
        return found

    return shapes


def only_hidden(sizes: Sizes) -> dict[str, int]:
    return {"h": sizes.hidden_size}


def recurrent_products(weights: Weights, h: Tensor, rows: Tensor, forcing: Tensor | None) -> tuple[Tensor, Tensor]:
    """W h, and W times each row plus the forcing."""
    pushed = rows @ weights["state"].mT
    return h @ weights["state"].mT, pushed if forcing is None else pushed + forcing


def each_row(slope: Tensor) -> Tensor:
    """Slopes (..., size), the same for every row (..., k, size)."""
    return slope[..., None, :]


def total_bias(params: Params) -> Weights:
    return {"bias": params["bias_ih"] + params["bias_hh"]} if "bias_ih" in params else {}
