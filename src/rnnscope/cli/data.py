"""rnnscope data RUN."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rnnscope.base.errors import require
from rnnscope.cli import _options as o
from rnnscope.cli._terminal import make_model, named_warnings, out, print_json

if TYPE_CHECKING:
    from torch import Tensor

    from rnnscope.runs import Run
    from rnnscope.smoothness import Objective

_FILE = "FILE[:NAME]"


def data(
    run: o.Run,
    *,
    inputs: Annotated[str | None, o.option("Inputs of the cost (sequence, time, channel).", metavar=_FILE)] = None,
    targets: Annotated[
        str | None,
        o.option("Targets (sequence, time, output), or of the last step; classes for cross-entropy.", metavar=_FILE),
    ] = None,
    loss: Annotated[str | None, o.option("squared-error (default) or cross-entropy.")] = None,
    n_transient: Annotated[int | None, o.option("First steps that the cost leaves out (default 0).")] = None,
    state: Annotated[str | None, o.option("State before the first step; zero by default.", metavar=_FILE)] = None,
    sequences: Annotated[
        str | None,
        o.option("Input sequences to visit (sequence, time, channel); the inputs by default.", metavar=_FILE),
    ] = None,
    overwrite: Annotated[bool, o.option("Replace data that the run has already.", "--overwrite")] = False,
    model: o.Model = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Give a run the data that probes of its cost and visited states need, or say which it has."""
    from rnnscope.runs import Run

    of_cost = {"targets": targets, "loss": loss, "n-transient": n_transient, "state": state}
    lonely = [f"--{name}" for name, value in of_cost.items() if value is not None]
    if inputs is None and lonely:
        raise ValueError(f"{', '.join(lonely)}: expected --inputs with it, the inputs of the cost, came none")
    if inputs is not None and targets is None:
        raise ValueError("--inputs: expected --targets with it, came none; inputs alone are given as --sequences")
    opened = Run(run, model=make_model(model))
    with named_warnings():
        width, n_outputs = _sizes(opened)
        objective = None
        if inputs is not None and targets is not None:
            objective = _objective(inputs, targets, loss or "squared-error", n_transient or 0, state, width, n_outputs)
        visited = None if sequences is None else _sequences(sequences, "sequences", width)
        if objective is not None or visited is not None:
            opened.give(sequences=visited, objective=objective, overwrite=overwrite)
        facts = _facts(opened)
    if json:
        print_json(facts)
        return
    for line in _lines(facts):
        out.print(line)


def _sizes(run: "Run") -> tuple[int | None, int | None]:
    """How many channels and outputs the network has; None where it cannot be read."""
    from rnnscope.base.errors import RnnscopeError

    try:
        return run.template.input_size, run.template.output_size
    except RnnscopeError:
        return None, None


def _sequences(place: str, option: str, width: int | None) -> "Tensor":
    """Sequences (sequence, time, channel); one alone may lack its first axis, and one channel its last."""
    from rnnscope.cli._arrays import read_array

    found = read_array(place, option)
    if found.dim() == 2 and not found.is_floating_point() and width == 1:
        return found[..., None].double()  # tokens, or whole numbers of one channel
    found = found if found.is_floating_point() else found.float()
    if found.dim() == 2 and (found.shape[1] == width or (width is None and Path(place).suffix.lower() == ".csv")):
        return found[None]
    if found.dim() == 2 and width == 1:
        return found[..., None]
    if found.dim() == 1 and width == 1:
        return found[None, :, None]
    expected = f"shape (sequence, time, {'channel' if width is None else width})"
    require(found.dim() == 3, f"--{option}", expected, tuple(found.shape))
    return found


def _objective(
    inputs: str,
    targets: str,
    loss: str,
    n_transient: int,
    state: str | None,
    width: int | None,
    n_outputs: int | None,
) -> "Objective":
    from rnnscope.cli._arrays import read_array
    from rnnscope.smoothness import Objective

    of_inputs, wanted = _sequences(inputs, "inputs", width), read_array(targets, "targets")
    wanted = _like(of_inputs, wanted, whole=loss == "cross-entropy", n_outputs=n_outputs)
    begin = None if state is None else read_array(state, "state")
    if begin is not None:
        begin = begin if begin.is_floating_point() else begin.float()
        begin = begin[0] if begin.dim() == 2 and len(begin) == 1 else begin
    return Objective(of_inputs, wanted, loss=loss, state=begin, n_transient=n_transient)


def _like(inputs: "Tensor", targets: "Tensor", *, whole: bool, n_outputs: int | None) -> "Tensor":
    """Targets with the axes that the loss asks for, where there is one way only to add what is missing."""
    n, time = inputs.shape[:2]
    if whole:
        are_classes = not targets.is_floating_point() or bool((targets == targets.round()).all())
        targets = targets.long() if are_classes else targets
        if time > 1 and tuple(targets.shape) in ((n, time, 1), (time, 1)):
            targets = targets[..., 0]
        return targets[None] if n == 1 and time > 1 and tuple(targets.shape) == (time,) else targets
    targets = targets if targets.is_floating_point() else targets.float()
    if n == 1 and time > 1 and targets.dim() < 3 and len(targets) == time:
        targets = targets[None]
    return targets[..., None] if n_outputs == 1 and time > 1 and tuple(targets.shape) == (n, time) else targets


def _facts(run: "Run") -> dict[str, Any]:
    """What the run has, with the cost of its last weights where they can be read."""
    found: dict[str, Any] = {"run": str(run.path), "sequences": None, "objective": None}
    if run.sequences is not None:
        found["sequences"] = dict(zip(("n", "steps", "channels"), run.sequences.shape, strict=True))
    if (objective := run.objective) is not None:
        found["objective"] = {
            "n": objective.n_sequences,
            "steps": objective.n_steps,
            "loss": objective.describe_loss().split()[0],
            "n_transient": objective.n_transient,
            **_cost(run, objective),
        }
    return found


def _cost(run: "Run", objective: "Objective") -> dict[str, Any]:
    import torch

    from rnnscope.base.errors import RnnscopeError
    from rnnscope.smoothness import cost

    try:
        system = run.system()
        with torch.no_grad():
            value = float(cost(system, system.params, objective))
    except (RnnscopeError, ValueError):
        return {}
    epoch = int(run.epochs[-1])
    recorded = run.scalars["loss"].get(epoch) if "loss" in run.scalars else None
    return {"epoch": epoch, "cost": value, "recorded_loss": None if recorded is None else float(recorded)}


def _lines(facts: dict[str, Any]) -> list[str]:
    path, visited, objective = facts["run"], facts["sequences"], facts["objective"]
    lines = [f"{path}: no input sequences; give them: rnnscope data {path} --sequences u.npy"]
    if visited is not None:
        lines = [
            f"{path}: input sequences: {visited['n']} of {visited['steps']} steps, {visited['channels']} "
            f"channel{'s' * (visited['channels'] != 1)}"
        ]
    if objective is None:
        return [*lines, f"{path}: no cost; give it: rnnscope data {path} --inputs u.npy --targets y.npy"]
    without = f" without the first {objective['n_transient']}" if objective["n_transient"] else ""
    lines.append(
        f"{path}: cost: {objective['loss']}, {objective['n']} sequences of {objective['steps']} steps{without}"
    )
    if "cost" in objective:
        loss = objective["recorded_loss"]
        recorded = "" if loss is None else f"; the loss recorded there is {loss:.4g}"
        lines.append(f"{path}: the cost at the last epoch, {objective['epoch']}, is {objective['cost']:.4g}{recorded}")
    return lines
