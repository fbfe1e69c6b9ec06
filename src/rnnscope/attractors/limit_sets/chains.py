"""Is irregular motion chaos on a set of its own? Many copies of each orbit, compared as the chains of a sampler are."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from rnnscope.attractors.limit_sets.observables import N_DIRECTIONS, waves
from rnnscope.attractors.numerics.running import held_states
from rnnscope.systems import System
from rnnscope.systems.system import Weights

_BLOCKS = 8  # of each chain
_CHUNK = 10_000_000  # numbers in memory at once
_CHANCE = 1e-6  # that chains on one set are found to differ
_AGREE = 0.02  # variance of chain means, relative to that within the chains: R-hat below 1.01
_UNSEEN = 1e-6  # relative to 1 + |x|: differences that do not count
_BEGUN, _PARTED = 18.0, 12.0  # nats: copies begin e^-18 of the set's size from their neighbours, and part if e^12-fold
_TO_PART = 40.0  # nats that are waited for


@dataclass(frozen=True)
class Chains:
    """Copies of the orbits of some rows, all under one input.

    ``means`` (chain, block, feature): block means of every coordinate, of its square about ``centre``, and of
    characteristic functions; ``variances`` (feature,): within the chains; ``origin`` (chain,): the row whose copy it
    is; ``left`` (chain,): at its end neighbours no longer part, or it has escaped.
    """

    means: np.ndarray
    variances: np.ndarray
    origin: np.ndarray
    left: np.ndarray
    centre: np.ndarray

    def of(self, rows: np.ndarray) -> "Chains":
        """The chains that are copies of some rows."""
        own = np.isin(self.origin, rows)
        return Chains(self.means[own], self.variances, self.origin[own], self.left[own], self.centre)

    @property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of every coordinate over all chains, one after the other, and their standard errors."""
        n = len(self.centre)
        chains = self.means.mean(1)
        values, errors = chains.mean(0)[: 2 * n], chains.std(0, ddof=1)[: 2 * n] / np.sqrt(len(chains))
        values[n:] -= (values[:n] - self.centre) ** 2
        return values, errors

    @property
    def homogeneous(self) -> bool:
        """Whether all chains have the same statistics at all times: one set, stationary on it.

        Two-way analysis of variance of the block means: means of chains, and of times, differ by no more than chance
        allows (F test), or by so little of the spread that R-hat is below 1.01. Blocks that are too short for slow
        coordinates are correlated, and fail the test as chains that are stuck in different places do.

        Source: Gelman & Rubin, Statistical Science 7, 1992; Vehtari, Gelman, Simpson, Carpenter & Bürkner, Bayesian
        Analysis 16, 2021.
        """
        n_chains, n_blocks, n_features = self.means.shape
        chain, time, grand = self.means.mean(1), self.means.mean(0), self.means.mean((0, 1))
        rest = self.means - chain[:, None] - time[None] + grand
        freedom = (n_chains - 1) * (n_blocks - 1)
        noise = (rest**2).sum((0, 1)) / freedom
        unseen = (_UNSEEN * (1 + np.abs(grand))) ** 2
        for means, repeats in ((chain, n_blocks), (time, n_chains)):
            between = means.var(0, ddof=1)
            limit = stats.f.isf(_CHANCE / n_features, len(means) - 1, freedom)
            if not ((repeats * between <= limit * noise) | (between <= _AGREE * self.variances + unseen)).all():
                return False
        return True


def sets_of(chains: Chains) -> np.ndarray | None:
    """Which rows are on one set: a number for each distinct origin, in order; None if that cannot be told.

    None too if some chains have left, or a row is not stationary by itself.
    """
    rows = np.unique(chains.origin)
    if chains.left.any():
        return None
    if chains.homogeneous:
        return np.zeros(len(rows), dtype=int)
    if len(rows) == 1 or not all(chains.of(rows[k : k + 1]).homogeneous for k in range(len(rows))):
        return None
    labels = np.arange(len(rows))
    for a in range(len(rows)):
        for b in range(a):
            if labels[a] != labels[b] and chains.of(rows[[a, b]]).homogeneous:
                labels[labels == labels[a]] = labels[b]
    labels = np.unique(labels, return_inverse=True)[1]
    whole = all(chains.of(rows[labels == k]).homogeneous for k in range(labels.max() + 1))
    return labels if whole and labels.max() > 0 else None


