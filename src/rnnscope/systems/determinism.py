"""Does a system give the same answer twice?"""

import torch

from rnnscope.base.errors import NonDeterministicError
from rnnscope.base.randomness import make_generator, undisturbed
from rnnscope.systems._examination import some_inputs, some_states
from rnnscope.systems.system import System


def require_deterministic(system: System) -> None:
    """Step twice from the same state and refuse a map that draws random numbers; global random states are put back.

    >>> from rnnscope.systems import textbook
    >>> require_deterministic(textbook.henon())

    Raises:
        NonDeterministicError: two steps from the same state differ.

    """
    generator = make_generator(0, "determinism")
    state, input = some_states(system, 2, generator), some_inputs(system, 2, generator)
    with torch.no_grad(), undisturbed(system.device):
        weights = system.weights
        drive = system.drive(weights, input)
        first = system.step(weights, state, drive)
        torch.rand(1, device=system.device)
        second = system.step(weights, state, drive)
    if not torch.equal(first.nan_to_num(), second.nan_to_num()):
        raise NonDeterministicError(
            "the same state and input gave two different answers; a map must not draw random numbers: take dropout or "
            "noise out of the step, or put the network in eval mode"
        )
