"""Going on: how well a sine generator follows the wanted sine beyond the length that it was trained on."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from rnnscope.attractors.summary import peak_frequency
from rnnscope.base.errors import require, require_numbers
from rnnscope.base.probe import Probe
from rnnscope.base.schema import Schema, Variable
from rnnscope.base.settings import positive, whole
from rnnscope.systems import System

_PHASES = 2048
CONTINUATION = Schema(
    {
        "error": Variable("input window", "mean squared error"),
        "phase_free_error": Variable("input window", "mean squared error at the best phase"),
        "learned_frequency": Variable("input", "learned frequency", "rad/step"),
        "spread": Variable("input", "largest minus smallest output"),
    },
    {
        "input_value": Variable("input", "input frequency ω", "rad/step"),
        "lengths": Variable("window", "end of the window", "training lengths"),
    },
)


@dataclass(frozen=True, kw_only=True)
class Continuation(Probe[System, Any]):
    """From the zero state, hold an input ω and compare the output with sin(ω t), window after window.

        error_w            = mean_t (y[t] - sin(ω t))²,                  t in window w
        phase_free_error_w = min_φ mean_t (y[t] - sin(ω t + φ))²

    A frequency that is wrong by one part in a hundred is out of phase after a few dozen periods, however well the
    network oscillates: the second error forgives that.

    Attributes:
        frequencies: the constant inputs ω, rad/step, each wanted back as an oscillation.
        length: steps of a window: the length trained on.
        n_windows: windows, one after the other.
        least_spread: an output that spreads by less in the second half of all steps does not oscillate.

    """

    name: ClassVar[str] = "continuation"

    frequencies: tuple[float, ...]
    length: int
    n_windows: int = 10
    least_spread: float = 0.1

    def __post_init__(self) -> None:
        require_numbers(self)
        object.__setattr__(self, "frequencies", tuple(float(value) for value in self.frequencies))
        fit = self.frequencies and all(0 < value < np.pi for value in self.frequencies)
        require(fit, "frequencies", "at least one, between 0 and π rad/step", self.frequencies)
        whole(self, length=8, n_windows=1)
        positive(self, "least_spread")

    def measure(self, system: System, sequences: Any = None) -> xr.Dataset:
        """Dataset over (input, window): ``error``, ``phase_free_error``, with the coordinate ``lengths``, the end of
        the window in training lengths; and over input: ``learned_frequency`` of the second half of all steps, rad/step,
        NaN where it does not oscillate, and ``spread``, largest minus smallest output there.

        Raises:
            ValueError: a network that has not one input and one output.

        """
        sizes = system.input_size, system.output_size
        require(sizes == (1, 1), "system", "one input and one output", sizes)
        frequencies = np.array(self.frequencies)
        held = torch.tensor(frequencies[:, None]).to(dtype=system.dtype, device=system.device)
        start = torch.zeros(len(held), system.state_size, dtype=system.dtype, device=system.device)
        n_steps = self.length * self.n_windows
        outputs = system.simulate(start, held, n_steps=n_steps).outputs[..., 0].T.double().cpu().numpy()
        angles = frequencies[:, None] * np.arange(1, n_steps + 1)
        shape = len(frequencies), self.n_windows, self.length
        errors = _errors(outputs.reshape(shape), angles.reshape(shape))
        half = outputs[:, n_steps // 2 :]
        spread = np.ptp(half, axis=1)
        known = np.isfinite(spread) & (spread >= self.least_spread)
        learned = np.where(known, peak_frequency(np.where(known[:, None], half, 0.0)), np.nan)
        values = {
            "error": errors[0], "phase_free_error": errors[1], "learned_frequency": learned, "spread": spread,
        }  # fmt: skip
        windows = np.arange(1.0, self.n_windows + 1)
        return self.label(CONTINUATION.dataset(values, input_value=frequencies, lengths=windows))


def _errors(outputs: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared error from the sine of the angles (…, time), as it is and at the best of many phases.

    mean (y - sin(α + φ))² = mean y² + ½ - ½ Re(e^{2iφ} mean e^{2iα}) - 2 Im(e^{iφ} mean y e^{iα}): two means serve all
    phases. Phases 3 mrad apart miss the least value by at most about a millionth.
    """
    turning = np.exp(1j * angles)
    power = (outputs**2).mean(-1) + 0.5
    second, first = (turning**2).mean(-1), (outputs * turning).mean(-1)
    shift = np.exp(1j * np.linspace(0, 2 * np.pi, _PHASES, endpoint=False))
    shifted = power[..., None] - 0.5 * np.real(shift**2 * second[..., None]) - 2 * np.imag(shift * first[..., None])
    return ((outputs - np.sin(angles)) ** 2).mean(-1), np.maximum(shifted, 0.0).min(-1)
