"""Which inputs to hold on a run of someone's own data: a handful that its sequences suggest, each with a name."""

from contextlib import suppress

import numpy as np
from torch import Tensor

from rnnscope.base.errors import RnnscopeError
from rnnscope.runs._opened import OpenedRun
from rnnscope.tasks import ConstantInputs

_FEW = 10  # different inputs at most, to be held one by one
_TOKENS = 8
_CHANNELS = 4  # at most, to be varied one by one
_DIRECTIONS = 3
_ENDS = (0.05, 0.95)
_ALONE = (0.01, 0.25, 0.75, 0.99)  # quantiles of a single channel


def inputs_of(run: OpenedRun) -> ConstantInputs | None:
    """The inputs that a run's sequences suggest; None where it has none."""
    if run.sequences is None:
        return None
    n_tokens = None
    with suppress(RnnscopeError):  # a network that is not given: its inputs are numbers
        n_tokens = run.template.n_tokens
    return inputs_to_hold(run.sequences, n_tokens)


def inputs_to_hold(sequences: Tensor, n_tokens: int | None = None) -> ConstantInputs:
    """Inputs (n, channel) spread over the data, and what each is called.

    >>> import torch
    >>> found = inputs_to_hold(torch.linspace(-1, 1, 201)[None, :, None])
    >>> [f"{label}: {value:.2f}" for label, (value,) in zip(found.labels, found.values)]
    ['1 %: -0.98', '25 %: -0.50', 'zero and mean: 0.00', '75 %: 0.50', '99 %: 0.98']

    - Tokens, or data that take few different values: the commonest of them.
    - One channel: zero, the mean, and quantiles.
    - A few channels: zero, the mean, and 5 and 95 % of each channel with the others at their mean.
    - More: zero, the mean, and 5 and 95 % along the directions in which the data vary most.

    Args:
        sequences: (sequence, time, channel).
        n_tokens: size of the vocabulary, where inputs are tokens.

    """
    data = sequences.detach().double().flatten(0, 1).cpu().numpy()
    different, counts = np.unique(data, axis=0, return_counts=True)
    commonest = different[np.lexsort((*different.T[::-1], -counts))]
    if n_tokens is not None:
        tokens = np.sort(commonest[:_TOKENS], axis=0)
        return ConstantInputs(tokens, "held token", "1", labels=tuple(f"token {int(t)}" for (t,) in tokens))
    if len(different) <= _FEW:
        order = (lambda row: row) if data.shape[1] == 1 else (lambda row: (any(row), [-x for x in row]))
        rows = np.array(sorted(commonest.tolist(), key=order))
        return ConstantInputs(rows, "held input", "1", labels=tuple(_spelled(row, k) for k, row in enumerate(rows)))
    mean = data.mean(0)
    named = [("zero", np.zeros_like(mean)), ("mean", mean)]
    if data.shape[1] == 1:
        named += [(f"{100 * q:.0f} %", np.quantile(data, [q], axis=0)[0]) for q in _ALONE]
    elif data.shape[1] <= _CHANNELS:
        for k in range(data.shape[1]):
            for q in _ENDS:
                row = mean.copy()
                row[k] = np.quantile(data[:, k], q)
                named.append((f"channel {k} at {100 * q:.0f} %", row))
    else:
        _, _, directions = np.linalg.svd(data - mean, full_matrices=False)
        for k, direction in enumerate(directions[:_DIRECTIONS]):
            direction = direction * np.sign(direction[np.abs(direction).argmax()])
            along = (data - mean) @ direction
            named += [
                (f"direction {k + 1} at {100 * q:.0f} %", mean + np.quantile(along, q) * direction) for q in _ENDS
            ]
    return _without_repetition(named, data.std(0).max())


def _without_repetition(named: list[tuple[str, np.ndarray]], spread: float) -> ConstantInputs:
    """In the order of the values where there is one channel; names of equal inputs joined."""
    kept: list[tuple[list[str], np.ndarray]] = []
    for name, row in named:
        near = next((names for names, other in kept if np.abs(other - row).max() <= 1e-3 * spread), None)
        if near is None:
            kept.append(([name], row))
        else:
            near.append(name)
    if len(kept[0][1]) == 1:
        kept.sort(key=lambda pair: float(pair[1][0]))
    values = np.array([[float(f"{x:.6g}") for x in row] for _, row in kept])
    return ConstantInputs(values, "held input", "1", labels=tuple(" and ".join(names) for names, _ in kept))


def _spelled(row: np.ndarray, k: int) -> str:
    """A row with a single one as that channel, another of a few numbers by these."""
    if len(row) > 1 and (row == 1).sum() == 1 and (row == 0).sum() == len(row) - 1:
        return f"one-hot {int(row.argmax())}"
    if not row.any():
        return "zero"
    return ", ".join(f"{x:.3g}" for x in row) if len(row) <= _CHANNELS else f"input {k}"
