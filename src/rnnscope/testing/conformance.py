"""The conformance suite: the contract of a System, checked on a given one."""

import copy
import pickle

import torch
from torch import Tensor
from torch.func import vmap

from rnnscope.systems import System, stack_params

_STEPS = 20


def check_system(
    system: System, *, batch: int = 3, seed: int = 0, scale: float = 1.0, centre: Tensor | float = 0.0
) -> None:
    """Check that a System keeps its contract; everything in float64.

    - sizes and labels agree, and copies, pickles and ``at`` give the same map;
    - the step is deterministic and takes rows one by one, in batches, and with several batch dimensions alike;
    - ``simulate`` equals a loop over ``advance``, whether through a fast path or not, for sequences and constant
      inputs;
    - ``jacobian`` equals central differences, ``tangent`` is its product with vectors, for one state as in a batch,
      and ``step_and_tangent`` gives the same;
    - ``torch.func.vmap`` over stacked weights equals a loop over them, where the system is ``stackable``;
    - ``interpolate`` begins and ends at its two points.

    >>> from rnnscope.systems import as_system
    >>> check_system(as_system(torch.nn.GRU(2, 3)))

    Args:
        system: any System; it is converted to float64.
        batch: number of states.
        seed: for states and inputs.
        scale: standard deviation of states and inputs.
        centre: mean of the states, (state_size) or one number, for maps that diverge from states about 0.

    Raises:
        AssertionError: says which part of the contract is broken.

    """
    system = system.to(torch.float64)
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, system.state_size)
    state = centre + scale * torch.randn(shape, generator=generator, dtype=torch.float64).to(system.device)
    inputs = scale * torch.randn(_STEPS, batch, system.input_size, generator=generator, dtype=torch.float64)
    if system.n_tokens is not None:
        inputs = torch.randint(system.n_tokens, (_STEPS, batch, 1), generator=generator).double()
    inputs = inputs.to(system.device)
    _check_form(system)
    _check_step(system, state, inputs[0])
    _check_simulate(system, state, inputs)
    _check_tangent(system, state, inputs[0], generator)
    _check_points(system, state, inputs[0], generator)


def _check_form(system: System) -> None:
    assert len(system.state_labels) == system.state_size, "state_labels: expected one for each coordinate"
    assert len(set(system.state_labels)) == system.state_size, "state_labels: expected distinct ones"
    for other in (copy.deepcopy(system), pickle.loads(pickle.dumps(system)), system.at(system.params)):
        assert other.params.keys() == system.params.keys(), "a copy must have the same parameters"
        for name in system.params:
            assert torch.equal(other.params[name], system.params[name]), f"a copy changed parameter {name}"
    held = system.at(system.params).params
    for name in system.params:
        same = held[name].data_ptr() == system.params[name].data_ptr()
        assert not same or not held[name].numel(), f"at: parameter {name} shares memory with the one given"


def _check_step(system: System, state: Tensor, input: Tensor) -> None:
    weights = system.weights
    drive = system.drive(weights, input)
    new = system.step(weights, state, drive)
    assert new.shape == state.shape, f"step: expected shape {tuple(state.shape)}, came {tuple(new.shape)}"
    assert torch.equal(new, system.step(weights, state, drive)), "step: the same call gave two answers"
    single = system.step(weights, state[0], drive[0])
    _close(single, new[0], "step: one state without a batch dimension differs from the same in a batch")
    stacked = system.step(weights, state[None].expand(2, -1, -1), drive[None].expand(2, -1, -1))
    _close(stacked[1], new, "step: two batch dimensions differ from one")
    advanced, output = system.advance(weights, state, drive)
    _close(advanced, new, "advance: its state differs from that of step")
    expected = (len(state), system.output_size)
    assert output.shape == expected, f"advance: expected outputs {expected}, came {tuple(output.shape)}"


