"""What is known of the limit set that one row comes to, and how long to look for it."""

from dataclasses import dataclass, field

import numpy as np

from rnnscope.attractors.limit_sets.kinds import NONE, UNDETERMINED


@dataclass
class Limit:
    """Where one row went. ``orbit`` (time, state) samples the set; for cycles it is one round, exactly."""

    kind: int = UNDETERMINED
    period: int = 0
    orbit: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    exponents: np.ndarray = field(default_factory=lambda: np.empty(0))
    exponent_errors: np.ndarray = field(default_factory=lambda: np.empty(0))
    multipliers: np.ndarray = field(default_factory=lambda: np.empty(0, complex))
    features: np.ndarray = field(default_factory=lambda: np.empty(0))
    errors: np.ndarray = field(default_factory=lambda: np.empty(0))  # of the features, for chaos
    steadiness: float = np.inf  # of means and spreads, and of all features
    wander: float = np.inf
    size: float = 0.0
    doubt: int = NONE  # why it is undetermined
    frequency: float = np.nan
    residual: float = np.nan
    drift: float = np.nan
    n_steps: int = 0
    keeps_lengths: bool = False


@dataclass(frozen=True)
class Effort:
    """How long to run and what to look for: the settings of the probe."""

    n_transient: int
    n_steps: int
    n_extensions: int
    n_exponents: int
    max_period: int
    escape: float
    n_copies: int