def run_chains(
    system: System,
    weights: Weights,
    state: Tensor,
    drive: Tensor,
    *,
    input: np.ndarray,
    n_copies: int,
    n_steps: int,
    rate: float,
    escape: float,
    generator: torch.Generator,
) -> tuple[dict[int, Chains], Tensor]:
    """Run copies of rows of states (row, state), which begin close by, under their held drives (row, drive).

    Returns the chains under each ``input`` (row,), with origins counted over all rows, and where the rows themselves
    are afterwards. ``n_copies`` is for all rows under one input, at least; ``rate`` is at which neighbours are expected
    to part, in nats per step. A quarter of ``n_steps`` passes first.
    """
    copies = np.array([max(2, -(-n_copies // int((input == own).sum()))) for own in input])
    origin = np.repeat(np.arange(len(input)), copies)
    first = np.concatenate([[0], np.cumsum(copies)[:-1]])
    near = 1e-6 if state.dtype == torch.float64 else 1e-3
    noise = torch.randn(len(origin), state.shape[1], generator=generator, dtype=torch.float64).to(state)
    noise[first] = 0
    state, drive = state[origin], drive[origin]
    state = state + near * (1 + state.abs().amax(-1, keepdim=True)) * noise
    at_once = max(1, _CHUNK // state.numel())

    states = state[None]
    for left in range(max(1, n_steps // 4), 0, -at_once):
        states = held_states(system, weights, states[-1], drive, min(left, at_once))
    chains = {int(own): torch.as_tensor(np.flatnonzero(input[origin] == own)) for own in np.unique(input)}
    seen = {own: _Observed.on(states[:, which].flatten(0, 1)) for own, which in chains.items()}
    blocks: dict[int, list[Tensor]] = {own: [] for own in chains}
    length = max(1, n_steps // _BLOCKS)
    for _ in range(_BLOCKS):
        totals = dict.fromkeys(chains, 0.0)
        for left in range(length, 0, -at_once):
            states = held_states(system, weights, states[-1], drive, min(left, at_once))
            totals = {own: totals[own] + seen[own].sums(states[:, which]) for own, which in chains.items()}
        for own, total in totals.items():
            blocks[own].append(torch.as_tensor(total) / length)
    state = states[-1]
    size = torch.empty(len(state), dtype=state.dtype, device=state.device)
    for own, which in chains.items():
        size[which] = seen[own].size
    stays = torch.isfinite(state).all(-1) & (state.abs().amax(-1) <= escape)
    stays &= _parts(system, weights, state, drive, size, rate, n_steps, generator)
    found = {}
    for own, which in chains.items():
        means = torch.stack(blocks[own], 1).double().cpu().numpy()
        left = ~stays[which].cpu().numpy() | ~np.isfinite(means).all((1, 2))
        centre = seen[own].centre.double().cpu().numpy()
        found[own] = Chains(means, seen[own].variances(means[~left]), origin[which.numpy()], left, centre)
    return found, state[torch.as_tensor(first)]


@dataclass(frozen=True)
class _Observed:
    """What is averaged along the chains under one input: about which centre, and over which waves."""

    centre: Tensor  # (state,)
    size: float
    waves: Tensor  # (state, direction): directions times wave numbers over spreads

    @classmethod
    def on(cls, states: Tensor) -> "_Observed":
        centre = states.mean(0)
        directions, numbers = (torch.as_tensor(part).to(states) for part in waves(states.shape[1]))
        spread = ((states - centre) @ directions).std(0)
        size = float(states.std(0).max())
        return cls(centre, size, directions * numbers / spread.clamp(min=max(1e-9 * size, 1e-300)))

    def sums(self, states: Tensor) -> Tensor:
        """Of the features over time, (chain, feature), of states (time, chain, state)."""
        moved = states - self.centre
        phases = moved @ self.waves
        parts = [states.sum(0), moved.square().sum(0), phases.cos().sum(0), phases.sin().sum(0)]
        return torch.cat(parts, -1)

    def variances(self, means: np.ndarray) -> np.ndarray:
        """Of each feature within a chain, from what is known of the coordinates: twice the square for their squares, as
        of a normal distribution, and a half for waves."""
        n = len(self.centre)
        if not len(means):
            return np.full(2 * n + 2 * N_DIRECTIONS, np.nan)
        chain = means.mean(1)
        centre = self.centre.double().cpu().numpy()
        within = np.median(chain[:, n : 2 * n] - (chain[:, :n] - centre) ** 2, 0)
        return np.concatenate([within, 2 * within**2, np.full(2 * N_DIRECTIONS, 0.5)])


def _parts(
    system: System,
    weights: Weights,
    state: Tensor,
    drive: Tensor,
    size: Tensor,
    rate: float,
    n_steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Whether a close neighbour of each state (row, state) parts from it, as on a chaotic set: more than by shear."""
    share = max(float(np.exp(-_BEGUN)), 1e3 * torch.finfo(state.dtype).eps)
    enough = min(float(np.exp(_PARTED)) * share, 0.1) * size
    direction = torch.randn(state.shape, generator=generator, dtype=torch.float64).to(state)
    other = state + share * size[:, None] * direction / direction.norm(dim=-1, keepdim=True)
    parted = torch.zeros(len(state), dtype=torch.bool, device=state.device)
    for t in range(int(min(n_steps, max(200, _TO_PART / max(rate, 1e-6))))):
        state, other = system.step(weights, state, drive), system.step(weights, other, drive)
        if t % 10 == 9:
            parted |= (other - state).norm(dim=-1) >= enough
            if parted.all():
                break
    return parted
