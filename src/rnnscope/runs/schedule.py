"""When weights are kept: the one rule, for whoever records, announces or checks."""

EVERY_EPOCH_BELOW = 1_000_000  # parameters


def snapshot_interval(every: int | None, n_parameters: int) -> int | None:
    """At every so many calls of a Recorder, where ``every`` says it or the network is small; None: log-spaced."""
    return every or (1 if n_parameters < EVERY_EPOCH_BELOW else None)


def snapshot_due(call: int, every: int | None) -> bool:
    """Whether weights are kept at call number 1, 2, … of a Recorder: at every so many; None: four to a factor of two.

    >>> [call for call in range(1, 42) if snapshot_due(call, None)]
    [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40]
    """
    if every is not None:
        return call % every == 0
    spacing = max(1, 1 << (call.bit_length() - 3)) if call.bit_length() > 3 else 1
    return call % spacing == 0


def snapshot_count(n_calls: int, every: int | None) -> int:
    """How many are kept in all: those that are due, the last, and the initial one.

    >>> snapshot_count(10, 4), snapshot_count(8, 4), snapshot_count(41, None)
    (4, 3, 19)
    """
    return len({call for call in range(1, n_calls + 1) if snapshot_due(call, every)} | {n_calls}) + 1
