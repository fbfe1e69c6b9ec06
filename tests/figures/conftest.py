"""Synthetic results of the probe ``orbits`` whose right picture is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

DEATH = 0.8  # fraction of the run at which most closed curves vanish for a while


def make_orbits(
    *,
    n_epochs: int = 60,
    n_inputs: int = 10,
    n_starts: int = 4,
    n_keep: int = 100,
    n_outputs: int = 1,
    diverging: int | None = None,
    huge: bool = False,
) -> xr.Dataset:
    """A fixed point, then closed curves at more and more inputs, most of which die once."""
    random = np.random.default_rng(0)
    epochs = np.arange(1, n_epochs + 1)
    frequency = np.linspace(np.pi / 16, np.pi / 8, n_inputs)
    time = np.arange(1201, 1201 + n_keep)
    born = n_epochs * (0.5 + 0.1 * np.arange(n_inputs)[::-1] / max(n_inputs - 1, 1))
    age = epochs[:, None] - born
    amplitude = np.where(age > 0, 0.8 * np.sqrt(np.clip(age, 0, None) / (0.5 * n_epochs)), 0.0)
    dead = (epochs >= DEATH * n_epochs) & (epochs < (DEATH + 0.05) * n_epochs)
    amplitude[np.ix_(dead, np.arange(n_inputs) < 0.7 * n_inputs)] = 0.0
    learned = 1.004 * frequency * (1 + 0.1 * np.clip(1 - age / (0.4 * n_epochs), 0, 1))
    phase = random.uniform(0, 2 * np.pi, (n_epochs, n_inputs, n_starts, 1))
    wave = np.sin(learned[:, :, None, None] * time + phase)
    rest = 0.3 * np.sin(epochs / n_epochs * 3)[:, None] * (frequency / frequency[-1])
    orbit = rest[:, :, None, None] + amplitude[:, :, None, None] * wave
    moving = np.broadcast_to((amplitude > 0)[:, :, None], (n_epochs, n_inputs, n_starts))
    status = np.where(moving, 0, 1).astype(np.int8)
    settled_at = np.where(moving, -1, 130).astype(np.int32)
    diverged_at = np.full(status.shape, -1, np.int32)
    if diverging is not None:
        late = slice(int(0.7 * n_epochs), None)
        orbit[late, diverging, 0, n_keep // 2 :] = np.nan
        orbit[late, diverging, 0, : n_keep // 2] = 10.0 ** np.arange(n_keep // 2).clip(max=30)
        status[late, diverging, 0], diverged_at[late, diverging, 0] = 2, 1201 + n_keep // 2
        settled_at[late, diverging, 0] = -1
    if huge:
        orbit[n_epochs // 3, :, 0] = 1e4
    samples = np.stack([orbit * (1 + k) for k in range(n_outputs)], axis=-1).astype(np.float32)
    names = ("step", "input", "start")
    flags = {"flag_values": [0, 1, 2], "flag_meanings": "moving settled diverged"}
    loss = make_scalars(n_epochs)["loss"].to_numpy()
    return xr.Dataset(
        {
            "orbit": ((*names, "time", "output"), samples, {"long_name": "output y", "units": "1"}),
            "status": (names, status, flags),
            "settled_at": (names, settled_at),
            "diverged_at": (names, diverged_at),
            "drift": (names, np.where(moving, 0.1, 1e-8)),
        },
        coords={
            "step": epochs * 10,
            "epoch": ("step", epochs),
            "loss": ("step", loss),
            "input": np.arange(n_inputs),
            "input_value": (
                ("input", "channel"),
                frequency[:, None],
                {"long_name": "input frequency ω", "units": "rad/step"},
            ),
            "wanted_frequency": ("input", frequency, {"long_name": "wanted frequency", "units": "rad/step"}),
            "start": np.arange(n_starts),
            "time": time,
            "output": [f"y{k}" for k in range(n_outputs)],
        },
        attrs={
            "probe": "orbits",
            "key": "0123456789",
            "settings": '{"probe":"orbits","version":1,"settings":{"n_keep":400,"n_transient":1200}}',
            "rnnscope": "0.1.0",
            "torch": "2.13.0",
            "references": "Ribeiro et al., AISTATS 2020.",
        },
    )


def make_scalars(n_epochs: int) -> pd.DataFrame:
    """A loss that falls from 0.5 and jumps where the closed curves die."""
    epochs = np.arange(1, n_epochs + 1)
    falling = 0.02 + 0.48 * np.exp(-4 * epochs / n_epochs)
    falling[(epochs >= DEATH * n_epochs) & (epochs < (DEATH + 0.05) * n_epochs)] += 0.3
    return pd.DataFrame(
        {"step": epochs * 10, "loss": falling, "gradient_norm": 1.0 / epochs},
        index=pd.Index(epochs, name="epoch"),
    )


def make_summary(orbits: xr.Dataset) -> xr.Dataset:
    """What ``summarise_orbits`` says of ``make_orbits``."""
    status = orbits["status"].values
    kind = np.select([status == 1, status == 2], [0, 2], 1).astype(np.int8)
    spread = orbits["orbit"].isel(output=0).astype(float).std("time", skipna=True).values
    wanted = np.broadcast_to(orbits["wanted_frequency"].values[:, None], kind.shape)
    ordered = np.sort(kind, axis=-1)
    flags = {"flag_values": [0, 1, 2, 3], "flag_meanings": "rests oscillates diverges undetermined"}
    names = ("step", "input", "start")
    return xr.Dataset(
        {
            "kind": (names, kind, flags),
            "spread": (names, spread),
            "frequency": (names, np.where(kind == 1, 1.01 * wanted, np.nan), {"units": "rad/step"}),
            "input_kind": (("step", "input"), ordered[..., kind.shape[-1] // 2], flags),
        },
        coords={
            name: orbits.coords[name]
            for name in ("step", "epoch", "loss", "input", "input_value", "wanted_frequency", "start")
        },
    )


LIMITS = "fixed_point cycle closed_curve torus chaos continuum divergence undetermined"


def make_attractors(
    *,
    n_epochs: int = 20,
    n_inputs: int = 4,
    n_attractors: int = 2,
    kinds: np.ndarray | None = None,
    fractions: np.ndarray | None = None,
    n_exponents: int = 3,
    seed: int = 0,
) -> xr.Dataset:
    """What ``Attractors`` says: a fixed point; then closed curves, and beside them fixed points at the lower inputs."""
    random = np.random.default_rng(seed)
    if kinds is not None:
        n_epochs, n_inputs, n_attractors = kinds.shape
    epochs = np.arange(1, n_epochs + 1) * 5
    frequency = np.linspace(np.pi / 16, np.pi / 8, n_inputs)
    grid = (n_epochs, n_inputs, n_attractors)
    if kinds is None:
        kinds = np.full(grid, -1)
        kinds[..., 0] = np.where(np.arange(n_epochs)[:, None] < n_epochs / 2, 0, 2)
        if n_attractors > 1:
            kinds[n_epochs // 2 :, : n_inputs // 2, :2] = 0, 2
    kinds = kinds.astype(np.int8)
    there = kinds >= 0
    if fractions is None:
        fractions = np.where(there, 1 / np.maximum(there.sum(-1, keepdims=True), 1), np.nan)
    leading = np.select([kinds == 0, kinds == 1, kinds == 4], [-0.1, -0.2, 0.1], 0.0)
    exponents = leading[..., None] - 0.05 * np.arange(n_exponents) - 1e-3 * random.random((*grid, n_exponents))
    exponents[~there | np.isin(kinds, (6,))] = np.nan
    size, angle = 0.95 * random.random((*grid, 4)) ** 0.2, random.uniform(-np.pi, np.pi, (*grid, 4))
    known = np.isin(kinds, (0, 1))[..., None]
    flags = {"flag_values": np.arange(8, dtype=np.int8), "flag_meanings": LIMITS}
    cell = ("step", "input", "attractor")
    return xr.Dataset(
        {
            "kind": (cell, kinds, flags),
            "period": (cell, np.select([kinds == 0, kinds == 1], [1, 2], 0).astype(np.int32)),
            "fraction": (cell, fractions),
            "fraction_error": (cell, np.where(there, 0.1, np.nan)),
            "frequency": (cell, np.where(kinds == 2, frequency[:, None], np.nan), {"units": "rad/step"}),
            "lyapunov_exponent": ((*cell, "exponent"), exponents, {"units": "nat/step"}),
            "lyapunov_error": ((*cell, "exponent"), np.where(np.isfinite(exponents), 0.004, np.nan)),
            "multiplier_real": ((*cell, "multiplier"), np.where(known, size * np.cos(angle), np.nan)),
            "multiplier_imag": ((*cell, "multiplier"), np.where(known, size * np.sin(angle), np.nan)),
            "reached": (("step", "input", "start"), np.zeros((n_epochs, n_inputs, 4), np.int32)),
            "location": ((*cell, "state"), np.where(there[..., None], random.normal(size=(*grid, 3)), np.nan)),
            "output_mean": ((*cell, "output"), np.where(there, random.normal(size=grid), np.nan)[..., None]),
        },
        coords={
            "step": epochs * 10,
            "epoch": ("step", epochs),
            "input": np.arange(n_inputs),
            "input_value": (
                ("input", "channel"),
                frequency[:, None],
                {"long_name": "input frequency ω", "units": "rad/step"},
            ),
            "attractor": np.arange(n_attractors),
            "exponent": np.arange(n_exponents),
            "state": ["h0", "h1", "h2"],
        },
        attrs={"probe": "attractors", "references": "Ribeiro et al., AISTATS 2020."},
    )


@pytest.fixture
def attractors() -> Callable[..., xr.Dataset]:
    return make_attractors


@pytest.fixture
def orbits() -> Callable[..., xr.Dataset]:
    return make_orbits


@pytest.fixture
def scalars() -> Callable[..., pd.DataFrame]:
    return make_scalars


@pytest.fixture
def summary() -> Callable[[xr.Dataset], xr.Dataset]:
    return make_summary
