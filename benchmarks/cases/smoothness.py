"""The cost at many parameter points, products with the curvature."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.harness import Timing, compare
from rnnscope.base.threads import torch_threads


def plane() -> list[Timing]:
    """The paper's plane, 152 × 151 points × 200 steps of the LSTM of two units, against nn.LSTM point after point.

    The reference takes every 50th point and is counted fifty times: it is a loop.
    """
    from rnnscope.smoothness import Objective, costs
    from rnnscope.smoothness.points import Affine
    from rnnscope.systems import as_system
    from rnnscope.systems.textbook import chaotic_lstm

    lstm = nn.LSTM(1, 2, bias=False)
    lstm.load_state_dict(chaotic_lstm().params)
    system = as_system(lstm)
    inputs, start = torch.zeros(1, 200, 1), torch.full((1, 4), 0.5)
    target = system.simulate(start, inputs.movedim(1, 0)).outputs.movedim(1, 0)
    objective = Objective(inputs=inputs, targets=target, state=start[0], n_transient=100)
    generator = torch.Generator().manual_seed(0)
    drawn = {name: torch.rand(p.shape, generator=generator) for name, p in system.params.items()}
    zero = {name: torch.zeros_like(p) for name, p in system.params.items()}
    grid = torch.cartesian_prod(torch.linspace(0, 2, 152), torch.linspace(-0.5, 0.5, 151))
    points = Affine(zero, (system.params, drawn), grid)
    every = 50
    few = points.take(slice(0, len(grid), every))
    sequence, parts = inputs.movedim(1, 0), (start[None, :, :2].contiguous(), start[None, :, 2:].contiguous())

    def ours() -> torch.Tensor:
        return costs(system, points, objective)

    def one_after_another() -> torch.Tensor:
        found = []
        with torch.no_grad():
            for k in range(len(grid[::every])):
                for name, p in lstm.named_parameters():
                    p.copy_(few[name][k])
                outputs = lstm(sequence, parts)[0]
                found.append(nn.functional.mse_loss(outputs[100:, 0], target[0, 100:]))
        return torch.stack(found)

    def compiled() -> torch.Tensor:
        return costs(system, points, objective, compile=True)

    def equal() -> None:
        settled = grid[::every, 0] < 0.7  # trajectories of chaotic points part within rounding
        wanted = one_after_another()[settled].double()
        for way in (ours, compiled):
            torch.testing.assert_close(way()[::every][settled], wanted, rtol=1e-4, atol=1e-6)

    name = f"cost on a plane, LSTM 2, {len(grid)} × 200, against nn.LSTM point by point"
    timings = []
    for n_threads in (1, 2):
        threads = "one thread" if n_threads == 1 else "two threads"
        with torch_threads(n_threads):
            for way, called, factor in ((ours, "", 100), (compiled, ", compiled", 300)):
                known = f"{name}{called}, {threads}"
                alone = _on_one_thread(one_after_another)
                timing = compare(known, way, alone, at_most=every / factor, equal=equal, repeats=9)
                timings.append(_scaled(timing, every, f"1/{factor}"))
    return timings


def _on_one_thread(work: Callable[[], object]) -> Callable[[], object]:
    """The reference at its best: products this small only wait for a second thread."""

    def call() -> object:
        with torch_threads(1):
            return work()

    return call


def wider() -> list[Timing]:
    """LSTM with 32 units, 20 sequences × 100 steps, 400 points, against nn.LSTM point after point."""
    from rnnscope.smoothness import Objective, costs
    from rnnscope.smoothness.directions import random_direction
    from rnnscope.smoothness.points import Affine
    from rnnscope.systems import as_system

    torch.manual_seed(0)
    core, head = nn.LSTM(1, 32, batch_first=True), nn.Linear(32, 1)
    model = nn.ModuleDict({"core": core, "head": head})
    system = as_system((core, head))
    inputs, targets = torch.randn(20, 100, 1), torch.randn(20, 100, 1)
    objective = Objective(inputs=inputs, targets=targets)
    s = torch.linspace(-0.5, 0.5, 20)
    points = Affine(
        system.params, (random_direction(system, 0), random_direction(system, 1)), torch.cartesian_prod(s, s)
    )
    each = points.take(slice(None))

    def ours() -> torch.Tensor:
        return costs(system, points, objective)

    def one_after_another() -> torch.Tensor:
        found = []
        with torch.no_grad():
            for k in range(400):
                for name, p in model.named_parameters():
                    p.copy_(each[name][k])
                found.append(nn.functional.mse_loss(head(core(inputs)[0]), targets))
        return torch.stack(found)

    def equal() -> None:
        torch.testing.assert_close(ours(), one_after_another().double(), rtol=1e-4, atol=1e-6)

    name = "cost, LSTM 32, 20 × 100, 400 points, against nn.LSTM point by point"
    note = "the fused LSTM is near the arithmetic limit: what is left to gain is the second thread"
    return [compare(name, ours, one_after_another, at_most=1 / 8, equal=equal, repeats=5, note=note)]


def hessian() -> list[Timing]:
    """A Hessian-vector product, LSTM 200, 10 × 400, against a gradient through nn.LSTM."""
    from rnnscope.smoothness import HessianOperator, Objective
    from rnnscope.systems import as_system

    torch.manual_seed(0)
    core, head = nn.LSTM(1, 200, batch_first=True), nn.Linear(200, 1)
    inputs, targets = torch.randn(10, 400, 1), torch.randn(10, 400, 1)
    operator = HessianOperator(as_system((core, head)), Objective(inputs=inputs, targets=targets))
    vector = np.random.default_rng(0).standard_normal(operator.shape[0])
    double = nn.ModuleList([core, head]).double()
    data = inputs.double(), targets.double()

    def gradient() -> torch.Tensor:
        cost = nn.functional.mse_loss(head(core(data[0])[0]), data[1])
        return torch.autograd.grad(cost, list(double.parameters()))[0]

    name = "Hessian-vector product, LSTM 200, 10 × 400, float64, against a gradient"
    return [compare(name, lambda: operator @ vector, gradient, at_most=15.0, repeats=3, note="graph kept")]


def derivatives() -> list[Timing]:
    """Derivatives along trajectories from the Jacobians of all steps, against differentiating step after step; and the
    sensitivity of a large state by products, against forming its Jacobian."""
    from rnnscope.smoothness._linearised import Course
    from rnnscope.smoothness._trajectories import Trajectories
    from rnnscope.smoothness.sensitivity import log_state_sensitivity
    from rnnscope.systems import as_system

    torch.manual_seed(0)
    n_steps, n_products = 200, 10
    system = as_system((nn.LSTM(1, 32, batch_first=True), nn.Linear(32, 1))).to(torch.float64)
    starts, drive = torch.randn(8, system.state_size).double(), torch.randn(8, n_steps, 1).double()

    def squares(outputs: torch.Tensor) -> torch.Tensor:
        return outputs.square().mean((1, 2))

    def all_of(paths: Trajectories) -> torch.Tensor:
        product, vectors = paths.hessian(squares), paths.jacobian()[:, 0]
        for _ in range(n_products):
            vectors = product(vectors)
            vectors = vectors / vectors.norm(dim=1, keepdim=True)
        return vectors

    def ours() -> torch.Tensor:
        return all_of(Course(system, starts, lambda t: drive[:, t], n_steps).first(n_steps))  # pyright: ignore[reportArgumentType]

    def step_after_step() -> torch.Tensor:
        return all_of(Trajectories(system, starts, lambda t: drive[:, t], n_steps))

    large = as_system((nn.LSTM(1, 200, batch_first=True), nn.Linear(200, 1))).to(torch.float64)
    begin, few = torch.randn(8, large.state_size).double(), torch.randn(8, 100, 1).double()

    def by_products() -> torch.Tensor:
        return log_state_sensitivity(large, begin, few, dense=False).logs

    def formed() -> torch.Tensor:
        return log_state_sensitivity(large, begin, few, dense=True).logs

    def equal() -> None:
        torch.testing.assert_close(ours(), step_after_step(), rtol=1e-6, atol=1e-8)

    def equal_too() -> None:
        torch.testing.assert_close(by_products(), formed(), rtol=0, atol=1e-7)

    hessian_name = f"{n_products} Hessian products, LSTM 32, 8 starts × {n_steps} steps, against step after step"
    state_name = "state sensitivity, LSTM 200, 8 × 100, by products against the whole Jacobian"
    with torch_threads(1):
        return [
            compare(hessian_name, ours, step_after_step, at_most=1.0, equal=equal, repeats=3),
            compare(state_name, by_products, formed, at_most=1.0, equal=equal_too, repeats=3),
        ]


def _scaled(timing: Timing, times: int, target: str) -> Timing:
    """The reference counted so many times."""
    ratio = timing.ratio / times
    return Timing(
        timing.name, timing.ours, timing.reference * times, ratio, f"at most {target}", timing.met,
        f"{1 / ratio:.0f} times faster",
    )  # fmt: skip


CASES: dict[str, Callable[[], list[Timing]]] = {
    "plane": plane, "wider": wider, "hessian": hessian, "derivatives": derivatives,
}  # fmt: skip
