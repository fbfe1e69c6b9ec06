"""Fixed points: where the map stands still when the input is held, stable or not, and where it all but does."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rnnscope.attractors.map_probe import MapProbe, begin, completed, held_inputs, with_starts
from rnnscope.attractors.numerics.chords import Chords
from rnnscope.attractors.numerics.forecast import Forecast, need_jacobians, seconds_of
from rnnscope.attractors.numerics.iterated_map import N_THREADS, IteratedMap
from rnnscope.attractors.numerics.jacobians import WIDE
from rnnscope.attractors.numerics.newton import FixedPointSearch, find_fixed_points
from rnnscope.attractors.points.distinct import unseen_share
from rnnscope.attractors.points.found import Collecting, collect
from rnnscope.attractors.points.table import points_dataset
from rnnscope.attractors.points.visited import LATER, Visited, starts_around, states_along, visited_states
from rnnscope.attractors.starts import checked_sequences
from rnnscope.base.errors import require
from rnnscope.base.randomness import make_generator
from rnnscope.base.settings import is_number, is_whole, positive, truth, whole
from rnnscope.base.threads import torch_threads
from rnnscope.systems import System

_ESCAPE = 1e12  # a coordinate beyond this has left every bound
_STATIONARY, _STATIONARY_WIDE = 1e-4, 1e-3  # relative change of q over the scale, at its minima
_FIRST_ROUND = 128  # searches
_TRIED, _ZEROS, _HOPELESS = 256, 16, 1 / 3  # searches, and zeros, after which so many new ones are too many
_FEW_JACOBIANS = 40  # that the searches of wide states take at least


@dataclass(frozen=True, kw_only=True)
class FixedPoints(MapProbe[System | nn.Module]):
    """Hold inputs constant and find the states that stay, or come back after k steps, stable or not.

        F^k(x) = x,  F(x) = f(x, ū);    q(x) = ½‖F(x) - x‖²;    μ: eigenvalues of DF^k(x)

    From ``n_orbits`` starts the network runs for ``n_steps``. Around the states it passes, and those of its task's
    sequences, ``n_starts`` states are drawn, with noise so that unstable points are found too, and from each one a
    Levenberg-Marquardt search goes to a zero of F^k(x) - x or to a minimum of q. What is found is given once each:

    - **fixed_point**, **cycle**: residual at rounding; two are the same within ``distinct`` times the scale, and within
      what rounding leaves open where the Jacobian is all but singular. A cycle counts once, with its least period;
    - **slow_point**: a minimum of q that is no zero, where the state moves by less than ``slow`` times the scale in a
      step. Those within 0.01 of the scale of each other are one;
    - **continuum**: a line or ring of points, or of cycles of one period, each with a multiplier within ``neutral`` of
      1, joined by points as slow as that and at least ``extent`` times the diameter of the visited states apart. The
      one in the middle stands for all of them.

    Searches come in rounds that double, from 128 on. After each round the share of searches that would lead to a zero
    not seen so far is estimated by the zeros found once, f1 of n searches (Good-Turing):

        U = f1 / n ± (√(f1 (1 - f1 / n) + 2 f2) + 1) / n

    At an input where U and twice its error are below ``unseen`` no more are made. So they are, with more than 100
    coordinates, where after 256 searches a third or more of those that end in a zero find a new one, as in chaotic
    networks, which have zeros without number. ``unseen_share`` and its error say how sure it is that all were found:
    zeros that hardly any search leads to may be missing all the same.

    Whether points are missing cannot be known, but a test is: for a map that sends some ball into itself, as networks
    with bounded states do, the signs of det(1 - DF) over all fixed points sum to 1 (the Brouwer degree). ``degree`` is
    that sum; NaN where a multiplier of a reachable point is 1 or unknown, or there is a continuum. Beyond reach, points
    with a multiplier of 1 are left out: saturated gates hold a state that is far away, as far as can be computed. Where
    the map is finite nowhere, as with weights that are NaN, there are no points, every search has escaped, and
    ``degree`` is NaN.

    A point is reachable if it lies in the box of all states passed, and of where the orbits are ten times later,
    widened by ``margin`` of its width on each side. The others are marked and not counted. The scale is the root mean
    square distance of visited states from their mean.

    >>> from rnnscope.systems import textbook
    >>> found = FixedPoints(n_starts=64).measure(textbook.tanh_map(w=2.0))
    >>> [round(float(x), 6) + 0 for x in found.location[0, :, 0]], found.stable[0].values.tolist()
    ([-0.957504, 0.0, 0.957504], [1, 0, 1])

    Attributes:
        inputs: constant inputs (input, channel); None for the zero input (or, on a run, those of its task).
        periods: the k to search for.
        starts: where the orbits begin, as for ``Orbits``; None: 'visited' where sequences are known, else 'normal(1)'.
        n_orbits, n_steps: orbits at each input, and their length.
        n_starts: searches at each input and period, at most; the same random numbers at every input and epoch.
        unseen: the share of searches that may lead to a zero which none has found, at which searching ends; 0: never.
        noise: standard deviations of the noise on starts, relative to the spread of each coordinate; they take turns.
        distinct, margin, slow, neutral, extent: as said above.
        tolerance, max_iterations: of the search, see ``find_fixed_points``.
        vectors: whether to keep left and right eigenvectors.
        dtype: 'float64', 'float32', or None for the network's own.
        seed: for drawing starts.

    Source: Sussillo & Barak, Neural Computation 25, 2013; Good, Biometrika 40, 1953 (the share not seen); the rest is
    our own.

    """

    name: ClassVar[str] = "fixedpoints"
    version: ClassVar[int] = 3
    counted: ClassVar[str] = "n_orbits"
    references: ClassVar[tuple[str, ...]] = (
        "Sussillo & Barak, Opening the black box: low-dimensional dynamics in high-dimensional recurrent neural "
        "networks, Neural Computation 25, 2013.",
        "Good, The population frequencies of species and the estimation of population parameters, Biometrika 40, 1953.",
    )

    periods: tuple[int, ...] = (1,)
    n_orbits: int = 64
    n_steps: int = 200
    n_starts: int = 1024
    unseen: float = 0.005
    noise: tuple[float, ...] = (0.0, 0.1, 0.5, 1.0)
    distinct: float = 1e-6
    margin: float = 0.1
    slow: float = 0.002
    neutral: float = 0.02
    extent: float = 0.25
    tolerance: float = 1e-13
    max_iterations: int = 300
    vectors: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, n_steps=1, n_starts=1, max_iterations=1)
        require(is_number(self.unseen) and 0 <= self.unseen < 1, "unseen", "a number from 0 to below 1", self.unseen)
        positive(self, "distinct", "margin", "slow", "neutral", "extent", "tolerance")
        periods = tuple(self.periods) if isinstance(self.periods, list | tuple) else ()
        fit = periods and all(is_whole(k, 1) for k in periods) and len(set(periods)) == len(periods)
        require(fit, "periods", "different whole numbers of at least 1, such as (1, 2)", self.periods)
        object.__setattr__(self, "periods", tuple(sorted(periods)))
        noise = tuple(self.noise) if isinstance(self.noise, list | tuple) else ()
        levels = noise and all(is_number(level) and level >= 0 for level in noise)
        require(levels, "noise", "numbers of at least 0, such as (0.0, 0.5)", self.noise)
        object.__setattr__(self, "noise", tuple(float(level) for level in noise))
        truth(self, "vectors")

    def measure(self, system: System | nn.Module, sequences: Any = None) -> xr.Dataset:
        """Fixed points, cycles and slow points of one system.

        Args:
            system: the network as a map, or anything that ``as_system`` reads as one.
            sequences: input sequences of its task (sequence, time, channel), for 'visited' starts.

        Returns:
            Dataset with, for each ``point`` of each ``input`` (filled up with NaN, and -1 for whole numbers):
            ``location`` (state), ``residual``, ``q``, ``period``, ``status``, ``multiplier_real`` and
            ``multiplier_imag`` (eigenvalue; NaN at a kink), ``time_constant`` (eigenvalue), ``index``, ``stable``,
            ``reachable``, ``n_found``, ``output_value`` (output); for continua ``n_members``, ``extent``, ``length``,
            ``neutral_low``, ``neutral_high``, ``fastest``; on request ``right_real``, … (state, eigenvalue); with
            periods beyond 1 ``cycle`` (phase, state). For each input ``n_points`` (kind) and ``n_stable``, of reachable
            ones, ``n_unreachable``, ``degree``, ``scale``, and ``visited_low`` and ``visited_high`` (state), the box of
            states passed; what became of the searches, ``n_outcomes`` (searched_period, outcome) and
            ``residual_quantile`` (searched_period, quantile), with ``unseen_share`` and ``unseen_error``
            (searched_period).

        Raises:
            UnsupportedModelError: not a network that can be read as a map.
            DerivativeError: the derivatives of its step are not those of the map.
            ValueError: inputs, starts or sequences of the wrong width; 'visited' starts without sequences; a state of
                more than 4500 numbers, of which Jacobians cannot be afforded.
            NonDeterministicError: the same state and input gave two different answers.

        """
        if self.starts is None:
            return with_starts(self, sequences).measure(system, sequences)
        system, begins = begin(self, system, self.n_orbits, sequences, derivatives=True)
        need_jacobians(self.name, system)
        _, held = held_inputs(self.inputs, system)
        settings = f"n_starts={self.n_starts}, max_iterations={self.max_iterations}"
        forecast = Forecast(self.name, system, f"fewer starts or steps ({settings}), inputs or epochs")
        with torch.no_grad(), torch_threads(N_THREADS):
            along = states_along(system, checked_sequences(sequences, system)) if self.needs else None
            if forecast.wide:
                forecast.say(self._at_least(system, begins, held))
            visited = [visited_states(system, begins, u, self.n_steps, along, _ESCAPE) for u in held]
            searches = {period: self._search(system, held, visited, period, forecast) for period in self.periods}
            settings = Collecting(self.distinct, self.margin, self.slow, self.neutral, self.extent, self.tolerance)
            points = [
                collect(system, u, {period: found[k] for period, found in searches.items()}, visited[k], settings)
                for k, u in enumerate(held)
            ]
            dataset = points_dataset(
                system,
                held,
                points,
                searches,
                visited,
                distinct=self.distinct,
                neutral=self.neutral,
                vectors=self.vectors,
            )
        return completed(self, dataset, system)

    def _at_least(self, system: System, begins: Tensor, held: Tensor) -> float:
        """Seconds for the orbits, and for the searches if few of them need Jacobians of their own."""
        weights = system.weights
        drive = system.drive(weights, held[:1].expand(len(begins), -1))
        step = seconds_of(lambda: system.step(weights, begins, drive))
        one = IteratedMap(system, drive, max(self.periods), weights).rows(slice(1))
        jacobian = seconds_of(lambda: torch.linalg.cholesky_ex(torch.matmul(*[one.derivative(begins[:1])] * 2)))
        return len(held) * ((1 + LATER) * self.n_steps * step + _FEW_JACOBIANS * jacobian)

    def _search(
        self, system: System, held: Tensor, visited: list[Visited], period: int, forecast: Forecast
    ) -> list[FixedPointSearch]:
        """The searches at each input, in rounds that double, until enough is found there or no starts are left."""
        starts = [
            starts_around(each, self.n_starts, self.noise, make_generator(self.seed, f"{self.name}/{period}"))
            for each in visited
        ]
        # starts come in order of kind: each round has some of all
        order = torch.randperm(self.n_starts, generator=torch.Generator().manual_seed(0))
        found: list[list[FixedPointSearch]] = [[] for _ in held]
        chords = Chords(self.tolerance)
        begin, left, wide = 0, list(range(len(held))), system.state_size > WIDE
        while begin < self.n_starts and left:
            end = min(self.n_starts, max(_FIRST_ROUND, 2 * begin))
            rows = order[begin:end]
            round_ = find_fixed_points(
                system,
                torch.cat([starts[k][rows] for k in left]),
                held[left].repeat_interleave(len(rows), 0),
                period=period,
                tolerance=self.tolerance,
                max_iterations=self.max_iterations,
                stationary=_STATIONARY_WIDE if wide else _STATIONARY,
                scale=float(np.median([each.scale for each in visited])),
                escape=_ESCAPE,
                forecast=forecast.say,
                chords=chords,
            )
            for at, k in enumerate(left):
                found[k].append(round_.rows(slice(at * len(rows), (at + 1) * len(rows))))
            begin = end
            left = [k for k in left if not self._enough(FixedPointSearch.joined(found[k]), visited[k].scale, wide)]
        return [FixedPointSearch.joined(parts) for parts in found]

    def _enough(self, found: FixedPointSearch, scale: float, wide: bool) -> bool:
        """Whether few searches more would lead to a new zero; or, of wide states, so many that there is no end."""
        share, error = unseen_share(found, self.distinct * scale)
        n_zeros = int(found.converged.sum())
        n = len(found.status)
        hopeless = wide and n >= _TRIED and n_zeros >= _ZEROS and (share - 2 * error) * n > _HOPELESS * n_zeros
        return bool(self.unseen) and (share + 2 * error <= self.unseen or hopeless)
