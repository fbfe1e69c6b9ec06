"""Is a system certain to contract, whatever the state and the input within a bound, and at what rate?"""

import math
from dataclasses import dataclass

import torch

from rnnscope.base.errors import require
from rnnscope.systems.recurrent import RecurrentSystem
from rnnscope.systems.system import System, Weights


@dataclass(frozen=True)
class Certificate:
    """A sufficient condition for contraction, and whether it holds.

    Attributes:
        name: which condition; "none known" where there is none for this kind of system.
        holds: whether it does, for all inputs within the bound.
        rate: a bound of the factor by which distances shrink in a step, in ``norm``; NaN where the condition fails.
        norm: the norm that is meant.
        conditions: each inequality as (left, right); it holds while left < right.

    """

    name: str
    holds: bool
    rate: float
    norm: str
    conditions: dict[str, tuple[float, float]]


def certificate(system: System, *, input_bound: float) -> Certificate:
    """The stability certificate of a system, for inputs with |u| <= ``input_bound`` in every channel.

    - tanh or relu network: ‖W_hh‖₂ < 1; the rate is that norm.
    - LSTM: the conditions of Miller & Hardt (ICLR 2019) in row sums, with f = σ(‖W_f‖ + B_u ‖U_f‖ + ‖b_f‖). A step of
      the map contracts with ρ = (1 + sqrt(1 - f (1 - f))) / 2 in the ∞-norm weighted by the Perron vector of
      [[1-f, f], [¾(1-f), f]] on (h, c), on the set |c| <= 1 / (1 - f), which attracts all states.
    - several layers: each of them; the inputs of upper layers are outputs of lower ones, within ±1. The rate is the
      largest of the layers': the whole contracts at any larger rate in a weighted norm.

    >>> from rnnscope.systems import as_system
    >>> core = torch.nn.RNN(1, 2)
    >>> _ = torch.nn.init.constant_(core.weight_hh_l0, 0.25)
    >>> certificate(as_system(core), input_bound=1.0).rate
    0.5

    Raises:
        ValueError: the input bound is not positive.

    """
    require(input_bound > 0, "input_bound", "a positive number", input_bound)
    if not isinstance(system, RecurrentSystem):
        return _none(f"{type(system).__name__} is of no kind with a known condition")
    core = system.description.core
    weights = system.to(torch.float64).weights
    layers = [weights[f"layer{k}"] for k in range(core.num_layers)]
    if core.cell in ("rnn-tanh", "rnn-relu"):
        norms = [float(torch.linalg.matrix_norm(layer["state"], 2)) for layer in layers]
        conditions = {_name(k, "‖W_hh‖₂", core.num_layers): (norm, 1.0) for k, norm in enumerate(norms)}
        return _decide("‖W_hh‖₂ < 1", conditions, max(norms), "2-norm")
    if core.cell == "lstm" and not core.proj_size:
        conditions, rates = {}, []
        for k, layer in enumerate(layers):
            own, f = lstm_conditions(layer, input_bound if k == 0 else 1.0)
            conditions |= {_name(k, name, core.num_layers): pair for name, pair in own.items()}
            rates.append((1 + math.sqrt(1 - f * (1 - f))) / 2)
        return _decide("Miller & Hardt 2019", conditions, max(rates), "∞-norm weighted on (h, c)")
    return _none(f"no condition is known for the cell {core.cell}")


def lstm_conditions(weights: Weights, input_bound: float) -> tuple[dict[str, tuple[float, float]], float]:
    """The inequalities of an LSTM layer as (left, right), and f."""
    i, f, z, o = (block.abs().sum(1).max().item() for block in weights["state"].chunk(4))
    input_norm = weights["input"].chunk(4)[1].abs().sum(1).max().item()
    bias_norm = weights["bias"].chunk(4)[1].abs().max().item() if "bias" in weights else 0.0
    forget = 1 / (1 + math.exp(-(f + input_bound * input_norm + bias_norm)))
    rest = 1 - forget
    return {"‖W_i‖": (i, rest), "‖W_o‖": (o, rest), "‖W_z‖": (z, rest / 4), "‖W_f‖": (f, rest**2)}, forget


def _decide(name: str, conditions: dict[str, tuple[float, float]], rate: float, norm: str) -> Certificate:
    holds = all(left < right for left, right in conditions.values())
    return Certificate(name, holds, rate if holds else math.nan, norm, conditions)


def _none(reason: str) -> Certificate:
    return Certificate(f"none known: {reason}", False, math.nan, "", {})


def _name(layer: int, name: str, num_layers: int) -> str:
    return f"layer {layer}: {name}" if num_layers > 1 else name
