"""Cost, gradient, leading curvature and sensitivity of a network: what to follow over the epochs of a training."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import xarray as xr
from torch import nn

from rnnscope.base.errors import require_derivatives
from rnnscope.base.flags import Flags
from rnnscope.base.probe import Needs, Probe
from rnnscope.base.references import ATTRACTORS_AND_SMOOTHNESS, SMOOTHNESS_OF_IDENTIFICATION
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import fraction, whole
from rnnscope.smoothness.curvature import HessianOperator, top_eigenpairs
from rnnscope.smoothness.objective import Objective
from rnnscope.smoothness.sensitivity import log_state_sensitivity
from rnnscope.systems import System, as_system

STATUS = Flags(("converged", "not_converged"))
CONVERGED, NOT_CONVERGED = STATUS.codes
VALUES = Schema(
    {
        "cost": Variable("", "cost"),
        "gradient_norm": Variable("", "norm of the cost's gradient"),
        "hessian_eigenvalue": Variable("eigenvalue", "largest eigenvalues of the cost's Hessian"),
        "hessian_residual": Variable("eigenvalue", "‖∇²V v - λ v‖ / λ of the largest"),
        "hessian_status": Variable("eigenvalue", "whether the eigenvalue has converged", flags=STATUS),
        "log_state_sensitivity": Variable("sequence", "logarithm of the norm of ∂x[T]/∂x[0]"),
        "state_sensitivity_residual": Variable(
            "sequence", "‖JᵀJ v - σ² v‖ / σ² of this norm σ; 0 where J was formed as a whole"
        ),
    },
    {"length": Variable("", "length T", "step")},
)


@dataclass(frozen=True, kw_only=True)
class Smoothness(Probe[System | nn.Module, Objective]):
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
    references: ClassVar[tuple[str, ...]] = (ATTRACTORS_AND_SMOOTHNESS, SMOOTHNESS_OF_IDENTIFICATION)

    n_eigenvalues: int = 1
    tolerance: float = 1e-3
    max_products: int = 100
    n_sequences: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        whole(self, n_eigenvalues=1, max_products=20, n_sequences=1, seed=0)
        fraction(self, "tolerance")

    @property
    def needs(self) -> Needs:
        """An objective: it is about a cost."""
        return "objective"

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
        found = VALUES.dataset(
            {
                "cost": operator.value if np.isfinite(operator.value) else np.nan,
                "gradient_norm": float(operator.gradient.norm()) if finite else np.nan,
                "hessian_eigenvalue": pairs.values,
                "hessian_residual": pairs.residuals,
                "hessian_status": np.where(np.isfinite(pairs.values), CONVERGED, NOT_CONVERGED).astype(np.int8),
                "log_state_sensitivity": grown.logs,
                "state_sensitivity_residual": grown.residuals,
            },
            eigenvalue=np.arange(self.n_eigenvalues),
            sequence=rows.cpu().numpy(),
            length=data.n_steps,
        )
        return self.label(found)
