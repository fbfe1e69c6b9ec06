"""What a task is: data, batches, cost, and the constant inputs that are looked at."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

Batches = list[tuple[Tensor, Tensor]]
"""Inputs (sequence, time, input_size) and their targets, in the portions in which training sees them."""


@dataclass(frozen=True)
class ConstantInputs:
    """Inputs to hold while looking for attractors: values (n, channel), what they are called, and their unit.

    ``wanted_frequency`` (n,) in rad/step, where the task asks for an oscillation at each of them. ``labels``, n short
    ones, where inputs have names of their own.
    """

    values: np.ndarray
    long_name: str
    units: str
    wanted_frequency: np.ndarray | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A frozen description that gives data, cost, head and the constant inputs to probe."""

    name: ClassVar[str]
    loss: ClassVar[str] = "squared-error"
    """The name of the loss whose mean over sequences, steps and outputs is what ``reported`` gives."""
    input_size: ClassVar[int]
    output_size: ClassVar[int]

    @abstractmethod
    def data(self) -> tuple[Tensor, Tensor]:
        """Inputs (sequence, time, input_size), float32, and targets in one of the shapes that an ``Objective`` with the
        task's ``loss`` takes: at every step, or at the last one alone."""

    @abstractmethod
    def batches(self) -> Batches:
        """The data in the order and the portions in which training sees them."""

    def fresh_batches(self, epoch: int) -> Batches | None:  # noqa: B027  most tasks have no fresh data
        """The batches of epoch 1, 2, … where each has data of its own, which depend on its number and the settings
        alone; None by default: those of ``batches``, always."""

    def validation_batches(self) -> Batches:
        """Data that are never trained on and that the network is judged by after every epoch; none by default."""
        return []

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """What is recorded beside the loss, by name: scalars, each a mean over the sequences given; none by default."""
        return {}

    @abstractmethod
    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What is differentiated, a scalar."""

    @abstractmethod
    def reported(self, cost: float, n_values: int) -> float:
        """The loss that is recorded, from costs summed over an epoch and the number of target values in it."""

    @abstractmethod
    def input_bound(self) -> float:
        """The largest absolute value of an input: what stable networks are stable for."""

    @abstractmethod
    def constant_inputs(self) -> ConstantInputs:
        """The inputs at which the network's attractors are looked for."""
