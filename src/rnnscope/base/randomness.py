"""Random numbers that never touch the global generators."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def spawn_seed(seed: int, name: str) -> int:
    """A seed for the part called ``name``, independent of the seeds of other parts.

    The first 63 bits of SHA-256 of "seed/name": the same on every machine.

    >>> spawn_seed(0, "orbits") == spawn_seed(0, "orbits") != spawn_seed(0, "landscape")
    True
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1


def make_generator(generator: torch.Generator | int | None, name: str = "") -> torch.Generator:
    """A CPU generator from a seed (spawned for ``name``), or the one given; None stands for seed 0."""
    if isinstance(generator, torch.Generator):
        return generator
    return torch.Generator().manual_seed(spawn_seed(generator or 0, name))


@contextmanager
def undisturbed(*devices: torch.device) -> Iterator[None]:
    """Put the global random states back on leaving: torch's (CPU and CUDA ``devices``), NumPy's and Python's."""
    cuda = [device for device in devices if device.type == "cuda"]
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def seeded(seed: int, name: str, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global generators inside the block only: for code that takes no generator, such as torch.nn.init."""
    with undisturbed(*([device] if device else [])):
        torch.manual_seed(spawn_seed(seed, name))
        yield
