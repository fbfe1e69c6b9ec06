"""Where each row of a batch of states goes under its constant input: the loop that runs on until it is known."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from rnnscope.attractors.limit_sets.chains import Chains, run_chains, sets_of
from rnnscope.attractors.limit_sets.cycles import Cycles, find_cycles, margin, settled
from rnnscope.attractors.limit_sets.kinds import (
    ALIKE,
    APPROACHING,
    CHAOS,
    CLOSED_CURVE,
    CONTINUUM,
    CYCLE,
    DIVERGENCE,
    FIXED_POINT,
    IRREGULAR,
    NONE,
    SLOW,
    TORUS,
    UNDETERMINED,
)
from rnnscope.attractors.limit_sets.limit import Effort, Limit
from rnnscope.attractors.limit_sets.motion import judge
from rnnscope.attractors.limit_sets.observables import Ensemble, apart, same_set
from rnnscope.attractors.numerics.exponents import log_stretches
from rnnscope.attractors.numerics.forecast import Forecast, seconds_of
from rnnscope.attractors.numerics.frequency import dominant_frequency
from rnnscope.attractors.numerics.running import MOST_NUMBERS, final_state, held_states
from rnnscope.systems import System, require_deterministic

_BLOCK = 500  # steps at once, after which rows that have escaped are left out
_CHUNK = MOST_NUMBERS // 2  # numbers of orbits in memory at once; what is made of them takes three times that
_SAMPLES = 1000  # of an orbit that are kept
_FROZEN = 1e-4  # drift of averages over neutral motions, beyond which it may be that of a slow phase
_APART = 100.0  # drifts of their averages, at least, that two sets must be from each other
_FOLLOWED = 2  # rows of a set whose tangents are followed
_ROUNDS = 500  # steps after which a displacement at a kink is looked at,
_RETURNS, _STAYS = 0.01, 3.0  # and how much of it there may be if it shrinks, or neither shrinks nor grows


def find_limits(
    system: System, inputs: Tensor, starts: Tensor, effort: Effort, forecast: Forecast | None = None
) -> list[Limit]:
    """The limit of each row of starts (row, state) under inputs (row, channel) held constant.

    ``forecast`` says of wide states how long the transient takes, and later, if need be, the look at motion.

    Raises:
        NonDeterministicError: the same state and input gave two different answers.

    """
    require_deterministic(system)
    return _Search(system, inputs, starts, effort, forecast).run()


def _same_rows(inputs: Tensor) -> np.ndarray:
    """A number for each row of inputs (row, channel), the same for equal rows."""
    if not inputs.shape[1]:
        return np.zeros(len(inputs), dtype=int)
    return inputs.unique(dim=0, return_inverse=True)[1].cpu().numpy()


class _Search:
    def __init__(self, system: System, inputs: Tensor, starts: Tensor, effort: Effort, forecast: Forecast | None):
        self.system, self.inputs, self.effort, self.forecast = system, inputs, effort, forecast
        self.weights = system.weights
        self.drive = system.drive(self.weights, inputs)
        self.state = starts.clone()
        self.limits = [Limit() for _ in starts]
        self.active = torch.arange(len(starts), device=starts.device)
        self.elapsed = 0
        self.generator = torch.Generator().manual_seed(0)
        self.group = _same_rows(inputs)
        self.partitions: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # rows on chaotic sets, by input, and which

    def run(self) -> list[Limit]:
        for attempt in range(self.effort.n_extensions + 1):
            factor = 4**attempt
            self._tell(factor * (self.effort.n_transient + 8 * self.effort.max_period), 0)
            self._advance(factor * self.effort.n_transient)
            waiting = self._look_for_cycles(factor) if len(self.active) else self.active
            if attempt < self.effort.n_extensions:
                self.active = self.active[~torch.isin(self.active, waiting)]
            else:
                waiting = waiting[:0]
            if len(self.active):
                self._look_at_motion(factor * self.effort.n_steps)
            self.active = torch.cat([self.active, waiting]).sort().values
            if not len(self.active):
                break
        for row in self.active.tolist():
            limit = self.limits[row]
            limit.kind, limit.n_steps = UNDETERMINED, self.elapsed
            limit.doubt = limit.doubt or APPROACHING
        return self.limits

    def _tell(self, n_steps: int, n_vectors: int) -> None:
        """How long it takes to run what is active for so many steps, with so many tangent vectors of some rows."""
        if self.forecast is None or not self.forecast.wide:
            return
        state, drive = self.state[self.active], self.drive[self.active]
        seconds = seconds_of(lambda: self.system.step(self.weights, state, drive))
        if n_vectors:
            few = slice(_FOLLOWED * len(np.unique(self.group[self.active.cpu().numpy()])))
            vectors = state[few, :, None].expand(-1, -1, n_vectors).contiguous()
            seconds += seconds_of(lambda: self.system.step_and_tangent(self.weights, state[few], drive[few], vectors))
        self.forecast.say(n_steps * seconds)

    def _advance(self, n_steps: int) -> None:
        for begin in range(0, n_steps, _BLOCK):
            rows = self.active
            if not len(rows):
                return
            steps = min(_BLOCK, n_steps - begin)
            self.state[rows] = final_state(self.system, self.state[rows], self.inputs[rows], steps)
            self.elapsed += steps
            self._retire_escaped()

    def _retire_escaped(self) -> None:
        largest = self.state[self.active].abs().amax(-1)
        gone = ~torch.isfinite(largest) | (largest > self.effort.escape)
        for row in self.active[gone].tolist():
            self.limits[row] = Limit(DIVERGENCE, n_steps=self.elapsed)
        self.active = self.active[~gone]

    def _look_for_cycles(self, factor: int) -> Tensor:
        """Settle the rows that have come to a cycle; returns those of the others that are on their way to one."""
        longest = factor * self.effort.max_period
        n_steps = max(512, 8 * longest)
        self.elapsed += n_steps
        at_once = max(1, MOST_NUMBERS // (n_steps * self.system.state_size))
        return torch.cat([self._settle(rows, n_steps, longest) for rows in self.active.split(at_once)])

    def _settle(self, rows: Tensor, n_steps: int, longest: int) -> Tensor:
        window = self._states(rows, n_steps)
        self.state[rows] = window[-1]
        self._retire_escaped()
        finite = torch.isin(rows, self.active)
        rows, window = rows[finite], window[:, finite]
        if not len(rows):
            return rows
        cycles = find_cycles(self.system, window, self.inputs[rows], longest)
        leading = cycles.multipliers[:, 0].abs()
        near_one = margin(window.dtype)
        there = (cycles.distance <= settled(window.dtype)) & (cycles.period > 0)
        neutral = there & ~cycles.attracts & ((leading - 1).abs() <= near_one)
        unstable = there & (leading > 1 + near_one)
        for at in torch.nonzero(there & leading.isnan())[:, 0].tolist():
            grown = self._grown(cycles, at, int(rows[at]))
            cycles.attracts[at] = grown <= _RETURNS
            neutral[at] = _RETURNS < grown <= _STAYS
            unstable[at] = grown > _STAYS
        speed = ((window[-1] - window[-2]).abs().amax(-1) / (1 + window[-1].abs().amax(-1))).cpu().numpy()
        done = cycles.attracts | neutral
        for at in range(len(rows)):
            row = int(rows[at])
            self.limits[row].drift = float(speed[at])
            if done[at]:
                self.limits[row] = self._cycle_limit(cycles, at, row, bool(neutral[at]), float(speed[at]))
        self._nudge(rows[unstable])
        self.active = self.active[~torch.isin(self.active, rows[done])]
        return rows[~done & cycles.approaches]

    def _grown(self, cycles: Cycles, at: int, row: int) -> float:
        """By how much the worst of a few small displacements grows in many rounds: the answer at a kink of the map."""
        period, point = int(cycles.period[at]), cycles.points[at]
        noise = torch.randn(8, len(point), generator=self.generator, dtype=torch.float64).to(point)
        begun = 100 * settled(point.dtype) * (1 + point.abs().amax()) * noise
        n_steps = period * -(-_ROUNDS // period)
        held = self.inputs[row].expand(len(begun), -1)
        final = final_state(self.system, point + begun, held, n_steps)
        grown = (final - point).abs().amax(-1) / begun.abs().amax(-1)
        return float(grown.nan_to_num(nan=torch.inf).max())

    def _nudge(self, rows: Tensor) -> None:
        """Off saddles and invariant subspaces, which orbits would leave only by rounding."""
        noise = torch.randn(len(rows), self.state.shape[1], generator=self.generator, dtype=torch.float64)
        size = 1 + self.state[rows].abs().amax(-1, keepdim=True)
        self.state[rows] += settled(self.state.dtype) * size * noise.to(self.state)

    def _cycle_limit(self, cycles: Cycles, at: int, row: int, neutral: bool, speed: float) -> Limit:
        period = int(cycles.period[at])
        orbit, state = [], cycles.points[at : at + 1]
        for _ in range(period):
            state = self.system.step(self.weights, state, self.drive[row : row + 1])
            orbit.append(state[0])
        multipliers = cycles.multipliers[at].cpu().numpy()
        with np.errstate(divide="ignore"):
            exponents = np.log(np.abs(multipliers)) / period
        return Limit(
            CONTINUUM if neutral else FIXED_POINT if period == 1 else CYCLE,
            period=period,
            orbit=torch.stack(orbit).cpu().numpy(),
            exponents=exponents[: self.effort.n_exponents],
            exponent_errors=np.zeros(len(exponents[: self.effort.n_exponents])),
            multipliers=multipliers,
            frequency=2 * np.pi / period if period > 1 else np.nan,
            residual=float(cycles.residual[at]),
            drift=max(speed if period == 1 else 0.0, float(cycles.distance[at])),
            n_steps=self.elapsed,
        )

    def _states(self, rows: Tensor, n_steps: int) -> Tensor:
        """The next states of some rows, (time, row, state)."""
        return held_states(self.system, self.weights, self.state[rows], self.drive[rows], n_steps)

    def _look_at_motion(self, n_steps: int) -> None:
        """Run on, see which rows move on the same set, judge each set by the tangents of one or two of its rows, and
        keep as active what is not believed."""
        self._nudge(self.active)
        n_transient = n_steps // 4
        self._tell(n_transient + n_steps, min(self.effort.n_exponents, self.system.state_size))
        self.elapsed += n_transient + n_steps
        at_once = max(1, _CHUNK // ((n_transient + n_steps) * self.system.state_size))
        rows = torch.cat([self._judge(rows, n_transient, n_steps) for rows in self.active.split(at_once)])
        believed = self._believe(rows, max(2 * self.effort.n_steps, n_steps)).to(rows.device)
        self.active = rows[~believed]

    def _judge(self, rows: Tensor, n_transient: int, n_steps: int) -> Tensor:
        """Judge these rows; returns those that have not diverged."""
        beginning = self.state[rows]
        states = self._states(rows, n_transient + n_steps)
        self.state[rows] = states[-1]
        bounded = (states.abs().amax((0, 2)) <= self.effort.escape) & torch.isfinite(states).all(2).all(0)
        for row in rows[~bounded].tolist():
            self.limits[row] = Limit(DIVERGENCE, n_steps=self.elapsed)
        rows, beginning, states = rows[bounded], beginning[bounded], states[n_transient:, bounded]
        if not len(rows):
            return rows
        ensemble = Ensemble(states.transpose(0, 1).cpu().numpy())
        families = ensemble.families(self.group[rows.cpu().numpy()])
        followed = np.concatenate([np.flatnonzero(families == k)[:_FOLLOWED] for k in range(families.max() + 1)])
        stretches = log_stretches(
            self.system, self.weights, beginning[followed], self.drive[rows[followed]],
            k=min(self.effort.n_exponents, self.system.state_size), n_transient=n_transient, n_steps=n_steps,
        )  # fmt: skip
        frequencies = dominant_frequency(self._widest_output(states[:, followed], rows[followed]))
        agreement, steadiness = ensemble.agreement, ensemble.steadiness
        motions = {
            at: judge(ensemble.rows[at], stretches[k], agreement=float(agreement[at]), steadiness=float(steadiness[at]))
            for k, at in enumerate(followed.tolist())
        }
        every = max(1, ensemble.rows.shape[1] // _SAMPLES)
        for at, row in enumerate(rows.tolist()):
            of = at if at in motions else int(np.flatnonzero(families == families[at])[0])
            motion = motions[of]
            periodic = motion.kind in (CLOSED_CURVE, TORUS, CONTINUUM)
            self.limits[row] = Limit(
                motion.kind,
                orbit=ensemble.rows[at, ::-every][::-1],
                exponents=motion.exponents,
                exponent_errors=motion.exponent_errors,
                features=ensemble.features[at],
                steadiness=float(steadiness[at]),
                wander=float(ensemble.wander[at]),
                size=float(ensemble.size[at]),
                frequency=float(frequencies[followed.tolist().index(of)]) if periodic else np.nan,
                keeps_lengths=motion.keeps_lengths,
                drift=self.limits[row].drift,
                doubt=SLOW if motion.kind == UNDETERMINED else NONE,
                n_steps=self.elapsed,
            )
        return rows

    def _believe(self, rows: Tensor, n_steps: int) -> Tensor:
        """Which of the rows that were looked at are as they seem: a mask.

        Regular motions under one input are one set, or differ by far more than their averages drift; chaos is on sets
        of its own.
        """
        kinds = np.array([self.limits[row].kind for row in rows.tolist()])
        believed = torch.as_tensor(kinds != UNDETERMINED)
        for group in np.unique(self.group[rows.cpu().numpy()]):
            believed[self._too_much_alike(rows, group)] = False
        chaotic = torch.as_tensor(kinds == CHAOS)
        if chaotic.any():
            believed[chaotic] = self._believe_chaos(rows[chaotic.to(rows.device)], n_steps)
        return believed

    def _too_much_alike(self, rows: Tensor, group: int) -> list[int]:
        """Places of regular motions under an input that can neither be told from another set there nor be the same."""
        among = [at for at, row in enumerate(rows.tolist())
                 if self.group[row] == group and self.limits[row].kind in (CLOSED_CURVE, TORUS, CONTINUUM)
                 and not self.limits[row].keeps_lengths]  # fmt: skip
        doubtful = set()
        for k, at in enumerate(among):
            for other in among[:k]:
                a, b = self.limits[int(rows[at])], self.limits[int(rows[other])]
                features, size = (a.features, b.features), (a.size, b.size)
                steadiness, wander = (a.steadiness, b.steadiness), (a.wander, b.wander)
                if not same_set(features, size, steadiness, wander):
                    moments, waves = apart(features, size)
                    if moments < _APART * sum(steadiness) and waves < _APART * sum(wander):
                        doubtful |= {at, other}
        for at in among:
            limit = self.limits[int(rows[at])]
            if limit.kind == CONTINUUM and limit.wander > _FROZEN:
                doubtful.add(at)
        for at in doubtful:
            self.limits[int(rows[at])].doubt = ALIKE
        return sorted(doubtful)

    def _believe_chaos(self, rows: Tensor, n_steps: int) -> Tensor:
        """Which rows are on chaotic sets of their own, by the statistics of many copies of them."""
        group = self.group[rows.cpu().numpy()]
        rate = min(float(self.limits[row].exponents[0]) for row in rows.tolist())
        self._tell_of_copies(rows, n_steps + n_steps // 4)
        chains, self.state[rows] = run_chains(
            self.system,
            self.weights,
            self.state[rows],
            self.drive[rows],
            input=group,
            n_copies=self.effort.n_copies,
            n_steps=n_steps,
            rate=rate,
            escape=self.effort.escape,
            generator=self.generator,
        )
        self.elapsed += n_steps + n_steps // 4
        believed = torch.zeros(len(rows), dtype=torch.bool)
        for own, found in chains.items():
            here = np.flatnonzero(group == own)
            labels = sets_of(found)
            if labels is not None and (labels.max() == 0 or self._as_before(own, rows[here].cpu().numpy(), labels)):
                believed[here] = True
                self._on_sets(rows, here, found, labels)
            else:
                for at in here:
                    self.limits[int(rows[at])].doubt = IRREGULAR
        return believed

    def _tell_of_copies(self, rows: Tensor, n_steps: int) -> None:
        """How long the copies of these rows are run."""
        if self.forecast is None or not self.forecast.wide:
            return
        n = max(self.effort.n_copies * len(np.unique(self.group[rows.cpu().numpy()])), 2 * len(rows))
        state, drive = (each[rows[:1]].expand(n, -1).contiguous() for each in (self.state, self.drive))
        self.forecast.say(n_steps * seconds_of(lambda: self.system.step(self.weights, state, drive)))

    def _as_before(self, group: int, rows: np.ndarray, labels: np.ndarray) -> bool:
        """Whether rows fell into the same sets when they were looked at for a shorter time."""
        before = self.partitions.get(group)
        self.partitions[group] = rows, labels
        return before is not None and np.array_equal(before[0], rows) and np.array_equal(before[1], labels)

    def _on_sets(self, rows: Tensor, here: np.ndarray, chains: Chains, labels: np.ndarray) -> None:
        for label in range(labels.max() + 1):
            members = here[labels == label]
            features, errors = chains.of(members).moments
            limits = [self.limits[int(rows[at])] for at in members]
            exponents, found = (
                np.stack([getattr(one, name) for one in limits]) for name in ("exponents", "exponent_errors")
            )
            for limit in limits:
                limit.features, limit.errors = features, errors
                limit.size = max(one.size for one in limits)
                limit.exponents = exponents.mean(0)
                limit.exponent_errors = np.sqrt((found**2).sum(0)) / len(limits)
                limit.n_steps = self.elapsed

    def _widest_output(self, states: Tensor, rows: Tensor) -> np.ndarray:
        """The output that moves most, (row, time)."""
        at_once = max(1, _CHUNK // (len(rows) * self.system.output_size))

        def pieces() -> Iterator[Tensor]:
            for part in states.split(at_once):
                yield self.system.outputs_on(self.weights, part, self.drive[rows].expand(len(part), -1, -1))

        bounds = [(part.amin(0), part.amax(0)) for part in pieces()]
        low, high = torch.stack([low for low, _ in bounds]).amin(0), torch.stack([high for _, high in bounds]).amax(0)
        widest = (high - low).argmax(-1)
        each = torch.arange(len(rows), device=widest.device)
        return torch.cat([part[:, each, widest] for part in pieces()]).T.cpu().numpy()
