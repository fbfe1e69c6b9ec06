"""What orbits do, in one word each: a first reading by the spread of the samples that were kept."""

import numpy as np
import xarray as xr

from rnnscope.attractors.orbits import DIVERGED, SETTLED

RESTS, OSCILLATES, DIVERGES, UNDETERMINED = 0, 1, 2, 3
KINDS = ("rests", "oscillates", "diverges", "undetermined")
_FLAGS = {"flag_values": np.arange(4, dtype=np.int8), "flag_meanings": " ".join(KINDS), "units": "1"}
_STEPS_AT_ONCE = 128


def summarise_orbits(orbits: xr.Dataset, *, tolerance: float = 1e-3) -> xr.Dataset:
    """Say of each start whether it rests, oscillates (and how fast), diverges, or cannot be told yet.

    - **rests**: it has settled, or its samples spread by at most ``tolerance`` (1 + |mean|) and its state drifts by
      less than a tenth of that in a step;
    - **oscillates**: the spread of the second half of the samples is that of the first within a factor of 1.25, and
      they spread more than that and pass their mean at least three times. ``frequency`` is the largest peak of the
      spectrum (Hann window, parabola through the logarithms of three bins) of the output that spreads most, in
      rad/step. It does not tell a closed curve from a cycle, a torus or chaos;
    - **diverges**: it has left every bound;
    - **undetermined**: still growing, decaying or drifting.

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
    pieces = [slice(k, k + _STEPS_AT_ONCE) for k in range(0, len(values), _STEPS_AT_ONCE)]
    parts = [_kinds(values[piece], status[piece], drift[piece], tolerance) for piece in pieces]
    kind, spread, frequency = (np.concatenate(part) for part in zip(*parts, strict=True))
    dims = ("step", "input", "start")
    coords = {name: c for name, c in stacked.coords.items() if not {"time", "output", "state"} & set(c.dims)}
    summary = xr.Dataset(
        {
            "kind": (dims, kind, {"long_name": "what the start does", **_FLAGS}),
            "spread": (dims, spread, {"long_name": "largest minus smallest output", "units": "1"}),
            "frequency": (
                dims,
                frequency,
                {"long_name": "frequency of the oscillation", "units": "rad/step"},
            ),
            "input_kind": (dims[:2], _majority(kind), {"long_name": "what most starts do", **_FLAGS}),
        },
        coords,
        dict(orbits.attrs),
    )
    return summary if "step" in orbits.dims else summary.isel(step=0, drop=True)


def _kinds(
    values: np.ndarray, status: np.ndarray, drift: np.ndarray, tolerance: float
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
    rests = (status == SETTLED) | (narrow & (drift <= tolerance / 10))

    half = signal.shape[-1] // 2
    centred = signal - mean[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = (
            np.ptp(centred[..., -half:], axis=-1) / np.ptp(centred[..., :half], axis=-1) if half else np.nan * spread
        )
    passes = (np.diff(np.signbit(centred), axis=-1)).sum(-1)
    oscillates = ~narrow & (growth > 0.8) & (growth < 1.25) & (passes >= 3)

    kind = np.select([diverged, rests, oscillates], [DIVERGES, RESTS, OSCILLATES], UNDETERMINED).astype(np.int8)
    spread[diverged] = np.nan
    frequency = np.full(kind.shape, np.nan)
    swinging = kind == OSCILLATES
    if swinging.any():
        frequency[swinging] = peak_frequency(centred[swinging])
    return kind, spread, frequency


def peak_frequency(signals: np.ndarray) -> np.ndarray:
    """Frequency of the largest spectral peak of each signal (…, time), rad/step.

    >>> bool(abs(peak_frequency(np.sin(0.3 * np.arange(200)))[()] - 0.3) < 1e-3)
    True
    """
    n = signals.shape[-1]
    spectrum = np.abs(np.fft.rfft((signals - signals.mean(-1, keepdims=True)) * np.hanning(n), axis=-1))
    peak = spectrum[..., 1:].argmax(-1) + 1
    inside = np.clip(peak, 1, spectrum.shape[-1] - 2)
    below, at, above = (
        np.log(np.take_along_axis(spectrum, (inside + shift)[..., None], -1)[..., 0] + 1e-300) for shift in (-1, 0, 1)
    )
    curvature = below - 2 * at + above
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = np.where((peak == inside) & (curvature < 0), 0.5 * (below - above) / curvature, 0.0)
    return 2 * np.pi * (peak + offset) / n


def _majority(kind: np.ndarray) -> np.ndarray:
    """The kind of at least half the starts, (…, start) -> (…)."""
    result = np.full(kind.shape[:-1], UNDETERMINED, dtype=np.int8)
    for candidate in (DIVERGES, RESTS, OSCILLATES):
        result[(kind == candidate).mean(-1) >= 0.5] = candidate
    return result
