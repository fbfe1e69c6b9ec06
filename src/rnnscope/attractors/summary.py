"""What orbits do, in one word each: a first reading by the spread of the samples that were kept."""

import numpy as np
import xarray as xr

from rnnscope.attractors.numerics.frequency import peak_frequency
from rnnscope.attractors.orbits import DIVERGED, SETTLED
from rnnscope.base.flags import Flags
from rnnscope.base.schema import Schema, Variable

KIND = Flags(("rests", "oscillates", "diverges", "undetermined"))
KINDS = KIND.words
RESTS, OSCILLATES, DIVERGES, UNDETERMINED = KIND.codes
SUMMARY = Schema(
    {
        "kind": Variable("step input start", "what the start does", flags=KIND),
        "spread": Variable("step input start", "largest minus smallest output"),
        "frequency": Variable("step input start", "frequency of the oscillation", "rad/step"),
        "input_kind": Variable("step input", "what at least half of the starts do", flags=KIND),
    }
)
_STEPS_AT_ONCE = 128


def summarise_orbits(orbits: xr.Dataset, *, tolerance: float = 1e-3) -> xr.Dataset:
    """Say of each start whether it rests, oscillates (and how fast), diverges, or cannot be told yet.

    - **rests**: it has settled, or its samples spread by at most ``tolerance`` (1 + |mean|) and its state drifts so
      slowly that it would go no further than that in all the steps of the orbit;
    - **oscillates**: its samples spread by more than that, pass their mean at least three times, swing as widely in the
      second half as in the first within a factor of 1.25 and about the same mean within a tenth of the spread, and do
      not grow or decay steadily from quarter to quarter by more than 3 % in all. ``frequency`` is the dominant one: the
      largest peak of the spectrum (Hann window, parabola through the logarithms of three bins) of the output that
      spreads most, in rad/step. It does not tell a closed curve from a cycle, a torus or chaos;
    - **diverges**: it has left every bound;
    - **undetermined**: still growing, decaying or drifting; or the state moves behind an output that hardly does.

    Args:
        orbits: a result of ``Orbits``, with or without a dimension ``step``.
        tolerance: what counts as no spread, relative to 1 + |mean|.

    Returns:
        Dataset with ``kind``, ``spread`` and ``frequency`` (…, input, start), and ``input_kind`` (…, input): the kind
        of at least half the starts there, of two such the one that comes later in diverges, rests, oscillates; else
        undetermined.

    """
    stacked = orbits if "step" in orbits.dims else orbits.expand_dims("step")
    values = stacked["orbit"].transpose("step", "input", "start", "time", "output").values
    status, drift = (stacked[name].transpose("step", "input", "start").values for name in ("status", "drift"))
    n_steps = int(stacked["time"][-1]) if "time" in stacked.coords else values.shape[-2]
    pieces = [slice(k, k + _STEPS_AT_ONCE) for k in range(0, len(values), _STEPS_AT_ONCE)]
    parts = [_kinds(values[piece], status[piece], drift[piece], n_steps, tolerance) for piece in pieces]
    kind, spread, frequency = (np.concatenate(part) for part in zip(*parts, strict=True))
    coords = {str(name): c for name, c in stacked.coords.items() if not {"time", "output", "state"} & set(c.dims)}
    values = {"kind": kind, "spread": spread, "frequency": frequency, "input_kind": _majority(kind)}
    summary = SUMMARY.dataset(values, **coords).assign_attrs(orbits.attrs)
    return summary if "step" in orbits.dims else summary.isel(step=0, drop=True)


def _kinds(
    values: np.ndarray, status: np.ndarray, drift: np.ndarray, n_steps: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind, spread and frequency of samples (step, input, start, time, output)."""
    diverged = (status == DIVERGED) | ~np.isfinite(values).all((-1, -2))
    values = np.where(diverged[..., None, None], 0.0, values).astype(np.float64)
    spreads = np.ptp(values, axis=-2)
    widest = spreads.argmax(-1)
    signal = np.take_along_axis(values, widest[..., None, None], -1)[..., 0]
    mean = signal.mean(-1)
    spread = spreads.max(-1)
    narrow = spread <= tolerance * (1 + np.abs(mean))
    rests = (status == SETTLED) | (narrow & (drift * n_steps <= tolerance))

    centred = signal - mean[..., None]
    passes = (np.diff(np.signbit(centred), axis=-1)).sum(-1)
    oscillates = ~narrow & (passes >= 3) & _stationary(centred)

    kind = np.select([diverged, rests, oscillates], [DIVERGES, RESTS, OSCILLATES], UNDETERMINED).astype(np.int8)
    spread[diverged] = np.nan
    frequency = np.full(kind.shape, np.nan)
    swinging = kind == OSCILLATES
    if swinging.any():
        frequency[swinging] = peak_frequency(centred[swinging])
    return kind, spread, frequency


def _stationary(signals: np.ndarray) -> np.ndarray:
    """Whether signals (…, time) swing as widely, and about the same mean, all along."""
    n = signals.shape[-1]
    halves = [signals[..., : n // 2], signals[..., n - n // 2 :]]
    quarters = [signals[..., k * n // 4 : (k + 1) * n // 4] for k in range(4)]
    if n < 8:
        return np.zeros(signals.shape[:-1], dtype=bool)
    window = np.hanning(n // 2 + 2)[1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (np.ptp(part, axis=-1) for part in halves)
        shift = np.abs(np.subtract(*(np.average(part, axis=-1, weights=window) for part in halves)))
        growth = np.diff(np.log(np.stack([np.ptp(part, axis=-1) for part in quarters])), axis=0)
        steady = (np.abs(np.sign(growth).sum(0)) == 3) & (np.abs(growth).min(0) >= 0.25 * np.abs(growth).max(0))
        changes = steady & (np.abs(growth.sum(0)) > 0.03)
        return (second / first > 0.8) & (second / first < 1.25) & (shift <= 0.1 * np.ptp(signals, axis=-1)) & ~changes


def _majority(kind: np.ndarray) -> np.ndarray:
    """The kind of at least half the starts, (…, start) -> (…)."""
    result = np.full(kind.shape[:-1], UNDETERMINED, dtype=np.int8)
    for candidate in (DIVERGES, RESTS, OSCILLATES):
        result[(kind == candidate).mean(-1) >= 0.5] = candidate
    return result
