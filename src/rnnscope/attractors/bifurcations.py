"""Bifurcations: fixed points and cycles followed through training, and what happens to them on the way."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from rnnscope.attractors.following.branches import Follower
from rnnscope.attractors.following.keeping import keep, recall
from rnnscope.attractors.following.seeding import seeds_at
from rnnscope.attractors.following.table import table
from rnnscope.attractors.map_probe import MapProbe, begin, completed, held_inputs, with_starts
from rnnscope.attractors.numerics.forecast import need_jacobians
from rnnscope.attractors.numerics.newton import N_THREADS
from rnnscope.base.errors import require
from rnnscope.base.probe import Given, Subject
from rnnscope.base.randomness import make_generator
from rnnscope.base.settings import whole
from rnnscope.base.threads import torch_threads
from rnnscope.systems import TrainingPath
from rnnscope.systems.system import Params

_KEEP_EVERY = 5.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Bifurcations(MapProbe[TrainingPath]):
    """Follow fixed points and cycles, stable or not, through all snapshots, and locate what happens to them.

        F^k(x; θ(s)) = x,   θ(s) from one snapshot (s = 0) to the next (s = 1)

    Branches begin at what searches and orbits find at ``n_seeds`` snapshots, and are followed both ways: by Newton's
    method from snapshot to snapshot, by arclength where a step at once does not contract, so through folds too. Between
    two snapshots the m-th largest |μ| is a continuous function on the branch; where it passes 1 the place is located
    and the normal form computed there. What is born at a flip or a pitchfork is followed too.

    θ(s) is the straight line between two snapshots (for orthogonal weights the geodesic), not the optimiser's own way:
    with a snapshot at every step these are the same up to the step's length.

    >>> import torch
    >>> from rnnscope.systems import TrainingPath, textbook
    >>> snapshots = [textbook.logistic(r).params for r in (2.6, 2.9, 3.2)]
    >>> path = TrainingPath(textbook.logistic(3.2), snapshots, steps=(0, 1, 2))
    >>> found = Bifurcations(starts=[[0.3]]).measure(path)
    >>> float(found.event_step[0].round(6)), float(found.coefficient_real[0].round(6))  # a flip at r = 3, b = 9
    (1.333333, 9.0)

    Attributes:
        inputs: constant inputs (input, channel); None for the zero input (or, on a run, those of its task).
        starts: as for ``Orbits``: where the orbits begin that seeds are taken from.
        n_starts: orbits at each input.
        n_steps: their length.
        n_seeds: snapshots at which branches are looked for, evenly spaced, the first and the last among them.
        n_searches: searches for zeros at each of them and each input.
        longest_period: cycles of up to this period are looked for among the orbits.
        dtype: 'float32' or 'float64'; None for the network's own.
        seed: for drawing starts.

    Source: Kuznetsov, Elements of Applied Bifurcation Theory; Allgower & Georg, Introduction to Numerical Continuation
    Methods.

    """

    name: ClassVar[str] = "bifurcations"
    subject: ClassVar[Subject] = "path"
    references: ClassVar[tuple[str, ...]] = (
        "Kuznetsov, Elements of Applied Bifurcation Theory, Springer.",
        "Allgower & Georg, Introduction to Numerical Continuation Methods, SIAM 2003.",
    )

    n_starts: int = 64
    n_steps: int = 500
    n_seeds: int = 17
    n_searches: int = 64
    longest_period: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, n_steps=2, n_seeds=1, n_searches=1, longest_period=1)

    def measure(self, path: TrainingPath, sequences: Any = None) -> xr.Dataset:
        """Branches and events along a path.

        Args:
            path: the network at its snapshots.
            sequences: input sequences of its task (sequence, time, channel), for 'visited' starts.

        Returns:
            Dataset with, for each ``branch`` and ``snapshot``: ``index`` (how many multipliers lie outside of the unit
            circle; 0: stable; -1: there is no such branch), ``modulus`` and ``angle`` of the leading multiplier,
            ``output_value`` (output); with ``branch_input`` and ``branch_period``. For each ``event``: ``event_kind``,
            ``event_input``, ``event_period``, ``event_branch`` (concerned), the snapshot before it and the
            ``event_step`` as a fraction, ``place`` = s with ``place_low`` and ``place_high``, the critical multiplier,
            its ``event_angle``, the coefficient of the normal form (see ``following.normal_forms``), ``criticality``,
            ``rate`` = d|μ|/ds, ``exists`` (folds), ``index_before`` and ``index_after``, ``resonance``, ``gap``,
            ``event_state`` (state), ``event_output`` (output).

        Raises:
            TypeError: one network instead of a path.
            DerivativeError: the derivatives of the step are not those of the map.
            ValueError: no snapshot with finite weights; inputs, starts or sequences of the wrong width.

        """
        return self.measure_given(path, Given(sequences))

    def measure_given(self, subject: TrainingPath, given: Given[Any]) -> xr.Dataset:
        """What a run calls: tells how many segments are done, and goes on where an earlier call was interrupted."""
        if not isinstance(subject, TrainingPath):
            came = type(subject).__name__
            raise TypeError(f"path: expected a TrainingPath, the network at its snapshots, came {came}")
        if self.starts is None:
            return with_starts(self, given.data).measure_given(subject, given)
        path = subject
        finite = [k for k, point in enumerate(path.points) if _is_finite(point)]
        require(bool(finite), "path", "a snapshot with finite weights", f"none among {len(path.points)}")
        system, _ = begin(self, path.system.at(path.points[finite[0]]), 1, given.data, derivatives=True)
        need_jacobians(self.name, system)
        given_inputs, inputs = held_inputs(self.inputs, system)
        snapshots = _Converted(path.points, finite, system.dtype)
        with torch.no_grad(), torch_threads(N_THREADS):
            follower = Follower(system, snapshots, inputs)
            notebook = _Notebook(follower, given)
            if not notebook.recalled():
                self._seed(follower, given.data)
            follower.run(notebook.note)
            dataset = table(follower, given_inputs, path.steps, finite)
        return completed(self, dataset, system)

    def _seed(self, follower: Follower, sequences: Any) -> None:
        """Begin branches at some snapshots."""
        n, generator = len(follower.snapshots), make_generator(self.seed, self.name)
        for k in sorted({round(at) for at in np.linspace(0, n - 1, min(self.n_seeds, n))}):
            system = follower.system.at(follower.snapshots[k])
            system, starts = begin(self, system, self.n_starts, sequences, derivatives=False)
            for seed in seeds_at(
                system,
                follower.inputs,
                starts,
                n_steps=self.n_steps,
                n_searches=self.n_searches,
                longest_period=self.longest_period,
                generator=generator,
            ):
                follower.add(k, seed.input, seed.period, seed.state)


class _Notebook:
    """Keeps what was followed in the scratch folder of a measurement, every few seconds, and tells of its progress."""

    def __init__(self, follower: Follower, given: Given[Any]):
        self.follower, self.progress = follower, given.progress
        self.path = None if given.scratch is None else given.scratch / "followed.npz"
        self.kept = time.monotonic()

    def recalled(self) -> bool:
        """Whether an earlier, interrupted measurement has left something to go on from."""
        return self.path is not None and recall(self.follower, self.path)

    def note(self, n_done: int, n: int) -> None:
        """After each segment."""
        if self.progress is not None:
            self.progress(n_done, n)
        if self.path is not None and time.monotonic() - self.kept > _KEEP_EVERY:
            keep(self.follower, self.path)
            self.kept = time.monotonic()


class _Converted(Sequence[Params]):
    """Some of the points of a path in another floating-point type, each converted when it is asked for."""

    def __init__(self, points: Sequence[Params], chosen: list[int], dtype: torch.dtype):
        self.points, self.chosen, self.dtype = points, chosen, dtype

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, k: Any) -> Any:
        point = self.points[self.chosen[k]]
        return {name: p.to(self.dtype) if p.is_floating_point() else p for name, p in point.items()}


def _is_finite(point: Params) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in point.values() if p.is_floating_point())
