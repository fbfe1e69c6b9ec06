"""Attractors: which limit sets the map has under each constant input, of which kind, and how stable they are."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import xarray as xr
from torch import nn

from rnnscope.attractors.limit_sets.limit import Effort
from rnnscope.attractors.limit_sets.sameness import group_limits
from rnnscope.attractors.limit_sets.search import find_limits
from rnnscope.attractors.limit_sets.table import tabulate
from rnnscope.attractors.map_probe import MapProbe, begin, completed, held_inputs, with_starts
from rnnscope.attractors.numerics.forecast import Forecast, need_jacobians
from rnnscope.base.errors import require
from rnnscope.base.references import ATTRACTORS_AND_SMOOTHNESS
from rnnscope.base.settings import positive, whole
from rnnscope.systems import System

_MOST_ESCAPE = 1e100


@dataclass(frozen=True, kw_only=True)
class Attractors(MapProbe[System | nn.Module]):
    """Hold inputs constant, begin at several states, and say which limit sets they come to: the kind of each, its
    exponents and multipliers, and the share of the starts that reach it.

        x[t] = f(x[t-1], ū);   λ_i = lim (1/T) Σ log R_ii;   μ_i eigenvalues of DF^k on a cycle of period k

    - **fixed point**, **cycle** of period k: Newton's method confirms a zero of F^k(x) - x; all |μ| < 1; the orbit is
      there, or comes nearer at the rate of the largest multiplier;
    - **closed curve**: the motion is regular (weighted averages over two halves of the orbit agree in three
      digits at least, and in more the longer it is), λ1 = 0, λ2 < 0, and the orbit fills a set of dimension one;
      ``frequency`` is the strongest of the output;
    - **torus**: the same with λ1 = λ2 = 0 > λ3 and dimension two;
    - **chaos**: λ1 > 0 by four standard errors, and irregular, or for longer than any transient can grow; and of many
      copies of all such orbits under an input (``n_copies``, run for as long, and for twice ``n_steps`` at least) none
      leaves, and all have the same statistics at all times, as the chains of a sampler that has converged: one set.
      Orbits are on several sets if each is stationary by itself and they fall into the same ones when they are run on
      four times as long. A transient that lasts longer than all copies together have been run cannot be told from an
      attractor;
    - **continuum**: neutral, and different starts stay apart: a line of fixed points (μ = 1), or orbits side by side as
      in an orthogonal network. It is no attractor, and counted as one set;
    - **divergence**: a coordinate exceeds ``escape``;
    - **undetermined**: none of these could be shown in the longest run; ``doubt`` says why, ``drift`` how fast the
      state still moves.

    Regular motions under one input are one set if their averages (means, spreads, characteristic function) agree within
    errors, and two only if they are a hundred times further apart than they still drift.

    What cannot be told is run on for four and then sixteen times as long (``n_extensions``). An exponent counts as zero
    when it is below the resolution of two over the number of steps.

    >>> from rnnscope.systems import textbook
    >>> from rnnscope.attractors import kind_names
    >>> found = Attractors(starts=[[0.1], [0.3]]).measure(textbook.logistic(3.2))
    >>> str(kind_names(found.kind)[0, 0]), int(found.period[0, 0]), round(float(found.multiplier_real[0, 0, 0]), 4)
    ('cycle', 2, 0.16)

    Attributes:
        inputs: constant inputs (input, channel); None for the zero input (or, on a run, those of its task).
        starts, n_starts: where to begin, as in ``Orbits``: the share of starts that reach an attractor is a property of
            this choice too.
        n_transient: steps before anything is looked at.
        n_steps: steps over which exponents are averaged, after a transient of a quarter of that for the tangents.
        n_extensions: how often what is undetermined is run on, each time four times as long.
        n_exponents: how many leading exponents, at most; three tell a torus.
        n_multipliers: how many leading multipliers are kept.
        max_period: the longest cycle that is looked for; four times that with each extension.
        n_copies: of irregular orbits, at each input at least, by whose statistics chaos is believed.
        escape: when a start has diverged.
        dtype: 'float64', 'float32'; None for the network's own.
        seed: for drawing starts.

    Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020; Das, Saiki, Sander & Yorke, Nonlinearity 30, 2017 (weighted
    averages); Gottwald & Melbourne, SIAM Journal on Applied Dynamical Systems 8, 2009 (the 0-1 test, in doubt);
    Vehtari, Gelman, Simpson, Carpenter & Bürkner, Bayesian Analysis 16, 2021 (chains that have converged).

    """

    name: ClassVar[str] = "attractors"
    version: ClassVar[int] = 3
    references: ClassVar[tuple[str, ...]] = (
        ATTRACTORS_AND_SMOOTHNESS,
        "Das, Saiki, Sander & Yorke, Quantitative quasiperiodicity, Nonlinearity 30, 2017.",
        "Gottwald & Melbourne, On the implementation of the 0-1 test for chaos, SIAM Journal on Applied Dynamical "
        "Systems 8, 2009.",
        "Vehtari, Gelman, Simpson, Carpenter & Bürkner, Rank-normalization, folding, and localization: an improved R̂ "
        "for assessing convergence of MCMC, Bayesian Analysis 16, 2021.",
    )

    n_starts: int = 8
    n_transient: int = 1000
    n_steps: int = 2000
    n_extensions: int = 2
    n_exponents: int = 3
    n_multipliers: int = 4
    max_period: int = 64
    n_copies: int = 64
    escape: float = 1e8

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, n_transient=0, n_steps=200, n_extensions=0, n_exponents=1, n_multipliers=1)
        whole(self, max_period=1, n_copies=2)
        positive(self, "escape")
        require(self.escape <= _MOST_ESCAPE, "escape", f"at most {_MOST_ESCAPE:g}, of which squares exist", self.escape)

    def measure(self, system: System | nn.Module, sequences: Any = None) -> xr.Dataset:
        """The attractors of one system.

        Args:
            system: the network as a map, or anything that ``as_system`` reads as one.
            sequences: input sequences of its task (sequence, time, channel), for 'visited' starts.

        Returns:
            Dataset over (input, attractor): ``kind`` (and, where that is undetermined, ``doubt``: why), ``period``,
            ``fraction`` of the starts with its ``fraction_error``, ``lyapunov_exponent`` with ``lyapunov_error`` (…,
            exponent), ``multiplier_real`` and ``multiplier_imag`` (…, multiplier), ``frequency``, ``location`` (…,
            state: the point, or the mean), ``output_mean``, ``output_low``, ``output_high`` (…, output), ``residual``,
            ``drift``, ``n_run``; and ``reached`` (input, start), which attractor a start comes to. Attractors of an
            input stand in the order of their kinds, then of their mean output; where an input has fewer than another,
            kind is -1. What tells one set from another is there too: ``state_sample`` (…, sample, state), a hundred
            states or as many as 64 kB hold, and ``average`` with ``average_error`` (…, feature), ``size``,
            ``steadiness`` and ``wander``, 16 bytes for each number of the state.

        Raises:
            UnsupportedModelError: not a network that can be read as a map.
            DerivativeError: the derivatives of its step are not those of the map.
            ValueError: inputs, starts or sequences of the wrong width; 'visited' starts without sequences; a state of
                more than 4500 numbers, of which Jacobians cannot be afforded.
            NonDeterministicError: the same state and input gave two different answers.

        """
        if self.starts is None:
            return with_starts(self, sequences).measure(system, sequences)
        system, starts = begin(self, system, self.n_starts, sequences, derivatives=True)
        need_jacobians(self.name, system)
        inputs, held = held_inputs(self.inputs, system)
        forecast = Forecast(self.name, system, f"fewer starts (n_starts={self.n_starts}), steps, inputs or epochs")
        effort = Effort(
            n_transient=self.n_transient,
            n_steps=self.n_steps,
            n_extensions=self.n_extensions,
            n_exponents=self.n_exponents,
            max_period=self.max_period,
            escape=self.escape,
            n_copies=self.n_copies,
        )
        n = len(starts)
        with torch.no_grad():
            limits = find_limits(system, held.repeat_interleave(n, 0), starts.repeat(len(inputs), 1), effort, forecast)
            groups = [group_limits(limits[k * n : (k + 1) * n]) for k in range(len(inputs))]
            sizes = min(self.n_exponents, system.state_size), min(self.n_multipliers, system.state_size)
            return completed(self, tabulate(system, held, inputs, groups, *sizes), system)
