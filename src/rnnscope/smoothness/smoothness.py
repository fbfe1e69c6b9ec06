"""Cost, gradient, leading curvature and sensitivity of a network: what to follow over the epochs of a training."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import nn

from rnnscope.base.errors import require, require_derivatives
from rnnscope.base.probe import Probe
from rnnscope.smoothness.curvature import HessianOperator, top_eigenpairs
from rnnscope.smoothness.objective import Objective
from rnnscope.smoothness.sensitivity import log_state_sensitivity
from rnnscope.systems import System, as_system

CONVERGED, NOT_CONVERGED = 0, 1


@dataclass(frozen=True, kw_only=True)
class Smoothness(Probe):
    """V(θ), ‖∇V(θ)‖, the largest eigenvalues of ∇²V(θ) with their residuals, and ‖∂x[T]/∂x[0]‖ along the data.

    These are local values at one θ, no bounds. Everything is computed in float64.

    >>> Smoothness(n_eigenvalues=2).name
    'smoothness'

    Attributes:
        n_eigenvalues: how many of the largest eigenvalues of the Hessian.
        tolerance: their relative accuracy.
        max_products: products with the Hessian that may be spent, about; an eigenvalue that has not converged then is
            NaN, and ``hessian_status`` says so.
        n_sequences: of the data, evenly chosen, along which ‖∂x[T]/∂x[0]‖ is measured; T is their length.
        seed: for the vector that Lanczos begins with.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, sections 3 and 5.

    """

    name: ClassVar[str] = "smoothness"
    version: ClassVar[int] = 2

    n_eigenvalues: int = 1
    tolerance: float = 1e-3
    max_products: int = 100
    n_sequences: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("n_eigenvalues", 1), ("max_products", 20), ("n_sequences", 1), ("seed", 0)):
            value = getattr(self, name)
            require(type(value) is int and value >= least, name, f"a whole number of at least {least}", value)
        require(0 < self.tolerance < 1, "tolerance", "a number between 0 and 1", self.tolerance)

    @property
    def needs_objective(self) -> bool:
        """Always: it is about a cost."""
        return True

    def measure(self, system: System | nn.Module, objective: Objective) -> xr.Dataset:
        """These values for one network.

        Args:
            system: the network; it is read in float64.
            objective: data, loss and initial state.

        Returns:
            Dataset with ``cost``, ``gradient_norm``, ``hessian_eigenvalue``, ``hessian_residual`` and
            ``hessian_status`` (eigenvalue), ``log_state_sensitivity`` (sequence), a natural logarithm, and
            ``state_sensitivity_residual`` (sequence), relative, of its square.

        Raises:
            ValueError: data that do not fit, more eigenvalues than parameters.
            DerivativeError: the derivatives of the step are not those of the map.

        """
        system = as_system(system)
        require_derivatives(self.name, system.derivative_problem)
        operator = HessianOperator(system, objective)
        finite = bool(torch.isfinite(operator.gradient).all())
        pairs = top_eigenpairs(
            operator,
            self.n_eigenvalues,
            tolerance=self.tolerance,
            max_products=self.max_products,
            seed=self.seed,
        )
        data = operator.objective
        n = min(self.n_sequences, data.n_sequences)
        rows = torch.arange(n) * data.n_sequences // n
        grown = log_state_sensitivity(operator.system, data.initial_state(operator.system)[rows], data.inputs[rows])
        number = {"units": "1"}
        status = np.where(np.isfinite(pairs.values), CONVERGED, NOT_CONVERGED).astype(np.int8)
        variables: dict[str, Any] = {
            "cost": ((), operator.value if np.isfinite(operator.value) else np.nan, {"long_name": "cost", **number}),
            "gradient_norm": (
                (),
                float(operator.gradient.norm()) if finite else np.nan,
                {"long_name": "norm of the cost's gradient", **number},
            ),
            "hessian_eigenvalue": (
                "eigenvalue",
                pairs.values,
                {"long_name": "largest eigenvalues of the cost's Hessian", **number},
            ),
            "hessian_residual": (
                "eigenvalue",
                pairs.residuals,
                {"long_name": "‖∇²V v - λ v‖ / λ of the largest", **number},
            ),
            "hessian_status": (
                "eigenvalue",
                status,
                {
                    "long_name": "whether the eigenvalue has converged",
                    "flag_values": np.array([CONVERGED, NOT_CONVERGED], dtype=np.int8),
                    "flag_meanings": "converged not_converged",
                    **number,
                },
            ),
            "log_state_sensitivity": (
                "sequence",
                grown.logs.cpu().numpy(),
                {"long_name": "logarithm of the norm of ∂x[T]/∂x[0]", **number},
            ),
            "state_sensitivity_residual": (
                "sequence",
                grown.residuals.cpu().numpy(),
                {"long_name": "‖JᵀJ v - σ² v‖ / σ² of this norm σ; 0 where J was formed as a whole", **number},
            ),
        }
        coords = {
            "eigenvalue": np.arange(self.n_eigenvalues),
            "sequence": rows.cpu().numpy(),
            "length": ((), data.n_steps, {"long_name": "length T", "units": "step"}),
        }
        return self.label(xr.Dataset(variables, coords))