def _check_simulate(system: System, state: Tensor, inputs: Tensor) -> None:
    weights = system.weights
    for sequence, given, n_steps in (
        (inputs, inputs, None),
        (inputs[:1].expand_as(inputs), inputs[0], len(inputs)),
    ):
        x, states, outputs = state, [], []
        for input in sequence:
            x, y = system.advance(weights, x, system.drive(weights, input))
            states.append(x)
            outputs.append(y)
        fast = system.simulate(state, given, n_steps=n_steps)
        full = system.simulate(state, given, n_steps=n_steps, states=True)
        assert full.states is not None, "simulate: states were asked for"
        for came, wanted, what in (
            (fast.outputs, torch.stack(outputs), "outputs"),
            (fast.final, x, "final state"),
            (full.outputs, torch.stack(outputs), "outputs with states"),
            (full.states, torch.stack(states), "states"),
        ):
            _close(came, wanted, f"simulate: {what} differ from a loop over advance")


def _check_tangent(system: System, state: Tensor, input: Tensor, generator: torch.Generator) -> None:
    weights = system.weights
    drive = system.drive(weights, input)
    jacobian = system.jacobian(weights, state, drive)
    expected = (*state.shape, system.state_size)
    assert jacobian.shape == expected, f"jacobian: expected shape {expected}, came {tuple(jacobian.shape)}"
    width = 1e-6
    columns = []
    for k in range(system.state_size):
        shift = torch.zeros_like(state)
        shift[:, k] = width
        ahead, behind = system.step(weights, state + shift, drive), system.step(weights, state - shift, drive)
        columns.append((ahead - behind) / (2 * width))
    _close(
        jacobian,
        torch.stack(columns, dim=-1),
        "jacobian: differs from central differences (∂x[t] in rows)",
        1e-6,
    )
    vectors = torch.randn(*state.shape, 2, generator=generator, dtype=state.dtype).to(state.device)
    _close(
        system.tangent(weights, state, drive, vectors),
        jacobian @ vectors,
        "tangent: differs from jacobian @ vectors",
    )
    new, pushed = system.step_and_tangent(weights, state, drive, vectors)
    _close(new, system.step(weights, state, drive), "step_and_tangent: its state differs from that of step")
    _close(pushed, jacobian @ vectors, "step_and_tangent: differs from jacobian @ vectors")
    single = system.jacobian(weights, state[0], drive[0])
    _close(single, jacobian[0], "jacobian: one state without a batch dimension differs from the same in a batch")
    single = system.tangent(weights, state[0], drive[0], vectors[0])
    _close(single, jacobian[0] @ vectors[0], "tangent: one state without a batch dimension differs from a batch")


def _check_points(system: System, state: Tensor, input: Tensor, generator: torch.Generator) -> None:
    a = system.params
    noise = {k: torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p) for k, p in a.items()}
    moving = {k for k, p in a.items() if p.is_floating_point() and k not in system.frozen}
    b = {k: p + 0.1 * noise[k] if k in moving else p for k, p in a.items()}

    def step(params: dict[str, Tensor]) -> Tensor:
        weights = system.materialise(params)
        return system.step(weights, state, system.drive(weights, input))

    together = vmap(step)(stack_params([a, b])) if system.stackable else ()
    for came, params in zip(together, (a, b), strict=system.stackable):
        _close(came, step(params), "vmap over stacked parameters differs from a loop")
    for point, s in ((a, 0.0), (b, 1.0)):
        _close(step(system.interpolate(a, b, s)), step(point), f"interpolate: s = {s} is not the end of the path", 1e-9)


def _close(came: Tensor, wanted: Tensor, message: str, tolerance: float = 1e-12) -> None:
    assert came.shape == wanted.shape, f"{message}: shapes {tuple(came.shape)} and {tuple(wanted.shape)}"
    difference = float((came - wanted).abs().max()) if came.numel() else 0.0
    size = 1 + (float(wanted.abs().max()) if wanted.numel() else 0.0)
    assert difference <= tolerance * size, f"{message} by {difference:.2e}"
