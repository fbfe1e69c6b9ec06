"""Some of many epochs, and their colours."""

import numpy as np

from rnnscope.figures.sheet import ColourScale

FEW = 8  # epochs, of which a colour bar names each


def evenly(n: int, n_wanted: int) -> np.ndarray:
    """At most ``n_wanted`` of the positions 0 … n - 1, evenly spread, with the first and the last.

    >>> evenly(300, 4), evenly(3, 60), evenly(9, 1)
    (array([  0, 100, 199, 299]), array([0, 1, 2]), array([8]))
    """
    if n_wanted == 1:
        return np.array([n - 1])
    return np.round(np.linspace(0, n - 1, min(n, n_wanted))).astype(int)


def epoch_colours(epochs: np.ndarray, label: str, *, below: bool = False) -> ColourScale:
    """Colours from the first to the last epoch; where they are few each has its own.

    >>> epoch_colours(np.array([0, 5, 20]), "epoch").ticks
    [(0.0, '0'), (5.0, '5'), (20.0, '20')]
    """
    low, high = float(epochs.min()), float(epochs.max())
    low, high = (low, high) if low < high else (low - 0.5, high + 0.5)
    few = np.unique(epochs)
    steps = [float(epoch) for epoch in few] if len(few) <= FEW else []
    ticks = [(epoch, f"{epoch:g}") for epoch in steps] or None
    return ColourScale(low, high, label, ticks=ticks, steps=steps, below=below)
