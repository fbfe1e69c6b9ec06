"""The strongest frequency of signals: one estimate for many short ones at once, one to many digits."""

import numpy as np


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


def dominant_frequency(signals: np.ndarray) -> np.ndarray:
    """The strongest frequency of each signal (row, time), rad/step in (0, π].

    The largest peak of the Hann-windowed spectrum, refined where |Σ w_t x_t e^{-iωt}| is largest; for a sum of a few
    sines the error goes as 1 / n⁴.

    >>> t = np.arange(500)
    >>> float(np.round(dominant_frequency(np.sin(0.3 * t + 1)[None] + 0.1), 7)[0])
    0.3

    Source: Laskar, Physica D 67 (1993), 257 (numerical analysis of fundamental frequencies).
    """
    n = signals.shape[1]
    window = np.hanning(n + 2)[1:-1]
    centred = signals - (signals * window).sum(1, keepdims=True) / window.sum()
    windowed = centred * window
    padded = 4 * n
    spectrum = np.abs(np.fft.rfft(windowed, padded, axis=1))
    spectrum[:, :4] = 0  # what is left of the mean
    peak = 2 * np.pi * spectrum.argmax(1) / padded
    width = 2 * np.pi / padded
    low, high = peak - width, np.minimum(peak + width, np.pi)
    times = np.arange(n)

    def amplitude(frequency: np.ndarray) -> np.ndarray:
        return np.abs((windowed * np.exp(-1j * frequency[:, None] * times)).sum(1))

    golden = (np.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = amplitude(left), amplitude(right)
    for _ in range(40):
        rising = at_left < at_right
        low, high = np.where(rising, left, low), np.where(rising, high, right)
        left_next = np.where(rising, right, high - golden * (high - low))
        right_next = np.where(rising, low + golden * (high - low), left)
        fresh = amplitude(np.where(rising, right_next, left_next))
        at_left, at_right = np.where(rising, at_right, fresh), np.where(rising, fresh, at_left)
        left, right = left_next, right_next
    return (low + high) / 2
